use domain::eth::Address;

use super::answer::{ledger, pre_transfer, sent, withdrawal_route};
use super::*;
use crate::exchanges::Unclear;
use crate::exchanges::trade::{TradeCode, Unresolved};

const WALLET: &str = "0xe58b8d324dfbac31e4c344a92100c75d7f9a2d81";

fn wallet() -> Address {
    WALLET.parse().unwrap()
}

fn read(status: u16, body: &str, is_first: bool) -> Sent<()> {
    sent(&Answer::new(status, body), wallet(), is_first)
}

fn err(text: &str) -> String {
    json!({ "status": "err", "response": text }).to_string()
}

#[test]
fn payment_accepted_only_with_status_ok() {
    let ok = r#"{"status":"ok","response":{"type":"default"}}"#;
    assert!(matches!(read(200, ok, true), Sent::Accepted(())));
    for (status, body) in
        [(200, "{}"), (200, "null"), (500, ok), (502, ""), (422, "null"), (408, ok)]
    {
        assert!(matches!(read(status, body, true), Sent::Unknown(_)), "{status} {body}");
    }
    let blocked = read(403, "<h1>blocked</h1>", true);
    assert!(matches!(blocked, Sent::Unknown(Unresolved { why: Unclear::Blocked(_), .. })));
}

#[test]
fn listed_refusal_counts_only_for_bytes_sent_first() {
    for (text, code) in PAYMENT_TEXTS {
        let body = err(&format!("{text} User: {WALLET}"));
        match read(200, &body, true) {
            Sent::Refused(refusal) => assert_eq!(refusal.code, *code, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
        assert!(matches!(read(200, &body, false), Sent::Unknown(_)), "{text}");
    }
    assert!(matches!(read(200, &err("Something new"), true), Sent::Unknown(_)));
}

#[test]
fn duplicate_nonce_fences_the_bytes() {
    let body = err("Invalid nonce: duplicate nonce 1790000000000");
    for is_first in [true, false] {
        let sent = read(200, &body, is_first);
        assert!(matches!(sent, Sent::Unknown(Unresolved { fenced: true, .. })), "{sent:?}");
    }
    // A repeat does not tell whether the first request was executed before the nonce fell behind.
    let body = err("Invalid nonce: nonce too low 1790000000000 < 1790000000001");
    let sent = read(200, &body, false);
    assert!(matches!(sent, Sent::Unknown(Unresolved { fenced: true, .. })), "{sent:?}");
}

#[test]
fn deposit_text_for_another_address_is_a_signature_fault() {
    let text =
        "Must deposit before performing actions. User: 0x000000000000000000000000000000000000dead";
    let Sent::Refused(refusal) = read(200, &err(text), true) else { panic!() };
    assert_eq!(refusal.code, TradeCode::SignatureFault);
}

#[test]
fn routing_and_activation_are_read() {
    let route = |word: &str| {
        let body = json!({ "depositRoute": "bridge", "withdrawalRoute": word }).to_string();
        withdrawal_route(&Answer::new(200, body))
    };
    assert_eq!(route("bridge").unwrap(), WithdrawalRoute::Bridge);
    assert_eq!(route("cctp").unwrap(), WithdrawalRoute::Cctp);
    assert!(route("pigeon").is_err());
    let body = r#"{"fee":"1.0","isSanctioned":false,"userExists":false,"userHasSentTx":false}"#;
    let check = pre_transfer(&Answer::new(200, body)).unwrap();
    assert_eq!((check.fee.text().as_str(), check.is_sanctioned, check.exists), ("1", false, false));
    assert!(pre_transfer(&Answer::new(200, r#"{"fee":"1e0"}"#)).is_err());
}

#[test]
fn ledger_entries_keep_their_nonce() {
    let hash = format!("0x{}", "5d3c18c0".repeat(8));
    let body = r#"[
        {"time":7,"hash":"HASH","delta":{"type":"withdraw","usdc":"12.5","nonce":41,"fee":"1.0"}},
        {"time":8,"hash":"0xbb","delta":{"type":"send","user":"0xaa00000000000000000000000000000000000001","amount":"3.0","nonce":42,
            "destination":"0xE58B8D324DFBAC31E4C344A92100C75D7F9A2D81","fee":"0.0","token":"USDC"}},
        {"time":9,"hash":"0xcc","delta":{"type":"spotTransfer","amount":"1.0","nonce":null}},
        {"time":10,"hash":"0xdd","delta":{"type":"accountClassTransfer","usdc":"2.0","toPerp":true}},
        {"time":11,"hash":"0xee","delta":{"type":"brandNew"}}]"#
        .replace("0xE58B8D324DFBAC31E4C344A92100C75D7F9A2D81", WALLET)
        .replace("HASH", &hash);
    let entries = ledger(&Answer::new(200, body)).unwrap();
    let nonces: Vec<_> = entries.iter().map(|entry| entry.nonce).collect();
    assert_eq!(nonces, [Some(41), Some(42), None, None, None]);
    assert_eq!((entries[0].kind, &entries[0].hash), (LedgerKind::Withdraw, &hash));
    assert_eq!(entries[1].destination, Some(wallet()));
    let sender = "0xaa00000000000000000000000000000000000001".parse().ok();
    assert_eq!((entries[1].sender, entries[0].sender), (sender, None));
    assert_eq!(entries[3].kind, LedgerKind::Other);
    assert_eq!(entries[4].kind, LedgerKind::Other);
    assert!(ledger(&Answer::new(200, "{}")).is_err());
    assert!(ledger(&Answer::new(500, "[]")).is_err());
}
