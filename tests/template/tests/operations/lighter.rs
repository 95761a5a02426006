//! Runs the operations on Lighter, with a key that is stored and one that a call brings.

use e2e::lighter::{ACCOUNT, KEY, OWNER, SLOT, accepted, open_account};
use exchange_sim::faults::Fault;
use http::Method;
use serde_json::{Value, json};

use crate::cloud::Cloud;

/// A price below the market that no order matches.
const LOW: &str = "59000";

async fn call(
    cloud: &Cloud,
    operation: &str,
    (method, rest): (Method, &str),
    body: Option<Value>,
) -> (u16, Value) {
    let joined = if rest.contains('?') { '&' } else { '?' };
    let path = format!("/api/trading/lighter/{rest}{joined}accountIndex={ACCOUNT}");
    cloud.send(&format!("{operation}-lighter"), (method, &path), body).await
}

async fn place(cloud: &Cloud, id: &str) -> (u16, Value) {
    let body = json!({
        "clientOrderId": id, "symbol": "BTC", "side": "BUY", "type": "LIMIT", "quantity": "0.01",
        "price": LOW,
    });
    call(cloud, "place-order", (Method::POST, "orders"), Some(body)).await
}

async fn open(cloud: &Cloud) -> usize {
    let (status, listed) =
        call(cloud, "get-orders", (Method::GET, "orders?symbol=BTC"), None).await;
    assert_eq!(status, 200, "{listed}");
    listed["data"]["orders"].as_array().unwrap().len()
}

async fn cancel_all(cloud: &Cloud) -> (u16, Value) {
    call(cloud, "cancel-orders", (Method::DELETE, "orders?symbol=BTC"), None).await
}

/// Runs all operations.
pub(super) async fn used(cloud: &Cloud) {
    cloud.app.clock.advance_ms(60_000);
    open_account(&cloud.app);
    let none = call(cloud, "get-credentials", (Method::GET, "credentials"), None).await;
    assert_eq!((none.0, &none.1["code"]), (404, &json!("API_KEY_NOT_FOUND")), "{none:?}");
    assert_eq!(place(cloud, "no-key").await.0, 404);
    let body = json!({ "apiKeyPrivateKey": KEY, "apiKeyIndex": SLOT, "accountIndex": ACCOUNT });
    let at = (Method::PUT, "/api/trading/lighter/credentials");
    let stored = cloud.send("set-credentials-lighter", at, Some(body)).await;
    assert_eq!(stored.0, 200, "{stored:?}");
    assert_eq!(call(cloud, "get-credentials", (Method::GET, "credentials"), None).await.0, 200);
    orders(cloud).await;
    account(cloud).await;
    lost(cloud).await;
    let gone = call(cloud, "delete-credentials", (Method::DELETE, "credentials"), None).await;
    assert_eq!(gone.0, 200, "{gone:?}");
}

async fn orders(cloud: &Cloud) {
    for id in ["one", "two"] {
        let placed = place(cloud, id).await;
        assert_eq!((placed.0, &placed.1["data"]["status"]), (200, &json!("OPEN")), "{placed:?}");
    }
    assert_eq!(place(cloud, "one").await.0, 200);
    assert_eq!((accepted(&cloud.app, "one"), open(cloud).await), (1, 2));
    let body = json!({ "price": "58000", "quantity": "0.02" });
    let changed = call(cloud, "modify-order", (Method::PUT, "orders/one"), Some(body)).await;
    assert_eq!(changed.0, 200, "{changed:?}");
    let status = call(cloud, "get-orders", (Method::GET, "orders/one/status"), None).await;
    assert_eq!((status.0, &status.1["data"]["quantity"]), (200, &json!("0.02")), "{status:?}");
    let gone = call(cloud, "cancel-orders", (Method::DELETE, "orders/one"), None).await;
    assert_eq!((gone.0, &gone.1["data"]["status"]), (200, &json!("CANCELED")), "{gone:?}");
    let all = cancel_all(cloud).await;
    assert_eq!((all.0, &all.1["data"]["count"]), (200, &json!(1)), "{all:?}");
}

/// The leverage, the position and the balances of the account, by each of its names.
async fn account(cloud: &Cloud) {
    let body = json!({ "symbol": "BTC", "leverage": 15, "marginMode": "ISOLATED" });
    let set = call(cloud, "set-leverage", (Method::POST, "leverage"), Some(body)).await;
    assert_eq!(set.0, 200, "{set:?}");
    for name in [ACCOUNT.to_string(), OWNER.to_owned()] {
        let path = format!("/api/trading/lighter/positions/{name}");
        let listed = cloud.send("get-positions-lighter", (Method::GET, &path), None).await;
        assert_eq!((listed.0, &listed.1["totalPositions"]), (200, &json!(0)), "{listed:?}");
    }
    for query in [format!("accountIndex={ACCOUNT}"), format!("walletAddress={OWNER}")] {
        let path = format!("/api/trading/lighter/balances?{query}");
        let balances = cloud.send("get-balances-lighter", (Method::GET, &path), None).await;
        assert_eq!(balances.0, 200, "{balances:?}");
    }
}

/// An order that was executed and one that never arrived, each with a lost response, are resolved by
/// the job, which has no key.
async fn lost(cloud: &Cloud) {
    let run = async || cloud.run("resolve-orders-lighter").await;
    assert_eq!(run().await["unknown"], json!(0));
    let simulator = &cloud.app.stack.lighter_sim;
    for (id, executes) in [("executed", true), ("never", false)] {
        cloud.app.clock.advance_ms(61_000);
        let first = if executes { Fault::AppliedButLost } else { Fault::Reset };
        simulator.fail_next("createOrder", first);
        for target in ["createOrder", "tx"] {
            for _ in 0..20 {
                simulator.fail_next(target, Fault::Reset);
            }
        }
        let unknown = place(cloud, id).await;
        assert_eq!((unknown.0, &unknown.1["code"]), (504, &json!("ORDER_UNKNOWN")), "{unknown:?}");
        assert!(simulator.clear_faults() > 0);
        // The signed bytes have expired.
        cloud.app.clock.advance_ms(90_000);
        let done = run().await;
        assert_eq!((&done["resolved"], &done["unknown"]), (&json!(1), &json!(0)), "{done}");
        assert_eq!(accepted(&cloud.app, id), u32::from(executes));
    }
    // Cancelling all orders of a market waits for one whose outcome is unknown.
    simulator.fail_next("createOrder", Fault::AppliedButLost);
    for target in ["createOrder", "tx"] {
        for _ in 0..20 {
            simulator.fail_next(target, Fault::Reset);
        }
    }
    assert_eq!(place(cloud, "under-way").await.0, 504);
    assert!(simulator.clear_faults() > 0);
    cloud.app.clock.advance_ms(61_000);
    let all = cancel_all(cloud).await;
    assert_eq!(all.0, 200, "{all:?}");
    assert_eq!(open(cloud).await, 0);
}
