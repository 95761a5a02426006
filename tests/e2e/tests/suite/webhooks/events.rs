//! Tests webhooks from the change of a wallet or credential to the receiver. Real operations cause
//! every event, another implementation verifies the signatures, and deaths lose no event.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use e2e::{DAY_MS, RECONCILE_LIMITS, RENEW_LIMITS, TestApp};
use exchange_sim::faults::Fault;
use http::Method;
use serde_json::{Value, json};
use shared::credentials::RenewLimits;
use standardwebhooks::Webhook;

use super::receiver::{Receiver, kinds, verify};
use super::{hook, register, settle};

async fn reconcile(app: &TestApp) {
    app.stack.jobs.reconcile(&RECONCILE_LIMITS).await.unwrap();
}

async fn renew(app: &TestApp, keys_are_handed_out: bool) {
    let limits = RenewLimits { keys_are_handed_out, ..RENEW_LIMITS };
    app.stack.jobs.renew(&limits).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_events_are_signed_and_hold_no_secret() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    // Without a webhook no event is stored.
    app.create_wallet("early").await;
    settle(&app).await;
    let hook = hook(&app, &receiver.url).await;
    let wallet = app.create_wallet("user_1").await;
    settle(&app).await;
    let made = receiver.take();
    assert_eq!(kinds(&made), ["wallet.created"]);
    // The library checks the timestamp with its own clock and a tolerance of five minutes.
    Webhook::new(&hook.secret).unwrap().verify(made[0].body.as_bytes(), &made[0].headers).unwrap();
    assert_eq!(made[0].json()["data"]["walletId"], wallet.body["walletId"]);
    let (mut all, mut secrets) = (made, Vec::new());
    for exchange in ["aster", "hyperliquid"] {
        let registered = register(&app, exchange, "user_1", true).await;
        settle(&app).await;
        let active = receiver.take();
        assert_eq!(kinds(&active), ["credential.active"]);
        let data = &active[0].json()["data"];
        assert_eq!(
            (&data["walletId"], &data["exchange"]),
            (&wallet.body["walletId"], &json!(exchange))
        );
        let agent =
            ["agentAddress", "apiWalletAddress"].map(|name| registered.body["data"][name].clone());
        assert!(agent.contains(&data["agentAddress"]), "{data}");
        let rotated = app.rotate(exchange, "user_1").await;
        assert_eq!(rotated.status, 200, "{}", rotated.body["error"]);
        settle(&app).await;
        let renewed = receiver.take();
        assert_eq!(kinds(&renewed), ["credential.renewed"]);
        let renewal = &renewed[0].json()["data"];
        assert_eq!(
            (&renewal["previousAgentAddress"], &renewal["previousKept"]),
            (&data["agentAddress"], &json!(false))
        );
        app.clock.advance_ms(60_000);
        assert_eq!(app.delete(exchange, "user_1").await.status, 200);
        settle(&app).await;
        let revoked = receiver.take();
        assert_eq!(kinds(&revoked), ["credential.revoked"]);
        assert_eq!(revoked[0].json()["data"]["agentAddress"], renewal["agentAddress"]);
        all.extend([active, renewed, revoked].concat());
        secrets.extend(
            [&registered, &rotated].map(|reply| reply.text("/data/apiPrivateKey").to_owned()),
        );
    }
    // A definite refusal causes no event.
    let refusal = r#"{"status":"err","response":"Too many extra agents"}"#;
    app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::Status(200, refusal.to_owned()));
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 422);
    settle(&app).await;
    assert!(receiver.take().is_empty());
    secrets.retain(|secret| !secret.is_empty());
    assert_eq!((all.len(), secrets.len()), (7, 2));
    secrets.push(hook.secret.clone());
    for arrived in &all {
        verify(&hook.secret, arrived);
        let sent = format!("{:?}{}", arrived.headers, arrived.body);
        for secret in &secrets {
            assert!(!sent.contains(secret.trim_start_matches("0x")), "{}", arrived.kind());
        }
        assert!(!sent.contains("sealed"), "{}", arrived.kind());
    }
    let ids: std::collections::BTreeSet<&str> = all.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids.len(), all.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_events_of_jobs_arrive_once() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let started_ms = app.clock.now_ms();
    let hook = hook(&app, &receiver.url).await;
    let wallet = app.create_wallet("user_1").await;
    app.create_wallet("user_2").await;
    register(&app, "aster", "user_1", false).await;
    register(&app, "hyperliquid", "user_1", true).await;
    register(&app, "aster", "user_2", true).await;
    settle(&app).await;
    receiver.take();
    // An agent that another program added is reported once.
    app.clock.advance_ms(2 * DAY_MS);
    let master = wallet.text("/address").parse().unwrap();
    let stranger = alloy_primitives::Address::repeat_byte(7);
    let expires = app.clock.now_ms() + 300 * DAY_MS;
    assert!(app.stack.hyperliquid_sim.add_agent(master, "theirs", stranger, expires));
    for _ in 0..2 {
        reconcile(&app).await;
        settle(&app).await;
        app.clock.advance_ms(8 * DAY_MS);
    }
    let drift = receiver.take();
    assert_eq!(kinds(&drift), ["credential.drift"]);
    let found = &drift[0].json()["data"]["found"];
    assert_eq!(found, &json!([{ "kind": "AGENT_UNKNOWN", "agentAddress": stranger.to_string() }]));
    // The agent disappears and returns, which counts as new drift.
    assert!(app.stack.hyperliquid_sim.remove_agent(master, stranger));
    reconcile(&app).await;
    settle(&app).await;
    assert!(receiver.take().is_empty());
    app.clock.advance_ms(8 * DAY_MS);
    assert!(app.stack.hyperliquid_sim.add_agent(master, "theirs", stranger, expires));
    reconcile(&app).await;
    settle(&app).await;
    let again = receiver.take();
    assert_eq!(kinds(&again), ["credential.drift"]);
    assert_ne!(again[0].id, drift[0].id);
    assert!(app.stack.hyperliquid_sim.remove_agent(master, stranger));
    // Two weeks before the expiry, one key is renewed and its predecessor stays, and another cannot
    // be renewed.
    let mut rules = app.stack.aster_sim.rules();
    rules.max_agents = 1;
    app.stack.aster_sim.set_rules(rules);
    while app.clock.now_ms() < started_ms + 150 * DAY_MS {
        app.clock.advance_ms(7 * DAY_MS);
        reconcile(&app).await;
    }
    app.clock.advance_ms(started_ms + 167 * DAY_MS - app.clock.now_ms());
    settle(&app).await;
    assert!(receiver.take().is_empty());
    renew(&app, true).await;
    settle(&app).await;
    let renewed = receiver.take();
    assert_eq!(kinds(&renewed), ["credential.renewed"]);
    assert_eq!(renewed[0].json()["data"]["previousKept"], true);
    // The credentials enter their last week one after another.
    let mut expiring = Vec::new();
    for _ in 0..14 {
        app.clock.advance_ms(DAY_MS);
        reconcile(&app).await;
        settle(&app).await;
        expiring.extend(receiver.take());
    }
    let mut reasons: Vec<String> = expiring
        .iter()
        .map(|it| {
            assert_eq!(it.kind(), "credential.expiring");
            verify(&hook.secret, it);
            it.json()["data"]["reason"].as_str().unwrap().to_owned()
        })
        .collect();
    reasons.sort();
    assert_eq!(reasons, ["AUTO_RENEW_OFF", "KEY_HANDED_OUT", "RENEWAL_FAILING"], "{expiring:?}");
    let delivered = expiring.iter().find(|it| it.body.contains("KEY_HANDED_OUT")).unwrap().json();
    assert_eq!(
        delivered["data"]["agentAddress"],
        renewed[0].json()["data"]["previousAgentAddress"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_delivery_is_retried_on_the_schedule() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    receiver.respond_with(&[(500, None), (302, None), (429, Some("900")), (503, None)]);
    app.create_wallet("user_1").await;
    settle(&app).await;
    let mut waits = Vec::new();
    for attempt in 1..5 {
        assert_eq!(receiver.arrived().len(), attempt);
        let (next_ms, dead) = app.stack.pump.queued().unwrap();
        let wait_ms = next_ms.unwrap() - app.clock.now_ms();
        assert_eq!(dead, 0);
        waits.push(wait_ms / 1_000);
        // No retry happens before its time.
        app.clock.advance_ms(wait_ms - 1);
        settle(&app).await;
        assert_eq!(receiver.arrived().len(), attempt);
        let failing = app.get("/api/webhooks").await;
        let of = &failing.body["webhooks"][0];
        assert!(of["failingSince"].is_string() && of["lastFailure"]["status"].is_u64(), "{of}");
        app.clock.advance_ms(1);
        settle(&app).await;
    }
    // The third response requests fifteen minutes, and the schedule waits thirty.
    assert_eq!(waits, [5, 300, 1_800, 7_200]);
    let arrived = receiver.arrived();
    assert_eq!(arrived.len(), 5);
    for one in &arrived {
        verify(&hook.secret, one);
        assert_eq!((&one.id, &one.body), (&arrived[0].id, &arrived[0].body));
    }
    assert_eq!(app.stack.pump.queued().unwrap(), (None, 0));
    let well = app.get("/api/webhooks").await;
    let of = &well.body["webhooks"][0];
    assert!(of["failingSince"].is_null() && of["lastDeliveredAt"].is_string(), "{of}");
}

#[tokio::test(flavor = "multi_thread")]
async fn undelivered_event_is_dead_letter_and_replayable() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    receiver.respond_with(&[(500, None); 10]);
    app.create_wallet("user_1").await;
    settle(&app).await;
    while let (Some(next_ms), _) = app.stack.pump.queued().unwrap() {
        app.clock.advance_ms(next_ms.saturating_sub(app.clock.now_ms()));
        settle(&app).await;
    }
    assert_eq!((receiver.arrived().len(), app.stack.pump.queued().unwrap()), (10, (None, 1)));
    let id = receiver.take()[0].id.clone();
    let path = format!("/api/webhooks/{}/replay", hook.id);
    for body in [json!({ "eventId": id }), json!({}), json!({ "from": "2020-01-01T00:00:00Z" })] {
        let replayed = app.post(&path, body).await;
        assert_eq!((replayed.status, &replayed.body["queued"]), (202, &json!(1)), "{replayed:?}");
        assert!(replayed.body["nextCursor"].is_null());
        settle(&app).await;
        let again = receiver.take();
        assert!(matches!(&again[..], [one] if one.id == id), "{again:?}");
    }
    let none = json!({ "to": "2020-01-01T00:00:00Z", "from": "2019-01-01T00:00:00Z" });
    assert_eq!(app.post(&path, none).await.body["queued"], 0);
    let unknown = format!("evt_{}", "0".repeat(36));
    let unknown = app.post(&path, json!({ "eventId": unknown })).await;
    assert_eq!((unknown.status, unknown.text("/code")), (404, "EVENT_NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_replay_continues_at_its_cursor() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    app.create_wallet("user_1").await;
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..26 {
        register(&app, "aster", "user_1", true).await;
        app.clock.advance_ms(60_000);
        assert_eq!(app.rotate("aster", "user_1").await.status, 200);
        app.clock.advance_ms(60_000);
        assert_eq!(app.rotate("aster", "user_1").await.status, 200);
        app.clock.advance_ms(60_000);
        assert_eq!(app.delete("aster", "user_1").await.status, 200);
        settle(&app).await;
        ids.extend(receiver.take().into_iter().map(|it| it.id));
    }
    assert_eq!(ids.len(), 105);
    let path = format!("/api/webhooks/{}/replay", hook.id);
    let (mut cursor, mut queued) = (Value::Null, Vec::new());
    loop {
        let mut body = json!({ "to": "2100-01-01T00:00:00Z", "from": "2020-01-01T00:00:00Z" });
        if !cursor.is_null() {
            body["cursor"] = cursor;
        }
        let reply = app.post(&path, body).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        queued.push(reply.body["queued"].as_u64().unwrap());
        cursor = reply.body["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!((queued[0], queued.iter().sum::<u64>()), (100, 105), "{queued:?}");
    settle(&app).await;
    let again: std::collections::BTreeSet<String> =
        receiver.take().into_iter().map(|it| it.id).collect();
    assert_eq!(again, ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_gone_or_deleted_gets_no_deliveries() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let gone = hook(&app, &receiver.url).await;
    receiver.respond_with(&[(410, None)]);
    app.create_wallet("user_1").await;
    settle(&app).await;
    app.create_wallet("user_2").await;
    settle(&app).await;
    assert_eq!(receiver.take().len(), 1);
    let listed = app.get("/api/webhooks").await;
    assert_eq!(listed.body["webhooks"][0]["status"], "disabled");
    let path = format!("/api/webhooks/{}", gone.id);
    let refused = app.post(&format!("{path}/replay"), json!({})).await;
    assert_eq!((refused.status, refused.text("/code")), (409, "WEBHOOK_DISABLED"));
    assert_eq!(app.send(app.request(Method::DELETE, &path)).await.status, 200);
    assert_eq!(app.send(app.request(Method::DELETE, &path)).await.status, 404);
    let other = hook(&app, &receiver.url).await;
    app.create_wallet("user_3").await;
    while app.stack.pump.publish_once().await.unwrap() > 0 {}
    let path = format!("/api/webhooks/{}", other.id);
    assert_eq!(app.send(app.request(Method::DELETE, &path)).await.status, 200);
    settle(&app).await;
    assert!(receiver.take().is_empty());
    assert_eq!(app.stack.pump.queued().unwrap(), (None, 0));
    assert_eq!(app.get("/api/webhooks").await.body["webhooks"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_limit_of_ten_holds_under_concurrency() {
    let app = TestApp::start().await;
    let make = |key: Option<String>| {
        let mut request = app.request(Method::POST, "/api/webhooks");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        app.send(request.json(&json!({ "url": "https://hooks.example.com/in" })))
    };
    let first = make(Some("once".to_owned())).await;
    let again = make(Some("once".to_owned())).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert!(first.body == again.body, "a replay returned another webhook");
    let all = futures_util::future::join_all((0..14).map(|_| make(None))).await;
    let statuses: Vec<u16> = all.iter().map(|reply| reply.status).collect();
    let count = |expected| statuses.iter().filter(|status| **status == expected).count();
    assert_eq!((count(201), count(409)), (9, 5), "{statuses:?}");
    let refused = all.iter().find(|reply| reply.status == 409).unwrap();
    assert_eq!(refused.text("/code"), "TOO_MANY_WEBHOOKS");
    let listed = app.get("/api/webhooks").await;
    assert_eq!(listed.body["webhooks"].as_array().unwrap().len(), 10);
    assert!(!listed.body.to_string().contains("whsec_"));
    // A deletion with an idempotency key is done once and frees one place.
    let path = format!("/api/webhooks/{}", first.text("/webhook/webhookId"));
    for _ in 0..2 {
        let request = app.request(Method::DELETE, &path).header("Idempotency-Key", "gone");
        assert_eq!(app.send(request).await.status, 200);
    }
    assert_eq!(make(None).await.status, 201);
    assert_eq!(make(None).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_gets_only_its_tenants_selected_events() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let (owner, other) = (app.key("owner"), app.key("other"));
    let body = json!({ "url": receiver.url, "events": ["credential.active"] });
    let made = app.send_as(&owner, (Method::POST, "/api/webhooks"), Some(&body)).await;
    assert_eq!(made.status, 201);
    let path = format!("/api/webhooks/{}", made.text("/webhook/webhookId"));
    for key in [&other, &owner] {
        let user = json!({ "userId": "user_1" });
        assert_eq!(app.send_as(key, (Method::POST, "/api/wallets"), Some(&user)).await.status, 201);
        let body = json!({ "walletIdOrAddress": "user_1" });
        let at = (Method::POST, "/api/trading/aster/apikey");
        assert_eq!(app.send_as(key, at, Some(&body)).await.status, 200);
    }
    settle(&app).await;
    assert_eq!(kinds(&receiver.take()), ["credential.active"]);
    for (method, path) in [(Method::DELETE, path.clone()), (Method::POST, format!("{path}/replay"))]
    {
        let reply = app.send_as(&other, (method, &path), None).await;
        assert_eq!((reply.status, reply.text("/code")), (404, "WEBHOOK_NOT_FOUND"));
    }
    let listed = app.send_as(&other, (Method::GET, "/api/webhooks"), None).await;
    assert_eq!(listed.body["webhooks"], json!([]));
}
