//! Leverage, positions, balances and executions on the simulated Hyperliquid.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{START, Wallet, hyperliquid::Hyperliquid};

const TSLA: u32 = 120_000;

const BTC: u32 = 3;

fn owner() -> Wallet {
    Wallet::number(1)
}

fn key() -> Wallet {
    Wallet::number(9)
}

/// Returns an exchange where the owner has an agent and 10,000 dollars in each pocket.
async fn with_agent() -> Hyperliquid {
    let hyperliquid = Hyperliquid::new();
    assert_eq!(hyperliquid.approve(&owner(), "bot", key().address()).await, "ok");
    hyperliquid
}

async fn ask(hyperliquid: &Hyperliquid, mut query: Value) -> Value {
    query["user"] = json!(format!("{:#x}", owner().address()));
    hyperliquid.post("/info", &query).await.json()
}

async fn set(hyperliquid: &Hyperliquid, asset: u32, is_cross: bool, leverage: u32) -> String {
    let action = json!({
        "type": "updateLeverage", "asset": asset, "isCross": is_cross, "leverage": leverage,
    });
    hyperliquid.act(&key(), &action).await
}

async fn take(hyperliquid: &Hyperliquid, asset: u32, is_buy: bool, (price, size): (&str, &str)) {
    let order = json!({
        "a": asset, "b": is_buy, "p": price, "s": size, "r": false, "t": {"limit": {"tif": "Ioc"}},
    });
    let action = json!({"type": "order", "orders": [order], "grouping": "na"});
    assert_eq!(hyperliquid.act(&key(), &action).await, "ok");
}

async fn leverage_of(hyperliquid: &Hyperliquid, coin: &str) -> (String, u64) {
    let data = ask(hyperliquid, json!({"type": "activeAssetData", "coin": coin})).await;
    let leverage = &data["leverage"];
    let kind = leverage["type"].as_str().unwrap().to_owned();
    assert_eq!(leverage["rawUsd"].is_string(), kind == "isolated");
    (kind, leverage["value"].as_u64().unwrap())
}

#[tokio::test]
async fn leverage_is_set_within_the_market_maximum() {
    let hyperliquid = with_agent().await;
    assert_eq!(leverage_of(&hyperliquid, "BTC").await, ("cross".to_owned(), 20));
    for (leverage, said) in [(0, "Invalid leverage value"), (41, "Invalid leverage value")] {
        assert_eq!(set(&hyperliquid, BTC, true, leverage).await, said);
    }
    assert_eq!(set(&hyperliquid, 99, true, 5).await, "Invalid asset.");
    assert_eq!(set(&hyperliquid, BTC, false, 40).await, "ok");
    // The same value again is not an error.
    assert_eq!(set(&hyperliquid, BTC, false, 40).await, "ok");
    assert_eq!(leverage_of(&hyperliquid, "BTC").await, ("isolated".to_owned(), 40));
    let unknown = ask(&hyperliquid, json!({"type": "activeAssetData", "coin": "NO"})).await;
    assert_eq!(unknown, Value::Null);
}

#[tokio::test]
async fn margin_mode_is_fixed_by_market_and_position() {
    let hyperliquid = with_agent().await;
    let meta = ask(&hyperliquid, json!({"type": "meta", "dex": "xyz"})).await;
    assert_eq!(meta["universe"][0]["onlyIsolated"], true);
    let refused = set(&hyperliquid, TSLA, true, 5).await;
    assert_eq!(refused, "Cross margin is not allowed for this asset.");
    assert_eq!(leverage_of(&hyperliquid, "xyz:TSLA").await, ("isolated".to_owned(), 10));
    assert_eq!(set(&hyperliquid, TSLA, false, 5).await, "ok");
    take(&hyperliquid, BTC, true, ("61000", "0.1")).await;
    let refused = set(&hyperliquid, BTC, false, 20).await;
    assert_eq!(refused, "Cannot switch leverage type with open position.");
    assert_eq!(set(&hyperliquid, BTC, true, 10).await, "ok");
}

#[tokio::test]
async fn leverage_falls_only_as_far_as_the_margin_allows() {
    let hyperliquid = with_agent().await;
    take(&hyperliquid, BTC, true, ("61000", "1")).await;
    assert_eq!(set(&hyperliquid, BTC, true, 7).await, "ok");
    let text = "Cross position does not have sufficient margin available to decrease leverage.";
    assert_eq!(set(&hyperliquid, BTC, true, 5).await, text);
    assert_eq!(leverage_of(&hyperliquid, "BTC").await, ("cross".to_owned(), 7));
}

#[tokio::test]
async fn position_states_margin_and_liquidation_price() {
    let hyperliquid = with_agent().await;
    assert_eq!(set(&hyperliquid, BTC, true, 10).await, "ok");
    take(&hyperliquid, BTC, true, ("61000", "1")).await;
    let state = ask(&hyperliquid, json!({"type": "clearinghouseState"})).await;
    let position = &state["assetPositions"][0]["position"];
    for (field, value) in [
        ("coin", json!("BTC")),
        ("szi", json!("1.0")),
        ("leverage", json!({"type": "cross", "value": 10})),
        ("entryPx", json!("60030.0")),
        ("positionValue", json!("60000.0")),
        ("unrealizedPnl", json!("-30.0")),
        ("marginUsed", json!("6003.0")),
        ("maxLeverage", json!(40)),
        // 10,000 - 27.0135 + (p - 60,030) = p / 80
        ("liquidationPx", json!("50690.64658228")),
    ] {
        assert_eq!(position[field], value, "{field}");
    }
    let value = json!("9942.9865");
    assert_eq!(state["marginSummary"]["accountValue"], value);
    assert_eq!(state["crossMarginSummary"]["accountValue"], value);
    assert_eq!(state["crossMaintenanceMarginUsed"], "750.0");
    assert_eq!(state["withdrawable"], "3939.9865");
}

#[tokio::test]
async fn isolated_position_is_apart_from_the_cross_value() {
    let hyperliquid = with_agent().await;
    let owner = owner().address();
    assert!(hyperliquid.exchange.deposit_amount(owner, "xyz", "1000"));
    take(&hyperliquid, TSLA, false, ("240", "10")).await;
    let main = ask(&hyperliquid, json!({"type": "clearinghouseState"})).await;
    assert_eq!(main["assetPositions"], json!([]));
    let state = ask(&hyperliquid, json!({"type": "clearinghouseState", "dex": "xyz"})).await;
    let position = &state["assetPositions"][0]["position"];
    assert_eq!((&position["szi"], &position["coin"]), (&json!("-10.0"), &json!("xyz:TSLA")));
    // Margin 249.87 and the dollars that the sale brought.
    let leverage = json!({"type": "isolated", "value": 10, "rawUsd": "2748.57"});
    assert_eq!(position["leverage"], leverage);
    // 249.87 + 10 (249.87 - p) = 10 p / 20, without further digits
    assert_eq!(position["liquidationPx"], "261.76857142");
    assert_eq!(state["marginSummary"]["accountValue"], "997.575585");
    assert_eq!(state["crossMarginSummary"]["accountValue"], "749.005585");
    assert_eq!(state["crossMarginSummary"]["totalMarginUsed"], "0.0");
}

#[tokio::test]
async fn unified_account_pays_positions_from_spot() {
    for mode in ["unifiedAccount", "portfolioMargin"] {
        let hyperliquid = with_agent().await;
        assert!(hyperliquid.exchange.set_mode(owner().address(), mode));
        take(&hyperliquid, BTC, true, ("61000", "1")).await;
        assert_eq!(ask(&hyperliquid, json!({"type": "userAbstraction"})).await, mode);
        let perps = ask(&hyperliquid, json!({"type": "clearinghouseState"})).await;
        assert_eq!(perps["withdrawable"], "0.0");
        assert_eq!(perps["assetPositions"].as_array().unwrap().len(), 1);
        let spot = ask(&hyperliquid, json!({"type": "spotClearinghouseState"})).await;
        let usdc = &spot["balances"][0];
        assert_eq!((&usdc["coin"], &usdc["total"]), (&json!("USDC"), &json!("19972.9865")));
        // Margin of 20 times, and the loss.
        assert_eq!(usdc["hold"], "3031.5");
        let after = &spot["tokenToAvailableAfterMaintenance"][0];
        assert_eq!(after, &json!([0, "19192.9865"]));
    }
    let standard = ask(&with_agent().await, json!({"type": "spotClearinghouseState"})).await;
    assert!(standard.get("tokenToAvailableAfterMaintenance").is_none());
}

/// 2,000 executions are a response. The next page starts at the time of the last.
#[tokio::test]
async fn fills_are_paged_by_time() {
    let hyperliquid = with_agent().await;
    let asks: Vec<_> = (0..1_500).map(|_| ("60000".to_owned(), "0.0001".to_owned())).collect();
    for _ in 0..2 {
        assert!(hyperliquid.exchange.set_liquidity("BTC", &[], &asks));
        take(&hyperliquid, BTC, true, ("60000", "0.15")).await;
        hyperliquid.clock.advance(1_000);
    }
    let page = async |from: u64| {
        let query = json!({"type": "userFillsByTime", "startTime": from});
        ask(&hyperliquid, query).await.as_array().unwrap().clone()
    };
    let first = page(START).await;
    assert_eq!(first.len(), 2_000);
    let times: Vec<_> = first.iter().map(|fill| fill["time"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "the oldest first");
    assert_eq!((times[0], times[1_999]), (START, START + 1_000));
    let second = page(START + 1_000).await;
    let ids: HashSet<_> =
        first.iter().chain(&second).map(|fill| fill["tid"].as_u64().unwrap()).collect();
    assert_eq!((second.len(), ids.len()), (1_500, 3_000));
    assert_eq!(page(START + 1_001).await.len(), 0);
    let ended = json!({"type": "userFillsByTime", "startTime": 0, "endTime": START});
    assert_eq!(ask(&hyperliquid, ended).await.as_array().unwrap().len(), 1_500);
}

#[tokio::test]
async fn leverage_and_positions_survive_a_restart() {
    let before = with_agent().await;
    assert_eq!(set(&before, BTC, false, 7).await, "ok");
    take(&before, BTC, true, ("61000", "0.5")).await;
    let after = Hyperliquid::new();
    after.exchange.restore(&before.exchange.snapshot().unwrap()).unwrap();
    after.exchange.restore_market(&before.exchange.market_snapshot()).unwrap();
    for query in [
        json!({"type": "clearinghouseState"}),
        json!({"type": "spotClearinghouseState"}),
        json!({"type": "activeAssetData", "coin": "BTC"}),
        json!({"type": "userFillsByTime", "startTime": 0}),
        json!({"type": "historicalOrders"}),
    ] {
        assert_eq!(ask(&after, query.clone()).await, ask(&before, query.clone()).await, "{query}");
    }
}

#[tokio::test]
async fn leverage_needs_the_signature_of_an_agent() {
    let hyperliquid = with_agent().await;
    let action = json!({"type": "updateLeverage", "asset": BTC, "isCross": true, "leverage": 5});
    let stranger = Wallet::number(7);
    let said = hyperliquid.act(&stranger, &action).await;
    let address = stranger.address();
    assert_eq!(said, format!("User or API Wallet {address:#x} does not exist."));
    assert_eq!(leverage_of(&hyperliquid, "BTC").await, ("cross".to_owned(), 20));
}
