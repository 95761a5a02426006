//! The requests sent to a webhook: OpenAPI's section `webhooks`, with one entry for each event
//! type.

use shared::webhooks::{
    CredentialActive, CredentialDrift, CredentialExpiring, CredentialRenewed, CredentialRevoked,
    EventType, OrderEvent, WalletCreated, WebhookTest,
};
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, Paths, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, Required, ResponseBuilder};

use crate::tags::Tag;
use crate::{JSON, Schemas};

const HEADERS: [(&str, &str); 3] = [
    ("webhook-id", "The event's id, the same for all attempts and replays."),
    ("webhook-timestamp", "The time of this attempt, Unix seconds."),
    ("webhook-signature", "v1, a comma, and the base64 of HMAC-SHA256 over id.timestamp.body."),
];

/// Returns the schema name of an event type.
const fn schema(event: EventType) -> &'static str {
    match event {
        EventType::WalletCreated => "WalletCreatedEvent",
        EventType::CredentialActive => "CredentialActiveEvent",
        EventType::CredentialRenewed => "CredentialRenewedEvent",
        EventType::CredentialExpiring => "CredentialExpiringEvent",
        EventType::CredentialRevoked => "CredentialRevokedEvent",
        EventType::CredentialDrift => "CredentialDriftEvent",
        EventType::OrderPlaced => "OrderPlacedEvent",
        EventType::OrderRejected => "OrderRejectedEvent",
        EventType::OrderUnknownResolved => "OrderUnknownResolvedEvent",
        EventType::WebhookTest => "WebhookTestEvent",
    }
}

pub(crate) fn add(schemas: &mut Schemas) {
    schemas.event::<WalletCreated>(schema(EventType::WalletCreated));
    schemas.event::<CredentialActive>(schema(EventType::CredentialActive));
    schemas.event::<CredentialRenewed>(schema(EventType::CredentialRenewed));
    schemas.event::<CredentialExpiring>(schema(EventType::CredentialExpiring));
    schemas.event::<CredentialRevoked>(schema(EventType::CredentialRevoked));
    schemas.event::<CredentialDrift>(schema(EventType::CredentialDrift));
    schemas.event::<OrderEvent>(schema(EventType::OrderPlaced));
    schemas.event::<OrderEvent>(schema(EventType::OrderRejected));
    schemas.event::<OrderEvent>(schema(EventType::OrderUnknownResolved));
    schemas.event::<WebhookTest>(schema(EventType::WebhookTest));
}

pub(crate) fn all() -> Paths {
    let mut paths = PathsBuilder::new();
    for event in EventType::ALL {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema(event))));
        let body = RequestBodyBuilder::new().content(JSON, content.build());
        let taken =
            "Any 2xx confirms the delivery. 410 disables the webhook. Other statuses are retried.";
        let mut sent = OperationBuilder::new()
            .operation_id(Some(schema(event)))
            .summary(Some(format!("Receive {event}", event = event.as_str())))
            .tag(Tag::Webhooks.name())
            // The signature authenticates a delivery.
            .securities(Some([]))
            .request_body(Some(body.required(Some(Required::True)).build()))
            .response("2XX", ResponseBuilder::new().description(taken).build());
        for (name, means) in HEADERS {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            let header = ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::True)
                .description(Some(means))
                .schema(Some(text));
            sent = sent.parameter(header.build());
        }
        paths = paths.path(event.as_str(), PathItem::new(HttpMethod::Post, sent.build()));
    }
    paths.build()
}
