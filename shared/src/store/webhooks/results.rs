//! The results of deliveries, on the webhook's item. Each names the URL that was called, because a
//! late response of an earlier receiver says nothing about the present one.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::Tenant;
use platform::items::StoreError;

use super::{DeliveryFailure, WebhookId, update_error};
use crate::store::Store;
use crate::store::credentials::number;

impl Store {
    /// Records a delivery to this URL.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the webhook no longer exists or has another URL.
    pub async fn note_delivered(
        &self,
        tenant: &Tenant,
        (id, url): (WebhookId, &str),
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let update = self
            .on_webhook(tenant, id)
            .update_expression("SET #delivered = :now REMOVE #failing")
            .condition_expression("#id = :id AND #url = :url")
            .expression_attribute_names("#url", "url")
            .expression_attribute_values(":url", AttributeValue::S(url.to_owned()))
            .expression_attribute_names("#delivered", "lastDeliveredAtMs")
            .expression_attribute_names("#failing", "failingSinceMs")
            .expression_attribute_values(":now", number(now_ms));
        update.send().await.map(|_| ()).map_err(update_error)
    }

    /// Records a failed delivery to this URL. `disable` stops all further deliveries.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the webhook no longer exists or has another URL.
    pub async fn note_not_delivered(
        &self,
        tenant: &Tenant,
        (id, url): (WebhookId, &str),
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
            .condition_expression("#id = :id AND #url = :url")
            .expression_attribute_names("#url", "url")
            .expression_attribute_values(":url", AttributeValue::S(url.to_owned()))
            .expression_attribute_names("#failure", "lastFailure")
            .expression_attribute_names("#failing", "failingSinceMs")
            .expression_attribute_values(":failure", note)
            .expression_attribute_values(":now", number(failure.at_ms));
        if disable {
            update = update.expression_attribute_names("#disabled", "disabledAtMs");
        }
        update.send().await.map(|_| ()).map_err(update_error)
    }
}
