//! The exchanges, as a credential's life sees them: an approval or a removal is signed, sent, and
//! has an outcome; and agents can be asked for.

mod api;
pub mod aster;
pub mod budget;
mod client;
mod config;
pub mod http;
pub mod hyperliquid;
pub mod networks;
pub mod profile;

pub use aster::config::{AsterConfig, aster_v1_url};
pub use client::ExchangeClient;
pub use config::CALL_TIMEOUT_MS;
pub use hyperliquid::config::HyperliquidConfig;

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
        }
    }
}

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

/// What takes an agent away.
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
    /// When it expires, Unix milliseconds, if the exchange says.
    pub expires_at_ms: Option<u64>,
}

/// What came of sending an approval or a removal.
#[derive(Debug)]
pub enum Outcome {
    /// The exchange has done it.
    Done,
    /// The exchange said no: nothing has changed there.
    Refused(Refusal),
    /// The exchange never got it.
    NotSent(TransportError),
    /// It may have been applied, or may yet be.
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

/// Why an outcome is not known. The text is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Unclear {
    /// No answer in time.
    #[error(transparent)]
    NoAnswer(TransportError),
    /// An answer that broke off or is too large.
    #[error(transparent)]
    Broken(TransportError),
    /// An answer that says nothing: 5xx, not of the protocol, or not in the closed list.
    #[error("{0}")]
    BadAnswer(String),
    /// The edge in front of the exchange turned the call away: HTTP 403 or 451 (firewall, content
    /// delivery network, region).
    #[error("{0}")]
    Blocked(String),
}

/// What an answer proves about an agent that was to be approved or removed. Each exchange's folder
/// has its closed list (`ANSWERS`), and `docs/concepts/credentials.md` prints both; whatever is not in the
/// list proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// The exchange has no such agent: "gone".
    Gone,
    /// This request changed nothing: "never arrived". An earlier one may have.
    NotApplied,
    /// Nothing: the exchange must be asked.
    Nothing,
}

/// An exchange's no.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What it means.
    pub kind: RefusalKind,
    /// The exchange's own words, bounded, and without what controls how they are shown.
    pub text: String,
}

impl Refusal {
    pub(crate) fn new(kind: RefusalKind, text: &str) -> Self {
        Self { kind, text: bounded(text) }
    }
}

/// Returns an exchange's words as a log line can hold them: at most 200 characters, without what
/// controls how they are shown.
pub(crate) fn bounded(text: &str) -> String {
    text.chars().filter(|letter| !is_unseen(*letter)).take(200).collect()
}

/// Hides runs of more than 40 hex digits: an exchange that echoes a request echoes a signature. An
/// address stays.
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

/// Control characters, and those that turn the direction of text or are not seen at all.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
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
    /// There is no such agent to remove.
    AgentUnknown,
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
    /// Returns what an answer of this kind proves.
    #[must_use]
    pub const fn proof(self) -> Proof {
        match self {
            Self::AgentUnknown => Proof::Gone,
            Self::DepositRequired
            | Self::NoAgentSlot
            | Self::RateLimited { .. }
            | Self::RemovalPending
            | Self::OurFault => Proof::NotApplied,
            // The echo of a yes, a check that read the request otherwise, or unknown words.
            Self::AgentKnown | Self::NonceRejected | Self::SignatureFault | Self::Other => {
                Proof::Nothing
            }
        }
    }

    /// Whether it says nothing about what was asked for, only that it is not the time.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::RemovalPending)
    }
}

/// The exchange could not be asked. The texts are for the log.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// Its limit is reached, by its own word.
    #[error("request limit reached")]
    RateLimited {
        /// How long to wait.
        retry_after_s: u64,
    },
    /// The exchange never got the question.
    #[error(transparent)]
    NotSent(TransportError),
    /// No answer, or none that is whole.
    #[error(transparent)]
    NoAnswer(SendError),
    /// An answer that is not of the protocol.
    #[error("{what}: HTTP {status}, not of the protocol")]
    Unreadable {
        /// What was asked for.
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
    #[error("the agent is another account's")]
    Foreign,
    /// The nonce of the question is outside the exchange's window.
    #[error("the question's nonce was rejected")]
    NonceRejected,
    /// The edge in front of the exchange turned the question away.
    #[error("{0}")]
    Blocked(String),
}

impl LookupError {
    /// An answer that says nothing about what was asked.
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

/// How long to wait where an exchange that limits us does not say: its weights are counted by the
/// minute.
const LIMITED_RETRY_AFTER_S: u64 = 30;
