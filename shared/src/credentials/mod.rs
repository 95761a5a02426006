//! The life of an exchange credential: an agent key that is made here, approved by a wallet, and
//! known to the exchange.
//!
//! | file | holds |
//! | --- | --- |
//! | `state` | where a credential is in its life |
//! | `advice` | what its holder has to know about its keys |
//! | `agents` | what the exchange lists, and the removal of what no credential uses |
//! | `held` | the lease: one call works on a credential, and each write names what it replaces |
//! | `send` | approvals and removals, signed, sent, and found out about |
//! | `register`, `rotate`, `revoke` | the operations |
//! | `renew`, `reconcile` | the scheduled jobs |
//! | `aster_v1` | API keys of Aster's V1, which the exchange makes |

mod advice;
mod agents;
mod aster_v1;
mod held;
mod reconcile;
mod register;
mod renew;
mod revoke;
mod rotate;
mod send;
mod state;
mod walk;

pub use advice::{advice, rotate_path};
pub use agents::{AgentRole, Agents, RemovedAgent};
pub use held::LEASE_MS;
pub use reconcile::{Drift, ReconcileLimits, Reconciled};
pub use renew::{RenewLimits, Renewed, renews_at_ms};
pub use revoke::Revoked;
pub use rotate::Rotated;
pub use state::Life;

use domain::eth::{Address, AgentKey};
use domain::ids::{Exchange, Tenant, WalletRef};
use domain::random::RandomError;
use platform::env::{ConfigError, Env};
use platform::envelope::EnvelopeError;
use platform::items::StoreError;

use crate::exchanges::budget::{Budget, BudgetConfig, Busy, Spender};
use crate::exchanges::{
    AsterConfig, ExchangeClient, HyperliquidConfig, LookupError, Refusal, RefusalKind, aster,
    hyperliquid,
};
use crate::runtime::Runtime;
use crate::store::WalletView;
use crate::wallets::{Custody, SignError};

/// The credentials of one exchange.
#[derive(Clone, Debug)]
pub struct Registrar {
    /// The wallets and their keys.
    pub custody: Custody,
    /// The exchange.
    pub client: ExchangeClient,
}

/// The credentials of every exchange.
#[derive(Clone, Debug)]
pub struct Registrars {
    /// Aster's.
    pub aster: Registrar,
    /// Hyperliquid's.
    pub hyperliquid: Registrar,
}

impl Registrars {
    /// Makes the clients once, from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_env(runtime: &Runtime<'_>, spender: Spender) -> Result<Self, ConfigError> {
        let custody = Custody::from_env(runtime)?;
        Ok(Self {
            aster: Registrar::aster_from_env(&runtime.env, custody.clone(), spender)?,
            hyperliquid: Registrar::hyperliquid_from_env(&runtime.env, custody, spender)?,
        })
    }

    /// Those of one exchange.
    #[must_use]
    pub const fn of(&self, exchange: Exchange) -> &Registrar {
        match exchange {
            Exchange::Aster => &self.aster,
            Exchange::Hyperliquid => &self.hyperliquid,
        }
    }
}

impl Registrar {
    /// Aster's credentials, with a client from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn aster_from_env(
        env: &Env<'_>,
        custody: Custody,
        spender: Spender,
    ) -> Result<Self, ConfigError> {
        let client = aster::Client::new(&AsterConfig::from_env(env)?, &custody.clock);
        let budget = BudgetConfig::from_env(env)?;
        Ok(Self::aster(custody, client, &budget, spender))
    }

    /// Hyperliquid's credentials, with a client from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn hyperliquid_from_env(
        env: &Env<'_>,
        custody: Custody,
        spender: Spender,
    ) -> Result<Self, ConfigError> {
        let client = hyperliquid::Client::new(&HyperliquidConfig::from_env(env)?, &custody.clock);
        let budget = BudgetConfig::from_env(env)?;
        Ok(Self::hyperliquid(custody, client, &budget, spender))
    }

    /// Aster's credentials.
    #[must_use]
    pub fn aster(
        custody: Custody,
        client: aster::Client,
        budget: &BudgetConfig,
        spender: Spender,
    ) -> Self {
        let budget = budget_of(&custody, Exchange::Aster, budget, spender);
        Self { client: ExchangeClient::aster(client, budget), custody }
    }

    /// Hyperliquid's credentials.
    #[must_use]
    pub fn hyperliquid(
        custody: Custody,
        client: hyperliquid::Client,
        budget: &BudgetConfig,
        spender: Spender,
    ) -> Self {
        let budget = budget_of(&custody, Exchange::Hyperliquid, budget, spender);
        Self { client: ExchangeClient::hyperliquid(client, budget), custody }
    }

    /// Names the clock where an exchange refused what depends on it: a nonce, an expiry.
    fn explain(&self, error: CredentialError) -> CredentialError {
        let depends = match &error {
            CredentialError::Refused(refusal) => {
                matches!(refusal.kind, RefusalKind::NonceRejected | RefusalKind::OurFault)
            }
            _ => false,
        };
        match self.client.clock_skew_s() {
            Some(skew_s) if depends => {
                CredentialError::ClockSkew { skew_s, source: Box::new(error) }
            }
            _ => error,
        }
    }

    async fn find(&self, tenant: &Tenant, name: &WalletRef) -> Result<WalletView, CredentialError> {
        let view = self.custody.store.find(tenant, name).await?;
        let view = view.ok_or(CredentialError::NotFound)?;
        crate::caller::note_wallet(&view.wallet);
        tracing::Span::current().record("exchange", self.client.exchange().as_str());
        Ok(view)
    }
}

fn budget_of(
    custody: &Custody,
    exchange: Exchange,
    config: &BudgetConfig,
    spender: Spender,
) -> Budget {
    let (clock, random) = (custody.clock.clone(), custody.random.clone());
    Budget::new(custody.store.clone(), exchange, config, spender, clock, random)
}

/// A credential that is active.
#[derive(Debug)]
pub struct Registered {
    /// The wallet that approved it.
    pub wallet: Address,
    /// Its agent. `None`: an API key of Aster's V1.
    pub agent: Option<AgentKey>,
    /// When it became active, Unix milliseconds.
    pub created_at_ms: u64,
    /// When it expires, Unix milliseconds.
    pub expires_at_ms: u64,
}

/// Why an operation on a credential did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The tenant has no such wallet.
    #[error("wallet not found")]
    NotFound,
    /// The wallet has no credential there.
    #[error("credential not found")]
    NoCredential,
    /// There is an active, unexpired one.
    #[error("a credential exists")]
    Exists {
        /// How to get a usable key.
        advice: String,
    },
    /// An earlier attempt at the request has shown its private key, which is no longer shown.
    #[error("the request's private key is no longer shown")]
    SecretHidden,
    /// Another call is at it.
    #[error("another call is at it")]
    InProgress {
        /// When that call is over at the latest.
        retry_after_s: u64,
    },
    /// Its registration has not come to its end.
    #[error("its registration has not ended")]
    Unregistered,
    /// It is being deleted.
    #[error("it is being deleted")]
    Revoking,
    /// The exchange lists no such agent.
    #[error("the exchange lists no such agent")]
    AgentNotFound,
    /// A credential uses the agent.
    #[error("a credential uses the agent")]
    AgentInUse,
    /// Another party made the agent, and the signing policy removes only agents made here.
    #[error("the agent was not made here")]
    AgentNotOurs,
    /// Only a registered agent may list agents there, and this wallet has none.
    #[error("no agent of this wallet can list agents")]
    NoAgentToAsk,
    /// The exchange offers no way to do this.
    #[error("the exchange offers no way to do this")]
    NotOffered,
    /// The exchange said no.
    #[error("the exchange refused: {}", .0.text)]
    Refused(Refusal),
    /// The exchange did not answer; a repeat goes on.
    #[error("the exchange did not answer: {0}")]
    NoAnswer(String),
    /// The exchange is down or answered nonsense; a repeat goes on.
    #[error("the exchange is not available: {0}")]
    BadAnswer(String),
    /// The edge in front of the exchange turned the call away; a repeat goes on.
    #[error("the exchange's edge turned the call away: {0}")]
    Blocked(String),
    /// The exchange refused, and our clock differs from its clock.
    #[error("the clock is {skew_s} s ahead of the exchange's: {source}")]
    ClockSkew {
        /// How far our clock is ahead, in seconds; negative: behind.
        skew_s: i64,
        /// What the exchange refused.
        source: Box<Self>,
    },
    /// Nothing may be sent to the exchange now.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The call has used its time up before it could send; a repeat goes on.
    #[error("out of time")]
    OutOfTime,
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
    /// The exchange has made a secret, and it could not be stored. It is lost.
    #[error("the exchange's secret could not be stored: {0}")]
    SecretLost(StoreError),
}

impl From<LookupError> for CredentialError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::RateLimited { retry_after_s } => {
                Self::Busy(Busy::Limited { retry_after_s })
            }
            LookupError::Blocked(words) => Self::Blocked(words),
            LookupError::NonceRejected => {
                Self::Refused(Refusal::new(RefusalKind::NonceRejected, &error.to_string()))
            }
            other => Self::BadAnswer(other.to_string()),
        }
    }
}
