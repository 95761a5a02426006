//! The trait that each exchange's API implements.

use std::fmt;
use std::net::Ipv4Addr;

use domain::builder::{Builder, BuilderFee};
use domain::eth::{Address, AgentKey, Signature};
use domain::intent::Intent;
use futures_util::future::BoxFuture;

use super::aster::v1::V1Client;
use super::profile::Profile;
use super::{
    Approval, BuilderApproval, ExchangeClient, ListedAgent, LookupError, Outcome, Removal,
};

/// Settings that every exchange has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Validity of an agent's approval, in milliseconds.
    pub(crate) validity_ms: u64,
    /// Timeout of a call, in milliseconds.
    pub(crate) call_timeout_ms: u64,
    /// Whether responses show the private keys of agents.
    pub(crate) hands_out_keys: bool,
    /// The only address that may use the keys, if they are bound to one.
    pub(crate) ip_whitelist: Option<Ipv4Addr>,
    /// The builder that wallets approve and that orders carry, if the deployment has one.
    pub(crate) builder: Option<Builder>,
}

/// A pending call of an exchange.
pub(crate) type Call<'a, T> = BoxFuture<'a, T>;

/// The calls of one exchange about builders. Each exchange implements them in its `builder` file.
pub(crate) trait BuilderApi {
    /// Returns the intent to sign for the approval of a builder.
    fn builder_intent(&self, approval: &BuilderApproval) -> Intent;

    /// Sends the signed approval of a builder.
    fn approve_builder<'a>(
        &'a self,
        approval: &'a BuilderApproval,
        signature: &'a Signature,
    ) -> Call<'a, Outcome>;

    /// Asks for the fee that a wallet has approved for a builder.
    fn builder_fee<'a>(
        &'a self,
        wallet: Address,
        builder: Builder,
        agent: Asker<'a>,
    ) -> Call<'a, Result<Option<BuilderFee>, LookupError>>;
}

/// The API of one exchange. Each call sends one request; [`ExchangeClient`] adds the budget, the
/// retries and the circuit.
pub(crate) trait Api: BuilderApi + fmt::Debug + Send + Sync {
    /// Returns the facts of the exchange.
    fn profile(&self) -> &'static Profile;

    /// Returns the settings.
    fn settings(&self) -> Settings;

    /// Returns how far the local clock was ahead of the exchange's at its last response, in
    /// milliseconds.
    fn skew_ms(&self) -> i64;

    /// Returns the client of Aster's V1, if that API makes the keys.
    fn v1(&self) -> Option<&V1Client> {
        None
    }

    /// Returns the intent to sign for an approval.
    fn approval_intent(&self, approval: &Approval) -> Intent;

    /// Returns the intent to sign for a removal.
    fn removal_intent(&self, removal: &Removal) -> Intent;

    /// Sends a signed approval.
    fn approve<'a>(&'a self, approval: &'a Approval, signature: &'a Signature)
    -> Call<'a, Outcome>;

    /// Sends a signed removal.
    fn remove<'a>(&'a self, removal: &'a Removal, signature: &'a Signature) -> Call<'a, Outcome>;

    /// Asks whether the exchange knows an agent of this wallet.
    fn knows_agent<'a>(
        &'a self,
        wallet: Address,
        agent: Asker<'a>,
    ) -> Call<'a, Result<bool, LookupError>>;

    /// Lists the agents of a wallet. Returns `None` when the exchange has no list for the asking
    /// agent.
    fn agents<'a>(
        &'a self,
        wallet: Address,
        agent: Option<Asker<'a>>,
    ) -> Call<'a, Result<Option<Vec<ListedAgent>>, LookupError>>;
}

/// An agent that can sign a question.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(super) key: &'a AgentKey,
    pub(super) client: &'a ExchangeClient,
}

impl Asker<'_> {
    /// Returns the agent's address.
    pub(super) fn address(&self) -> Address {
        self.key.address()
    }

    /// Returns a nonce for a signed question. The random part makes a collision rare, and a rejected
    /// question is retried with another nonce.
    pub(super) fn nonce(&self) -> u64 {
        self.client.nonce_now() + self.client.jitter_ms(1_000)
    }
}
