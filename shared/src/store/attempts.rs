//! What became of a webhook's deliveries, kept as long as their events.
//!
//! | partition key | sort key |
//! | --- | --- |
//! | `tenant#D#webhookId#shard` | the event's id, which begins with its time |
//!
//! An event's id determines its shard, as for events.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::Tenant;
use futures_util::future::BoxFuture;
use futures_util::future::try_join_all;
use platform::items::{SCHEMA, SHARDS, StoreError, from_item, unavailable};
use serde::{Deserialize, Serialize};

use super::credentials::number;
use super::events::KEPT_S;
use super::webhooks::update_error;
use super::{DeliveryFailure, Store, WebhookId, key};
use crate::events::{EventId, TypeName};

/// The state of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// The receiver has accepted the event.
    Delivered,
    /// The last attempt failed, and another one follows.
    Retrying,
    /// The last attempt failed, and none follows.
    GivenUp,
    /// The webhook was disabled, by its receiver or its tenant.
    Disabled,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Retrying, Self::GivenUp, Self::Disabled];

    /// Returns the name in responses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "DELIVERED",
            Self::Retrying => "RETRYING",
            Self::GivenUp => "GIVEN_UP",
            Self::Disabled => "DISABLED",
        }
    }

    const fn stored(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retrying => "retrying",
            Self::GivenUp => "givenup",
            Self::Disabled => "disabled",
        }
    }
}

/// The delivery of one event to one webhook.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryRecord {
    /// Schema number: 1.
    pub schema: u32,
    /// The event.
    pub event_id: EventId,
    /// The event's type.
    pub event_type: TypeName,
    /// The state.
    pub state: DeliveryState,
    /// The number of the last attempt, from 1. A replay counts from 1 again.
    pub attempts: u32,
    /// Time of the last attempt, Unix milliseconds.
    pub last_attempt_at_ms: u64,
    /// The failure of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<DeliveryFailure>,
    /// Time from which the table may delete it, Unix seconds.
    pub expires_at_s: u64,
}

/// How long the queue keeps a message, in milliseconds.
const QUEUED_MS: u64 = 14 * 24 * 60 * 60 * 1_000;

fn partition(tenant: &Tenant, id: WebhookId, shard: u8) -> String {
    format!("{tenant}#D#{id}#{shard}")
}

/// A page of deliveries, and where the next one begins.
type Deliveries = (Vec<DeliveryRecord>, Option<EventId>);

impl Store {
    /// Records an attempt. An attempt that was made before the recorded one changes nothing.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn keep_attempt(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        attempt: &DeliveryRecord,
    ) -> Result<(), StoreError> {
        self.write_attempt(tenant, id, attempt, "attribute_not_exists(pk) OR #at <= :at").await
    }

    /// Ends a delivery whose last attempt failed: no further one follows. Its last attempt stays.
    /// Returns whether there was one.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn end_delivery(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        event: &EventId,
        state: DeliveryState,
    ) -> Result<bool, StoreError> {
        let stored = |state: DeliveryState| AttributeValue::S(state.stored().to_owned());
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&partition(tenant, id, event.shard()), event.as_str())))
            .update_expression("SET #state = :state")
            .condition_expression("#state = :retrying")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", stored(state))
            .expression_attribute_values(":retrying", stored(DeliveryState::Retrying));
        match update.send().await.map_err(update_error) {
            Err(StoreError::Conflict) => Ok(false),
            done => done.map(|_| true),
        }
    }

    /// Ends a delivery that is given up without a last attempt. `attempt` is recorded if none was.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn give_up_delivery(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        attempt: &DeliveryRecord,
    ) -> Result<(), StoreError> {
        if self.end_delivery(tenant, id, &attempt.event_id, attempt.state).await? {
            return Ok(());
        }
        self.write_attempt(tenant, id, attempt, "attribute_not_exists(pk)").await
    }

    /// Writes an attempt. If the condition does not hold, nothing changes.
    async fn write_attempt(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        attempt: &DeliveryRecord,
        condition: &str,
    ) -> Result<(), StoreError> {
        const SET: &str = "SET #schema = :schema, #event = :event, #type = :type, \
                           #state = :state, #attempts = :attempts, #at = :at, #expires = :expires";
        let partition = partition(tenant, id, attempt.event_id.shard());
        let (event, kind) = (attempt.event_id.to_string(), attempt.event_type.to_string());
        let mut update = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&partition, attempt.event_id.as_str())))
            .condition_expression(condition)
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_names("#event", "eventId")
            .expression_attribute_names("#type", "eventType")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#attempts", "attempts")
            .expression_attribute_names("#at", "lastAttemptAtMs")
            .expression_attribute_names("#expires", "expiresAtS")
            .expression_attribute_names("#failure", "failure")
            .expression_attribute_values(":schema", number(SCHEMA.into()))
            .expression_attribute_values(":event", AttributeValue::S(event))
            .expression_attribute_values(":type", AttributeValue::S(kind))
            .expression_attribute_values(":state", AttributeValue::S(attempt.state.stored().into()))
            .expression_attribute_values(":attempts", number(attempt.attempts.into()))
            .expression_attribute_values(":at", number(attempt.last_attempt_at_ms))
            .expression_attribute_values(":expires", number(attempt.expires_at_s));
        update = match &attempt.failure {
            None => update.update_expression(format!("{SET} REMOVE #failure")),
            Some(failure) => {
                let note = serde_dynamo::to_attribute_value(failure);
                let note = note.map_err(|error| StoreError::Damaged {
                    what: "failure",
                    cause: error.to_string(),
                })?;
                update
                    .update_expression(format!("{SET}, #failure = :failure"))
                    .expression_attribute_values(":failure", note)
            }
        };
        match update.send().await.map_err(update_error) {
            Err(StoreError::Conflict) => Ok(()),
            done => done.map(|_| ()),
        }
    }

    /// Returns a webhook's deliveries, those of the newest events first: at most `limit` of events
    /// before `before`. The last id is where the next page begins, if there is one.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub fn deliveries<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: WebhookId,
        before: Option<&'a EventId>,
        limit: u8,
    ) -> BoxFuture<'a, Result<Deliveries, StoreError>> {
        Box::pin(async move {
            let last = before.map_or_else(|| EventId::ceiling(u64::MAX), ToString::to_string);
            let shards = (0..SHARDS).map(|shard| {
                let query = self
                    .db
                    .query()
                    .table_name(&self.table)
                    .key_condition_expression("pk = :pk AND sk < :last")
                    .expression_attribute_values(
                        ":pk",
                        AttributeValue::S(partition(tenant, id, shard)),
                    )
                    .expression_attribute_values(":last", AttributeValue::S(last.clone()))
                    .scan_index_forward(false)
                    .limit(i32::from(limit) + 1);
                async move { query.send().await.map_err(unavailable) }
            });
            let mut deliveries = Vec::new();
            for output in try_join_all(shards).await? {
                for item in output.items.unwrap_or_default() {
                    deliveries.push(from_item::<DeliveryRecord>("delivery", item)?);
                }
            }
            deliveries.sort_by(|one, other| other.event_id.cmp(&one.event_id));
            let has_more = deliveries.len() > usize::from(limit);
            deliveries.truncate(limit.into());
            let next = deliveries.last().filter(|_| has_more).map(|it| it.event_id.clone());
            Ok((deliveries, next))
        })
    }
}

impl DeliveryRecord {
    /// Makes the record of an attempt.
    #[must_use]
    pub fn new(
        (event_id, event_type): (EventId, TypeName),
        state: DeliveryState,
        attempts: u32,
        last_attempt_at_ms: u64,
        failure: Option<DeliveryFailure>,
    ) -> Self {
        let expires_at_s = event_id.at_ms() / 1_000 + KEPT_S;
        let schema = SCHEMA;
        Self {
            schema,
            event_id,
            event_type,
            state,
            attempts,
            last_attempt_at_ms,
            failure,
            expires_at_s,
        }
    }

    /// Returns the state at a time, in Unix milliseconds. A delivery whose function died in the last
    /// attempt was given up, at the latest when the queue has dropped its message.
    #[must_use]
    pub const fn state_at(&self, now_ms: u64) -> DeliveryState {
        let is_dropped = self.last_attempt_at_ms.saturating_add(QUEUED_MS) < now_ms;
        match self.state {
            DeliveryState::Retrying if is_dropped => DeliveryState::GivenUp,
            state => state,
        }
    }
}
