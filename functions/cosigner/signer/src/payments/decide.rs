//! Decides whether a payment may be signed under the tenant's policy.

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::policy::{Amount, Cap, payment_text};
use platform::items::{Item, StoreError};
use protocol::{Charge, LimitScope, PaymentOrder, PaymentRefusal, WalletKey};

use super::record::{
    Withdrawal, damaged, held_item, held_key, open_item, put_new, put_version, withdrawal_key,
};
use super::spent::{Spent, tenant_spent, wallet_spent};
use super::terms::Terms;
use crate::approval;
use crate::party::{CallError, Cosigner};
use crate::policy_chain::View;

/// The time for approvals when a request names none, in seconds.
const APPROVAL_S: u64 = 24 * 60 * 60;

/// The longest time for approvals, in seconds.
const MAX_APPROVAL_S: u64 = 30 * 24 * 60 * 60;

/// The stored facts of one payment, from one consistent read.
pub(super) struct Known {
    pub(super) view: View,
    pub(super) withdrawal: Option<Withdrawal>,
    /// Whether another payment holds the account's nonce.
    pub(super) is_nonce_held: bool,
    /// Of the wallet and of the tenant, for each charge.
    pub(super) spent: Vec<(Spent, Spent)>,
}

/// A payment that the policy allows, with the state after it.
pub(super) struct Counting {
    pub(super) spent: Vec<(Spent, Spent)>,
    pub(super) destination_change: Option<u64>,
    pub(super) limit_changes: Vec<u64>,
    pub(super) approvers: Vec<String>,
}

/// Returns the account's nonce of a payment on a chain.
fn account_nonce(order: &PaymentOrder) -> Option<(u64, u64)> {
    match &order.payment {
        domain::money::Payment::EvmTokenTransfer(payment) => {
            Some((payment.chain_id, payment.account_nonce))
        }
        _ => None,
    }
}

impl Cosigner {
    /// Reads a payment's facts together with the share and the head of the wallet's log.
    pub(super) async fn known(
        &self,
        key: &WalletKey,
        order: &PaymentOrder,
        charges: &[Charge],
    ) -> Result<(Stored, Known), CallError> {
        let mut keys = vec![View::key(&key.tenant), withdrawal_key(key, &order.id)];
        let held = account_nonce(order).map(|nonce| held_key(key, nonce));
        keys.extend(held.clone());
        for charge in charges {
            keys.extend([wallet_spent(key, &charge.asset), tenant_spent(key, &charge.asset)]);
        }
        let (share, head, items) = self.shares.share_head_and(key, &keys).await?;
        let mut items = items.into_iter();
        let mut next = || items.next().flatten();
        let view = self.policy_view(&key.tenant, next()).await?;
        let withdrawal = Withdrawal::read(next())?;
        let is_nonce_held = held.is_some() && next().is_some();
        let mut spent = Vec::new();
        for _ in charges {
            spent.push((Spent::read(next())?, Spent::read(next())?));
        }
        Ok((Stored { share, head }, Known { view, withdrawal, is_nonce_held, spent }))
    }
}

/// The share and the head of its wallet's log, as stored.
pub(super) struct Stored {
    pub(super) share: Option<crate::store::ShareItem>,
    pub(super) head: crate::audit::Head,
}

/// Checks that a tenant's money may leave at all.
pub(super) fn check_open(view: &View) -> Result<(), PaymentRefusal> {
    if !view.payments_on {
        return Err(PaymentRefusal::PaymentsOff);
    }
    if view.frozen { Err(PaymentRefusal::Frozen) } else { Ok(()) }
}

/// Returns the condition that a tenant's policy has not changed.
pub(super) fn unchanged(view: &View, table: &str) -> Result<TransactWriteItem, StoreError> {
    Ok(TransactWriteItem::builder().condition_check(view.unchanged(table)?).build())
}

impl Known {
    /// Decides about a payment. Returns `None` when it is counted already.
    pub(super) fn decide(
        &self,
        key: &WalletKey,
        order: &PaymentOrder,
        terms: &Terms,
        now_ms: u64,
    ) -> Result<Option<Counting>, CallError> {
        let refused = |refusal: PaymentRefusal| -> CallError { CallError::Refused(refusal.into()) };
        if let Some(known) = &self.withdrawal {
            if !known.is_of(&order.payment)? {
                return Err(refused(PaymentRefusal::OtherContent));
            }
            // A payment whose signatures exist is not decided again: nothing can recall it.
            if known.signatures.len() >= usize::from(order.payment.steps()) {
                return Ok(None);
            }
            if let Some(counted_at_ms) = known.counted_at_ms {
                if !terms.charges.is_empty() {
                    check_open(&self.view).map_err(refused)?;
                }
                // What no longer counts must not be signed.
                if now_ms >= counted_at_ms + terms.signable_for_ms {
                    let reason = "the payment was begun too long ago".to_owned();
                    return Err(refused(PaymentRefusal::NotAllowed(reason)));
                }
                return Ok(None);
            }
        }
        if let Some((_, nonce)) = account_nonce(order).filter(|_| self.is_nonce_held) {
            return Err(refused(PaymentRefusal::AccountNonceTaken { nonce }));
        }
        if terms.charges.is_empty() {
            let (spent, limit_changes, approvers) = Default::default();
            let destination_change = None;
            return Ok(Some(Counting { spent, destination_change, limit_changes, approvers }));
        }
        check_open(&self.view).map_err(refused)?;
        let destination_change = self.receiver(terms, now_ms).map_err(refused)?;
        let (spent, limit_changes, is_above) = self.limits(terms, now_ms).map_err(refused)?;
        let approvers = if is_above { self.approvers(key, order, now_ms)? } else { Vec::new() };
        Ok(Some(Counting { spent, destination_change, limit_changes, approvers }))
    }

    /// Checks the destination, and returns the change that listed it.
    fn receiver(&self, terms: &Terms, now_ms: u64) -> Result<Option<u64>, PaymentRefusal> {
        if self.view.authority.is_none() {
            return Err(PaymentRefusal::AuthorityMissing);
        }
        let Some(receiver) = &terms.receiver else { return Ok(None) };
        let listed = self
            .view
            .destination(receiver.venue, receiver.address)
            .filter(|listed| listed.destination.assets.contains(&receiver.asset))
            .ok_or(PaymentRefusal::DestinationNotAllowed)?;
        if now_ms < listed.active_from_ms {
            let active_from_ms = listed.active_from_ms;
            return Err(PaymentRefusal::DestinationNotActive { active_from_ms });
        }
        if let (Some(most), Some(charge)) = (listed.destination.per_payment, terms.charges.first())
        {
            let cap = Cap { amount: most, payments: u32::MAX };
            Spent::default().sum(&charge.asset, now_ms).within(charge, cap, LimitScope::Payment)?;
        }
        Ok(Some(listed.change))
    }

    /// Checks the limits. Returns the counts after the payment, the changes that set the limits, and
    /// whether the payment needs approvals.
    fn limits(
        &self,
        terms: &Terms,
        now_ms: u64,
    ) -> Result<(Vec<(Spent, Spent)>, Vec<u64>, bool), PaymentRefusal> {
        let (mut spent, mut changes, mut is_above) = (Vec::new(), Vec::new(), false);
        for (charge, (wallet, tenant)) in terms.charges.iter().zip(&self.spent) {
            let Some(active) = self.view.limit(&charge.asset) else {
                let (asset, left) = (charge.asset.clone(), Amount::ZERO);
                let scope = LimitScope::Tenant;
                return Err(PaymentRefusal::LimitExceeded { asset, scope, left, payments_left: 0 });
            };
            let limit = &active.limit;
            let sum = |spent: &Spent| spent.sum(&charge.asset, now_ms);
            sum(wallet).within(charge, limit.wallet, LimitScope::Wallet)?;
            let total = sum(tenant).within(charge, limit.tenant, LimitScope::Tenant)?;
            // The tenant's sum, so that neither several payments nor several wallets avoid it.
            let is_payment = charge.payments > 0;
            is_above |= is_payment && limit.approve_above.is_some_and(|above| total.amount > above);
            changes.push(active.change);
            let mut after = (wallet.clone(), tenant.clone());
            after.0.count(charge, now_ms);
            after.1.count(charge, now_ms);
            spent.push(after);
        }
        Ok((spent, changes, is_above))
    }

    /// Requires enough approvals of the payment's own text, and returns who gave them.
    fn approvers(
        &self,
        key: &WalletKey,
        order: &PaymentOrder,
        now_ms: u64,
    ) -> Result<Vec<String>, CallError> {
        let Some(authority) = &self.view.authority else {
            return Err(CallError::Refused(PaymentRefusal::AuthorityMissing.into()));
        };
        let now_s = now_ms / 1_000;
        let is_given = (now_s..=now_s + MAX_APPROVAL_S).contains(&order.not_after_s);
        let not_after_s = if is_given { order.not_after_s } else { now_s + APPROVAL_S };
        let PaymentOrder { id, payment, approvals, .. } = order;
        let (chain_id, wallet_id) = (&self.view.chain_id, key.wallet_id);
        let text =
            payment_text(chain_id, &key.tenant, wallet_id, id.as_str(), payment, not_after_s)
                .map_err(damaged)?;
        if !is_given || !approval::quorum(authority, &text, approvals) {
            let threshold = authority.threshold;
            return Err(CallError::Refused(
                PaymentRefusal::ApprovalRequired { text, threshold }.into(),
            ));
        }
        let valid = approvals.iter().filter(|one| approval::check(authority, &text, one).is_ok());
        let mut approvers: Vec<String> = valid.map(|one| one.approver.clone()).collect();
        approvers.sort_unstable();
        approvers.dedup();
        Ok(approvers)
    }

    /// Returns the writes that count a payment.
    pub(super) fn writes(
        &self,
        table: &str,
        key: &WalletKey,
        order: &PaymentOrder,
        (terms, counting): (&Terms, &Counting),
        now_ms: u64,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let Some(known) = &self.withdrawal else { return Ok(Vec::new()) };
        let counted = known.counted(now_ms);
        let mut writes = vec![put_version(table, counted.item(key, &order.id)?, counted.version)?];
        if let Some(nonce) = account_nonce(order) {
            writes.push(put_new(table, held_item(key, nonce, &order.id)?)?);
        }
        if terms.charges.is_empty() {
            return Ok(writes);
        }
        writes.push(unchanged(&self.view, table)?);
        for (charge, (wallet, tenant)) in terms.charges.iter().zip(&counting.spent) {
            let put = |spent: &Spent, at: Item| put_version(table, spent.item(at)?, spent.version);
            writes.push(put(wallet, wallet_spent(key, &charge.asset))?);
            writes.push(put(tenant, tenant_spent(key, &charge.asset))?);
        }
        let until_ms = terms.valid_for_ms.map(|valid_for_ms| now_ms + valid_for_ms);
        let open = open_item(key, &order.id, &counted, (now_ms, until_ms))?;
        writes.push(put_new(table, open)?);
        Ok(writes)
    }
}
