//! Wallets that can trade, and calls that concern their orders.

use domain::eth::{Address, AgentKey};
use domain::ids::{Exchange, Tenant, WalletRef};
use http::Method;
use serde_json::{Value, json};
use shared::store::{CredentialRecord, PolicyChange};
use shared::trading::policy::PolicyFields;

use super::EXCHANGES;
use crate::drive::{Job, drive, drive_lists};
use crate::error::{BenchError, failed};
use crate::world::World;

/// The market of every order.
pub(crate) const SYMBOL: &str = "ETH";

/// The quantity of every order.
pub(crate) const QUANTITY: &str = "0.01";

/// A price below the market: the orders rest.
pub(crate) const PRICE: &str = "2900";

/// More than a measurement places.
const ORDERS_PER_MINUTE: u32 = 100_000;

/// The most open orders of a wallet at Aster are 200. A measurement leaves room.
pub(crate) const MOST_OPEN: usize = 150;

/// A trading key outside the service, for bare requests.
pub(crate) struct Desk {
    pub(crate) exchange: Exchange,
    pub(crate) address: Address,
    pub(crate) wallet_id: String,
    pub(crate) agent: AgentKey,
}

impl Desk {
    /// Opens a wallet's trading key.
    pub(crate) async fn open(
        world: &World,
        exchange: Exchange,
        user: &str,
    ) -> Result<Self, BenchError> {
        let custody = world.settings.endpoints.custody(&world.settings.options());
        let name: WalletRef = user.parse().map_err(failed)?;
        let view = custody.store.find(&Tenant::local(), &name).await.map_err(failed)?;
        let view = view.ok_or_else(|| failed("a wallet is missing"))?;
        let record = view.credential(exchange).ok_or_else(|| failed("a key is missing"))?;
        let context = CredentialRecord::context(&view.wallet, exchange, record.agent);
        let secret = custody.envelope.open(&context, &record.sealed).await.map_err(failed)?;
        Ok(Self {
            exchange,
            address: view.wallet.address,
            wallet_id: view.wallet.wallet_id.to_string(),
            agent: AgentKey::from_bytes(&secret).map_err(failed)?,
        })
    }
}

/// Registers the users' wallets with both exchanges, and raises the limit of orders.
pub(crate) async fn ready(world: &World, users: &[String]) -> Result<(), BenchError> {
    let custody = world.settings.endpoints.custody(&world.settings.options());
    // The API's callers may not loosen a policy without the scope `admin`.
    let change = PolicyChange {
        tenant: Tenant::local(),
        wallet_id: None,
        fields: PolicyFields { orders_per_minute: Some(ORDERS_PER_MINUTE), ..Default::default() },
        may_loosen: true,
        delay_ms: 0,
    };
    let store = &custody.store;
    store.change_trading_policy(&change, &custody.clock, &custody.random).await.map_err(failed)?;
    for exchange in EXCHANGES {
        let mut absent = Vec::new();
        for user in users {
            if Desk::open(world, exchange, user).await.is_err() {
                absent.push(Job::register(exchange.as_str(), user));
            }
        }
        drive(world, 2, absent).await?;
    }
    Ok(())
}

/// Returns the body of a resting order.
pub(crate) fn order(id: &str) -> Value {
    json!({
        "clientOrderId": id, "symbol": SYMBOL, "side": "BUY", "type": "LIMIT",
        "quantity": QUANTITY, "price": PRICE,
    })
}

fn with_wallet(mut body: Value, wallet: &str) -> Option<Value> {
    body["walletIdOrAddress"] = wallet.into();
    Some(body)
}

/// Places a resting order.
pub(crate) fn place(exchange: Exchange, wallet: &str, id: &str) -> Job {
    let body = with_wallet(order(id), wallet);
    Job::trade(Method::POST, &format!("{exchange}/orders"), body)
}

/// Places a batch of resting orders.
pub(crate) fn batch(exchange: Exchange, wallet: &str, id: &str, count: usize) -> Job {
    let orders: Vec<_> = (0..count).map(|number| order(&format!("{id}-{number}"))).collect();
    let body = with_wallet(json!({ "orders": orders }), wallet);
    Job::trade(Method::POST, &format!("{exchange}/orders"), body)
}

/// Changes the price of an order.
pub(crate) fn modify(exchange: Exchange, wallet: &str, id: &str) -> Job {
    let body = json!({ "symbol": SYMBOL, "quantity": QUANTITY, "price": "2890" });
    Job::trade(Method::PUT, &format!("{exchange}/orders/{id}"), with_wallet(body, wallet))
}

fn query(wallet: &str) -> String {
    format!("walletIdOrAddress={wallet}&symbol={SYMBOL}")
}

/// Cancels an order.
pub(crate) fn cancel(exchange: Exchange, wallet: &str, id: &str) -> Job {
    Job::trade(Method::DELETE, &format!("{exchange}/orders/{id}?{}", query(wallet)), None)
}

/// Cancels all orders of the market.
pub(crate) fn cancel_all(exchange: Exchange, wallet: &str) -> Job {
    Job::trade(Method::DELETE, &format!("{exchange}/orders?{}", query(wallet)), None)
}

/// Reads an order.
pub(crate) fn status(exchange: Exchange, wallet: &str, id: &str) -> Job {
    Job::trade(Method::GET, &format!("{exchange}/orders/{id}/status?{}", query(wallet)), None)
}

/// Lists the open orders of the market.
pub(crate) fn open_orders(exchange: Exchange, wallet: &str) -> Job {
    Job::trade(Method::GET, &format!("{exchange}/orders?{}", query(wallet)), None)
}

/// Cancels all orders of these wallets.
pub(crate) async fn clear(
    world: &World,
    exchange: Exchange,
    wallets: &[String],
) -> Result<(), BenchError> {
    let lists = wallets.iter().map(|wallet| vec![cancel_all(exchange, wallet)]);
    drive_lists(world, lists.collect()).await.map(drop)
}
