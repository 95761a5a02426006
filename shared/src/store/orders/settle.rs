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
use super::{MovedOrder, OrderRecord, TradingAccount, moved, parse_order_of};

/// The attributes that an outcome changes. The others, above all the signed bytes that place the
/// order, stay as they were reserved.
const SETTLED: [&str; 11] = [
    "state",
    "placedGeneration",
    "revision",
    "request",
    "change",
    "outcome",
    "reserved",
    "leaseUntilMs",
    "expiresAtS",
    "shard",
    Index::Due.sort_key(),
];

/// The attributes that a lease changes.
const LEASED: [&str; 4] = ["revision", "leaseUntilMs", "shard", Index::Due.sort_key()];

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
    ) -> Result<Vec<OrderRecord>, OrderLost> {
        let mut records = Vec::with_capacity(orders.len());
        let (mut writes, mut ended) = (Vec::with_capacity(orders.len()), Vec::new());
        for Settling { known, mut record } in orders {
            if record.reserved && record.is_at_rest() {
                record.reserved = false;
                ended.push(account.order_key(&record.client_order_id).to_hex());
            }
            writes.push(Write::new(account, known, &record, &SETTLED)?);
            records.push(record);
        }
        match (writes.as_slice(), ended.as_slice()) {
            ([], []) => {}
            ([write], []) => self.update_order(write, &records[0]).await?,
            _ => {
                let updates = writes.iter().map(|write| self.order_update(write));
                let mut updates = updates.collect::<Result<Vec<_>, _>>()?;
                if !ended.is_empty() {
                    updates.push(self.end_reservations(account, &ended)?);
                }
                let call = self.db.transact_write_items().set_transact_items(Some(updates));
                call.send().await.map_err(|error| lost(error, &records))?;
            }
        }
        Ok(records)
    }

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
    ) -> Result<OrderRecord, OrderLost> {
        let record = OrderRecord { lease_until_ms, revision, ..known.clone() };
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
        let mut record = OrderRecord { revision, ..known.clone() };
        let place = record.state.is_unresolved().then_some(&mut record.submission);
        let change = record.change.as_mut().filter(|change| change.state.is_unresolved());
        let (path, submission) = match (place, change) {
            (Some(Some(submission)), _) => ("submission", submission),
            (None, Some(change)) => ("change", &mut change.submission),
            _ => return Ok(known.clone()),
        };
        submission.fenced = true;
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
        ended: &[String],
    ) -> Result<TransactWriteItem, StoreError> {
        let names =
            ended.iter().enumerate().map(|(place, key)| (format!("#r{place}"), key.clone()));
        let names: HashMap<String, String> = names.collect();
        let paths: Vec<_> = names.keys().map(|name| format!("reserved.{name}")).collect();
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(account.ledger_key()))
            .update_expression(format!("REMOVE {} ADD rev :one", paths.join(", ")))
            .condition_expression("attribute_exists(pk)")
            .set_expression_attribute_names(Some(names))
            .expression_attribute_values(":one", number(1))
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
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
