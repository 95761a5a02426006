//! Tests the HTTP contract of positions, balances, executions, closing and leverage, and the paths
//! that name the wallet.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use domain::ids::Exchange;
use e2e::{Reply, TestApp};
use exchange_sim::faults::Fault;
use http::Method;
use serde_json::{Value, json};

/// A wallet with funds and a trading key at both exchanges.
struct Desk {
    app: TestApp,
    wallet_id: String,
    address: String,
}

impl Desk {
    async fn open() -> Self {
        let app = TestApp::start().await;
        let wallet = app.wallet("trader").await;
        let address: exchange_sim::Address = wallet.text("/address").parse().unwrap();
        app.stack.aster_sim.deposit_amount(address, "100000");
        app.stack.hyperliquid_sim.deposit_amount(address, "", "100000");
        for exchange in Exchange::ALL {
            assert_eq!(app.register(exchange.as_str(), "trader").await.status, 200);
        }
        let wallet_id = wallet.text("/walletId").to_owned();
        Self { app, wallet_id, address: wallet.text("/address").to_owned() }
    }

    async fn get(&self, path: &str) -> Reply {
        let request = self.app.request(Method::GET, path).header("x-wallet-id", &self.wallet_id);
        self.app.send(request).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        let request = self.app.request(Method::POST, path).header("x-wallet-id", &self.wallet_id);
        self.app.send(request.json(body)).await
    }

    /// Opens a long position of 0.01 BTC.
    async fn long(&self, exchange: Exchange) {
        let body = json!({ "symbol": "BTC", "side": "BUY", "type": "MARKET", "quantity": "0.01" });
        let placed = self.post(&format!("/api/trading/{exchange}/orders"), &body).await;
        assert_eq!((placed.status, placed.text("/data/status")), (200, "FILLED"), "{placed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn position_has_the_published_fields() {
    let desk = Desk::open().await;
    for exchange in Exchange::ALL {
        let path = format!("/api/trading/{exchange}/positions/{}", desk.address);
        let none = desk.get(&path).await;
        assert_eq!((none.status, &none.body["totalPositions"]), (200, &json!(0)), "{none:?}");
        assert_eq!(none.body["positions"], json!([]));
        desk.long(exchange).await;
        let one = desk.get(&path).await;
        assert_eq!(one.text("/walletAddress"), desk.address);
        assert_eq!(one.body["totalPositions"], 1);
        let position = &one.body["positions"][0];
        for text in [
            "symbol",
            "exchange",
            "direction",
            "size",
            "entryPrice",
            "markPrice",
            "unrealizedPnl",
            "unrealizedPnlPercent",
            "collateral",
            "margin",
            "walletAddress",
        ] {
            assert!(position[text].is_string(), "{text}: {position}");
        }
        assert!(position["leverage"].is_u64() && position["timestamp"].is_u64(), "{position}");
        assert!(position.as_object().unwrap().contains_key("liquidationPrice"));
        assert_eq!((&position["direction"], &position["size"]), (&json!("LONG"), &json!("0.01")));
    }
    let all = desk.get(&format!("/api/trading/positions/all/{}", desk.wallet_id)).await;
    assert_eq!((all.status, &all.body["totalPositions"]), (200, &json!(2)), "{all:?}");
    let read = |exchange: &str| json!({ "exchange": exchange, "success": true });
    assert_eq!(all.body["exchanges"], json!([read("hyperliquid"), read("aster")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_exchange_does_not_hide_the_positions_at_the_other() {
    let desk = Desk::open().await;
    desk.long(Exchange::Aster).await;
    desk.app
        .stack
        .hyperliquid_sim
        .fail_next("clearinghouseState", Fault::Status(500, String::new()));
    let path = format!("/api/trading/positions/all/{}", desk.address);
    let all = desk.get(&path).await;
    assert_eq!((all.status, &all.body["totalPositions"]), (200, &json!(1)), "{all:?}");
    let failed = &all.body["exchanges"][0];
    assert_eq!((&failed["exchange"], &failed["success"]), (&json!("hyperliquid"), &json!(false)));
    assert_eq!(failed["code"], "EXCHANGE_UNAVAILABLE");
    // A wallet without a key on Aster still has positions on Hyperliquid.
    let app = TestApp::start().await;
    app.wallet("one").await;
    assert_eq!(app.register("hyperliquid", "one").await.status, 200);
    let request = app.request(Method::GET, "/api/trading/positions/all/one");
    let all = app.send(request).await;
    assert_eq!((all.status, &all.body["exchanges"][1]["code"]), (200, &json!("API_KEY_NOT_FOUND")));
    assert_eq!(
        all.body["exchanges"][1]["error"], "Missing or invalid credentials for Aster",
        "{all:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_positions_have_the_published_texts() {
    let desk = Desk::open().await;
    for exchange in Exchange::ALL {
        for name in ["0x12", "a%20b", "0xZZZZ4aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7"] {
            let path = format!("/api/trading/{exchange}/positions/{name}");
            let wrong = desk.app.send(desk.app.request(Method::GET, &path)).await;
            assert_eq!(wrong.status, 400, "{wrong:?}");
            assert_eq!(wrong.text("/error"), "Invalid wallet address format");
        }
        let path = format!("/api/trading/{exchange}/positions/nobody");
        let none = desk.app.send(desk.app.request(Method::GET, &path)).await;
        assert_eq!((none.status, none.text("/error")), (404, "Wallet not found"));
    }
    desk.app.wallet("keyless").await;
    for path in [
        "/api/trading/aster/positions/keyless",
        "/api/trading/aster/balances?walletIdOrAddress=keyless",
        "/api/trading/aster/fills?walletIdOrAddress=keyless&symbol=BTC",
        "/api/aster/perp/keyless/account",
    ] {
        let none = desk.app.send(desk.app.request(Method::GET, path)).await;
        assert_eq!((none.status, none.text("/code")), (404, "API_KEY_NOT_FOUND"), "{path}");
        assert_eq!(none.text("/error"), "Missing or invalid credentials for Aster");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn close_is_replayed_and_refused_in_the_published_way() {
    let desk = Desk::open().await;
    for exchange in Exchange::ALL {
        let path = format!("/api/trading/{exchange}/positions/close");
        let close = json!({ "symbol": "BTC", "clientOrderId": "close-1" });
        let none = desk.post(&path, &close).await;
        assert_eq!((none.status, none.text("/code")), (404, "POSITION_NOT_FOUND"), "{none:?}");
        desk.long(exchange).await;
        let closed = desk.post(&path, &close).await;
        assert_eq!((closed.status, closed.text("/data/status")), (200, "FILLED"), "{closed:?}");
        assert_eq!(closed.body["data"]["reduceOnly"], true);
        assert_eq!(closed.text("/data/side"), "SELL");
        let again = desk.post(&path, &close).await;
        assert_eq!(again.body["data"], closed.body["data"], "{again:?}");
        for (body, error) in [
            (json!({}), "Missing required parameter: symbol"),
            (json!({ "symbol": "BTC", "reduceOnly": false }), "reduceOnly must be true"),
            (json!({ "symbol": "BTC", "all": true }), "symbol contradicts all"),
            (json!({ "symbol": "BTC", "size": "1" }), "Unknown field: size"),
            (json!({ "symbol": "BTC", "type": "LIMIT" }), "Missing required parameter: price"),
        ] {
            let refused = desk.post(&path, &body).await;
            assert_eq!(refused.status, 400, "{refused:?}");
            assert!(refused.text("/error").starts_with(error), "{refused:?}");
        }
        desk.long(exchange).await;
        let all = desk.post(&path, &json!({ "all": true })).await;
        assert_eq!((all.status, &all.body["data"]["placed"]), (200, &json!(1)), "{all:?}");
        assert_eq!(all.text("/data/orders/0/order/status"), "FILLED");
        assert!(all.text("/data/orders/0/symbol").starts_with("BTC"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leverage_is_a_number_in_request_and_response() {
    let desk = Desk::open().await;
    for exchange in Exchange::ALL {
        let path = format!("/api/trading/{exchange}/leverage");
        let body = json!({ "symbol": "BTC", "leverage": 4, "marginMode": "ISOLATED" });
        let set = desk.post(&path, &body).await;
        assert_eq!(set.status, 200, "{set:?}");
        assert_eq!(set.body["data"]["leverage"], 4);
        assert_eq!(set.text("/data/marginMode"), "ISOLATED");
        for body in [
            json!({ "symbol": "BTC" }),
            json!({ "leverage": 4 }),
            json!({ "symbol": "BTC", "leverage": 0 }),
            json!({ "symbol": "BTC", "leverage": "4" }),
            json!({ "symbol": "BTC", "leverage": 4, "marginMode": "SHARED" }),
        ] {
            assert_eq!(desk.post(&path, &body).await.status, 400, "{body}");
        }
        let policy = json!({ "maxLeverage": 10 });
        let request = desk.app.request(Method::PUT, "/api/trading/policy").json(&policy);
        assert_eq!(desk.app.send(request).await.status, 200);
        let refused = desk.post(&path, &json!({ "symbol": "BTC", "leverage": 11 })).await;
        assert_eq!((refused.status, refused.text("/code")), (422, "POLICY_REFUSED"));
        assert_eq!((refused.text("/reason"), refused.text("/limit")), ("LEVERAGE", "10"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn balances_and_fills_have_the_published_fields() {
    let desk = Desk::open().await;
    for exchange in Exchange::ALL {
        desk.long(exchange).await;
        for path in [
            format!("/api/trading/{exchange}/balances"),
            format!("/api/trading/{exchange}/balances?walletAddress={}", desk.address),
        ] {
            let balances = desk.get(&path).await;
            assert_eq!(balances.status, 200, "{balances:?}");
            let data = &balances.body["data"];
            assert_eq!((&data["success"], &data["address"]), (&json!(true), &json!(desk.address)));
            assert_eq!(data["exchange"], exchange.as_str());
            assert!(data["withdrawable"].is_string() && data["accountValue"].is_string());
            for field in [
                "asset",
                "free",
                "locked",
                "total",
                "crossWalletBalance",
                "crossUnPnl",
                "maxWithdrawAmount",
            ] {
                assert!(data["balances"][0][field].is_string(), "{field}: {data}");
            }
        }
        let fills = desk.get(&format!("/api/trading/{exchange}/fills?symbol=BTC")).await;
        assert_eq!((fills.status, &fills.body["count"]), (200, &json!(1)), "{fills:?}");
        let fill = &fills.body["data"]["fills"][0];
        assert_eq!((&fill["side"], &fill["quantity"]), (&json!("BUY"), &json!("0.01")));
        assert_eq!(fill["liquidity"], "TAKER");
        let wrong = desk.get(&format!("/api/trading/{exchange}/fills?symbol=BTC&from=x")).await;
        assert_eq!(wrong.status, 400, "{wrong:?}");
    }
    let missing = desk.get("/api/trading/aster/fills").await;
    assert_eq!(missing.text("/error"), "Missing required parameter: symbol");
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_with_the_wallet_serve_the_same_operations() {
    let desk = Desk::open().await;
    let (perp, wallet) = (
        format!("/api/aster/perp/{}", desk.wallet_id),
        format!("/api/hyperliquid/{}", desk.wallet_id),
    );
    let order = json!({
        "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01",
        "positionSide": "BOTH",
    });
    let placed = desk.post(&format!("{perp}/order"), &order).await;
    assert_eq!((placed.status, placed.text("/data/status")), (200, "FILLED"), "{placed:?}");
    let positions = desk.get(&format!("{perp}/positions?symbol=BTCUSDT")).await;
    let position = &positions.body["data"][0];
    assert_eq!(
        (&position["positionAmt"], &position["marginType"]),
        (&json!("0.01"), &json!("cross"))
    );
    assert!(position["leverage"].is_string() && position["updateTime"].is_u64(), "{position}");
    assert!(position["unRealizedProfit"].is_string(), "{position}");
    let account = desk.get(&format!("{perp}/account")).await;
    assert_eq!(account.text("/data/balances/0/asset"), "USDT");
    let closed =
        desk.post(&format!("{perp}/close-position"), &json!({ "symbol": "BTCUSDT" })).await;
    assert_eq!((closed.status, closed.text("/data/side")), (200, "SELL"), "{closed:?}");

    desk.long(Exchange::Hyperliquid).await;
    // As the published client sends it: the name of the wallet as userId, and a price.
    let close = json!({
        "userId": desk.wallet_id, "symbol": "BTC-PERP", "side": "SELL", "type": "MARKET",
        "quantity": "0.004", "price": "60000", "reduceOnly": true,
    });
    let path = format!("{wallet}/positions/close/BTC-PERP");
    let closed = desk.post(&path, &close).await;
    assert_eq!((closed.status, closed.text("/data/filledQuantity")), (200, "0.004"), "{closed:?}");
    // Another market, a limit without its type, and every market.
    let limit = json!({ "symbol": "BTC", "quantity": "0.001", "price": "60000" });
    for refused in [json!({ "symbol": "ETH" }), limit, json!({ "all": true })] {
        assert_eq!(desk.post(&path, &refused).await.status, 400, "{refused}");
    }
    let all = desk.post(&format!("{wallet}/positions/close-all"), &json!({})).await;
    assert_eq!((all.status, &all.body["data"]["placed"]), (200, &json!(1)), "{all:?}");
    let past = desk.get(&format!("{wallet}/orders/historical")).await;
    assert_eq!((past.status, &past.body["count"]), (200, &json!(3)), "{past:?}");
    assert_eq!(past.text("/data/0/type"), "Market");
    let other = desk.app.wallet("other").await.text("/walletId").to_owned();
    let path = format!("/api/hyperliquid/{other}/positions/close-all");
    let contradiction = desk.post(&path, &json!({})).await;
    assert_eq!(contradiction.status, 400, "{contradiction:?}");
}
