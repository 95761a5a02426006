//! Delivery of one event to one webhook, retried until the receiver accepts it.

mod results;

use futures_util::future::BoxFuture;
use std::error::Error as _;
use std::time::Duration;

use domain::clock::Clock;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use platform::envelope::{Envelope, EnvelopeError};
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};
use platform::telemetry;

use super::queue::{Deliveries, Delivery};
use super::secret::{Secret, SecretError};
use super::target::{Guard, Lookup, NotPublic, Targets};
use crate::http_client::{HttpSetupError, SetupError, client_builder};
use crate::runtime::Runtime;
use crate::store::{DeliveryFailure, DeliveryState, EventRecord, Store, WebhookRecord};
use crate::wallets::envelope_from_env;

/// Timeout of a receiver.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How long a receiver is left alone after a failure, in milliseconds: as long as it has failed.
const REST_MS: std::ops::RangeInclusive<u64> = 5_000..=300_000;

/// A receiver that answers with failures for so long is left alone, too, in milliseconds.
const LASTING_MS: u64 = 60_000;

/// How long one delivery tries a receiver alone, in milliseconds: longer than [`TIMEOUT`].
const TRIAL_MS: u64 = 20_000;

/// A success is recorded when the last record is older.
const NOTE_EVERY_MS: u64 = 60_000;

/// Delays after each attempt, in seconds: the specification's schedule, within the queue's maximum
/// delay.
const SCHEDULE_S: [u32; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 10 * 3_600, 10 * 3_600, 10 * 3_600];

/// The attempts after which the queue's redrive policy must give up a message.
pub const MAX_ATTEMPTS: u32 = 10;

/// A message can be delayed for at most twelve hours after it was received.
const LONGEST_S: u32 = 12 * 3_600 - 60;

/// Returns the delay after an attempt, in seconds. `wanted_s` is the receiver's `Retry-After`.
#[must_use]
pub fn backoff_s(attempt: u32, wanted_s: Option<u64>) -> u32 {
    let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    let ours = SCHEDULE_S[index.min(SCHEDULE_S.len() - 1)];
    let wanted = wanted_s.map_or(0, |wanted| u32::try_from(wanted).unwrap_or(u32::MAX));
    ours.max(wanted).min(LONGEST_S)
}

/// A message of the queue.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The delivery.
    pub delivery: Delivery,
    /// The attempt's number, from 1.
    pub number: u32,
    /// The message's receipt handle in the queue.
    pub receipt: String,
}

/// The result of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Ended {
    Delivered,
    /// The event or the webhook no longer exists.
    Dropped(&'static str),
    /// The receiver disabled the webhook.
    Disabled,
    /// The receiver fails, and was not called. It is to be tried again.
    Rested {
        /// How long it is left alone, in seconds.
        wait_s: u64,
    },
    /// The attempt must be retried.
    Failed {
        failure: DeliveryFailure,
        wanted_s: Option<u64>,
    },
}

/// Why nothing was sent, for an internal reason.
#[derive(Debug, thiserror::Error)]
enum DeliverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// Delivers events.
#[derive(Clone, Debug)]
pub struct Deliverer {
    store: Store,
    envelope: Envelope,
    deliveries: Deliveries,
    http: reqwest::Client,
    targets: Targets,
    clock: Clock,
}

impl Deliverer {
    /// Makes the HTTP client, which holds the connections. `lookup` resolves hostnames.
    ///
    /// # Errors
    /// Fails when TLS cannot be set up.
    pub fn new(
        store: Store,
        envelope: Envelope,
        deliveries: Deliveries,
        targets: Targets,
        lookup: Lookup,
        clock: Clock,
    ) -> Result<Self, HttpSetupError> {
        let guard = Guard { targets, lookup };
        let http = client_builder()?.timeout(TIMEOUT).dns_resolver(guard).build()?;
        Ok(Self { store, envelope, deliveries, http, targets, clock })
    }

    /// Makes the clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, SetupError> {
        let (env, clock) = (&runtime.env, runtime.clock.clone());
        let (store, deliveries) = (Store::from_env(env)?, Deliveries::from_env(env)?);
        let envelope = envelope_from_env(runtime)?;
        let targets = Targets::from_env(env)?;
        Ok(Self::new(store, envelope, deliveries, targets, Lookup::system(), clock)?)
    }

    /// Makes an attempt. Returns whether the message is complete. If not, the queue has its next
    /// time.
    pub fn attempt<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let Attempt { delivery, number, receipt } = attempt;
            let delivered = self.deliver(delivery, *number).await;
            if delivery.is_replay && *number <= 1 {
                let ended = self.store.end_replay(&delivery.tenant, delivery.webhook_id).await;
                if let Err(error) = ended {
                    tracing::warn!(%error, "a replay was not counted off");
                }
            }
            let (ended, wanted_s) = match delivered {
                Ok(Ended::Rested { wait_s }) => {
                    tracing::info!(
                        tenant = %delivery.tenant, webhookId = %delivery.webhook_id,
                        eventId = %delivery.event_id, attempt = number, "the receiver rests"
                    );
                    (false, Some(wait_s))
                }
                Ok(Ended::Failed { failure, wanted_s }) => {
                    let status =
                        failure.status.map_or_else(String::new, |status| status.to_string());
                    let reason = failure.reason.unwrap_or(status);
                    tracing::warn!(
                        tenant = %delivery.tenant, webhookId = %delivery.webhook_id,
                        eventId = %delivery.event_id, attempt = number, reason, "not delivered"
                    );
                    (false, wanted_s)
                }
                Ok(ended) => {
                    tracing::info!(
                        tenant = %delivery.tenant, webhookId = %delivery.webhook_id,
                        eventId = %delivery.event_id, attempt = number, outcome = ?ended, "delivery"
                    );
                    (true, None)
                }
                Err(error) => {
                    tracing::error!(%error, webhookId = %delivery.webhook_id, "not delivered");
                    if *number >= MAX_ATTEMPTS {
                        self.end(delivery, DeliveryState::GivenUp).await;
                    }
                    (false, None)
                }
            };
            if !ended {
                let again = self.deliveries.again(receipt, backoff_s(*number, wanted_s)).await;
                if let Err(error) = again {
                    // The message becomes visible again after the queue's own timeout.
                    tracing::warn!(%error, "delay of the next attempt not set");
                }
            }
            ended
        })
    }

    async fn deliver(&self, delivery: &Delivery, number: u32) -> Result<Ended, DeliverError> {
        let Delivery { tenant, webhook_id, event_id, .. } = delivery;
        let (webhook, event) = tokio::join!(
            self.store.webhook(tenant, *webhook_id),
            self.store.event(tenant, event_id)
        );
        let (webhook, event) = (webhook?, event?);
        let Some(webhook) = webhook.filter(WebhookRecord::is_there) else {
            return Ok(Ended::Dropped("the webhook was deleted"));
        };
        if webhook.disabled_at_ms.is_some() {
            self.end(delivery, DeliveryState::Disabled).await;
            return Ok(Ended::Dropped("the webhook is disabled"));
        }
        let Some(event) = event else { return Ok(Ended::Dropped("the event has expired")) };
        let Some(sealed) = &webhook.sealed else {
            return Ok(Ended::Dropped("the webhook was deleted"));
        };
        if let Some(wait_s) = self.rests(delivery, &webhook).await? {
            if number >= MAX_ATTEMPTS {
                self.give_up(delivery, &event, number, webhook.last_failure).await;
            }
            return Ok(Ended::Rested { wait_s });
        }
        let context = WebhookRecord::context(tenant, *webhook_id);
        let secret = Secret::from_bytes(&self.envelope.open(&context, sealed).await?)?;
        let ended = self.post(&webhook, &event, &secret).await;
        tokio::join!(
            self.note(delivery, &webhook, &ended),
            self.keep(delivery, &event, number, &ended)
        );
        let counted = match &ended {
            Ended::Delivered => (About::SERVICE, Metric::WebhooksDelivered),
            Ended::Disabled => (About::SERVICE.because("GONE"), Metric::WebhookFailures),
            Ended::Failed { failure, .. } => {
                let reason = failure.reason.as_deref().map_or("STATUS", reason_of);
                (About::SERVICE.because(reason), Metric::WebhookFailures)
            }
            Ended::Dropped(_) | Ended::Rested { .. } => return Ok(ended),
        };
        metrics::emit(&self.clock, counted.0, &[(counted.1, 1)]);
        Ok(ended)
    }

    /// Returns for how many seconds a receiver that fails is left alone, or nothing when it may be
    /// called. After a rest one delivery tries it, and the others wait for what comes of that.
    async fn rests(
        &self,
        delivery: &Delivery,
        webhook: &WebhookRecord,
    ) -> Result<Option<u64>, StoreError> {
        let (Some(since_ms), Some(last)) = (webhook.failing_since_ms, &webhook.last_failure) else {
            return Ok(None);
        };
        let failed_for_ms = last.at_ms.saturating_sub(since_ms);
        // A quick failure that has not lasted is repeated at once: it holds nobody up.
        if last.reason.as_deref() != Some(TIMED_OUT) && failed_for_ms < LASTING_MS {
            return Ok(None);
        }
        let now_ms = self.clock.now_ms();
        let rest_ms = failed_for_ms.clamp(*REST_MS.start(), *REST_MS.end());
        let until_ms = last.at_ms.saturating_add(rest_ms);
        if now_ms < until_ms {
            return Ok(Some((until_ms - now_ms).div_ceil(1_000)));
        }
        let Delivery { tenant, webhook_id, .. } = delivery;
        let is_first =
            self.store.take_trial(tenant, *webhook_id, now_ms, now_ms + TRIAL_MS).await?;
        Ok((!is_first).then_some(TRIAL_MS / 1_000))
    }

    /// Sends the event. Does not read the response's body.
    async fn post(&self, webhook: &WebhookRecord, event: &EventRecord, secret: &Secret) -> Ended {
        let failed = |status: Option<u16>, reason: Option<&str>, wanted_s| Ended::Failed {
            failure: DeliveryFailure {
                at_ms: self.clock.now_ms(),
                status,
                reason: reason.map(ToOwned::to_owned),
            },
            wanted_s,
        };
        let Ok(url) = self.targets.parse(&webhook.url) else {
            return failed(None, Some(ADDRESS), None);
        };
        let at_s = self.clock.now_ms() / 1_000;
        let id = event.event_id.as_str();
        telemetry::count_call("Webhook", "POST");
        let sent = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", at_s.to_string())
            .header("webhook-signature", secret.signature(id, at_s, &event.body))
            .body(event.body.clone())
            .send()
            .await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => return failed(None, Some(why(&error)), None),
        };
        let wanted_s = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wanted_s = wanted_s.and_then(|text| text.trim().parse().ok());
        match answer.status().as_u16() {
            200..=299 => Ended::Delivered,
            410 => Ended::Disabled,
            status @ (429 | 503) => failed(Some(status), None, wanted_s),
            status => failed(Some(status), None, None),
        }
    }
}

const ADDRESS: &str = "ADDRESS_NOT_ALLOWED";
const TIMED_OUT: &str = "NO_ANSWER_IN_TIME";
const NO_CONNECTION: &str = "NO_CONNECTION";
const BROKEN: &str = "BROKEN_ANSWER";

/// Returns the same reason as a static string.
fn reason_of(text: &str) -> &'static str {
    [ADDRESS, TIMED_OUT, NO_CONNECTION].into_iter().find(|known| *known == text).unwrap_or(BROKEN)
}

/// Returns why there was no response. The HTTP client's own text would reveal the service's
/// network to a tenant.
fn why(error: &reqwest::Error) -> &'static str {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<NotPublic>() {
            return ADDRESS;
        }
        source = cause.source();
    }
    if error.is_timeout() {
        TIMED_OUT
    } else if error.is_connect() {
        NO_CONNECTION
    } else {
        BROKEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_follows_the_schedule_within_queue_limits() {
        let waits: Vec<u32> = (1..=MAX_ATTEMPTS).map(|attempt| backoff_s(attempt, None)).collect();
        assert_eq!(waits, [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000, 36_000, 36_000, 36_000]);
        assert!(waits.iter().sum::<u32>() > 24 * 3_600);
        assert_eq!(backoff_s(0, None), 5);
        assert_eq!(backoff_s(u32::MAX, None), 36_000);
    }

    #[test]
    fn retry_after_can_extend_but_not_shorten_the_delay() {
        assert_eq!(backoff_s(1, Some(120)), 120);
        assert_eq!(backoff_s(2, Some(1)), 300);
        assert_eq!(backoff_s(1, Some(u64::MAX)), LONGEST_S);
    }
}
