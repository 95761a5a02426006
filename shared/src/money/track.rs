//! The state of payments, and the clients with which it is found out. It signs no payment.

use std::sync::Arc;

use domain::clock::Clock;
use domain::eth::AgentKey;
use domain::ids::{Exchange, WalletRef};
use domain::intent::HyperliquidChain;
use domain::money::{Chains as Networks, PaymentId};
use domain::random::Random;
use platform::env::{ConfigError, Env};
use platform::envelope::{Envelope, KeyCache};
use platform::networks::Networks as ExchangeNetworks;

use super::agent::Agents;
use super::calls::Calls;
use super::{LEASE_MS, MoneyError};
use crate::caller::{Caller, note_wallet};
use crate::evm::Chains;
use crate::exchanges::aster::money as aster;
use crate::exchanges::budget::{Budget, BudgetConfig, Spender};
use crate::exchanges::hyperliquid::money as hyperliquid;
use crate::exchanges::{AsterConfig, HyperliquidConfig, order_timeout_ms};
use crate::runtime::Runtime;
use crate::store::{
    CredentialRecord, PaymentAccount, PaymentPlace, PaymentRecord, Store, TradingAccount,
    WalletRecord,
};
use crate::wallets::envelope_from_env;

/// The dependencies of a [`Tracker`].
#[derive(Clone, Debug)]
pub struct TrackerParts {
    /// The wallets' table.
    pub store: Store,
    /// KMS key A, which seals the agents' keys. Only Aster needs it.
    pub envelope: Envelope,
    /// The data keys of agents' keys.
    pub keys: KeyCache,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub random: Random,
    /// The sizes of the exchanges' budgets.
    pub budget: BudgetConfig,
    /// The initiator of the spending.
    pub spender: Spender,
    /// Timeout of a call that pays, in milliseconds.
    pub send_timeout_ms: u64,
    /// The networks of the exchanges.
    pub networks: Networks,
    /// The chains that the deployment can reach.
    pub chains: Chains,
}

impl TrackerParts {
    /// Makes the dependencies from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing or invalid variable.
    pub fn from_env(runtime: &Runtime<'_>, spender: Spender) -> Result<Self, ConfigError> {
        let env = &runtime.env;
        Ok(Self {
            store: Store::from_env(env)?,
            envelope: envelope_from_env(runtime)?,
            keys: KeyCache::from_env(env)?,
            clock: runtime.clock.clone(),
            random: runtime.random.clone(),
            budget: BudgetConfig::from_env(env)?,
            spender,
            send_timeout_ms: order_timeout_ms(env)?,
            networks: networks_from_env(env)?,
            chains: Chains::default(),
        })
    }
}

fn networks_from_env(env: &Env<'_>) -> Result<Networks, ConfigError> {
    let ExchangeNetworks { hyperliquid, aster } = ExchangeNetworks::from_env(env)?;
    Ok(Networks { hyperliquid, aster })
}

/// The calls of a place.
#[derive(Clone, Debug)]
pub(super) enum Wire {
    Hyperliquid(Calls<hyperliquid::MoneyClient>),
    Aster(Calls<aster::MoneyClient>),
    Evm,
}

/// A payment with its wallet.
#[derive(Clone, Debug)]
pub struct PaymentView {
    /// The wallet.
    pub wallet: WalletRecord,
    /// The payment.
    pub record: PaymentRecord,
}

/// The payments of one place. Clones share connections.
#[derive(Clone, Debug)]
pub struct Tracker {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) networks: Networks,
    pub(super) chains: Arc<Chains>,
    pub(super) wire: Wire,
    agents: Agents,
}

/// A wallet with its credential at the place.
pub(super) struct Holder {
    pub(super) account: PaymentAccount,
    pub(super) wallet: WalletRecord,
    pub(super) credential: Option<CredentialRecord>,
}

impl Tracker {
    /// Returns the payments at Hyperliquid.
    #[must_use]
    pub fn hyperliquid(parts: TrackerParts, config: &HyperliquidConfig) -> Self {
        let client = hyperliquid::MoneyClient::new(config, parts.send_timeout_ms, &parts.clock);
        let calls = calls(&parts, client, Exchange::Hyperliquid);
        Self::new(parts, Wire::Hyperliquid(calls))
    }

    /// Returns the payments at Aster.
    #[must_use]
    pub fn aster(parts: TrackerParts, config: &AsterConfig) -> Self {
        let timeout_ms = parts.send_timeout_ms;
        let client = aster::MoneyClient::new(config, timeout_ms, &parts.clock, &parts.random);
        let calls = calls(&parts, client, Exchange::Aster);
        Self::new(parts, Wire::Aster(calls))
    }

    /// Returns the payments on EVM chains.
    #[must_use]
    pub fn evm(parts: TrackerParts) -> Self {
        Self::new(parts, Wire::Evm)
    }

    /// Returns the payments at Hyperliquid, with clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing or invalid variable.
    pub fn hyperliquid_from_env(
        runtime: &Runtime<'_>,
        spender: Spender,
    ) -> Result<Self, ConfigError> {
        let parts = TrackerParts::from_env(runtime, spender)?;
        Ok(Self::hyperliquid(parts, &HyperliquidConfig::from_env(&runtime.env)?))
    }

    /// Returns the payments at Aster, with clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing or invalid variable.
    pub fn aster_from_env(runtime: &Runtime<'_>, spender: Spender) -> Result<Self, ConfigError> {
        let parts = TrackerParts::from_env(runtime, spender)?;
        Ok(Self::aster(parts, &AsterConfig::from_env(&runtime.env)?))
    }

    /// Returns the payments on EVM chains, with clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing or invalid variable.
    pub fn evm_from_env(runtime: &Runtime<'_>, spender: Spender) -> Result<Self, ConfigError> {
        let mut parts = TrackerParts::from_env(runtime, spender)?;
        parts.chains = Chains::from_env(&runtime.env, &runtime.clock)?;
        Ok(Self::evm(parts))
    }

    fn new(parts: TrackerParts, wire: Wire) -> Self {
        let TrackerParts { store, envelope, keys, clock, random, networks, chains, .. } = parts;
        let agents = Agents { envelope, keys };
        Self { store, clock, random, networks, chains: Arc::new(chains), wire, agents }
    }

    /// Returns the place.
    #[must_use]
    pub const fn place(&self) -> PaymentPlace {
        match self.wire {
            Wire::Hyperliquid(_) => PaymentPlace::Hyperliquid,
            Wire::Aster(_) => PaymentPlace::Aster,
            Wire::Evm => PaymentPlace::Evm,
        }
    }

    /// Returns the chain of a withdrawal from Hyperliquid that names none: Arbitrum on its network.
    #[must_use]
    pub const fn withdrawal_chain(&self) -> u64 {
        match self.networks.hyperliquid {
            HyperliquidChain::Mainnet => 42_161,
            HyperliquidChain::Testnet => 421_614,
        }
    }

    /// Returns the table.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the clock.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Finds a caller's wallet with its credential, and adds it to the request's log line.
    pub(super) async fn holder(
        &self,
        caller: &Caller,
        name: &WalletRef,
    ) -> Result<Holder, MoneyError> {
        let wallet_id = self.store.resolve(&caller.tenant, name).await?;
        let wallet_id = wallet_id.ok_or(MoneyError::WalletNotFound)?;
        let (tenant, place) = (caller.tenant.clone(), self.place());
        let holder = self.holder_of(PaymentAccount { tenant, wallet_id, place }).await?;
        note_wallet(&holder.wallet);
        Ok(holder)
    }

    /// Reads the wallet of payments.
    pub(super) async fn holder_of(&self, account: PaymentAccount) -> Result<Holder, MoneyError> {
        let exchange = match account.place {
            // The credential of a chain does not exist; the one of Aster is not used.
            PaymentPlace::Aster | PaymentPlace::Evm => Exchange::Aster,
            PaymentPlace::Hyperliquid => Exchange::Hyperliquid,
        };
        let (tenant, wallet_id) = (account.tenant.clone(), account.wallet_id);
        let trading = TradingAccount { tenant, wallet_id, exchange };
        let view = self.store.trading_view(&trading, &[], &self.clock).await?;
        let view = view.ok_or(MoneyError::WalletNotFound)?;
        let wallet = view.wallet.ok_or(MoneyError::WalletNotFound)?;
        Ok(Holder { account, wallet, credential: view.credential })
    }

    /// Opens the key of the agent that asks Aster. `None` at the other places, and for a wallet
    /// without a usable trading key.
    pub(super) async fn agent(&self, holder: &Holder) -> Result<Option<AgentKey>, MoneyError> {
        if self.place() != PaymentPlace::Aster {
            return Ok(None);
        }
        let credential = holder.credential.as_ref();
        match self.agents.open(&holder.wallet, credential, self.now_ms()).await {
            Ok(key) => Ok(Some(key)),
            Err(MoneyError::NoAgent) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns a payment of a wallet. The outcome of an open one is looked for once; a failure of
    /// that is logged, and the payment is returned in its known state.
    ///
    /// # Errors
    /// Fails when the wallet or the payment does not exist, or the table cannot be read.
    pub async fn view(
        &self,
        caller: &Caller,
        name: &WalletRef,
        id: &PaymentId,
    ) -> Result<PaymentView, MoneyError> {
        let holder = self.holder(caller, name).await?;
        let record = self.store.payment(&holder.account, id).await?;
        let record = record.ok_or(MoneyError::PaymentNotFound)?;
        let record = self.refreshed(&holder, record).await;
        Ok(PaymentView { wallet: holder.wallet, record })
    }

    /// Returns a payment after one look for its outcome, if no other call works on it.
    pub(super) async fn refreshed(&self, holder: &Holder, record: PaymentRecord) -> PaymentRecord {
        if !record.state.is_open() || self.now_ms() < record.lease_until_ms {
            return record;
        }
        match self.resolve(holder, record.clone()).await {
            Ok(resolved) => resolved,
            Err(error) => {
                tracing::warn!(%error, "the outcome of a payment was not found");
                record
            }
        }
    }

    /// Takes a payment over, so that no other call works on it until the lease ends. `None` means
    /// that another call was faster.
    pub(super) async fn take_over(
        &self,
        account: &PaymentAccount,
        record: PaymentRecord,
    ) -> Result<Option<PaymentRecord>, MoneyError> {
        let seen = record.revision;
        let lease_until_ms = self.now_ms() + LEASE_MS;
        let taken = PaymentRecord { revision: self.random.uuid()?, lease_until_ms, ..record };
        match self.store.put_payment(account, &taken, Some(seen)).await {
            Ok(()) => Ok(Some(taken)),
            Err(platform::items::StoreError::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn calls<C>(parts: &TrackerParts, client: C, exchange: Exchange) -> Calls<C> {
    let TrackerParts { store, budget, spender, clock, random, .. } = parts;
    let (clock, random) = (clock.clone(), random.clone());
    let budget = Budget::new(store.clone(), exchange, budget, *spender, clock.clone(), random);
    Calls { client, budget, exchange, clock }
}
