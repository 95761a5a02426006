//! Tests what the leak protection costs an honest wallet. It survives deaths of either party, it
//! refreshes its shares if too many runs were never closed, and many concurrent requests succeed.

use e2e::invariants;
use e2e::kill::{Call, Harness, Row, ended};
use e2e::leak::Scene;
use e2e::proxy::{Fate, Side};
use serde_json::json;

use super::PARTY;

const USER: &str = "user_1";

/// Returns the version of the shares in use, which both parties must agree on.
async fn version(h: &Harness) -> u32 {
    let view = invariants::view(&h.app, USER).await;
    assert!(!view.wallet.frozen);
    assert_eq!(invariants::cosigner_shares(&h.app, &view).await, [view.wallet.key_version]);
    view.wallet.key_version
}

/// Kills a signature between its two calls, so neither party closes its run.
async fn die(h: &Harness) {
    h.kill(&Call::sign(USER), "Lambda.Invoke", 2, Side::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_survives_three_deaths_and_refreshes_after() {
    let h = Harness::start().await;
    h.app.create_wallet(USER).await;
    for before in 1..=2 {
        for _ in 0..3 {
            die(&h).await;
            let signed = h.finish(&Call::sign(USER), ended::done).await;
            assert_eq!((signed.len(), signed[0].status), (1, 200), "{signed:?}");
            assert_eq!(version(&h).await, before);
        }
        die(&h).await;
        let signed = h.finish(&Call::sign(USER), ended::done).await;
        println!("after the fourth death: {signed:?}");
        assert_eq!(version(&h).await, before + 1);
    }
}

/// Kills both parties at every call, more often than one share version allows.
#[tokio::test(flavor = "multi_thread")]
async fn signing_killed_at_any_call_does_not_freeze_wallet() {
    let h = Harness::start().await;
    h.app.create_wallet(USER).await;
    let prepare = async || Call::sign(USER);
    let check = async |_: &Call| assert!(!invariants::view(&h.app, USER).await.wallet.frozen);
    let row = h.drive("sign", prepare, ended::done, check).await;
    println!("{}\n{row}", Row::HEAD);
    let signed = h.finish(&Call::sign(USER), ended::done).await;
    assert_eq!(signed.last().unwrap().status, 200, "{signed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_concurrent_signatures_two_cosigners_succeed() {
    let scene = Scene::start(PARTY).await;
    let plan = || -> e2e::proxy::Plan { Box::new(|_| Fate::Pass) };
    let cosigners = scene.cosigners(2, plan).await;
    let mut parties = scene.endpoints(2, plan, &cosigners[0].url).await;
    parties.extend(scene.endpoints(1, plan, &cosigners[1].url).await);
    let sign = async |nth: usize| {
        let url = format!("{}/api/wallets/victim/sign", parties[nth % parties.len()].url);
        let request = scene.app.request_to(&url).header("X-API-KEY", "tenant");
        let reply = scene.app.send(request.json(&json!({ "message": "hello" }))).await;
        (reply.status, reply.body.to_string())
    };
    let replies = futures_util::future::join_all((0..20).map(sign)).await;
    let failed: Vec<_> = replies.iter().filter(|(status, _)| *status != 200).collect();
    assert!(failed.is_empty(), "{} of 20: {failed:?}", failed.len());
    assert!(!scene.is_frozen().await);
    scene.entries().await;
}
