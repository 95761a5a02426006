//! The operations of the API on a tenant's webhooks.

use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::{Random, RandomError};
use futures_util::future::BoxFuture;
use platform::env::ConfigError;
use platform::envelope::{Envelope, EnvelopeError};
use platform::items::{SCHEMA, StoreError};

use super::EventType;
use super::secret::{Secret, SecretError};
use crate::runtime::Runtime;
use crate::store::{
    MAX_WEBHOOKS, RequestMark, Store, WebhookChange, WebhookId, WebhookRecord, is_hidden,
    stored_types,
};
use crate::wallets::envelope_from_env;

/// A webhook to create.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// The URL that receives the events; already checked.
    pub url: String,
    /// The event types to send.
    pub events: Vec<EventType>,
    /// The tenant's description.
    pub description: Option<String>,
}

/// Why a webhook was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateWebhookError {
    /// The tenant has the maximum number of webhooks.
    #[error("the limit of ten webhooks is reached")]
    TooMany,
    /// An earlier attempt at the request made the webhook, and its secret cannot be shown again.
    #[error("the secret of the request's webhook is no longer shown")]
    SecretHidden,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secret could not be sealed or opened.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The stored secret is damaged.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// Why a webhook was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateWebhookError {
    /// The tenant has no such webhook.
    #[error("webhook not found")]
    NotFound,
    /// The table failed.
    #[error(transparent)]
    Store(StoreError),
}

/// Why a webhook was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteWebhookError {
    /// The tenant has no such webhook.
    #[error("webhook not found")]
    NotFound,
    /// The table failed.
    #[error(transparent)]
    Store(StoreError),
}

/// The webhooks and their clients.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// The table.
    pub store: Store,
    /// Seals their secrets.
    pub envelope: Envelope,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub random: Random,
}

impl Webhooks {
    /// Makes the clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            store: Store::from_env(&runtime.env)?,
            envelope: envelope_from_env(runtime)?,
            clock: runtime.clock.clone(),
            random: runtime.random.clone(),
        })
    }

    /// Makes a webhook in a free slot. A retry of the same request returns the first one's
    /// webhook, with its secret.
    ///
    /// # Errors
    /// Fails when there are ten, the secret cannot be shown again, or a dependency fails.
    pub fn create<'a>(
        &'a self,
        tenant: &'a Tenant,
        new: &'a NewWebhook,
        request: Option<&'a RequestMark>,
    ) -> BoxFuture<'a, Result<(WebhookRecord, Secret), CreateWebhookError>> {
        Box::pin(async move {
            let operation = request.map(|mark| mark.operation);
            // Only another caller that wins this often can exhaust the attempts.
            for _ in 0..=MAX_WEBHOOKS {
                let slots = self.store.webhook_slots(tenant).await?;
                let there: Vec<&WebhookRecord> = slots.iter().filter(|it| it.is_there()).collect();
                let own = there.iter().find(|it| operation.is_some() && it.made_by == operation);
                if let Some(own) = own
                    && let Some(sealed) = &own.sealed
                {
                    if is_hidden(own.created_at_ms, self.clock.now_ms()) {
                        return Err(CreateWebhookError::SecretHidden);
                    }
                    let context = WebhookRecord::context(tenant, own.webhook_id);
                    let secret = Secret::from_bytes(&self.envelope.open(&context, sealed).await?)?;
                    return Ok(((*own).clone(), secret));
                }
                let taken = |slot: &u8| there.iter().any(|it| it.webhook_id.slot() == *slot);
                let Some(slot) = (0..MAX_WEBHOOKS).find(|slot| !taken(slot)) else {
                    return Err(CreateWebhookError::TooMany);
                };
                let webhook_id = WebhookId::draw(slot, &self.random)?;
                let secret = Secret::draw(&self.random)?;
                let context = WebhookRecord::context(tenant, webhook_id);
                let (events, more_events) = stored_types(&new.events);
                let record = WebhookRecord {
                    schema: SCHEMA,
                    webhook_id,
                    url: new.url.clone(),
                    events,
                    more_events,
                    description: new.description.clone(),
                    created_at_ms: self.clock.now_ms(),
                    sealed: Some(self.envelope.seal(context, secret.expose()).await?),
                    made_by: operation,
                    disabled_at_ms: None,
                    last_delivered_at_ms: None,
                    last_failure: None,
                    failing_since_ms: None,
                    deleted_at_ms: None,
                    deleted_by: None,
                };
                match self.store.put_webhook(tenant, &record).await {
                    Ok(()) => return Ok((record, secret)),
                    Err(StoreError::Conflict) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(StoreError::Conflict.into())
        })
    }
}

impl Store {
    /// Returns a tenant's webhooks, in the order of their creation.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub fn webhooks<'a>(
        &'a self,
        tenant: &'a Tenant,
    ) -> BoxFuture<'a, Result<Vec<WebhookRecord>, StoreError>> {
        Box::pin(async move {
            let mut webhooks = self.webhook_slots(tenant).await?;
            webhooks.retain(WebhookRecord::is_there);
            webhooks.sort_by_key(|webhook| (webhook.created_at_ms, webhook.webhook_id.uuid()));
            Ok(webhooks)
        })
    }

    /// Changes a webhook. A retry has the same result.
    ///
    /// # Errors
    /// Fails when it does not exist, or the table fails.
    pub fn change_webhook<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: WebhookId,
        change: &'a WebhookChange,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<WebhookRecord, UpdateWebhookError>> {
        Box::pin(async move {
            match self.update_webhook(tenant, id, change, now_ms).await {
                Err(StoreError::Conflict) => Err(UpdateWebhookError::NotFound),
                result => result.map_err(UpdateWebhookError::Store),
            }
        })
    }

    /// Deletes a webhook. A retry of the same request succeeds again.
    ///
    /// # Errors
    /// Fails when it does not exist, or the table fails.
    pub fn forget_webhook<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: WebhookId,
        request: Option<&'a RequestMark>,
        now_ms: u64,
    ) -> BoxFuture<'a, Result<(), DeleteWebhookError>> {
        Box::pin(async move {
            let by = request.map(|mark| mark.operation);
            match self.delete_webhook(tenant, id, by, now_ms).await {
                Err(StoreError::Conflict) => Err(DeleteWebhookError::NotFound),
                result => result.map_err(DeleteWebhookError::Store),
            }
        })
    }
}
