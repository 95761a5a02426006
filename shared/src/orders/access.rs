//! The wallet of a request, its credential, and its agent's key.

use domain::builder::Builder;
use domain::eth::{Address, AgentKey};
use domain::ids::{Exchange, WalletRef};
use platform::envelope::Sealed;

use super::{CredentialGap, TradeError, Trader};
use crate::caller::{Caller, note_wallet};
use crate::store::{
    AgentRecord, CredentialRecord, CredentialState, TradingAccount, TradingView, WalletRecord,
};
use crate::trading::ids::OrderKey;
use crate::trading::ledger::Ledger;

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
        note_wallet(&view.wallet);
        tracing::Span::current().record("exchange", self.exchange().as_str());
        Ok(view)
    }

    /// Returns the credential, if its agent can sign calls now.
    pub(super) fn credential<'a>(
        &self,
        view: &'a TradingView,
    ) -> Result<&'a CredentialRecord, TradeError> {
        let gap = |gap| Err(TradeError::NoCredential(gap));
        let Some(credential) = &view.credential else { return gap(CredentialGap::Missing) };
        match credential.state {
            CredentialState::Pending => gap(CredentialGap::Pending),
            CredentialState::Revoking => gap(CredentialGap::Revoking),
            _ if credential.is_v1() => Err(TradeError::CredentialV1),
            _ if credential.expires_at_ms <= self.now_ms() => gap(CredentialGap::Expired),
            CredentialState::Active | CredentialState::Rotating => Ok(credential),
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

    /// Opens the key of the credential's agent.
    pub(super) async fn key(&self, view: &TradingView) -> Result<AgentKey, TradeError> {
        let credential = self.credential(view)?;
        self.open(&view.wallet, credential.agent, &credential.sealed).await
    }

    /// Opens the key for a question about the wallet. Hyperliquid needs none.
    pub(super) async fn key_to_ask(
        &self,
        view: &TradingView,
    ) -> Result<Option<AgentKey>, TradeError> {
        match self.exchange() {
            Exchange::Aster => self.key(view).await.map(Some),
            Exchange::Hyperliquid => Ok(None),
        }
    }

    /// Opens the key of an agent, which may be a previous one. `None` means that the service no
    /// longer has it.
    pub(super) async fn key_of(
        &self,
        view: &TradingView,
        agent: Address,
    ) -> Result<Option<AgentKey>, TradeError> {
        let Some(credential) = view.credential.as_ref().filter(|it| !it.is_v1()) else {
            return Ok(None);
        };
        if credential.agent == agent {
            return self.open(&view.wallet, agent, &credential.sealed).await.map(Some);
        }
        let others = credential.next.iter().chain(&credential.retiring);
        let is_it = |other: &&AgentRecord| other.agent == agent;
        match others.into_iter().find(is_it) {
            Some(other) => self.open(&view.wallet, agent, &other.sealed).await.map(Some),
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
pub(super) const fn ensure_not_frozen(wallet: &WalletRecord) -> Result<(), TradeError> {
    if wallet.operator_freeze.is_some() { Err(TradeError::WalletFrozen) } else { Ok(()) }
}
