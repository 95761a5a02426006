//! The operations on the agents that an exchange lists for a wallet.

use domain::ids::Exchange;
use http::Method;
use shared::api::credential_error::Action;
use shared::credentials::CredentialError;
use shared::tenancy::Scope;
use utoipa::openapi::Required;

use super::Operation;
use super::exchanges::{no_agent_to_ask, of};
use crate::errors;
use crate::parameters::{agent_in_path, wallet_in_query};
use crate::tags::Tag;

pub(super) fn list(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    let path = format!("/api/trading/{exchange}/agents");
    let listed = no_agent_to_ask(exchange).into_iter().collect();
    Operation::new(Method::GET, path, format!("list{name}Agents"), Tag::Agents)
        .requires(Scope::Read)
        .while_suspended()
        .says(
            format!("List a wallet's agents on {name}"),
            "Returns the exchange's list: the agents of the wallet's credential, leftovers of this \
             service, and agents made by others.",
        )
        .takes(wallet_in_query(Required::True))
        .answers(200, "The agents.", "Agents")
        .fails(errors::unnamed())
        .fails(errors::named().into_iter().take(1))
        .fails(errors::credential(Action::ListAgents, listed))
}

pub(super) fn remove(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    let path = format!("/api/trading/{exchange}/agents/{{agentName}}");
    let mut own = vec![
        CredentialError::AgentNotFound,
        CredentialError::AgentInUse,
        CredentialError::AgentNotOurs,
    ];
    own.extend(no_agent_to_ask(exchange));
    Operation::new(Method::DELETE, path, format!("delete{name}Agent"), Tag::Agents)
        .requires(Scope::Keys)
        .while_suspended()
        .says(
            format!("Remove an agent from {name}"),
            "Frees the slot of an agent that no credential uses. Only agents made by this service can \
             be removed.",
        )
        .once()
        .takes(agent_in_path())
        .takes(wallet_in_query(Required::True))
        .answers(200, "The exchange has removed the agent.", "AgentRemoved")
        .fails(errors::no_body())
        .fails(errors::unnamed())
        .fails(errors::named())
        .fails(errors::credential(Action::RemoveAgent, own))
}
