//! A test of one webhook: an event that only this webhook receives.

use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::{Random, RandomError};
use futures_util::future::BoxFuture;
use platform::env::ConfigError;
use platform::items::StoreError;

use super::queue::{Deliveries, Delivery, QueueError};
use super::{Event, EventId};
use crate::runtime::Runtime;
use crate::store::{Store, WebhookId, WebhookRecord};

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// The tenant has no such webhook.
    #[error("webhook not found")]
    NoWebhook,
    /// The webhook is disabled.
    #[error("the webhook is disabled")]
    Disabled,
    /// As many tests and replays as allowed wait for their first attempt.
    #[error("too many replays are outstanding")]
    TooMany,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The event could not be written as JSON.
    #[error("the event cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// Tests webhooks.
#[derive(Clone, Debug)]
pub struct Tester {
    /// The table with the events.
    pub store: Store,
    /// The queue.
    pub deliveries: Deliveries,
    /// The time.
    pub clock: Clock,
    /// The source of randomness.
    pub random: Random,
}

impl Tester {
    /// Makes the clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        let env = &runtime.env;
        Ok(Self {
            store: Store::from_env(env)?,
            deliveries: Deliveries::from_env(env)?,
            clock: runtime.clock.clone(),
            random: runtime.random.clone(),
        })
    }

    /// Queues a test event for a webhook, whatever the webhook's types are. It counts as a replay
    /// until its first attempt, so that tests are limited as replays are.
    ///
    /// # Errors
    /// Fails when the webhook does not exist or is disabled, or a dependency fails.
    pub fn test<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: WebhookId,
    ) -> BoxFuture<'a, Result<EventId, TestError>> {
        Box::pin(async move {
            let webhook = self.store.webhook(tenant, id).await?.filter(WebhookRecord::is_there);
            let webhook = webhook.ok_or(TestError::NoWebhook)?;
            if webhook.disabled_at_ms.is_some() {
                return Err(TestError::Disabled);
            }
            let now_ms = self.clock.now_ms();
            let event = Event::webhook_test(tenant, id, self.random.uuid()?, now_ms)?;
            // Counted first: a call that dies now has queued less than it counted.
            if !self.store.take_replays(tenant, id, 1, now_ms).await? {
                return Err(TestError::TooMany);
            }
            self.store.keep_event(tenant, &event).await?;
            let event_id = event.id.clone();
            let delivery =
                Delivery { tenant: tenant.clone(), webhook_id: id, event_id, is_replay: true };
            self.deliveries.send(&[delivery]).await?;
            Ok(event.id)
        })
    }
}
