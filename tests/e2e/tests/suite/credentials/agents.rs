//! Tests the agents that an exchange lists: which of them the credential uses, and how an unused
//! slot is freed.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use alloy_primitives::Address;
use e2e::{DAY_MS, Reply, TestApp};
use exchange_sim::faults::Fault;
use http::Method;

const EXCHANGES: [&str; 2] = ["hyperliquid", "aster"];

async fn list(app: &TestApp, exchange: &str) -> Reply {
    app.get(&format!("/api/trading/{exchange}/agents?walletIdOrAddress=user_1")).await
}

async fn remove(app: &TestApp, exchange: &str, agent: &str) -> Reply {
    let path = format!("/api/trading/{exchange}/agents/{agent}?walletIdOrAddress=user_1");
    app.send(app.request(Method::DELETE, &path)).await
}

fn roles(listed: &Reply) -> Vec<(&str, &str)> {
    assert_eq!(listed.status, 200, "{listed:?}");
    let rows = listed.body["data"]["agents"].as_array().unwrap().iter();
    let mut rows: Vec<_> = rows
        .map(|row| (row["agentName"].as_str().unwrap(), row["role"].as_str().unwrap()))
        .collect();
    rows.sort_unstable_by_key(|(_, role)| *role);
    rows
}

fn add(app: &TestApp, exchange: &str, wallet: &Reply, name: &str, byte: u8) {
    let master: Address = wallet.text("/address").parse().unwrap();
    let (agent, expires) = (Address::repeat_byte(byte), app.clock.now_ms() + 100 * DAY_MS);
    let added = match exchange {
        "aster" => app.stack.aster_sim.add_agent(master, name, agent, expires),
        _ => app.stack.hyperliquid_sim.add_agent(master, name, agent, expires),
    };
    assert!(added, "{exchange} {name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_listed_by_role_and_leftovers_removable() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    for (exchange, byte) in EXCHANGES.into_iter().zip([0x11, 0x21]) {
        assert_eq!(app.register(exchange, "user_1").await.status, 200);
        add(&app, exchange, &wallet, "hdxlost", byte);
        add(&app, exchange, &wallet, "theirs", byte + 1);
        let name = app.api_key(exchange, "user_1").await.text("/data/agentName").to_owned();
        let listed = list(&app, exchange).await;
        let expected =
            [(name.as_str(), "current"), ("hdxlost", "leftover"), ("theirs", "stranger")];
        assert_eq!(roles(&listed), expected);

        for agent in [&name, app.api_key(exchange, "user_1").await.text("/data/agentAddress")] {
            let used = remove(&app, exchange, agent).await;
            assert_eq!((used.status, used.text("/code")), (409, "AGENT_IN_USE"), "{used:?}");
        }
        let theirs = remove(&app, exchange, "theirs").await;
        assert_eq!((theirs.status, theirs.text("/code")), (422, "AGENT_NOT_OURS"));
        let nobody = remove(&app, exchange, "hdxnobody").await;
        assert_eq!((nobody.status, nobody.text("/code")), (404, "AGENT_NOT_FOUND"));
        assert_eq!(roles(&list(&app, exchange).await).len(), 3, "no agent was removed");

        let gone = remove(&app, exchange, "hdxlost").await;
        assert_eq!(gone.status, 200, "{gone:?}");
        assert_eq!(gone.text("/data/agentAddress"), Address::repeat_byte(byte).to_string());
        assert_eq!(roles(&list(&app, exchange).await).len(), 2);
        assert_eq!(remove(&app, exchange, "hdxlost").await.status, 404);
        // The credential still works.
        app.clock.advance_ms(10_000);
        assert_eq!(app.rotate(exchange, "user_1").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_removal_with_unknown_outcome_reads_the_list() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    for (exchange, byte) in EXCHANGES.into_iter().zip([0x11, 0x21]) {
        assert_eq!(app.register(exchange, "user_1").await.status, 200);
        add(&app, exchange, &wallet, "hdxlost", byte);
        let kind = if exchange == "aster" { "deleteAgent" } else { "approveAgent" };
        let fail = |fault| match exchange {
            "aster" => app.stack.aster_sim.fail_next(kind, fault),
            _ => app.stack.hyperliquid_sim.fail_next(kind, fault),
        };
        fail(Fault::Status(503, String::new()));
        let failed = remove(&app, exchange, "hdxlost").await;
        assert_eq!((failed.status, failed.text("/code")), (502, "EXCHANGE_UNAVAILABLE"));
        assert_eq!(failed.text("/error"), "Failed to remove agent");
        fail(Fault::AppliedButLost);
        let gone = remove(&app, exchange, "hdxlost").await;
        assert_eq!(gone.status, 200, "{gone:?}");
    }
}

/// A removal by address does not contain the agent's name. The list that decides about the outcome
/// has a name, and the agent is still in it.
#[tokio::test(flavor = "multi_thread")]
async fn agent_removal_by_address_ignores_names() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    assert_eq!(app.register("aster", "user_1").await.status, 200);
    add(&app, "aster", &wallet, "hdxlost", 0x11);
    let address = Address::repeat_byte(0x11).to_string();
    let fail = |kind, text: &str| {
        let body = serde_json::json!({ "code": -1000, "msg": text }).to_string();
        app.stack.aster_sim.fail_next(kind, Fault::Status(400, body));
    };
    // The list fails at the first request and works at the second one.
    fail("listAgents", "No agent found");
    fail("deleteAgent", "An unknown error occured while processing the request.");
    let failed = remove(&app, "aster", &address).await;
    assert_ne!(failed.status, 200, "{failed:?}");
    let listed = list(&app, "aster").await;
    assert!(roles(&listed).contains(&("hdxlost", "leftover")), "{listed:?}");
    assert_eq!(app.stack.aster_sim.clear_faults(), 0, "both faults occurred");
    let gone = remove(&app, "aster", &address).await;
    assert_eq!(gone.status, 200, "{gone:?}");
}

/// Two questions in one microsecond may draw the same nonce. The refused one is asked with another.
#[tokio::test(flavor = "multi_thread")]
async fn list_with_a_used_nonce_is_asked_with_another() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    assert_eq!(app.register("aster", "user_1").await.status, 200);
    let used = r#"{"code":-4226,"msg":"Nonce Used"}"#;
    for _ in 0..2 {
        app.stack.aster_sim.fail_next("listAgents", Fault::Status(400, used.to_owned()));
    }
    let listed = list(&app, "aster").await;
    assert!(matches!(roles(&listed)[..], [(_, "current")]), "{listed:?}");
    assert_eq!(app.stack.aster_sim.clear_faults(), 0, "both faults occurred");
}

/// Two concurrent removals of one agent, and a registration. Each uses its own nonce, the slot is
/// freed once, and each response is true.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_agent_removals_succeed() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    // Hyperliquid accepts no nonce below the lowest one that it remembers.
    assert_eq!(app.register("hyperliquid", "user_1").await.status, 200);
    assert_eq!(app.delete("hyperliquid", "user_1").await.status, 200);
    app.clock.advance_ms(10_000);
    add(&app, "hyperliquid", &wallet, "hdxlost", 0x11);
    let (one, two, made) = tokio::join!(
        remove(&app, "hyperliquid", "hdxlost"),
        remove(&app, "hyperliquid", "hdxlost"),
        app.register("hyperliquid", "user_1"),
    );
    for reply in [&one, &two] {
        assert!(matches!(reply.status, 200 | 404), "{reply:?}");
    }
    assert!(one.status == 200 || two.status == 200, "{one:?} {two:?}");
    assert_eq!(made.status, 200, "{made:?}");
    let listed = list(&app, "hyperliquid").await;
    assert!(matches!(roles(&listed)[..], [(_, "current")]), "{listed:?}");
}

/// Three leftovers fill the slots, and no credential exists. A registration replaces one of them,
/// and the others can be removed.
#[tokio::test(flavor = "multi_thread")]
async fn register_without_free_slot_replaces_a_leftover() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    for byte in 1..=3 {
        add(&app, "hyperliquid", &wallet, &format!("hdxlost{byte}"), byte);
    }
    let made = app.register("hyperliquid", "user_1").await;
    assert_eq!(made.status, 200, "{made:?}");
    let listed = list(&app, "hyperliquid").await;
    let expected = [("hdxlost1", "current"), ("hdxlost2", "leftover"), ("hdxlost3", "leftover")];
    assert_eq!(roles(&listed), expected);
    app.clock.advance_ms(10_000);
    let used = remove(&app, "hyperliquid", "hdxlost1").await;
    assert_eq!(used.text("/code"), "AGENT_IN_USE");
    assert_eq!(remove(&app, "hyperliquid", "hdxlost2").await.status, 200);
    app.clock.advance_ms(10_000);
    assert_eq!(app.delete("hyperliquid", "user_1").await.status, 200);
    assert_eq!(roles(&list(&app, "hyperliquid").await), [("hdxlost3", "leftover")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn register_with_foreign_agents_returns_422() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    for byte in 1..=3 {
        add(&app, "hyperliquid", &wallet, &format!("bot{byte}"), byte);
    }
    let full = app.register("hyperliquid", "user_1").await;
    assert_eq!((full.status, full.text("/code")), (422, "NO_AGENT_SLOT"), "{full:?}");
    assert!(full.text("/message").contains("/agents"), "{full:?}");
    assert_eq!(roles(&list(&app, "hyperliquid").await).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn aster_agent_is_removed_by_address_without_key() {
    let app = TestApp::start().await;
    let wallet = app.wallet("user_1").await;
    add(&app, "aster", &wallet, "hdxlost", 0x11);
    for reply in [list(&app, "aster").await, remove(&app, "aster", "hdxlost").await] {
        assert_eq!((reply.status, reply.text("/code")), (409, "AGENT_LIST_UNAVAILABLE"));
    }
    let gone = remove(&app, "aster", &Address::repeat_byte(0x11).to_string()).await;
    assert_eq!(gone.status, 200, "{gone:?}");
    assert_eq!(app.register("aster", "user_1").await.status, 200);
    assert!(matches!(roles(&list(&app, "aster").await)[..], [(_, "current")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_routes_refuse_bad_input_and_other_tenants() {
    let app = TestApp::start().await;
    app.wallet("user_1").await;
    for exchange in EXCHANGES {
        let path = format!("/api/trading/{exchange}/agents");
        let bare = app.get(&path).await;
        assert_eq!(bare.text("/error"), "Missing required parameter: walletIdOrAddress");
        let bare = app.send(app.request(Method::DELETE, &format!("{path}/hdx1"))).await;
        assert_eq!(bare.text("/error"), "Missing required parameter: walletIdOrAddress");
        let nobody = app.get(&format!("{path}?walletIdOrAddress=nobody")).await;
        assert_eq!((nobody.status, nobody.text("/error")), (404, "Wallet not found"));
    }
    for reply in [list(&app, "lighter").await, remove(&app, "binance", "hdx1").await] {
        assert_eq!((reply.status, reply.text("/code")), (400, "EXCHANGE_NOT_SUPPORTED"));
    }
    let key = app.key("other");
    for exchange in EXCHANGES {
        let agents = format!("/api/trading/{exchange}/agents");
        let query = "?walletIdOrAddress=user_1";
        let list = app.send_as(&key, (Method::GET, &format!("{agents}{query}")), None).await;
        let path = format!("{agents}/hdx1{query}");
        let remove = app.send_as(&key, (Method::DELETE, &path), None).await;
        assert_eq!((list.status, remove.status), (404, 404), "{list:?} {remove:?}");
    }
}
