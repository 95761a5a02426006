//! A tenant's webhooks: where its events are sent.
//!
//! Each webhook occupies one of ten slots of the tenant's partition. Races therefore cannot exceed
//! the limit, and one query returns all. An id names its slot. The slot of a deleted webhook keeps
//! the id until the next webhook takes the slot, or the table deletes the item.
//!
//! | file | holds |
//! | --- | --- |
//! | `change` | changes by the tenant |
//! | `results` | the results of deliveries |
//! | `types` | the types of events, as stored |

mod change;
mod results;
mod types;

use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
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
use crate::events::TypeName;
pub use change::WebhookChange;
pub(crate) use types::stored_types;

/// Maximum length of a webhook's URL, in bytes.
pub const MAX_URL: usize = 512;

/// Maximum number of webhooks of a tenant.
pub const MAX_WEBHOOKS: u8 = 10;

/// Time for which the deleting request is remembered: as long as its `Idempotency-Key`.
const REMEMBERED_S: u64 = 24 * 60 * 60;

const SLOT: &str = "webhook#";

/// A webhook's id: random, except for its slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WebhookId(Uuid);

impl WebhookId {
    /// Draws an id for a slot.
    ///
    /// # Errors
    /// Fails when the random number generator fails.
    pub fn draw(slot: u8, random: &Random) -> Result<Self, RandomError> {
        let mut bytes = *random.uuid()?.as_bytes();
        bytes[0] = (slot << 4) | (bytes[0] & 0x0f);
        Ok(Self(Uuid::from_bytes(bytes)))
    }

    /// Returns its slot.
    #[must_use]
    pub const fn slot(self) -> u8 {
        self.0.as_bytes()[0] >> 4
    }

    /// Returns it as a UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl FromStr for WebhookId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        // Only the hyphenated form has 36 characters.
        let id = Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
        id.map(Self).ok_or_else(|| IdError::new("webhookId must be the id of a webhook"))
    }
}

impl std::fmt::Display for WebhookId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The last failed delivery.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryFailure {
    /// Time of the failure, Unix milliseconds.
    pub at_ms: u64,
    /// The receiver's HTTP status, if it responded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was no response: one of a few fixed words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookRecord {
    /// Schema number: 1.
    pub schema: u32,
    /// Its id.
    pub webhook_id: WebhookId,
    /// The URL that receives the events.
    pub url: String,
    /// The first types to send: see `types`.
    pub(crate) events: Vec<TypeName>,
    /// Whether to send each later type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) more_events: BTreeMap<TypeName, bool>,
    /// The tenant's description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Creation time, Unix milliseconds.
    pub created_at_ms: u64,
    /// Its signing secret, sealed under key A; `None` when the webhook was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// The request with an `Idempotency-Key` that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<Uuid>,
    /// Time of the receiver's 410, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at_ms: Option<u64>,
    /// The last delivery, to the minute, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_delivered_at_ms: Option<u64>,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<DeliveryFailure>,
    /// Start of the failures without a success since, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since_ms: Option<u64>,
    /// Time of the deletion, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at_ms: Option<u64>,
    /// The request with an `Idempotency-Key` that deleted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_by: Option<Uuid>,
}

impl WebhookRecord {
    /// Returns the encryption context of its secret. It belongs to no wallet, so the webhook's id
    /// takes the wallet's place.
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

    /// Returns whether it exists.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        self.deleted_at_ms.is_none()
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
    /// Returns the slots of a tenant's webhooks, including deleted ones, with one strongly
    /// consistent query.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn webhook_slots(&self, tenant: &Tenant) -> Result<Vec<WebhookRecord>, StoreError> {
        self.each_webhook_slot(tenant).await?.into_iter().collect()
    }

    /// Returns the slots as [`Store::webhook_slots`] does, each with its own error.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn each_webhook_slot(
        &self,
        tenant: &Tenant,
    ) -> Result<Vec<Result<WebhookRecord, StoreError>>, StoreError> {
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
        Ok(items.map(|item| from_item("webhook", item)).collect())
    }

    /// Returns a webhook in its slot, or the remainder of a deleted one.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub fn webhook<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: WebhookId,
    ) -> BoxFuture<'a, Result<Option<WebhookRecord>, StoreError>> {
        Box::pin(async move {
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
        })
    }

    /// Stores a new webhook in its slot.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the slot is taken.
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
            // The SDK's own retry after a lost response finds what it wrote.
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

    /// Deletes a webhook: its secret is deleted at once, and its slot is free. `by` is the request
    /// with an `Idempotency-Key`, so that its retry is recognised.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it was already deleted by another request.
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

    /// Begins an update of a webhook. Its condition compares `#id` with `:id`.
    pub(super) fn on_webhook(&self, tenant: &Tenant, id: WebhookId) -> UpdateItemFluentBuilder {
        self.db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(slot_key(tenant, id.slot())))
            .expression_attribute_names("#id", "webhookId")
            .expression_attribute_values(":id", text(id.uuid()))
    }
}

pub(super) fn update_error(
    error: aws_sdk_dynamodb::error::SdkError<UpdateItemError>,
) -> StoreError {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(_)) => StoreError::Conflict,
        _ => unavailable(error),
    }
}
