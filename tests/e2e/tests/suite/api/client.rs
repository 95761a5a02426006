//! Tests the client crate against the whole stack, as a platform would use it.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::BTreeSet;
use std::time::Duration;

use alloy_primitives::{Signature, eip191_hash_message};
use domain::eth::AgentKey;
use e2e::proxy::{Fate, Proxy};
use e2e::{DAY_MS, TestApp};
use exchange_sim::faults::Fault;
use hyperdex_client::{
    Client, Clock, Code, DeleteApiKey, Elsewhere, EventType, Exchange, NewOrder, NewWebhook,
    OrderStatus, RegisterApiKey, Replay, Retry, Secret, Side, State, TradingLimits,
};

/// Builds a client for this URL. Its clock is the stack's clock, and its waits advance that clock.
fn client(app: &TestApp, url: &str, key: &str) -> Client {
    let (now, waiting) = (app.clock.clone(), app.clock.clone());
    let clock = Clock::new(
        move || Duration::from_millis(now.now_ms()),
        move |wait| {
            waiting.advance_ms(u64::try_from(wait.as_millis()).unwrap() + 1);
            tokio::task::yield_now()
        },
    );
    Client::builder(url, &Secret::new(key)).unwrap().clock(clock).build().unwrap()
}

fn agents(app: &TestApp, exchange: &Exchange, wallet: &str) -> Vec<String> {
    let exchange = if *exchange == Exchange::Aster { "aster" } else { "hyperliquid" };
    app.agents(exchange, wallet).into_iter().map(|(_, address)| address).collect()
}

/// Checks that the private key belongs to this agent address.
fn assert_key_of_agent(key: Option<&Secret>, agent: &str) {
    let key = hex::decode(key.unwrap().expose().trim_start_matches("0x")).unwrap();
    assert_eq!(AgentKey::from_bytes(&key).unwrap().address().to_string(), agent);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_creates_signs_registers_rotates_and_deletes() {
    let app = TestApp::start().await;
    let key = app.key("platform");
    let client = client(&app, &app.stack.api, &key);
    assert_eq!(client.health().await.unwrap().status, "ok");
    assert_eq!(client.openapi().await.unwrap()["openapi"], "3.1.0");

    let made = client.create_wallet("user_1").await.unwrap();
    assert_eq!((made.http_status, made.user_id.as_str()), (201, "user_1"));
    assert!(made.request_id.is_some() && !made.replayed);
    let wallet = client.create_wallet("user_1").await.unwrap();
    assert_eq!((wallet.http_status, &wallet.value), (200, &made.value));
    for name in [&wallet.user_id, &wallet.address, &wallet.wallet_id.to_string()] {
        assert_eq!(client.wallet(name).await.unwrap().value, wallet.value);
    }
    let signed = client.sign("user_1", "hello").await.unwrap();
    let signature: Signature = signed.signature.parse().unwrap();
    let signer = signature.recover_address_from_prehash(&eip191_hash_message("hello")).unwrap();
    assert_eq!((signer.to_string(), &signed.address), (wallet.address.clone(), &wallet.address));

    let aster = client.register_aster("user_1").await.unwrap();
    assert_eq!(aster.signer_address, wallet.address);
    assert_eq!(aster.note.as_deref(), Some("API key generated successfully"));
    let first = aster.agent_address.clone().unwrap();
    assert_eq!(agents(&app, &Exchange::Aster, &wallet.address), [first.as_str()]);
    let hyperliquid =
        client.register_hyperliquid(RegisterApiKey::new("user_1").auto_renew(false)).await.unwrap();
    assert_eq!(hyperliquid.main_wallet_address, wallet.address);
    assert_key_of_agent(hyperliquid.api_private_key.as_ref(), &hyperliquid.api_wallet_address);
    let listed = agents(&app, &Exchange::Hyperliquid, &wallet.address);
    assert_eq!(listed, [hyperliquid.api_wallet_address.as_str()]);

    for (exchange, agent, renewed) in [
        (Exchange::Aster, &first, true),
        (Exchange::Hyperliquid, &hyperliquid.api_wallet_address, false),
    ] {
        let key = client.api_key(&exchange, &wallet.address).await.unwrap();
        assert_eq!((&key.exchange, &key.state), (&exchange, &State::Active));
        assert_eq!((key.agent_address.as_ref(), key.auto_renew), (Some(agent), renewed));
        assert_eq!(key.expiry_timestamp, Some(app.clock.now_ms() + 180 * DAY_MS - 60_000));
    }

    let second = client.rotate_aster("user_1").await.unwrap();
    assert_eq!(second.previous_agent_address, Some(first));
    let rotated = client.rotate_hyperliquid("user_1").await.unwrap();
    assert!(rotated.previous_agent_revoked && !rotated.replaced_by_name);
    assert_key_of_agent(rotated.api_private_key.as_ref(), &rotated.api_wallet_address);
    for (exchange, agent) in [
        (Exchange::Aster, second.agent_address.as_ref().unwrap()),
        (Exchange::Hyperliquid, &rotated.api_wallet_address),
    ] {
        assert_eq!(agents(&app, &exchange, &wallet.address), std::slice::from_ref(agent));
        let gone = client.delete_api_key(&exchange, wallet.wallet_id).await.unwrap();
        assert_eq!((&gone.exchange, &gone.agent_address), (&exchange, agent));
        assert!(agents(&app, &exchange, &wallet.address).is_empty());
        let error = client.delete_api_key(&exchange, "user_1").await.unwrap_err();
        assert_eq!(error.code(), Some(&Code::ApiKeyNotFound));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_lists_each_wallet_once() {
    let app = TestApp::start().await;
    let [one, two] = ["one", "two"].map(|tenant| client(&app, &app.stack.api, &app.key(tenant)));
    let mut made = BTreeSet::new();
    for number in 0..5 {
        made.insert(one.create_wallet(&format!("user_{number}")).await.unwrap().wallet_id);
    }
    let other = two.create_wallet("user_0").await.unwrap();
    app.clock.advance_ms(1_000);
    let (mut listed, mut wallets) = (Vec::new(), one.all_wallets(2));
    while let Some(wallet) = wallets.next().await {
        listed.push(wallet.unwrap().wallet_id);
    }
    assert_eq!(listed.len(), 5);
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), made);
    let error = one.wallet(&other.wallet_id.to_string()).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(404), Some(&Code::WalletNotFound)));
    let stranger = client(&app, &app.stack.api, "hdx_stranger");
    let error = stranger.wallet("user_0").await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(403), Some(&Code::InvalidApiKey)));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_errors_have_status_code_and_message() {
    let app = TestApp::start_with(|options| options.require_deposit = true).await;
    let client = client(&app, &app.stack.api, "any");
    let error = client.create_wallet("").await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(400), Some(&Code::MissingParameter)));
    assert!(error.request_id().is_some() && !error.is_retryable());
    let error = client.sign("nobody", "hello").await.unwrap_err();
    assert_eq!(error.code(), Some(&Code::WalletNotFound));

    client.create_wallet("user_1").await.unwrap();
    let error = client.register_hyperliquid("user_1").await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(422), Some(&Code::DepositRequired)));
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.error, "Failed to generate API key");
    assert!(refusal.message.as_ref().unwrap().contains("Deposit"), "{refusal}");
    assert_eq!((error.attempts(), refusal.timestamp), (1, app.clock.now_ms()));
    for exchange in [Exchange::Aster, Exchange::Hyperliquid] {
        let error = client.api_key(&exchange, "user_1").await.unwrap_err();
        assert_eq!(error.code(), Some(&Code::ApiKeyNotFound));
        let gone = DeleteApiKey::new("user_1").removed_on_exchange();
        let error = client.delete_api_key(&exchange, gone).await.unwrap_err();
        assert_eq!(error.code(), Some(&Code::ApiKeyNotFound));
    }
    client.register_aster("user_1").await.unwrap();
    let error = client.register_aster("user_1").await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(409), Some(&Code::ApiKeyExists)));
    assert!(error.refusal().unwrap().message.as_ref().unwrap().contains("delete it"));
    for asked in [Elsewhere::Describe, Elsewhere::Register, Elsewhere::Delete, Elsewhere::Rotate] {
        let guidance = client.guidance("lighter", asked).await.unwrap();
        assert!(guidance.message.unwrap().contains("deposit USDC"));
    }
    assert!(client.guidance("aster", Elsewhere::Register).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_retries_while_the_exchange_fails() {
    let app = TestApp::start().await;
    let client = client(&app, &app.stack.api, "any");
    client.create_wallet("user_1").await.unwrap();
    app.stack.hyperliquid_sim.fail_next("approveAgent", Fault::Status(500, String::new()));
    app.stack.aster_sim.fail_next("registerAndApproveAgent", Fault::AppliedButLost);
    let hyperliquid = client.register_hyperliquid("user_1").await.unwrap();
    let aster = client.register_aster("user_1").await.unwrap();
    for (exchange, agent) in [
        (Exchange::Aster, aster.agent_address.as_ref().unwrap()),
        (Exchange::Hyperliquid, &hyperliquid.api_wallet_address),
    ] {
        assert_eq!(agents(&app, &exchange, &aster.signer_address), std::slice::from_ref(agent));
    }
}

/// Sends each call twice, because the response to the first attempt is lost.
#[tokio::test(flavor = "multi_thread")]
async fn client_retry_after_lost_response_is_replayed() {
    let app = TestApp::start().await;
    let proxy = Proxy::start(&app).await;
    for (round, lost) in [Fate::Lose, Fate::Fail(Fault::AppliedButLost)].into_iter().enumerate() {
        // Loses the response to every odd call, starting with the first of each kind.
        let process = proxy.process_with(Box::new(move |call| match call.nth % 2 {
            1 => lost.clone(),
            _ => Fate::Pass,
        }));
        let client = client(&app, &process.api(), "any");
        let user = format!("user_{round}");
        let made = client.create_wallet(&user).await.unwrap();
        assert_eq!(
            (made.http_status, made.replayed),
            (201, true),
            "the response of the first call"
        );
        let signed = client.sign(&user, "hello").await.unwrap();
        assert_eq!((signed.address.as_str(), signed.replayed), (made.address.as_str(), true));

        let aster = client.register_aster(&user).await.unwrap();
        let hyperliquid = client.register_hyperliquid(&user).await.unwrap();
        assert!(aster.replayed && hyperliquid.replayed);
        assert_key_of_agent(hyperliquid.api_private_key.as_ref(), &hyperliquid.api_wallet_address);
        for (exchange, agent) in [
            (Exchange::Aster, aster.agent_address.as_ref().unwrap()),
            (Exchange::Hyperliquid, &hyperliquid.api_wallet_address),
        ] {
            let listed = agents(&app, &exchange, &made.address);
            assert_eq!(listed, std::slice::from_ref(agent), "exactly one agent exists");
        }
        let rotated = client.rotate_hyperliquid(&user).await.unwrap();
        assert_eq!(rotated.previous_agent_address.as_ref(), Some(&hyperliquid.api_wallet_address));
        let listed = agents(&app, &Exchange::Hyperliquid, &made.address);
        assert_eq!(listed, std::slice::from_ref(&rotated.api_wallet_address));
        let gone = client.delete_api_key(&Exchange::Hyperliquid, user.as_str()).await.unwrap();
        assert_eq!(gone.agent_address, rotated.api_wallet_address);
        let calls = process.calls();
        // A busy machine sends more calls, because a response may request a later retry.
        assert!(calls.len() >= 12, "each of the six calls was sent twice: {calls:?}");
    }
    // A client without retries gets the idempotency key from the error and retries with it.
    let process = proxy.process_with(Box::new(|call| match call.nth {
        1 => Fate::Lose,
        _ => Fate::Pass,
    }));
    let key = Secret::new("any");
    let once = Client::builder(&process.api(), &key).unwrap().retry(Retry::never());
    let once = once.build().unwrap();
    let error = once.create_wallet("user_9").await.unwrap_err();
    assert!(error.is_retryable() && error.code().is_none(), "{error:?}");
    let again = once.with_key(error.idempotency_key().unwrap().clone());
    let made = again.create_wallet("user_9").await.unwrap();
    assert_eq!((made.http_status, made.replayed), (201, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_manages_webhooks() {
    let app = TestApp::start().await;
    let client = client(&app, &app.stack.api, &app.key("platform"));
    let mut wanted = NewWebhook::new("https://hooks.example.com/hyperdex");
    wanted.events = Some(vec![EventType::WalletCreated, EventType::CredentialDrift]);
    let made = client.create_webhook(&wanted).await.unwrap();
    assert_eq!(made.http_status, 201);
    assert!(made.secret.expose().starts_with("whsec_"));
    assert_eq!(
        (&made.webhook.url, Some(&made.webhook.events)),
        (&wanted.url, wanted.events.as_ref())
    );
    let all = client.list_webhooks().await.unwrap().value.webhooks;
    assert_eq!(all, std::slice::from_ref(&made.webhook));
    let id = made.webhook.webhook_id;
    let since = Replay::between("2020-01-01T00:00:00Z", None);
    let replayed = client.replay_webhook(id, &since).await.unwrap().value;
    assert_eq!((replayed.queued, replayed.next_cursor), (0, None));
    let bad = NewWebhook::new("http://169.254.169.254/latest/meta-data");
    assert_eq!(client.create_webhook(&bad).await.unwrap_err().code(), Some(&Code::BadRequest));
    assert_eq!(client.delete_webhook(id).await.unwrap().webhook_id, id);
    for error in [
        client.delete_webhook(id).await.unwrap_err(),
        client.replay_webhook(id, &since).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), Some(&Code::WebhookNotFound));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_places_changes_reads_and_cancels_orders() {
    let app = TestApp::start().await;
    let key = app.key("platform");
    let client = client(&app, &app.stack.api, &key);
    let wallet = client.create_wallet("trader").await.unwrap();
    let address = wallet.address.parse().unwrap();
    app.stack.aster_sim.deposit_amount(address, "100000");
    app.stack.hyperliquid_sim.deposit_amount(address, "", "100000");
    client.register_aster("trader").await.unwrap();
    client.register_hyperliquid("trader").await.unwrap();
    for exchange in Exchange::KNOWN {
        let order = NewOrder::limit("BTC", Side::Buy, "0.01", "59000").with_id("bot-1");
        let placed = client.place_order(exchange, "trader", &order).await.unwrap();
        assert_eq!((&placed.status, placed.replayed), (&OrderStatus::Open, false));
        let again = client.place_order(exchange, "trader", &order).await.unwrap();
        assert_eq!((again.replayed, &again.value), (true, &placed.value));
        let others = [NewOrder::limit("BTC", Side::Buy, "0.01", "58000")];
        let batch = client.place_orders(exchange, "trader", &others).await.unwrap();
        assert_eq!((batch.placed, batch.orders.len()), (1, 1));
        let listed = client.open_orders(exchange, "trader", Some("BTC")).await.unwrap();
        assert_eq!((listed.count, listed.data.orders.len()), (2, 2));
        let changed = client.modify_order(exchange, "trader", "bot-1", ("57000", "0.02"), None);
        assert_eq!(changed.await.unwrap().price, "57000");
        let read = client.order(exchange, "trader", "bot-1", None).await.unwrap();
        assert_eq!((read.price.as_str(), read.quantity.as_str()), ("57000", "0.02"));
        let cancelled = client.cancel_order(exchange, "trader", "bot-1", None).await.unwrap();
        assert_eq!(cancelled.status, OrderStatus::Canceled);
        let gone = client.cancel_order(exchange, "trader", "bot-1", None).await.unwrap_err();
        assert_eq!(gone.code(), Some(&Code::OrderNotOpen));
        assert_eq!(gone.refusal().unwrap().data.as_ref().unwrap()["status"], "CANCELED");
        let rest = client.cancel_orders(exchange, "trader", "BTC").await.unwrap();
        assert_eq!(rest.count, 1);
    }
    let limits = TradingLimits { orders_per_minute: Some(0), ..TradingLimits::default() };
    let policy = client.set_trading_policy(Some("trader"), &limits).await.unwrap();
    assert_eq!(policy.effective.orders_per_minute, Some(0));
    let read = client.trading_policy(Some("trader")).await.unwrap();
    assert_eq!(read.wallet.as_ref(), Some(&limits));
    let order = NewOrder::market("BTC", Side::Buy, "0.01");
    let refused = client.place_order(&Exchange::Aster, "trader", &order).await.unwrap_err();
    assert_eq!(refused.code(), Some(&Code::PolicyRefused));
    assert_eq!(refused.refusal().unwrap().reason.as_deref(), Some("ORDER_RATE"));
}
