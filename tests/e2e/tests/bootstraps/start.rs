//! Tests the start of a function: cold, with a bad configuration, and without tenant keys.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;

use crate::create_event;
use crate::event::{get, post, scheduled, with_key};
use crate::lambda::{CONSUMERS, FUNCTIONS, Invoked, JOBS, Lambda, cloud};

fn ms(started: Instant) -> String {
    format!("{:.1} ms", started.elapsed().as_secs_f64() * 1_000.0)
}

#[test]
fn every_function_is_tested_as_built() {
    let folders = template::folders();
    let mut names: Vec<String> = folders.iter().map(|folder| template::package(folder)).collect();
    names.sort_unstable();
    assert_eq!(names, FUNCTIONS);
}

/// The test reports the times without judging them, because they depend on the machine.
#[tokio::test(flavor = "multi_thread")]
async fn cold_function_serves_its_first_call() {
    let (stack, _data) = cloud().await;
    let mut times: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for _ in 0..3 {
        // Each round uses a new emulator, because an emulator may send a call to a process that was
        // just killed.
        let lambda = Lambda::start().await;
        for name in FUNCTIONS {
            let mut function = lambda.function(name, &stack);
            let started = Instant::now();
            if name == "cosigner" {
                let refused = function.invoke("\"no message\"").await;
                assert!(matches!(refused, Invoked::Answered(_)), "{refused:?}");
            } else if CONSUMERS.contains(&name) {
                let done = function.invoke(json!({ "Records": [] }).to_string()).await;
                let none = json!({ "batchItemFailures": [] });
                assert!(matches!(&done, Invoked::Answered(it) if *it == none), "{done:?}");
            } else if JOBS.contains(&name) {
                let done = function.invoke(scheduled().to_string()).await;
                assert!(matches!(done, Invoked::Answered(_)), "{done:?}");
            } else {
                assert_eq!(function.call(&get("/api/nothing")).await.status, 404);
            }
            times.entry(name).or_default().push(ms(started));
        }
    }
    for (name, times) in times {
        println!("from process start to first response: {name}: {}", times.join(", "));
    }
    // Both parties cold with their first connections, then both warm.
    let lambda = Lambda::start().await;
    let started = Instant::now();
    let _cosigner = lambda.function("cosigner", &stack).started();
    let mut create = lambda.function("create-wallet", &stack);
    for user in ["cold", "warm", "warm_2"] {
        let started = if user == "cold" { started } else { Instant::now() };
        let reply = create.call(&create_event(user)).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        println!("create a wallet, {user}: {}", ms(started));
    }
    let mut sign = lambda.function("sign-message", &stack);
    for kind in ["cold", "warm", "warm"] {
        let started = Instant::now();
        let event = post("/api/wallets/cold/sign", &json!({ "message": "hello" }));
        assert_eq!(sign.call(&event).await.status, 200);
        println!("sign a message, {kind}: {}", ms(started));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_setting_fails_the_start_by_name() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    for (name, settings) in [
        ("create-wallet", &["WALLETS_TABLE", "WALLETS_KEY_ID", "COSIGNER_FUNCTION"][..]),
        ("get-wallet", &["WALLETS_TABLE", "AWS_REGION"]),
        ("register-aster", &["ASTER_URL"]),
        ("register-hyperliquid", &["HYPERLIQUID_URL"]),
        ("rotate-apikey", &["WALLETS_TABLE", "ASTER_URL", "HYPERLIQUID_URL"]),
        ("renew-apikeys", &["WALLETS_KEY_ID", "ASTER_URL", "HYPERLIQUID_URL"]),
        ("cosigner", &["COSIGNER_TABLE", "COSIGNER_KEY_ID"]),
    ] {
        for setting in settings {
            let (failed, log) = lambda.function(name, &stack).without(setting).ends().await;
            assert!(failed && log.contains(setting), "{name} without {setting}: {log}");
        }
    }
    let http = lambda.function("register-aster", &stack).with("ASTER_URL", "http://example.com");
    let (failed, log) = http.ends().await;
    assert!(failed && log.contains("ASTER_URL") && !log.contains("example.com"), "{log}");
}

/// As under `sam local`, which does not check tenant keys.
#[tokio::test(flavor = "multi_thread")]
async fn call_without_a_key_uses_configured_tenant() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let _cosigner = lambda.function("cosigner", &stack).started();
    let set = |name| lambda.function(name, &stack).with("TENANT_WITHOUT_KEY", "local");
    let creation = with_key(create_event("user_1"), None);
    assert_eq!(set("create-wallet").call(&creation).await.status, 201);
    let mut find = set("get-wallet");
    assert_eq!(find.call(&with_key(get("/api/wallets/user_1"), None)).await.status, 200);
    // A tenant key takes precedence.
    assert_eq!(find.call(&get("/api/wallets/user_1")).await.status, 404);
    let named = find.call(&with_key(get("/api/wallets/user_1"), Some("local"))).await;
    assert_eq!(named.status, 200);
    let bad = lambda.function("health", &stack).with("TENANT_WITHOUT_KEY", "not a tenant");
    let (failed, log) = bad.ends().await;
    assert!(failed && log.contains("TENANT_WITHOUT_KEY"), "{log}");
}
