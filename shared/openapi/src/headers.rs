//! The headers of responses, as components that responses refer to.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Components, Ref, RefOr, ResponseBuilder};

const REQUEST_ID: &str = "RequestId";
const REPLAY: &str = "IdempotentReplay";
const ALLOW: &str = "Allow";
const RETRY_AFTER: &str = "RetryAfter";

fn refer(response: ResponseBuilder, name: &str, component: &str) -> ResponseBuilder {
    response.header_ref(name, Ref::new(format!("#/components/headers/{component}")))
}

/// Adds the header of every response.
pub(crate) fn request_id(response: ResponseBuilder) -> ResponseBuilder {
    refer(response, "x-request-id", REQUEST_ID)
}

/// Adds the header of a replayed response.
pub(crate) fn replay(response: ResponseBuilder) -> ResponseBuilder {
    refer(response, "Idempotent-Replay", REPLAY)
}

/// Adds the header of a 405.
pub(crate) fn allow(response: ResponseBuilder) -> ResponseBuilder {
    refer(response, "Allow", ALLOW)
}

/// Adds the header that states when to retry.
pub(crate) fn retry_after(response: ResponseBuilder) -> ResponseBuilder {
    refer(response, "Retry-After", RETRY_AFTER)
}

pub(crate) fn add_to(components: &mut Components) {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let same = "The response repeats an earlier one of the same Idempotency-Key.";
    for (name, schema, description) in [
        (REQUEST_ID, text(), "The request's id in the log."),
        (REPLAY, text().enum_values(Some(["true"])), same),
        (ALLOW, text(), "The methods of the path."),
        (RETRY_AFTER, seconds, "Seconds to wait before a retry."),
    ] {
        let header = HeaderBuilder::new().schema(Some(schema.build()));
        let header = header.description(Some(description)).build();
        components.headers.insert(name.to_owned(), RefOr::T(header));
    }
}
