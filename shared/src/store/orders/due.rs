//! The index of orders whose outcome is unknown.

use domain::ids::Exchange;
use platform::items::{Item, StoreError};

use super::super::{Page, Store};
use super::TradingAccount;
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
    /// Returns a page of the orders of an exchange in one shard (below [`SHARDS`](platform::items::SHARDS)) whose lease has
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
    ) -> Result<Page<DueOrder>, StoreError>;
}
