//! The headers of responses, as components that responses refer to.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Components, Ref, RefOr, ResponseBuilder};

const REQUEST_ID: &str = "RequestId";
const REPLAY: &str = "IdempotentReplay";
const ALLOW: &str = "Allow";
const RETRY_AFTER: &str = "RetryAfter";
const CLIENT_ORDER_ID: &str = "ClientOrderId";

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

/// Adds the ids of the orders of a request.
pub(crate) fn client_order_id(response: ResponseBuilder) -> ResponseBuilder {
    refer(response, "Client-Order-Id", CLIENT_ORDER_ID)
}

pub(crate) fn add_to(components: &mut Components) {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let same = "The response repeats an earlier one of the same Idempotency-Key.";
    let ids = "The clientOrderId of each order of a request that places orders, also a drawn one, in \
               the sequence of the request and separated by commas. Of a request with all, the \
               request's own. Absent when the request was refused before its orders had ids.";
    for (name, schema, description) in [
        (REQUEST_ID, text(), "The request's id in the log."),
        (REPLAY, text().enum_values(Some(["true"])), same),
        (ALLOW, text(), "The methods of the path."),
        (RETRY_AFTER, seconds, "Seconds to wait before a retry."),
        (CLIENT_ORDER_ID, text(), ids),
    ] {
        let header = HeaderBuilder::new().schema(Some(schema.build()));
        let header = header.description(Some(description)).build();
        components.headers.insert(name.to_owned(), RefOr::T(header));
    }
}
