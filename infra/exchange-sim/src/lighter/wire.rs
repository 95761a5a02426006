//! Transactions as they are sent: the parameter `tx_info`, and its hash.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::proof::{Five, hash_to_five, hash_to_four};
use super::refusal::{INVALID_PARAMETER, INVALID_TX_INFO, Refusal, UNSUPPORTED_TYPE};

/// Attributes by their number.
pub(super) type Attributes = BTreeMap<u8, u64>;

/// The number of the attribute that permits any larger nonce, and of a cancellation's market.
pub(super) const SKIP_NONCE: u8 = 4;
pub(super) const CANCEL_ALL_MARKET: u8 = 5;

const MAX_ATTRIBUTES: usize = 4;
const LAST_ATTRIBUTE: u8 = 8;

/// A transaction.
#[derive(Clone, Debug)]
pub(super) struct Tx {
    pub(super) account: u64,
    pub(super) slot: u8,
    pub(super) nonce: u64,
    /// Milliseconds.
    pub(super) expired_at: u64,
    pub(super) signature: Vec<u8>,
    pub(super) attributes: Attributes,
    pub(super) act: Act,
}

/// What a transaction does.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Create(WireOrder),
    Group(Group),
    Cancel(Cancel),
    CancelAll(CancelAll),
    Modify(Modify),
    Leverage(Leverage),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    account_index: u64,
    api_key_index: u8,
    expired_at: u64,
    nonce: u64,
    sig: String,
    #[serde(rename = "L2TxAttributes")]
    attributes: Option<BTreeMap<String, u64>>,
}

const ENVELOPE: [&str; 6] =
    ["AccountIndex", "ApiKeyIndex", "ExpiredAt", "Nonce", "Sig", "L2TxAttributes"];

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct WireOrder {
    pub(super) market_index: u32,
    pub(super) client_order_index: u64,
    pub(super) base_amount: u64,
    pub(super) price: u32,
    pub(super) is_ask: u8,
    #[serde(rename = "Type")]
    pub(super) kind: u8,
    pub(super) time_in_force: u8,
    pub(super) reduce_only: u8,
    pub(super) trigger_price: u32,
    pub(super) order_expiry: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Group {
    pub(super) grouping_type: u8,
    pub(super) orders: Vec<WireOrder>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Cancel {
    pub(super) market_index: u32,
    pub(super) index: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CancelAll {
    pub(super) time_in_force: u8,
    pub(super) time: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Modify {
    pub(super) market_index: u32,
    pub(super) index: u64,
    pub(super) base_amount: u64,
    pub(super) price: u32,
    pub(super) trigger_price: u32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Leverage {
    pub(super) market_index: u32,
    pub(super) initial_margin_fraction: u16,
    pub(super) margin_mode: u8,
}

/// Returns the name of a transaction's type for faults and for the log.
pub(super) fn kind(tx_type: &str) -> &'static str {
    match tx_type {
        "14" => "createOrder",
        "15" => "cancelOrder",
        "16" => "cancelAllOrders",
        "17" => "modifyOrder",
        "20" => "updateLeverage",
        "28" => "createGroupedOrders",
        _ => "otherTx",
    }
}

/// Parses a transaction of a type.
pub(super) fn parse(tx_type: &str, tx_info: &str) -> Result<Tx, Refusal> {
    let number: u8 = tx_type.parse().map_err(|_| INVALID_PARAMETER)?;
    let value: Value = serde_json::from_str(tx_info).map_err(|_| INVALID_TX_INFO)?;
    let Value::Object(mut fields) = value.clone() else { return Err(INVALID_TX_INFO) };
    fields.retain(|name, _| !ENVELOPE.contains(&name.as_str()));
    let rest = Value::Object(fields);
    let act = match number {
        14 => Act::Create(read(rest)?),
        15 => Act::Cancel(read(rest)?),
        16 => Act::CancelAll(read(rest)?),
        17 => Act::Modify(read(rest)?),
        20 => Act::Leverage(read(rest)?),
        28 => Act::Group(read(rest)?),
        _ => return Err(UNSUPPORTED_TYPE),
    };
    let envelope: Envelope = read(value)?;
    let signature = BASE64_STANDARD.decode(&envelope.sig).map_err(|_| INVALID_TX_INFO)?;
    let mut attributes = Attributes::new();
    for (name, value) in envelope.attributes.unwrap_or_default() {
        let number: u8 = name.parse().map_err(|_| INVALID_TX_INFO)?;
        if !(1..=LAST_ATTRIBUTE).contains(&number) {
            return Err(INVALID_TX_INFO);
        }
        attributes.insert(number, value);
    }
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(INVALID_TX_INFO);
    }
    let Envelope { account_index: account, api_key_index: slot, nonce, expired_at, .. } = envelope;
    Ok(Tx { account, slot, nonce, expired_at, signature, attributes, act })
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Refusal> {
    serde_json::from_value(value).map_err(|_| INVALID_TX_INFO)
}

impl WireOrder {
    fn elements(&self) -> [u64; 10] {
        [
            self.market_index.into(),
            self.client_order_index,
            self.base_amount,
            self.price.into(),
            self.is_ask.into(),
            self.kind.into(),
            self.time_in_force.into(),
            self.reduce_only.into(),
            self.trigger_price.into(),
            self.order_expiry,
        ]
    }
}

impl Act {
    pub(super) const fn tx_type(&self) -> u8 {
        match self {
            Self::Create(_) => 14,
            Self::Cancel(_) => 15,
            Self::CancelAll(_) => 16,
            Self::Modify(_) => 17,
            Self::Leverage(_) => 20,
            Self::Group(_) => 28,
        }
    }

    /// Returns the elements after those of the sender.
    fn elements(&self) -> Vec<u64> {
        match self {
            Self::Create(order) => order.elements().to_vec(),
            Self::Group(group) => {
                let mut hashes = group.orders.iter().map(|it| hash_to_four(&it.elements()));
                let first = hashes.next().unwrap_or_default();
                let all = hashes.fold(first, |all, next| hash_to_four(&[all, next].concat()));
                std::iter::once(group.grouping_type.into()).chain(all).collect()
            }
            Self::Cancel(it) => vec![it.market_index.into(), it.index],
            Self::CancelAll(it) => vec![it.time_in_force.into(), it.time],
            Self::Modify(it) => vec![
                it.market_index.into(),
                it.index,
                it.base_amount,
                it.price.into(),
                it.trigger_price.into(),
            ],
            Self::Leverage(it) => vec![
                it.market_index.into(),
                it.initial_margin_fraction.into(),
                it.margin_mode.into(),
            ],
        }
    }
}

impl Tx {
    /// Returns the hash that the sender signs, with the exchange's own chain id: a signature for
    /// another network does not verify.
    pub(super) fn hash(&self, chain_id: u32) -> Five {
        let mut input = vec![
            chain_id.into(),
            self.act.tx_type().into(),
            self.nonce,
            self.expired_at,
            self.account,
            self.slot.into(),
        ];
        input.extend(self.act.elements());
        with_attributes(hash_to_five(&input), &self.attributes)
    }
}

/// Returns a transaction's hash from the hash of its elements. Default values do not count.
pub(super) fn with_attributes(first: Five, attributes: &Attributes) -> Five {
    let is_default =
        |number: u8, value: u64| value == if number == CANCEL_ALL_MARKET { 255 } else { 0 };
    let pairs = attributes.iter().filter(|(number, value)| !is_default(**number, **value));
    let mut input: Vec<u64> =
        pairs.flat_map(|(number, value)| [u64::from(*number), *value]).collect();
    if input.is_empty() {
        return first;
    }
    input.resize(2 * MAX_ATTRIBUTES, 0);
    hash_to_five(&[first, hash_to_five(&input)].concat())
}

/// A token's parts: deadline in seconds, account, slot, hash of the message, and signature.
pub(super) fn token(text: &str) -> Option<(u64, u64, u8, Five, Vec<u8>)> {
    let (message, signature) = text.rsplit_once(':')?;
    let mut parts = message.split(':');
    let deadline = parts.next()?.parse().ok()?;
    let (account, slot) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    if parts.next().is_some() {
        return None;
    }
    let mut bytes = message.as_bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let (chunks, _) = bytes.as_chunks::<8>();
    let elements: Vec<u64> = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect();
    let signature = hex::decode(signature).ok()?;
    Some((deadline, account, slot, hash_to_five(&elements), signature))
}
