//! Storage of orders. An order's record is written before the exchange receives anything, in the
//! transaction that takes the nonce. Every write names the revision that it replaces.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#O#walletId#exchange` | `order#` and 24 hex digits | [`OrderRecord`], dropped a week after its outcome |
//! | `tenant#O#walletId#exchange` | `ledger` | [`Ledger`] |
//! | `tenant#O#walletId#exchange` | `closing#` and 24 hex digits | [`ClosingRecord`], dropped a week after the request |
//!
//! Neither is in the wallet's partition, so that a function that trades cannot write a wallet. An
//! order with a submission under way is in the index `due`, with shards of its exchange: `oa0` to
//! `oa15`, `oh0` to `oh15`, `ol0` to `ol15`. On Lighter the account takes the wallet's place: see
//! [`lighter_account_id`](crate::trading::ids::lighter_account_id).

mod closing;
mod due;
mod leverage;
mod read;
mod record;
mod reserve;
mod settle;

use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{
    CancellationReason, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use domain::ids::{Exchange, Tenant};
use platform::items::{Item, StoreError, from_item};
use uuid::Uuid;

pub use self::closing::ClosingRecord;
pub use self::due::DueOrder;
pub use self::leverage::{LastLeverage, LeverageRecord};
pub use self::read::TradingView;
pub use self::record::{
    Change, LegKind, ORDER_KEPT_MS, OrderRecord, OrderState, SentMethod, StoredLeg, StoredOutcome,
    StoredRefusal, StoredSymbol, Submission, SubmissionKind,
};
pub use self::reserve::{MAX_POLICY_AGE_MS, ReserveLost, ReserveTime, Reserving, Seen};
pub use self::settle::{OrderLost, Settling};
use super::key;
use crate::trading::ids::{ClientOrderId, ExchangeOrderId, Leg, OrderKey};
#[cfg(doc)]
use crate::trading::ledger::Ledger;

pub(crate) const ORDER: &str = "order#";
pub(super) const LEDGER: &str = "ledger";

/// A wallet at an exchange.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TradingAccount {
    /// The wallet's tenant.
    pub tenant: Tenant,
    /// The wallet.
    pub wallet_id: Uuid,
    /// The exchange.
    pub exchange: Exchange,
}

impl TradingAccount {
    /// Returns the key of an order's record.
    #[must_use]
    pub fn order_key(&self, id: &ClientOrderId) -> OrderKey {
        OrderKey::new(&self.tenant, self.wallet_id, self.exchange, id)
    }

    /// Returns the id that the exchange has for one signature of an order.
    #[must_use]
    pub fn exchange_id(&self, record: &OrderRecord, generation: u8, leg: Leg) -> ExchangeOrderId {
        let key = self.order_key(&record.client_order_id);
        match self.exchange {
            Exchange::Lighter => ExchangeOrderId::of_lighter(key, leg),
            Exchange::Aster | Exchange::Hyperliquid => {
                ExchangeOrderId::new(key, generation, leg, record.created_at_ms)
            }
        }
    }

    /// Returns whether an id at the exchange is one of a record's.
    #[must_use]
    pub fn has_id(&self, record: &OrderRecord, id: ExchangeOrderId) -> bool {
        self.exchange_id(record, id.generation, id.leg) == id
    }

    pub(super) fn partition(&self) -> String {
        format!("{}#O#{}#{}", self.tenant, self.wallet_id, self.exchange)
    }

    pub(super) fn ledger_key(&self) -> Item {
        key(&self.partition(), LEDGER)
    }

    fn record_key(&self, order: &OrderKey) -> Item {
        key(&self.partition(), &format!("{ORDER}{}", order.to_hex()))
    }
}

/// An order that a write found in another state than expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MovedOrder {
    /// Its index in the write.
    pub index: usize,
    /// Its present record; `None` when it no longer exists.
    pub record: Option<Box<OrderRecord>>,
}

/// Parses an order's item.
fn parse_order(item: Item) -> Result<OrderRecord, StoreError> {
    from_item("order", item)
}

/// Parses an order's item that was read instead of `expected`. Two orders have the same key only if
/// 96 bits of their hashes are equal, and must not be taken for each other.
fn parse_order_of(expected: &OrderRecord, item: Item) -> Result<OrderRecord, StoreError> {
    let record = parse_order(item)?;
    if record.client_order_id == expected.client_order_id {
        return Ok(record);
    }
    Err(StoreError::Damaged { what: "order", cause: "another order has its key".to_owned() })
}

/// Returns the orders whose conditions failed in a transaction that starts with these records.
fn moved(
    reasons: &[CancellationReason],
    records: &[&OrderRecord],
) -> Result<Vec<MovedOrder>, StoreError> {
    let reasons = reasons.iter().zip(records).enumerate();
    let failed = reasons.filter(|(_, (reason, _))| reason.code() == Some("ConditionalCheckFailed"));
    let moved = failed.map(|(index, (reason, record))| {
        let present = reason.item().cloned().map(|item| parse_order_of(record, item));
        Ok(MovedOrder { index, record: present.transpose()?.map(Box::new) })
    });
    moved.collect()
}

/// Completes a conditional put of a transaction, whose failure states the present item.
fn put(put: PutBuilder) -> Result<TransactWriteItem, StoreError> {
    let put = put
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(TransactWriteItem::builder().put(put).build())
}
