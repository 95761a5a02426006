//! Reads of orders and of everything that decides about them.

use domain::clock::Clock;
use platform::items::StoreError;

use super::super::{CredentialRecord, Store, WalletRecord};
use super::{OrderRecord, TradingAccount};
use crate::trading::ids::{ClientOrderId, OrderKey};
use crate::trading::ledger::Ledger;
use crate::trading::policy::{Policy, PolicyRecord};

/// Everything that decides about an order, from one consistent read of each item.
#[derive(Clone, Debug)]
pub struct TradingView {
    /// The wallet.
    pub wallet: WalletRecord,
    /// Its credential for the exchange.
    pub credential: Option<CredentialRecord>,
    /// Its ledger at the exchange.
    pub ledger: Ledger,
    /// The tenant's policy.
    pub tenant_policy: Option<PolicyRecord>,
    /// The wallet's own policy, which replaces single fields of the tenant's.
    pub wallet_policy: Option<PolicyRecord>,
    /// The orders that were asked for and exist.
    pub orders: Vec<OrderRecord>,
}

impl TradingView {
    /// Returns the policy in effect at a time.
    #[must_use]
    pub fn policy(&self, now_ms: u64) -> Policy;

    /// Returns an order that was asked for, unless its record has expired.
    #[must_use]
    pub fn order(&self, id: &ClientOrderId, now_ms: u64) -> Option<&OrderRecord>;
}

impl Store {
    /// Reads everything that decides about orders of a wallet, with the records of these orders, in
    /// one call. Returns `None` when the tenant has no such wallet.
    ///
    /// # Errors
    /// Fails when the table cannot be read; [`StoreError::Busy`] when it leaves items out repeatedly.
    pub async fn trading_view(
        &self,
        account: &TradingAccount,
        orders: &[OrderKey],
        clock: &Clock,
    ) -> Result<Option<TradingView>, StoreError>;

    /// Returns the records of these orders that exist, in any sequence. It includes expired ones
    /// that are not dropped yet.
    ///
    /// # Errors
    /// As [`Store::trading_view`].
    pub async fn orders_by_keys(
        &self,
        account: &TradingAccount,
        orders: &[OrderKey],
        clock: &Clock,
    ) -> Result<Vec<OrderRecord>, StoreError>;
}
