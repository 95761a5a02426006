//! Runs the operations on an account: positions, balances and executions read, leverage set, and
//! positions closed.

use http::Method;
use serde_json::{Value, json};

use super::Exchange;
use crate::cloud::Cloud;

/// The functions of an exchange.
struct Account<'a> {
    cloud: &'a Cloud,
    name: &'static str,
}

impl Account<'_> {
    async fn get(&self, operation: &str, path: &str) -> Value {
        let function = format!("{operation}-{}", self.name);
        let (status, body) = self.cloud.send(&function, (Method::GET, path), None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn post(&self, operation: &str, rest: &str, body: Value) -> (u16, Value) {
        let function = format!("{operation}-{}", self.name);
        let path = format!("/api/trading/{}/{rest}", self.name);
        self.cloud.send(&function, (Method::POST, &path), Some(body)).await
    }

    /// Opens a long position.
    async fn open(&self, id: &str) {
        let order = json!({
            "walletIdOrAddress": "user_2", "clientOrderId": id, "symbol": "BTC", "side": "BUY",
            "type": "MARKET", "quantity": "0.01",
        });
        let (status, placed) = self.post("place-order", "orders", order).await;
        assert_eq!((status, &placed["data"]["status"]), (200, &json!("FILLED")), "{placed}");
    }
}

/// Runs all operations on the account of a registered wallet.
pub(super) async fn used(cloud: &Cloud, exchange: &Exchange) {
    cloud.app.clock.advance_ms(60_000);
    let name = exchange.function.strip_prefix("register-").unwrap();
    let account = Account { cloud, name };
    account.open("account-1").await;
    let path = "/api/wallets/user_2";
    let (_, wallet) = cloud.send("get-wallet", (Method::GET, path), None).await;
    let names = [wallet["address"].as_str().unwrap(), "user_2"];
    for wallet in names {
        let path = format!("/api/trading/{name}/positions/{wallet}");
        assert_eq!(account.get("get-positions", &path).await["totalPositions"], 1);
        let path = format!("/api/trading/{name}/balances?walletIdOrAddress={wallet}");
        let balances = account.get("get-balances", &path).await;
        assert_eq!(balances["data"]["exchange"], name, "{balances}");
        let path = format!("/api/trading/{name}/fills?walletIdOrAddress={wallet}&symbol=BTC");
        assert!(account.get("get-fills", &path).await["count"].as_u64() >= Some(1));
    }
    // The budget refills.
    cloud.app.clock.advance_ms(60_000);
    for (wallet, leverage, quantity) in [(names[0], 4, "0.003"), (names[1], 5, "0.004")] {
        let body = json!({ "walletIdOrAddress": wallet, "symbol": "BTC", "leverage": leverage });
        let (status, set) = account.post("set-leverage", "leverage", body).await;
        assert_eq!((status, &set["data"]["leverage"]), (200, &json!(leverage)), "{set}");
        let part = json!({ "walletIdOrAddress": wallet, "symbol": "BTC", "quantity": quantity });
        let (status, closed) = account.post("close-position", "positions/close", part).await;
        assert_eq!((status, &closed["data"]["status"]), (200, &json!("FILLED")), "{closed}");
    }
    let all = json!({ "walletIdOrAddress": "user_2", "all": true, "clientOrderId": "all-1" });
    let (status, closed) = account.post("close-position", "positions/close", all.clone()).await;
    assert_eq!((status, &closed["data"]["placed"]), (200, &json!(1)), "{closed}");
    let again = account.post("close-position", "positions/close", all).await;
    assert_eq!((again.0, &again.1["data"]), (200, &closed["data"]), "{again:?}");
    for wallet in names {
        let path = format!("/api/trading/positions/all/{wallet}");
        let (status, all) = cloud.send("get-positions-all", (Method::GET, &path), None).await;
        assert_eq!((status, &all["totalPositions"]), (200, &json!(0)), "{all}");
    }
    of_paths_with_the_wallet(&account).await;
}

/// Calls the paths that name the wallet.
async fn of_paths_with_the_wallet(account: &Account<'_>) {
    let wallet = "user_2";
    let post = async |operation: &str, path: String, body: Value| {
        let function = format!("{operation}-{}", account.name);
        account.cloud.send(&function, (Method::POST, &path), Some(body)).await
    };
    if account.name == "aster" {
        let order =
            json!({ "symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.01" });
        let placed = post("place-order", format!("/api/aster/perp/{wallet}/order"), order).await;
        assert_eq!(placed.0, 200, "{placed:?}");
        let path = format!("/api/aster/perp/{wallet}/positions?symbol=BTCUSDT");
        let positions = account.get("get-positions", &path).await;
        assert_eq!(positions["data"][0]["positionAmt"], "-0.01", "{positions}");
        let path = format!("/api/aster/perp/{wallet}/account");
        assert!(account.get("get-balances", &path).await["data"]["balances"].is_array());
        let path = format!("/api/aster/perp/{wallet}/close-position");
        let closed = post("close-position", path, json!({ "symbol": "BTCUSDT" })).await;
        assert_eq!((closed.0, &closed.1["data"]["side"]), (200, &json!("BUY")), "{closed:?}");
        return;
    }
    account.open("account-2").await;
    let path = format!("/api/hyperliquid/{wallet}/positions/close/BTC-PERP");
    let close = json!({
        "userId": wallet, "symbol": "BTC-PERP", "side": "SELL", "type": "MARKET",
        "quantity": "0.004", "price": "60000", "reduceOnly": true,
    });
    let closed = post("close-position", path, close).await;
    assert_eq!((closed.0, &closed.1["data"]["status"]), (200, &json!("FILLED")), "{closed:?}");
    let path = format!("/api/hyperliquid/{wallet}/positions/close-all");
    let closed = post("close-position", path, json!({})).await;
    assert_eq!((closed.0, &closed.1["data"]["placed"]), (200, &json!(1)), "{closed:?}");
    let path = format!("/api/hyperliquid/{wallet}/orders/historical");
    assert!(account.get("get-orders", &path).await["count"].as_u64() >= Some(3));
}
