//! The operations on exchanges without support.

use http::Method;
use shared::api::error::ApiError;
use shared::tenancy::Scope;

use super::Operation;
use crate::errors;
use crate::parameters::{agent_in_path, other_exchange};
use crate::tags::Tag;

/// Returns the operations on exchanges without support.
pub(super) fn all() -> [Operation; 6] {
    let path = "/api/trading/{exchange}/apikey";
    let rotation = "/api/trading/{exchange}/apikey/rotate";
    let agents = "/api/trading/{exchange}/agents";
    let agent = "/api/trading/{exchange}/agents/{agentName}";
    [
        (Method::POST, path, "registerElsewhere", "Register a key with another exchange"),
        (Method::GET, path, "getElsewhereApiKey", "Get a key for another exchange"),
        (Method::DELETE, path, "deleteElsewhereApiKey", "Revoke a key for another exchange"),
        (Method::POST, rotation, "rotateElsewhereApiKey", "Rotate a key for another exchange"),
        (Method::GET, agents, "listElsewhereAgents", "List a wallet's agents on another exchange"),
        (Method::DELETE, agent, "deleteElsewhereAgent", "Remove an agent from another exchange"),
    ]
    .map(|(method, path, id, summary)| {
        let guided = "This call always fails with 400: the service supports no other exchange. For \
                      lighter, the response states how to create a key on Lighter.";
        // A separate function handles registration elsewhere, and it ignores Idempotency-Key.
        let once = method != Method::GET && id != "registerElsewhere";
        let scope = if once { Scope::Keys } else { Scope::Read };
        let reads_or_removes = !once || method == Method::DELETE;
        let operation = Operation::new(method, path, id, Tag::OtherExchanges)
            .requires(scope)
            .says(summary, guided)
            .takes(other_exchange())
            .fails(errors::exchange())
            .fails([ApiError::unreadable_path(), ApiError::no_route()]);
        let operation = if reads_or_removes { operation.while_suspended() } else { operation };
        let operation = if path == agent { operation.takes(agent_in_path()) } else { operation };
        if once { operation.once() } else { operation }
    })
}
