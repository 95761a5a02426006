//! Interprets a node's responses.

use serde_json::Value;

use super::ChainError;
use crate::exchanges::trade::shown;

/// The outcome of a broadcast.
#[derive(Debug)]
pub enum BroadcastOutcome {
    /// The node has the transaction.
    Accepted,
    /// The node has it already, or it is in a block.
    Known,
    /// The account nonce is used by a transaction in a block, which may be this one.
    NonceUsed,
    /// The node refused the transaction. It may accept the same bytes later.
    Refused(String),
    /// The request did not reach the node.
    NotSent,
    /// The node may have the transaction.
    Unknown(ChainError),
}

/// The receipt of a transaction in a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Whether the transaction succeeded. One that reverted has moved nothing and cost gas.
    pub succeeded: bool,
    /// The block.
    pub block: u64,
}

/// Returns the result of a call.
pub(super) fn result(method: &'static str, status: u16, body: &str) -> Result<Value, ChainError> {
    let unreadable = || ChainError::Unreadable { method, status };
    let mut body: Value = serde_json::from_str(body).map_err(|_| unreadable())?;
    if let Some(error) = body.get("error").filter(|error| !error.is_null()) {
        let text = error.get("message").and_then(Value::as_str).unwrap_or_default();
        let code = error.get("code").and_then(Value::as_i64).ok_or_else(unreadable)?;
        return Err(ChainError::Refused { method, code, text: shown(text) });
    }
    if status != 200 {
        return Err(unreadable());
    }
    body.get_mut("result").map(Value::take).ok_or_else(unreadable)
}

/// Parses a quantity: `0x` and hex digits.
pub(super) fn quantity(value: &Value) -> Option<u128> {
    let digits = value.as_str()?.strip_prefix("0x")?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex && !digits.is_empty()).then(|| u128::from_str_radix(digits, 16).ok())?
}

/// Interprets the refusal of a broadcast. Nodes differ in their texts, so only the texts that several
/// of them use are known.
pub(super) fn broadcast_refused(text: String) -> BroadcastOutcome {
    let words = text.to_lowercase();
    let is_known = ["already known", "known transaction", "already imported", "alreadyknown"]
        .iter()
        .any(|known| words.contains(known));
    if is_known {
        BroadcastOutcome::Known
    } else if words.contains("nonce too low") || words.contains("nonce is too low") {
        BroadcastOutcome::NonceUsed
    } else {
        BroadcastOutcome::Refused(text)
    }
}

/// Reads a receipt. `None` within means that the transaction is in no block.
#[expect(clippy::option_option, reason = "no receipt is a valid response")]
pub(super) fn receipt(result: &Value) -> Option<Option<Receipt>> {
    if result.is_null() {
        return Some(None);
    }
    let succeeded = match quantity(result.get("status")?)? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let block = u64::try_from(quantity(result.get("blockNumber")?)?).ok()?;
    Some(Some(Receipt { succeeded, block }))
}
