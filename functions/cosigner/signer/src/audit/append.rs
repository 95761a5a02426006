//! Appends records to a wallet's chain.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, KeysAndAttributes, Put,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use platform::aws::without_conflict_retries;
use platform::items::{
    Item, SHARDS, StoreError, from_item, from_item_up_to, to_record, transaction_error, unavailable,
};
use protocol::{Refusal, WalletKey};
use uuid::Uuid;

use super::step::{DAY_MS, Step};
use super::{Decision, Entry, Head, Record, RequestContext};
use crate::head::HEAD_SCHEMA;
use crate::party::{CallError, Cosigner, Failure};
use crate::store::{ShareItem, Shares, item_key, share_key};

/// Maximum time of an append under contention, in milliseconds. It fits the timeouts of the
/// cosigner's function and of its caller.
const PATIENCE_MS: u64 = 5_000;

/// The same for a refusal, which must not delay calls that end a run.
const REFUSAL_PATIENCE_MS: u64 = 500;

/// Approximate duration of one attempt, in milliseconds.
const TRY_MS: u64 = 25;

/// Longest pause after the first lost attempt, in milliseconds. Pauses shrink as a call waits
/// longer, so that later calls do not overtake it. In a simulation with 20 callers and
/// transactions of 25 ms, every append succeeded within 4 seconds; pauses that grow with each
/// attempt starve the oldest call.
const FIRST_PAUSE_MS: u64 = 256;
const LAST_PAUSE_MS: u64 = 32;

const HEAD: &str = "audit";

/// Why an appending transaction failed.
pub(crate) enum Lost {
    /// The companion item exists already.
    Companion,
    /// Another record came first. Holds the chain's new head if the failed transaction returned
    /// it.
    Head(Option<Head>),
    Failed(StoreError),
}

impl Cosigner {
    /// Appends a decision to the wallet's chain in one transaction with its `step` and, if given,
    /// its `companion`. Returns the new head. If the head has moved, it retries: first at once
    /// with the head that the failed transaction returned, then after random pauses with the head
    /// read again.
    ///
    /// # Errors
    /// Fails when the step is not allowed, the companion exists already ([`Refusal::NoSession`]),
    /// too many calls append at once ([`Refusal::Busy`]), or the table fails.
    pub(crate) async fn record(
        &self,
        context: &RequestContext,
        mut head: Head,
        decision: &Decision,
        step: Step,
        companion: Option<Item>,
    ) -> Result<Head, CallError> {
        let patience_ms = if step == Step::Refuse { REFUSAL_PATIENCE_MS } else { PATIENCE_MS };
        let started_ms = self.clock.now_ms();
        let mut waited_ms = 0;
        let mut first = true;
        while waited_ms < patience_ms {
            let now_ms = self.clock.now_ms();
            let mut next = head.clone();
            next.step(context, &step, now_ms)?;
            let entry = Entry {
                seq: head.seq + 1,
                at_ms: now_ms,
                tenant: context.key.tenant.clone(),
                wallet_id: context.key.wallet_id,
                key_version: context.key.key_version,
                caller: context.caller.clone(),
                alias: context.alias.clone(),
                request_id: context.request_id.clone(),
                session: super::hex(&context.session),
                policy: self.policy.version().to_owned(),
                decision: decision.clone(),
            };
            let record = Record::new(&entry, &head.hash)
                .map_err(|error| Failure::Damaged(error.to_string()))?;
            next.seq = record.seq;
            next.hash.clone_from(&record.hash);
            next.shard = shard_of(context.key.wallet_id);
            next.seal_day = now_ms / DAY_MS;
            next.schema = HEAD_SCHEMA;
            match self.shares.append(&context.key, &head, &next, &record, companion.clone()).await {
                Ok(()) => return Ok(next),
                Err(Lost::Companion) => return Err(Refusal::NoSession.into()),
                Err(Lost::Head(Some(moved))) if first => head = moved,
                Err(Lost::Head(_) | Lost::Failed(StoreError::Busy(_))) => {
                    waited_ms += self.pause(waited_ms).await? + TRY_MS;
                    // With a slow table, one attempt takes longer than `TRY_MS`.
                    waited_ms = waited_ms.max(self.clock.now_ms().saturating_sub(started_ms));
                    head = self.shares.head(&context.key).await?;
                }
                Err(Lost::Failed(error)) => return Err(error.into()),
            }
            first = false;
        }
        Err(Refusal::Busy.into())
    }

    /// Pauses for a random time after a lost attempt, and returns its length.
    async fn pause(&self, waited_ms: u64) -> Result<u64, Failure> {
        let bound_ms = (FIRST_PAUSE_MS * 1_000 / (1_000 + waited_ms)).max(LAST_PAUSE_MS);
        let pause_ms = u64::from_be_bytes(self.random.bytes()?) % bound_ms;
        self.clock.sleep_ms(pause_ms).await;
        Ok(pause_ms)
    }
}

impl Shares {
    /// Reads a share and the head of its wallet's chain, in one consistent read.
    pub(crate) async fn share_and_head(
        &self,
        key: &WalletKey,
    ) -> Result<(Option<ShareItem>, Head), StoreError> {
        let keys = [share_key(key), head_key(key)];
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys.to_vec()))
            .consistent_read(true)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let output = self
            .db
            .batch_get_item()
            .request_items(&self.table, wanted)
            .send()
            .await
            .map_err(unavailable)?;
        // DynamoDB omits throttled items from a batch. The SDK retries single reads, but not
        // these.
        if output.unprocessed_keys().is_some_and(|left| !left.is_empty()) {
            let share = self.get(share_key(key)).await?;
            let share = share.map(|item| from_item("share", item)).transpose()?;
            return Ok((share, self.head(key).await?));
        }
        let (mut share, mut head) = (None, Head::default());
        for item in output.responses.unwrap_or_default().remove(&self.table).unwrap_or_default() {
            if item.get("sk") == keys[1].get("sk") {
                head = head_of(item)?;
            } else {
                share = Some(from_item("share", item)?);
            }
        }
        Ok((share, head))
    }

    /// Reads the head of a wallet's chain.
    pub(crate) async fn head(&self, key: &WalletKey) -> Result<Head, StoreError> {
        let item = self.get(head_key(key)).await?;
        Ok(item.map(head_of).transpose()?.unwrap_or_default())
    }

    /// Bars a key with all of its shares. The head is small and the write has no other condition,
    /// so it is cheap and cannot lose a race.
    pub(crate) async fn bar(&self, key: &WalletKey) -> Result<(), StoreError> {
        self.db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(head_key(key)))
            .update_expression("SET barred = :true, #schema = :schema")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":schema", AttributeValue::N(HEAD_SCHEMA.to_string()))
            .send()
            .await
            .map_err(unavailable)?;
        Ok(())
    }

    async fn append(
        &self,
        key: &WalletKey,
        head: &Head,
        next: &Head,
        record: &Record,
        companion: Option<Item>,
    ) -> Result<(), Lost> {
        let new = |item: Item| {
            Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk)")
        };
        let mut replaced = Put::builder()
            .table_name(&self.table)
            .set_item(Some(to_record(head_key(key), next)?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .condition_expression("attribute_not_exists(pk)");
        if head.seq > 0 {
            // A bar is written without a record, so every append must preserve it.
            let unbarred = " AND (attribute_not_exists(barred) OR barred = :false)";
            replaced = replaced
                .condition_expression(format!(
                    "seq = :seq{}",
                    if next.barred { "" } else { unbarred }
                ))
                .expression_attribute_values(":seq", AttributeValue::N(head.seq.to_string()));
            if !next.barred {
                replaced =
                    replaced.expression_attribute_values(":false", AttributeValue::Bool(false));
            }
        }
        let mut puts =
            vec![replaced, new(to_record(item_key(key, record_name(record.seq)), record)?)];
        puts.extend(companion.map(new));
        let items = puts.into_iter().map(|put| {
            let put = put.build().map_err(|error| StoreError::Unavailable(error.to_string()))?;
            Ok(TransactWriteItem::builder().put(put).build())
        });
        let written = self
            .db
            .transact_write_items()
            .set_transact_items(Some(items.collect::<Result<_, StoreError>>()?))
            // The same request, sent again after a lost response, succeeds again.
            .client_request_token(&record.hash[..36])
            .customize()
            .config_override(without_conflict_retries())
            .send()
            .await;
        let Err(error) = written else { return Ok(()) };
        let moved = match condition_failures(&error) {
            [_, _, Some(_)] => return Err(Lost::Companion),
            [Some(reason), ..] => reason.item().cloned(),
            _ => None,
        };
        match transaction_error(error) {
            StoreError::Conflict => Err(Lost::Head(moved.map(head_of).transpose()?)),
            failed => Err(Lost::Failed(failed)),
        }
    }
}

/// Returns which of the transaction's three conditions failed: head, record, companion.
fn condition_failures(
    error: &SdkError<TransactWriteItemsError>,
) -> [Option<&CancellationReason>; 3] {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return [None; 3];
    };
    let mut reasons = cancelled.cancellation_reasons().iter();
    std::array::from_fn(|_| {
        reasons.next().filter(|reason| reason.code() == Some("ConditionalCheckFailed"))
    })
}

impl From<StoreError> for Lost {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// Returns the partition of the index `heads` for a wallet.
fn shard_of(wallet_id: Uuid) -> String {
    (wallet_id.as_bytes()[15] % SHARDS).to_string()
}

pub(super) fn head_of(item: Item) -> Result<Head, StoreError> {
    from_item_up_to(HEAD_SCHEMA, "head of the audit log", item)
}

fn head_key(key: &WalletKey) -> Item {
    item_key(key, HEAD.to_owned())
}

/// Returns a sort key whose text order is the numeric order.
fn record_name(seq: u64) -> String {
    format!("{HEAD}#{seq:012}")
}

#[cfg(test)]
mod samples;
