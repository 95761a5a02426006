use domain::ids::Exchange;
use proptest::prelude::*;

use super::*;
use crate::trading::order::{ChangeFields, OrderFields};

fn market(name: &str, status: &str, tick: &str) -> Value {
    serde_json::json!({
        "symbol": name, "status": status, "pricePrecision": 2, "quantityPrecision": 3,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "1.00", "maxPrice": "1000000",
             "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120",
             "stepSize": "0.001"},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0200", "multiplierDown": "0.9800"},
        ],
    })
}

fn parse(symbols: &Value) -> Result<Markets, LookupError> {
    let body = serde_json::json!({"timezone": "UTC", "symbols": symbols});
    Markets::parse(&Answer::new(200, body.to_string()))
}

fn markets() -> Markets {
    parse(&serde_json::json!([
        market("BTCUSDT", "TRADING", "0.10"),
        market("币安人生USDT", "TRADING", "0.0001"),
        market("OLDUSDT", "SETTLING", "0"),
    ]))
    .unwrap()
}

fn found(markets: &Markets, name: &str) -> Result<String, TradeCode> {
    let found = markets.find(&name.parse().unwrap());
    found.map(|market| market.name.clone()).map_err(|violation| violation.code)
}

const LIMIT: OrderFields<'_> = OrderFields {
    symbol: Some("BTCUSDT"),
    side: Some("SELL"),
    order_type: Some("LIMIT"),
    quantity: Some("0.001"),
    price: Some("60000.1"),
    trigger_price: None,
    stop_price: None,
    time_in_force: None,
    reduce_only: false,
    position_side: None,
    take_profit: None,
    stop_loss: None,
    slippage: None,
};

const MARKET: OrderFields<'_> = OrderFields { order_type: Some("MARKET"), price: None, ..LIMIT };

fn check(fields: OrderFields<'_>, mark: Option<&str>) -> Result<(), (TradeCode, String)> {
    let order = fields.check(Exchange::Aster).unwrap();
    let markets = markets();
    let market = markets.find(&order.symbol).unwrap();
    let mark = mark.map(|text| text.parse().unwrap());
    market.check(&order, mark).map_err(|violation| (violation.code, violation.limit))
}

#[test]
fn market_is_found_by_the_names_that_traders_use() {
    let markets = markets();
    for name in ["BTCUSDT", "BTC", "BTC-PERP"] {
        assert_eq!(found(&markets, name), Ok("BTCUSDT".to_owned()), "{name}");
    }
    assert_eq!(found(&markets, "币安人生"), Ok("币安人生USDT".to_owned()));
    for name in ["DOGE", "OLDUSDT", "OLD", "btcusdt", "BTCUSDT-PERP", "__proto__"] {
        assert_eq!(found(&markets, name), Err(TradeCode::MarketUnknown), "{name}");
    }
    assert_eq!(found(&markets, "BTC/USDT"), Err(TradeCode::NotOffered));
}

#[test]
fn unreadable_and_ambiguous_markets_are_left_out() {
    let mut negative = market("NEGUSDT", "TRADING", "0.1");
    negative["filters"][0]["tickSize"] = "-0.1".into();
    let mut fraction = market("FRAUSDT", "TRADING", "0.1");
    fraction["filters"][1]["stepSize"] = serde_json::json!(0.1);
    let mut bare = market("BAREUSDT", "TRADING", "0.1");
    bare["filters"] = serde_json::json!([]);
    let markets = parse(&serde_json::json!([
        negative,
        fraction,
        bare,
        market("TWOUSDT", "TRADING", "0.1"),
        market("TWOUSDT", "TRADING", "0.2"),
        market("TWOUSDT", "TRADING", "0.1"),
        market("A B", "TRADING", "0.1"),
        market("ONEUSDT", "TRADING", "0.1"),
        null,
    ]))
    .unwrap();
    assert_eq!(found(&markets, "ONE"), Ok("ONEUSDT".to_owned()));
    for name in ["NEG", "FRA", "BARE", "TWO"] {
        assert_eq!(found(&markets, name), Err(TradeCode::MarketUnknown), "{name}");
    }
    assert!(parse(&serde_json::json!([])).is_err());
    assert!(parse(&serde_json::json!({})).is_err());
    for (status, body) in [(500, r#"{"symbols":[]}"#), (200, "<html>"), (429, "")] {
        assert!(Markets::parse(&Answer::new(status, body)).is_err());
    }
}

#[test]
fn price_off_the_tick_is_refused() {
    // The precision fields would allow two places.
    let code = |price| check(OrderFields { price: Some(price), ..LIMIT }, None);
    assert_eq!(code("60000.1"), Ok(()));
    assert_eq!(code("060000.100"), Ok(()));
    for price in ["60000.11", "60000.05", "60000.100001"] {
        assert_eq!(code(price), Err((TradeCode::TickSize, "0.10".to_owned())), "{price}");
    }
    for price in ["0.9", "1000000.1"] {
        let range = "1.00 to 1000000".to_owned();
        assert_eq!(code(price), Err((TradeCode::PriceOutOfRange, range)), "{price}");
    }
    let stop = OrderFields { order_type: Some("STOP_LIMIT"), ..LIMIT };
    let trigger = |price| check(OrderFields { trigger_price: Some(price), ..stop }, None);
    assert_eq!(trigger("59000.2"), Ok(()));
    assert_eq!(trigger("59000.25"), Err((TradeCode::TickSize, "0.10".to_owned())));
}

#[test]
fn quantity_is_checked_against_the_lot_of_its_type() {
    let code = |quantity, fields| check(OrderFields { quantity: Some(quantity), ..fields }, None);
    assert_eq!(code("1000.000", LIMIT), Ok(()));
    assert_eq!(code("120", MARKET), Ok(()));
    for (quantity, fields, limit) in [
        ("1000.001", LIMIT, (TradeCode::LotSize, "1000")),
        ("120.001", MARKET, (TradeCode::LotSize, "120")),
        ("0.0015", LIMIT, (TradeCode::LotSize, "0.001")),
        ("0.0009", LIMIT, (TradeCode::BelowMinimum, "0.001")),
    ] {
        let (code_of_limit, text) = limit;
        assert_eq!(code(quantity, fields), Err((code_of_limit, text.to_owned())), "{quantity}");
    }
}

#[test]
fn minimum_notional_is_not_for_reducing_orders() {
    let below = Err((TradeCode::BelowMinimum, "5".to_owned()));
    let small = OrderFields { price: Some("4999.9"), ..LIMIT };
    assert_eq!(check(small, None), below);
    assert_eq!(check(OrderFields { price: Some("5000"), ..LIMIT }, None), Ok(()));
    assert_eq!(check(OrderFields { reduce_only: true, ..small }, None), Ok(()));
    assert_eq!(check(OrderFields { position_side: Some("LONG"), ..small }, None), Ok(()));
    assert_eq!(check(OrderFields { position_side: Some("SHORT"), ..small }, None), below);
    // A market order is worth its quantity at the mark price, if that is known.
    assert_eq!(check(MARKET, Some("4999.99")), below);
    assert_eq!(check(MARKET, Some("5000")), Ok(()));
    assert_eq!(check(MARKET, None), Ok(()));
}

#[test]
fn change_is_checked_as_an_order() {
    let markets = markets();
    let market = markets.find(&"BTC".parse().unwrap()).unwrap();
    let code = |price, quantity, is_reducing| {
        let change = ChangeFields { price: Some(price), quantity: Some(quantity) }.check().unwrap();
        market.check_change(&change, is_reducing).map_err(|violation| violation.code)
    };
    assert_eq!(code("60000.1", "0.002", false), Ok(()));
    assert_eq!(code("60000.15", "0.002", false), Err(TradeCode::TickSize));
    assert_eq!(code("60000.1", "0.0021", false), Err(TradeCode::LotSize));
    assert_eq!(code("4999", "0.001", false), Err(TradeCode::BelowMinimum));
    assert_eq!(code("4999", "0.001", true), Ok(()));
}

#[test]
fn violation_names_the_action() {
    let order = OrderFields { price: Some("60000.11"), ..LIMIT }.check(Exchange::Aster).unwrap();
    let violation = markets().find(&order.symbol).unwrap().check(&order, None).unwrap_err();
    assert_eq!(violation.advice, "Use a multiple of 0.10 for BTCUSDT.");
}

#[test]
fn zero_switches_a_rule_off() {
    let mut open = market("OPENUSDT", "TRADING", "0");
    for (filter, name) in [(0, "minPrice"), (0, "maxPrice"), (1, "maxQty"), (1, "stepSize")] {
        open["filters"][filter][name] = "0".into();
    }
    let markets = parse(&serde_json::json!([open])).unwrap();
    let fields = OrderFields {
        symbol: Some("OPEN"),
        price: Some("99999999.123456789"),
        quantity: Some("5000.00001"),
        ..LIMIT
    };
    let order = fields.check(Exchange::Aster).unwrap();
    assert_eq!(markets.find(&order.symbol).unwrap().check(&order, None), Ok(()));
}

#[test]
fn notional_uses_the_highest_price() {
    let of = |fields: OrderFields<'_>, mark: Option<&str>| {
        let mark = mark.map(|text| text.parse().unwrap());
        notional(&fields.check(Exchange::Aster).unwrap(), mark).map(Decimal::text)
    };
    let buy = OrderFields { side: Some("BUY"), ..LIMIT };
    assert_eq!(of(buy, None).as_deref(), Some("60.0001"));
    // A purchase never costs more than its own price.
    assert_eq!(of(buy, Some("70000")).as_deref(), Some("60.0001"));
    let stop = OrderFields { order_type: Some("STOP_LIMIT"), ..buy };
    let stop = OrderFields { trigger_price: Some("61000"), ..stop };
    assert_eq!(of(stop, None).as_deref(), Some("61"));
    assert_eq!(of(MARKET, Some("60000")).as_deref(), Some("63"));
    assert_eq!(of(MARKET, None), None);
}

#[test]
fn sale_below_the_market_counts_at_the_mark_price() {
    let of = |fields: OrderFields<'_>, mark: Option<&str>| {
        let mark = mark.map(|text| text.parse().unwrap());
        notional(&fields.check(Exchange::Aster).unwrap(), mark).map(Decimal::text)
    };
    let low = OrderFields { price: Some("13000"), ..LIMIT };
    assert_eq!(of(low, Some("65000")).as_deref(), Some("65"));
    assert_eq!(of(LIMIT, Some("50000")).as_deref(), Some("60.0001"));
    // Without a price the value is unknown, and an order that can add to a position is refused.
    assert_eq!(of(low, None), None);
    let reducing = OrderFields { reduce_only: true, ..low };
    assert_eq!(of(reducing, None).as_deref(), Some("13"));
    assert_eq!(of(reducing, Some("65000")).as_deref(), Some("65"));
}

#[test]
fn triggered_market_order_counts_above_its_trigger_and_the_mark_price() {
    for side in ["BUY", "SELL"] {
        let stop = OrderFields { side: Some(side), order_type: Some("STOP_MARKET"), ..MARKET };
        let stop = OrderFields { trigger_price: Some("60000"), ..stop };
        let order = stop.check(Exchange::Aster).unwrap();
        let of = |mark: &str| notional(&order, mark.parse().ok()).map(Decimal::text);
        assert_eq!(of("50000").as_deref(), Some("63"), "{side}");
        assert_eq!(of("70000").as_deref(), Some("73.5"), "{side}");
    }
}

#[test]
fn market_without_a_dollar_quote_is_marked() {
    let with = |name: &str, quote: Option<&str>| {
        let mut market = market(name, "TRADING", "0.10");
        if let Some(quote) = quote {
            market["quoteAsset"] = quote.into();
        }
        let markets = parse(&serde_json::json!([market])).unwrap();
        markets.find(&name.parse().unwrap()).unwrap().is_in_dollars
    };
    assert!(with("BTCUSDT", Some("USDT")) && with("BTCUSD1", Some("USD1")));
    assert!(with("BTCUSDT", None));
    assert!(!with("ETHBTC", Some("BTC")) && !with("ETHBTC", None));
    // The exchange's statement decides, not the name.
    assert!(!with("XUSDT", Some("BNB")));
}

proptest! {
    /// A price passes exactly when it is a whole number of ticks.
    #[test]
    fn price_passes_on_whole_ticks_only(units in 100_u32..10_000_000) {
        let price = format!("{}.{:02}", units / 100, units % 100);
        let result = check(
            OrderFields { price: Some(&price), quantity: Some("900"), ..LIMIT },
            None,
        );
        prop_assert_eq!(result.is_ok(), units % 10 == 0);
    }
}
