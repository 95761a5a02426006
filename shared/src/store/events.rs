//! A tenant's events, stored for thirty days so that they can be replayed.
//!
//! | partition key | sort key |
//! | --- | --- |
//! | `tenant#E#shard` | the event's id, which begins with its time |
//!
//! An id determines which of the [`SHARDS`] partitions holds its event, so a burst of one tenant's
//! events is spread over all of them.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::Tenant;
use platform::items::{SCHEMA, SHARDS, StoreError, from_item, unavailable};
use serde::{Deserialize, Serialize};

use super::{Store, key, to_item};
use crate::events::{Event, EventId, TypeName};

/// Time for which an event is stored, in seconds.
pub(super) const KEPT_S: u64 = 30 * 24 * 60 * 60;

/// An event as stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRecord {
    /// Schema number: 1.
    pub schema: u32,
    /// Its id.
    pub event_id: EventId,
    /// Its type.
    pub event_type: TypeName,
    /// The exact bytes that are sent.
    pub body: String,
    /// Time from which the table may delete it, Unix seconds.
    pub expires_at_s: u64,
}

/// Start of the next page in a walk over a tenant's events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventPosition {
    /// The shard.
    pub shard: u8,
    /// The last event read in it, if any.
    pub after: Option<EventId>,
}

fn partition(tenant: &Tenant, shard: u8) -> String {
    format!("{tenant}#E#{shard}")
}

impl Store {
    /// Stores an event once; the same change always yields the same event.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn keep_event(&self, tenant: &Tenant, event: &Event) -> Result<(), StoreError> {
        let record = EventRecord {
            schema: SCHEMA,
            event_id: event.id.clone(),
            event_type: event.kind.into(),
            body: event.body.clone(),
            expires_at_s: event.id.at_ms() / 1_000 + KEPT_S,
        };
        let partition = partition(tenant, event.id.shard());
        let put = self
            .db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(&partition, event.id.as_str(), &record)?))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        let Err(error) = put else { return Ok(()) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(unavailable(error)),
        }
    }

    /// Reads a stored event.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn event(
        &self,
        tenant: &Tenant,
        id: &EventId,
    ) -> Result<Option<EventRecord>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(&partition(tenant, id.shard()), id.as_str())))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        output.item.map(|item| from_item("event", item)).transpose()
    }

    /// Returns at most `limit` of a tenant's events between two times, in Unix milliseconds, from
    /// a position on. Also returns the start of the next page.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn events(
        &self,
        tenant: &Tenant,
        (from_ms, to_ms): (u64, u64),
        position: EventPosition,
        limit: usize,
    ) -> Result<(Vec<EventRecord>, Option<EventPosition>), StoreError> {
        let mut events = Vec::new();
        let mut after = position.after;
        for shard in position.shard..SHARDS {
            let first = after.take().map_or_else(|| EventId::floor(from_ms), |id| id.next());
            let room = limit - events.len();
            let output = self
                .db
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
                .expression_attribute_values(":pk", AttributeValue::S(partition(tenant, shard)))
                .expression_attribute_values(":first", AttributeValue::S(first))
                .expression_attribute_values(":last", AttributeValue::S(EventId::ceiling(to_ms)))
                .limit(i32::try_from(room).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(unavailable)?;
            let more = output.last_evaluated_key.is_some();
            for item in output.items.unwrap_or_default() {
                events.push(from_item::<EventRecord>("event", item)?);
            }
            if more {
                let after = events.last().map(|event| event.event_id.clone());
                return Ok((events, Some(EventPosition { shard, after })));
            }
            if events.len() == limit && shard + 1 < SHARDS {
                return Ok((events, Some(EventPosition { shard: shard + 1, after: None })));
            }
        }
        Ok((events, None))
    }
}
