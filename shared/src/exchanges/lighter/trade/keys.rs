//! The public keys that Lighter lists for an account. The list is public.

use serde_json::Value;

use super::Client;
use super::answer::{found, unreadable};
use crate::exchanges::aster::trade::read::AskError;

/// The slot that means all slots in a question.
const ALL_SLOTS: u8 = 255;

impl Client {
    /// Returns the public key in a slot of an account, as 80 hex digits. `None` means that the slot is
    /// empty or does not exist.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn public_key(&self, account: u64, slot: u8) -> Result<Option<String>, AskError> {
        let listed = self.public_keys(account, slot).await?;
        Ok(listed.into_iter().find(|(index, _)| *index == slot).map(|(_, key)| key))
    }

    /// Returns the slot of an account that has a public key, which is given as 80 hex digits.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn slot_of(&self, account: u64, public_key: &str) -> Result<Option<u8>, AskError> {
        let listed = self.public_keys(account, ALL_SLOTS).await?;
        Ok(listed.into_iter().find(|(_, key)| key == public_key).map(|(index, _)| index))
    }

    /// Returns the public keys of an account in a slot or in all, without the empty slots.
    async fn public_keys(&self, account: u64, slot: u8) -> Result<Vec<(u8, String)>, AskError> {
        let (account, slot) = (account.to_string(), slot.to_string());
        let pairs = [("account_index", account.as_str()), ("api_key_index", &slot)];
        let answer = self.get("apikeys", &pairs).await?;
        let Some(body) = found("the keys of an account", &answer)? else { return Ok(Vec::new()) };
        let listed = body.get("api_keys").and_then(Value::as_array);
        let listed = listed.ok_or_else(|| unreadable("the keys of an account", &answer))?;
        Ok(listed.iter().filter_map(listed_key).collect())
    }
}

/// Parses the public key in a slot: 80 hex digits. `None` means that the slot is empty.
fn listed_key(value: &Value) -> Option<(u8, String)> {
    let slot = u8::try_from(value.get("api_key_index")?.as_u64()?).ok()?;
    let key = value.get("public_key")?.as_str()?.trim_start_matches("0x").to_lowercase();
    key.bytes().any(|digit| digit != b'0').then_some((slot, key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_slot_has_no_key() {
        let row = |key: &str| json!({ "api_key_index": 5, "public_key": key });
        assert_eq!(listed_key(&row("0xAB01")), Some((5, "ab01".to_owned())));
        assert_eq!(listed_key(&row(&"0".repeat(80))), None);
        assert_eq!(listed_key(&json!({ "api_key_index": 256, "public_key": "ab" })), None);
    }
}
