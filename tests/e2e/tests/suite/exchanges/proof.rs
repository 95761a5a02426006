//! Tests that a credential changes only with positive proof: revocation, registration and
//! comparison at an exchange that returns errors, blocks or bans.

use domain::ids::{Exchange, Tenant};
use e2e::{DAY_MS, RECONCILE_LIMITS, Reply, TestApp};
use exchange_sim::faults::{Fault, Hostile};
use hyperdex_local::Endpoints;
use serde_json::json;
use shared::credentials::{CredentialError, Drift, ReconcileLimits};
use shared::exchanges::budget::{Busy, Spender};

const HTML: &str = "<HTML><HEAD><TITLE>ERROR</TITLE></HEAD><BODY>Request blocked.</BODY></HTML>";

/// Returns responses of Aster that prove nothing about an agent.
fn inconclusive_responses() -> Vec<(u16, String)> {
    [
        (401, -2015, "Invalid API-key, IP, or permissions for action."),
        (400, -1022, "Signature for this request is not valid."),
        (400, -1000, "Signature check failed"),
        (400, -1000, "An unknown error occured while processing the request."),
        (400, -1001, "Internal error; unable to process your request. Please try again."),
        (200, -1006, "Execution status unknown"),
        (200, -1007, "Timeout waiting for response from backend server."),
        (503, -1008, "Server is currently overloaded"),
        (400, -9999, "new"),
    ]
    .map(|(status, code, text)| (status, json!({ "code": code, "msg": text }).to_string()))
    .into()
}

fn agents(app: &TestApp, wallet: &Reply) -> Vec<String> {
    let agents = app.agents("aster", wallet.text("/address"));
    agents.into_iter().map(|(_, address)| address).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn delete_without_proof_stays_revoking() {
    let app =
        TestApp::start_with(|options| options.budget.per_minute[Exchange::Aster] = 90_000).await;
    let aster = &app.stack.aster_sim;
    let wallet = app.wallet("user_1").await;
    for (status, body) in inconclusive_responses() {
        assert_eq!(app.register("aster", "user_1").await.status, 200);
        for removal in [(503, String::new()), (status, body.clone())] {
            aster.fail_next("deleteAgent", Fault::Status(removal.0, removal.1));
            aster.fail_next("listAgents", Fault::Status(status, body.clone()));
            let reply = app.delete("aster", "user_1").await;
            assert!(reply.status >= 500, "{status} {body}: {reply:?}");
            assert_eq!(app.api_key("aster", "user_1").await.text("/data/state"), "revoking");
            assert_eq!(agents(&app, &wallet).len(), 1, "{status} {body}");
            // Closes the circuit that repeated failures open.
            app.clock.advance_ms(61_000);
        }
        assert_eq!(app.delete("aster", "user_1").await.status, 200);
        assert!(agents(&app, &wallet).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_without_proof_keeps_the_previous_agent() {
    let app =
        TestApp::start_with(|options| options.budget.per_minute[Exchange::Aster] = 90_000).await;
    let wallet = app.wallet("user_1").await;
    for (status, body) in inconclusive_responses() {
        let first = app.register("aster", "user_1").await.text("/data/agentAddress").to_owned();
        app.stack.aster_sim.fail_next("deleteAgent", Fault::Status(503, String::new()));
        app.stack.aster_sim.fail_next("listAgents", Fault::Status(status, body.clone()));
        let rotated = app.rotate("aster", "user_1").await;
        assert_eq!(rotated.status, 200, "{status} {body}: {rotated:?}");
        assert_eq!(rotated.body["data"]["previousAgentRevoked"], false, "{status} {body}");
        let seen = app.api_key("aster", "user_1").await;
        assert_eq!(seen.body["data"]["retiringAgentAddresses"], json!([first]));
        assert_eq!(agents(&app, &wallet).len(), 2);
        app.clock.advance_ms(61_000);
        assert_eq!(app.delete("aster", "user_1").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn register_with_unknown_outcome_keeps_its_agent() {
    let app =
        TestApp::start_with(|options| options.budget.per_minute[Exchange::Aster] = 90_000).await;
    let aster = &app.stack.aster_sim;
    let wallet = app.wallet("user_1").await;
    for (status, body) in inconclusive_responses() {
        // The agent was registered, and the list shows it.
        let fault = Fault::AppliedAs(status, body.clone());
        aster.fail_next("registerAndApproveAgent", fault);
        let reply = app.register("aster", "user_1").await;
        assert_eq!(reply.status, 200, "{status} {body}: {reply:?}");
        assert_eq!(agents(&app, &wallet), [reply.text("/data/agentAddress")]);
        assert_eq!(app.delete("aster", "user_1").await.status, 200);

        // The agent was not registered, and the list proves nothing. The retry uses the same agent.
        aster.fail_next("registerAndApproveAgent", Fault::Status(status, body.clone()));
        aster.fail_next("listAgents", Fault::Status(status, body.clone()));
        let reply = app.register("aster", "user_1").await;
        assert!(reply.status >= 500, "{status} {body}: {reply:?}");
        let pending = app.api_key("aster", "user_1").await;
        assert_eq!(pending.text("/data/state"), "pending", "{status} {body}");
        app.clock.advance_ms(61_000);
        let reply = app.register("aster", "user_1").await;
        assert_eq!(reply.text("/data/agentAddress"), pending.text("/data/agentAddress"));
        assert_eq!(agents(&app, &wallet).len(), 1);
        assert_eq!(app.delete("aster", "user_1").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_agent_list_reports_no_drift() {
    let app =
        TestApp::start_with(|options| options.budget.per_minute[Exchange::Aster] = 90_000).await;
    app.wallet("user_1").await;
    assert_eq!(app.register("aster", "user_1").await.status, 200);
    let limits = ReconcileLimits { every_ms: DAY_MS, ..RECONCILE_LIMITS };
    for (status, body) in inconclusive_responses().into_iter().chain([(403, HTML.to_owned())]) {
        app.clock.advance_ms(2 * DAY_MS);
        app.stack.aster_sim.fail_next("listAgents", Fault::Status(status, body.clone()));
        let [(_, found), _] = app.stack.jobs.reconcile(&limits).await.unwrap();
        assert_eq!((found.checked, found.failed), (0, 1), "{status} {body}");
        assert!(found.drift.is_empty(), "{status} {body}: {:?}", found.drift);
    }
    // The only response that proves it.
    app.clock.advance_ms(2 * DAY_MS);
    let gone = r#"{"code":-1000,"msg":"No agent found"}"#.to_owned();
    app.stack.aster_sim.fail_next("listAgents", Fault::Status(400, gone));
    let [(_, found), _] = app.stack.jobs.reconcile(&limits).await.unwrap();
    assert!(matches!(found.drift[..], [(_, Drift::Gone { .. })]), "{:?}", found.drift);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_registration_returns_502_without_replay() {
    let app = TestApp::start().await;
    for (exchange, kind) in [("hyperliquid", "approveAgent"), ("aster", "registerAndApproveAgent")]
    {
        for status in [403, 451] {
            let user = format!("{exchange}_{status}");
            app.wallet(&user).await;
            let fault = Fault::Status(status, HTML.to_owned());
            if exchange == "aster" {
                app.stack.aster_sim.fail_next(kind, fault);
            } else {
                app.stack.hyperliquid_sim.fail_next(kind, fault);
            }
            let path = format!("/api/trading/{exchange}/apikey");
            let send = || {
                let request = app.request(http::Method::POST, &path);
                let request = request.header("Idempotency-Key", &user);
                app.send(request.json(&json!({ "walletIdOrAddress": user })))
            };
            let blocked = send().await;
            assert_eq!((blocked.status, blocked.text("/code")), (502, "EXCHANGE_BLOCKED"));
            assert!(!blocked.body.to_string().contains("Request blocked"), "{blocked:?}");
            let reply = send().await;
            assert_eq!(reply.status, 200, "{reply:?}");
            assert!(!reply.headers.contains_key("idempotent-replay"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consecutive_blocks_open_the_circuit() {
    let app = TestApp::start().await;
    let sim = &app.stack.hyperliquid_sim;
    let limits = ReconcileLimits { every_ms: DAY_MS, ..RECONCILE_LIMITS };
    for user in ["there", "user_1"] {
        app.wallet(user).await;
    }
    assert_eq!(app.register("hyperliquid", "there").await.status, 200);
    let mut last = None;
    for number in 0..8 {
        sim.fail_next("approveAgent", Fault::Status(403, HTML.to_owned()));
        // From the second attempt on, a lookup comes first. The exchange's edge allows lookups, but
        // that does not end the block.
        let reply = app.register("hyperliquid", "user_1").await;
        assert_eq!((reply.status, reply.text("/code")), (502, "EXCHANGE_BLOCKED"), "{reply:?}");
        last = Some(reply);
        if number == 2 {
            app.clock.advance_ms(2 * DAY_MS);
            app.stack.jobs.reconcile(&limits).await.unwrap();
        }
    }
    let sent = sim.requests().into_iter().filter(|request| request.kind == "approveAgent");
    assert_eq!(sent.count(), 6, "expected one successful and five blocked calls");
    let wait = last.unwrap().retry_after_s().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    let _ = sim.clear_faults();
    app.clock.advance_ms(wait * 1_000);
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn ip_ban_stops_every_instance_until_its_end() {
    let app = TestApp::start().await;
    for user in ["a", "b"] {
        app.wallet(user).await;
    }
    let until = app.clock.now_ms() + 2 * 3_600_000;
    let text = format!("Way too many requests; IP banned until {until}. Please use the websocket.");
    let body = json!({ "code": -1003, "msg": text }).to_string();
    let sim = &app.stack.aster_sim;
    sim.fail_next("registerAndApproveAgent", Fault::Status(418, body));
    let banned = app.register("aster", "a").await;
    assert_eq!((banned.status, banned.text("/code")), (429, "EXCHANGE_RATE_LIMIT"), "{banned:?}");
    assert!((7_199..=7_201).contains(&banned.retry_after_s().unwrap()), "{banned:?}");
    let sent = sim.requests().len();
    let endpoints = Endpoints {
        dynamodb: app.stack.dynamodb.clone(),
        kms: app.stack.kms.clone(),
        lambda: app.stack.lambda.clone(),
        deliveries: app.stack.sqs.clone(),
        api_gateway: app.stack.api_gateway.clone(),
        hyperliquid: app.stack.hyperliquid.clone(),
        aster: app.stack.aster.clone(),
        lighter: app.stack.lighter.clone(),
        chains: app.stack.chains.clone(),
    };
    let other = endpoints.registrars(&app.options, Spender::Caller);
    let tenant = Tenant::local().into();
    for _ in 0..3 {
        app.clock.advance_ms(30 * 60_000);
        let refused = other.aster.register(&tenant, &"b".parse().unwrap(), true).await;
        assert!(matches!(refused, Err(CredentialError::Busy(Busy::Limited { .. }))), "{refused:?}");
        assert_eq!(app.register("aster", "a").await.status, 429);
    }
    assert_eq!(sim.requests().len(), sent);
    app.clock.advance_ms(31 * 60_000);
    assert_eq!(app.register("aster", "a").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn ip_ban_is_not_shortened_by_a_later_response() {
    let app = TestApp::start().await;
    for user in ["a", "b"] {
        app.wallet(user).await;
    }
    let sim = &app.stack.aster_sim;
    let hour = Hostile::new(418, "{}").header("retry-after", "3600");
    sim.fail_next("registerAndApproveAgent", Fault::Hostile(hour));
    assert_eq!(app.register("aster", "a").await.retry_after_s(), Some(3_600));
    // A call of another instance was in flight and reports a shorter wait.
    let store = &app.stack.custody.store;
    let until = app.clock.now_ms() + 5_000;
    store.open_circuit("#budget#aster#shared", until, false).await.unwrap();
    assert_eq!(app.register("aster", "b").await.retry_after_s(), Some(3_600));
}
