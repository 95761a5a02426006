//! Cursors of a list: the opaque start of the next page.
//!
//! A cursor gives no access. It holds a position and no tenant: the caller's tenant key alone
//! decides whose wallets are listed, so a forged cursor only skips the caller's own wallets. A
//! digest binds it to its tenant, so another tenant's cursor or an altered one is refused.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::Tenant;
use platform::items::SHARDS;
use uuid::Uuid;

use super::error::ApiError;
use crate::store::Position;

/// Maximum number of wallets in a page.
pub const MAX_LIMIT: u8 = 100;
pub(super) const DEFAULT_LIMIT: u8 = 25;

const VERSION: u8 = 1;
const POSITION: usize = 26;
const CHECK: usize = 16;

/// Encodes a position as a cursor of this tenant.
#[must_use]
pub fn to_cursor(tenant: &Tenant, position: Position) -> String {
    let mut bytes = vec![VERSION, position.shard];
    bytes.extend(position.after_ms.to_be_bytes());
    bytes.extend(position.after.as_bytes());
    let check = check(tenant, &bytes);
    bytes.extend(check);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes a cursor of this tenant. Returns `None` when it is invalid for any reason.
#[must_use]
pub fn from_cursor(tenant: &Tenant, text: &str) -> Option<Position> {
    let bytes: [u8; POSITION + CHECK] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    let (position, given) = bytes.split_first_chunk::<POSITION>()?;
    if check(tenant, position) != given || position[0] != VERSION || position[1] >= SHARDS {
        return None;
    }
    let (after_ms, after) = position[2..].split_first_chunk::<8>()?;
    Some(Position {
        shard: position[1],
        after_ms: u64::from_be_bytes(*after_ms),
        after: Uuid::from_slice(after).ok()?,
    })
}

fn check(tenant: &Tenant, position: &[u8]) -> [u8; CHECK] {
    let mut context = Context::new(&SHA256);
    // Tenants contain no `#`, so the bytes are unambiguous.
    for part in [b"hyperdex wallets cursor#", tenant.as_str().as_bytes(), b"#", position] {
        context.update(part);
    }
    let mut check = [0; CHECK];
    check.copy_from_slice(&context.finish().as_ref()[..CHECK]);
    check
}

/// Reads `limit` and `cursor` from a query.
///
/// # Errors
/// 400, naming the parameter.
pub fn page_in_query(tenant: &Tenant, uri: &http::Uri) -> Result<(Position, u8), ApiError> {
    let (mut limit, mut from) = (None, None);
    for (name, text) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        let twice = match &*name {
            "limit" => limit.replace(limit_of(&text)?).is_some(),
            "cursor" => {
                let read = from_cursor(tenant, &text);
                let wrong = || bad("cursor must be the nextCursor of a response to this tenant");
                from.replace(read.ok_or_else(wrong)?).is_some()
            }
            _ => false,
        };
        if twice {
            return Err(ApiError::bad_request(format!("{name} must be given once")));
        }
    }
    Ok((from.unwrap_or_default(), limit.unwrap_or(DEFAULT_LIMIT)))
}

/// Parses the maximum number of entries in a page.
///
/// # Errors
/// 400.
pub(super) fn limit_of(text: &str) -> Result<u8, ApiError> {
    let read = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    let read = read.filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    read.ok_or_else(|| bad("limit must be a number from 1 to 100"))
}

fn bad(error: &'static str) -> ApiError {
    ApiError::bad_request(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    fn read(query: &str) -> Result<(Position, u8), String> {
        let uri = format!("/api/wallets{query}").parse().unwrap();
        page_in_query(&tenant("one"), &uri).map_err(|error| {
            assert_eq!(error.status, 400);
            error.error.into_owned()
        })
    }

    fn position() -> Position {
        Position { shard: 15, after_ms: 1_795_406_234_446, after: Uuid::from_bytes([7; 16]) }
    }

    #[test]
    fn cursor_of_another_tenant_is_refused() {
        let cursor = to_cursor(&tenant("one"), position());
        assert_eq!(from_cursor(&tenant("one"), &cursor), Some(position()));
        for other in ["two", "One", "on", "one-"] {
            assert_eq!(from_cursor(&tenant(other), &cursor), None, "{other}");
        }
        assert!(!cursor.contains("one") && cursor.is_ascii(), "{cursor}");
    }

    #[test]
    fn altered_cursor_is_refused() {
        let cursor = to_cursor(&tenant("one"), position());
        let mut bent = 0;
        for at in 0..cursor.len() {
            for letter in "AZaz09-_=%".chars() {
                let mut text: Vec<char> = cursor.chars().collect();
                if std::mem::replace(&mut text[at], letter) != letter {
                    let text: String = text.into_iter().collect();
                    assert_eq!(from_cursor(&tenant("one"), &text), None, "{text}");
                    bent += 1;
                }
            }
        }
        assert!(bent > 400, "{bent}");
        let longer = format!("{cursor}AAAA");
        for text in ["", "a", &cursor[..52], &cursor[4..], &longer, "näh", &"A".repeat(56)] {
            assert_eq!(from_cursor(&tenant("one"), text), None, "{text}");
        }
    }

    #[test]
    fn forged_shard_in_cursor_is_refused() {
        let forged = to_cursor(&tenant("one"), Position { shard: SHARDS, ..position() });
        assert_eq!(from_cursor(&tenant("one"), &forged), None);
    }

    #[test]
    fn list_query_parses_limit_and_cursor() {
        assert_eq!(read(""), Ok((Position::default(), 25)));
        assert_eq!(read("?other=1&limit=100"), Ok((Position::default(), 100)));
        let cursor = to_cursor(&tenant("one"), position());
        assert_eq!(read(&format!("?cursor={cursor}&limit=1")), Ok((position(), 1)));
        for limit in ["0", "101", "-1", "+5", "", "ten", "1.0", "300", "99999999999999999999"] {
            let error = read(&format!("?limit={limit}")).unwrap_err();
            assert!(error.starts_with("limit must be"), "{limit}: {error}");
        }
        for cursor in ["", "x", "%00", "null"] {
            let error = read(&format!("?cursor={cursor}")).unwrap_err();
            assert!(error.starts_with("cursor must be"), "{cursor}: {error}");
        }
        for query in ["?limit=1&limit=1".to_owned(), format!("?cursor={cursor}&cursor={cursor}")] {
            assert!(read(&query).unwrap_err().ends_with("must be given once"), "{query}");
        }
    }
}
