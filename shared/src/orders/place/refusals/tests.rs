use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

const AGENT: &str = "0x00000000000000000000000000000000000000aa";

/// Returns the record of an order of a batch. `code` is the stored word of a refusal.
fn record(id: &str, state: &str, code: Option<&str>) -> OrderRecord {
    let outcome = code.map(|code| json!({ "refused": { "code": code, "text": "no", "atMs": 5 } }));
    let submission = (id == "a").then(|| {
        json!({
            "kind": "place", "agent": AGENT, "nonce": 7, "method": "POST", "path": "/x",
            "body": "{}", "expiresAtMs": 9, "finalAtMs": 10, "members": ["a", "b"],
        })
    });
    let mut stored = json!({
        "schema": 1, "exchange": "aster", "walletId": Uuid::nil(), "clientOrderId": id,
        "fingerprint": "00", "unit": "00", "generation": 0, "revision": Uuid::nil(),
        "state": state,
        "request": {
            "symbol": "BTC", "side": "BUY", "type": "LIMIT", "quantity": "0.010",
            "price": "60000", "timeInForce": "GTC", "reduceOnly": false,
        },
        "symbol": { "name": "BTCUSDT" }, "createdAtMs": 1, "leaseUntilMs": 1,
    });
    for (name, value) in [("outcome", outcome), ("submission", submission)] {
        if let Some(value) = value {
            stored[name] = value;
        }
    }
    serde_json::from_value::<OrderRecord>(Value::clone(&stored)).unwrap()
}

fn refused(id: &str, code: &str) -> OrderRecord {
    record(id, "refused", Some(code))
}

fn code(refusals: &mut Refusals, records: &[OrderRecord]) -> Option<TradeCode> {
    refusals.renewal(records).map(|renewal| renewal.code)
}

#[test]
fn refused_builder_is_left_out_once_and_without_a_wait() {
    let records = [refused("a", "builderNotApproved"), refused("b", "builderNotApproved")];
    let mut refusals = Refusals::default();
    let renewal = refusals.renewal(&records).unwrap();
    assert_eq!((renewal.code, renewal.wait_ms), (TradeCode::BuilderNotApproved, 0));
    assert_eq!(refusals.builder(), Some(AGENT.parse().unwrap()));
    assert_eq!(refusals.counted.len(), 2);
    assert_eq!(code(&mut refusals, &records), None);
}

/// Each order of a batch on Aster has an outcome of its own.
#[test]
fn builder_refused_for_one_order_of_a_batch_is_left_out() {
    let of_builder = || refused("b", "builderNotApproved");
    for first in [
        refused("a", "insufficientFunds"),
        refused("a", "marketUnknown"),
        record("a", "dead", None),
        record("a", "placed", None),
    ] {
        let found = code(&mut Refusals::default(), &[first, of_builder()]);
        assert_eq!(found, Some(TradeCode::BuilderNotApproved));
    }
    // Bytes with an open outcome can still execute.
    for state in ["unknown", "sending"] {
        let records = [record("a", state, None), of_builder()];
        assert_eq!(code(&mut Refusals::default(), &records), None, "{state}");
    }
}

#[test]
fn other_refusals_are_repaired_only_if_all_orders_have_them() {
    let mut refusals = Refusals::default();
    let agent = [refused("a", "agentUnknown"), refused("b", "agentUnknown")];
    let renewal = refusals.renewal(&agent).unwrap();
    assert_eq!((renewal.code, renewal.wait_ms), (TradeCode::AgentUnknown, WAIT_MS));
    assert_eq!(code(&mut refusals, &agent), None);
    let nonce = [refused("a", "nonceTooLow")];
    assert_eq!(code(&mut refusals, &nonce), Some(TradeCode::NonceTooLow));
    assert_eq!(code(&mut refusals, &nonce), Some(TradeCode::NonceTooLow));
    assert_eq!(code(&mut refusals, &nonce), None);
    let on_lighter = OrderRecord { exchange: Exchange::Lighter, ..refused("a", "nonceTooLow") };
    let mut refusals = Refusals::default();
    for _ in 0..MAX_NONCES_ON_LIGHTER {
        let renewal = refusals.renewal(std::slice::from_ref(&on_lighter)).unwrap();
        assert_eq!(renewal.code, TradeCode::NonceTooLow);
        assert!(renewal.wait_ms < WAIT_MS && renewal.jitter_ms > 0);
    }
    assert_eq!(code(&mut refusals, &[on_lighter]), None);
    let mixed = [refused("a", "nonceTooLow"), refused("b", "agentUnknown")];
    assert_eq!(code(&mut Refusals::default(), &mixed), None);
    let placed = [refused("a", "nonceTooLow"), record("b", "placed", None)];
    assert_eq!(code(&mut Refusals::default(), &placed), None);
    for about_the_order in ["insufficientFunds", "orderRejected"] {
        assert_eq!(code(&mut Refusals::default(), &[refused("a", about_the_order)]), None);
    }
}
