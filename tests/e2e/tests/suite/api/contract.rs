//! Tests every successful row of the HTTP contract.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::BTreeSet;

use alloy_primitives::{Address, Signature, eip191_hash_message, keccak256};
use domain::eth::AgentKey;
use e2e::{DAY_MS, TestApp};
use exchange_sim::hyperliquid::{Chain, signing};
use futures_util::future::join_all;
use serde_json::json;

fn address(text: &str) -> Address {
    // Parsing checks the EIP-55 checksum.
    Address::parse_checksummed(text, None).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_is_created_once_and_found_by_identifiers() {
    let app = TestApp::start().await;
    let created = app.create_wallet("user_123").await;
    assert_eq!(created.status, 201);
    assert_eq!(created.body["success"], true);
    assert_eq!(created.fields(""), ["address", "publicKey", "success", "userId", "walletId"]);
    let key = hex::decode(created.text("/publicKey")).unwrap();
    assert_eq!((key.len(), key[0]), (65, 4));
    let hash = keccak256(&key[1..]);
    assert_eq!(address(created.text("/address")), Address::from_slice(&hash[12..]));

    let again = app.create_wallet("user_123").await;
    assert_eq!((again.status, &again.body), (200, &created.body));

    let (wallet, id) = (created.text("/address"), created.text("/walletId"));
    for name in [
        "user_123",
        wallet,
        &wallet.to_lowercase(),
        &format!("0x{}", wallet[2..].to_uppercase()),
        id,
        &id.to_uppercase(),
    ] {
        let found = app.get(&format!("/api/wallets/{name}")).await;
        assert_eq!((found.status, &found.body), (200, &created.body), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_creations_for_a_user_create_one_wallet() {
    let app = TestApp::start().await;
    let racing = (0..4).map(|_| app.create_wallet("user_race"));
    let replies = join_all(racing).await;
    let ids: BTreeSet<&str> = replies.iter().map(|reply| reply.text("/walletId")).collect();
    assert_eq!(ids.len(), 1, "{replies:?}");
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    let other = app.create_wallet("user_other").await;
    assert_eq!(other.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_message_returns_the_wallets_signature() {
    let app = TestApp::start().await;
    let wallet = app.create_wallet("signer").await;
    for message in ["hello", "0x1234", "ünï¢ødé 🔑\n\0", &"x".repeat(8 * 1024)] {
        let path = format!("/api/wallets/{}/sign", wallet.text("/walletId"));
        let signed = app.post(&path, json!({ "message": message })).await;
        assert_eq!(signed.status, 200, "{signed:?}");
        assert_eq!(signed.fields(""), ["address", "message", "signature", "success", "walletId"]);
        assert_eq!(signed.text("/message"), message);
        assert_eq!(signed.text("/address"), wallet.text("/address"));
        assert_eq!(signed.text("/walletId"), wallet.text("/walletId"));
        let bytes = hex::decode(signed.text("/signature").strip_prefix("0x").unwrap()).unwrap();
        assert!(bytes.len() == 65 && matches!(bytes[64], 27 | 28));
        let signature = Signature::from_raw(&bytes).unwrap();
        assert!(signature.normalize_s().is_none(), "expected a low s");
        let signer = signature.recover_address_from_prehash(&eip191_hash_message(message));
        assert_eq!(signer.unwrap(), address(wallet.text("/address")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn register_aster_adds_an_agent() {
    let app = TestApp::start().await;
    let wallet = app.create_wallet("trader").await;
    let reply = app.register("aster", "trader").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.fields(""), ["data", "message", "success", "timestamp"]);
    assert_eq!(reply.text("/message"), "API key generated successfully");
    assert_eq!(reply.body["timestamp"], app.clock.now_ms());
    assert_eq!(
        reply.fields("/data"),
        ["agentAddress", "createdAt", "expiryTimestamp", "signerAddress"]
    );
    assert_eq!(reply.text("/data/signerAddress"), wallet.text("/address"));
    let created = reply.text("/data/createdAt");
    assert!(created.len() == 20 && created.ends_with('Z'), "expected whole seconds: {created}");
    let expiry = app.clock.now_ms() + 180 * DAY_MS - 60_000;
    assert_eq!(reply.body["data"]["expiryTimestamp"], expiry);

    let agents = app.stack.aster_sim.agents_of(address(wallet.text("/address")));
    let [agent] = agents.as_slice() else { panic!("expected one agent: {agents:?}") };
    assert_eq!(agent.address, address(reply.text("/data/agentAddress")));
    assert_eq!(agent.expired, expiry);
    assert!(agent.can_spot_trade && agent.can_perp_trade && !agent.can_withdraw);
}

#[tokio::test(flavor = "multi_thread")]
async fn register_hyperliquid_returns_a_key_that_trades() {
    let app = TestApp::start().await;
    let wallet = app.create_wallet("trader").await;
    // With the deposit rule on, an approval that recovers to an address without a deposit fails.
    let sim = &app.stack.hyperliquid_sim;
    sim.require_deposit(true);
    sim.deposit(address(wallet.text("/address")));
    let reply = app.register("hyperliquid", wallet.text("/address")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.fields(""), ["data", "success", "timestamp"]);
    assert_eq!(
        reply.fields("/data"),
        ["apiPrivateKey", "apiWalletAddress", "expiryTimestamp", "mainWalletAddress"]
    );
    assert_eq!(reply.text("/data/mainWalletAddress"), wallet.text("/address"));
    let expiry = app.clock.now_ms() + 180 * DAY_MS - 60_000;
    assert_eq!(reply.body["data"]["expiryTimestamp"], expiry);

    let agents = sim.agents_of(address(wallet.text("/address")));
    let [agent] = agents.as_slice() else { panic!("expected one agent: {agents:?}") };
    assert_eq!(agent.address, address(reply.text("/data/apiWalletAddress")));
    assert_eq!(agent.valid_until, expiry);
    assert!((4..=16).contains(&agent.name.len()), "{}", agent.name);

    let secret = reply.text("/data/apiPrivateKey").strip_prefix("0x").unwrap();
    let key = AgentKey::from_bytes(&hex::decode(secret).unwrap()).unwrap();
    assert_eq!(key.address().to_string(), reply.text("/data/apiWalletAddress"));
    let (action, nonce) = (json!({ "type": "noop" }), app.clock.now_ms());
    let hash = signing::action_hash(&action, nonce, None, None).unwrap();
    let signature = key.sign(&signing::l1_digest(Chain::Mainnet, hash).unwrap().0).unwrap();
    let order = json!({ "action": action, "nonce": nonce, "signature": {
        "r": format!("0x{}", hex::encode(signature.r)),
        "s": format!("0x{}", hex::encode(signature.s)),
        "v": signature.v,
    }});
    let url = format!("{}exchange", app.stack.hyperliquid);
    let answer = app.send(app.request_to(&url).json(&order)).await;
    assert_eq!(answer.text("/status"), "ok", "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wallets_register_on_both_exchanges() {
    let app = TestApp::start().await;
    for user in ["first", "second"] {
        app.create_wallet(user).await;
        assert_eq!(app.register("aster", user).await.status, 200);
        assert_eq!(app.register("hyperliquid", user).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn register_omits_the_private_key_when_configured() {
    let app = TestApp::start_with(|options| options.return_private_key = false).await;
    app.create_wallet("trader").await;
    let reply = app.register("hyperliquid", "trader").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.fields("/data"), ["apiWalletAddress", "expiryTimestamp", "mainWalletAddress"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_returns_200_with_a_request_id() {
    let app = TestApp::start().await;
    let reply = app.get("/api/health").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body["success"], true);
    assert!(reply.headers.contains_key("x-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_is_served_without_a_key() {
    let app = TestApp::start().await;
    // Creating the first tenant key turns authentication on.
    app.key("one");
    let url = format!("{}/api/openapi.json", app.stack.api);
    let reply = app.send(app.request_from(&url)).await;
    assert_eq!(
        (reply.status, &reply.headers["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    assert_eq!(reply.body, serde_json::to_value(openapi::document()).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn path_with_invalid_utf8_returns_400() {
    let app = TestApp::start().await;
    for path in ["/api/wallets/%FF", "/api/trading/%FF/apikey", "/api/wallets/%FF/sign"] {
        let method = if path.ends_with("%FF") { http::Method::GET } else { http::Method::POST };
        let reply = app.send(app.request(method, path)).await;
        assert_eq!((reply.status, reply.text("/code")), (400, "BAD_REQUEST"), "{path}");
    }
}
