//! The table of one side's recovery records. It is apart from the side's other tables, so that it
//! can be replicated: each item is written once and never changed.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#W#walletId` | `recovery#version` | the record of this version of the side's share |
//! | `verification` | `latest` | the holder's report of the last verification |
//! | `tenant#W#walletId` | `exported` | the mark of an exported key, which outlives the side's other tables |

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::recovery::Verification;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::aws::Lazy;
use crate::env::Env;
use crate::items::{Item, SCHEMA, StoreError, from_item, to_record, unavailable};
use crate::metrics::{self, About, Metric};

const RECORD: &str = "recovery#";
const EXPORTED: &str = "exported";
const VERIFICATION: [&str; 2] = ["verification", "latest"];

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The age in days that is reported without a verification that found no faults.
const NEVER_DAYS: u64 = 999;

/// The most by which the time of a verification may be ahead of the clock, in milliseconds: five
/// minutes. The machine that verifies has another clock.
const MAX_AHEAD_MS: u64 = 5 * 60 * 1_000;

/// What became of the report of a verification.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reported {
    /// It is stored.
    Stored,
    /// A newer one is stored, and stays.
    Older,
    /// Its time is ahead of the clock. It is not stored: it would silence the alarm until then.
    Ahead,
}

/// The settings of one side.
#[derive(Clone, Debug)]
pub struct RecoverySetting {
    /// `RECOVERY_TABLE`: the table of the side's records.
    pub table: String,
    /// `RECOVERY_PUBLIC_KEY`: at most two keys, separated by a comma. Empty without a key.
    pub public_keys: String,
    /// `SERVICE_NAME`: the name that the records give to the deployment.
    pub deployment: String,
}

impl RecoverySetting {
    /// Reads the settings from the environment. Functions that make no shares have none.
    #[must_use]
    pub fn from_env(env: &Env<'_>) -> Option<Self> {
        Some(Self {
            table: env.optional("RECOVERY_TABLE")?,
            public_keys: env.optional("RECOVERY_PUBLIC_KEY").unwrap_or_default(),
            deployment: env.optional("SERVICE_NAME").unwrap_or_default(),
        })
    }
}

/// A table of recovery records.
#[derive(Clone, Debug)]
pub struct RecoveryTable {
    db: Lazy<aws_sdk_dynamodb::Client>,
    table: String,
}

impl RecoveryTable {
    /// Makes the table with this name.
    #[must_use]
    pub fn new(db: Lazy<aws_sdk_dynamodb::Client>, table: &str) -> Self {
        Self { db, table: table.to_owned() }
    }

    /// Returns the write of a record, for the transaction that stores its share. The record must be
    /// new: it can be the only one when the share's table is lost.
    ///
    /// # Errors
    /// Fails when the record does not serialise.
    pub fn put(
        &self,
        (tenant, wallet_id): (&Tenant, Uuid),
        version: u32,
        record: &impl Serialize,
    ) -> Result<TransactWriteItem, StoreError> {
        let item = to_record(key(tenant, wallet_id, version), record)?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        written(put.condition_expression("attribute_not_exists(pk)"))
    }

    /// Returns the write of the mark of an exported key, for the transaction that marks the wallet.
    ///
    /// # Errors
    /// Fails when the mark does not serialise.
    pub fn put_mark(
        &self,
        (tenant, wallet_id): (&Tenant, Uuid),
        mark: &impl Serialize,
    ) -> Result<TransactWriteItem, StoreError> {
        let mark = Kept { schema: SCHEMA, value: mark };
        let item = to_record(sorted(tenant, wallet_id, EXPORTED.to_owned()), &mark)?;
        written(Put::builder().table_name(&self.table).set_item(Some(item)))
    }

    /// Returns the mark of an exported key, if there is one.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn mark<T: DeserializeOwned>(
        &self,
        tenant: &Tenant,
        id: Uuid,
    ) -> Result<Option<T>, StoreError> {
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk = :mark")
            .expression_attribute_values(":pk", partition(tenant, id))
            .expression_attribute_values(":mark", AttributeValue::S(EXPORTED.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        let mark = output.items.unwrap_or_default().into_iter().next();
        let kept = mark.map(|item| from_item("mark of an export", item)).transpose()?;
        Ok(kept.map(|kept: Kept<T>| kept.value))
    }

    /// Returns the versions of a wallet that have a record, the oldest first.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn versions(&self, tenant: &Tenant, id: Uuid) -> Result<Vec<u32>, StoreError> {
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :record)")
            .projection_expression("sk")
            .expression_attribute_values(":pk", partition(tenant, id))
            .expression_attribute_values(":record", AttributeValue::S(RECORD.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        let items = output.items.unwrap_or_default();
        Ok(items.iter().filter_map(version_of).collect())
    }

    /// Returns the report of the last verification.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn verification(&self) -> Result<Option<Verification>, StoreError> {
        let [partition, sort] = VERIFICATION.map(|text| AttributeValue::S(text.to_owned()));
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk = :sk")
            .expression_attribute_values(":pk", partition)
            .expression_attribute_values(":sk", sort)
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        let report = output.items.unwrap_or_default().into_iter().next();
        let kept = report.map(|item| from_item("report of a verification", item)).transpose()?;
        Ok(kept.map(|kept: Kept<Verification>| kept.value))
    }

    /// Stores the report of a verification, unless its time is ahead of the clock or a newer one is
    /// stored. A stored report whose time is ahead of the clock is replaced.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn put_verification(
        &self,
        report: &Verification,
        now_ms: u64,
    ) -> Result<Reported, StoreError> {
        if is_ahead(report.verified_at_ms, now_ms) {
            return Ok(Reported::Ahead);
        }
        let number = |ms: u64| AttributeValue::N(ms.to_string());
        let [partition, sort] = VERIFICATION.map(|text| AttributeValue::S(text.to_owned()));
        let key = Item::from([("pk".to_owned(), partition), ("sk".to_owned(), sort)]);
        let written = self
            .db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_record(key, &Kept { schema: SCHEMA, value: report })?))
            .condition_expression(
                "attribute_not_exists(pk) OR #value.verifiedAtMs <= :new \
                 OR #value.verifiedAtMs > :ahead",
            )
            .expression_attribute_names("#value", "value")
            .expression_attribute_values(":new", number(report.verified_at_ms))
            .expression_attribute_values(":ahead", number(now_ms.saturating_add(MAX_AHEAD_MS)))
            .send()
            .await;
        match written {
            Ok(_) => Ok(Reported::Stored),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(Reported::Older),
                _ => Err(unavailable(error)),
            },
        }
    }

    /// Emits the age of the last verification without faults, in days. A failure is logged only.
    pub async fn measure_verification(&self, clock: &Clock) {
        match self.verification().await {
            Ok(report) => {
                let days = verified_days(report.as_ref(), clock.now_ms());
                metrics::emit(clock, About::SERVICE, &[(Metric::RecoveryVerifiedDays, days)]);
            }
            Err(error) => tracing::warn!(%error, "the last verification cannot be read"),
        }
    }

    /// Deletes the record of a version that is given up.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn delete(&self, tenant: &Tenant, id: Uuid, version: u32) -> Result<(), StoreError> {
        let deleted = self.db.delete_item().table_name(&self.table);
        deleted.set_key(Some(key(tenant, id, version))).send().await.map_err(unavailable)?;
        Ok(())
    }

    /// Returns a page of all records as items, and the key after which the next page begins.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn page(&self, after: Option<Item>) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let output = self
            .db
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .set_exclusive_start_key(after)
            .send()
            .await
            .map_err(unavailable)?;
        let mut items = output.items.unwrap_or_default();
        // An item whose version cannot be read is a fault that the caller names.
        items.retain(is_record);
        Ok((items, output.last_evaluated_key))
    }
}

/// Returns whether a time is ahead of the clock by more than clocks differ.
const fn is_ahead(at_ms: u64, now_ms: u64) -> bool {
    at_ms > now_ms.saturating_add(MAX_AHEAD_MS)
}

/// Returns the age of the last verification in days, if it was complete, found no faults, and is
/// not of a time to come.
fn verified_days(report: Option<&Verification>, now_ms: u64) -> u64 {
    let sound = report.filter(|it| it.faults == 0 && !it.partial && it.records > 0);
    let sound = sound.filter(|it| !is_ahead(it.verified_at_ms, now_ms));
    sound.map_or(NEVER_DAYS, |it| now_ms.saturating_sub(it.verified_at_ms) / DAY_MS)
}

/// An item other than a recovery record.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    schema: u32,
    value: T,
}

fn written(put: PutBuilder) -> Result<TransactWriteItem, StoreError> {
    let put = put.build().map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

fn partition(tenant: &Tenant, wallet_id: Uuid) -> AttributeValue {
    AttributeValue::S(format!("{tenant}#W#{wallet_id}"))
}

/// Returns the key of a record's item.
#[must_use]
pub fn key(tenant: &Tenant, wallet_id: Uuid, version: u32) -> Item {
    sorted(tenant, wallet_id, format!("{RECORD}{version:010}"))
}

fn sorted(tenant: &Tenant, wallet_id: Uuid, sort: String) -> Item {
    let sort = AttributeValue::S(sort);
    Item::from([("pk".to_owned(), partition(tenant, wallet_id)), ("sk".to_owned(), sort)])
}

fn is_record(item: &Item) -> bool {
    item.get("sk").and_then(|sort| sort.as_s().ok()).is_some_and(|sort| sort.starts_with(RECORD))
}

fn version_of(item: &Item) -> Option<u32> {
    item.get("sk")?.as_s().ok()?.strip_prefix(RECORD)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verification_ahead_of_the_clock_counts_as_never() {
        let now_ms = 100 * DAY_MS;
        let sound = |verified_at_ms| Verification {
            verified_at_ms,
            records: 1,
            wallets: 1,
            faults: 0,
            partial: false,
            key_id: "one".to_owned(),
        };
        let days = |report: Verification| verified_days(Some(&report), now_ms);
        assert_eq!(days(sound(now_ms - 41 * DAY_MS)), 41);
        assert_eq!((days(sound(now_ms)), days(sound(now_ms + MAX_AHEAD_MS))), (0, 0));
        assert_eq!(days(sound(now_ms + MAX_AHEAD_MS + 1)), NEVER_DAYS);
        assert_eq!(days(sound(u64::MAX)), NEVER_DAYS);
        for unsound in [
            Verification { faults: 1, ..sound(now_ms) },
            Verification { partial: true, ..sound(now_ms) },
            Verification { records: 0, ..sound(now_ms) },
        ] {
            assert_eq!(days(unsound), NEVER_DAYS);
        }
        assert_eq!(verified_days(None, now_ms), NEVER_DAYS);
    }
}
