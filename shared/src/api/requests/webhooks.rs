//! Requests for a tenant's webhooks.

use std::collections::BTreeSet;

use domain::ids::Tenant;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;
use utoipa::ToSchema;

use crate::api::body::{JsonBody, bad_id};
use crate::api::cursor::{DEFAULT_LIMIT, limit_of};
use crate::api::error::ApiError;
use crate::api::event_cursor::from_cursor;
use crate::schema;
use crate::store::{EventPosition, WebhookChange, WebhookId};
use crate::webhooks::{EventId, EventType, NewWebhook, Replay, Targets};

/// `POST /api/webhooks`.
#[derive(ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateWebhook {
    /// The https URL that receives the events.
    #[schema(value_type = schema::WebhookUrl)]
    pub url: Url,
    /// The event types to send; all if absent.
    #[schema(value_type = Option<Vec<schema::EventTypeName>>, min_items = 1, max_items = 9)]
    pub events: Vec<EventType>,
    /// Your description of the webhook.
    #[schema(value_type = Option<schema::WebhookDescription>)]
    pub description: Option<String>,
}

impl CreateWebhook {
    /// Maximum length of a description, in characters.
    const MAX_DESCRIPTION: usize = 200;

    /// Parses and checks a request. `targets` defines where events may be sent.
    ///
    /// # Errors
    /// 400, naming the field.
    pub fn read(body: &JsonBody, targets: Targets) -> Result<Self, ApiError> {
        body.only::<Self>()?;
        let url = targets.parse(body.required("url")?).map_err(ApiError::bad_request)?;
        let events = events(body)?.unwrap_or_else(|| EventType::SUBSCRIBED.to_vec());
        let description = description(body)?;
        Ok(Self { url, events, description })
    }
}

/// Reads the event types of a webhook, if the request names them.
fn events(body: &JsonBody) -> Result<Option<Vec<EventType>>, ApiError> {
    let Some(named) = body.texts("events")? else { return Ok(None) };
    if named.len() > EventType::SUBSCRIBED.len() {
        return Err(ApiError::bad_request("events must name each type once"));
    }
    if named.is_empty() {
        return Err(ApiError::bad_request("events must name at least one type"));
    }
    let read = named.iter().map(|name| name.parse()).collect::<Result<BTreeSet<_>, _>>();
    Ok(Some(read.map_err(bad_id)?.into_iter().collect()))
}

/// Reads the description of a webhook, if the request has one.
fn description(body: &JsonBody) -> Result<Option<String>, ApiError> {
    let description = body.optional("description")?;
    let fits = |text: &&str| {
        text.chars().count() <= CreateWebhook::MAX_DESCRIPTION
            && !text.chars().any(char::is_control)
    };
    if description.is_some_and(|text| !fits(&text)) {
        return Err(ApiError::bad_request(
            "description must have at most 200 characters, on one line",
        ));
    }
    Ok(description.map(ToOwned::to_owned))
}

/// `PUT /api/webhooks/{webhookId}`. Absent fields keep their value.
#[derive(ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateWebhook {
    /// The webhook in the path.
    #[schema(ignore)]
    pub webhook_id: WebhookId,
    /// The https URL that receives the events.
    #[schema(value_type = Option<schema::WebhookUrl>)]
    url: Option<String>,
    /// The event types to send.
    #[schema(value_type = Option<Vec<schema::EventTypeName>>, min_items = 1, max_items = 9)]
    events: Option<Vec<EventType>>,
    /// Your description of the webhook; empty for none.
    #[schema(value_type = Option<schema::WebhookDescription>)]
    description: Option<String>,
    /// Whether events are sent. true also enables a webhook whose receiver returned 410.
    enabled: Option<bool>,
}

impl UpdateWebhook {
    /// Parses and checks a request. `id` is the webhook in the path, and `targets` defines where
    /// events may be sent.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(id: &str, body: &JsonBody, targets: Targets) -> Result<Self, ApiError> {
        let webhook_id = id.parse().map_err(bad_id)?;
        body.only::<Self>()?;
        let url = body.optional("url")?.map(|url| targets.parse(url)).transpose();
        let url = url.map_err(ApiError::bad_request)?.map(Into::into);
        let (events, description) = (events(body)?, description(body)?);
        let enabled = body.optional_flag("enabled")?;
        if url.is_none() && events.is_none() && description.is_none() && enabled.is_none() {
            let error = "expected url, events, description or enabled";
            return Err(ApiError::bad_request(error));
        }
        Ok(Self { webhook_id, url, events, description, enabled })
    }
}

impl From<UpdateWebhook> for WebhookChange {
    fn from(request: UpdateWebhook) -> Self {
        let UpdateWebhook { url, events, description, enabled, .. } = request;
        Self { url, events, description, enabled }
    }
}

/// `POST /api/webhooks/{webhookId}/test`. It takes no body, or an empty one.
#[derive(ToSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct TestWebhook {
    /// The webhook in the path.
    #[schema(ignore)]
    pub webhook_id: WebhookId,
}

impl TestWebhook {
    /// Parses and checks a request. `id` is the webhook in the path.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(id: &str, body: &JsonBody) -> Result<Self, ApiError> {
        body.only::<Self>()?;
        Ok(Self { webhook_id: id.parse().map_err(bad_id)? })
    }
}

/// `GET /api/webhooks/{webhookId}/deliveries`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListDeliveries {
    /// The webhook in the path.
    pub webhook_id: WebhookId,
    /// The last event of the previous page.
    pub before: Option<EventId>,
    /// Maximum number of deliveries.
    pub limit: u8,
}

impl ListDeliveries {
    /// Parses and checks a request. `id` is the webhook in the path.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn read(id: &str, uri: &http::Uri) -> Result<Self, ApiError> {
        let webhook_id = id.parse().map_err(bad_id)?;
        let (mut limit, mut before) = (None, None);
        let query = uri.query().unwrap_or_default().as_bytes();
        for (name, text) in url::form_urlencoded::parse(query) {
            let is_twice = match &*name {
                "limit" => limit.replace(limit_of(&text)?).is_some(),
                "cursor" => {
                    let read: Option<EventId> = text.parse().ok();
                    let wrong = || {
                        ApiError::bad_request(
                            "cursor must be the nextCursor of a response to this tenant",
                        )
                    };
                    before.replace(read.ok_or_else(wrong)?).is_some()
                }
                _ => false,
            };
            if is_twice {
                return Err(ApiError::bad_request(format!("{name} must be given once")));
            }
        }
        Ok(Self { webhook_id, before, limit: limit.unwrap_or(DEFAULT_LIMIT) })
    }
}

impl From<CreateWebhook> for NewWebhook {
    fn from(CreateWebhook { url, events, description }: CreateWebhook) -> Self {
        Self { url: url.into(), events, description }
    }
}

/// `DELETE /api/webhooks/{webhookId}`. It takes no body, or an empty one.
#[derive(ToSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct DeleteWebhook {
    /// The webhook in the path.
    #[schema(ignore)]
    pub webhook_id: WebhookId,
}

impl DeleteWebhook {
    /// Parses and checks a request. `id` is the webhook in the path.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(id: &str, body: &JsonBody) -> Result<Self, ApiError> {
        body.only::<Self>()?;
        Ok(Self { webhook_id: id.parse().map_err(bad_id)? })
    }
}

/// `POST /api/webhooks/{webhookId}/replay`: one event, or the events of a period.
#[derive(ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplayWebhook {
    /// The webhook in the path.
    #[schema(ignore)]
    pub webhook_id: WebhookId,
    /// The id of one event. It cannot be combined with the other fields.
    #[schema(value_type = Option<schema::EventIdText>)]
    event_id: Option<String>,
    /// Start of the period; thirty days ago if absent.
    #[schema(value_type = Option<schema::Moment>)]
    from: Option<String>,
    /// End of the period; now if absent.
    #[schema(value_type = Option<schema::Moment>)]
    to: Option<String>,
    /// The nextCursor of the previous call with the same period.
    #[schema(value_type = Option<schema::ReplayCursor>)]
    cursor: Option<String>,
}

impl ReplayWebhook {
    /// Parses a request. `id` is the webhook in the path.
    ///
    /// # Errors
    /// 400, naming the field or the parameter.
    pub fn read(id: &str, body: &JsonBody) -> Result<Self, ApiError> {
        let webhook_id = id.parse().map_err(bad_id)?;
        body.only::<Self>()?;
        let text = |field| body.optional(field).map(|text| text.map(ToOwned::to_owned));
        let (from, to, cursor) = (text("from")?, text("to")?, text("cursor")?);
        Ok(Self { webhook_id, event_id: text("eventId")?, from, to, cursor })
    }

    /// Checks which events to replay, at a time in Unix milliseconds.
    ///
    /// # Errors
    /// 400, naming the field.
    pub fn replay(&self, tenant: &Tenant, now_ms: u64) -> Result<Replay, ApiError> {
        const MONTH_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
        let Self { event_id, from, to, cursor, .. } = self;
        if let Some(id) = event_id {
            if from.is_some() || to.is_some() || cursor.is_some() {
                return Err(ApiError::bad_request("eventId cannot be combined with other fields"));
            }
            return Ok(Replay::One(id.parse().map_err(bad_id)?));
        }
        let from_ms = from.as_ref().map(|text| moment("from", text)).transpose()?;
        let to_ms = to.as_ref().map(|text| moment("to", text)).transpose()?;
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
                    ApiError::bad_request(
                        "cursor must be the nextCursor of a call with the same times",
                    )
                })?,
        };
        Ok(Replay::Between { from_ms, to_ms, position })
    }
}

fn moment(field: &str, text: &str) -> Result<u64, ApiError> {
    let read = OffsetDateTime::parse(text, &Rfc3339).ok();
    let ms = read.and_then(|time| u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok());
    ms.ok_or_else(|| ApiError::bad_request(format!("{field} must be a time in RFC 3339 format")))
}
