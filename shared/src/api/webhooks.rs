//! Webhooks in the contract: what a caller writes and is answered.

use std::collections::BTreeSet;

use domain::ids::{IdError, Tenant};
use domain::time::rfc3339_seconds;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::body::JsonBody;
use super::error::{ApiError, REPEAT};
use super::event_cursor::{from_cursor, to_cursor};
use crate::schema;
use crate::store::{EventPosition, WebhookId, WebhookRecord};
use crate::webhooks::{
    CreateWebhookError, DeleteWebhookError, EventType, NewWebhook, Replay, ReplayError, Replayed,
    Secret, Targets,
};

/// How many characters a description has at most.
const MAX_DESCRIPTION: usize = 200;

/// A webhook that is to be made.
///
/// # Errors
/// 400, naming the field.
pub fn new_webhook(body: &JsonBody, targets: Targets) -> Result<NewWebhook, ApiError> {
    body.only(&["url", "events", "description"])?;
    let url = targets.parse(body.required("url")?).map_err(ApiError::bad_request)?;
    let events = match body.texts("events")? {
        None => EventType::ALL.to_vec(),
        Some(named) if named.len() > EventType::ALL.len() => {
            return Err(ApiError::bad_request("events must name each type once"));
        }
        Some(named) => {
            let read = named.iter().map(|name| name.parse()).collect::<Result<BTreeSet<_>, _>>();
            read.map_err(bad)?.into_iter().collect()
        }
    };
    if events.is_empty() {
        return Err(ApiError::bad_request("events must name at least one type"));
    }
    let description = body.optional("description")?;
    let fits = |text: &&str| {
        text.chars().count() <= MAX_DESCRIPTION && !text.chars().any(char::is_control)
    };
    if description.is_some_and(|text| !fits(&text)) {
        return Err(ApiError::bad_request(
            "description must have at most 200 characters, on one line",
        ));
    }
    Ok(NewWebhook { url: url.into(), events, description: description.map(ToOwned::to_owned) })
}

/// What is to be sent again, at a time in Unix milliseconds.
///
/// # Errors
/// 400, naming the field.
pub fn replay(body: &JsonBody, tenant: &Tenant, now_ms: u64) -> Result<Replay, ApiError> {
    const MONTH_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
    body.only(&["eventId", "from", "to", "cursor"])?;
    let (from, to) = (body.optional("from")?, body.optional("to")?);
    let cursor = body.optional("cursor")?;
    if let Some(id) = body.optional("eventId")? {
        if from.is_some() || to.is_some() || cursor.is_some() {
            return Err(ApiError::bad_request("eventId must stand alone"));
        }
        return Ok(Replay::One(id.parse().map_err(bad)?));
    }
    let from_ms = from.map(|text| moment("from", text)).transpose()?;
    let to_ms = to.map(|text| moment("to", text)).transpose()?;
    let (from_ms, to_ms) =
        (from_ms.unwrap_or_else(|| now_ms.saturating_sub(MONTH_MS)), to_ms.unwrap_or(now_ms));
    if from_ms > to_ms {
        return Err(ApiError::bad_request("from must not be after to"));
    }
    let position = match cursor {
        None => EventPosition { shard: 0, after: None },
        Some(text) => from_cursor(tenant, text)
            .filter(|position| {
                let after = position.after.as_ref();
                after.is_none_or(|id| (from_ms..=to_ms).contains(&id.at_ms()))
            })
            .ok_or_else(|| {
                ApiError::bad_request("cursor must be the nextCursor of a call with the same times")
            })?,
    };
    Ok(Replay::Between { from_ms, to_ms, position })
}

fn moment(field: &str, text: &str) -> Result<u64, ApiError> {
    let read = OffsetDateTime::parse(text, &Rfc3339).ok();
    let ms = read.and_then(|time| u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok());
    ms.ok_or_else(|| ApiError::bad_request(format!("{field} must be a time as RFC 3339 has it")))
}

fn bad(error: IdError) -> ApiError {
    ApiError::bad_request(error.to_string())
}

/// Reads a webhook's id from a path.
///
/// # Errors
/// 400.
pub fn webhook_id(text: &str) -> Result<WebhookId, ApiError> {
    text.parse().map_err(bad)
}

/// A webhook, as its tenant sees it.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WebhookRow {
    #[schema(value_type = schema::WebhookIdText)]
    webhook_id: String,
    #[schema(value_type = schema::WebhookUrl)]
    url: String,
    #[schema(value_type = Vec<schema::EventTypeName>)]
    events: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::WebhookDescription, required = false)]
    description: Option<String>,
    #[schema(value_type = schema::Seconds)]
    created_at: String,
    #[schema(value_type = schema::WebhookStatus)]
    status: &'static str,
    /// When it was last sent something, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Seconds, required = false)]
    last_delivered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = FailureRow, required = false)]
    last_failure: Option<FailureRow>,
    /// Since when nothing has arrived and something has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Seconds, required = false)]
    failing_since: Option<String>,
}

/// The last attempt that did not arrive.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct FailureRow {
    #[schema(value_type = schema::Seconds)]
    at: String,
    /// What the receiver answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u16, required = false)]
    status: Option<u16>,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Code, required = false)]
    reason: Option<String>,
}

impl From<&WebhookRecord> for WebhookRow {
    fn from(webhook: &WebhookRecord) -> Self {
        Self {
            webhook_id: webhook.webhook_id.to_string(),
            url: webhook.url.clone(),
            events: webhook.events.iter().map(|event| event.as_str()).collect(),
            description: webhook.description.clone(),
            created_at: rfc3339_seconds(webhook.created_at_ms),
            status: if webhook.disabled_at_ms.is_some() { "disabled" } else { "enabled" },
            last_delivered_at: webhook.last_delivered_at_ms.map(rfc3339_seconds),
            last_failure: webhook.last_failure.as_ref().map(|failure| FailureRow {
                at: rfc3339_seconds(failure.at_ms),
                status: failure.status,
                reason: failure.reason.clone(),
            }),
            failing_since: webhook.failing_since_ms.map(rfc3339_seconds),
        }
    }
}

/// `POST /api/webhooks`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookMadeBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    webhook: WebhookRow,
    /// What deliveries are signed with.
    #[schema(value_type = schema::WebhookSecret)]
    secret: Zeroizing<String>,
}

/// Without the secret.
impl std::fmt::Debug for WebhookMadeBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebhookMadeBody({:?})", self.webhook)
    }
}

impl WebhookMadeBody {
    /// A new webhook, with its secret.
    #[must_use]
    pub fn new(webhook: &WebhookRecord, secret: &Secret) -> Self {
        Self { success: true, webhook: webhook.into(), secret: secret.to_text() }
    }
}

/// `GET /api/webhooks`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WebhooksBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    /// Ten at most.
    webhooks: Vec<WebhookRow>,
}

impl WebhooksBody {
    /// A tenant's webhooks.
    #[must_use]
    pub fn new(webhooks: &[WebhookRecord]) -> Self {
        Self { success: true, webhooks: webhooks.iter().map(WebhookRow::from).collect() }
    }
}

/// `DELETE /api/webhooks/{webhookId}`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDeletedBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    #[schema(value_type = schema::WebhookIdText)]
    webhook_id: String,
}

impl WebhookDeletedBody {
    /// A webhook that is gone.
    #[must_use]
    pub fn new(id: WebhookId) -> Self {
        Self { success: true, webhook_id: id.to_string() }
    }
}

/// `POST /api/webhooks/{webhookId}/replay`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ReplayedBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    /// How many events were queued.
    queued: usize,
    /// For the next call, with the same times; null when nothing is left.
    #[schema(value_type = Option<schema::ReplayCursor>, required)]
    next_cursor: Option<String>,
}

impl ReplayedBody {
    /// What was queued.
    #[must_use]
    pub fn new(tenant: &Tenant, replayed: &Replayed) -> Self {
        let next_cursor = replayed.next.as_ref().map(|position| to_cursor(tenant, position));
        Self { success: true, queued: replayed.queued, next_cursor }
    }
}

impl ApiError {
    /// 404 for a webhook that is not there, or another tenant's.
    #[must_use]
    pub fn webhook_not_found() -> Self {
        Self::new(404, "WEBHOOK_NOT_FOUND", "Webhook not found")
            .advise("Check the webhookId; GET /api/webhooks lists the webhooks.")
    }

    /// 404 for an event that is not kept, or another tenant's.
    #[must_use]
    pub fn event_not_found() -> Self {
        Self::new(404, "EVENT_NOT_FOUND", "Event not found")
            .advise("Check the eventId. Events are kept for 30 days, from the first webhook on.")
    }

    /// 409 for an eleventh webhook.
    #[must_use]
    pub fn too_many_webhooks() -> Self {
        Self::new(409, "TOO_MANY_WEBHOOKS", "There are ten webhooks already")
            .advise("Delete a webhook before you create another.")
    }

    /// 409 for a webhook that nothing is sent to.
    #[must_use]
    pub fn webhook_disabled() -> Self {
        Self::new(409, "WEBHOOK_DISABLED", "The webhook is disabled")
            .advise("Its receiver has answered 410. Delete the webhook and create a new one.")
    }
}

impl From<CreateWebhookError> for ApiError {
    fn from(error: CreateWebhookError) -> Self {
        match error {
            CreateWebhookError::TooMany => Self::too_many_webhooks(),
            CreateWebhookError::SecretHidden => Self::secret_not_shown_again(),
            CreateWebhookError::Store(error) => Self::store("Failed to create webhook", &error),
            error => Self::internal("Failed to create webhook", &error),
        }
    }
}

impl From<DeleteWebhookError> for ApiError {
    fn from(error: DeleteWebhookError) -> Self {
        match error {
            DeleteWebhookError::NotFound => Self::webhook_not_found(),
            DeleteWebhookError::Store(error) => error.into(),
        }
    }
}

impl From<ReplayError> for ApiError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::NoWebhook => Self::webhook_not_found(),
            ReplayError::Disabled => Self::webhook_disabled(),
            ReplayError::NoEvent => Self::event_not_found(),
            ReplayError::Store(error) => error.into(),
            ReplayError::Queue(error) => {
                Self::internal("Failed to queue events", &error).advise(REPEAT)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Tenant {
        name.parse().unwrap()
    }

    #[test]
    fn a_webhook_is_read_from_a_body() {
        let read = |text: &str| {
            let body = JsonBody::parse(&http::HeaderMap::new(), text.as_bytes()).unwrap();
            new_webhook(&body, Targets::Public).map_err(|error| error.error.into_owned())
        };
        let all = read(r#"{"url":"https://example.com/in"}"#).unwrap();
        assert_eq!((all.url.as_str(), all.events.len()), ("https://example.com/in", 6));
        let some = r#"{"url":"https://example.com","events":["wallet.created","wallet.created"]}"#;
        assert_eq!(read(some).unwrap().events, [EventType::WalletCreated]);
        for (body, starts) in [
            ("{}", "Missing required parameter: url"),
            (r#"{"url":1}"#, "url must be a string"),
            (r#"{"url":"http://example.com"}"#, "url must begin with https://"),
            (r#"{"url":"https://example.com","events":[]}"#, "events must name"),
            (r#"{"url":"https://example.com","events":["x"]}"#, "events must be types"),
            (r#"{"url":"https://example.com","events":"x"}"#, "events must be a list"),
            (r#"{"url":"https://example.com","events":[1]}"#, "events must be a list"),
            (r#"{"url":"https://example.com","description":1}"#, "description must be"),
            (r#"{"url":"https://example.com","description":"a\nb"}"#, "description must have"),
        ] {
            let error = read(body).unwrap_err();
            assert!(error.starts_with(starts), "{body}: {error}");
        }
    }

    #[test]
    fn a_replay_is_of_one_event_or_of_a_time() {
        let now_ms = 1_762_765_034_479;
        let read = |text: &str| {
            let body = JsonBody::parse(&http::HeaderMap::new(), text.as_bytes()).unwrap();
            replay(&body, &tenant("one"), now_ms).map_err(|error| error.error.into_owned())
        };
        let Ok(Replay::Between { from_ms, to_ms, position }) = read("{}") else { panic!() };
        assert_eq!((to_ms, from_ms, position.shard), (now_ms, now_ms - 2_592_000_000, 0));
        let times = r#"{"from":"2025-11-01T00:00:00Z","to":"2025-11-02T00:00:00.5+01:00"}"#;
        let Ok(Replay::Between { from_ms, to_ms, .. }) = read(times) else { panic!() };
        assert_eq!((from_ms, to_ms), (1_761_955_200_000, 1_762_038_000_500));
        for body in [
            r#"{"from":"yesterday"}"#,
            r#"{"from":"2025-11-02T00:00:00Z","to":"2025-11-01T00:00:00Z"}"#,
            r#"{"eventId":"x"}"#,
            r#"{"cursor":"x"}"#,
            r#"{"eventId":"evt_0123456789ab0123456789ab0123456789ab","to":"2025-11-01T00:00:00Z"}"#,
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
