//! Appends records to a wallet's chain.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
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
#[expect(clippy::large_enum_variant, reason = "made once and dropped")]
pub(crate) enum Lost {
    /// The companion item exists already.
    Companion,
    /// The condition of a further write failed.
    Writes,
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
        head: Head,
        decision: &Decision,
        step: Step,
        companion: Option<Item>,
    ) -> Result<Head, CallError> {
        let recorded = self.record_with(context, head, decision, step, companion, &[]).await?;
        Ok(recorded.ok_or(Refusal::Busy)?)
    }

    /// As [`Cosigner::record`], with further writes in the same transaction. Returns `None` when
    /// the condition of one of them failed: read again, and decide again.
    ///
    /// # Errors
    /// As [`Cosigner::record`].
    pub(crate) async fn record_with(
        &self,
        context: &RequestContext,
        mut head: Head,
        decision: &Decision,
        step: Step,
        companion: Option<Item>,
        writes: &[TransactWriteItem],
    ) -> Result<Option<Head>, CallError> {
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
            // Another decision in the same millisecond may make the same record with other writes.
            let token = self.random.uuid()?.to_string();
            let appended = self.shares.append(
                &context.key,
                (&head, &next),
                (&record, &token),
                companion.clone(),
                writes,
            );
            match appended.await {
                Ok(()) => return Ok(Some(next)),
                Err(Lost::Writes) => return Ok(None),
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
        let (share, head, _) = self.share_head_and(key, &[]).await?;
        Ok((share, head))
    }

    /// Reads a share, the head of its wallet's chain, and further items in their order, in one
    /// consistent read.
    pub(crate) async fn share_head_and(
        &self,
        key: &WalletKey,
        others: &[Item],
    ) -> Result<(Option<ShareItem>, Head, Vec<Option<Item>>), StoreError> {
        let keys = [&[share_key(key), head_key(key)], others].concat();
        let mut found = self.get_all(&keys).await?.into_iter();
        let share = found.next().flatten().map(|item| from_item("share", item)).transpose()?;
        let head = found.next().flatten().map(head_of).transpose()?.unwrap_or_default();
        Ok((share, head, found.collect()))
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
        (head, next): (&Head, &Head),
        (record, token): (&Record, &str),
        companion: Option<Item>,
        writes: &[TransactWriteItem],
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
        let own = puts.len();
        let items = puts.into_iter().map(|put| {
            let put = put.build().map_err(|error| StoreError::Unavailable(error.to_string()))?;
            Ok(TransactWriteItem::builder().put(put).build())
        });
        let mut items = items.collect::<Result<Vec<_>, StoreError>>()?;
        items.extend_from_slice(writes);
        let written = self
            .db
            .transact_write_items()
            .set_transact_items(Some(items))
            // The same request, sent again after a lost response, succeeds again.
            .client_request_token(token)
            .customize()
            .config_override(without_conflict_retries())
            .send()
            .await;
        let Err(error) = written else { return Ok(()) };
        let failures = condition_failures(&error);
        let failed = |place: usize| failures.get(place).copied().flatten();
        if own > 2 && failed(2).is_some() {
            return Err(Lost::Companion);
        }
        if (own..own + writes.len()).any(|place| failed(place).is_some()) {
            return Err(Lost::Writes);
        }
        let moved = failed(0).and_then(|reason| reason.item().cloned());
        match transaction_error(error) {
            StoreError::Conflict => Err(Lost::Head(moved.map(head_of).transpose()?)),
            failed => Err(Lost::Failed(failed)),
        }
    }
}

/// Returns which of the transaction's conditions failed: head, record, companion, further writes.
fn condition_failures(
    error: &SdkError<TransactWriteItemsError>,
) -> Vec<Option<&CancellationReason>> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return Vec::new();
    };
    let reasons = cancelled.cancellation_reasons().iter();
    reasons
        .map(|reason| (reason.code() == Some("ConditionalCheckFailed")).then_some(reason))
        .collect()
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
