use super::*;

fn order_of(change: impl FnOnce(&mut Value)) -> Option<ExchangeOrder> {
    let mut value = sample();
    change(&mut value);
    order(&value, 7)
}

fn sample() -> Value {
    serde_json::json!({
        "orderId": 18_446_744_073_709_551_615_u64, "symbol": "BTCUSDT",
        "status": "PARTIALLY_FILLED", "clientOrderId": "hd-1", "price": "49850.00",
        "avgPrice": "49849.50", "origQty": "1.0", "executedQty": "0.6", "timeInForce": "GTX",
        "type": "LIMIT", "origType": "STOP", "reduceOnly": true, "side": "SELL",
        "positionSide": "SHORT", "stopPrice": "49900", "updateTime": 1_730_869_356_000_u64,
    })
}

fn said(code: i64, text: &str) -> String {
    serde_json::json!({ "code": code, "msg": text }).to_string()
}

#[test]
fn order_is_read_exactly() {
    let number = |text: &str| Decimal::parse(text).unwrap();
    let expected = ExchangeOrder {
        order_id: u64::MAX.to_string(),
        client_id: Some("hd-1".to_owned()),
        symbol: "BTCUSDT".to_owned(),
        side: Side::Sell,
        order_type: Some(OrderType::StopLimit),
        exchange_type: "STOP".to_owned(),
        status: OrderStatus::PartiallyFilled,
        exchange_status: "PARTIALLY_FILLED".to_owned(),
        rejection: None,
        price: number("49850"),
        trigger_price: Some(number("49900")),
        quantity: number("1"),
        filled: number("0.6"),
        average_price: Some(number("49849.5")),
        time_in_force: Some(TimeInForce::PostOnly),
        reduce_only: true,
        position_side: PositionSide::Short,
        at_ms: 1_730_869_356_000,
        children: Vec::new(),
    };
    assert_eq!(order_of(|_| {}), Some(expected));
}

#[test]
fn zero_and_missing_fields_are_absent() {
    let order = order_of(|value| {
        for (name, zero) in [("avgPrice", "0.00000"), ("stopPrice", "0"), ("price", "0")] {
            value[name] = zero.into();
        }
        for name in ["updateTime", "positionSide", "reduceOnly", "origType", "clientOrderId"] {
            value.as_object_mut().unwrap().remove(name);
        }
    });
    let order = order.unwrap();
    assert_eq!((order.average_price, order.trigger_price, order.client_id), (None, None, None));
    assert_eq!((order.price, order.at_ms), (Decimal::ZERO, 7));
    assert_eq!(order.order_type, Some(OrderType::Limit));
}

#[test]
fn status_words_have_their_published_word() {
    for (word, filled, expected) in [
        ("NEW", "0", OrderStatus::Open),
        ("NEW", "0.6", OrderStatus::PartiallyFilled),
        ("PARTIALLY_FILLED", "0.6", OrderStatus::PartiallyFilled),
        ("FILLED", "1.0", OrderStatus::Filled),
        ("CANCELED", "0.6", OrderStatus::Canceled),
        ("EXPIRED", "0", OrderStatus::Canceled),
        ("REJECTED", "0", OrderStatus::Rejected),
        ("NEW_ADL", "0", OrderStatus::Unknown),
        ("new", "0", OrderStatus::Unknown),
    ] {
        let order = order_of(|value| {
            value["status"] = word.into();
            value["executedQty"] = filled.into();
        });
        let order = order.unwrap();
        assert_eq!((order.status, order.exchange_status.as_str()), (expected, word));
    }
}

#[test]
fn order_of_another_type_has_no_type() {
    for word in ["TRAILING_STOP_MARKET", "TAKE_PROFIT", "__proto__"] {
        let order = order_of(|value| value["origType"] = word.into()).unwrap();
        assert_eq!(order.order_type, None);
    }
}

#[test]
fn order_without_exact_numbers_is_not_read() {
    for (name, wrong) in [
        ("orderId", serde_json::json!(1.8e19)),
        ("orderId", serde_json::json!("1")),
        ("origQty", serde_json::json!(1.0)),
        ("origQty", serde_json::json!("-1")),
        ("executedQty", serde_json::json!("NaN")),
        ("status", serde_json::json!(1)),
        ("side", serde_json::json!("buy")),
        ("symbol", Value::Null),
        ("positionSide", serde_json::json!("UP")),
    ] {
        assert_eq!(order_of(|value| value[name] = wrong.clone()), None, "{name} {wrong}");
    }
    for value in [Value::Null, serde_json::json!([]), serde_json::json!("order")] {
        assert_eq!(order(&value, 7), None);
    }
}

#[test]
fn lookup_distinguishes_absence_from_failure() {
    let by_client = OrderId::Client("hd-1");
    let ask = |status, body: &str, asked| found(&Answer::new(status, body), "BTCUSDT", asked);
    let body = sample().to_string();
    assert!(matches!(ask(200, &body, by_client), Ok(Found::Order(_))));
    assert!(matches!(ask(200, &body, OrderId::Exchange(u64::MAX)), Ok(Found::Order(_))));
    let absent = said(-2013, "Order does not exist.");
    assert!(matches!(ask(400, &absent, by_client), Ok(Found::Nothing)));

    for (status, body) in [
        (200, absent.clone()),
        (500, absent),
        (200, String::new()),
        (200, "{}".to_owned()),
        (404, "<html>".to_owned()),
        (400, said(-1006, "unknown")),
    ] {
        let asked = ask(status, &body, by_client);
        let is_failure = matches!(asked, Err(AskError::Failed(LookupError::Unreadable { .. })));
        assert!(is_failure, "{status} {body}: {asked:?}");
    }
    // Another order than the one asked for.
    for asked in [OrderId::Client("hd-2"), OrderId::Exchange(1)] {
        assert!(ask(200, &body, asked).is_err());
    }
    assert!(found(&Answer::new(200, body.as_str()), "ETHUSDT", by_client).is_err());

    let gone = ask(400, &said(-1000, "No agent found"), by_client);
    let Err(AskError::Refused(refusal)) = gone else { panic!("{gone:?}") };
    assert_eq!(refusal.code, TradeCode::AgentUnknown);
    assert!(matches!(
        ask(400, &said(-4225, "Nonce Expired"), by_client),
        Err(AskError::Failed(LookupError::NonceRejected))
    ));
    assert!(matches!(
        ask(429, "", by_client),
        Err(AskError::Failed(LookupError::RateLimited { retry_after_s: 30 }))
    ));
    assert!(matches!(
        ask(403, "<html>", by_client),
        Err(AskError::Failed(LookupError::Blocked(_)))
    ));
}

#[test]
fn list_with_an_unreadable_order_fails() {
    let read = |status, body: Value| open_orders(&Answer::new(status, body.to_string()));
    assert_eq!(read(200, serde_json::json!([])).unwrap(), []);
    let two = read(200, serde_json::json!([sample(), sample()])).unwrap();
    assert_eq!(two.len(), 2);
    for (status, body) in [
        (200, serde_json::json!([sample(), {}])),
        (200, serde_json::json!({})),
        (200, serde_json::json!({"code": -1000, "msg": "No agent found"})),
        (500, serde_json::json!([])),
    ] {
        assert!(read(status, body).is_err());
    }
}

#[test]
fn mark_price_is_of_the_asked_market() {
    let body = |symbol: &str, price: Value| {
        serde_json::json!({"symbol": symbol, "markPrice": price, "time": 1}).to_string()
    };
    let read = |status, body: String| mark_price(&Answer::new(status, body), "BTCUSDT");
    assert_eq!(
        read(200, body("BTCUSDT", "60000.12345678".into())).unwrap().text(),
        "60000.12345678"
    );
    for (status, body) in [
        (200, body("ETHUSDT", "1".into())),
        (200, body("BTCUSDT", "0".into())),
        (200, body("BTCUSDT", "-1".into())),
        (200, body("BTCUSDT", serde_json::json!(1.5))),
        (200, "[]".to_owned()),
        (500, body("BTCUSDT", "1".into())),
    ] {
        assert!(read(status, body.clone()).is_err(), "{status} {body}");
    }
}
