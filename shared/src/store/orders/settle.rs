//! Writes of what becomes of a reserved order.

use platform::items::StoreError;
use uuid::Uuid;

use super::super::Store;
use super::{MovedOrder, OrderRecord, TradingAccount};

/// An outcome to store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settling {
    /// The revision that it replaces.
    pub known: Uuid,
    /// The record with its outcome: see [`OrderRecord::settled`] and
    /// [`OrderRecord::change_settled`].
    pub record: OrderRecord,
}

/// Why a write of an order failed.
#[derive(Debug, thiserror::Error)]
pub enum OrderLost {
    /// Another call has changed these orders.
    #[error("another call has changed the order")]
    Moved(Vec<MovedOrder>),
    /// The table failed. After [`StoreError::Unavailable`] the write may have succeeded; the same
    /// write then succeeds again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Stores the outcomes of orders that were sent with one nonce, all or none, and ends the
    /// reservations of those whose outcome is known. Returns the stored records.
    ///
    /// # Errors
    /// When an order has another revision, or the table fails.
    pub async fn settle(
        &self,
        account: &TradingAccount,
        orders: Vec<Settling>,
    ) -> Result<Vec<OrderRecord>, OrderLost>;

    /// Takes a lease on an order whose lease has ended, and returns its record.
    ///
    /// # Errors
    /// When the order has another revision, or the table fails.
    pub async fn take_over(
        &self,
        account: &TradingAccount,
        known: &OrderRecord,
        lease_until_ms: u64,
        revision: Uuid,
    ) -> Result<OrderRecord, OrderLost>;

    /// Records that the nonce of the submission under way is used, and returns the record.
    ///
    /// # Errors
    /// When the order has another revision or no submission under way, or the table fails.
    pub async fn note_fenced(
        &self,
        account: &TradingAccount,
        known: &OrderRecord,
        revision: Uuid,
    ) -> Result<OrderRecord, OrderLost>;
}
