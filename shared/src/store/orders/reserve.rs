//! The transaction that stores orders and takes their nonce.

use platform::items::StoreError;
use uuid::Uuid;

use super::super::Store;
use super::{MovedOrder, OrderRecord, TradingAccount};
use crate::trading::ledger::Ledger;

/// The state of an order's record that a reservation replaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// No record, or an expired one.
    Absent,
    /// The record at this revision.
    Revision(Uuid),
}

/// An order to reserve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reserving {
    /// The record to store. In state [`OrderState::Sending`](super::OrderState::Sending) it places
    /// an order, and replaces a refused or a dead one. In state
    /// [`OrderState::Placed`](super::OrderState::Placed) it has a change under way.
    pub record: OrderRecord,
    /// The record that it replaces.
    pub seen: Seen,
}

/// Why a reservation was not written. Nothing may be sent.
#[derive(Debug, thiserror::Error)]
pub enum ReserveLost {
    /// These orders are not as expected. Each order whose condition failed is listed, in the
    /// sequence of the reservation.
    #[error("another request has reserved the order")]
    Orders(Vec<MovedOrder>),
    /// Another request has changed the ledger, which is now this one. Check the policy, take the
    /// nonce and sign again.
    #[error("another request has changed the ledger")]
    Ledger(Box<Ledger>),
    /// The table failed. After [`StoreError::Unavailable`] the reservation may be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Stores orders with their signed bytes, and the ledger with their nonce, in one transaction.
    /// `ledger` is the next one, whose `rev` follows the number of the present one. A record
    /// whose time is over at `now_ms` counts as absent.
    ///
    /// # Errors
    /// When an order or the ledger is not as expected, or the table fails.
    pub async fn reserve(
        &self,
        account: &TradingAccount,
        orders: &[Reserving],
        ledger: &Ledger,
        now_ms: u64,
    ) -> Result<(), ReserveLost>;
}
