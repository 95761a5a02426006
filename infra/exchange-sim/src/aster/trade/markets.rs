//! Markets of the simulated Aster, and their filters. As at the real exchange, the precision fields
//! are not the tick, a symbol need not be ASCII, and a market that settles has a tick of zero.

use serde_json::{Value, json};

use crate::market::{Engine, Num, Spec, Style};

/// The last number of an order before the first: 2^53, so that a client that reads numbers as
/// floating-point numbers loses digits.
const FIRST_OID: u64 = 1 << 53;

/// Filters of a market, as the exchange lists them.
pub(super) struct Filters {
    pub(super) symbol: &'static str,
    pub(super) base: &'static str,
    pub(super) status: &'static str,
    pub(super) price_precision: u8,
    pub(super) quantity_precision: u8,
    pub(super) tick: &'static str,
    pub(super) min_price: &'static str,
    pub(super) max_price: &'static str,
    pub(super) step: &'static str,
    pub(super) max_quantity: &'static str,
    pub(super) max_market: &'static str,
    /// Bounds of a price, as multiples of the mark.
    pub(super) up: &'static str,
    pub(super) down: &'static str,
    leverage: u32,
    price: &'static str,
}

/// Minimum value of an order that does not only reduce.
pub(super) const MIN_NOTIONAL: &str = "5";

static MARKETS: [Filters; 5] = [
    Filters {
        symbol: "BTCUSDT",
        base: "BTC",
        status: "TRADING",
        price_precision: 2,
        quantity_precision: 3,
        tick: "0.10",
        min_price: "1",
        max_price: "1000000",
        step: "0.001",
        max_quantity: "1000",
        max_market: "120",
        up: "1.0200",
        down: "0.9800",
        leverage: 125,
        price: "60000",
    },
    Filters {
        symbol: "ETHUSDT",
        base: "ETH",
        status: "TRADING",
        price_precision: 2,
        quantity_precision: 3,
        tick: "0.05",
        min_price: "0.05",
        max_price: "100000",
        step: "0.01",
        max_quantity: "10000",
        max_market: "2000",
        up: "1.0500",
        down: "0.9500",
        leverage: 100,
        price: "3000",
    },
    Filters {
        symbol: "DOGEUSDT",
        base: "DOGE",
        status: "TRADING",
        price_precision: 6,
        quantity_precision: 0,
        tick: "0.000020",
        min_price: "0.000020",
        max_price: "30",
        step: "1",
        max_quantity: "50000000",
        max_market: "3000000",
        up: "1.0500",
        down: "0.9500",
        leverage: 50,
        price: "0.2",
    },
    Filters {
        symbol: "币安人生USDT",
        base: "币安人生",
        status: "TRADING",
        price_precision: 5,
        quantity_precision: 0,
        tick: "0.00010",
        min_price: "0.00010",
        max_price: "200",
        step: "1",
        max_quantity: "1000000",
        max_market: "100000",
        up: "1.0500",
        down: "0.9500",
        leverage: 5,
        price: "0.15",
    },
    Filters {
        symbol: "OLDUSDT",
        base: "OLD",
        status: "SETTLING",
        price_precision: 4,
        quantity_precision: 0,
        tick: "0",
        min_price: "0",
        max_price: "0",
        step: "0",
        max_quantity: "0",
        max_market: "0",
        up: "1.0500",
        down: "0.9500",
        leverage: 5,
        price: "1",
    },
];

pub(in crate::aster) fn engine() -> Engine {
    let specs = MARKETS.iter().zip(0..).map(|(filters, asset)| Spec {
        name: filters.symbol,
        base: None,
        dex: "",
        asset,
        size_places: places(filters.step),
        price_places: filters.price_precision,
        tick: number(filters.tick),
        max_leverage: filters.leverage,
        only_isolated: false,
        listed: filters.status == "TRADING",
        price: number(filters.price),
    });
    let style = Style {
        expires: true,
        five_figures: false,
        fees: (400, 50),
        collateral: "USDT",
        cancels_excess: false,
    };
    Engine::new(specs.collect(), style, FIRST_OID)
}

pub(super) fn filters(symbol: &str) -> Option<&'static Filters> {
    MARKETS.iter().find(|filters| filters.symbol == symbol)
}

/// Reads a number of this file. Zero switches a rule off.
pub(super) fn number(text: &str) -> Num {
    Num::parse(text).unwrap_or_default()
}

fn places(step: &str) -> u8 {
    let fraction = step.split_once('.').map_or("", |(_, fraction)| fraction);
    u8::try_from(fraction.trim_end_matches('0').len()).unwrap_or_default()
}

/// Returns the response to `exchangeInfo`.
pub(super) fn exchange_info(now: u64) -> Value {
    let symbols = MARKETS.iter().map(|it| {
        json!({
            "symbol": it.symbol,
            "pair": it.symbol,
            "contractType": "PERPETUAL",
            "deliveryDate": 4_133_404_800_000_u64,
            "onboardDate": 1_700_000_000_000_u64,
            "status": it.status,
            "baseAsset": it.base,
            "quoteAsset": "USDT",
            "marginAsset": "USDT",
            "pricePrecision": it.price_precision,
            "quantityPrecision": it.quantity_precision,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "triggerProtect": "0.0500",
            "marketTakeBound": "0.05",
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": it.min_price,
                    "maxPrice": it.max_price,
                    "tickSize": it.tick,
                },
                {
                    "filterType": "LOT_SIZE",
                    "minQty": it.step,
                    "maxQty": it.max_quantity,
                    "stepSize": it.step,
                },
                {
                    "filterType": "MARKET_LOT_SIZE",
                    "minQty": it.step,
                    "maxQty": it.max_market,
                    "stepSize": it.step,
                },
                {"filterType": "MAX_NUM_ORDERS", "limit": 200},
                {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
                {"filterType": "MIN_NOTIONAL", "notional": MIN_NOTIONAL},
                {
                    "filterType": "PERCENT_PRICE",
                    "multiplierUp": it.up,
                    "multiplierDown": it.down,
                    "multiplierDecimal": "4",
                },
            ],
            "orderTypes": [
                "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET",
                "TRAILING_STOP_MARKET",
            ],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX", "RPI", "HIDDEN"],
        })
    });
    json!({
        "timezone": "UTC",
        "serverTime": now,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 2_400,
            },
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1_200},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        ],
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": true, "autoAssetExchange": "-10000"}],
        "symbols": symbols.collect::<Value>(),
    })
}
