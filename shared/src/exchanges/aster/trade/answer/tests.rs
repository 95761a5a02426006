use super::*;
use crate::trading::order::OrderStatus;

const EXPECTED: Expected<'_> = Expected { symbol: "BTCUSDT", client_id: "hd-1" };

fn placed_order() -> Value {
    serde_json::json!({
        "orderId": 22_542_179, "symbol": "BTCUSDT", "status": "NEW", "clientOrderId": "hd-1",
        "price": "60000.5", "avgPrice": "0.00000", "origQty": "0.001", "executedQty": "0",
        "timeInForce": "GTC", "type": "LIMIT", "origType": "LIMIT", "reduceOnly": false,
        "side": "BUY", "positionSide": "BOTH", "stopPrice": "0",
        "updateTime": 1_790_000_000_123_u64,
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut order = placed_order();
    change(&mut order);
    order
}

fn said(code: i64, text: &str) -> String {
    serde_json::json!({ "code": code, "msg": text }).to_string()
}

fn place(status: u16, body: impl Into<String>) -> Sent<Box<ExchangeOrder>> {
    placed(&Answer::new(status, body), EXPECTED)
}

const fn limited(retry_after_s: u64) -> TradeCode {
    TradeCode::RateLimited { retry_after_s }
}

fn is_unknown<T>(sent: &Sent<T>, fenced: bool) -> bool {
    matches!(sent, Sent::Unknown(unresolved) if unresolved.fenced == fenced)
}

#[test]
fn order_in_response_is_placed() {
    let Sent::Accepted(order) = place(200, placed_order().to_string()) else { panic!("placed") };
    assert_eq!((order.order_id.as_str(), order.status), ("22542179", OrderStatus::Open));
    // An order that ended without a fill was still accepted.
    let expired = with(|order| order["status"] = "EXPIRED".into());
    let Sent::Accepted(order) = place(200, expired.to_string()) else { panic!("placed") };
    assert_eq!((order.status, order.exchange_status.as_str()), (OrderStatus::Canceled, "EXPIRED"));
}

#[test]
fn success_with_another_order_is_unknown() {
    for body in [
        with(|order| order["clientOrderId"] = "hd-2".into()),
        with(|order| order["symbol"] = "ETHUSDT".into()),
        with(|order| order["orderId"] = serde_json::json!(1.5)),
        with(|order| order["orderId"] = serde_json::json!(-1)),
        with(|order| order["orderId"] = "22542179".into()),
        with(|order| order["executedQty"] = serde_json::json!(1)),
        with(|order| order["origQty"] = "1e3".into()),
        with(|order| order["side"] = "LONG".into()),
        serde_json::json!([placed_order()]),
        serde_json::json!({"code": 200, "msg": "success"}),
        serde_json::json!({"code": -2019, "msg": "Margin is insufficient."}),
        serde_json::json!({}),
        Value::Null,
    ] {
        let sent = place(200, body.to_string());
        assert!(is_unknown(&sent, false), "{body}: {sent:?}");
    }
    for body in ["", "<html>", "{", "\u{feff}{}"] {
        assert!(is_unknown(&place(200, body), false), "{body}");
    }
}

/// Checks every line of the list, with every code that it covers, in each status of a refusal.
#[test]
fn listed_code_has_its_listed_meaning() {
    for line in ANSWERS {
        for code in line.codes.clone() {
            let first = ANSWERS
                .iter()
                .find(|other| other.codes.contains(&code) && line.text.starts_with(other.text));
            let meaning = first.unwrap().meaning;
            for (status, text) in [
                (400, line.text.to_owned()),
                (401, format!(" {} now", line.text.to_uppercase())),
                (403, line.text.to_owned()),
            ] {
                let sent = place(status, said(code, &text));
                let matches = match meaning {
                    Meaning::Refused(expected) => {
                        matches!(&sent, Sent::Refused(refusal) if refusal.code == expected)
                    }
                    Meaning::Limited => {
                        matches!(&sent, Sent::Refused(refusal) if refusal.code == limited(30))
                    }
                    Meaning::Fenced => is_unknown(&sent, true),
                    Meaning::LookUp => is_unknown(&sent, false),
                };
                assert!(matches, "{status} {code} {text}: {sent:?}");
            }
            // The same code proves nothing with a status of another kind.
            for status in [200, 302, 408, 500, 502, 503, 504] {
                let sent = place(status, said(code, line.text));
                assert!(is_unknown(&sent, false), "{status} {code}: {sent:?}");
            }
        }
    }
}

/// A code that no document of Aster describes proves nothing.
#[test]
fn undocumented_code_beside_the_listed_ones_is_unknown() {
    for code in (-5_046..=-5_040).chain([-5_054, -5_055]) {
        let sent = place(400, said(code, "something about an agent"));
        assert!(is_unknown(&sent, false), "{code}: {sent:?}");
    }
    for code in [-5_047, -5_049, -5_053] {
        let sent = place(400, said(code, "something about a builder"));
        assert!(matches!(&sent, Sent::Refused(_)), "{code}: {sent:?}");
    }
}

#[test]
fn every_code_of_the_error_table_is_listed() {
    use TradeCode as C;
    for (code, expected) in [
        (-1102, C::OrderRejected),
        (-1106, C::OrderRejected),
        (-1111, C::TickSize),
        (-1121, C::MarketUnknown),
        (-1130, C::OrderRejected),
        (-2010, C::OrderRejected),
        (-2018, C::InsufficientFunds),
        (-2019, C::InsufficientFunds),
        (-2021, C::WouldTrigger),
        (-2022, C::ReduceOnlyRefused),
        (-2024, C::InsufficientFunds),
        (-2025, C::TooManyOrders),
        (-2027, C::InsufficientFunds),
        (-2028, C::InsufficientFunds),
        (-4002, C::PriceOutOfRange),
        (-4003, C::LotSize),
        (-4004, C::BelowMinimum),
        (-4005, C::LotSize),
        (-4013, C::PriceOutOfRange),
        (-4014, C::TickSize),
        (-4016, C::PriceOutOfRange),
        (-4023, C::LotSize),
        (-4024, C::PriceOutOfRange),
        (-4045, C::TooManyOrders),
        (-4061, C::PositionSideMismatch),
        (-4062, C::PositionSideMismatch),
        (-4087, C::OrderRejected),
        (-4088, C::OrderRejected),
        (-4118, C::ReduceOnlyRefused),
        (-4131, C::PriceOutOfRange),
        (-4140, C::MarketUnknown),
        (-4141, C::MarketUnknown),
        (-4142, C::WouldTrigger),
        (-4164, C::BelowMinimum),
        (-4183, C::PriceOutOfRange),
        (-4184, C::PriceOutOfRange),
        (-5047, C::OrderRejected),
        (-5050, C::DepositRequired),
        (-5060, C::PriceOutOfRange),
    ] {
        let sent = place(400, said(code, "words"));
        let Sent::Refused(refusal) = sent else { panic!("{code}: {sent:?}") };
        assert_eq!((refusal.code, refusal.text.as_str()), (expected, "words"), "{code}");
    }
}

/// Responses that Aster documents as "status unknown", that are undocumented, or that do not
/// refuse anything.
#[test]
fn unlisted_response_is_unknown() {
    for (status, code, text) in [
        (400, -1000, "An unknown error occured while processing the request."),
        (400, -1000, "Post only"),
        (400, -1001, "Internal error; unable to process your request. Please try again."),
        (400, -1006, "Execution status unknown"),
        (400, -1007, "Timeout waiting for response; GTX"),
        (400, -1008, "Server is currently overloaded"),
        (401, -1002, "You are not authorized to execute this request."),
        (401, -2015, "Invalid API-key, IP, or permissions for action."),
        // Only a change or a cancellation can fail with these.
        (400, -2011, "Unknown order sent."),
        (400, -2013, "Order does not exist."),
        (400, -9999, "new"),
        (400, 200, "success"),
        (400, 0, "post only"),
        (503, -2019, "Margin is insufficient."),
    ] {
        let sent = place(status, said(code, text));
        assert!(is_unknown(&sent, false), "{status} {code} {text}: {sent:?}");
    }
    for status in [400, 401, 404, 409, 422] {
        assert!(is_unknown(&place(status, "<html>"), false), "{status}");
    }
}

#[test]
fn text_decides_where_the_code_is_not_documented() {
    for (code, text) in [
        (-4116, "ClientOrderId is duplicated."),
        (-4015, "Client order id length should not be more than 36 chars"),
        (-2010, "Duplicate order sent."),
        (-9999, "duplicate clientOrderId"),
        (-1130, "Data sent for parameter 'newClientOrderId' is not valid."),
    ] {
        let sent = place(400, said(code, text));
        assert!(is_unknown(&sent, false), "{code} {text}: {sent:?}");
    }
    for (code, text) in [
        (
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be \
                 rejected.",
        ),
        (-2010, "GTX order would immediately match"),
    ] {
        let sent = place(400, said(code, text));
        let Sent::Refused(refusal) = sent else { panic!("{code} {text}: {sent:?}") };
        assert_eq!(refusal.code, TradeCode::WouldCross);
    }
}

#[test]
fn limited_request_was_not_read() {
    for (status, body, wait_s) in [
        (429, String::new(), 30),
        (418, String::new(), 120),
        (429, said(-1015, "Too many new orders"), 30),
        (400, said(-1003, "Too many requests"), 30),
        (400, said(-1015, "Too many new orders"), 30),
    ] {
        let sent = place(status, body);
        let Sent::Refused(refusal) = sent else { panic!("{status}: {sent:?}") };
        assert_eq!(refusal.code, limited(wait_s));
    }
}

#[test]
fn call_refused_by_the_edge_is_blocked() {
    for status in [403, 451] {
        let sent = place(status, "<H1>Request blocked</H1>");
        let Sent::Unknown(Unresolved { why: Unclear::Blocked(_), fenced: false, .. }) = sent else {
            panic!("{sent:?}")
        };
    }
}

#[test]
fn refusal_that_echoes_the_request_is_redacted() {
    let echoed = format!("bad signature=0x{}", "ab".repeat(65));
    for sent in [place(400, said(-2010, &echoed)), place(400, said(-9999, &echoed))] {
        let shown = format!("{sent:?}");
        assert!(shown.contains("(hidden)") && !shown.contains("abababab"), "{shown}");
    }
}

#[test]
fn batch_entries_are_independent() {
    let expected = ["hd-1", "hd-2", "hd-3", "hd-4", "hd-5"]
        .map(|client_id| Expected { symbol: "BTCUSDT", client_id });
    let refused = |code: i64| serde_json::json!({"code": code, "msg": "words"});
    let body = serde_json::json!([
        placed_order(),
        refused(-2019),
        refused(-4225),
        refused(-1006),
        // The order of another place.
        placed_order(),
    ]);
    let sent = placed_batch(&Answer::new(200, body.to_string()), &expected);
    let Sent::Accepted(entries) = sent else { panic!("{sent:?}") };
    assert!(matches!(
        &entries[..],
        [
            Entry::Placed(_),
            Entry::Refused(TradeRefusal { code: TradeCode::InsufficientFunds, .. }),
            Entry::Unknown(Unresolved { fenced: false, .. }),
            Entry::Unknown(Unresolved { fenced: false, .. }),
            Entry::Unknown(Unresolved { fenced: false, .. }),
        ]
    ));
}

#[test]
fn batch_of_another_length_is_unknown() {
    let expected = [EXPECTED; 2];
    for body in [
        serde_json::json!([]),
        serde_json::json!([placed_order()]),
        serde_json::json!([placed_order(), placed_order(), placed_order()]),
        placed_order(),
    ] {
        let sent = placed_batch(&Answer::new(200, body.to_string()), &expected);
        assert!(is_unknown(&sent, false), "{body}: {sent:?}");
        let sent = cancelled_batch(&Answer::new(200, body.to_string()), 2);
        assert!(is_unknown(&sent, false), "{body}: {sent:?}");
    }
    let sent = placed_batch(&Answer::new(400, said(-1102, "mandatory")), &expected);
    assert!(matches!(sent, Sent::Refused(_)), "{sent:?}");
}

#[test]
fn cancellation_of_an_ended_order_is_refused() {
    let ended = with(|order| order["status"] = "CANCELED".into());
    let sent = changed(&Answer::new(200, ended.to_string()), "BTCUSDT");
    let Sent::Accepted(order) = sent else { panic!("{sent:?}") };
    assert_eq!(order.status, OrderStatus::Canceled);
    let expected = TradeCode::OrderNotOpen;
    for code in [-2011, -2013] {
        let sent = changed(&Answer::new(400, said(code, "Unknown order sent.")), "BTCUSDT");
        let Sent::Refused(refusal) = sent else { panic!("{code}: {sent:?}") };
        assert_eq!(refusal.code, expected);
        let body = serde_json::json!([ended, {"code": code, "msg": "Unknown order sent."}]);
        let sent = cancelled_batch(&Answer::new(200, body.to_string()), 2);
        let Sent::Accepted(entries) = sent else { panic!("{sent:?}") };
        assert!(matches!(
            &entries[..],
            [Entry::Placed(_), Entry::Refused(refusal)] if refusal.code == expected
        ));
    }
    assert!(is_unknown(&changed(&Answer::new(200, ended.to_string()), "ETHUSDT"), false));
}

#[test]
fn cancellation_of_all_has_its_code_as_a_text() {
    for body in [
        r#"{"code":"200","msg":"The operation of cancel all open order is done."}"#,
        r#"{"code":200,"msg":"The operation of cancel all open order is done."}"#,
    ] {
        assert!(matches!(cancelled_all(&Answer::new(200, body)), Sent::Accepted(())));
        assert!(is_unknown(&cancelled_all(&Answer::new(500, body)), false));
    }
    for body in ["", "{}", "[]", r#"{"code":"-2011","msg":"x"}"#] {
        assert!(is_unknown(&cancelled_all(&Answer::new(200, body)), false), "{body}");
    }
}

#[test]
fn fence_holds_when_the_nonce_is_spent() {
    for (status, body, fence) in [
        (200, r#"{"code":200,"msg":"success"}"#.to_owned(), Fence::Spent),
        (200, "{}".to_owned(), Fence::Spent),
        (400, said(-4225, "Nonce Expired"), Fence::Spent),
        (400, said(-4226, "Nonce used"), Fence::Spent),
    ] {
        let fenced = fenced(&Answer::new(status, body.as_str()), 0);
        assert!(matches!(fenced, Ok(known) if known == fence), "{status} {body}");
    }
    for (status, body) in [
        (200, String::new()),
        (200, "<html>".to_owned()),
        (200, "[]".to_owned()),
        (200, said(-1007, "timeout")),
        (200, said(-4225, "Nonce Expired")),
        (200, r#"{"code":null}"#.to_owned()),
        (400, said(-1000, "No agent found")),
        (400, said(-1006, "unknown")),
        (429, String::new()),
        (500, said(-4225, "Nonce Expired")),
        (503, "{}".to_owned()),
    ] {
        let fenced = fenced(&Answer::new(status, body.as_str()), 0);
        assert!(fenced.is_err_and(|unresolved| !unresolved.fenced), "{status} {body}");
    }
}

/// A clock that is ahead makes nonces that the exchange refuses now and accepts later.
#[test]
fn refused_nonce_in_the_future_does_not_fence() {
    let at_ms = 1_790_000_000_000;
    let answer = |status, body: &str| Answer { at_ms, ..Answer::new(status, body) };
    let refused = answer(400, &said(-4225, "Nonce Expired"));
    for (nonce_ms, holds) in
        [(at_ms - 60_000, true), (at_ms, true), (at_ms + 5_000, true), (at_ms + 5_001, false)]
    {
        let nonce_us = nonce_ms * 1_000;
        assert_eq!(fenced(&refused, nonce_us).is_ok(), holds, "{nonce_ms}");
        let sent = without_early_fence(placed(&refused, EXPECTED), &refused, nonce_us);
        assert!(is_unknown(&sent, holds), "{nonce_ms}: {sent:?}");
    }
    // An accepted noop has taken its nonce, wherever it is.
    assert!(fenced(&answer(200, r#"{"code":200}"#), (at_ms + 50_000) * 1_000).is_ok());
}
