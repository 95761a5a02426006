//! Transfers on a chain whose nodes lag, and transactions that replace others.

use e2e::Reply;
use e2e::payments::{BSC, Place};
use exchange_sim::faults::Fault;
use serde_json::json;

use super::Scene;

/// A node that has not seen the block of the transaction.
fn without_receipt() -> Fault {
    Fault::Status(200, r#"{"jsonrpc":"2.0","id":1,"result":null}"#.to_owned())
}

async fn state_after(scene: &Scene, id: &str, ms: u64) -> Reply {
    scene.app.clock.advance_ms(ms);
    scene.till.state(&scene.app, Place::Chain, id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn mined_transfer_is_not_refused_by_a_node_that_lags() {
    let scene = Scene::open().await;
    let chains = &scene.app.stack.chains_sim;
    let paid = scene.till.pay(&scene.app, Place::Chain, "1", "20").await;
    assert_eq!(paid.text("/data/state"), "SENT", "{paid:?}");
    let id = paid.text("/data/transferId").to_owned();
    // The account's nonce is used, and no node has the receipt.
    for _ in 0..2 {
        chains.fail_next("eth_getTransactionReceipt", without_receipt());
        let state = state_after(&scene, &id, 61_000).await;
        assert_eq!(state.text("/data/state"), "SENT", "{state:?}");
    }
    let state = state_after(&scene, &id, 3_600_000).await;
    assert_eq!(state.text("/data/state"), "COMPLETED", "{state:?}");
    assert_eq!(scene.till.executed(&scene.app, Place::Chain, "20"), 1);
}

/// The usual fees of a cancellation replace the transaction that waits.
#[tokio::test(flavor = "multi_thread")]
async fn cancellation_replaces_a_transaction_that_waits() {
    let scene = Scene::open().await;
    let chains = &scene.app.stack.chains_sim;
    assert!(chains.hold_blocks(BSC, true));
    let paid = scene.till.pay(&scene.app, Place::Chain, "paid", "20").await;
    assert_eq!(paid.text("/data/state"), "SENT", "{paid:?}");
    let (id, nonce) = (paid.text("/data/transferId").to_owned(), &paid.body["data"]["nonce"]);
    let body = json!({
        "chainId": BSC, "asset": "native", "amount": "0", "accountNonce": nonce,
        "destination": scene.till.address.to_string(),
    });
    let cancelled = scene.till.pay_with(&scene.app, Place::Chain, "cancel", &body).await;
    assert_eq!(cancelled.text("/data/state"), "SENT", "{cancelled:?}");
    assert!(chains.hold_blocks(BSC, false));
    assert!(chains.mine(BSC));
    let by = cancelled.text("/data/transferId").to_owned();
    let state = state_after(&scene, &by, 61_000).await;
    assert_eq!(state.text("/data/state"), "COMPLETED", "{state:?}");
    // Its nonce is used. That is final when no node can still lag.
    let state = state_after(&scene, &id, 1_000).await;
    assert_eq!(state.text("/data/state"), "SENT", "{state:?}");
    let state = state_after(&scene, &id, 600_000).await;
    let refusal = state.text("/data/refusal/code");
    assert_eq!((state.text("/data/state"), refusal), ("REFUSED", "NONCE_TAKEN"), "{state:?}");
    assert_eq!(scene.till.executed(&scene.app, Place::Chain, "20"), 0);
}

/// A refused payment leaves its key free, also for another amount.
#[tokio::test(flavor = "multi_thread")]
async fn key_of_a_refused_payment_is_free() {
    let scene = Scene::limited("100", None).await;
    for place in [Place::Hyperliquid, Place::Chain] {
        let refused = scene.till.pay(&scene.app, place, "key", "500").await;
        assert_eq!((refused.status, refused.text("/code")), (422, "POLICY_REFUSED"), "{refused:?}");
        let paid = scene.till.pay(&scene.app, place, "key", "50").await;
        assert!(matches!(paid.status, 200 | 202), "{place:?}: {paid:?}");
    }
}
