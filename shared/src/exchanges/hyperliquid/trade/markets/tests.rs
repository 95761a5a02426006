use serde_json::json;

use super::*;

fn answer(body: &serde_json::Value) -> Answer {
    Answer::new(200, body.to_string())
}

fn perp(name: &str, places: u8) -> serde_json::Value {
    json!({ "name": name, "szDecimals": places, "maxLeverage": 40, "marginTableId": 1 })
}

fn main_perps() -> Vec<Market> {
    let delisted = json!({ "name": "OLD", "szDecimals": 1, "isDelisted": true });
    let universe = [perp("SOL", 2), delisted, perp("ETH", 4), perp("BTC", 5), perp("kPEPE", 0)];
    perps(&Dex::main(), &answer(&json!({ "universe": universe, "marginTables": [] }))).unwrap()
}

fn other_perps() -> Vec<Market> {
    let dex = Dex { place: 2, name: "xyz".to_owned() };
    let universe = [perp("xyz:GOLD", 3), perp("xyz:TSLA", 3), perp("BTC", 5), perp("abc:X", 1)];
    perps(&dex, &answer(&json!({ "universe": universe, "collateralToken": 0 }))).unwrap()
}

fn spot_pairs() -> Vec<Market> {
    let token = |name: &str, index: u32, places: u8| json!({ "name": name, "index": index, "szDecimals": places });
    let pair = |name: &str, tokens: [u32; 2], index: u32| json!({ "name": name, "tokens": tokens, "index": index, "isCanonical": false });
    spots(&answer(&json!({
        "tokens": [token("HYPE", 1105, 2), token("USDC", 0, 8), token("PURR", 1, 0)],
        "universe": [
            pair("PURR/USDC", [1, 0], 0),
            pair("@1035", [1105, 0], 1035),
            pair("@7", [1105, 99], 7),
            pair("@90000", [1, 0], 90_000),
        ],
    })))
    .unwrap()
}

fn all() -> Markets {
    Markets::new([main_perps(), other_perps(), spot_pairs()].concat())
}

#[test]
fn dexs_keep_their_place() {
    let body =
        json!([null, { "name": "abc" }, { "name": "xyz", "fullName": "XYZ" }, { "name": "" }]);
    let names: Vec<_> =
        dexs(&answer(&body)).unwrap().into_iter().map(|dex| (dex.place, dex.name)).collect();
    assert_eq!(names, [(0, String::new()), (1, "abc".to_owned()), (2, "xyz".to_owned())]);
    assert!(dexs(&answer(&json!({}))).is_err());
    assert!(dexs(&Answer::new(500, "[null]")).is_err());
}

#[test]
fn asset_id_follows_the_kind_of_market() {
    let ids: Vec<_> = [main_perps(), other_perps(), spot_pairs()]
        .concat()
        .into_iter()
        .map(|market| (market.name, market.asset, market.size_places, market.price_places))
        .collect();
    let expected = [
        // A delisted market keeps its place in the list and cannot be found.
        ("SOL", 0, 2, 4),
        ("ETH", 2, 4, 2),
        ("BTC", 3, 5, 1),
        ("kPEPE", 4, 0, 6),
        // Entries whose name belongs to another DEX are left out.
        ("xyz:GOLD", 120_000, 3, 3),
        ("xyz:TSLA", 120_001, 3, 3),
        ("PURR/USDC", 10_000, 0, 8),
        ("@1035", 11_035, 2, 6),
    ];
    let expected = expected.map(|(name, asset, size, price)| (name.to_owned(), asset, size, price));
    assert_eq!(ids, expected);
}

#[test]
fn market_states_the_token_that_quotes_it() {
    let dex = Dex { place: 1, name: "abc".to_owned() };
    let settled = |token: u32| json!({ "universe": [perp("abc:X", 1)], "collateralToken": token });
    assert_eq!(perps(&dex, &answer(&settled(235))).unwrap()[0].quote, 235);
    let quotes = [main_perps(), other_perps(), spot_pairs()].concat();
    assert!(quotes.iter().all(|market| market.quote == 0));
}

#[test]
fn symbol_means_what_a_trader_expects() {
    let markets = all();
    for (symbol, name) in [
        ("BTC", "BTC"),
        ("BTC-PERP", "BTC"),
        ("BTCUSDT", "BTC"),
        ("BTCUSDC", "BTC"),
        ("BTC-USD", "BTC"),
        ("BTC-USDT", "BTC"),
        ("BTC-USDC", "BTC"),
        ("BTC-USD-PERP", "BTC"),
        ("btc", "BTC"),
        ("btcusdt", "BTC"),
        ("btc-perp", "BTC"),
        ("kPEPE", "kPEPE"),
        ("KPEPE", "kPEPE"),
        ("xyz:TSLA", "xyz:TSLA"),
        ("xyz:TSLA-PERP", "xyz:TSLA"),
        ("XYZ:tsla", "xyz:TSLA"),
        ("HYPE/USDC", "@1035"),
        ("@1035", "@1035"),
        ("PURR/USDC", "PURR/USDC"),
        ("purr/usdc", "PURR/USDC"),
    ] {
        let found = markets.find(symbol).map(|market| market.name.as_str());
        assert_eq!(found, Some(name), "{symbol}");
    }
    for symbol in [
        "",
        "OLD",
        "PEPE",
        "PEPEUSDT",
        "USDT",
        "-PERP",
        "USDC",
        "BTC/USDC",
        "TSLA",
        "abc:X",
        "xyz:BTC",
        "@1036",
        "@7",
        "BTC-PERP-PERP",
        "\u{212a}PEPE",
    ] {
        assert_eq!(markets.find(symbol), None, "{symbol}");
    }
    assert!(markets.find("@1035").unwrap().is_spot());
    assert_eq!(markets.named("@1035").unwrap().pair.as_deref(), Some("HYPE/USDC"));
    assert_eq!(markets.named("HYPE/USDC"), None);
    assert_eq!(dex_of("xyz:TSLA-PERP"), "xyz");
    assert_eq!(dex_of("BTC"), "");
}

#[test]
fn ambiguous_name_is_unknown() {
    let market =
        |name: &str, asset| Market { name: name.to_owned(), asset, ..main_perps()[0].clone() };
    let markets = Markets::new(vec![
        market("AB", 0),
        market("ab", 1),
        market("TWICE", 2),
        market("TWICE", 3),
        market("XUSDT", 4),
        market("X", 5),
    ]);
    assert_eq!(markets.find("AB").unwrap().asset, 0);
    assert_eq!(markets.find("ab").unwrap().asset, 1);
    assert_eq!(markets.find("Ab"), None);
    assert_eq!(markets.find("TWICE"), None);
    // The exact name wins over one without its ending.
    assert_eq!(markets.find("XUSDT").unwrap().asset, 4);
    assert_eq!(markets.find("X-USDT").unwrap().asset, 5);
}

#[test]
fn hostile_metadata_never_yields_a_wrong_market() {
    let one =
        |entry: serde_json::Value| perps(&Dex::main(), &answer(&json!({ "universe": [entry] })));
    assert_eq!(one(perp("X", 99)).unwrap(), [], "more places than a price has");
    assert_eq!(one(perp("", 1)).unwrap(), []);
    assert_eq!(one(perp("abc:X", 1)).unwrap(), []);
    for wrong in [
        json!({ "name": "X" }),
        json!({ "name": "X", "szDecimals": -1 }),
        json!({ "name": "X", "szDecimals": 300 }),
        json!({ "name": "X", "szDecimals": 1.5 }),
        json!({ "name": 5, "szDecimals": 1 }),
        json!(null),
    ] {
        assert!(one(wrong.clone()).is_err(), "{wrong}");
    }
    // Ids of one DEX never reach those of the next.
    let universe: Vec<_> = (0..10_001).map(|index| perp(&format!("M{index}"), 1)).collect();
    let many = perps(&Dex::main(), &answer(&json!({ "universe": universe }))).unwrap();
    assert_eq!(many.last().unwrap().asset, 9_999);
    let far = Dex { place: u32::MAX, name: "far".to_owned() };
    let body = answer(&json!({ "universe": [perp("far:X", 1)] }));
    assert_eq!(perps(&far, &body).unwrap(), []);
    assert!(spots(&answer(&json!({ "universe": [] }))).is_err());
}

#[test]
fn mids_leave_out_what_is_no_price() {
    let body = json!({ "BTC": "97000.5", "@1035": "31.2", "NONE": "0.0", "ODD": "NaN" });
    let mids = mids(&answer(&body)).unwrap();
    assert_eq!(mids.len(), 2);
    assert_eq!(mids["BTC"].text(), "97000.5");
    assert!(super::mids(&answer(&json!({ "BTC": 97000.5 }))).is_err(), "a JSON number");
}
