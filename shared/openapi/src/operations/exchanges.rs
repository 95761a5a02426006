//! The parts of operations that differ between exchanges.

use domain::ids::Exchange;
use shared::api::error::ApiError;
use shared::credentials::CredentialError;
use shared::exchanges::profile::Profile;

/// Returns the path of an exchange's credentials, and the exchange's name in the ids of operations
/// and schemas.
pub(super) fn of(exchange: Exchange) -> (String, &'static str) {
    (format!("/api/trading/{exchange}/apikey"), Profile::of(exchange).name)
}

/// The schemas of an exchange's responses, and the place of the wallet's name in them.
pub(super) struct Responses {
    pub(super) registered: &'static str,
    pub(super) rotated: &'static str,
    pub(super) wallet: &'static str,
    /// The operations linked from a registration.
    pub(super) next: [&'static str; 2],
}

pub(super) const fn responses(exchange: Exchange) -> Responses {
    match exchange {
        Exchange::Aster => Responses {
            registered: "AsterRegistered",
            rotated: "AsterRotated",
            wallet: "$response.body#/data/signerAddress",
            next: ["getAsterApiKey", "deleteAsterApiKey"],
        },
        Exchange::Hyperliquid | Exchange::Lighter => Responses {
            registered: "HyperliquidRegistered",
            rotated: "HyperliquidRotated",
            wallet: "$response.body#/data/mainWalletAddress",
            next: ["getHyperliquidApiKey", "deleteHyperliquidApiKey"],
        },
    }
}

/// Returns the error of a retry whose response can no longer show the key.
pub(super) fn secret(exchange: Exchange) -> Option<ApiError> {
    Profile::of(exchange).shows_keys.then(ApiError::secret_not_shown_again)
}

/// Returns the error of a wallet without an agent, if only agents can list.
pub(super) fn no_agent_to_ask(exchange: Exchange) -> Option<CredentialError> {
    Profile::of(exchange).lists_for_agents_only.then_some(CredentialError::NoAgentToAsk)
}
