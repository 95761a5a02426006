//! The exchanges, as registration sees them: an approval is signed, sent, and has an outcome; and
//! an agent can be asked for.

pub mod aster;
pub mod http;
pub mod hyperliquid;

use crate::api::ids::Exchange;
use crate::clock::Clock;
use crate::eth::{Address, AgentKey, Signature};
use crate::intent::Intent;

/// What a wallet approves: an agent, under a name, until a time.
#[derive(Clone, Debug)]
pub struct Approval {
    /// The wallet.
    pub wallet: Address,
    /// The agent.
    pub agent: Address,
    /// The agent's name, never used before.
    pub agent_name: String,
    /// When the agent expires, Unix milliseconds.
    pub expires_at_ms: u64,
    /// In the exchange's unit; unique for the wallet.
    pub nonce: u64,
}

/// What came of sending an approval.
#[derive(Debug)]
pub enum Outcome {
    /// The exchange has approved the agent.
    Approved,
    /// The exchange said no: nothing has changed there.
    Refused(Refusal),
    /// The exchange never got it.
    NotSent(String),
    /// It may have been applied, or may yet be.
    Unknown(Unclear),
}

impl From<http::SendError> for Outcome {
    fn from(error: http::SendError) -> Self {
        match error {
            http::SendError::NotSent(text) => Self::NotSent(text),
            http::SendError::NoAnswer(text) => Self::Unknown(Unclear::NoAnswer(text)),
            http::SendError::Broken(text) => Self::Unknown(Unclear::BadAnswer(text)),
        }
    }
}

/// Why an outcome is not known. The text is for the log.
#[derive(Debug)]
pub enum Unclear {
    /// No answer in time.
    NoAnswer(String),
    /// An answer that says nothing: 5xx, cut off, or not of the protocol.
    BadAnswer(String),
}

/// An exchange's no.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What it means.
    pub kind: RefusalKind,
    /// The exchange's own words, bounded and without control characters.
    pub text: String,
}

impl Refusal {
    pub(crate) fn new(kind: RefusalKind, text: &str) -> Self {
        let text = text.chars().filter(|letter| !letter.is_control()).take(200).collect();
        Self { kind, text }
    }
}

/// What an exchange's no means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalKind {
    /// The wallet's account does not exist until something is deposited.
    DepositRequired,
    /// The account has as many agents as it may.
    NoAgentSlot,
    /// Too many requests from our address.
    RateLimited {
        /// How long to wait.
        retry_after_s: u64,
    },
    /// An agent of this account was removed a moment ago; approvals wait for it.
    RemovalPending,
    /// The agent or its name is known: perhaps an earlier send of ours was applied.
    AgentKnown,
    /// The nonce was used or is outside the window: perhaps an earlier send of ours was applied.
    NonceRejected,
    /// The exchange saw another signer than the wallet.
    SignatureFault,
    /// The request was wrong in a way that only we can mend.
    OurFault,
    /// Something else, that the caller may understand.
    Other,
}

impl RefusalKind {
    /// Whether the no may be the echo of a yes.
    #[must_use]
    pub const fn may_be_applied(self) -> bool {
        matches!(self, Self::AgentKnown | Self::NonceRejected)
    }
}

/// The exchange could not be asked. The text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LookupError(pub String);

/// The client of one exchange.
#[derive(Clone, Debug)]
pub enum ExchangeClient {
    /// Hyperliquid.
    Hyperliquid(hyperliquid::Client),
    /// Aster's API V3.
    Aster(aster::Client),
}

impl ExchangeClient {
    /// Which one it is.
    #[must_use]
    pub const fn exchange(&self) -> Exchange {
        match self {
            Self::Hyperliquid(_) => Exchange::Hyperliquid,
            Self::Aster(_) => Exchange::Aster,
        }
    }

    /// How long an agent is approved for, in milliseconds.
    #[must_use]
    pub const fn validity_ms(&self) -> u64 {
        match self {
            Self::Hyperliquid(client) => client.validity_ms(),
            Self::Aster(client) => client.validity_ms(),
        }
    }

    /// The next nonce after `last`: the time in the exchange's unit, or one more than `last`.
    #[must_use]
    pub fn next_nonce(&self, clock: &Clock, last: u64) -> u64 {
        let now = match self {
            Self::Hyperliquid(_) => clock.now_ms(),
            Self::Aster(_) => clock.now_us(),
        };
        now.max(last.saturating_add(1))
    }

    /// What has to be signed for an approval.
    #[must_use]
    pub fn intent(&self, approval: &Approval) -> Intent {
        match self {
            Self::Hyperliquid(client) => {
                Intent::HyperliquidApproveAgent(client.approve_agent(approval))
            }
            Self::Aster(client) => Intent::AsterRegisterAgent(client.register_agent(approval)),
        }
    }

    /// Sends a signed approval.
    pub async fn submit(&self, approval: &Approval, signature: &Signature) -> Outcome {
        match self {
            Self::Hyperliquid(client) => client.submit(approval, signature).await,
            Self::Aster(client) => client.submit(approval, signature).await,
        }
    }

    /// Whether the exchange knows the agent as this wallet's. Dear: ask only when the outcome of a
    /// send is not known.
    ///
    /// # Errors
    /// When the exchange does not say.
    pub async fn knows_agent(
        &self,
        wallet: Address,
        agent: &AgentKey,
        clock: &Clock,
    ) -> Result<bool, LookupError> {
        match self {
            Self::Hyperliquid(client) => client.knows_agent(wallet, agent.address()).await,
            Self::Aster(client) => client.knows_agent(wallet, agent, clock).await,
        }
    }
}
