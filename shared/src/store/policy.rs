//! Storage of trading policies, apart from the wallets: `tenant#P` with the sort key `tenant`, or
//! `wallet#walletId` for a wallet's own.

use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::{Random, RandomError};
use platform::items::StoreError;
use uuid::Uuid;

use super::Store;
use crate::trading::policy::{Loosening, Policy, PolicyFields, PolicyRecord};

/// The policies of a tenant and of one of its wallets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TradingPolicies {
    /// The tenant's.
    pub tenant: Option<PolicyRecord>,
    /// The wallet's own, which replaces single fields of the tenant's.
    pub wallet: Option<PolicyRecord>,
}

impl TradingPolicies {
    /// Returns the policy in effect at a time.
    #[must_use]
    pub fn effective(&self, now_ms: u64) -> Policy;
}

/// A change of a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyChange {
    /// The tenant.
    pub tenant: Tenant,
    /// The wallet whose own policy changes; `None` changes the tenant's.
    pub wallet_id: Option<Uuid>,
    /// All fields of the new policy.
    pub fields: PolicyFields,
    /// Whether the caller may loosen a policy.
    pub may_loosen: bool,
    /// How long a looser policy waits, in milliseconds.
    pub delay_ms: u64,
}

/// Why a policy was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The caller may only tighten the policy.
    #[error("the change loosens the trading policy, and the caller may only tighten it")]
    MayNotLoosen,
    /// Other writers changed the policy at the same time, until the last attempt.
    #[error("other writers changed the trading policy at the same time")]
    Overtaken,
    /// The system returned no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The table could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Reads the policies of a tenant and, if one is named, of a wallet.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn trading_policies(
        &self,
        tenant: &Tenant,
        wallet_id: Option<Uuid>,
        clock: &Clock,
    ) -> Result<TradingPolicies, StoreError>;

    /// Changes a policy: at once when the change loosens nothing, otherwise after the delay. Returns
    /// the policies after it. A change to the fields that are in effect writes nothing, unless it
    /// drops fields that are pending.
    ///
    /// # Errors
    /// When the caller may not loosen the policy, other writers win until the last attempt, or the
    /// table fails.
    pub async fn change_trading_policy(
        &self,
        change: &PolicyChange,
        clock: &Clock,
        random: &Random,
    ) -> Result<(TradingPolicies, Loosening), PolicyError>;
}
