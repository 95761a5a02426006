//! The calls that differ from exchange to exchange.

use std::fmt;
use std::net::Ipv4Addr;

use domain::eth::{Address, AgentKey, Signature};
use domain::intent::Intent;
use futures_util::future::BoxFuture;

use super::aster::v1::V1Client;
use super::profile::Profile;
use super::{Approval, ExchangeClient, ListedAgent, LookupError, Outcome, Removal};

/// The settings that every exchange has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long an agent is approved for, in milliseconds.
    pub(crate) validity_ms: u64,
    /// How long a call may take, in milliseconds.
    pub(crate) call_timeout_ms: u64,
    /// Whether responses show the private keys of agents.
    pub(crate) hands_out_keys: bool,
    /// The one address that keys may be used from, if they are bound to one.
    pub(crate) ip_whitelist: Option<Ipv4Addr>,
}

/// One call of an exchange, under way.
pub(crate) type Call<'a, T> = BoxFuture<'a, T>;

/// The API of one exchange. Each call sends one request; [`ExchangeClient`] adds the budget, the
/// repeats and the circuit.
pub(crate) trait Api: fmt::Debug + Send + Sync {
    /// Returns the facts of the exchange.
    fn profile(&self) -> &'static Profile;

    /// Returns the settings.
    fn settings(&self) -> Settings;

    /// Returns how far our clock was ahead of the exchange's at its last answer, in milliseconds.
    fn skew_ms(&self) -> i64;

    /// Returns Aster's V1, where keys are made by it.
    fn v1(&self) -> Option<&V1Client> {
        None
    }

    /// Returns what has to be signed for an approval.
    fn approval_intent(&self, approval: &Approval) -> Intent;

    /// Returns what has to be signed for a removal.
    fn removal_intent(&self, removal: &Removal) -> Intent;

    /// Sends a signed approval.
    fn approve<'a>(&'a self, approval: &'a Approval, signature: &'a Signature)
    -> Call<'a, Outcome>;

    /// Sends a signed removal.
    fn remove<'a>(&'a self, removal: &'a Removal, signature: &'a Signature) -> Call<'a, Outcome>;

    /// Asks whether the exchange knows an agent as this wallet's.
    fn knows_agent<'a>(
        &'a self,
        wallet: Address,
        agent: Asker<'a>,
    ) -> Call<'a, Result<bool, LookupError>>;

    /// Asks for the agents of a wallet. `None`: the exchange has no list for the one who asks.
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

    /// Returns a nonce for a signed question. An agent asks seldom, and by one caller at a time;
    /// chance keeps two nonces apart.
    pub(super) fn nonce(&self) -> u64 {
        self.client.nonce_now() + self.client.jitter_ms(1_000)
    }
}
