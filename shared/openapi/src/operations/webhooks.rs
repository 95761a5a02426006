//! A tenant's webhooks.

use http::Method;
use serde_json::json;
use shared::api::error::ApiError;
use shared::api::requests::{CreateWebhook, ReplayWebhook, UpdateWebhook};
use shared::tenancy::Scope;
use utoipa::openapi::Required;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::{Operation, to};
use crate::errors;
use crate::parameters::{form, parameter, webhook_in_path};
use crate::tags::Tag;

pub(super) fn all() -> Vec<Operation> {
    let mut all = managed();
    all.extend([update(), test(), deliveries()]);
    all
}

fn update() -> Operation {
    Operation::new(Method::PUT, "/api/webhooks/{webhookId}", "updateWebhook", Tag::Webhooks)
        .requires(Scope::Webhooks)
        .says(
            "Change a webhook",
            "Absent fields keep their value, and the secret stays the same. Queued events are sent to \
             the new URL. \"enabled\": true enables a webhook whose receiver returned 410.",
        )
        .takes(webhook_in_path())
        .body::<UpdateWebhook>(Required::True)
        .answers(200, "The changed webhook.", "WebhookChanged")
        .fails(errors::webhook().into_iter().chain(errors::changed()))
}

fn test() -> Operation {
    let path = "/api/webhooks/{webhookId}/test";
    Operation::new(Method::POST, path, "testWebhook", Tag::Webhooks)
        .requires(Scope::Webhooks)
        .says(
            "Send a test event to a webhook",
            "The event webhook.test is sent to this webhook only, whatever its types are. It is \
             signed, retried and listed as every other event.",
        )
        .once()
        .takes(webhook_in_path())
        .answers(202, "The event is queued.", "WebhookTested")
        .fails(errors::no_body())
        .fails(errors::webhook().into_iter().chain(errors::test()))
}

fn deliveries() -> Operation {
    let limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(100));
    let limit = limit.default(Some(json!(25))).build().into();
    let limit = parameter(ParameterIn::Query, "limit", Required::False, limit);
    let cursor = parameter(ParameterIn::Query, "cursor", Required::False, form("EventIdText"));
    let path = "/api/webhooks/{webhookId}/deliveries";
    Operation::new(Method::GET, path, "listDeliveries", Tag::Webhooks)
        .requires(Scope::Webhooks)
        .while_suspended()
        .says(
            "List a webhook's deliveries",
            "Lists the last attempt for each event, those of the newest events first, for 30 days. \
             Pass nextCursor as cursor to get the next page.",
        )
        .takes(webhook_in_path())
        .takes(limit.description(Some("Maximum number of deliveries in a page.")).build())
        .takes(cursor.description(Some("The nextCursor of the previous page.")).build())
        .answers(200, "A page of deliveries.", "DeliveryPage")
        .fails(errors::webhook().into_iter().chain(errors::deliveries()))
}

fn managed() -> Vec<Operation> {
    const ID: &str = "$response.body#/webhook/webhookId";
    let create = Operation::new(Method::POST, "/api/webhooks", "createWebhook", Tag::Webhooks)
        .requires(Scope::Webhooks)
        .says(
            "Create a webhook",
            "A tenant can have ten webhooks. Deliveries are signed according to the Standard \
             Webhooks specification, with the secret that this response returns once (again for \
             ten minutes under the same Idempotency-Key). docs/guides/webhooks.md describes how to \
             verify them.",
        )
        .once()
        .body::<CreateWebhook>(Required::True)
        .answers(201, "The webhook, with its secret.", "WebhookMade")
        .fails(errors::new())
        .fails([ApiError::secret_not_shown_again()])
        .leads([
            to("delete", "deleteWebhook", ("webhookId", ID)),
            to("replay", "replayWebhook", ("webhookId", ID)),
            to("test", "testWebhook", ("webhookId", ID)),
            to("deliveries", "listDeliveries", ("webhookId", ID)),
        ]);
    let list = Operation::new(Method::GET, "/api/webhooks", "listWebhooks", Tag::Webhooks)
        .requires(Scope::Webhooks)
        .while_suspended()
        .says("List the tenant's webhooks", "Shows the state of their deliveries, without secrets.")
        .answers(200, "All webhooks of the tenant.", "WebhookList");
    let one = "/api/webhooks/{webhookId}";
    let delete = Operation::new(Method::DELETE, one, "deleteWebhook", Tag::Webhooks)
        .requires(Scope::Webhooks)
        .while_suspended()
        .says("Delete a webhook", "The URL receives no further events, including queued ones.")
        .once()
        .takes(webhook_in_path())
        .answers(200, "The webhook is deleted.", "WebhookDeleted")
        .fails(errors::no_body())
        .fails(errors::webhook());
    let replay = "/api/webhooks/{webhookId}/replay";
    let replay = Operation::new(Method::POST, replay, "replayWebhook", Tag::Webhooks)
        .requires(Scope::Webhooks)
        .says(
            "Replay events to a webhook",
            "Events keep their ids. One call reads at most 100 events of the period; pass nextCursor \
             as cursor to continue. Events are stored for 30 days.",
        )
        .once()
        .takes(webhook_in_path())
        .body::<ReplayWebhook>(Required::False)
        .answers(202, "The events are queued.", "Replayed")
        .fails(errors::webhook().into_iter().chain(errors::again()));
    vec![create, list, delete, replay]
}
