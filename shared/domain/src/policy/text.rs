//! The texts that approvers sign.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Change;
use crate::ids::Tenant;

/// The first line of a change's text, which keeps its signature from being valid for anything
/// else.
pub const CHANGE_TITLE: &str = "HyperDEX Keys policy change";
/// The first line of a payment's text.
pub const PAYMENT_TITLE: &str = "HyperDEX Keys payment";

/// Returns a value as one line of JSON with sorted keys and without spaces.
///
/// # Errors
/// Fails when the value has no JSON form.
pub fn canonical_json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    write_sorted(&serde_json::to_value(value)?, &mut text);
    Ok(text)
}

/// Sorts by itself, because a feature of another crate may keep an object's keys in their order of
/// insertion.
fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort_unstable();
            text.push('{');
            for (place, key) in keys.into_iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_sorted(&fields[key], text);
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                write_sorted(value, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

/// Returns the text of a change that approvers sign: seven lines without a trailing line feed.
///
/// `chain_id` is the policy chain's id, `seq` the change's number, `prev` the hash of the record
/// before it, and `not_after_s` the time in Unix seconds until which approvals count.
#[must_use]
pub fn change_text(
    chain_id: &str,
    tenant: &Tenant,
    seq: u64,
    prev: &str,
    change: &Change,
    not_after_s: u64,
) -> String {
    #[expect(clippy::expect_used, reason = "a change has only text keys and plain values")]
    let change = canonical_json(change).expect("a change has a JSON form");
    format!("{CHANGE_TITLE}\n{chain_id}\n{tenant}\n{seq}\n{prev}\n{change}\n{not_after_s}")
}

/// Returns the text of a payment that approvers sign when it exceeds a limit's `approveAbove`:
/// seven lines without a trailing line feed.
///
/// # Errors
/// Fails when the payment has no JSON form.
pub fn payment_text<P: Serialize>(
    chain_id: &str,
    tenant: &Tenant,
    wallet_id: Uuid,
    payment_id: &str,
    payment: &P,
    not_after_s: u64,
) -> Result<String, serde_json::Error> {
    let payment = canonical_json(payment)?;
    Ok(format!(
        "{PAYMENT_TITLE}\n{chain_id}\n{tenant}\n{wallet_id}\n{payment_id}\n{payment}\n{not_after_s}"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::*;
    use super::*;

    const ADDRESS: &str = "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7";

    #[test]
    fn canonical_json_sorts_keys_at_every_depth() {
        let value = json!({ "b": [1, { "z": null, "a": "x\ny" }], "a": true, "B": {} });
        let text = canonical_json(&value).unwrap();
        assert_eq!(text, r#"{"B":{},"a":true,"b":[1,{"a":"x\ny","z":null}]}"#);
    }

    #[test]
    fn change_text_is_seven_lines() {
        let json = format!(
            r#"{{ "destination": {{"venue":"evm:56","label":"Treasury","address":"{ADDRESS}",
            "assets":["evm:56/USDT"],"perPayment":"100"}}, "type": "addDestination" }}"#
        );
        let change = Change::parse(&json).unwrap();
        let tenant = "acme".parse().unwrap();
        let text = change_text("c0ffee", &tenant, 7, GENESIS, &change, 1_790_000_000);
        let lower = ADDRESS.to_lowercase();
        let want = format!(
            "HyperDEX Keys policy change\nc0ffee\nacme\n7\n{GENESIS}\n\
             {{\"destination\":{{\"address\":\"{lower}\",\"assets\":[\"evm:56/USDT\"],\
             \"label\":\"Treasury\",\"perPayment\":\"100\",\"venue\":\"evm:56\"}},\
             \"type\":\"addDestination\"}}\n1790000000"
        );
        assert_eq!(text, want);
        assert_eq!(text.lines().count(), 7);
    }

    #[test]
    fn payment_text_names_wallet_and_payment() {
        let tenant = "acme".parse().unwrap();
        let payment = json!({ "type": "x", "amount": "1" });
        let text = payment_text("id", &tenant, Uuid::nil(), "p-1", &payment, 5).unwrap();
        let nil = Uuid::nil();
        let want = format!(
            "HyperDEX Keys payment\nid\nacme\n{nil}\np-1\n{{\"amount\":\"1\",\"type\":\"x\"}}\n5"
        );
        assert_eq!(text, want);
    }

    #[test]
    fn every_change_parses_from_its_canonical_text() {
        let key = format!("04{}", "ab".repeat(64));
        let approver = json!({ "id": "alice", "publicKey": key });
        let cap = json!({ "amount": "10.5", "payments": 3 });
        let changes = [
            json!({ "type": "setAuthority", "authority": { "threshold": 1, "approvers": [approver] } }),
            json!({ "type": "removeDestination", "venue": "aster", "address": ADDRESS.to_lowercase() }),
            json!({ "type": "setLimit", "limit":
                { "asset": "aster/USDT", "wallet": cap, "tenant": cap, "approveAbove": "1" } }),
            json!({ "type": "removeLimit", "asset": "hyperliquid/USDC" }),
            json!({ "type": "setDelay", "seconds": 86_400 }),
            json!({ "type": "freeze" }),
            json!({ "type": "unfreeze" }),
            json!({ "type": "exportWallet", "export": {
                "walletId": Uuid::nil(), "address": ADDRESS.to_lowercase(), "shareVersion": 1,
                "recipient": key, "untilS": 1_790_000_000 } }),
            json!({ "type": "cancel", "seq": 4 }),
            json!({ "type": "resume", "headHash": GENESIS }),
        ];
        for json in changes {
            let change = Change::parse(&json.to_string()).unwrap();
            assert_eq!(serde_json::to_value(&change).unwrap(), json);
            assert_eq!(canonical_json(&change).unwrap(), canonical_json(&json).unwrap());
            assert_eq!(json["type"], change.name());
        }
    }

    #[test]
    fn malformed_change_is_refused() {
        let key = format!("04{}", "ab".repeat(64));
        let approver = |id: &str, key: &str| json!({ "id": id, "publicKey": key });
        let authority = |threshold: u64, approvers: Vec<Value>| {
            json!({ "type": "setAuthority",
                "authority": { "threshold": threshold, "approvers": approvers } })
        };
        let other = format!("04{}", "cd".repeat(64));
        for json in [
            json!({ "type": "freeze", "seq": 1 }),
            json!({ "type": "exportWallet" }),
            json!({ "type": "exportWallet", "export": {
                "walletId": Uuid::nil(), "address": ADDRESS, "shareVersion": 0,
                "recipient": key, "untilS": 1 } }),
            json!({ "type": "exportWallet", "export": {
                "walletId": Uuid::nil(), "address": ADDRESS, "shareVersion": 1,
                "recipient": key.to_uppercase(), "untilS": 1 } }),
            json!({ "type": "cancel" }),
            json!({ "type": "cancel", "seq": -1 }),
            json!({ "type": "setDelay", "seconds": 30 * 24 * 60 * 60 + 1 }),
            json!({ "type": "resume", "headHash": "00" }),
            json!({ "type": "resume", "headHash": "A".repeat(64) }),
            authority(0, vec![approver("a", &key)]),
            authority(2, vec![approver("a", &key)]),
            authority(1, vec![]),
            authority(1, vec![approver("A", &key)]),
            authority(1, vec![approver("a", &key.to_uppercase())]),
            authority(1, vec![approver("a", &key[2..])]),
            authority(1, vec![approver("a", &key), approver("b", &key)]),
            authority(1, vec![approver("a", &key), approver("a", &other)]),
            json!({ "type": "addDestination", "destination":
                { "venue": "aster", "address": ADDRESS, "assets": ["hyperliquid/USDC"], "label": "" } }),
            json!({ "type": "addDestination", "destination":
                { "venue": "aster", "address": ADDRESS, "assets": [], "label": "" } }),
            json!({ "type": "addDestination", "destination":
                { "venue": "aster", "address": ADDRESS, "assets": ["aster/A"], "label": "a\nb" } }),
            json!({ "type": "addDestination", "destination":
                { "venue": "aster", "address": format!("0x{}", "0".repeat(40)),
                  "assets": ["aster/A"], "label": "" } }),
        ] {
            assert!(Change::parse(&json.to_string()).is_err(), "{json}");
        }
        assert!(
            Change::parse(
                &authority(2, vec![approver("a", &key), approver("b", &other)]).to_string()
            )
            .is_ok()
        );
    }
}
