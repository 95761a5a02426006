//! Records the results of deliveries: for the tenant, each attempt, and on the webhook, whether its
//! receiver fails. If that fails, the delivery is unaffected.

use super::super::queue::Delivery;
use super::{Deliverer, Ended, MAX_ATTEMPTS, NOTE_EVERY_MS};
use crate::store::{DeliveryFailure, DeliveryRecord, DeliveryState, EventRecord, WebhookRecord};

impl Deliverer {
    /// Records that no further attempt follows a failed one.
    pub(super) async fn end(&self, delivery: &Delivery, state: DeliveryState) {
        let Delivery { tenant, webhook_id, event_id, .. } = delivery;
        if let Err(error) = self.store.end_delivery(tenant, *webhook_id, event_id, state).await {
            tracing::warn!(%error, webhookId = %webhook_id, "end of a delivery not recorded");
        }
    }

    /// Records that an event is given up although the receiver, which fails, was not called again.
    pub(super) async fn give_up(
        &self,
        delivery: &Delivery,
        event: &EventRecord,
        number: u32,
        failure: Option<DeliveryFailure>,
    ) {
        let of = (event.event_id.clone(), event.event_type.clone());
        let (state, now_ms) = (DeliveryState::GivenUp, self.clock.now_ms());
        let record = DeliveryRecord::new(of, state, number, now_ms, failure);
        let (tenant, id) = (&delivery.tenant, delivery.webhook_id);
        if let Err(error) = self.store.give_up_delivery(tenant, id, &record).await {
            tracing::warn!(%error, webhookId = %id, "end of a delivery not recorded");
        }
    }

    /// Records the attempt for the tenant. If that fails, the delivery is unaffected.
    pub(super) async fn keep(
        &self,
        delivery: &Delivery,
        event: &EventRecord,
        number: u32,
        ended: &Ended,
    ) {
        let now_ms = self.clock.now_ms();
        let (state, failure) = match ended {
            Ended::Delivered => (DeliveryState::Delivered, None),
            Ended::Disabled => {
                let failure = DeliveryFailure { at_ms: now_ms, status: Some(410), reason: None };
                (DeliveryState::Disabled, Some(failure))
            }
            Ended::Failed { failure, .. } if number >= MAX_ATTEMPTS => {
                (DeliveryState::GivenUp, Some(failure.clone()))
            }
            Ended::Failed { failure, .. } => (DeliveryState::Retrying, Some(failure.clone())),
            Ended::Dropped(_) | Ended::Rested { .. } => return,
        };
        let of = (event.event_id.clone(), event.event_type.clone());
        let record = DeliveryRecord::new(of, state, number, now_ms, failure);
        let (tenant, id) = (&delivery.tenant, delivery.webhook_id);
        if let Err(error) = self.store.keep_attempt(tenant, id, &record).await {
            tracing::warn!(%error, webhookId = %id, "attempt not recorded");
        }
    }

    /// Records the result on the webhook, at most once. If that fails, the delivery is unaffected.
    pub(super) async fn note(&self, delivery: &Delivery, webhook: &WebhookRecord, ended: &Ended) {
        let (tenant, id) = (&delivery.tenant, delivery.webhook_id);
        // A late response of an earlier receiver says nothing about the present one.
        let of = (id, webhook.url.as_str());
        let now_ms = self.clock.now_ms();
        let noted = match ended {
            Ended::Delivered => {
                let is_old = webhook
                    .last_delivered_at_ms
                    .is_none_or(|last_ms| last_ms.saturating_add(NOTE_EVERY_MS) <= now_ms);
                if !is_old && webhook.failing_since_ms.is_none() {
                    return;
                }
                self.store.note_delivered(tenant, of, now_ms).await
            }
            Ended::Disabled => {
                let failure = DeliveryFailure { at_ms: now_ms, status: Some(410), reason: None };
                self.store.note_not_delivered(tenant, of, &failure, true).await
            }
            Ended::Failed { failure, .. } => {
                self.store.note_not_delivered(tenant, of, failure, false).await
            }
            Ended::Dropped(_) | Ended::Rested { .. } => return,
        };
        if let Err(error) = noted {
            tracing::warn!(%error, webhookId = %id, "delivery result not recorded");
        }
    }
}
