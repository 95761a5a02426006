//! The index of orders whose outcome is unknown.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::Exchange;
use futures_util::future::try_join_all;
use platform::items::{Item, SHARDS, StoreError};

use super::super::{Index, Page, Store};
use super::{ORDER, OrderRecord, TradingAccount};
use crate::trading::ids::OrderKey;

/// An order with a submission under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueOrder {
    /// The wallet and the exchange.
    pub account: TradingAccount,
    /// The key of its record.
    pub key: OrderKey,
    /// When its lease ends, Unix milliseconds.
    pub at_ms: u64,
}

impl Store {
    /// Returns a page of the orders of an exchange in one shard (below [`SHARDS`]) whose lease has
    /// ended at `until_ms`, the longest overdue first. The index can lag behind the records.
    ///
    /// # Errors
    /// Fails when the index cannot be read, or holds an invalid entry.
    pub async fn due_orders(
        &self,
        exchange: Exchange,
        shard: u8,
        until_ms: u64,
        from: Option<Item>,
    ) -> Result<Page<DueOrder>, StoreError> {
        let shard = shard_name(exchange, shard);
        let (items, next) = self.index_page(Index::Due, shard, until_ms, from).await?;
        let keys = items.iter().map(|item| {
            due_order(item).ok_or_else(|| StoreError::Damaged {
                what: "index entry",
                cause: "it names no order".to_owned(),
            })
        });
        Ok(Page { keys: keys.collect::<Result<_, _>>()?, next })
    }
}

/// Number of pages of a shard that a search for the orders of one wallet reads at most.
const MAX_PAGES: usize = 50;

impl Store {
    /// Returns the orders of a wallet with a submission under way: its single orders, and the leads
    /// of its batches. It reads the index of all wallets at the exchange, which has no other orders
    /// and can lag behind the records. `until_ms` is later than the end of every lease.
    ///
    /// # Errors
    /// Fails when the index cannot be read, or is too long.
    pub async fn orders_under_way(
        &self,
        account: &TradingAccount,
        until_ms: u64,
    ) -> Result<Vec<OrderKey>, StoreError> {
        let shards = (0..SHARDS).map(|shard| self.under_way_in(account, shard, until_ms));
        Ok(try_join_all(shards).await?.into_iter().flatten().collect())
    }

    async fn under_way_in(
        &self,
        account: &TradingAccount,
        shard: u8,
        until_ms: u64,
    ) -> Result<Vec<OrderKey>, StoreError> {
        let (mut keys, mut from) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let page = self.due_orders(account.exchange, shard, until_ms, from).await?;
            let own = page.keys.into_iter().filter(|due| due.account == *account);
            keys.extend(own.map(|due| due.key));
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(keys),
            }
        }
        Err(StoreError::Busy("too many orders are under way to find a wallet's".to_owned()))
    }
}

/// Returns the attributes that put a record into the index. Empty when it is not due.
pub(super) fn index_attributes(key: &OrderKey, record: &OrderRecord) -> Item {
    let Some(at_ms) = record.due_at_ms() else { return Item::new() };
    // The keys are hashes, so the shards are even, also for the orders of one wallet.
    let shard = key.first_byte() % SHARDS;
    Item::from([
        ("shard".to_owned(), AttributeValue::S(shard_name(record.exchange, shard))),
        (Index::Due.sort_key().to_owned(), AttributeValue::N(at_ms.to_string())),
    ])
}

/// Returns the index partition of an exchange's orders. The credentials have numbers, so no job
/// meets entries of another kind.
fn shard_name(exchange: Exchange, shard: u8) -> String {
    let letter = match exchange {
        Exchange::Aster => 'a',
        Exchange::Hyperliquid => 'h',
        Exchange::Lighter => 'l',
    };
    format!("o{letter}{shard}")
}

/// Parses `tenant#O#walletId#exchange` and `order#key`.
fn due_order(item: &Item) -> Option<DueOrder> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let (tenant, account) = text("pk")?.split_once("#O#")?;
    let (wallet_id, exchange) = account.split_once('#')?;
    let account = TradingAccount {
        tenant: tenant.parse().ok()?,
        wallet_id: wallet_id.parse().ok()?,
        exchange: Exchange::TRADED.into_iter().find(|known| known.as_str() == exchange)?,
    };
    Some(DueOrder {
        account,
        key: OrderKey::from_hex(text("sk")?.strip_prefix(ORDER)?)?,
        at_ms: item.get(Index::Due.sort_key())?.as_n().ok()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pk: &str, sk: &str) -> Item {
        Item::from([
            ("pk".to_owned(), AttributeValue::S(pk.to_owned())),
            ("sk".to_owned(), AttributeValue::S(sk.to_owned())),
            ("dueAtMs".to_owned(), AttributeValue::N("7".to_owned())),
        ])
    }

    #[test]
    fn index_entry_names_its_order() {
        const WALLET: &str = "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a";
        const KEY: &str = "order#7c1f0a92d4e8b35566aa01f2";
        let pk = format!("acme#O#{WALLET}#hyperliquid");
        let due = due_order(&entry(&pk, KEY)).unwrap();
        assert_eq!((due.account.partition(), due.at_ms), (pk.clone(), 7));
        assert_eq!(due.account.record_key(&due.key)["sk"], AttributeValue::S(KEY.to_owned()));
        for (pk, sk) in [
            (format!("acme#W#{WALLET}"), KEY),
            (format!("acme#O#{WALLET}#binance"), KEY),
            (format!("acme#O#{WALLET}"), KEY),
            (pk.clone(), "ledger"),
            (pk, "order#7c1f"),
        ] {
            assert_eq!(due_order(&entry(&pk, sk)), None, "{pk} {sk}");
        }
    }
}
