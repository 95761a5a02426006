use crate::exchanges::trade::TradeRefusal;

use super::*;

fn said(status: u16, code: i64, text: &str) -> Sent<LeverageSet> {
    let body = serde_json::json!({ "code": code, "msg": text });
    leverage_set(&Answer::new(status, body.to_string()))
}

fn refusal(sent: Sent<LeverageSet>) -> TradeCode {
    match sent {
        Sent::Refused(TradeRefusal { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn present_margin_mode_is_a_success() {
    let already = said(400, -4046, "No need to change margin type.");
    assert!(matches!(already, Sent::Accepted(LeverageSet::Already)), "{already:?}");
    let done = said(200, 200, "success");
    assert!(matches!(done, Sent::Accepted(LeverageSet::Changed)), "{done:?}");
    let body = r#"{"leverage":21,"maxNotionalValue":"1000000","symbol":"BTCUSDT"}"#;
    let done = leverage_set(&Answer::new(200, body));
    assert!(matches!(done, Sent::Accepted(LeverageSet::Changed)), "{done:?}");
}

#[test]
fn refusals_keep_their_meaning() {
    for (code, expected) in [
        (-4028, TradeCode::LeverageOutOfRange),
        (-2027, TradeCode::LeverageOutOfRange),
        (-2028, TradeCode::InsufficientFunds),
        (-4047, TradeCode::MarginModeLocked),
        (-4048, TradeCode::MarginModeLocked),
        (-4161, TradeCode::MarginModeLocked),
        (-4168, TradeCode::MarginModeLocked),
        (-1121, TradeCode::MarketUnknown),
        (-5050, TradeCode::DepositRequired),
    ] {
        assert_eq!(refusal(said(400, code, "words")), expected, "{code}");
    }
}

#[test]
fn other_responses_prove_nothing() {
    for sent in [
        said(400, -1006, "unknown"),
        said(503, -4046, "words"),
        said(400, 200, "success"),
        said(200, -1, "words"),
        leverage_set(&Answer::new(200, "{}")),
        leverage_set(&Answer::new(200, "<html>")),
        leverage_set(&Answer::new(502, "")),
    ] {
        assert!(matches!(sent, Sent::Unknown(_)), "{sent:?}");
    }
}
