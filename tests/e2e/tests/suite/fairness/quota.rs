//! The quota of wallets.

use domain::ids::{Tenant, UserId};
use e2e::TestApp;
use futures_util::future::join_all;
use hyperdex_local::COSIGNER_TABLE;
use shared::caller::Caller;
use shared::wallets::{CreateError, Created};

use super::Client;

async fn limited(quota: u64) -> TestApp {
    TestApp::start_with(|options| options.wallets_per_tenant = quota).await
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_past_the_quota_is_refused_before_its_key_is_made() {
    let app = limited(2).await;
    let (full, other) = (Client::new(&app, "full"), Client::new(&app, "other"));
    for user in ["a", "b"] {
        assert_eq!(full.create(user).await.status, 201);
    }
    let before = app.scan(COSIGNER_TABLE).await.len();
    let refused = full.create("c").await;
    assert_eq!((refused.status, refused.text("/code")), (422, "WALLET_QUOTA_REACHED"));
    assert!(refused.text("/message").contains("quota of 2 wallets"), "{refused:?}");
    assert_eq!(app.scan(COSIGNER_TABLE).await.len(), before, "the cosigner was not asked");
    // What is there is found, and another tenant has a quota of its own.
    assert_eq!(full.create("a").await.status, 200);
    assert_eq!(other.create("a").await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_creations_never_exceed_the_quota() {
    let app = TestApp::start().await;
    let custody = app.stack.custody.clone().with_quota(3);
    let caller = Caller::from(Tenant::local());
    let users: Vec<UserId> =
        (0..6).map(|number| UserId::for_creation(&format!("user_{number}")).unwrap()).collect();
    // All of them find room before they make a key, and three find it when they store the wallet.
    let made = join_all(users.iter().map(|user| custody.create(&caller, user))).await;
    let count = |is_it: fn(&Result<Created, CreateError>) -> bool| {
        made.iter().filter(|made| is_it(made)).count()
    };
    assert_eq!(count(|made| matches!(made, Ok(Created::New(_)))), 3, "{made:?}");
    assert_eq!(count(|made| matches!(made, Err(CreateError::QuotaReached { quota: 3 }))), 3);
    let listed = app.get("/api/wallets").await;
    assert_eq!(listed.body["wallets"].as_array().unwrap().len(), 3);
    let counted = app.stack.custody.store.wallet_count(&Tenant::local(), 3).await;
    assert_eq!(counted.unwrap().total(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_creations_of_one_user_are_counted_once() {
    let app = limited(2).await;
    let body = serde_json::json!({ "userId": "user_1" });
    let made = join_all((0..4).map(|_| app.post("/api/wallets", body.clone()))).await;
    assert!(made.iter().all(|reply| matches!(reply.status, 200 | 201)), "{made:?}");
    let counted = app.stack.custody.store.wallet_count(&Tenant::local(), 2).await;
    assert_eq!(counted.unwrap().total(), 1);
}
