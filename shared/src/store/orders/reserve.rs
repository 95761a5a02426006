//! The transaction that stores orders and takes their nonce.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use platform::items::{Item, StoreError, from_item, transaction_error};
use uuid::Uuid;

use super::super::credentials::number;
use super::super::{Store, to_item};
use super::due::index_attributes;
use super::{LEDGER, MovedOrder, OrderRecord, OrderState, TradingAccount, moved, put};
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
    /// The record to store. In state [`OrderState::Sending`] it places an order, and replaces a
    /// refused or a dead one. In state [`OrderState::Placed`] it has a change under way.
    pub record: OrderRecord,
    /// The record that it replaces.
    pub seen: Seen,
}

/// Maximum age of the policy that a reservation was checked against, in milliseconds. A policy that
/// is tightened is therefore in effect for every order that is reserved this long after it, also for
/// a request that was held up.
///
/// A check of the policy's item in the transaction would be exact. But it would conflict with the
/// orders of all other wallets of the tenant, and a flood of orders could keep the policy itself from
/// being changed.
pub const MAX_POLICY_AGE_MS: u64 = 5_000;

/// The times of a reservation, Unix milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReserveTime {
    /// Before the policy was read: see [`TradingView::read_at_ms`](super::TradingView::read_at_ms).
    pub policy_read_at_ms: u64,
    /// The present.
    pub now_ms: u64,
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
    /// The policy was read more than [`MAX_POLICY_AGE_MS`] ago. Read it again.
    #[error("the trading policy was read too long ago")]
    Policy,
    /// The table failed. After [`StoreError::Unavailable`] the reservation may be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Stores orders with their signed bytes, and the ledger with their nonce, in one transaction.
    /// `ledger` is the next one, and its `rev` is one above that of the present one. A record that
    /// has expired by now counts as absent.
    ///
    /// # Errors
    /// When an order or the ledger is not as expected, the policy was read too long ago, or the table
    /// fails.
    pub async fn reserve(
        &self,
        account: &TradingAccount,
        orders: &[Reserving],
        ledger: &Ledger,
        time: ReserveTime,
    ) -> Result<(), ReserveLost> {
        let ReserveTime { policy_read_at_ms, now_ms } = time;
        if now_ms.abs_diff(policy_read_at_ms) > MAX_POLICY_AGE_MS {
            return Err(ReserveLost::Policy);
        }
        let puts = orders.iter().map(|order| self.put_order(account, order, now_ms));
        let mut writes = puts.collect::<Result<Vec<_>, _>>()?;
        writes.push(self.put_ledger(account, ledger)?);
        // The SDK draws a token, under which its own repeats are one request.
        let sent = self.db.transact_write_items().set_transact_items(Some(writes)).send().await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) => Err(lost(error, orders)?),
        }
    }

    fn put_order(
        &self,
        account: &TradingAccount,
        order: &Reserving,
        now_ms: u64,
    ) -> Result<TransactWriteItem, StoreError> {
        let word = |state: OrderState| AttributeValue::S(state.as_str().to_owned());
        let new = Put::builder().table_name(&self.table);
        let new = match order.seen {
            Seen::Absent => new
                .condition_expression("attribute_not_exists(pk) OR expiresAtS <= :now")
                .expression_attribute_values(":now", number(now_ms / 1_000)),
            Seen::Revision(seen) => {
                let new = new.expression_attribute_names("#state", "state");
                // The revision alone decides. The state guards against a caller's mistake.
                let new = if order.record.state == OrderState::Placed {
                    new.condition_expression("revision = :seen AND #state = :placed")
                        .expression_attribute_values(":placed", word(OrderState::Placed))
                } else {
                    new.condition_expression("revision = :seen AND #state IN (:refused, :dead)")
                        .expression_attribute_values(":refused", word(OrderState::Refused))
                        .expression_attribute_values(":dead", word(OrderState::Dead))
                };
                new.expression_attribute_values(":seen", AttributeValue::S(seen.to_string()))
            }
        };
        put(new.set_item(Some(order_item(account, &order.record)?)))
    }

    fn put_ledger(
        &self,
        account: &TradingAccount,
        ledger: &Ledger,
    ) -> Result<TransactWriteItem, StoreError> {
        let new = Put::builder().table_name(&self.table).set_item(Some(to_item(
            &account.partition(),
            LEDGER,
            ledger,
        )?));
        let new = match ledger.rev.saturating_sub(1) {
            0 => new.condition_expression("attribute_not_exists(pk)"),
            seen => new
                .condition_expression("rev = :seen")
                .expression_attribute_values(":seen", number(seen)),
        };
        put(new)
    }
}

/// Returns an order's item with the attributes of the index.
fn order_item(account: &TradingAccount, record: &OrderRecord) -> Result<Item, StoreError> {
    let order = account.order_key(&record.client_order_id);
    let mut item = to_item("", "", record)?;
    item.extend(account.record_key(&order));
    item.extend(index_attributes(&order, record));
    Ok(item)
}

/// Returns which of the items a reservation lost. The orders come first: if one is not as expected,
/// the ledger does not matter.
fn lost(
    error: SdkError<TransactWriteItemsError>,
    orders: &[Reserving],
) -> Result<ReserveLost, StoreError> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return Err(transaction_error(error));
    };
    let reasons = cancelled.cancellation_reasons();
    let records: Vec<_> = orders.iter().map(|order| &order.record).collect();
    let moved = moved(reasons, &records)?;
    if !moved.is_empty() {
        return Ok(ReserveLost::Orders(moved));
    }
    let ledger = reasons.get(orders.len());
    match ledger.filter(|reason| reason.code() == Some("ConditionalCheckFailed")) {
        Some(reason) => {
            let ledger = reason.item().map(|item| from_item("ledger", item.clone()));
            Ok(ReserveLost::Ledger(Box::new(ledger.transpose()?.unwrap_or_default())))
        }
        None => Err(transaction_error(error)),
    }
}
