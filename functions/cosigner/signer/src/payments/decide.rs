//! Decides whether a payment may be signed under the tenant's policy.

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::money::{Payment, PaymentId};
use domain::policy::{Amount, Cap, payment_text};
use platform::items::{Item, StoreError};
use protocol::{Charge, LimitScope, PaymentOrder, PaymentRefusal, WalletKey};

use super::nonce::{Hold, Holder, nonce_key};
use super::record::{Withdrawal, damaged, open_item, put_new, put_version, withdrawal_key};
use super::spent::{Spent, tenant_spent, wallet_spent};
use super::terms::Terms;
use crate::approval::{self, Checked};
use crate::party::{CallError, Cosigner};
use crate::policy_chain::{ActiveLimit, View};

/// The time for approvals when a request names none, in seconds.
const APPROVAL_S: u64 = 24 * 60 * 60;

/// The longest time for approvals, in seconds.
const MAX_APPROVAL_S: u64 = 30 * 24 * 60 * 60;

/// The stored facts of one payment, from one consistent read.
pub(super) struct Known {
    pub(super) view: View,
    pub(super) withdrawal: Option<Withdrawal>,
    /// Another payment that holds the account's nonce.
    pub(super) holder: Option<Holder>,
    /// Of the wallet and of the tenant, for each charge.
    pub(super) spent: Vec<(Spent, Spent)>,
}

/// The counts after a payment, the changes that set its limits, and whether it needs approvals.
type Limited = (Vec<(Spent, Spent)>, Vec<u64>, bool);

/// A payment that the policy allows, with the state after it.
pub(super) struct Counting {
    pub(super) spent: Vec<(Spent, Spent)>,
    /// The amounts that it counts.
    pub(super) charges: Vec<Charge>,
    hold: Hold,
    pub(super) destination_change: Option<u64>,
    pub(super) limit_changes: Vec<u64>,
    pub(super) approvers: Vec<String>,
}

impl Counting {
    /// Returns the payment that it replaces.
    pub(super) fn replaced(&self) -> Option<PaymentId> {
        self.hold.replaced()
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
        let held = nonce_key(key, &order.payment);
        keys.extend(held.clone());
        for charge in charges {
            keys.extend([wallet_spent(key, &charge.asset), tenant_spent(key, &charge.asset)]);
        }
        let (share, head, items) = self.shares.share_head_and(key, &keys).await?;
        let mut items = items.into_iter();
        let mut next = || items.next().flatten();
        let view = self.policy_view(&key.tenant, next()).await?;
        let withdrawal = Withdrawal::read(next())?;
        let held = held.and_then(|_| next());
        let mut spent = Vec::new();
        for _ in charges {
            spent.push((Spent::read(next())?, Spent::read(next())?));
        }
        let holder = self.holder(key, order, held).await?;
        Ok((Stored { share, head }, Known { view, withdrawal, holder, spent }))
    }
}

/// The share and the head of its wallet's log, as stored.
pub(super) struct Stored {
    pub(super) share: Option<crate::store::ShareItem>,
    pub(super) head: crate::audit::Head,
}

/// Checks that a tenant's money may move at all. A cancellation pays nothing and stops a payment, so
/// it continues during a freeze.
fn check_open(view: &View, payment: &Payment) -> Result<(), PaymentRefusal> {
    if !view.payments_on {
        return Err(PaymentRefusal::PaymentsOff);
    }
    let is_stopped = view.frozen && !payment.is_cancellation();
    if is_stopped { Err(PaymentRefusal::Frozen) } else { Ok(()) }
}

/// Checks that a counted payment may still be signed. The destination or the limit may have been
/// removed since it was counted.
pub(super) fn check_counted(
    view: &View,
    (known, payment): (&Withdrawal, &Payment),
    terms: &Terms,
    now_ms: u64,
) -> Result<(), PaymentRefusal> {
    check_open(view, payment)?;
    let until_ms = known.counted_at_ms.map(|at_ms| at_ms.saturating_add(terms.signable_for_ms));
    // What no longer counts must not be signed.
    if known.ended_at_ms.is_some() || until_ms.is_none_or(|until_ms| now_ms >= until_ms) {
        return Err(PaymentRefusal::NotAllowed("the payment was begun too long ago".to_owned()));
    }
    if known.signatures.is_empty() && !terms.charges.is_empty() {
        receiver(view, terms, now_ms)?;
        terms.charges.iter().try_for_each(|charge| limit(view, charge).map(|_| ()))?;
    }
    Ok(())
}

/// Checks the destination, and returns the change that listed it.
fn receiver(view: &View, terms: &Terms, now_ms: u64) -> Result<Option<u64>, PaymentRefusal> {
    if view.authority.is_none() {
        return Err(PaymentRefusal::AuthorityMissing);
    }
    let Some(receiver) = &terms.receiver else { return Ok(None) };
    let listed = view
        .destination(receiver.venue, receiver.address)
        .filter(|listed| listed.destination.assets.contains(&receiver.asset))
        .ok_or(PaymentRefusal::DestinationNotAllowed)?;
    if now_ms < listed.active_from_ms {
        let active_from_ms = listed.active_from_ms;
        return Err(PaymentRefusal::DestinationNotActive { active_from_ms });
    }
    if let (Some(most), Some(charge)) = (listed.destination.per_payment, terms.charges.first()) {
        let cap = Cap { amount: most, payments: charge.payments };
        Spent::default().sum(&charge.asset, now_ms).within(charge, cap, LimitScope::Payment)?;
    }
    Ok(Some(listed.change))
}

/// Returns the limit of an amount to count.
fn limit<'a>(view: &'a View, charge: &Charge) -> Result<&'a ActiveLimit, PaymentRefusal> {
    view.limit(&charge.asset).ok_or_else(|| PaymentRefusal::LimitExceeded {
        asset: charge.asset.clone(),
        scope: LimitScope::Tenant,
        left: Amount::ZERO,
        payments_left: 0,
    })
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
            let is_begun = known.counted_at_ms.is_some() || !known.signatures.is_empty();
            if is_begun && !known.is_of(&order.payment)? {
                return Err(refused(PaymentRefusal::OtherContent));
            }
            // A payment whose signatures exist is not decided again: nothing can recall it.
            if known.signatures.len() >= usize::from(order.payment.steps()) {
                return Ok(None);
            }
            if known.counted_at_ms.is_some() {
                check_counted(&self.view, (known, &order.payment), terms, now_ms)
                    .map_err(refused)?;
                return Ok(None);
            }
        }
        check_open(&self.view, &order.payment).map_err(refused)?;
        let holder = self.holder.as_ref();
        let hold = Hold::of(&order.payment, holder, terms, now_ms).map_err(refused)?;
        let charges = hold.charges(&order.payment, terms);
        let is_out = !charges.is_empty();
        let destination_change =
            if is_out { receiver(&self.view, terms, now_ms).map_err(refused)? } else { None };
        let (spent, limit_changes, is_above) = self.limits(&charges, now_ms).map_err(refused)?;
        let is_above = is_above && !order.payment.is_cancellation();
        let approvers = if is_above { self.approvers(key, order, now_ms)? } else { Vec::new() };
        Ok(Some(Counting { spent, charges, hold, destination_change, limit_changes, approvers }))
    }

    /// Checks the limits. Returns the counts after the payment, the changes that set the limits, and
    /// whether the payment needs approvals.
    fn limits(&self, charges: &[Charge], now_ms: u64) -> Result<Limited, PaymentRefusal> {
        let (mut spent, mut changes, mut is_above) = (Vec::new(), Vec::new(), false);
        for (charge, (wallet, tenant)) in charges.iter().zip(&self.spent) {
            let active = limit(&self.view, charge)?;
            let limit = &active.limit;
            let sum = |spent: &Spent| spent.sum(&charge.asset, now_ms);
            sum(wallet).within(charge, limit.wallet, LimitScope::Wallet)?;
            let total = sum(tenant).within(charge, limit.tenant, LimitScope::Tenant)?;
            // The tenant's sum, so that neither several payments nor several wallets avoid it.
            // Gas counts as well: a block producer could be paid with it.
            let counts = charge.amount > Amount::ZERO;
            is_above |= counts && limit.approve_above.is_some_and(|above| total.amount > above);
            changes.push(active.change);
            let mut after = (wallet.clone(), tenant.clone());
            after.0.count(charge, now_ms);
            after.1.count(charge, now_ms);
            spent.push(after);
        }
        Ok((spent, changes, is_above))
    }

    /// Requires enough approvals of the payment's own text, and returns who gave them. A refusal names
    /// the approvals that do not count.
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
        let threshold = authority.threshold;
        let (are_few, is_late) =
            (approval::are_few(approvals), (1..now_s).contains(&order.not_after_s));
        let rejected = if is_given && are_few {
            let checked = Checked::of(authority, &text, approvals);
            if checked.suffice(authority) {
                return Ok(checked.approvers);
            }
            checked.rejected
        } else if is_late && are_few {
            approval::expired(approvals)
        } else {
            Vec::new()
        };
        let refusal = if rejected.is_empty() {
            PaymentRefusal::ApprovalRequired { text, threshold }
        } else {
            PaymentRefusal::ApprovalInvalid { text, threshold, rejected }
        };
        Err(CallError::Refused(refusal.into()))
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
        writes.extend(counting.hold.writes(table, key, order, now_ms)?);
        writes.push(unchanged(&self.view, table)?);
        if counting.charges.is_empty() {
            return Ok(writes);
        }
        for (charge, (wallet, tenant)) in counting.charges.iter().zip(&counting.spent) {
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
