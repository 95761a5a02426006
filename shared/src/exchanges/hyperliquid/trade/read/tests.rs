use super::*;

const WALLET: &str = "0xe58B8D324dfbaC31E4c344a92100C75d7f9a2d81";
const CLOID: &str = "0x1234567890abcdef1234567890abcdef";

fn cloid() -> Cloid {
    Cloid::parse(CLOID).unwrap()
}

fn order() -> Value {
    json!({
        "coin": "BTC", "side": "B", "limitPx": "60000.0", "sz": "0.4", "origSz": "1.0",
        "oid": 9_007_199_254_740_993_u64, "timestamp": 1_790_000_000_000_u64,
        "triggerCondition": "N/A", "isTrigger": false, "triggerPx": "0.0", "children": [],
        "isPositionTpsl": false, "reduceOnly": false, "orderType": "Limit", "tif": "Gtc",
        "cloid": CLOID,
    })
}

fn status_of(order: &Value, word: &str) -> Answer {
    let body = json!({
        "status": "order",
        "order": { "order": order, "status": word, "statusTimestamp": 1_790_000_000_500_u64 },
    });
    Answer::new(200, body.to_string())
}

fn found(answer: &Answer) -> ExchangeOrder {
    match order_status(answer, OrderId::Client(cloid())).unwrap() {
        Found::Order(order) => *order,
        Found::Nothing => panic!("nothing found"),
    }
}

fn market() -> Market {
    Market {
        name: "BTC".to_owned(),
        pair: None,
        dex: String::new(),
        asset: 3,
        size_places: 5,
        price_places: 1,
        quote: 0,
    }
}

#[test]
fn question_names_the_wallet_in_lower_case() {
    let wallet = WALLET.parse().unwrap();
    let parsed = |question: &Question| serde_json::from_str::<Value>(&question.body).unwrap();
    let user = WALLET.to_lowercase();
    let by_cloid = Question::order_status(wallet, OrderId::Client(cloid()));
    assert_eq!(parsed(&by_cloid), json!({ "type": "orderStatus", "user": user, "oid": CLOID }));
    let by_id = Question::order_status(wallet, OrderId::Exchange(u64::MAX));
    assert_eq!(parsed(&by_id)["oid"], json!(u64::MAX));
    let open = Question::open_orders(wallet, "");
    assert_eq!(parsed(&open), json!({ "type": "frontendOpenOrders", "user": user }));
    assert_eq!(parsed(&Question::open_orders(wallet, "xyz"))["dex"], "xyz");
    assert_eq!(parsed(&Question::book(&market())), json!({ "type": "l2Book", "coin": "BTC" }));
    assert_eq!(parsed(&Question::mids("xyz")), json!({ "type": "allMids", "dex": "xyz" }));
    assert_eq!(parsed(&Question::perps("")), json!({ "type": "meta" }));
    assert_eq!(parsed(&Question::spots()), json!({ "type": "spotMeta" }));
    assert_eq!(parsed(&Question::dexs()), json!({ "type": "perpDexs" }));
    let weights = [by_cloid, open, Question::book(&market()), Question::mids("")];
    assert_eq!(weights.map(|question| question.weight), [2, 20, 2, 2]);
    let metadata = [Question::perps(""), Question::spots(), Question::dexs()];
    assert_eq!(metadata.map(|question| question.weight), [20, 20, 20]);
}

#[test]
fn order_status_is_read_exactly() {
    let order = found(&status_of(&order(), "open"));
    let expected = ExchangeOrder {
        order_id: "9007199254740993".to_owned(),
        client_id: Some(CLOID.to_owned()),
        symbol: "BTC".to_owned(),
        side: Side::Buy,
        order_type: Some(OrderType::Limit),
        exchange_type: "Limit".to_owned(),
        time_in_force: Some(TimeInForce::Gtc),
        reduce_only: false,
        position_side: PositionSide::Both,
        status: OrderStatus::PartiallyFilled,
        exchange_status: "open".to_owned(),
        rejection: None,
        price: Decimal::parse("60000").unwrap(),
        trigger_price: None,
        quantity: Decimal::parse("1").unwrap(),
        filled: Decimal::parse("0.6").unwrap(),
        average_price: None,
        at_ms: 1_790_000_000_000,
        children: vec![],
    };
    assert_eq!(order, expected);
}

/// All words of the info endpoint document.
#[test]
fn status_word_has_its_meaning() {
    let canceled = [
        "canceled",
        "marginCanceled",
        "vaultWithdrawalCanceled",
        "openInterestCapCanceled",
        "selfTradeCanceled",
        "reduceOnlyCanceled",
        "siblingFilledCanceled",
        "delistedCanceled",
        "liquidatedCanceled",
        "outcomeSettledCanceled",
        "scheduledCancel",
        "internalCancel",
        "somethingNewCanceled",
    ];
    for word in canceled {
        let order = found(&status_of(&order(), word));
        assert_eq!((order.status, order.rejection), (OrderStatus::Canceled, None), "{word}");
        assert_eq!(order.filled.text(), "0.6", "a partial fill remains");
    }
    for (word, code) in [
        ("rejected", TradeCode::OrderRejected),
        ("somethingNewRejected", TradeCode::OrderRejected),
        ("tickRejected", TradeCode::TickSize),
        ("minTradeNtlRejected", TradeCode::BelowMinimum),
        ("perpMarginRejected", TradeCode::InsufficientFunds),
        ("reduceOnlyRejected", TradeCode::ReduceOnlyRefused),
        ("badAloPxRejected", TradeCode::WouldCross),
        ("iocCancelRejected", TradeCode::NoLiquidity),
        ("badTriggerPxRejected", TradeCode::PriceOutOfRange),
        ("marketOrderNoLiquidityRejected", TradeCode::NoLiquidity),
        ("positionIncreaseAtOpenInterestCapRejected", TradeCode::OpenInterestCap),
        ("positionFlipAtOpenInterestCapRejected", TradeCode::OpenInterestCap),
        ("tooAggressiveAtOpenInterestCapRejected", TradeCode::OpenInterestCap),
        ("openInterestIncreaseRejected", TradeCode::OpenInterestCap),
        ("insufficientSpotBalanceRejected", TradeCode::InsufficientFunds),
        ("oracleRejected", TradeCode::PriceOutOfRange),
        ("perpMaxPositionRejected", TradeCode::InsufficientFunds),
        ("tooManyOpenOrdersRejected", TradeCode::TooManyOrders),
    ] {
        let order = found(&status_of(&order(), word));
        assert_eq!((order.status, order.rejection), (OrderStatus::Rejected, Some(code)), "{word}");
    }
    for (word, status) in [
        ("open", OrderStatus::PartiallyFilled),
        ("triggered", OrderStatus::PartiallyFilled),
        ("filled", OrderStatus::Filled),
        ("somethingNew", OrderStatus::Unknown),
    ] {
        assert_eq!(found(&status_of(&order(), word)).status, status, "{word}");
    }
    assert_eq!(status("open", false), OrderStatus::Open);
}

#[test]
fn unknown_order_is_nothing() {
    let answer = Answer::new(200, r#"{"status":"unknownOid"}"#);
    assert_eq!(order_status(&answer, OrderId::Exchange(1)).unwrap(), Found::Nothing);
}

#[test]
fn status_of_another_order_is_refused() {
    let answer = status_of(&order(), "open");
    let ask = |id| order_status(&answer, id);
    assert!(ask(OrderId::Client(cloid())).is_ok());
    assert!(ask(OrderId::Exchange(9_007_199_254_740_993)).is_ok());
    assert!(ask(OrderId::Exchange(9_007_199_254_740_992)).is_err());
    assert!(ask(OrderId::Client(Cloid([1; 16]))).is_err());
    let mut without = order();
    without["cloid"] = Value::Null;
    assert!(order_status(&status_of(&without, "open"), OrderId::Client(cloid())).is_err());
}

#[test]
fn hostile_order_is_not_read() {
    for (field, value) in [
        ("oid", json!(9.5)),
        ("oid", json!(1e300)),
        ("oid", json!(-1)),
        ("oid", json!("5")),
        ("limitPx", json!(60000.5)),
        ("limitPx", json!("1e5")),
        ("limitPx", json!("-1")),
        ("sz", json!("1.5")),
        ("origSz", json!(null)),
        ("side", json!("C")),
        ("coin", json!(1)),
        ("timestamp", json!("x")),
        ("children", json!([{ "coin": "BTC" }])),
    ] {
        let mut wrong = order();
        wrong[field] = value.clone();
        let answer = status_of(&wrong, "open");
        assert!(order_status(&answer, OrderId::Client(cloid())).is_err(), "{field} {value}");
        let list = Answer::new(200, json!([order(), wrong]).to_string());
        assert!(open_orders(&list).is_err(), "{field} {value}");
    }
    for body in ["", "null", "[]", "{}", r#"{"status":"order"}"#, r#"{"status":"unknown"}"#] {
        let answer = Answer::new(200, body);
        assert!(order_status(&answer, OrderId::Exchange(1)).is_err(), "{body}");
    }
    let unknown = r#"{"status":"unknownOid"}"#;
    for status in [429, 500, 502, 403, 422] {
        let answer = Answer::new(status, unknown);
        assert!(order_status(&answer, OrderId::Exchange(1)).is_err(), "{status}");
    }
}

#[test]
fn open_order_shows_its_waiting_children() {
    let mut entry = order();
    let mut child = order();
    child["side"] = json!("A");
    child["isTrigger"] = json!(true);
    child["triggerPx"] = json!("55000.0");
    child["orderType"] = json!("Stop Market");
    child["tif"] = Value::Null;
    child["cloid"] = Value::Null;
    child["sz"] = json!("1.0");
    entry["children"] = json!([child]);
    let orders = open_orders(&Answer::new(200, json!([entry]).to_string())).unwrap();
    let [child] = orders[0].children.as_slice() else { panic!("{orders:?}") };
    assert_eq!(child.order_type, Some(OrderType::StopMarket));
    assert_eq!(child.trigger_price.unwrap().text(), "55000");
    assert_eq!((child.status, child.side), (OrderStatus::Open, Side::Sell));
    assert_eq!((child.client_id.clone(), child.time_in_force), (None, None));
    assert!(open_orders(&Answer::new(200, "[]")).unwrap().is_empty());
    assert!(open_orders(&Answer::new(200, "{}")).is_err());
}

#[test]
fn book_states_whether_a_price_crosses() {
    let level = |px: &str| json!({ "px": px, "sz": "1", "n": 1 });
    let read = |levels: Value| {
        let body = json!({ "coin": "BTC", "time": 1, "levels": levels });
        book(&Answer::new(200, body.to_string()), &market())
    };
    let decimal = |text| Decimal::parse(text).unwrap();
    let book = read(json!([[level("99.5"), level("99")], [level("100"), level("101")]])).unwrap();
    assert!(book.is_crossed_by(Side::Buy, decimal("100")));
    assert!(!book.is_crossed_by(Side::Buy, decimal("99.9")));
    assert!(book.is_crossed_by(Side::Sell, decimal("99.5")));
    assert!(!book.is_crossed_by(Side::Sell, decimal("99.6")));
    let empty = read(json!([[], []])).unwrap();
    assert!(!empty.is_crossed_by(Side::Buy, decimal("1000000")));
    assert!(!empty.is_crossed_by(Side::Sell, decimal("0.1")));
    for levels in [json!([[]]), json!([[], [], []]), json!([[level("x")], []]), json!(null)] {
        assert!(read(levels.clone()).is_err(), "{levels}");
    }
    let other = json!({ "coin": "ETH", "time": 1, "levels": [[], []] });
    assert!(super::book(&Answer::new(200, other.to_string()), &market()).is_err());
}
