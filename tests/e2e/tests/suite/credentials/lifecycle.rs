//! Tests GET, rotation, deletion and expiry of a credential on both exchanges.

use alloy_primitives::Address;
use e2e::{DAY_MS, Reply, TestApp};
use exchange_sim::faults::Fault;
use serde_json::{Value, json};

const EXCHANGES: [&str; 2] = ["hyperliquid", "aster"];

fn agents(app: &TestApp, wallet: &Reply, exchange: &str) -> Vec<String> {
    let agents = app.agents(exchange, wallet.text("/address"));
    agents.into_iter().map(|(_, address)| address).collect()
}

async fn state(app: &TestApp, exchange: &str, user: &str) -> String {
    app.api_key(exchange, user).await.text("/data/state").to_owned()
}

/// Lets the next approval or removal fail, and the lookup of its outcome too.
fn fail(app: &TestApp, exchange: &str, approval: bool, fault: Fault) {
    let broken = Fault::Status(500, String::new());
    if exchange == "hyperliquid" {
        app.stack.hyperliquid_sim.fail_next("approveAgent", fault);
        app.stack.hyperliquid_sim.fail_next("userRole", broken);
    } else {
        let kind = if approval { "registerAndApproveAgent" } else { "deleteAgent" };
        app.stack.aster_sim.fail_next(kind, fault);
        app.stack.aster_sim.fail_next("listAgents", broken);
    }
}

async fn registered(app: &TestApp, exchange: &str, user: &str) -> (Reply, String) {
    let wallet = app.wallet(user).await;
    let reply = app.register(exchange, user).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let agent = reply.agent(exchange).to_owned();
    (wallet, agent)
}

#[tokio::test(flavor = "multi_thread")]
async fn get_credential_does_not_return_the_secret() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    for exchange in EXCHANGES {
        let none = app.api_key(exchange, "user_1").await;
        assert_eq!((none.status, none.text("/error")), (404, "API key not found"));
        let made = app.register(exchange, "user_1").await;
        for name in ["user_1", wallet.text("/walletId"), wallet.text("/address")] {
            let seen = app.api_key(exchange, name).await;
            assert_eq!(seen.status, 200, "{seen:?}");
            assert_eq!(
                seen.fields("/data"),
                [
                    "agentAddress",
                    "agentName",
                    "autoRenew",
                    "createdAt",
                    "exchange",
                    "expiryTimestamp",
                    "keys",
                    "state",
                    "walletAddress",
                    "walletId"
                ]
            );
            assert_eq!(seen.text("/data/exchange"), exchange);
            assert_eq!(seen.text("/data/state"), "active");
            assert_eq!(seen.text("/data/agentAddress"), made.agent(exchange));
            assert_eq!(seen.text("/data/walletAddress"), wallet.text("/address"));
            assert_eq!(seen.body["data"]["expiryTimestamp"], made.body["data"]["expiryTimestamp"]);
            assert_eq!(seen.body["data"]["autoRenew"], true);
            let key = made.text("/data/apiPrivateKey");
            assert!(key.is_empty() || !seen.body.to_string().contains(key));
        }
        app.clock.advance_ms(181 * DAY_MS);
        assert_eq!(state(&app, exchange, "user_1").await, "expired");
        app.clock.advance_ms(1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_credential_can_be_registered_again() {
    let app = TestApp::start().await;
    for exchange in EXCHANGES {
        let (wallet, agent) = registered(&app, exchange, "user_1").await;
        assert_eq!(agents(&app, &wallet, exchange), std::slice::from_ref(&agent));
        let gone = app.delete(exchange, "user_1").await;
        assert_eq!((gone.status, gone.text("/message")), (200, "API key revoked"), "{gone:?}");
        assert_eq!(gone.text("/data/agentAddress"), agent);
        assert!(agents(&app, &wallet, exchange).is_empty());
        let again = app.delete(exchange, "user_1").await;
        assert_eq!((again.status, again.text("/code")), (404, "API_KEY_NOT_FOUND"));
        // Hyperliquid is still removing the old agent. The new registration waits for that.
        let renewed = app.register(exchange, "user_1").await;
        assert_eq!(renewed.status, 200, "{renewed:?}");
        assert_ne!(renewed.agent(exchange), agent);
        assert_eq!(agents(&app, &wallet, exchange).len(), 1);
        // The wallet identifier is accepted in the body too.
        let path = format!("/api/trading/{exchange}/apikey");
        let request = app.request(http::Method::DELETE, &path);
        let gone = app.send(request.json(&json!({ "walletIdOrAddress": "user_1" }))).await;
        assert_eq!(gone.status, 200, "{gone:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_returns_a_new_key_and_revokes_the_old_one() {
    let app = TestApp::start().await;
    for exchange in EXCHANGES {
        let (wallet, first) = registered(&app, exchange, "user_1").await;
        app.clock.advance_ms(100 * DAY_MS);
        let rotated = app.rotate(exchange, "user_1").await;
        assert_eq!(rotated.status, 200, "{rotated:?}");
        let second = rotated.agent(exchange).to_owned();
        assert_ne!(second, first);
        assert_eq!(agents(&app, &wallet, exchange), std::slice::from_ref(&second));
        assert_eq!(rotated.text("/data/previousAgentAddress"), first);
        assert_eq!(rotated.body["data"]["previousAgentRevoked"], true);
        assert_eq!(rotated.body["data"]["replacedByName"], false);
        let expiry = app.clock.now_ms() + 180 * DAY_MS - 60_000;
        assert_eq!(rotated.body["data"]["expiryTimestamp"], expiry);
        assert_eq!(rotated.text("/data/apiPrivateKey").is_empty(), exchange == "aster");
        assert_eq!(state(&app, exchange, "user_1").await, "active");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_without_a_free_slot_replaces_or_returns_422() {
    let app = TestApp::start().await;
    let (wallet, first) = registered(&app, "hyperliquid", "user_1").await;
    let master = wallet.text("/address").parse().unwrap();
    for (index, name) in ["theirs", "others"].into_iter().enumerate() {
        let agent = Address::repeat_byte(u8::try_from(index).unwrap() + 1);
        app.stack.hyperliquid_sim.add_agent(master, name, agent, app.clock.now_ms() + DAY_MS);
    }
    let rotated = app.rotate("hyperliquid", "user_1").await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    assert_eq!(rotated.body["data"]["replacedByName"], true);
    assert_eq!(rotated.body["data"]["previousAgentRevoked"], true);
    assert_eq!(rotated.text("/data/previousAgentAddress"), first);
    let listed = agents(&app, &wallet, "hyperliquid");
    assert_eq!(listed.len(), 3);
    assert!(listed.contains(&rotated.agent("hyperliquid").to_owned()) && !listed.contains(&first));
    // A deletion finds and removes the agent that took the name.
    assert_eq!(app.delete("hyperliquid", "user_1").await.status, 200);
    assert_eq!(agents(&app, &wallet, "hyperliquid").len(), 2);

    let (wallet, first) = registered(&app, "aster", "user_1").await;
    let mut rules = app.stack.aster_sim.rules();
    rules.max_agents = 1;
    app.stack.aster_sim.set_rules(rules);
    let refused = app.rotate("aster", "user_1").await;
    assert_eq!((refused.status, refused.text("/code")), (422, "NO_AGENT_SLOT"), "{refused:?}");
    assert_eq!(agents(&app, &wallet, "aster"), [first]);
    assert_eq!(state(&app, "aster", "user_1").await, "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_removal_of_previous_agent_is_finished_later() {
    let app = TestApp::start().await;
    for exchange in EXCHANGES {
        let (wallet, first) = registered(&app, exchange, "user_1").await;
        // The approval succeeds, and the removal fails.
        if exchange == "hyperliquid" {
            app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::Pass);
        }
        fail(&app, exchange, false, Fault::Status(500, String::new()));
        let rotated = app.rotate(exchange, "user_1").await;
        assert_eq!(rotated.status, 200, "{rotated:?}");
        assert_eq!(rotated.body["data"]["previousAgentRevoked"], false);
        assert_eq!(agents(&app, &wallet, exchange).len(), 2);
        let seen = app.api_key(exchange, "user_1").await;
        assert_eq!(seen.text("/data/state"), "active");
        assert_eq!(seen.body["data"]["retiringAgentAddresses"], json!([first]));
        // A deletion removes both agents.
        let gone = app.delete(exchange, "user_1").await;
        assert_eq!(gone.status, 200, "{gone:?}");
        assert!(agents(&app, &wallet, exchange).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn delete_with_timeout_is_finished_by_the_retry() {
    let app = TestApp::start().await;
    for exchange in EXCHANGES {
        let (wallet, _) = registered(&app, exchange, "user_1").await;
        fail(&app, exchange, false, Fault::Hang);
        let failed = app.delete(exchange, "user_1").await;
        assert_eq!((failed.status, failed.text("/code")), (504, "EXCHANGE_TIMEOUT"));
        assert_eq!(failed.text("/error"), "Failed to revoke API key");
        assert_eq!(state(&app, exchange, "user_1").await, "revoking");
        // A revocation cannot be undone.
        for reply in [app.register(exchange, "user_1").await, app.rotate(exchange, "user_1").await]
        {
            assert_eq!((reply.status, reply.text("/code")), (409, "REVOCATION_UNFINISHED"));
        }
        assert_eq!(app.delete(exchange, "user_1").await.status, 200);
        assert!(agents(&app, &wallet, exchange).is_empty());
        assert_eq!(app.api_key(exchange, "user_1").await.status, 404);
    }
}

/// If the response to a removal is lost, one lookup finds the outcome.
#[tokio::test(flavor = "multi_thread")]
async fn delete_with_lost_response_succeeds() {
    let app = TestApp::start().await;
    for exchange in EXCHANGES {
        let (wallet, _) = registered(&app, exchange, "user_1").await;
        if exchange == "hyperliquid" {
            app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::AppliedButLost);
        } else {
            app.stack.aster_sim.fail_next("deleteAgent", Fault::AppliedButLost);
        }
        let gone = app.delete(exchange, "user_1").await;
        assert_eq!(gone.status, 200, "{gone:?}");
        assert!(agents(&app, &wallet, exchange).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_retry_after_unknown_outcome_keeps_the_key() {
    let app = TestApp::start().await;
    for exchange in EXCHANGES {
        let (wallet, first) = registered(&app, exchange, "user_1").await;
        fail(&app, exchange, true, Fault::AppliedButLost);
        let failed = app.rotate(exchange, "user_1").await;
        assert_eq!(failed.status, 502, "{failed:?}");
        // The old key is still the one that is known to work.
        let seen = app.api_key(exchange, "user_1").await;
        assert_eq!(seen.text("/data/state"), "rotating");
        assert_eq!(seen.text("/data/agentAddress"), first);
        assert_eq!(app.register(exchange, "user_1").await.text("/code"), "API_KEY_EXISTS");
        let live = agents(&app, &wallet, exchange);
        assert_eq!(live.len(), 2);
        let rotated = app.rotate(exchange, "user_1").await;
        assert_eq!(rotated.status, 200, "{rotated:?}");
        let second = rotated.agent(exchange).to_owned();
        assert!(live.contains(&second) && second != first);
        assert_eq!(agents(&app, &wallet, exchange), [second]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn register_replaces_expired_credential_and_its_agent() {
    let app = TestApp::start().await;
    for exchange in EXCHANGES {
        let (wallet, first) = registered(&app, exchange, "user_1").await;
        app.clock.advance_ms(181 * DAY_MS);
        let renewed = app.register(exchange, "user_1").await;
        assert_eq!(renewed.status, 200, "{renewed:?}");
        let second = renewed.agent(exchange).to_owned();
        assert_ne!(first, second);
        assert_eq!(agents(&app, &wallet, exchange), [second]);
        assert_eq!(state(&app, exchange, "user_1").await, "active");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_of_pending_registration_returns_409() {
    let app = TestApp::start().await;
    for exchange in EXCHANGES {
        let wallet = app.wallet("user_1").await;
        fail(&app, exchange, true, Fault::AppliedButLost);
        assert_eq!(app.register(exchange, "user_1").await.status, 502);
        assert_eq!(state(&app, exchange, "user_1").await, "pending");
        let refused = app.rotate(exchange, "user_1").await;
        assert_eq!((refused.status, refused.text("/code")), (409, "REGISTRATION_UNFINISHED"));
        assert_eq!(app.delete(exchange, "user_1").await.status, 200);
        assert!(agents(&app, &wallet, exchange).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credential_routes_refuse_bad_input() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    for exchange in EXCHANGES {
        let path = format!("/api/trading/{exchange}/apikey");
        let bare = app.get(&path).await;
        assert_eq!(bare.text("/error"), "Missing required parameter: walletIdOrAddress");
        let bare = app.send(app.request(http::Method::DELETE, &path)).await;
        assert_eq!(bare.text("/error"), "Missing required parameter: walletIdOrAddress");
        let bare = app.post(&format!("{path}/rotate"), json!({})).await;
        assert_eq!(bare.text("/error"), "Missing required parameter: walletIdOrAddress");
        let flag = json!({ "walletIdOrAddress": "user_1", "autoRenew": "no" });
        let flag = app.post(&path, flag).await;
        assert_eq!((flag.status, flag.text("/error")), (400, "autoRenew must be true or false"));
        for reply in [
            app.api_key(exchange, "nobody").await,
            app.delete(exchange, "nobody").await,
            app.rotate(exchange, "nobody").await,
        ] {
            assert_eq!((reply.status, reply.text("/error")), (404, "Wallet not found"));
        }
        for reply in [app.delete(exchange, "user_1").await, app.rotate(exchange, "user_1").await] {
            assert_eq!((reply.status, reply.text("/error")), (404, "API key not found"));
        }
    }
    for (exchange, error) in [
        ("lighter", "Lighter API keys are not registered through HyperDEX"),
        ("binance", "Unsupported exchange: binance"),
    ] {
        for reply in [
            app.api_key(exchange, "user_1").await,
            app.delete(exchange, "user_1").await,
            app.rotate(exchange, "user_1").await,
        ] {
            assert_eq!((reply.status, reply.text("/error")), (400, error));
        }
    }
    let patch = app.request(http::Method::PATCH, "/api/trading/aster/apikey");
    assert_eq!(app.send(patch).await.status, 405);
    assert_eq!(
        app.get("/api/trading/aster/apikey/rotate").await.body["code"],
        Value::from("METHOD_NOT_ALLOWED")
    );
}

/// A wallet whose registration never arrived has no account on Aster, and Aster returns that error
/// for a deletion. If the agent list fails too, the outcome stays unknown.
#[tokio::test(flavor = "multi_thread")]
async fn delete_of_lost_registration_needs_a_lookup() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    let broken = || Fault::Status(500, String::new());
    app.stack.aster_sim.fail_next("registerAndApproveAgent", broken());
    app.stack.aster_sim.fail_next("listAgents", broken());
    let made = app.register("aster", "user_1").await;
    assert!(made.status >= 500, "{made:?}");
    app.clock.advance_ms(60_000);
    app.stack.aster_sim.fail_next("listAgents", broken());
    let unclear = app.delete("aster", "user_1").await;
    assert_eq!((unclear.status, unclear.text("/code")), (502, "EXCHANGE_UNAVAILABLE"));
    let gone = app.delete("aster", "user_1").await;
    assert_eq!(gone.status, 200, "{gone:?}");
    assert_eq!(app.api_key("aster", "user_1").await.status, 404);
}
