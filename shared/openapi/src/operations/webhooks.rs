//! A tenant's webhooks.

use http::Method;
use shared::api::error::ApiError;
use shared::api::requests::{CreateWebhook, ReplayWebhook};
use shared::tenancy::Scope;
use utoipa::openapi::Required;

use super::{Operation, to};
use crate::errors;
use crate::parameters::webhook_in_path;
use crate::tags::Tag;

pub(super) fn all() -> [Operation; 4] {
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
    [create, list, delete, replay]
}
