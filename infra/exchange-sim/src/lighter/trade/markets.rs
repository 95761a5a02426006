//! Markets of the simulated Lighter. Numbers and precisions differ from the real ones, so that a
//! client that assumes them fails. One perpetual has the number 0, and others exceed a byte.

use serde_json::{Value, json};

use crate::market::{Engine, Num, Spec, Style};

/// The first number of an order, minus one. Smaller ones are clients' numbers.
const FIRST_OID: u64 = (1 << 48) + 1_000;

/// Digits of a price and of a quantity together.
const PLACES: u8 = 6;

/// Minimum value of a resting order, in dollars.
pub(super) const MIN_QUOTE: Num = Num::whole(10);

/// Number of steps in the minimum quantity.
const MIN_STEPS: i128 = 20;

/// Numbers of assets: the token of the balances, and the first of the others.
const USDC: u32 = 3;

/// The default number of a market in queries: all markets.
const ALL: u32 = 255;

pub(in crate::lighter) fn engine() -> Engine {
    let market = |asset, name, base, size_places, max_leverage, listed, price: &str| Spec {
        name,
        base,
        dex: "",
        asset,
        size_places,
        price_places: PLACES - size_places,
        tick: Num::ZERO,
        max_leverage,
        only_isolated: false,
        listed,
        price: Num::parse(price).unwrap_or(Num::ONE),
    };
    let specs = vec![
        market(0, "ETH", None, 3, 25, true, "3000"),
        market(7, "BTC", None, 4, 40, true, "60000"),
        market(12, "SOL", None, 2, 15, true, "150"),
        market(13, "OLD", None, 1, 3, false, "1"),
        market(300, "1000PEPE", None, 0, 10, true, "0.0123"),
        market(2_050, "ETH/USDC", Some("ETH"), 3, 1, true, "3000"),
    ];
    let style = Style {
        expires: false,
        five_figures: false,
        fees: (0, 0),
        collateral: "USDC",
        cancels_excess: false,
    };
    Engine::new(specs, style, FIRST_OID)
}

pub(in crate::lighter) fn by_index(engine: &Engine, index: u32) -> Option<Spec> {
    engine.specs().iter().find(|spec| spec.asset == index).cloned()
}

/// Returns an integer of a transaction as a decimal with so many places.
pub(super) fn scaled(integer: u64, places: u8) -> Num {
    Num::step(places).ratio(integer.into(), 1)
}

pub(super) fn minimum(spec: &Spec) -> Num {
    Num::step(spec.size_places).ratio(MIN_STEPS, 1)
}

/// Returns the smallest initial margin fraction of a market, in 1/10000.
pub(super) fn min_fraction(spec: &Spec) -> u32 {
    10_000 / spec.max_leverage.max(1)
}

/// Returns an entry of `order_books`.
fn entry(spec: &Spec) -> Value {
    json!({
        "symbol": spec.name,
        "market_id": spec.asset,
        "market_type": if spec.base.is_some() { "spot" } else { "perp" },
        "base_asset_id": if spec.base.is_some() { 1 } else { 0 },
        "quote_asset_id": if spec.base.is_some() { USDC } else { 0 },
        "status": if spec.listed { "active" } else { "inactive" },
        "taker_fee": "0.0000",
        "maker_fee": "0.0000",
        "liquidation_fee": "1.0000",
        "min_base_amount": minimum(spec).fixed(spec.size_places.into()),
        "min_quote_amount": MIN_QUOTE.fixed(6),
        "order_quote_limit": "281474976.710655",
        "supported_size_decimals": spec.size_places,
        "supported_price_decimals": spec.price_places,
        "supported_quote_decimals": PLACES,
    })
}

fn wanted(engine: &Engine, index: Option<u32>) -> impl Iterator<Item = &Spec> {
    let index = index.filter(|index| *index != ALL);
    engine.specs().iter().filter(move |spec| index.is_none_or(|index| index == spec.asset))
}

/// Returns the response to `orderBooks`.
pub(in crate::lighter) fn books(engine: &Engine, index: Option<u32>) -> Value {
    let all: Vec<_> = wanted(engine, index).map(entry).collect();
    json!({"code": 200, "order_books": all})
}

/// Returns the response to `orderBookDetails`.
pub(in crate::lighter) fn details(engine: &Engine, index: Option<u32>) -> Value {
    let (mut perps, mut spots) = (Vec::new(), Vec::new());
    for spec in wanted(engine, index) {
        let mut shown = entry(spec);
        shown["size_decimals"] = spec.size_places.into();
        shown["price_decimals"] = spec.price_places.into();
        // The only numbers that are no texts.
        let last: Value = serde_json::from_str(&engine.mark(spec).text()).unwrap_or_default();
        shown["last_trade_price"] = last;
        if spec.base.is_some() {
            spots.push(shown);
            continue;
        }
        let least = min_fraction(spec);
        shown["quote_multiplier"] = 1.into();
        shown["default_initial_margin_fraction"] = (10_000 / spec.first_leverage().0).into();
        shown["min_initial_margin_fraction"] = least.into();
        shown["maintenance_margin_fraction"] = (least * 3 / 5).into();
        shown["closeout_margin_fraction"] = (least * 2 / 5).into();
        shown["open_interest"] = 0.into();
        perps.push(shown);
    }
    json!({"code": 200, "order_book_details": perps, "spot_order_book_details": spots})
}

/// Returns the response to `orderBookOrders`, with one entry for each price.
pub(in crate::lighter) fn orders(engine: &Engine, spec: &Spec, limit: usize) -> Value {
    let side = |bids: bool| -> Vec<Value> {
        let levels = engine.levels(spec.name, bids);
        let shown = levels.into_iter().take(limit).map(|(level, _)| {
            let size = level.size.fixed(spec.size_places.into());
            json!({
                "order_index": 0,
                "order_id": "0",
                "owner_account_index": 1,
                "initial_base_amount": size,
                "remaining_base_amount": size,
                "price": level.price.fixed(spec.price_places.into()),
                "order_expiry": 0,
            })
        });
        shown.collect()
    };
    let (asks, bids) = (side(false), side(true));
    json!({"code": 200, "total_asks": asks.len(), "asks": asks, "total_bids": bids.len(), "bids": bids})
}
