use serde_json::json;

use super::answer::{fee, history, limits, plain, withdrawn};
use super::*;
use crate::exchanges::trade::{TradeCode, Unresolved};

#[test]
fn exponent_becomes_a_plain_number() {
    for (text, expected) in [
        ("1.7E-4", "0.00017"),
        ("1.7e-4", "0.00017"),
        ("3E-8", "0.00000003"),
        ("1.5E+2", "150"),
        ("1.50", "1.5"),
        ("0.3", "0.3"),
        ("000.30", "0.3"),
        ("12", "12"),
        ("1E2", "100"),
        ("0E-9", "0"),
        ("0.000000000000000001", "0.000000000000000001"),
    ] {
        assert_eq!(plain(text).as_deref(), Some(expected), "{text}");
    }
    for text in [
        "", ".", "1.", ".5", "-1", "+1", "1E", "1E--4", "1E-+4", "1e-4 ", "0x1", "NaN", "1E9999",
        "1,5", "1E-19", "1E18", "1.7E-4E1", "१",
    ] {
        assert_eq!(plain(text), None, "{text}");
    }
}

#[test]
fn estimated_fee_is_plain() {
    let body = |cost: serde_json::Value| json!({ "data": { "gasCost": cost } }).to_string();
    let read = |cost| fee(&Answer::new(200, body(cost)));
    assert_eq!(read(json!("1.7E-4")).unwrap(), "0.00017");
    assert_eq!(read(json!(0.11)).unwrap(), "0.11");
    assert_eq!(read(json!(0.00000017)).unwrap(), "0.00000017");
    assert!(read(json!(null)).is_err());
    assert!(read(json!("-0.1")).is_err());
    assert!(fee(&Answer::new(500, body(json!("0.1")))).is_err());
}

#[test]
fn limits_are_read_for_each_chain() {
    let chain = |id: u64| {
        json!({ "chainId": id, "spotMaxWithdrawAmount": "12.5", "perpMaxWithdrawAmount": "1E2",
            "chainLimit": "5000", "withdrawFee": "0.1" })
    };
    let body = json!({ "userDailyLimit": "1", "balances": { "USDT": { "currency": "USDT",
        "chainBalances": { "56": chain(56), "1": chain(1) } } } });
    let read = limits(&Answer::new(200, body.to_string())).unwrap();
    let chains: Vec<_> = read.iter().map(|limit| limit.chain_id).collect();
    assert!(chains.contains(&56) && chains.contains(&1) && chains.len() == 2);
    assert!(read.iter().all(|limit| limit.asset == "USDT"));
    assert_eq!((read[0].spot.text(), read[0].perp.text()), ("12.5".to_owned(), "100".to_owned()));
    for body in ["[]", "{}", r#"{"balances":{"USDT":{"chainBalances":{"56":{}}}}}"#] {
        assert!(limits(&Answer::new(200, body)).is_err(), "{body}");
    }
    assert!(matches!(
        limits(&Answer::new(400, r#"{"code":-4225,"msg":"Nonce"}"#)),
        Err(AskError::Failed(LookupError::NonceRejected))
    ));
}

#[test]
fn history_lists_withdrawals_with_their_state() {
    let entry = |state: &str| {
        json!([{ "id": 41, "type": "WITHDRAW", "asset": "USDT", "amount": "31.0", "state": state,
            "txHash": "0xabc", "time": 1_790_000_000_000_u64, "chainId": 56, "accountType": "perp" }])
    };
    for (word, expected) in [
        ("PROCESSING", HistoryState::Processing),
        ("SUCCESS", HistoryState::Succeeded),
        ("COMPLETED", HistoryState::Succeeded),
        ("FAILED", HistoryState::Failed),
        ("NEW_WORD", HistoryState::Processing),
    ] {
        let read = history(&Answer::new(200, entry(word).to_string())).unwrap();
        assert_eq!(read[0].state, expected, "{word}");
        assert_eq!((read[0].id.as_str(), read[0].is_withdrawal), ("41", true));
        assert_eq!(read[0].amount.to_string(), "31");
    }
    let long = entry("SUCCESS").to_string().replace("31.0", "1.123456789012345678");
    let read = history(&Answer::new(200, long)).unwrap();
    assert_eq!(read[0].amount.to_string(), "1.123456789012345678");
    assert!(history(&Answer::new(200, r#"[{"id":1}]"#)).is_err());
    assert!(history(&Answer::new(503, "[]")).is_err());
}

#[test]
fn withdrawal_accepted_only_with_an_id() {
    let accepted = withdrawn(&Answer::new(200, r#"{"withdrawId":"1014","hash":"0x9a"}"#));
    assert!(matches!(accepted, Sent::Accepted(Some(id)) if id == "1014"));
    for (status, body) in [
        (200, "{}"),
        (200, r#"{"code":200,"msg":"success"}"#),
        (500, r#"{"withdrawId":"1"}"#),
        (503, r#"{"code":-1000,"msg":"insufficient balance"}"#),
        (400, r#"{"code":-1000,"msg":"System busy"}"#),
        (400, r#"{"code":-1007,"msg":"Timeout"}"#),
        (408, ""),
    ] {
        let sent = withdrawn(&Answer::new(status, body));
        let Sent::Unknown(Unresolved { fenced, .. }) = sent else { panic!("{status} {body}") };
        assert!(!fenced, "{body}");
    }
    let used = withdrawn(&Answer::new(400, r#"{"code":-4226,"msg":"Nonce used"}"#));
    assert!(matches!(used, Sent::Unknown(Unresolved { fenced: true, .. })));
}

#[test]
fn listed_refusal_of_a_withdrawal_is_definite() {
    for (code, text, meaning) in WITHDRAW_TEXTS {
        let body = json!({ "code": code, "msg": format!("{text} now") }).to_string();
        match withdrawn(&Answer::new(400, body)) {
            Sent::Refused(refusal) => assert_eq!(refusal.code, *meaning, "{text}"),
            other => panic!("{code} {text}: {other:?}"),
        }
    }
    let limited = withdrawn(&Answer::new(429, ""));
    assert!(matches!(limited, Sent::Refused(refusal)
        if matches!(refusal.code, TradeCode::RateLimited { .. })));
}
