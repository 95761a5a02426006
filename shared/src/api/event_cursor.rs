//! Cursors of an event replay. A digest binds them to their tenant, like those of lists.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::Tenant;
use platform::items::SHARDS;

use crate::events::EventId;
use crate::store::EventPosition;

const VERSION: u8 = 1;
const CHECK: usize = 16;

/// Encodes a position as a cursor of this tenant.
pub(super) fn to_cursor(tenant: &Tenant, position: &EventPosition) -> String {
    let mut bytes = vec![VERSION, position.shard];
    bytes.extend(position.after.as_ref().map(EventId::as_str).unwrap_or_default().as_bytes());
    let check = check(tenant, &bytes);
    bytes.extend(check);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes a cursor of this tenant. Returns `None` when it is invalid.
pub(super) fn from_cursor(tenant: &Tenant, text: &str) -> Option<EventPosition> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (position, given) = bytes.split_at_checked(bytes.len().checked_sub(CHECK)?)?;
    let [VERSION, shard, after @ ..] = position else { return None };
    if check(tenant, position) != given || *shard >= SHARDS {
        return None;
    }
    let after = match std::str::from_utf8(after).ok()? {
        "" => None,
        id => Some(id.parse().ok()?),
    };
    Some(EventPosition { shard: *shard, after })
}

fn check(tenant: &Tenant, position: &[u8]) -> [u8; CHECK] {
    let mut context = Context::new(&SHA256);
    // Tenants contain no `#`, so the bytes are unambiguous.
    for part in [b"hyperdex events cursor#", tenant.as_str().as_bytes(), b"#", position] {
        context.update(part);
    }
    let mut check = [0; CHECK];
    check.copy_from_slice(&context.finish().as_ref()[..CHECK]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    #[test]
    fn cursor_of_another_tenant_is_refused() {
        let id: EventId = format!("evt_{}", "0123456789ab".repeat(3)).parse().unwrap();
        for after in [None, Some(id)] {
            let position = EventPosition { shard: 15, after };
            let cursor = to_cursor(&tenant("one"), &position);
            assert_eq!(from_cursor(&tenant("one"), &cursor), Some(position));
            assert_eq!(from_cursor(&tenant("two"), &cursor), None);
            assert_eq!(from_cursor(&tenant("one"), &cursor[..cursor.len() - 2]), None);
        }
        for text in ["", "a", "AAAA", "näh"] {
            assert_eq!(from_cursor(&tenant("one"), text), None, "{text}");
        }
    }
}
