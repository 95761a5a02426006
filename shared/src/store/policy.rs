//! Storage of trading policies.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#P` | `tenant` | the tenant's [`PolicyRecord`] |
//! | `tenant#P` | `wallet#walletId` | a wallet's own, which tightens single fields |

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::{Random, RandomError};
use platform::items::{Item, StoreError, from_item, put_error, unavailable};
use uuid::Uuid;

use super::tenant_writes::TRIES;
use super::{RECORD, Store, key, to_item, wallet_key};
use crate::trading::policy::{
    FieldsChange, Loosening, MayNotLoosen, Policy, PolicyFields, PolicyRecord, Setting,
};

pub(super) const TENANT_POLICY: &str = "tenant";
pub(super) const WALLET_POLICY: &str = "wallet#";

pub(super) fn policy_partition(tenant: &Tenant) -> String {
    format!("{tenant}#P")
}

pub(super) fn wallet_policy(wallet_id: Uuid) -> String {
    format!("{WALLET_POLICY}{wallet_id}")
}

/// The policies of a tenant and of one of its wallets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TradingPolicies {
    /// The tenant's.
    pub tenant: Option<PolicyRecord>,
    /// The wallet's own, which tightens single fields of the tenant's, or replaces them as far as an
    /// admin has allowed it.
    pub wallet: Option<PolicyRecord>,
}

impl TradingPolicies {
    /// Returns the tenant's fields in effect at a time, which a wallet's missing fields inherit.
    #[must_use]
    pub fn tenant_fields(&self, now_ms: u64) -> PolicyFields {
        setting(self.tenant.as_ref(), now_ms).policy
    }

    /// Returns the policy in effect at a time.
    #[must_use]
    pub fn effective(&self, now_ms: u64) -> Policy {
        let tenant = self.tenant_fields(now_ms);
        match &self.wallet {
            Some(wallet) => wallet.setting_at(now_ms).effective(Some(&tenant)),
            None => tenant.effective(),
        }
    }
}

fn setting(record: Option<&PolicyRecord>, now_ms: u64) -> Setting {
    record.map(|record| record.setting_at(now_ms)).unwrap_or_default()
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
    /// The tenant has no such wallet.
    #[error("wallet not found")]
    NoWallet,
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
    /// Reads the policies of a tenant and, if one is named, of a wallet. Returns `None` when the
    /// tenant has no such wallet.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn trading_policies(
        &self,
        tenant: &Tenant,
        wallet_id: Option<Uuid>,
        clock: &Clock,
    ) -> Result<Option<TradingPolicies>, StoreError> {
        let partition = policy_partition(tenant);
        let mut keys = vec![key(&partition, TENANT_POLICY)];
        keys.extend(wallet_id.map(|wallet_id| key(&partition, &wallet_policy(wallet_id))));
        let exists = async {
            match wallet_id {
                Some(wallet_id) => self.has_wallet(tenant, wallet_id).await,
                None => Ok(true),
            }
        };
        let (items, exists) = tokio::try_join!(self.batch_get(keys, clock), exists)?;
        let mut policies = TradingPolicies::default();
        for item in items {
            let sort = item.get("sk").and_then(|sort| sort.as_s().ok());
            if sort.is_some_and(|sort| sort == TENANT_POLICY) {
                policies.tenant = Some(from_item("policy", item)?);
            } else {
                policies.wallet = Some(from_item("policy", item)?);
            }
        }
        Ok(exists.then_some(policies))
    }

    /// Returns whether a tenant has this wallet. The call returns a count and no attribute, so the
    /// role of a function that changes policies needs no access to the wallet's sealed keys.
    async fn has_wallet(&self, tenant: &Tenant, wallet_id: Uuid) -> Result<bool, StoreError> {
        let partition = AttributeValue::S(wallet_key(tenant, wallet_id));
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk = :record")
            .expression_attribute_values(":pk", partition)
            .expression_attribute_values(":record", AttributeValue::S(RECORD.to_owned()))
            .consistent_read(true)
            .select(Select::Count)
            .send()
            .await
            .map_err(unavailable)?;
        Ok(output.count > 0)
    }

    /// Changes a policy: at once when the change loosens nothing, otherwise after the delay. Returns
    /// the policies after it, and whether the change waits. A repeated change writes nothing, so it
    /// does not start its delay again.
    ///
    /// # Errors
    /// When the tenant has no such wallet, the caller may not loosen the policy, other writers win
    /// until the last attempt, or the table fails.
    pub async fn change_trading_policy(
        &self,
        change: &PolicyChange,
        clock: &Clock,
        random: &Random,
    ) -> Result<(TradingPolicies, Loosening), PolicyError> {
        for _ in 0..TRIES {
            let policies = self.trading_policies(&change.tenant, change.wallet_id, clock).await?;
            let mut policies = policies.ok_or(PolicyError::NoWallet)?;
            let now_ms = clock.now_ms();
            let tenant = change.wallet_id.map(|_| policies.tenant_fields(now_ms));
            let known = match change.wallet_id {
                Some(_) => &mut policies.wallet,
                None => &mut policies.tenant,
            };
            let revision = random.uuid()?;
            let present = known.clone().unwrap_or_else(|| PolicyRecord::empty(revision));
            let fields = FieldsChange {
                fields: change.fields.clone(),
                tenant: tenant.as_ref(),
                may_loosen: change.may_loosen,
                now_ms,
                delay_ms: change.delay_ms,
            };
            let changed = present.changed(&fields, revision);
            let (next, loosening) = changed.map_err(|MayNotLoosen| PolicyError::MayNotLoosen)?;
            if is_repeated(&present, &next, now_ms) {
                return Ok((policies, loosening));
            }
            let seen = known.as_ref().map(|known| known.rev);
            match self.put_policy(change, &next, seen).await {
                Ok(()) => {
                    *known = Some(next);
                    return Ok((policies, loosening));
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(PolicyError::Overtaken)
    }

    async fn put_policy(
        &self,
        change: &PolicyChange,
        record: &PolicyRecord,
        seen: Option<Uuid>,
    ) -> Result<(), StoreError> {
        let sort = change.wallet_id.map_or_else(|| TENANT_POLICY.to_owned(), wallet_policy);
        let item: Item = to_item(&policy_partition(&change.tenant), &sort, record)?;
        let put = self.db.put_item().table_name(&self.table).set_item(Some(item));
        // An SDK retry after a lost response finds its own revision, which is not a conflict.
        let put = match seen {
            None => put.condition_expression("attribute_not_exists(pk) OR rev = :own"),
            Some(seen) => put
                .condition_expression("rev = :seen OR rev = :own")
                .expression_attribute_values(":seen", AttributeValue::S(seen.to_string())),
        };
        put.expression_attribute_values(":own", AttributeValue::S(record.rev.to_string()))
            .send()
            .await
            .map_err(put_error)?;
        Ok(())
    }
}

/// Returns whether a change leaves everything as it is: what is in effect, and what is pending with
/// its start.
fn is_repeated(present: &PolicyRecord, next: &PolicyRecord, now_ms: u64) -> bool {
    present.setting_at(now_ms) == next.setting_at(now_ms)
        && present.pending_at(now_ms) == next.pending_at(now_ms)
}
