use super::*;

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn markets() -> Markets {
    let perp = |symbol: &str, id: u32, size: u8, price: u8, status: &str| {
        serde_json::json!({
            "symbol": symbol, "market_id": id, "market_type": "perp", "status": status,
            "supported_size_decimals": size, "supported_price_decimals": price,
            "supported_quote_decimals": 6, "min_base_amount": "0.00007",
            "min_quote_amount": "10.000000", "order_quote_limit": "281474976.710655",
            "min_initial_margin_fraction": 200, "last_trade_price": 64000.5,
        })
    };
    let mut spot = perp("ETH/USDC", 2048, 4, 2, "active");
    spot["market_type"] = "spot".into();
    let body = serde_json::json!({
        "code": 200,
        "order_book_details": [
            perp("BTC", 1, 5, 1, "active"), perp("1000PEPE", 4, 0, 6, "active"),
            perp("OLD", 9, 5, 1, "inactive"), perp("TWICE", 7, 1, 5, "active"),
            perp("TWICE", 8, 1, 5, "active"),
        ],
        "spot_order_book_details": [spot],
    });
    Markets::parse(&Answer::new(200, body.to_string())).unwrap()
}

fn find(symbol: &str) -> Result<Market, TradeCode> {
    let markets = markets();
    markets.find(&symbol.parse().unwrap()).cloned().map_err(|violation| violation.code)
}

#[test]
fn market_is_found_by_its_name() {
    assert_eq!(find("BTC").unwrap().id, 1);
    assert_eq!(find("BTC-PERP").unwrap().id, 1);
    let spot = find("ETH/USDC").unwrap();
    assert_eq!((spot.id, spot.is_spot), (2048, true));
    assert_eq!(find("BTC").unwrap().price, Some(decimal("64000.5")));
    assert_eq!(markets().name_of(2048), Some("ETH/USDC"));
    for unknown in ["USDC", "TWICE", "btc", "ETH/USDC-PERP"] {
        assert_eq!(find(unknown).unwrap_err(), TradeCode::MarketUnknown, "{unknown}");
    }
}

#[test]
fn inactive_market_is_found_and_accepts_no_orders() {
    assert!(find("BTC").unwrap().ensure_active().is_ok());
    let refused = find("OLD").unwrap().ensure_active().unwrap_err();
    assert_eq!((refused.code, refused.limit.as_str()), (TradeCode::MarketUnknown, "OLD"));
}

#[test]
fn decimal_becomes_an_exact_integer_or_is_refused() {
    let btc = find("BTC").unwrap();
    assert_eq!(btc.size(decimal("0.00500")).unwrap(), 500);
    assert_eq!(btc.price_units(decimal("80465.3")).unwrap(), 804_653);
    assert_eq!(btc.size(decimal("0.000001")).unwrap_err().code, TradeCode::LotSize);
    assert_eq!(btc.price_units(decimal("80465.31")).unwrap_err().code, TradeCode::TickSize);
    let pepe = find("1000PEPE").unwrap();
    assert_eq!(pepe.size(decimal("7")).unwrap(), 7);
    assert_eq!(pepe.size(decimal("7.5")).unwrap_err().code, TradeCode::LotSize);
    assert_eq!(pepe.price_units(decimal("0.011234")).unwrap(), 11_234);
}

#[test]
fn number_beyond_the_range_is_refused() {
    let btc = find("BTC").unwrap();
    assert_eq!(btc.size(decimal("2814749767.10655")).unwrap(), MAX_SIZE);
    assert_eq!(btc.size(decimal("2814749767.10656")).unwrap_err().code, TradeCode::LotSize);
    assert_eq!(btc.price_units(decimal("429496729.5")).unwrap(), u32::MAX);
    for text in ["429496729.6", "0"] {
        let code = btc.price_units(decimal(text)).unwrap_err().code;
        assert_eq!(code, TradeCode::PriceOutOfRange, "{text}");
    }
}

#[test]
fn bound_is_on_the_grid_and_never_zero() {
    let btc = find("BTC").unwrap();
    let bound = |price: &str, is_ask| btc.bound(decimal(price), is_ask, decimal("0.05"));
    assert_eq!(bound("64000.5", false), Some(decimal("67200.5")));
    assert_eq!(bound("64000.5", true), Some(decimal("60800.5")));
    assert_eq!(btc.bound(decimal("0.1"), true, decimal("0.9")), None);
}

#[test]
fn order_below_the_minimum_or_above_the_limit_is_refused() {
    let btc = find("BTC").unwrap();
    let price = decimal("64000");
    assert!(btc.check_minimum(decimal("0.001"), price).is_ok());
    for size in ["0.00001", "0.0001"] {
        let code = btc.check_minimum(decimal(size), price).unwrap_err().code;
        assert_eq!(code, TradeCode::BelowMinimum, "{size}");
    }
    assert!(btc.check_maximum(decimal("1"), price).is_ok());
    assert!(btc.check_maximum(decimal("10000"), price).is_err());
}

#[test]
fn leverage_of_a_fraction_is_cut_as_on_the_exchange() {
    let btc = find("BTC").unwrap();
    for (leverage, fraction) in [(1, 10_000), (15, 666), (30, 333), (50, 200)] {
        assert_eq!(btc.margin_of(leverage).unwrap(), fraction, "{leverage}");
    }
    for leverage in [0, 51, 20_000] {
        let violation = btc.margin_of(leverage).unwrap_err();
        assert_eq!(
            (violation.code, violation.limit.as_str()),
            (TradeCode::LeverageOutOfRange, "50")
        );
    }
    for (percent, leverage) in [("4.34", 23), ("2.00", 50), ("100.00", 1), ("6.66", 15)] {
        assert_eq!(leverage_of(decimal(percent)), Some(leverage), "{percent}");
    }
    assert_eq!(leverage_of(Decimal::ZERO), None);
}
