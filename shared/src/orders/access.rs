//! The wallet of a request, its credential, and its agent's key.

use std::sync::Arc;

use domain::builder::Builder;
use domain::eth::{Address, AgentKey};
use domain::ids::{Exchange, WalletRef};
use platform::envelope::Sealed;

use super::client::wire::Wire;
use super::{CredentialGap, TradeError, Trader};
use crate::caller::{Caller, note_wallet};
use crate::exchanges::lighter::Credential;
use crate::store::{
    AgentRecord, CredentialRecord, CredentialState, TradingAccount, TradingView, WalletRecord,
};
use crate::trading::ids::OrderKey;
use crate::trading::ledger::Ledger;

/// The key that signs calls.
pub(super) enum SigningKey {
    /// The key of a wallet's agent.
    Agent(AgentKey),
    /// The key that the caller brings, on Lighter.
    Caller(Arc<Credential>),
}

impl SigningKey {
    /// Returns the key of an agent.
    pub(super) const fn agent(&self) -> Result<&AgentKey, TradeError> {
        match self {
            Self::Agent(key) => Ok(key),
            Self::Caller(_) => Err(TradeError::DamagedOrder("a key of another exchange")),
        }
    }

    /// Returns the name of the key in records.
    pub(super) fn address(&self) -> Result<Address, TradeError> {
        match self {
            Self::Agent(key) => Ok(key.address()),
            Self::Caller(credential) => {
                credential.fingerprint().map_err(|_| TradeError::DamagedKey)
            }
        }
    }

    /// Returns the key of a caller.
    pub(super) fn caller(&self) -> Result<&Credential, TradeError> {
        match self {
            Self::Caller(credential) => Ok(credential),
            Self::Agent(_) => Err(TradeError::DamagedOrder("a key of another exchange")),
        }
    }
}

/// Omits the key.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl Trader {
    /// Finds a caller's wallet. It reads nothing for a wallet id, whose existence
    /// [`Trader::view`] checks.
    pub(super) async fn account(
        &self,
        caller: &Caller,
        name: &WalletRef,
    ) -> Result<TradingAccount, TradeError> {
        let wallet_id = self.store.resolve(&caller.tenant, name).await?;
        let wallet_id = wallet_id.ok_or(TradeError::WalletNotFound)?;
        let (tenant, exchange) = (caller.tenant.clone(), self.exchange());
        Ok(TradingAccount { tenant, wallet_id, exchange })
    }

    /// Reads everything that decides about these orders, in one call, and adds the wallet to the
    /// request's log line.
    pub(super) async fn view(
        &self,
        account: &TradingAccount,
        orders: &[OrderKey],
    ) -> Result<TradingView, TradeError> {
        let view = self.store.trading_view(account, orders, self.clock()).await?;
        let view = view.ok_or(TradeError::WalletNotFound)?;
        if let Some(wallet) = &view.wallet {
            note_wallet(wallet);
        }
        tracing::Span::current().record("exchange", self.exchange().as_str());
        Ok(view)
    }

    /// Returns the credential, if its agent can sign calls now. `None` means that the caller brings the
    /// key.
    pub(super) fn credential<'a>(
        &self,
        view: &'a TradingView,
    ) -> Result<Option<&'a CredentialRecord>, TradeError> {
        let gap = |gap| Err(TradeError::NoCredential(gap));
        if let Wire::Lighter(client) = &self.client.wire {
            return if client.credential().is_some() {
                Ok(None)
            } else {
                gap(CredentialGap::Missing)
            };
        }
        let Some(credential) = &view.credential else { return gap(CredentialGap::Missing) };
        match credential.state {
            CredentialState::Pending => gap(CredentialGap::Pending),
            CredentialState::Revoking => gap(CredentialGap::Revoking),
            _ if credential.is_v1() => Err(TradeError::CredentialV1),
            _ if credential.expires_at_ms <= self.now_ms() => gap(CredentialGap::Expired),
            CredentialState::Active | CredentialState::Rotating => Ok(Some(credential)),
        }
    }

    /// Returns the builder that an order of this credential carries: the deployment's, with a fee that
    /// the wallet has approved. A wallet that has approved another builder, or none, carries none. Nor
    /// does one whose builder the exchange has refused lately.
    pub(super) fn builder_of(
        &self,
        credential: &CredentialRecord,
        ledger: &Ledger,
    ) -> Option<Builder> {
        let (wanted, approved) = (self.builder?, credential.builder?);
        if approved.address != wanted.address
            || ledger.omits_builder(credential.agent, self.now_ms())
        {
            return None;
        }
        Some(Builder { fee: wanted.fee.min(approved.fee), ..wanted })
    }

    /// Opens the key of the credential's agent, or returns the caller's.
    pub(super) async fn key(&self, view: &TradingView) -> Result<SigningKey, TradeError> {
        let missing = || TradeError::NoCredential(CredentialGap::Missing);
        match (self.credential(view)?, self.caller_key()) {
            (Some(credential), _) => {
                let wallet = view.wallet.as_ref().ok_or(TradeError::WalletNotFound)?;
                let key = self.open(wallet, credential.agent, &credential.sealed).await?;
                Ok(SigningKey::Agent(key))
            }
            (None, key) => key.ok_or_else(missing),
        }
    }

    /// Returns the key that the caller of this trader brings.
    fn caller_key(&self) -> Option<SigningKey> {
        match &self.client.wire {
            Wire::Lighter(client) => client.shared_credential().map(SigningKey::Caller),
            Wire::Aster(_) | Wire::Hyperliquid(_) => None,
        }
    }

    /// Opens the key for a question about the wallet. Hyperliquid needs none. The job has no key of a
    /// caller, and Lighter answers questions about a transaction without one.
    pub(super) async fn key_to_ask(
        &self,
        view: &TradingView,
    ) -> Result<Option<SigningKey>, TradeError> {
        match self.exchange() {
            Exchange::Aster => self.key(view).await.map(Some),
            Exchange::Hyperliquid => Ok(None),
            Exchange::Lighter => Ok(self.caller_key()),
        }
    }

    /// Opens the key of an agent, which may be a previous one. `None` means that the service no
    /// longer has it.
    pub(super) async fn key_of(
        &self,
        view: &TradingView,
        agent: Address,
    ) -> Result<Option<SigningKey>, TradeError> {
        let credential = view.credential.as_ref().filter(|it| !it.is_v1());
        let (Some(credential), Some(wallet)) = (credential, &view.wallet) else {
            return Ok(None);
        };
        let others = credential.next.iter().chain(&credential.retiring);
        let is_it = |other: &&AgentRecord| other.agent == agent;
        let sealed = if credential.agent == agent {
            Some(&credential.sealed)
        } else {
            others.into_iter().find(is_it).map(|other| &other.sealed)
        };
        match sealed {
            Some(sealed) => Ok(Some(SigningKey::Agent(self.open(wallet, agent, sealed).await?))),
            None => Ok(None),
        }
    }

    async fn open(
        &self,
        wallet: &WalletRecord,
        agent: Address,
        sealed: &Sealed,
    ) -> Result<AgentKey, TradeError> {
        let context = CredentialRecord::context(wallet, self.exchange(), agent);
        let now_ms = self.now_ms();
        let bytes = self.envelope.open_cached(&self.keys, &context, sealed, now_ms).await?;
        let key = AgentKey::from_bytes(&bytes).map_err(TradeError::UnreadableKey)?;
        if key.address() == agent { Ok(key) } else { Err(TradeError::DamagedKey) }
    }
}

/// Returns an error if an operator has frozen the wallet. A freeze after a fault of the protocol
/// concerns the main key only, so trading continues.
pub(super) fn ensure_not_frozen(wallet: Option<&WalletRecord>) -> Result<(), TradeError> {
    match wallet.and_then(|wallet| wallet.operator_freeze.as_ref()) {
        Some(_) => Err(TradeError::WalletFrozen),
        None => Ok(()),
    }
}
