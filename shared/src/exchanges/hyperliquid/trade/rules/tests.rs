use proptest::prelude::*;

use super::*;

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

/// BTC on the test network: 5 places of a size, 1 of a price.
fn btc() -> Market {
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

fn spot() -> Market {
    let pair = Some("HYPE/USDC".to_owned());
    Market {
        name: "@1035".to_owned(),
        pair,
        asset: 11_035,
        size_places: 2,
        price_places: 6,
        quote: 0,
        ..btc()
    }
}

fn limit(price: &str, quantity: &str) -> NewOrder {
    NewOrder {
        side: Side::Buy,
        kind: OrderKind::Limit { price: decimal(price), time_in_force: TimeInForce::Gtc },
        quantity: decimal(quantity),
        reduce_only: false,
        cloid: None,
    }
}

fn broken(market: &Market, order: &NewOrder) -> (TradeCode, Option<String>) {
    let broken = market.order(order).unwrap_err();
    (broken.code, broken.limit.map(Decimal::text))
}

#[test]
fn signed_price_includes_the_slippage_of_a_triggered_market_order() {
    let trigger = decimal("60000");
    for (side, market, limited) in [(Side::Buy, "66000", "61000"), (Side::Sell, "54000", "61000")] {
        let of = |price: Option<&str>| {
            let price = price.map(decimal);
            let kind = OrderKind::Trigger { tpsl: Tpsl::StopLoss, trigger, price };
            let order = NewOrder { side, kind, ..limit("1", "1") };
            let wire = btc().order(&order).unwrap();
            let signed = btc().signed_price(&order).unwrap();
            assert_eq!(Wire::new(signed), Some(wire.price), "{side:?}");
            signed.text()
        };
        assert_eq!(of(None), market, "{side:?}");
        assert_eq!(of(Some("61000")), limited, "{side:?}");
    }
}

#[test]
fn price_has_five_figures_or_is_an_integer() {
    for price in ["60000", "60000.0", "123456", "1234567", "9999.5", "0.1", "1234.5"] {
        assert!(btc().order(&limit(price, "100")).is_ok(), "{price}");
    }
    for (price, tick) in [
        ("60000.5", "1"),
        ("1234.56", "0.1"),
        ("123456.5", "1"),
        ("12.55", "0.1"),
        ("0.01", "0.1"),
        ("0", "0.1"),
    ] {
        let expected = (TradeCode::TickSize, Some(tick.to_owned()));
        assert_eq!(broken(&btc(), &limit(price, "1000")), expected, "{price}");
    }
    for price in ["31.234", "0.012345", "0.00123", "312345"] {
        assert!(spot().order(&limit(price, "100000")).is_ok(), "{price}");
    }
    for (price, tick) in [("31.2345", "0.001"), ("0.0123456", "0.000001"), ("1.23456", "0.0001")] {
        let expected = (TradeCode::TickSize, Some(tick.to_owned()));
        assert_eq!(broken(&spot(), &limit(price, "100000")), expected, "{price}");
    }
}

#[test]
fn size_has_the_places_of_the_market() {
    assert!(btc().order(&limit("60000", "0.00100")).is_ok());
    for quantity in ["0.000001", "0", "1.123456"] {
        let expected = (TradeCode::LotSize, Some("0.00001".to_owned()));
        assert_eq!(broken(&btc(), &limit("60000", quantity)), expected, "{quantity}");
    }
    let close_all = NewOrder { reduce_only: true, ..limit("60000", "0") };
    assert!(btc().order(&close_all).is_ok());
}

#[test]
fn value_below_ten_is_refused_unless_it_reduces() {
    let small = limit("1000", "0.00999");
    assert_eq!(broken(&btc(), &small), (TradeCode::BelowMinimum, Some("10".to_owned())));
    assert!(btc().order(&limit("1000", "0.01")).is_ok());
    assert!(btc().order(&NewOrder { reduce_only: true, ..small }).is_ok());
    let huge = limit("999999999999999", "999999999999999.12345");
    assert!(btc().order(&huge).is_ok(), "the policy bounds it");
}

#[test]
fn time_in_force_becomes_its_word() {
    let tif = |time_in_force| {
        let kind = OrderKind::Limit { price: decimal("60000"), time_in_force };
        btc().order(&NewOrder { kind, ..limit("1", "1") }).map(|order| order.kind)
    };
    assert_eq!(tif(TimeInForce::Gtc), Ok(OrderKindWire::Limit(Tif::Gtc)));
    assert_eq!(tif(TimeInForce::Ioc), Ok(OrderKindWire::Limit(Tif::Ioc)));
    assert_eq!(tif(TimeInForce::PostOnly), Ok(OrderKindWire::Limit(Tif::Alo)));
    assert_eq!(tif(TimeInForce::Fok), Err(BrokenRule::not_offered()));
}

#[test]
fn market_bound_is_rounded_once() {
    let bound = |market: &Market, mid, side, slippage| {
        market.market_bound(decimal(mid), side, decimal(slippage)).map(Decimal::text)
    };
    assert_eq!(bound(&btc(), "60001.5", Side::Buy, "0.05").unwrap(), "63002");
    assert_eq!(bound(&btc(), "60001.5", Side::Sell, "0.05").unwrap(), "57001");
    assert_eq!(bound(&btc(), "1670.1", Side::Buy, "0.05").unwrap(), "1753.6");
    assert_eq!(bound(&spot(), "0.0000321", Side::Buy, "0.05").unwrap(), "0.000034");
    assert!(bound(&spot(), "0.0000001", Side::Sell, "0.05").is_err(), "no price is left");
    assert!(bound(&btc(), "60000", Side::Sell, "1").is_err());
    assert!(bound(&btc(), "60000", Side::Sell, "1.5").is_err());
}

#[test]
fn triggered_market_order_has_ten_percent_slippage() {
    let stop = |side, price: Option<&str>| {
        let trigger = decimal("50000");
        let kind = OrderKind::Trigger { tpsl: Tpsl::StopLoss, trigger, price: price.map(decimal) };
        btc().order(&NewOrder { side, kind, reduce_only: true, ..limit("1", "0.5") }).unwrap()
    };
    let price = |order: &OrderWire| order.price.clone();
    let wire = |text| Wire::new(decimal(text)).unwrap();
    assert_eq!(price(&stop(Side::Sell, None)), wire("45000"));
    assert_eq!(price(&stop(Side::Buy, None)), wire("55000"));
    assert_eq!(price(&stop(Side::Sell, Some("49900"))), wire("49900"));
    let OrderKindWire::Trigger { is_market, trigger_price, tpsl } = stop(Side::Sell, None).kind
    else {
        panic!("not a trigger")
    };
    assert_eq!((is_market, trigger_price, tpsl), (true, wire("50000"), Tpsl::StopLoss));
    let OrderKindWire::Trigger { is_market, .. } = stop(Side::Sell, Some("49900")).kind else {
        panic!("not a trigger")
    };
    assert!(!is_market);
    let kind =
        OrderKind::Trigger { tpsl: Tpsl::StopLoss, trigger: decimal("50000.5"), price: None };
    let wrong = NewOrder { kind, ..limit("1", "0.5") };
    assert_eq!(broken(&btc(), &wrong), (TradeCode::TickSize, Some("1".to_owned())));
}

#[test]
fn attached_orders_reduce_the_entry() {
    let attach = |tpsl, trigger| Attached {
        tpsl,
        trigger: decimal(trigger),
        price: None,
        cloid: Some(Cloid([7; 16])),
    };
    let both = [attach(Tpsl::TakeProfit, "70000"), attach(Tpsl::StopLoss, "50000")];
    let orders = btc().order_with_children(&limit("60000", "0.5"), &both).unwrap();
    let cloids: Vec<_> = orders.cloids().collect();
    assert_eq!(cloids, [None, Some(Cloid([7; 16])), Some(Cloid([7; 16]))]);
    assert!(btc().order_with_children(&limit("60000", "0.5"), &[]).is_err());
    let wrong = [attach(Tpsl::TakeProfit, "70000.5")];
    let broken = btc().order_with_children(&limit("60000", "0.5"), &wrong).unwrap_err();
    assert_eq!(broken.code, TradeCode::TickSize);
}

#[test]
fn only_a_resting_limit_order_replaces_one() {
    let modify = |kind| {
        let order = NewOrder { kind, ..limit("60000", "0.5") };
        btc().modification(OrderId::Exchange(7), &order).map_err(|broken| broken.code)
    };
    let with = |time_in_force| OrderKind::Limit { price: decimal("60000"), time_in_force };
    assert!(modify(with(TimeInForce::Gtc)).is_ok());
    assert!(modify(with(TimeInForce::PostOnly)).is_ok());
    let trigger =
        OrderKind::Trigger { tpsl: Tpsl::StopLoss, trigger: decimal("50000"), price: None };
    let market = OrderKind::Market { bound: decimal("60000") };
    for kind in [with(TimeInForce::Ioc), with(TimeInForce::Fok), trigger, market] {
        assert_eq!(modify(kind).unwrap_err(), TradeCode::NotOffered);
    }
}

proptest! {
    /// Every bound is a price that the exchange accepts, and at most one step from the exact one.
    #[test]
    fn market_bound_is_always_a_valid_price(
        mid in "[1-9][0-9]{0,6}(\\.[0-9]{1,8})?",
        slippage in "0\\.[0-9]{1,4}",
        is_buy in any::<bool>(),
        size_places in 0_u8..=5,
    ) {
        let market = Market { size_places, price_places: 6 - size_places, ..btc() };
        let side = if is_buy { Side::Buy } else { Side::Sell };
        if let Ok(bound) = market.market_bound(decimal(&mid), side, decimal(&slippage)) {
            let kind = OrderKind::Market { bound };
            let order = NewOrder { kind, side, reduce_only: true, ..limit("1", "1") };
            prop_assert!(market.order(&order).is_ok(), "{}", bound);
            let factor = match side {
                Side::Buy => Decimal::ONE.checked_add(decimal(&slippage)).unwrap(),
                Side::Sell => Decimal::ONE.checked_sub(decimal(&slippage)).unwrap(),
            };
            let exact = decimal(&mid).checked_mul(factor).unwrap();
            let distance = exact.max(bound).checked_sub(exact.min(bound)).unwrap();
            // Half of the fifth figure, or half of the last place.
            let figure = exact.checked_mul(decimal("0.00005")).unwrap();
            let place = constant(5, market.price_places + 1);
            prop_assert!(distance <= figure.max(place), "{} {}", exact, bound);
        }
    }
}
