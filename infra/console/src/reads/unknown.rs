//! A tenant's orders whose outcome is unknown and whose lease has ended.

use domain::ids::{Exchange, Tenant, UserId, WalletRef};
use futures_util::future::try_join_all;
use platform::items::{SHARDS, StoreError};
use serde::Serialize;
use shared::store::DueOrder;
use uuid::Uuid;

use super::Reads;
use super::overview::List;

/// Maximum number of pages that are read of each shard, which also holds other tenants' orders.
const PAGES: usize = 5;
/// Maximum number of orders whose records are read.
const MOST: usize = 100;

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unknown {
    wallet_id: Uuid,
    user_id: Option<UserId>,
    exchange: Exchange,
    client_order_id: String,
    symbol: String,
    /// When the record was made, Unix milliseconds.
    since: u64,
}

/// Orders of unknown outcome, the first ones of a list.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UnknownOrders {
    #[serde(flatten)]
    list: List<Unknown>,
    /// Whether there may be orders that were not read.
    more: bool,
}

/// Returns a tenant's orders of unknown outcome, the oldest first.
pub(super) async fn unknown_orders(
    reads: &Reads,
    tenant: &Tenant,
    now_ms: u64,
) -> Result<UnknownOrders, StoreError> {
    let shards = Exchange::TRADED.into_iter().flat_map(|exchange| {
        (0..SHARDS).map(move |shard| due_in(reads, tenant, exchange, shard, now_ms))
    });
    let read = try_join_all(shards).await?;
    let is_cut = read.iter().any(|shard| shard.more);
    let mut due: Vec<DueOrder> = read.into_iter().flat_map(|shard| shard.found).collect();
    due.sort_by_key(|order| order.at_ms);
    let more = is_cut || due.len() > MOST;
    due.truncate(MOST);
    let found = try_join_all(due.iter().map(|order| unknown(reads, order))).await?;
    let mut found: Vec<Unknown> = found.into_iter().flatten().collect();
    found.sort_by_key(|order| order.since);
    Ok(UnknownOrders { list: List::new(found), more })
}

/// A tenant's due orders of one shard.
struct Due {
    found: Vec<DueOrder>,
    /// Whether the shard has orders that were not read.
    more: bool,
}

async fn due_in(
    reads: &Reads,
    tenant: &Tenant,
    exchange: Exchange,
    shard: u8,
    now_ms: u64,
) -> Result<Due, StoreError> {
    let (mut found, mut from) = (Vec::new(), None);
    for _ in 0..PAGES {
        let page = reads.store.due_orders(exchange, shard, now_ms, from).await?;
        found.extend(page.keys.into_iter().filter(|order| order.account.tenant == *tenant));
        from = page.next;
        if from.is_none() || found.len() >= MOST {
            break;
        }
    }
    Ok(Due { found, more: from.is_some() })
}

/// Returns an order of the index unless it was resolved meanwhile.
async fn unknown(reads: &Reads, due: &DueOrder) -> Result<Option<Unknown>, StoreError> {
    let account = &due.account;
    let records = reads.store.orders_by_keys(account, &[due.key], &reads.clock).await?;
    let Some(record) = records.into_iter().find(|record| !record.is_at_rest()) else {
        return Ok(None);
    };
    let wallet = WalletRef::Wallet(account.wallet_id);
    let view = reads.store.find(&account.tenant, &wallet).await?;
    Ok(Some(Unknown {
        wallet_id: account.wallet_id,
        user_id: view.map(|view| view.wallet.user_id),
        exchange: account.exchange,
        client_order_id: record.client_order_id.to_string(),
        symbol: record.request.symbol.to_string(),
        since: record.created_at_ms,
    }))
}
