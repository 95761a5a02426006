//! The stored items of payments.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#W#walletId` | `withdrawal#id` | a payment: its content, nonces, state and signatures |
//! | `tenant#W#walletId` | `evmnonce#chain#nonce` | the payment that holds an account's nonce |
//! | `tenant#W#walletId` | `spent#asset` | counted payments of the wallet: see `spent` |
//! | `tenant#P` | `spent#asset` | the same for the tenant |
//! | `tenant#P` | `payment#time#walletId#id` | a counted payment, for the list of the tenant |

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use domain::eth::Signature;
use domain::ids::Tenant;
use domain::money::{Nonces, Payment, PaymentId};
use domain::policy::canonical_json;
use platform::items::{Item, StoreError, from_item, to_record};
use protocol::{ReportedOutcome, WalletKey};
use serde::{Deserialize, Serialize};

use crate::store::{item_key, tenant_key};

pub(super) const SCHEMA: u32 = 1;

/// Begins the sort key of every open payment.
pub(super) const OPEN: &str = "payment#";

/// How long a payment that is prepared and not counted is kept, in seconds.
const UNCOUNTED_S: u64 = 24 * 60 * 60;

/// How long a payment stays listed after it became invalid, in seconds. A report of an endpoint does
/// not shorten it.
const KEPT_S: u64 = 7 * 24 * 60 * 60;

/// A payment of a wallet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Withdrawal {
    pub(super) schema: u32,
    /// Rises with each change of nonces or state.
    pub(super) version: u64,
    /// The payment as canonical JSON.
    pub(super) payment: String,
    pub(super) nonces: Nonces,
    /// When the nonces were set, Unix milliseconds.
    pub(super) prepared_at_ms: u64,
    /// When it was counted, Unix milliseconds. From then on, the nonces never change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) counted_at_ms: Option<u64>,
    /// The signatures that exist, in their order.
    pub(super) signatures: Vec<Signature>,
    /// When another payment took its account's nonce, Unix milliseconds. It is never signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended_at_ms: Option<u64>,
    /// Expiry in Unix seconds while it is not counted; the table's TTL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at_s: Option<u64>,
}

/// A counted payment in the list of its tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Open {
    schema: u32,
    pub(super) wallet_id: uuid::Uuid,
    pub(super) id: PaymentId,
    /// The payment as canonical JSON.
    pub(super) payment: String,
    pub(super) counted_at_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) valid_until_ms: Option<u64>,
    /// What an endpoint reported. The first report stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) report: Option<Report>,
    /// Expiry in Unix seconds; the table's TTL. A transaction on a chain stays valid, so it stays
    /// listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at_s: Option<u64>,
}

/// The outcome of a payment as an endpoint reported it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) outcome: ReportedOutcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    pub(super) at_ms: u64,
    /// The alias of the function that reported it.
    pub(super) by: String,
}

impl Withdrawal {
    pub(super) fn new(payment: &Payment, nonces: Nonces, now_ms: u64) -> Result<Self, StoreError> {
        Ok(Self {
            schema: SCHEMA,
            version: 1,
            payment: content(payment)?,
            nonces,
            prepared_at_ms: now_ms,
            counted_at_ms: None,
            signatures: Vec::new(),
            ended_at_ms: None,
            expires_at_s: Some(now_ms / 1_000 + UNCOUNTED_S),
        })
    }

    pub(super) fn read(item: Option<Item>) -> Result<Option<Self>, StoreError> {
        item.map(|item| from_item("payment", item)).transpose()
    }

    /// Returns whether it is this payment.
    pub(super) fn is_of(&self, payment: &Payment) -> Result<bool, StoreError> {
        Ok(self.payment == content(payment)?)
    }

    /// Returns whether all its signatures exist. Content that does not parse is taken as signed: the
    /// list must not leave it out.
    pub(super) fn is_signed(&self) -> bool {
        let payment: Result<Payment, _> = serde_json::from_str(&self.payment);
        let steps = payment.map_or(0, |payment| usize::from(payment.steps()));
        self.signatures.len() >= steps
    }

    /// Returns its item.
    pub(super) fn item(&self, key: &WalletKey, id: &PaymentId) -> Result<Item, StoreError> {
        to_record(withdrawal_key(key, id), self)
    }

    /// Returns it as counted, with the next version.
    pub(super) fn counted(&self, now_ms: u64) -> Self {
        let (version, counted_at_ms) = (self.version + 1, Some(now_ms));
        Self { version, counted_at_ms, expires_at_s: None, ..self.clone() }
    }
}

/// Returns the write that adds a payment's next signature, once.
pub(super) fn add_signature(
    table: &str,
    key: &WalletKey,
    id: &PaymentId,
    step: u8,
    signature: &str,
) -> Result<TransactWriteItem, StoreError> {
    let added = AttributeValue::L(vec![AttributeValue::S(signature.to_owned())]);
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(withdrawal_key(key, id)))
        .update_expression("SET signatures = list_append(signatures, :added)")
        .condition_expression(
            "attribute_exists(countedAtMs) AND attribute_not_exists(endedAtMs) \
             AND size(signatures) = :step",
        )
        .expression_attribute_values(":added", added)
        .expression_attribute_values(":step", number(step.into()))
        .build()
        .map_err(unbuilt)?;
    Ok(TransactWriteItem::builder().update(update).build())
}

/// Returns a write of an item, on the condition that it does not exist.
pub(super) fn put_new(table: &str, item: Item) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(pk)")
        .build()
        .map_err(unbuilt)?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// Returns the write of an item that replaces the one with the version before.
pub(super) fn put_version(
    table: &str,
    item: Item,
    version: u64,
) -> Result<TransactWriteItem, StoreError> {
    if version == 1 {
        return put_new(table, item);
    }
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression("#version = :version")
        .expression_attribute_names("#version", "version")
        .expression_attribute_values(":version", number(version - 1))
        .build()
        .map_err(unbuilt)?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// Returns the item that lists a counted payment.
pub(super) fn open_item(
    key: &WalletKey,
    id: &PaymentId,
    withdrawal: &Withdrawal,
    (counted_at_ms, valid_until_ms): (u64, Option<u64>),
) -> Result<Item, StoreError> {
    let open = Open {
        schema: SCHEMA,
        wallet_id: key.wallet_id,
        id: id.clone(),
        payment: withdrawal.payment.clone(),
        counted_at_ms,
        valid_until_ms,
        report: None,
        expires_at_s: valid_until_ms.map(|until_ms| until_ms / 1_000 + KEPT_S),
    };
    to_record(open_key(key, id, counted_at_ms), &open)
}

pub(super) fn withdrawal_key(key: &WalletKey, id: &PaymentId) -> Item {
    item_key(key, format!("withdrawal#{id}"))
}

/// Returns a key whose text order is the order of counting.
pub(super) fn open_key(key: &WalletKey, id: &PaymentId, counted_at_ms: u64) -> Item {
    tenant_key(&key.tenant, format!("{OPEN}{counted_at_ms:016}#{}#{id}", key.wallet_id))
}

pub(super) fn tenant_partition(tenant: &Tenant) -> AttributeValue {
    AttributeValue::S(format!("{tenant}#P"))
}

pub(super) fn read_open(item: Item) -> Result<Open, StoreError> {
    from_item("open payment", item)
}

/// Returns the payment in the one form that is compared and stored.
pub(super) fn content(payment: &Payment) -> Result<String, StoreError> {
    canonical_json(payment).map_err(damaged)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn damaged(error: serde_json::Error) -> StoreError {
    StoreError::Damaged { what: "payment", cause: error.to_string() }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn unbuilt(error: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

pub(super) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
