//! Replay: stored events are queued again for a webhook, under the same ids.

use domain::clock::Clock;
use domain::ids::Tenant;
use futures_util::future::BoxFuture;
use platform::env::ConfigError;
use platform::items::StoreError;

use super::EventId;
use super::queue::{Deliveries, Delivery, QueueError};
use crate::runtime::Runtime;
use crate::store::{EventPosition, EventRecord, Store, WebhookId, WebhookRecord};

/// Maximum number of events that one call queues.
pub const MAX_REPLAYED: usize = 100;

/// The events to replay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Replay {
    /// One event.
    One(EventId),
    /// The events of a period.
    Between {
        /// Start, Unix milliseconds.
        from_ms: u64,
        /// End, included, Unix milliseconds.
        to_ms: u64,
        /// Position at which the walk begins.
        position: EventPosition,
    },
}

/// The result of a replay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// Number of events queued.
    pub queued: usize,
    /// Position at which the next call resumes.
    pub next: Option<EventPosition>,
}

/// Why nothing was replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The tenant has no such webhook.
    #[error("webhook not found")]
    NoWebhook,
    /// The webhook is disabled.
    #[error("the webhook is disabled")]
    Disabled,
    /// The event does not exist or has expired.
    #[error("event not found")]
    NoEvent,
    /// As many replays as allowed wait for their first attempt.
    #[error("too many replays are outstanding")]
    TooMany,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed. A retry queues all events again.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Replays events.
#[derive(Clone, Debug)]
pub struct Replayer {
    /// The table with the events.
    pub store: Store,
    /// The queue.
    pub deliveries: Deliveries,
    /// The time.
    pub clock: Clock,
}

impl Replayer {
    /// Makes the clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        let (env, clock) = (&runtime.env, runtime.clock.clone());
        Ok(Self { store: Store::from_env(env)?, deliveries: Deliveries::from_env(env)?, clock })
    }

    /// Queues the requested events, up to the limit of one call. For a period, only events of the
    /// webhook's types.
    ///
    /// # Errors
    /// Fails when the webhook or the event does not exist, or a dependency fails.
    pub fn replay<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: WebhookId,
        what: Replay,
    ) -> BoxFuture<'a, Result<Replayed, ReplayError>> {
        Box::pin(async move {
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
                    let is_wanted = |event: &EventRecord| {
                        event.event_type.known().is_some_and(|kind| webhook.wants(kind))
                    };
                    events.retain(is_wanted);
                    (events, next)
                }
            };
            let deliveries = events.iter().map(|event| Delivery {
                tenant: tenant.clone(),
                webhook_id: id,
                event_id: event.event_id.clone(),
                is_replay: true,
            });
            // Counted first: a call that dies now has queued less than it counted.
            let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
            if !self.store.take_replays(tenant, id, count, self.clock.now_ms()).await? {
                return Err(ReplayError::TooMany);
            }
            self.deliveries.send(&deliveries.collect::<Vec<_>>()).await?;
            Ok(Replayed { queued: events.len(), next })
        })
    }
}
