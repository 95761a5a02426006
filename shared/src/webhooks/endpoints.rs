//! A tenant's webhooks, as the API works on them.

use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::{Random, RandomError};
use platform::env::ConfigError;
use platform::envelope::{Envelope, EnvelopeError};
use platform::items::{SCHEMA, StoreError};

use super::EventType;
use super::secret::{Secret, SecretError};
use crate::runtime::Runtime;
use crate::store::{MAX_WEBHOOKS, RequestMark, Store, WebhookId, WebhookRecord, is_hidden};
use crate::wallets::envelope_from_env;

/// A webhook that is to be made.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Where events are sent; checked.
    pub url: String,
    /// Which ones.
    pub events: Vec<EventType>,
    /// The tenant's own words for it.
    pub description: Option<String>,
}

/// Why a webhook was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateWebhookError {
    /// The tenant has as many as it may.
    #[error("there are ten webhooks")]
    TooMany,
    /// An earlier attempt at the request made the webhook, and its secret is no longer shown.
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
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
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

/// The webhooks.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// Where they are kept.
    pub store: Store,
    /// What seals their secrets.
    pub envelope: Envelope,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
}

impl Webhooks {
    /// Makes the clients once, from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            store: Store::from_env(&runtime.env)?,
            envelope: envelope_from_env(runtime)?,
            clock: runtime.clock.clone(),
            random: runtime.random.clone(),
        })
    }

    /// Makes a webhook, in a slot that is free. A repeat of the same request finds what the first
    /// one made, with its secret.
    ///
    /// # Errors
    /// When there are ten, the secret is no longer shown, or something fails on the way.
    pub async fn create(
        &self,
        tenant: &Tenant,
        new: &NewWebhook,
        request: Option<&RequestMark>,
    ) -> Result<(WebhookRecord, Secret), CreateWebhookError> {
        let operation = request.map(|mark| mark.operation);
        // Whoever else makes one here has to be that much faster, that often.
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
            let record = WebhookRecord {
                schema: SCHEMA,
                webhook_id,
                url: new.url.clone(),
                events: new.events.clone(),
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
    }
}

impl Store {
    /// A tenant's webhooks, in the order in which they were made.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn webhooks(&self, tenant: &Tenant) -> Result<Vec<WebhookRecord>, StoreError> {
        let mut webhooks = self.webhook_slots(tenant).await?;
        webhooks.retain(WebhookRecord::is_there);
        webhooks.sort_by_key(|webhook| (webhook.created_at_ms, webhook.webhook_id.uuid()));
        Ok(webhooks)
    }

    /// Deletes a webhook. A repeat of the same request finds it deleted, and says so again.
    ///
    /// # Errors
    /// When there is none, or the table fails.
    pub async fn forget_webhook(
        &self,
        tenant: &Tenant,
        id: WebhookId,
        request: Option<&RequestMark>,
        now_ms: u64,
    ) -> Result<(), DeleteWebhookError> {
        let by = request.map(|mark| mark.operation);
        match self.delete_webhook(tenant, id, by, now_ms).await {
            Err(StoreError::Conflict) => Err(DeleteWebhookError::NotFound),
            result => result.map_err(DeleteWebhookError::Store),
        }
    }
}
