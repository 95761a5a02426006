//! The nonce of an account on a chain.
//!
//! It belongs to the first payment that names it and is counted. Another payment may take it in two
//! cases. The holder was never signed and no longer can be; or the new payment does not add to what
//! the chain can execute, because the chain executes one transaction of each nonce: it is the same
//! payment with another fee, or a cancellation. Without this, a transaction that no block can contain
//! would hold the nonce without limit, and with it the account's later payments.

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use domain::money::{EvmTokenTransfer, Payment, PaymentId};
use platform::items::{Item, StoreError, from_item, to_record};
use protocol::{Charge, PaymentOrder, PaymentRefusal, WalletKey};
use serde::{Deserialize, Serialize};

use super::record::{SCHEMA, Withdrawal, damaged, number, put_new, unbuilt, withdrawal_key};
use super::terms::{HOUR_MS, Terms, window_hours};
use crate::party::{CallError, Cosigner};
use crate::store::item_key;

/// The stored item: the payment that holds an account's nonce.
#[derive(Serialize, Deserialize)]
struct Held {
    schema: u32,
    id: PaymentId,
    /// When the amount was last counted, Unix milliseconds; set when the payment replaced another.
    #[serde(rename = "amountAtMs", default, skip_serializing_if = "Option::is_none")]
    amount_at_ms: Option<u64>,
}

/// The payment that holds a nonce.
pub(super) struct Holder {
    held: Held,
    withdrawal: Withdrawal,
    transfer: EvmTokenTransfer,
}

/// The way in which a payment gets its nonce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Hold {
    /// No payment holds it.
    New,
    /// From a payment without a signature that can no longer get one.
    Ended(PaymentId),
    /// From a payment of which at most one of the two can be mined.
    Replaced {
        id: PaymentId,
        /// When the amount was last counted; `None` when it counts again now.
        amount_at_ms: Option<u64>,
    },
}

/// Returns the transfer of a payment on a chain.
fn transfer_of(payment: &Payment) -> Option<&EvmTokenTransfer> {
    match payment {
        Payment::EvmTokenTransfer(transfer) => Some(transfer),
        _ => None,
    }
}

/// Returns the key of the item that holds a payment's nonce.
pub(super) fn nonce_key(key: &WalletKey, payment: &Payment) -> Option<Item> {
    let EvmTokenTransfer { chain_id, account_nonce, .. } = transfer_of(payment)?;
    Some(item_key(key, format!("evmnonce#{chain_id}#{account_nonce}")))
}

impl Cosigner {
    /// Reads the other payment that holds this payment's nonce. The transaction that counts the
    /// payment requires that neither has changed.
    pub(super) async fn holder(
        &self,
        key: &WalletKey,
        order: &PaymentOrder,
        held: Option<Item>,
    ) -> Result<Option<Holder>, CallError> {
        let Some(held) = held else { return Ok(None) };
        let held: Held = from_item("held nonce", held)?;
        if held.id == order.id {
            return Ok(None);
        }
        let missing = || StoreError::Damaged { what: "held nonce", cause: "no payment".to_owned() };
        let stored = self.shares.get(withdrawal_key(key, &held.id)).await?;
        let withdrawal = Withdrawal::read(stored)?.ok_or_else(missing)?;
        let payment: Payment = serde_json::from_str(&withdrawal.payment).map_err(damaged)?;
        let transfer = transfer_of(&payment).ok_or_else(missing)?.clone();
        Ok(Some(Holder { held, withdrawal, transfer }))
    }
}

impl Hold {
    /// Decides whether a payment gets its nonce.
    pub(super) fn of(
        payment: &Payment,
        holder: Option<&Holder>,
        terms: &Terms,
        now_ms: u64,
    ) -> Result<Self, PaymentRefusal> {
        let Some(transfer) = transfer_of(payment) else { return Ok(Self::New) };
        let Some(Holder { held, withdrawal, transfer: other }) = holder else {
            let refused = "no payment holds this nonce, so there is nothing to cancel".to_owned();
            let is_new = !transfer.is_cancellation();
            return if is_new { Ok(Self::New) } else { Err(PaymentRefusal::NotAllowed(refused)) };
        };
        let id = held.id.clone();
        let counted_at_ms = withdrawal.counted_at_ms.unwrap_or(now_ms);
        let can_be_signed = now_ms < counted_at_ms.saturating_add(terms.signable_for_ms);
        // A payment that replaced another one does not end: the other one may be signed.
        if withdrawal.signatures.is_empty() && !can_be_signed && held.amount_at_ms.is_none() {
            return Ok(Self::Ended(id));
        }
        if transfer.is_cancellation() || transfer.is_same_but_for_gas(other) {
            let at_ms = held.amount_at_ms.unwrap_or(counted_at_ms);
            let asset = terms.charges.first().map(|charge| &charge.asset);
            let window_ms = asset.map_or(0, |asset| window_hours(asset) * HOUR_MS);
            // It must count for as long as the new payment can be signed.
            let until_ms = now_ms.saturating_add(terms.signable_for_ms);
            let amount_at_ms = Some(at_ms).filter(|at_ms| until_ms <= at_ms + window_ms);
            return Ok(Self::Replaced { id, amount_at_ms });
        }
        Err(PaymentRefusal::AccountNonceTaken { nonce: transfer.account_nonce })
    }

    /// Returns the amounts to count. A replacement counts only its gas while the amount of the
    /// replaced payment still counts.
    pub(super) fn charges(&self, payment: &Payment, terms: &Terms) -> Vec<Charge> {
        let mut charges = terms.charges.clone();
        if let (Self::Replaced { amount_at_ms: Some(_), .. }, Some(first)) =
            (self, charges.first_mut())
        {
            first.amount = first.amount.saturating_sub(payment.amount());
            first.payments = 0;
        }
        charges
    }

    /// Returns the replaced payment.
    pub(super) fn replaced(&self) -> Option<PaymentId> {
        match self {
            Self::New | Self::Ended(_) => None,
            Self::Replaced { id, .. } => Some(id.clone()),
        }
    }

    /// Returns the writes that give the nonce to a payment.
    pub(super) fn writes(
        &self,
        table: &str,
        key: &WalletKey,
        order: &PaymentOrder,
        now_ms: u64,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let Some(place) = nonce_key(key, &order.payment) else { return Ok(Vec::new()) };
        let held = |amount_at_ms| Held { schema: SCHEMA, id: order.id.clone(), amount_at_ms };
        let taken = |id: &PaymentId, held: Held| {
            let put = Put::builder()
                .table_name(table)
                .set_item(Some(to_record(place.clone(), &held)?))
                .condition_expression("#id = :id")
                .expression_attribute_names("#id", "id")
                .expression_attribute_values(":id", AttributeValue::S(id.to_string()))
                .build()
                .map_err(unbuilt)?;
            Ok(TransactWriteItem::builder().put(put).build())
        };
        match self {
            Self::New => Ok(vec![put_new(table, to_record(place, &held(None))?)?]),
            Self::Ended(id) => Ok(vec![taken(id, held(None))?, end(table, key, id, now_ms)?]),
            Self::Replaced { id, amount_at_ms } => {
                Ok(vec![taken(id, held(Some(amount_at_ms.unwrap_or(now_ms))))?])
            }
        }
    }
}

/// Returns the write that ends a payment without a signature: a run of it that is under way cannot
/// finish.
fn end(
    table: &str,
    key: &WalletKey,
    id: &PaymentId,
    now_ms: u64,
) -> Result<TransactWriteItem, StoreError> {
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(withdrawal_key(key, id)))
        .update_expression("SET endedAtMs = :now")
        .condition_expression("size(signatures) = :none")
        .expression_attribute_values(":now", number(now_ms))
        .expression_attribute_values(":none", number(0))
        .build()
        .map_err(unbuilt)?;
    Ok(TransactWriteItem::builder().update(update).build())
}
