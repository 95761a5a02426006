//! An account at the simulated Lighter, whose API key a caller brings.

#![expect(clippy::expect_used, reason = "a failing test panics")]

use std::collections::BTreeMap;

use domain::ids::{Exchange, Tenant};
use exchange_sim::steer::Executed;
use http::Method;
use platform::items::from_item;
use serde_json::{Value, json};
use shared::exchanges::lighter::Credential;
use shared::exchanges::lighter::config::MAINNET;
use shared::store::{OrderRecord, TradingAccount};
use shared::trading::ids::{ClientOrderId, ExchangeOrderId, Leg, lighter_account_id};

use crate::{Reply, TestApp};

/// The account.
pub const ACCOUNT: u64 = 281_190;

/// The slot of its key.
pub const SLOT: u8 = 5;

/// The private key of the slot.
pub const KEY: &str =
    "0915b889c9631706684d65f004fb858275092036a85d9f7516ae34fc9c292f1e96fb5e73f33e9c62";

/// The owner of the account.
pub const OWNER: &str = "0x07943f0f79097572451601e768c329a2765f2ea2";

/// Returns the key with its account and slot.
#[must_use]
pub fn credential() -> Credential {
    Credential::parse(KEY, &SLOT.to_string(), &ACCOUNT.to_string()).expect("a valid key")
}

/// Opens the account at the simulator, with the key in its slot.
pub fn open_account(app: &TestApp) {
    let simulator = &app.stack.lighter_sim;
    assert!(simulator.add_account(ACCOUNT, OWNER.parse().expect("an address")));
    assert!(simulator.set_key(ACCOUNT, SLOT, &credential().public_key().to_string()));
}

/// Stores the key of the account with the service.
pub async fn store_key(app: &TestApp) -> Reply {
    let body = json!({ "apiKeyPrivateKey": KEY, "apiKeyIndex": SLOT, "accountIndex": ACCOUNT });
    let request = app.request(Method::PUT, "/api/trading/lighter/credentials").json(&body);
    app.send(request).await
}

/// Sends a request to Lighter's routes with the stored key.
pub async fn send(app: &TestApp, method: Method, rest: &str, body: Option<Value>) -> Reply {
    let joined = if rest.contains('?') { '&' } else { '?' };
    let path = format!("/api/trading/lighter/{rest}{joined}accountIndex={ACCOUNT}");
    let request = app.request(method, &path);
    app.send(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

/// Returns the account of the orders' records.
#[must_use]
pub fn account() -> TradingAccount {
    TradingAccount {
        tenant: Tenant::local(),
        wallet_id: lighter_account_id(MAINNET, ACCOUNT),
        exchange: Exchange::Lighter,
    }
}

/// Returns the number that the exchange has for a part of an order.
#[must_use]
pub fn index_of(id: &str, leg: Leg) -> String {
    let id: ClientOrderId = id.parse().expect("an id");
    ExchangeOrderId::of_lighter(account().order_key(&id), leg).lighter_index().to_string()
}

/// Returns what became of each client's number at the exchange.
#[must_use]
pub fn executions(app: &TestApp) -> BTreeMap<String, Executed> {
    app.stack.lighter_sim.executions(ACCOUNT)
}

/// Returns how often the exchange has accepted an order.
#[must_use]
pub fn accepted(app: &TestApp, id: &str) -> u32 {
    executions(app).get(&index_of(id, Leg::Entry)).map_or(0, |executed| executed.accepted)
}

/// Returns the record of an order, read from the table itself.
pub async fn record(app: &TestApp, id: &str) -> Option<OrderRecord> {
    let items = app.scan(hyperdex_local::WALLETS_TABLE).await;
    let is_order = |item: &&platform::items::Item| {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
        text("pk").is_some_and(|pk| pk.ends_with("#lighter"))
            && text("sk").is_some_and(|sk| sk.starts_with("order#"))
    };
    let records = items.iter().filter(is_order).map(|item| from_item("order", item.clone()));
    let mut records = records.map(|record: Result<OrderRecord, _>| record.expect("a record"));
    records.find(|record| record.client_order_id.as_str() == id)
}
