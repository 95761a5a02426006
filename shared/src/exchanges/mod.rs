//! The exchanges, as credential operations use them: an approval or a removal is signed, sent, and
//! has an outcome; agents can be listed.

pub mod account;
mod api;
pub mod aster;
pub mod budget;
mod builder;
mod client;
mod config;
pub mod http;
pub mod hyperliquid;
pub mod lighter;
pub mod networks;
pub mod profile;
pub mod trade;

pub use aster::config::{AsterConfig, aster_public_url, aster_spot_url};
pub use builder::BuilderApproval;
pub use client::{ExchangeClient, Sends};
pub use config::{CALL_TIMEOUT_MS, ORDER_TIMEOUT_MS, order_timeout_ms};
pub use hyperliquid::config::HyperliquidConfig;
pub use lighter::config::LighterConfig;

use domain::eth::{Address, AgentKeyError};
use domain::ids::Exchange;

use budget::Busy;
use http::{SendError, TransportError};
use profile::Profile;

impl Profile {
    /// Returns the facts of one exchange.
    #[must_use]
    pub const fn of(exchange: Exchange) -> &'static Self {
        match exchange {
            Exchange::Aster => &aster::PROFILE,
            Exchange::Hyperliquid => &hyperliquid::PROFILE,
            Exchange::Lighter => &lighter::PROFILE,
        }
    }
}

/// An approval by a wallet: an agent, its name and its expiry.
#[derive(Clone, Debug)]
pub struct Approval {
    /// The wallet.
    pub wallet: Address,
    /// The agent.
    pub agent: Address,
    /// The agent's name, which must be new.
    pub agent_name: String,
    /// Expiry of the agent, Unix milliseconds.
    pub expires_at_ms: u64,
    /// In the exchange's unit; unique for the wallet.
    pub nonce: u64,
}

/// A removal of an agent by a wallet.
#[derive(Clone, Debug)]
pub struct Removal {
    /// The wallet.
    pub wallet: Address,
    /// The agent.
    pub agent: Address,
    /// Its name.
    pub agent_name: String,
    /// In the exchange's unit; unique for the wallet.
    pub nonce: u64,
}

/// An agent that an exchange lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedAgent {
    /// The agent.
    pub address: Address,
    /// Its name, without an expiry in it.
    pub name: String,
    /// Expiry in Unix milliseconds, if the exchange states it.
    pub expires_at_ms: Option<u64>,
}

/// The outcome of sending an approval or a removal.
#[derive(Debug)]
pub enum Outcome {
    /// The exchange applied it.
    Done,
    /// The exchange refused; nothing has changed there.
    Refused(Refusal),
    /// The request did not reach the exchange.
    NotSent(TransportError),
    /// The exchange may have applied it, or may still do so.
    Unknown(Unclear),
}

impl From<SendError> for Outcome {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NotSent(cause) => Self::NotSent(cause),
            SendError::NoAnswer(cause) => Self::Unknown(Unclear::NoAnswer(cause)),
            SendError::Broken(cause) => Self::Unknown(Unclear::Broken(cause)),
        }
    }
}

/// Why an outcome is unknown. The text is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Unclear {
    /// No response within the timeout.
    #[error(transparent)]
    NoAnswer(TransportError),
    /// An incomplete or oversized response.
    #[error(transparent)]
    Broken(TransportError),
    /// A response without meaning: 5xx, not of the protocol, or not in the closed list.
    #[error("{0}")]
    BadAnswer(String),
    /// The edge in front of the exchange blocked the call: HTTP 403 or 451 (firewall, content
    /// delivery network, region).
    #[error("{0}")]
    Blocked(String),
}

/// What a response proves about an agent to be approved or removed. Each exchange's folder has its
/// closed list (`ANSWERS`), and `docs/concepts/credentials.md` prints both. A response outside the
/// list proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// The exchange does not have the agent.
    Gone,
    /// This request changed nothing. An earlier one may have.
    NotApplied,
    /// Nothing; the exchange must be asked.
    Nothing,
}

/// A refusal by the exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The meaning.
    pub kind: RefusalKind,
    /// The exchange's own text, bounded and without control characters.
    pub text: String,
}

impl Refusal {
    pub(crate) fn new(kind: RefusalKind, text: &str) -> Self {
        Self { kind, text: bounded(text) }
    }
}

/// Returns an exchange's text for a log line: at most 200 characters, without control characters.
pub(crate) fn bounded(text: &str) -> String {
    text.chars().filter(|letter| !is_unseen(*letter)).take(200).collect()
}

/// Hides runs of more than 40 hex digits, because an exchange that echoes a request echoes a
/// signature. Addresses remain.
pub(crate) fn without_secrets(text: &str) -> String {
    let is_other = |letter: char| !letter.is_ascii_hexdigit();
    let hide = |word: &str| {
        let digits = word.trim_end_matches(is_other);
        match digits.len() {
            ..=40 => word.to_owned(),
            _ => word.replace(digits, "(hidden)"),
        }
    };
    text.split_inclusive(is_other).map(hide).collect()
}

/// Returns whether a character is a control character, changes the text's direction, or is
/// invisible.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The meaning of a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalKind {
    /// The wallet's account does not exist before a deposit.
    DepositRequired,
    /// The account has the maximum number of agents.
    NoAgentSlot,
    /// Too many requests from the egress address.
    RateLimited {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// An agent of this account was removed a moment ago; approvals must wait for it.
    RemovalPending,
    /// The agent to be removed does not exist.
    AgentUnknown,
    /// The agent or its name is known; an earlier request may have been applied.
    AgentKnown,
    /// The nonce was used or is outside the window; an earlier request may have been applied.
    NonceRejected,
    /// The exchange recovered a signer other than the wallet.
    SignatureFault,
    /// The request was invalid in a way that only the service can fix.
    OurFault,
    /// Any other refusal, which may be meaningful to the caller.
    Other,
}

impl RefusalKind {
    /// Returns what a response of this kind proves.
    #[must_use]
    pub const fn proof(self) -> Proof {
        match self {
            Self::AgentUnknown => Proof::Gone,
            Self::DepositRequired
            | Self::NoAgentSlot
            | Self::RateLimited { .. }
            | Self::RemovalPending
            | Self::OurFault => Proof::NotApplied,
            // The echo of a success, a check that parsed the request differently, or unknown text.
            Self::AgentKnown | Self::NonceRejected | Self::SignatureFault | Self::Other => {
                Proof::Nothing
            }
        }
    }

    /// Returns whether the refusal only delays the request, without a statement about it.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::RemovalPending)
    }
}

/// Why a question to the exchange failed. The texts are for the log.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The exchange reports its request limit.
    #[error("request limit reached")]
    RateLimited {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// The question did not reach the exchange.
    #[error(transparent)]
    NotSent(TransportError),
    /// No response, or an incomplete one.
    #[error(transparent)]
    NoAnswer(SendError),
    /// A response that violates the protocol.
    #[error("{what}: HTTP {status}, not of the protocol")]
    Unreadable {
        /// The question.
        what: &'static str,
        /// HTTP status.
        status: u16,
    },
    /// The agent could not sign the question.
    #[error(transparent)]
    Unsigned(#[from] AgentKeyError),
    /// The exchange may not be asked now.
    #[error(transparent)]
    Busy(Busy),
    /// The agent belongs to another account.
    #[error("the agent belongs to another account")]
    Foreign,
    /// The nonce of the question is outside the exchange's window.
    #[error("the question's nonce was rejected")]
    NonceRejected,
    /// The edge in front of the exchange blocked the question.
    #[error("{0}")]
    Blocked(String),
}

impl LookupError {
    /// Makes the error for a response that does not answer the question.
    fn unreadable(what: &'static str, answer: &http::Answer) -> Self {
        match answer.status {
            429 | 418 => Self::RateLimited { retry_after_s: answer.wait_s(LIMITED_RETRY_AFTER_S) },
            403 | 451 => Self::Blocked(answer.blocked_words()),
            status => Self::Unreadable { what, status },
        }
    }
}

impl From<SendError> for LookupError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NotSent(cause) => Self::NotSent(cause),
            other => Self::NoAnswer(other),
        }
    }
}

/// Default wait, in seconds, when a limiting exchange does not state one: weights are counted by
/// the minute.
const LIMITED_RETRY_AFTER_S: u64 = 30;
