//! The cosigner's rates: what messages use up, approvals and removals still have.

use e2e::TestApp;
use http::Method;
use serde_json::json;

use super::Client;

/// The product's policy with other limits a minute.
fn policy(wallet: u64, tenant: u64) -> String {
    let policy = include_str!("../../../../../infra/cosigner-policy.json");
    policy.replacen("\"perMinute\": 120", &format!("\"perMinute\": {wallet}"), 1).replacen(
        "\"perMinute\": 30000",
        &format!("\"perMinute\": {tenant}"),
        1,
    )
}

/// Starts at the beginning of a minute, because the limits count the signatures of a minute of the
/// clock, and rotations advance it by seconds.
async fn strict(wallet: u64, tenant: u64) -> TestApp {
    let app =
        TestApp::start_with(|options| options.cosigner_policy = Some(policy(wallet, tenant))).await;
    app.clock.advance_ms(60_000 - app.clock.now_ms() % 60_000);
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_use_up_neither_approvals_nor_removals_nor_refreshes() {
    for (wallet, tenant) in [(4, 30_000), (120, 4)] {
        let app = strict(wallet, tenant).await;
        let id = app.wallet("user_1").await.text("/walletId").parse().unwrap();
        for _ in 0..4 {
            assert_eq!(app.sign("user_1").await.status, 200);
        }
        let refused = app.sign("user_1").await;
        assert_eq!((refused.status, refused.text("/code")), (429, "SIGNING_RATE_LIMIT"));
        assert!(refused.text("/message").contains("too many messages"), "{refused:?}");
        let wait = refused.retry_after_s().unwrap();
        assert_eq!(wait, 60 - app.clock.now_ms() / 1_000 % 60);
        assert_eq!(app.register("hyperliquid", "user_1").await.status, 200);
        // The messages took nothing from the approvals, whose own limit comes later.
        let mut rotations = 0;
        let refused = loop {
            let reply = app.rotate("hyperliquid", "user_1").await;
            if reply.status != 200 {
                break reply;
            }
            rotations += 1;
        };
        // One approval registers, one rotates, and two rotate while removed agents hold the slots:
        // the second one replaces the agent by its name.
        assert_eq!(rotations, 2, "{refused:?}");
        let items = app.scan(hyperdex_local::COSIGNER_TABLE).await;
        let signed: Vec<String> = items
            .iter()
            .filter_map(|item| item.get("body")?.as_s().ok().cloned())
            .filter(|body| body.contains("HyperliquidApproveAgent"))
            .collect();
        let refused_once = signed.iter().filter(|body| body.contains("too many approvals")).count();
        assert_eq!((signed.len() - refused_once, refused_once), (4, 1), "{signed:?}");
        assert_eq!((refused.status, refused.text("/code")), (429, "SIGNING_RATE_LIMIT"));
        assert!(refused.text("/message").contains("too many approvals"), "{refused:?}");
        let key = app.api_key("hyperliquid", "user_1").await;
        assert_eq!(key.text("/data/state"), "active", "{key:?}");
        let custody = &app.stack.custody;
        custody.refresh(&domain::ids::Tenant::local(), id, None).await.unwrap();
        let gone = app.delete("hyperliquid", "user_1").await;
        assert_eq!(gone.status, 200, "{gone:?}");
        app.clock.advance_ms(wait * 1_000);
        assert_eq!(app.sign("user_1").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_refusal_is_not_kept_for_its_idempotency_key() {
    let app = strict(1, 30_000).await;
    app.wallet("user_1").await;
    assert_eq!(app.sign("user_1").await.status, 200);
    let keyed = || {
        let request = app.request(Method::POST, "/api/wallets/user_1/sign");
        let body = json!({ "message": "hello" });
        app.send(request.header("Idempotency-Key", "once").json(&body))
    };
    let refused = keyed().await;
    assert_eq!((refused.status, refused.text("/code")), (429, "SIGNING_RATE_LIMIT"));
    app.clock.advance_ms(refused.retry_after_s().unwrap() * 1_000);
    let signed = keyed().await;
    assert_eq!(signed.status, 200, "{signed:?}");
    assert!(signed.headers.get("idempotent-replay").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_of_one_tenant_is_not_that_of_another() {
    let app = strict(120, 2).await;
    let (busy, quiet) = (Client::new(&app, "busy"), Client::new(&app, "quiet"));
    let message = || Some(json!({ "message": "hello" }));
    for (client, expected) in [(&busy, [200, 200, 429]), (&quiet, [200, 200, 429])] {
        assert_eq!(client.create("user_1").await.status, 201);
        for status in expected {
            let path = "/api/wallets/user_1/sign";
            assert_eq!(client.send(Method::POST, path, message()).await.status, status);
        }
    }
}
