//! Access to the index of heads and to the seals, both in the cosigner's table.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `seals` | `seal#number` | one seal; append-only |
//!
//! The newest seal's number and hash are also in a table of their own: `seals` / `newest`.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use platform::aws::Lazy;
use platform::items::{Item, SHARDS, StoreError, from_item, put_error, to_record, unavailable};
use serde::Deserialize;

use crate::error::SealError;
use crate::seal::{Head, Place, Seal, Sealed};

/// The index of the heads.
pub const INDEX: &str = "heads";
/// The partition of the seals. No wallet's partition has this form.
pub(crate) const PARTITION: &str = "seals";

/// Queries the heads of a shard that moved on a Unix day or later.
pub fn heads_of(
    db: &aws_sdk_dynamodb::Client,
    table: &str,
    shard: u8,
    from_day: u64,
) -> QueryFluentBuilder {
    db.query()
        .table_name(table)
        .index_name(INDEX)
        .key_condition_expression("#shard = :shard AND #day >= :day")
        .expression_attribute_names("#shard", "shard")
        .expression_attribute_names("#day", "sealDay")
        .expression_attribute_values(":shard", AttributeValue::S(shard.to_string()))
        .expression_attribute_values(":day", AttributeValue::N(from_day.to_string()))
}

/// Queries the seals, by their number.
pub fn seals_in(db: &aws_sdk_dynamodb::Client, table: &str) -> QueryFluentBuilder {
    db.query()
        .table_name(table)
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", AttributeValue::S(PARTITION.to_owned()))
        .consistent_read(true)
}

#[derive(Clone, Debug)]
pub(crate) struct Seals {
    db: Lazy<aws_sdk_dynamodb::Client>,
    table: String,
    /// The table that keeps the newest seal.
    pub(crate) newest: Option<String>,
}

#[derive(Deserialize)]
struct Indexed {
    pk: String,
    seq: u64,
    hash: String,
}

impl Seals {
    pub(crate) fn new(db: Lazy<aws_sdk_dynamodb::Client>, table: &str) -> Self {
        Self { db, table: table.to_owned(), newest: None }
    }

    /// Returns the last seal.
    pub(crate) async fn last(&self) -> Result<Option<(Sealed, Seal)>, SealError> {
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(PARTITION.to_owned()))
            .scan_index_forward(false)
            .limit(1)
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        let Some(item) = output.items.unwrap_or_default().pop() else { return Ok(None) };
        let sealed: Sealed = from_item("seal", item)?;
        let seal = serde_json::from_str(&sealed.body)
            .map_err(|error| SealError::Damaged(error.to_string()))?;
        Ok(Some((sealed, seal)))
    }

    /// Writes a seal. Returns whether it was the first with its number.
    pub(crate) async fn put_new(&self, sealed: &Sealed) -> Result<bool, StoreError> {
        let key = key(PARTITION, format!("seal#{:012}", sealed.number));
        let written = self
            .db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_record(key, sealed)?))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match written.map_err(put_error) {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Keeps a seal's number and hash outside the cosigner's table, unless a newer one is kept.
    pub(crate) async fn keep_newest(&self, sealed: &Sealed) -> Result<(), StoreError> {
        let Some(table) = &self.newest else { return Ok(()) };
        let written = self
            .db
            .put_item()
            .table_name(table)
            .set_item(Some(key(PARTITION, "newest".to_owned())))
            .item("schema", AttributeValue::N("1".to_owned()))
            .item("number", AttributeValue::N(sealed.number.to_string()))
            .item("hash", AttributeValue::S(sealed.hash.clone()))
            .condition_expression("attribute_not_exists(pk) OR #number < :number")
            .expression_attribute_names("#number", "number")
            .expression_attribute_values(":number", AttributeValue::N(sealed.number.to_string()))
            .send()
            .await;
        match written.map_err(put_error) {
            Ok(_) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns about `most` heads from a place on, and the place of the next ones.
    pub(crate) async fn heads(
        &self,
        place: &Place,
        from_day: u64,
        most: usize,
    ) -> Result<(Vec<Head>, Option<Place>), StoreError> {
        let (mut heads, mut place) = (Vec::new(), place.clone());
        while place.shard < SHARDS {
            let left = i32::try_from(most.saturating_sub(heads.len())).unwrap_or(i32::MAX);
            let output = heads_of(&self.db, &self.table, place.shard, from_day)
                .limit(left.max(1))
                .set_exclusive_start_key(start_key(&place))
                .send()
                .await
                .map_err(unavailable)?;
            for item in output.items.unwrap_or_default() {
                let Indexed { pk, seq, hash } = from_indexed(item)?;
                heads.push(Head(pk, seq, hash));
            }
            place = match output.last_evaluated_key {
                Some(last) => Place { shard: place.shard, after: Some(after(&last)?) },
                None => Place { shard: place.shard + 1, after: None },
            };
            if heads.len() >= most && place.shard < SHARDS {
                heads.sort();
                return Ok((heads, Some(place)));
            }
        }
        heads.sort();
        Ok((heads, None))
    }
}

fn key(partition: &str, sort: String) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(partition.to_owned())),
        ("sk".to_owned(), AttributeValue::S(sort)),
    ])
}

fn start_key(place: &Place) -> Option<Item> {
    let (day, partition) = place.after.as_ref()?;
    let mut start = key(partition, "audit".to_owned());
    start.insert("shard".to_owned(), AttributeValue::S(place.shard.to_string()));
    start.insert("sealDay".to_owned(), AttributeValue::N(day.to_string()));
    Some(start)
}

fn after(last: &Item) -> Result<(u64, String), StoreError> {
    let day = last.get("sealDay").and_then(|value| value.as_n().ok()?.parse().ok());
    let partition = last.get("pk").and_then(|value| value.as_s().ok()).cloned();
    day.zip(partition).ok_or_else(|| StoreError::Damaged {
        what: "index of heads",
        cause: "a page ends nowhere".to_owned(),
    })
}

fn from_indexed(item: Item) -> Result<Indexed, StoreError> {
    serde_dynamo::from_item(item).map_err(|error: serde_dynamo::Error| StoreError::Damaged {
        what: "index of heads",
        cause: error.to_string(),
    })
}
