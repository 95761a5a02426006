use serde_json::json;

use super::answer::{broadcast_refused, quantity, receipt, result};
use super::*;

#[test]
fn quantity_requires_hex_digits() {
    assert_eq!(quantity(&json!("0x0")), Some(0));
    assert_eq!(quantity(&json!("0x10")), Some(16));
    for text in ["", "0x", "10", "0xg", "0x-1", "0x+1", "0x100000000000000000000000000000000"] {
        assert_eq!(quantity(&json!(text)), None, "{text}");
    }
    assert_eq!(quantity(&json!(16)), None);
}

#[test]
fn node_error_is_stated_with_any_status() {
    let body = json!({ "error": { "code": -32000, "message": "nonce too low" } }).to_string();
    for status in [200, 400, 500] {
        let error = result("eth_call", status, &body).unwrap_err();
        assert!(matches!(error, ChainError::Refused { code: -32000, .. }), "{error}");
    }
    assert_eq!(result("m", 200, r#"{"result":"0x1"}"#).unwrap(), json!("0x1"));
    assert_eq!(result("m", 200, r#"{"result":null,"error":null}"#).unwrap(), Value::Null);
    for (status, body) in [(500, r#"{"result":"0x1"}"#), (200, "{}"), (200, "<html>")] {
        let error = result("m", status, body).unwrap_err();
        assert!(matches!(error, ChainError::Unreadable { .. }), "{status} {body}");
    }
}

#[test]
fn broadcast_of_known_bytes_is_not_a_refusal() {
    for text in ["already known", "AlreadyKnown", "known transaction: 0xab"] {
        let outcome = broadcast_refused(text.to_owned());
        assert!(matches!(outcome, BroadcastOutcome::Known), "{text}");
    }
    let low = broadcast_refused("nonce too low: next nonce 4, tx nonce 3".to_owned());
    assert!(matches!(low, BroadcastOutcome::NonceUsed));
    let funds = broadcast_refused("insufficient funds for gas * price + value".to_owned());
    assert!(matches!(funds, BroadcastOutcome::Refused(_)));
}

#[test]
fn receipt_states_success_or_revert() {
    let read = |value: Value| receipt(&value);
    assert_eq!(read(Value::Null), Some(None));
    let at = |status: &str| json!({ "status": status, "blockNumber": "0x10" });
    assert_eq!(read(at("0x1")), Some(Some(Receipt { succeeded: true, block: 16 })));
    assert_eq!(read(at("0x0")), Some(Some(Receipt { succeeded: false, block: 16 })));
    for value in [at("0x2"), json!({ "status": "0x1" }), json!({ "blockNumber": "0x1" })] {
        assert_eq!(read(value), None);
    }
}

#[test]
fn rpc_url_must_be_https_or_loopback() {
    let read = |url: &'static str| {
        let lookup = move |name: &str| (name == "EVM_RPC_URL_56").then(|| url.to_owned());
        Chains::from_env(&Env(&lookup), &Clock::system())
    };
    let chains = read("https://node.example/v1/key").unwrap();
    assert!(chains.get(56).is_some() && chains.get(1).is_none());
    assert!(read("").unwrap().get(56).is_none());
    let error = read("http://node.example").unwrap_err().to_string();
    assert!(error.starts_with("EVM_RPC_URL_56 must"), "{error}");
}
