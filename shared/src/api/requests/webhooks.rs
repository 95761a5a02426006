//! Requests for a tenant's webhooks.

use std::collections::BTreeSet;

use domain::ids::Tenant;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;
use utoipa::ToSchema;

use crate::api::body::{JsonBody, bad_id};
use crate::api::error::ApiError;
use crate::api::event_cursor::from_cursor;
use crate::schema;
use crate::store::{EventPosition, WebhookId};
use crate::webhooks::{EventType, NewWebhook, Replay, Targets};

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
        let events = match body.texts("events")? {
            None => EventType::SUBSCRIBED.to_vec(),
            Some(named) if named.len() > EventType::SUBSCRIBED.len() => {
                return Err(ApiError::bad_request("events must name each type once"));
            }
            Some(named) => {
                let read =
                    named.iter().map(|name| name.parse()).collect::<Result<BTreeSet<_>, _>>();
                read.map_err(bad_id)?.into_iter().collect()
            }
        };
        if events.is_empty() {
            return Err(ApiError::bad_request("events must name at least one type"));
        }
        let description = body.optional("description")?;
        let fits = |text: &&str| {
            text.chars().count() <= Self::MAX_DESCRIPTION && !text.chars().any(char::is_control)
        };
        if description.is_some_and(|text| !fits(&text)) {
            return Err(ApiError::bad_request(
                "description must have at most 200 characters, on one line",
            ));
        }
        Ok(Self { url, events, description: description.map(ToOwned::to_owned) })
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
