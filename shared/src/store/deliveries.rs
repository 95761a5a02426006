//! What a webhook's item counts about its deliveries: the trial of a receiver that fails, and the
//! replayed events that wait.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use domain::ids::Tenant;
use platform::items::StoreError;

use super::credentials::number;
use super::webhooks::update_error;
use super::{Store, WebhookId};

/// How many replayed events of one webhook may wait for their first attempt.
pub const MAX_OUTSTANDING_REPLAYS: u64 = 500;

/// How long replayed events are counted as outstanding, in milliseconds.
const REPLAYS_FOR_MS: u64 = 60 * 60 * 1_000;

impl Store {
    /// Takes the right to try a failing webhook, until a time in Unix milliseconds. Returns whether
    /// no other delivery has it.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn take_trial(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        now_ms: u64,
        until_ms: u64,
    ) -> Result<bool, StoreError> {
        let update = self
            .on_webhook(tenant, id)
            .update_expression("SET #trial = :until")
            .condition_expression("#id = :id AND (attribute_not_exists(#trial) OR #trial <= :now)")
            .expression_attribute_names("#trial", "trialUntilMs")
            .expression_attribute_values(":until", number(until_ms))
            .expression_attribute_values(":now", number(now_ms));
        is_written(update).await
    }

    /// Counts events that are about to be replayed to a webhook. Returns whether no more than
    /// [`MAX_OUTSTANDING_REPLAYS`] are outstanding with them. A count that was begun an hour ago is
    /// begun again, because deliveries that were lost are never counted off.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn take_replays(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        count: u64,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        const ADD: &str = "SET #replays = if_not_exists(#replays, :none) + :count, \
                           #since = if_not_exists(#since, :now)";
        const HAS_ROOM: &str =
            "#id = :id AND (attribute_not_exists(#replays) OR #replays <= :most)";
        let Some(most) = MAX_OUTSTANDING_REPLAYS.checked_sub(count) else { return Ok(false) };
        let counted = || {
            self.on_webhook(tenant, id)
                .expression_attribute_names("#replays", "replays")
                .expression_attribute_names("#since", "replaysSinceMs")
                .expression_attribute_values(":count", number(count))
                .expression_attribute_values(":now", number(now_ms))
        };
        let added = counted()
            .update_expression(ADD)
            .condition_expression(HAS_ROOM)
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":most", number(most));
        if is_written(added).await? {
            return Ok(true);
        }
        let begun_again = counted()
            .update_expression("SET #replays = :count, #since = :now")
            .condition_expression("#id = :id AND #since <= :old")
            .expression_attribute_values(":old", number(now_ms.saturating_sub(REPLAYS_FOR_MS)));
        is_written(begun_again).await
    }

    /// Counts a replayed event off: its first attempt has ended.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn end_replay(&self, tenant: &Tenant, id: WebhookId) -> Result<(), StoreError> {
        let update = self
            .on_webhook(tenant, id)
            .update_expression("SET #replays = #replays - :one")
            .condition_expression("#id = :id AND #replays >= :one")
            .expression_attribute_names("#replays", "replays")
            .expression_attribute_values(":one", number(1));
        is_written(update).await.map(|_| ())
    }
}

/// Returns whether an update's condition held.
async fn is_written(update: UpdateItemFluentBuilder) -> Result<bool, StoreError> {
    match update.send().await.map_err(update_error) {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}
