//! A tenant's webhooks: where its events are sent.
//!
//! Each stands in one of ten slots of the tenant's partition, so there are never more, whoever
//! races, and all of them are one query. An id names its slot. A slot whose webhook is deleted
//! keeps the webhook's id until the next one takes it, or the table drops it.

use std::str::FromStr;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::{IdError, Tenant};
use domain::random::{Random, RandomError};
use platform::envelope::{Context, Purpose, Sealed};
use platform::items::{Item, StoreError, from_item, put_error, unavailable};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::credentials::number;
use super::{Store, key, to_item};
use crate::events::EventType;

/// The longest URL of a webhook, in bytes.
pub const MAX_URL: usize = 512;

/// How many webhooks a tenant has at most.
pub const MAX_WEBHOOKS: u8 = 10;

/// How long it is remembered by which request a webhook was deleted: as long as its
/// `Idempotency-Key`.
const REMEMBERED_S: u64 = 24 * 60 * 60;

const SLOT: &str = "webhook#";

/// A webhook's id: random, but for its slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookId(Uuid);

impl WebhookId {
    /// A new one for a slot.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn draw(slot: u8, random: &Random) -> Result<Self, RandomError> {
        let mut bytes = *random.uuid()?.as_bytes();
        bytes[0] = (slot << 4) | (bytes[0] & 0x0f);
        Ok(Self(Uuid::from_bytes(bytes)))
    }

    /// Its slot.
    #[must_use]
    pub const fn slot(self) -> u8 {
        self.0.as_bytes()[0] >> 4
    }

    /// As a UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl FromStr for WebhookId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        // Only the hyphenated form is 36 characters long.
        let id = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
        id.map(Self).ok_or_else(|| IdError::new("webhookId must be the id of a webhook"))
    }
}

impl std::fmt::Display for WebhookId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The last delivery that did not come to its end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryFailure {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// What the receiver answered, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was no answer, in one of a few fixed words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookRecord {
    /// 1.
    pub schema: u32,
    /// Its id.
    pub webhook_id: WebhookId,
    /// Where events are sent.
    pub url: String,
    /// Which ones.
    pub events: Vec<EventType>,
    /// The tenant's own words for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: u64,
    /// Its signing secret, sealed under key A. `None`: it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// The request with an `Idempotency-Key` that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<Uuid>,
    /// Since when nothing is sent, because the receiver said so (410), Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at_ms: Option<u64>,
    /// The last delivery, to the minute, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_delivered_at_ms: Option<u64>,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<DeliveryFailure>,
    /// Since when nothing was delivered and something failed, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since_ms: Option<u64>,
    /// When it was deleted, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at_ms: Option<u64>,
    /// The request with an `Idempotency-Key` that deleted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_by: Option<Uuid>,
}

impl WebhookRecord {
    /// What its secret is sealed for. It belongs to no wallet: the webhook's id stands there.
    #[must_use]
    pub fn context(tenant: &Tenant, id: WebhookId) -> Context {
        Context {
            tenant: tenant.clone(),
            wallet_id: id.uuid(),
            purpose: Purpose::WebhookSecret,
            exchange: None,
            version: "1".to_owned(),
        }
    }

    /// Whether it is there still.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        self.deleted_at_ms.is_none()
    }

    /// Whether it is sent events of this type.
    #[must_use]
    pub fn wants(&self, event: EventType) -> bool {
        self.is_there() && self.disabled_at_ms.is_none() && self.events.contains(&event)
    }
}

fn partition(tenant: &Tenant) -> String {
    format!("{tenant}#H")
}

fn slot_key(tenant: &Tenant, slot: u8) -> Item {
    key(&partition(tenant), &format!("{SLOT}{slot}"))
}

fn text(id: Uuid) -> AttributeValue {
    AttributeValue::S(id.to_string())
}

impl Store {
    /// What is in the slots of a tenant's webhooks, those that are deleted too. One strongly
    /// consistent query.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn webhook_slots(&self, tenant: &Tenant) -> Result<Vec<WebhookRecord>, StoreError> {
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(partition(tenant)))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        let items = output.items.unwrap_or_default().into_iter();
        items.map(|item| from_item("webhook", item)).collect()
    }

    /// A webhook in its slot, or what is left of it.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn webhook(
        &self,
        tenant: &Tenant,
        id: WebhookId,
    ) -> Result<Option<WebhookRecord>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.table)
            .set_key(Some(slot_key(tenant, id.slot())))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        let record = output.item.map(|item| from_item::<WebhookRecord>("webhook", item));
        Ok(record.transpose()?.filter(|record| record.webhook_id == id))
    }

    /// Stores a new webhook in its slot.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another one is there.
    pub async fn put_webhook(
        &self,
        tenant: &Tenant,
        webhook: &WebhookRecord,
    ) -> Result<(), StoreError> {
        let sort = format!("{SLOT}{}", webhook.webhook_id.slot());
        self.db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(&partition(tenant), &sort, webhook)?))
            // The SDK's own repeat, after a lost answer, meets what it wrote.
            .condition_expression(
                "attribute_not_exists(pk) OR attribute_exists(#deleted) OR #id = :id",
            )
            .expression_attribute_names("#deleted", "deletedAtMs")
            .expression_attribute_names("#id", "webhookId")
            .expression_attribute_values(":id", text(webhook.webhook_id.uuid()))
            .send()
            .await
            .map_err(put_error)?;
        Ok(())
    }

    /// Deletes a webhook: its secret goes at once, its slot is free. `by`: the request with an
    /// `Idempotency-Key`, so that its repeat is known.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is gone, unless by this very request.
    pub async fn delete_webhook(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        by: Option<Uuid>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        const FORGET: &str = "SET #deleted = :now, #by = :by, #expires = :expires REMOVE #sealed";
        const THERE: &str = "#id = :id AND attribute_not_exists(#deleted)";
        const OR_OWN: &str = "#id = :id AND (attribute_not_exists(#deleted) OR #by = :by)";
        let update = self
            .on_webhook(tenant, id)
            .update_expression(FORGET)
            .condition_expression(if by.is_some() { OR_OWN } else { THERE })
            .expression_attribute_names("#deleted", "deletedAtMs")
            .expression_attribute_names("#by", "deletedBy")
            .expression_attribute_names("#expires", "expiresAtS")
            .expression_attribute_names("#sealed", "sealed")
            .expression_attribute_values(":now", number(now_ms))
            .expression_attribute_values(":by", text(by.unwrap_or_default()))
            .expression_attribute_values(":expires", number(now_ms / 1_000 + REMEMBERED_S));
        update.send().await.map(|_| ()).map_err(update_error)
    }

    /// Notes that something was delivered.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the webhook is gone.
    pub async fn note_delivered(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let update = self
            .on_webhook(tenant, id)
            .update_expression("SET #delivered = :now REMOVE #failing")
            .condition_expression("#id = :id")
            .expression_attribute_names("#delivered", "lastDeliveredAtMs")
            .expression_attribute_names("#failing", "failingSinceMs")
            .expression_attribute_values(":now", number(now_ms));
        update.send().await.map(|_| ()).map_err(update_error)
    }

    /// Notes that something was not delivered. `disable`: and that nothing is to be sent any more.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the webhook is gone.
    pub async fn note_not_delivered(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        failure: &DeliveryFailure,
        disable: bool,
    ) -> Result<(), StoreError> {
        const NOTE: &str = "SET #failure = :failure, #failing = if_not_exists(#failing, :now)";
        const DISABLE: &str = ", #disabled = if_not_exists(#disabled, :now)";
        let note = serde_dynamo::to_attribute_value(failure)
            .map_err(|error| StoreError::Damaged { what: "failure", cause: error.to_string() })?;
        let mut update = self
            .on_webhook(tenant, id)
            .update_expression(format!("{NOTE}{}", if disable { DISABLE } else { "" }))
            .condition_expression("#id = :id")
            .expression_attribute_names("#failure", "lastFailure")
            .expression_attribute_names("#failing", "failingSinceMs")
            .expression_attribute_values(":failure", note)
            .expression_attribute_values(":now", number(failure.at_ms));
        if disable {
            update = update.expression_attribute_names("#disabled", "disabledAtMs");
        }
        update.send().await.map(|_| ()).map_err(update_error)
    }

    fn on_webhook(&self, tenant: &Tenant, id: WebhookId) -> UpdateItemFluentBuilder {
        self.db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(slot_key(tenant, id.slot())))
            .expression_attribute_names("#id", "webhookId")
            .expression_attribute_values(":id", text(id.uuid()))
    }
}

fn update_error(error: aws_sdk_dynamodb::error::SdkError<UpdateItemError>) -> StoreError {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(_)) => StoreError::Conflict,
        _ => unavailable(error),
    }
}
