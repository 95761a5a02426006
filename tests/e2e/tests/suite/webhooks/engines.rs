//! Tests the stream of an external DynamoDB.

use e2e::TestApp;
use hyperdex_local::Engines;
use platform::env::Env;

use super::receiver::{Receiver, kinds, verify};
use super::{hook, register, settle};

#[tokio::test(flavor = "multi_thread")]
async fn external_engine_stream_feeds_webhooks() {
    // Uses the embedded engines of another stack, which publishes nothing itself.
    let (engine, receiver) = (TestApp::start().await, Receiver::start().await);
    let [dynamodb, kms] =
        [&engine.stack.dynamodb, &engine.stack.kms].map(|url| url.parse().unwrap());
    let engines = Engines::new((&dynamodb, &kms), (None, None), &Env(&|_| None)).unwrap();
    let app = TestApp::start_empty(|options| options.engines = Some(engines)).await;
    assert_eq!(app.stack.webhooks_off, None);
    let hook = hook(&app, &receiver.url).await;
    for user in ["user_1", "user_2"] {
        app.wallet(user).await;
        settle(&app).await;
        let made = receiver.take();
        assert_eq!(kinds(&made), ["wallet.created"]);
        assert!(made[0].body.contains(user));
        verify(&hook.secret, &made[0]);
    }
    register(&app, "aster", "user_2", false).await;
    settle(&app).await;
    assert_eq!(kinds(&receiver.take()), ["credential.active"]);
}
