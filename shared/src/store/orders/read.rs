//! Reads of orders and of everything that decides about them.

use std::collections::BTreeSet;

use domain::clock::Clock;
use domain::eth::Address;
use domain::ids::Exchange;
use platform::items::{Item, StoreError, from_item};

use super::super::credentials::sort_key;
use super::super::policy::{
    TENANT_POLICY, TradingPolicies, WALLET_POLICY, policy_partition, wallet_policy,
};
use super::super::{CredentialRecord, RECORD, Store, WalletRecord, key, wallet_key};
use super::{LEDGER, ORDER, OrderRecord, TradingAccount, parse_order};
use crate::trading::ids::{ClientOrderId, OrderKey};
use crate::trading::ledger::Ledger;
use crate::trading::policy::Policy;

/// Everything that decides about an order, from one consistent read of each item.
#[derive(Clone, Debug)]
pub struct TradingView {
    /// The wallet. `None` on Lighter, where the account takes its place.
    pub wallet: Option<WalletRecord>,
    /// Its credential for the exchange.
    pub credential: Option<CredentialRecord>,
    /// Its ledger at the exchange.
    pub ledger: Ledger,
    /// The policies of the tenant and of the wallet.
    pub policies: TradingPolicies,
    /// The orders that were asked for and exist, also expired ones.
    pub orders: Vec<OrderRecord>,
    /// The time before the read, Unix milliseconds.
    pub read_at_ms: u64,
}

impl TradingView {
    /// Returns the wallet's address; zero on Lighter.
    #[must_use]
    pub fn address(&self) -> Address {
        self.wallet.as_ref().map_or(Address::ZERO, |wallet| wallet.address)
    }

    /// Returns the policy in effect at a time.
    #[must_use]
    pub fn policy(&self, now_ms: u64) -> Policy {
        self.policies.effective(now_ms)
    }

    /// Returns an order that was asked for, unless its record has expired.
    #[must_use]
    pub fn order(&self, id: &ClientOrderId, now_ms: u64) -> Option<&OrderRecord> {
        let mut orders = self.orders.iter();
        orders.find(|order| order.client_order_id == *id && !order.is_expired(now_ms))
    }
}

impl Store {
    /// Reads everything that decides about orders of a wallet, with the records of these orders, in
    /// one call. Returns `None` when the tenant has no such wallet. An account at Lighter has no wallet
    /// and no credential of this kind.
    ///
    /// # Errors
    /// Fails when the table cannot be read, or an item cannot be parsed.
    pub async fn trading_view(
        &self,
        account: &TradingAccount,
        orders: &[OrderKey],
        clock: &Clock,
    ) -> Result<Option<TradingView>, StoreError> {
        let policies = policy_partition(&account.tenant);
        let mut keys = vec![account.ledger_key(), key(&policies, TENANT_POLICY)];
        let has_wallet = account.exchange != Exchange::Lighter;
        if has_wallet {
            let wallet = wallet_key(&account.tenant, account.wallet_id);
            keys.push(key(&wallet, RECORD));
            keys.push(key(&wallet, &sort_key(account.exchange)));
            keys.push(key(&policies, &wallet_policy(account.wallet_id)));
        }
        keys.extend(order_keys(account, orders));
        let read_at_ms = clock.now_ms();
        let view = view(self.batch_get(keys, clock).await?, read_at_ms)?;
        Ok((view.wallet.is_some() || !has_wallet).then_some(view))
    }

    /// Returns whether a wallet has a ledger at an exchange. Without one, no order has a record.
    ///
    /// Each record of an order is first stored by [`Store::reserve`], in one transaction with the
    /// ledger, and nothing deletes a ledger. The read is strongly consistent. So when it finds no
    /// ledger, no order was reserved before it, and no signed byte of one was sent. An order that is
    /// reserved after the read has a lease, and [`Store::due_orders`] leaves it out as well.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn has_ledger(
        &self,
        account: &TradingAccount,
        clock: &Clock,
    ) -> Result<bool, StoreError> {
        Ok(!self.batch_get(vec![account.ledger_key()], clock).await?.is_empty())
    }

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
    ) -> Result<Vec<OrderRecord>, StoreError> {
        let keys = order_keys(account, orders).collect();
        let items = self.batch_get(keys, clock).await?;
        items.into_iter().map(parse_order).collect()
    }
}

/// Returns the keys of these records, each once: DynamoDB refuses a repeated key.
fn order_keys<'a>(
    account: &'a TradingAccount,
    orders: &[OrderKey],
) -> impl Iterator<Item = Item> + use<'a> {
    let orders: BTreeSet<OrderKey> = orders.iter().copied().collect();
    orders.into_iter().map(|order| account.record_key(&order))
}

fn view(items: Vec<Item>, read_at_ms: u64) -> Result<TradingView, StoreError> {
    let (mut wallet, mut credential, mut orders) = (None, None, Vec::new());
    let (mut ledger, mut policies) = (Ledger::default(), TradingPolicies::default());
    for item in items {
        let sort = item.get("sk").and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        match sort.as_str() {
            RECORD => wallet = Some(from_item("wallet", item)?),
            LEDGER => ledger = from_item("ledger", item)?,
            TENANT_POLICY => policies.tenant = Some(from_item("policy", item)?),
            sort if sort.starts_with(ORDER) => orders.push(parse_order(item)?),
            sort if sort.starts_with(WALLET_POLICY) => {
                policies.wallet = Some(from_item("policy", item)?);
            }
            _ => credential = Some(from_item("credential", item)?),
        }
    }
    Ok(TradingView { wallet, credential, ledger, policies, orders, read_at_ms })
}
