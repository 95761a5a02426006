//! Replay: events that are kept are queued once more for a webhook, under the same ids.

use domain::ids::Tenant;
use platform::env::{ConfigError, Env};
use platform::items::StoreError;

use super::queue::{Deliveries, Delivery, QueueError};
use super::{EventId, EventType};
use crate::store::{EventPosition, EventRecord, Store, WebhookId, WebhookRecord};

/// How many events one call queues at most.
pub const MAX_REPLAYED: usize = 100;

/// What is to be sent again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Replay {
    /// One event.
    One(EventId),
    /// Those of a time.
    Between {
        /// From, Unix milliseconds.
        from_ms: u64,
        /// Up to and with, Unix milliseconds.
        to_ms: u64,
        /// Where the walk begins.
        position: EventPosition,
    },
}

/// What was queued.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// How many events.
    pub queued: usize,
    /// Where the next call goes on.
    pub next: Option<EventPosition>,
}

/// Why nothing is sent again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The tenant has no such webhook.
    #[error("webhook not found")]
    NoWebhook,
    /// Nothing is sent to it any more.
    #[error("the webhook is disabled")]
    Disabled,
    /// The tenant has no such event, or not any more.
    #[error("event not found")]
    NoEvent,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed. A repeat queues all of it again.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Replays.
#[derive(Clone, Debug)]
pub struct Replayer {
    /// Where events are kept.
    pub store: Store,
    /// Where they are queued.
    pub deliveries: Deliveries,
}

impl Replayer {
    /// Makes the clients once, from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        Ok(Self { store: Store::from_env(env)?, deliveries: Deliveries::from_env(env)? })
    }

    /// Queues what is asked for, as far as one call may. Of a time, only what the webhook wants.
    ///
    /// # Errors
    /// When there is no such webhook or event, or something fails on the way.
    pub async fn replay(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        what: Replay,
    ) -> Result<Replayed, ReplayError> {
        let webhook = self.store.webhook(tenant, id).await?.filter(WebhookRecord::is_there);
        let webhook = webhook.ok_or(ReplayError::NoWebhook)?;
        if webhook.disabled_at_ms.is_some() {
            return Err(ReplayError::Disabled);
        }
        let (events, next) = match what {
            Replay::One(event) => {
                let event = self.store.event(tenant, &event).await?;
                (vec![event.ok_or(ReplayError::NoEvent)?], None)
            }
            Replay::Between { from_ms, to_ms, position } => {
                let times = (from_ms, to_ms);
                let (mut events, next) =
                    self.store.events(tenant, times, position, MAX_REPLAYED).await?;
                let wanted = |kind: EventType| webhook.wants(kind);
                events.retain(|event: &EventRecord| wanted(event.event_type));
                (events, next)
            }
        };
        let deliveries = events.iter().map(|event| Delivery {
            tenant: tenant.clone(),
            webhook_id: id,
            event_id: event.event_id.clone(),
        });
        self.deliveries.send(&deliveries.collect::<Vec<_>>()).await?;
        Ok(Replayed { queued: events.len(), next })
    }
}
