//! The life of a credential: an agent key is made by the service, approved by a wallet, and
//! registered at the exchange.
//!
//! | file | holds |
//! | --- | --- |
//! | `register`, `rotate`, `revoke`, `agents` | the operations of callers |
//! | `renew`, `reconcile`, `index_scan` | the scheduled jobs |
//! | `contain` | removal of all agents of a tenant |
//! | `aster_v1` | registration of API keys of Aster's V1, which the exchange makes |
//! | `builder` | the approval of the deployment's builder |
//! | `operation` | one operation: its initiator, the wallet, the time |
//! | `lease` | the lease: one call at a time; each write names the revision it replaces |
//! | `nonces`, `send` | approvals and removals: signed with a nonce, sent, and settled |
//! | `agent_keys` | agent keys: made, sealed, opened |
//! | `replay` | the result of an earlier attempt at the same request |
//! | `state`, `advice` | the state of a credential, and advice for its holder |
//! | `error` | why an operation failed |

mod advice;
mod agent_keys;
mod agents;
mod aster_v1;
mod builder;
mod contain;
mod error;
mod index_scan;
mod lease;
mod nonces;
mod operation;
mod reconcile;
mod register;
mod renew;
mod replay;
mod revoke;
mod rotate;
mod send;
mod state;

pub use advice::{advice, rotate_path};
pub use agents::{AgentRole, Agents, RemovedAgent};
pub use contain::{ContainCursor, ContainLimits, ContainPhase, Contained, CursorError, NotRemoved};
pub use error::{CredentialError, ExchangeFault};
pub use lease::LEASE_MS;
pub use reconcile::{Drift, ReconcileLimits, Reconciled};
pub use renew::{RenewLimits, Renewed, renews_at_ms};
pub use revoke::Revoked;
pub use rotate::Rotated;
pub use state::Life;

use domain::eth::{Address, AgentKey};
use domain::ids::{Exchange, Tenant, WalletRef};
use platform::env::{ConfigError, Env};

use crate::exchanges::budget::{Budget, BudgetConfig, Spender};
use crate::exchanges::{
    AsterConfig, ExchangeClient, HyperliquidConfig, RefusalKind, aster, hyperliquid,
};
use crate::runtime::Runtime;
use crate::store::WalletView;
use crate::wallets::Custody;

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
    /// Aster's credentials.
    pub aster: Registrar,
    /// Hyperliquid's credentials.
    pub hyperliquid: Registrar,
}

impl Registrars {
    /// Makes the clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>, spender: Spender) -> Result<Self, ConfigError> {
        let custody = Custody::from_env(runtime)?;
        Ok(Self {
            aster: Registrar::aster_from_env(&runtime.env, custody.clone(), spender)?,
            hyperliquid: Registrar::hyperliquid_from_env(&runtime.env, custody, spender)?,
        })
    }

    /// Returns the credentials of one exchange. `None` for one at which no wallet is registered.
    #[must_use]
    pub const fn of(&self, exchange: Exchange) -> Option<&Registrar> {
        match exchange {
            Exchange::Aster => Some(&self.aster),
            Exchange::Hyperliquid => Some(&self.hyperliquid),
            Exchange::Lighter => None,
        }
    }
}

impl Registrar {
    /// Returns Aster's credentials, with a client from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn aster_from_env(
        env: &Env<'_>,
        custody: Custody,
        spender: Spender,
    ) -> Result<Self, ConfigError> {
        let client = aster::Client::new(&AsterConfig::from_env(env)?, &custody.clock);
        let budget = BudgetConfig::from_env(env)?;
        Ok(Self::aster(custody, client, &budget, spender))
    }

    /// Returns Hyperliquid's credentials, with a client from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn hyperliquid_from_env(
        env: &Env<'_>,
        custody: Custody,
        spender: Spender,
    ) -> Result<Self, ConfigError> {
        let client = hyperliquid::Client::new(&HyperliquidConfig::from_env(env)?, &custody.clock);
        let budget = BudgetConfig::from_env(env)?;
        Ok(Self::hyperliquid(custody, client, &budget, spender))
    }

    /// Returns Aster's credentials.
    #[must_use]
    pub fn aster(
        custody: Custody,
        client: aster::Client,
        budget: &BudgetConfig,
        spender: Spender,
    ) -> Self {
        let budget = budget_of(&custody, Exchange::Aster, budget, spender);
        Self { client: ExchangeClient::new(client, budget), custody }
    }

    /// Returns Hyperliquid's credentials.
    #[must_use]
    pub fn hyperliquid(
        custody: Custody,
        client: hyperliquid::Client,
        budget: &BudgetConfig,
        spender: Spender,
    ) -> Self {
        let budget = budget_of(&custody, Exchange::Hyperliquid, budget, spender);
        Self { client: ExchangeClient::new(client, budget), custody }
    }

    /// Replaces an exchange's refusal by a clock error, when the refused value depends on the
    /// clock (a nonce or an expiry) and the local clock is wrong.
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

    /// Finds a tenant's wallet, and adds it to the request's log line.
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

/// An active credential.
#[derive(Debug)]
pub struct Registered {
    /// The wallet that approved it.
    pub wallet: Address,
    /// The agent's key; `None` for an API key of Aster's V1.
    pub agent: Option<AgentKey>,
    /// Start of its activity, Unix milliseconds.
    pub created_at_ms: u64,
    /// Expiry, Unix milliseconds.
    pub expires_at_ms: u64,
}
