//! Checks of a wallet and an exchange when no operation is in progress.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing test panics"
)]

use aws_sdk_dynamodb::types::AttributeValue;
use domain::eth::AgentKey;
use domain::ids::{Exchange, Tenant};
use domain::intent::AGENT_NAME_PREFIX;
use exchange_sim::Address;
use exchange_sim::hyperliquid::{Chain, signing};
use serde_json::json;
use shared::exchanges::aster::sign_query;
use shared::store::{CredentialRecord, CredentialState, WalletView};

use crate::{DAY_MS, TestApp};

/// Returns the user's wallet as stored.
pub async fn view(app: &TestApp, user: &str) -> WalletView {
    let name = user.parse().unwrap();
    app.stack.custody.store.find(&Tenant::local(), &name).await.unwrap().expect("the wallet")
}

/// Refreshes the wallet's shares if deaths have taken half of the session slots of either party.
/// After that, two more deaths do not change the calls of an operation.
pub async fn refresh_if_worn(app: &TestApp, user: &str) {
    let wallet = view(app, user).await.wallet;
    let taken = async |table: &str, sort: &str| {
        let partition = format!("{}#W#{}", wallet.tenant, wallet.wallet_id);
        let client = app.stack.aws().dynamodb();
        let read = client
            .get_item()
            .table_name(table)
            .key("pk", AttributeValue::S(partition))
            .key("sk", AttributeValue::S(sort.to_owned()))
            .consistent_read(true);
        let item = read.send().await.unwrap().item.expect("the wallet's item");
        match item.get("runs") {
            None => 0,
            Some(AttributeValue::Ss(runs)) => runs.len(),
            Some(AttributeValue::L(runs)) => runs.len(),
            Some(other) => panic!("{other:?}"),
        }
    };
    let own_slots = taken(hyperdex_local::WALLETS_TABLE, "record").await;
    let slots = taken(hyperdex_local::COSIGNER_TABLE, "audit").await;
    if own_slots.max(slots) < 2 {
        return;
    }
    app.clock.advance_ms(60_001);
    app.stack.custody.refresh(&wallet.tenant, wallet.wallet_id, None).await.unwrap();
}

/// Returns the versions of the cosigner's shares of a wallet's key, read from its table.
pub async fn cosigner_shares(app: &TestApp, view: &WalletView) -> Vec<u32> {
    let partition = format!("{}#W#{}", view.wallet.tenant, view.wallet.wallet_id);
    let output = app
        .stack
        .aws()
        .dynamodb()
        .query()
        .table_name(hyperdex_local::COSIGNER_TABLE)
        .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
        .expression_attribute_values(":pk", AttributeValue::S(partition))
        .expression_attribute_values(":prefix", AttributeValue::S("share#".to_owned()))
        .consistent_read(true)
        .send()
        .await
        .unwrap();
    let items = output.items.unwrap_or_default().into_iter();
    let live = items.filter(|item| item.contains_key("sealed"));
    let version = |sort: &str| sort.strip_prefix("share#").unwrap().parse().unwrap();
    live.map(|item| version(item["sk"].as_s().unwrap())).collect()
}

/// Returns the sort keys of the wallet's credentials for an exchange, read from the table itself.
async fn stored(app: &TestApp, view: &WalletView, exchange: Exchange) -> Vec<String> {
    let partition = format!("{}#W#{}", view.wallet.tenant, view.wallet.wallet_id);
    let prefix = format!("credential#{exchange}");
    let output = app
        .stack
        .aws()
        .dynamodb()
        .query()
        .table_name(hyperdex_local::WALLETS_TABLE)
        .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
        .expression_attribute_values(":pk", AttributeValue::S(partition))
        .expression_attribute_values(":prefix", AttributeValue::S(prefix))
        .consistent_read(true)
        .send()
        .await
        .unwrap();
    let items = output.items.unwrap_or_default();
    items.into_iter().map(|item| item["sk"].as_s().unwrap().clone()).collect()
}

/// Returns the names and addresses of the wallet's own agents at the exchange. An expired agent
/// counts if it keeps its slot.
#[must_use]
pub fn agents(app: &TestApp, view: &WalletView, exchange: Exchange) -> Vec<(String, String)> {
    let agents = app.agents(exchange.as_str(), &view.wallet.address.to_string());
    let is_own = |(name, _): &(String, String)| name.starts_with(AGENT_NAME_PREFIX);
    agents.into_iter().filter(is_own).collect()
}

/// Fills all of the wallet's slots on Hyperliquid but one with agents of other programs.
pub async fn fill_agent_slots(app: &TestApp, user: &str) {
    let master = view(app, user).await.wallet.address.to_string().parse().unwrap();
    let until = app.clock.now_ms() + 100_000 * DAY_MS;
    for slot in 1..3 {
        let agent = Address::with_last_byte(slot);
        let name = format!("theirs{slot}");
        assert!(app.stack.hyperliquid_sim.add_agent(master, &name, agent, until));
    }
}

/// Checks that no credential is stored and no agent exists at the exchange.
pub async fn assert_none_left(app: &TestApp, user: &str, exchange: Exchange) {
    let view = view(app, user).await;
    assert_eq!(stored(app, &view, exchange).await, [""; 0], "{user} {exchange}");
    assert_eq!(agents(app, &view, exchange), [], "{user} {exchange}");
}

/// Checks that exactly one active credential is stored and exactly one agent exists at the
/// exchange, that they match, that the stored key belongs to the agent, and that the exchange
/// accepts its signature.
pub async fn assert_one_active(app: &TestApp, user: &str, exchange: Exchange) {
    let view = view(app, user).await;
    assert_eq!(stored(app, &view, exchange).await.len(), 1, "{user} {exchange}");
    let record = view.credential(exchange).expect("the credential");
    assert_eq!(record.state, CredentialState::Active, "{user} {exchange}");
    assert!(record.next.is_none() && record.retiring.is_empty(), "{user} {exchange}: {record:?}");
    let agents = agents(app, &view, exchange);
    let [(name, address)] = agents.as_slice() else { panic!("{user} {exchange}: {agents:?}") };
    assert_eq!((name, address), (&record.agent_name, &record.agent.to_string()));

    let context = CredentialRecord::context(&view.wallet, exchange, record.agent);
    let secret = app.stack.custody.envelope.open(&context, &record.sealed).await.unwrap();
    let agent = AgentKey::from_bytes(&secret).unwrap();
    assert_eq!(agent.address(), record.agent, "{user} {exchange}");
    // Makes the nonce unique. A recent call to Aster may have added up to a millisecond to the
    // time.
    app.clock.advance_ms(2);
    match exchange {
        Exchange::Hyperliquid => assert_hyperliquid_accepts(app, &agent).await,
        Exchange::Lighter => unreachable!("no wallet is registered there"),
        Exchange::Aster => assert_aster_accepts(app, &agent, &view).await,
    }
}

/// Removes the builder from a credential's record, as if the wallet had been registered before the
/// deployment had one.
pub async fn forget_builder(app: &TestApp, user: &str, exchange: Exchange) {
    let view = view(app, user).await;
    let known = view.credential(exchange).unwrap();
    let free = CredentialRecord { builder: None, ..known.clone() };
    app.store().replace(&view.wallet, &free, known.revision).await.unwrap();
}

/// Deletes the credential and its agents directly in the table and at the exchange, so that the
/// wallet can be used again.
pub async fn erase_credential(app: &TestApp, user: &str, exchange: Exchange) {
    let view = view(app, user).await;
    let partition = format!("{}#W#{}", view.wallet.tenant, view.wallet.wallet_id);
    app.stack
        .aws()
        .dynamodb()
        .delete_item()
        .table_name(hyperdex_local::WALLETS_TABLE)
        .key("pk", AttributeValue::S(partition))
        .key("sk", AttributeValue::S(format!("credential#{exchange}")))
        .send()
        .await
        .unwrap();
    let master = view.wallet.address.to_string().parse().unwrap();
    for (_, agent) in agents(app, &view, exchange) {
        let agent = agent.parse().unwrap();
        assert!(match exchange {
            Exchange::Aster => app.stack.aster_sim.remove_agent(master, agent),
            Exchange::Hyperliquid => app.stack.hyperliquid_sim.remove_agent(master, agent),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        });
    }
}

/// Sends an action without effect, signed by the agent.
async fn assert_hyperliquid_accepts(app: &TestApp, agent: &AgentKey) {
    let (nonce, action) = (app.clock.now_ms(), json!({ "type": "noop" }));
    let hash = signing::action_hash(&action, nonce, None, None).unwrap();
    let digest = signing::l1_digest(Chain::Mainnet, hash).unwrap();
    let signature = agent.sign(&digest.0).unwrap();
    let (r, s) = (hex::encode(signature.r), hex::encode(signature.s));
    let body = json!({
        "action": action,
        "nonce": nonce,
        "signature": { "r": format!("0x{r}"), "s": format!("0x{s}"), "v": signature.v },
    });
    let request = app.request_to(&format!("{}exchange", app.stack.hyperliquid)).json(&body);
    let reply = app.send(request).await;
    assert_eq!(reply.body["status"], "ok", "{reply:?}");
}

/// Sends a read request, signed by the agent.
async fn assert_aster_accepts(app: &TestApp, agent: &AgentKey, view: &WalletView) {
    let (nonce, user) = (app.clock.now_ms() * 1_000, view.wallet.address);
    let parameters = format!("nonce={nonce}&user={user}&signer={}", agent.address());
    let query = sign_query(app.options.aster.agent_chain_id(), agent, &parameters).unwrap();
    let url = format!("{}fapi/v3/balance?{query}", app.stack.aster);
    let reply = app.send(app.request_from(&url)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}
