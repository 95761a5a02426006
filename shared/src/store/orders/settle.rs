//! Writes of what becomes of a reserved order.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use platform::items::{Item, StoreError, transaction_error, unavailable};
use uuid::Uuid;

use super::super::credentials::number;
use super::super::{Index, Store, to_item};
use super::due::index_attributes;
use super::{
    MovedOrder, OrderRecord, OrderState, Submission, TradingAccount, moved, parse_order_of,
};
use crate::trading::ledger::READ_LAG_MS;

/// The attributes that an outcome changes. The others, above all the signed bytes that place the
/// order, stay as they were reserved.
const SETTLED: [&str; 12] = [
    "state",
    "placedGeneration",
    "revision",
    "request",
    "carried",
    "change",
    "outcome",
    "reserved",
    "leaseUntilMs",
    "expiresAtS",
    "shard",
    Index::Due.sort_key(),
];

/// The attributes that a lease changes.
const LEASED: [&str; 6] =
    ["state", "change", "revision", "leaseUntilMs", "shard", Index::Due.sort_key()];

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
    /// Stores the outcomes of orders that were sent with one nonce, all or none. The reservations of
    /// those whose outcome is known end: at once if nothing was executed, and otherwise after
    /// [`READ_LAG_MS`], because the exchange's reads may not show the order yet. Returns the stored
    /// records.
    ///
    /// # Errors
    /// When an order has another revision, or the table fails.
    pub async fn settle(
        &self,
        account: &TradingAccount,
        orders: Vec<Settling>,
    ) -> Result<Vec<OrderRecord>, OrderLost> {
        let mut records = Vec::with_capacity(orders.len());
        let (mut writes, mut ended) = (Vec::with_capacity(orders.len()), Ended::default());
        for Settling { known, mut record } in orders {
            if record.reserved && record.is_at_rest() {
                record.reserved = false;
                ended.add(account, &record);
            }
            writes.push(Write::new(account, known, &record, &SETTLED)?);
            records.push(record);
        }
        match writes.as_slice() {
            [] => {}
            [write] if ended.is_empty() => self.update_order(write, &records[0]).await?,
            writes => match self.settle_all(account, writes, &ended, &records).await? {
                Settled::All => {}
                // A reservation that is not there any more has run out.
                Settled::None => {
                    ended.held.clear();
                    match self.settle_all(account, writes, &ended, &records).await? {
                        Settled::All => {}
                        Settled::None => return Err(StoreError::Conflict.into()),
                    }
                }
            },
        }
        Ok(records)
    }

    async fn settle_all(
        &self,
        account: &TradingAccount,
        writes: &[Write],
        ended: &Ended,
        records: &[OrderRecord],
    ) -> Result<Settled, OrderLost> {
        let updates = writes.iter().map(|write| self.order_update(write));
        let mut updates = updates.collect::<Result<Vec<_>, _>>()?;
        if !ended.is_empty() {
            updates.push(self.end_reservations(account, ended)?);
        }
        let call = self.db.transact_write_items().set_transact_items(Some(updates));
        match call.send().await {
            Ok(_) => Ok(Settled::All),
            Err(error) if lost_reservation(&error, records.len()) => Ok(Settled::None),
            Err(error) => Err(lost(error, records)),
        }
    }

    /// Takes a lease on an order whose lease has ended, and returns its record. The response to its
    /// submission was lost, because the call that sent it did not store an outcome.
    ///
    /// # Errors
    /// When the order has another revision, or the table fails.
    pub async fn take_over(
        &self,
        account: &TradingAccount,
        known: &OrderRecord,
        lease_until_ms: u64,
        revision: Uuid,
    ) -> Result<OrderRecord, OrderLost> {
        let mut record = OrderRecord { lease_until_ms, revision, ..known.clone() };
        if record.state.is_unresolved() {
            record.state = OrderState::Unknown;
        } else if let Some(change) = record.change.as_mut()
            && change.state.is_unresolved()
        {
            change.state = OrderState::Unknown;
        }
        let write = Write::new(account, known.revision, &record, &LEASED)?;
        self.update_order(&write, &record).await?;
        Ok(record)
    }

    /// Records that the nonce of the submission under way is used, and returns the record. Without
    /// a submission under way it changes nothing.
    ///
    /// # Errors
    /// When the order has another revision, or the table fails.
    pub async fn note_fenced(
        &self,
        account: &TradingAccount,
        known: &OrderRecord,
        revision: Uuid,
    ) -> Result<OrderRecord, OrderLost> {
        self.note_submission(account, known, revision, |submission| submission.fenced = true).await
    }

    /// Stores the hash that Lighter states for the submission under way, and returns the record.
    /// `known` has the hash.
    ///
    /// # Errors
    /// When the order has another revision, or the table fails.
    pub async fn note_stated_hash(
        &self,
        account: &TradingAccount,
        known: &OrderRecord,
        revision: Uuid,
    ) -> Result<OrderRecord, OrderLost> {
        self.note_submission(account, known, revision, |_| ()).await
    }

    /// Writes the submission under way after a change, and returns the record.
    async fn note_submission(
        &self,
        account: &TradingAccount,
        known: &OrderRecord,
        revision: Uuid,
        change_of: impl FnOnce(&mut Submission),
    ) -> Result<OrderRecord, OrderLost> {
        let mut record = OrderRecord { revision, ..known.clone() };
        let place = record.state.is_unresolved().then_some(&mut record.submission);
        let change = record.change.as_mut().filter(|change| change.state.is_unresolved());
        let (path, submission) = match (place, change) {
            (Some(Some(submission)), _) => ("submission", submission),
            (None, Some(change)) => ("change", &mut change.submission),
            _ => return Ok(known.clone()),
        };
        change_of(submission);
        let write = Write::new(account, known.revision, &record, &["revision", path])?;
        self.update_order(&write, &record).await?;
        Ok(record)
    }

    async fn update_order(&self, write: &Write, record: &OrderRecord) -> Result<(), OrderLost> {
        let sent = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(write.key.clone()))
            .update_expression(&write.expression)
            .condition_expression(KNOWN)
            .set_expression_attribute_names(Some(write.names.clone()))
            .set_expression_attribute_values(Some(write.values.clone()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    let present = refused.item().cloned();
                    let present = present.map(|item| parse_order_of(record, item)).transpose()?;
                    let moved = MovedOrder { index: 0, record: present.map(Box::new) };
                    Err(OrderLost::Moved(vec![moved]))
                }
                _ => Err(unavailable(error).into()),
            },
        }
    }

    fn order_update(&self, write: &Write) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(write.key.clone()))
            .update_expression(&write.expression)
            .condition_expression(KNOWN)
            .set_expression_attribute_names(Some(write.names.clone()))
            .set_expression_attribute_values(Some(write.values.clone()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Numbers the ledger's write, so that a reservation that counted these orders as under way is
    /// checked again.
    fn end_reservations(
        &self,
        account: &TradingAccount,
        ended: &Ended,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut condition = vec!["attribute_exists(pk)".to_owned()];
        let (mut names, mut set, mut remove) = (HashMap::new(), Vec::new(), Vec::new());
        for (place, key) in ended.gone.iter().enumerate() {
            remove.push(format!("reserved.#g{place}"));
            names.insert(format!("#g{place}"), key.clone());
        }
        for (place, key) in ended.held.iter().enumerate() {
            set.push(format!("reserved.#h{place}.untilMs = :until"));
            condition.push(format!("attribute_exists(reserved.#h{place})"));
            names.insert(format!("#h{place}"), key.clone());
        }
        let clause = |word: &str, parts: &[String]| {
            if parts.is_empty() { String::new() } else { format!("{word} {} ", parts.join(", ")) }
        };
        let (set, remove) = (clause("SET", &set), clause("REMOVE", &remove));
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(account.ledger_key()))
            .update_expression(format!("{set}{remove}ADD rev :one"))
            .condition_expression(condition.join(" AND "))
            .set_expression_attribute_names((!names.is_empty()).then_some(names))
            .expression_attribute_values(":one", number(1));
        let update = if ended.held.is_empty() {
            update
        } else {
            update.expression_attribute_values(":until", number(ended.until_ms))
        };
        let update = update.build().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

/// The reservations that end with outcomes, by the keys of their orders.
#[derive(Default)]
struct Ended {
    /// Nothing was executed, and nothing will be.
    gone: Vec<String>,
    /// The exchange has or had the order.
    held: Vec<String>,
    /// When the held ones end, Unix milliseconds.
    until_ms: u64,
}

impl Ended {
    fn add(&mut self, account: &TradingAccount, record: &OrderRecord) {
        let key = account.order_key(&record.client_order_id).to_hex();
        match record.state {
            OrderState::Refused | OrderState::Dead => self.gone.push(key),
            OrderState::Placed | OrderState::Sending | OrderState::Unknown => {
                // The lease ends when the outcome becomes known.
                let until_ms = record.lease_until_ms.saturating_add(READ_LAG_MS);
                self.until_ms = self.until_ms.max(until_ms);
                self.held.push(key);
            }
        }
    }

    const fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.held.is_empty()
    }
}

/// Whether a transaction of outcomes was written.
enum Settled {
    All,
    /// Nothing was written, because a reservation that it holds is not there.
    None,
}

/// Returns whether a transaction failed only because of the ledger, which comes after `orders`
/// orders.
fn lost_reservation(error: &SdkError<TransactWriteItemsError>, orders: usize) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return false;
    };
    let failed = cancelled.cancellation_reasons().iter().enumerate();
    let failed = failed.filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"));
    let mut failed = failed.map(|(index, _)| index);
    failed.next() == Some(orders)
}

/// The condition of every write. The second clause lets a write succeed again after its response
/// was lost.
const KNOWN: &str = "revision = :known OR revision = :revision";

/// An update of some attributes of an order's record.
struct Write {
    key: Item,
    expression: String,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Write {
    /// Takes the values of `attributes`, which include `revision`, from the record, and removes
    /// those that it does not have.
    fn new(
        account: &TradingAccount,
        known: Uuid,
        record: &OrderRecord,
        attributes: &[&str],
    ) -> Result<Self, StoreError> {
        let order = account.order_key(&record.client_order_id);
        let mut item = to_item("", "", record)?;
        item.extend(index_attributes(&order, record));
        let mut values =
            HashMap::from([(":known".to_owned(), AttributeValue::S(known.to_string()))]);
        let (mut names, mut set, mut remove) = (HashMap::new(), Vec::new(), Vec::new());
        for attribute in attributes {
            names.insert(format!("#{attribute}"), (*attribute).to_owned());
            match item.remove(*attribute) {
                Some(value) => {
                    values.insert(format!(":{attribute}"), value);
                    set.push(format!("#{attribute} = :{attribute}"));
                }
                None => remove.push(format!("#{attribute}")),
            }
        }
        let mut expression = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression.push_str(&format!(" REMOVE {}", remove.join(", ")));
        }
        Ok(Self { key: account.record_key(&order), expression, names, values })
    }
}

fn lost(error: SdkError<TransactWriteItemsError>, records: &[OrderRecord]) -> OrderLost {
    if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    {
        let records: Vec<_> = records.iter().collect();
        match moved(cancelled.cancellation_reasons(), &records) {
            Ok(moved) if moved.is_empty() => {}
            Ok(moved) => return OrderLost::Moved(moved),
            Err(error) => return error.into(),
        }
    }
    transaction_error(error).into()
}
