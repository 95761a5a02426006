//! Publishing: an event is stored, then queued for each subscribed webhook. After a crash, the
//! stream delivers the same change again, which yields the same event.

use futures_util::future::BoxFuture;
use std::collections::BTreeMap;

use domain::clock::Clock;
use domain::ids::{Tenant, UserId};
use platform::aws::Aws;
use platform::env::{ConfigError, Env};
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};
use uuid::Uuid;

use super::queue::{Deliveries, Delivery, QueueError};
use super::{Change, Event};
use crate::aws::SqsClient;
use crate::runtime::Runtime;
use crate::store::{Store, WebhookRecord};

/// Why a change was not published. The stream delivers it again.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The event could not be written as JSON.
    #[error("the event cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl PublishError {
    /// Returns whether the same change can never be published.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        match self {
            Self::Json(_) | Self::Queue(QueueError::Json(_)) => true,
            Self::Store(error) => is_damage(error),
            Self::Queue(_) => false,
        }
    }
}

/// Returns whether an item exists that this version cannot read.
pub(super) const fn is_damage(error: &StoreError) -> bool {
    matches!(error, StoreError::Damaged { .. })
}

/// Publishes changes.
#[derive(Clone, Debug)]
pub struct Publisher {
    store: Store,
    deliveries: Deliveries,
    clock: Clock,
}

/// The webhooks of the tenants and the users of the wallets in one batch, each read once.
#[derive(Debug, Default)]
pub struct Known {
    webhooks: BTreeMap<String, Vec<WebhookRecord>>,
    users: BTreeMap<(String, Uuid), Option<UserId>>,
}

impl Publisher {
    /// Makes a publisher with this queue.
    #[must_use]
    pub const fn new(store: Store, deliveries: Deliveries, clock: Clock) -> Self {
        Self { store, deliveries, clock }
    }

    /// Makes the clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        let env = &runtime.env;
        Ok(Self::new(Store::from_env(env)?, Deliveries::from_env(env)?, runtime.clock.clone()))
    }

    /// Publishes a change, and returns its number of events. `known` caches the tenants' webhooks.
    /// A webhook that cannot be read receives nothing. Of a wallet that cannot be read, the events do
    /// not name the user.
    ///
    /// # Errors
    /// Fails when a part remains to be published.
    pub fn publish<'a>(
        &'a self,
        change: &'a Change,
        known: &'a mut Known,
    ) -> BoxFuture<'a, Result<usize, PublishError>> {
        Box::pin(async move {
            if change.events(None)?.is_empty() {
                return Ok(0);
            }
            let tenant = &change.tenant;
            if !known.webhooks.contains_key(tenant.as_str()) {
                let slots = self.store.each_webhook_slot(tenant).await?.into_iter();
                let webhooks = slots.filter_map(|slot| self.readable(tenant, "WEBHOOK", slot));
                known.webhooks.insert(tenant.to_string(), webhooks.collect());
            }
            let webhooks =
                known.webhooks.get(tenant.as_str()).map(Vec::as_slice).unwrap_or_default();
            // For a tenant without webhooks, nothing is sent or stored.
            if !webhooks.iter().any(WebhookRecord::is_there) {
                return Ok(0);
            }
            let wallet = (tenant.to_string(), change.wallet_id());
            if !known.users.contains_key(&wallet) {
                let user = match self.store.user_of(tenant, change.wallet_id()).await {
                    Err(error) if !is_damage(&error) => return Err(error.into()),
                    read => self.readable(tenant, "WALLET", read).flatten(),
                };
                known.users.insert(wallet.clone(), user);
            }
            let user = known.users.get(&wallet).and_then(Option::as_ref);
            let events = change.events(user)?;
            for event in &events {
                self.publish_event(tenant, event, webhooks).await?;
            }
            let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
            metrics::emit(&self.clock, About::SERVICE, &[(Metric::EventsPublished, count)]);
            Ok(events.len())
        })
    }

    /// Counts a change that is left out, or a part of one. `reason` is one of a fixed few.
    pub fn count_skipped(&self, reason: &'static str) {
        let about = About::SERVICE.because(reason);
        metrics::emit(&self.clock, about, &[(Metric::EventsSkipped, 1)]);
    }

    /// Returns an item, or nothing if it cannot be read.
    fn readable<T>(
        &self,
        tenant: &Tenant,
        what: &'static str,
        read: Result<T, StoreError>,
    ) -> Option<T> {
        match read {
            Ok(item) => Some(item),
            Err(cause) => {
                tracing::error!(%tenant, what, %cause, "skipped an item that cannot be read");
                self.count_skipped(what);
                None
            }
        }
    }

    async fn publish_event(
        &self,
        tenant: &Tenant,
        event: &Event,
        webhooks: &[WebhookRecord],
    ) -> Result<(), PublishError> {
        self.store.keep_event(tenant, event).await?;
        let wanting = webhooks.iter().filter(|webhook| webhook.wants(event.kind));
        let deliveries: Vec<Delivery> = wanting
            .map(|webhook| Delivery {
                tenant: tenant.clone(),
                webhook_id: webhook.webhook_id,
                event_id: event.id.clone(),
                is_replay: false,
            })
            .collect();
        self.deliveries.send(&deliveries).await?;
        tracing::info!(
            tenant = %tenant, eventId = %event.id, event = %event.kind, webhooks = deliveries.len(),
            "published"
        );
        Ok(())
    }
}

impl Deliveries {
    /// Makes the client of the queue `DELIVERIES_QUEUE_URL`.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let sqs = SqsClient::new(&Aws::from_env(env)?);
        Ok(Self::new(sqs, env.required("DELIVERIES_QUEUE_URL")?))
    }
}
