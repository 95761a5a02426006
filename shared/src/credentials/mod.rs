//! The life of an exchange credential: an agent key that is made here, approved by a wallet, and
//! known to the exchange.

mod held;
mod register;

use crate::envelope::EnvelopeError;
use crate::eth::{Address, AgentKey};
use crate::exchanges::{ExchangeClient, Refusal};
use crate::random::RandomError;
use crate::store::StoreError;
use crate::wallets::{Custody, SignError};

/// Registers wallets with one exchange.
#[derive(Clone, Debug)]
pub struct Registrar {
    /// The wallets and their keys.
    pub custody: Custody,
    /// The exchange.
    pub client: ExchangeClient,
}

/// A credential that is active.
#[derive(Debug)]
pub struct Registered {
    /// The wallet that approved it.
    pub wallet: Address,
    /// Its key.
    pub agent: AgentKey,
    /// When it became active, Unix milliseconds.
    pub created_at_ms: u64,
    /// When it expires, Unix milliseconds.
    pub expires_at_ms: u64,
}

/// Why there is no new credential.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The tenant has no such wallet.
    #[error("wallet not found")]
    NotFound,
    /// There is an active, unexpired one.
    #[error("a credential exists")]
    Exists,
    /// Another call is at it.
    #[error("another call is registering")]
    InProgress {
        /// When that call is over at the latest.
        retry_after_s: u64,
    },
    /// The exchange said no.
    #[error("the exchange refused: {}", .0.text)]
    Refused(Refusal),
    /// The exchange did not answer; a repeat goes on.
    #[error("the exchange did not answer: {0}")]
    NoAnswer(String),
    /// The exchange is down or answered nonsense; a repeat goes on.
    #[error("the exchange is not available: {0}")]
    BadAnswer(String),
    /// The approval was not signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The agent's key could not be sealed or opened.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The stored agent key is not the record's agent.
    #[error("the stored agent key is damaged")]
    DamagedKey,
}
