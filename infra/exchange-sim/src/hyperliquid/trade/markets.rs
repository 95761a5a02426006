//! Markets of the simulated Hyperliquid. Numbers and precisions differ from the real ones, so that
//! a client that assumes them fails.

use serde_json::{Value, json};

use super::super::Chain;
use crate::market::{Engine, Num, Spec, Style};

/// The first number of an order, minus one. Real numbers have as many digits.
const FIRST_OID: u64 = 300_000_000_000;

/// Number of spot markets' assets, and of HIP-3 markets' assets.
const SPOT: u32 = 10_000;
const BUILDER: u32 = 100_000;

/// The DEXs in the order of `perpDexs`, after the exchange's own.
pub(in crate::hyperliquid) const DEXS: [&str; 2] = ["test", "xyz"];

/// Token, index, digits of a quantity, and digits of a balance.
const TOKENS: [(&str, u32, u8, u8); 3] =
    [("USDC", 0, 8, 8), ("PURR", 3, 0, 5), ("HYPE", 1_105, 2, 8)];

pub(in crate::hyperliquid) fn engine() -> Engine {
    let perp = |dex, asset, name, size_places, max_leverage, listed, price: &str| Spec {
        name,
        base: None,
        dex,
        asset,
        size_places,
        price_places: 6 - size_places,
        tick: Num::ZERO,
        max_leverage,
        only_isolated: dex == "xyz",
        listed,
        price: Num::parse(price).unwrap_or(Num::ONE),
    };
    let spot = |index, name, base, size_places, price: &str| Spec {
        name,
        base: Some(base),
        dex: "",
        asset: SPOT + index,
        size_places,
        price_places: 8 - size_places,
        tick: Num::ZERO,
        max_leverage: 1,
        only_isolated: false,
        listed: true,
        price: Num::parse(price).unwrap_or(Num::ONE),
    };
    let specs = vec![
        perp("", 0, "SOL", 2, 20, true, "150"),
        perp("", 1, "ETH", 3, 25, true, "3000"),
        perp("", 2, "OLD", 1, 3, false, "1"),
        perp("", 3, "BTC", 4, 40, true, "60000"),
        perp("", 4, "kPEPE", 0, 10, true, "0.012345"),
        perp("test", BUILDER + 10_000, "test:GOLD", 3, 20, true, "2400"),
        perp("test", BUILDER + 10_001, "test:OIL", 2, 10, true, "70"),
        perp("xyz", BUILDER + 20_000, "xyz:TSLA", 3, 10, true, "250"),
        spot(4, "PURR/USDC", "PURR", 0, "0.2"),
        spot(1_035, "@1035", "HYPE", 2, "25"),
    ];
    let style = Style {
        expires: false,
        five_figures: true,
        fees: (450, 150),
        collateral: "USDC",
        cancels_excess: true,
    };
    Engine::new(specs, style, FIRST_OID)
}

/// Returns the response to `meta`, or `None` for an unknown DEX.
pub(in crate::hyperliquid) fn meta(engine: &Engine, dex: &str) -> Option<Value> {
    if !dex.is_empty() && !DEXS.contains(&dex) {
        return None;
    }
    let listed = engine.specs().iter().filter(|it| it.base.is_none() && it.dex == dex);
    let universe: Value = listed
        .map(|spec| {
            let mut entry = json!({
                "name": spec.name,
                "szDecimals": spec.size_places,
                "maxLeverage": spec.max_leverage,
                "marginTableId": spec.max_leverage,
            });
            if spec.only_isolated {
                entry["onlyIsolated"] = json!(true);
                entry["marginMode"] = json!("noCross");
            }
            if !spec.listed {
                entry["isDelisted"] = json!(true);
            }
            entry
        })
        .collect();
    Some(json!({"universe": universe, "marginTables": [], "collateralToken": 0}))
}

pub(in crate::hyperliquid) fn spot_meta(engine: &Engine, chain: Chain) -> Value {
    let index_of = |token: &str| TOKENS.iter().find(|it| it.0 == token).map(|it| it.1);
    let tokens: Value = TOKENS
        .iter()
        .map(|(name, index, size_places, balance_places)| {
            json!({
                "name": name,
                "szDecimals": size_places,
                "weiDecimals": balance_places,
                "index": index,
                "tokenId": token_id(name, chain),
                "isCanonical": true,
                "evmContract": null,
                "fullName": null,
            })
        })
        .collect();
    let universe: Value = engine
        .specs()
        .iter()
        .filter_map(|spec| {
            let base = index_of(spec.base?)?;
            Some(json!({
                "name": spec.name,
                "tokens": [base, 0],
                "index": spec.asset - SPOT,
                "isCanonical": spec.name == "PURR/USDC",
            }))
        })
        .collect();
    json!({"tokens": tokens, "universe": universe})
}

/// Returns a token: its name, index, and digits of a quantity and of a balance.
pub(in crate::hyperliquid) fn token(name: &str) -> Option<(&'static str, u32, u8, u8)> {
    TOKENS.iter().find(|it| it.0 == name).copied()
}

/// Returns the name of a token.
pub(in crate::hyperliquid) fn token_of_index(index: u32) -> Option<&'static str> {
    TOKENS.iter().find(|it| it.1 == index).map(|it| it.0)
}

/// Returns the id of a token. Only that of USDC is the real one.
pub(in crate::hyperliquid) fn token_id(name: &str, chain: Chain) -> String {
    match (name, chain) {
        ("USDC", Chain::Mainnet) => "0x6d1e7cde53ba9467b783cb7c530ce054".to_owned(),
        ("USDC", Chain::Testnet) => "0xeb62eee3685fc4c43992febcd9e75443".to_owned(),
        _ => format!("0x{:032x}", token_index(name).unwrap_or_default()),
    }
}

/// Returns the index of a token.
pub(super) fn token_index(token: &str) -> Option<u32> {
    TOKENS.iter().find(|it| it.0 == token).map(|it| it.1)
}

/// Returns the response to `perpDexs`: the first element is the exchange's own DEX.
pub(in crate::hyperliquid) fn dexs() -> Value {
    let others = DEXS.iter().map(|name| {
        json!({
            "name": name,
            "fullName": format!("{name} DEX"),
            "deployer": "0x0000000000000000000000000000000000000d01",
            "oracleUpdater": null,
        })
    });
    std::iter::once(Value::Null).chain(others).collect()
}
