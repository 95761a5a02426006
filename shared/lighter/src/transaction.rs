//! Transactions: their checks, their hash, and the `tx_info` that carries them.

use std::fmt;
use std::fmt::Write as _;

use domain::random::Random;

use crate::field::Gl;
use crate::fields::{
    Fields, TransactionError, check_future, check_market, check_sender, elements, require,
};
use crate::key::SecretKey;
use crate::order::{Order, OrderGroup};
use crate::poseidon2::hash_to_five;
use crate::signature::{Hash, SignError, Signature};

/// Number of attributes that a transaction has room for.
const ATTRIBUTES: usize = 4;

const MAX_ORDER_INDEX: u64 = (1 << 60) - 1;
const MAX_TIMESTAMP_MS: u64 = (1 << 48) - 1;
const MAX_SKIPPED_NONCE: u64 = (1 << 47) - 2;
const MAX_NONCE: u64 = (1 << 48) - 1;
const MAX_SCHEDULE_MS: u64 = 15 * 24 * 60 * 60 * 1_000;

/// How the margin of a market is kept, with the number on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum MarginMode {
    /// Shared with other positions.
    Cross = 0,
    /// Only of this market.
    Isolated = 1,
}

/// A change of an open order. All values replace the order's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Modify {
    /// Number of the market.
    pub market_index: u16,
    /// The client order index, or from 2^48 on Lighter's order index.
    pub index: u64,
    /// Size, including what is filled.
    pub base_amount: u64,
    /// Price.
    pub price: u32,
    /// Price that starts the order, or 0.
    pub trigger_price: u32,
}

/// When to cancel all orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CancelAll {
    /// At once, of one market or of all.
    Now {
        /// Number of the market. `None` for all markets.
        market_index: Option<u16>,
    },
    /// At a time in milliseconds since the Unix epoch, 5 minutes to 15 days ahead.
    At(u64),
    /// Never: removes the time that was set.
    Abort,
}

/// What a transaction does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Places an order.
    CreateOrder(Order),
    /// Places a group of orders.
    CreateGroupedOrders(OrderGroup),
    /// Cancels an order.
    CancelOrder {
        /// Number of the market.
        market_index: u16,
        /// The client order index, or from 2^48 on Lighter's order index.
        index: u64,
    },
    /// Cancels all orders.
    CancelAllOrders(CancelAll),
    /// Changes an order.
    ModifyOrder(Modify),
    /// Changes leverage and margin mode of a market.
    UpdateLeverage {
        /// Number of the market.
        market_index: u16,
        /// 10000 / leverage, cut down to a whole number.
        initial_margin_fraction: u16,
        /// Margin mode.
        margin_mode: MarginMode,
    },
}

impl Action {
    /// Returns Lighter's number of the type, the parameter `tx_type`.
    #[must_use]
    pub const fn tx_type(&self) -> u8 {
        match self {
            Self::CreateOrder(_) => 14,
            Self::CancelOrder { .. } => 15,
            Self::CancelAllOrders(_) => 16,
            Self::ModifyOrder(_) => 17,
            Self::UpdateLeverage { .. } => 20,
            Self::CreateGroupedOrders(_) => 28,
        }
    }

    /// Returns the fields, in the order that is hashed and written. A group has its type only.
    fn fields(&self) -> Fields {
        match self {
            Self::CreateOrder(order) => order.fields(),
            Self::CreateGroupedOrders(group) => vec![("GroupingType", group.grouping as u64)],
            Self::CancelOrder { market_index, index } => {
                vec![("MarketIndex", (*market_index).into()), ("Index", *index)]
            }
            Self::CancelAllOrders(when) => {
                let (time_in_force, time_ms) = match when {
                    CancelAll::Now { .. } => (0, 0),
                    CancelAll::At(time_ms) => (1, *time_ms),
                    CancelAll::Abort => (2, 0),
                };
                vec![("TimeInForce", time_in_force), ("Time", time_ms)]
            }
            Self::ModifyOrder(change) => vec![
                ("MarketIndex", change.market_index.into()),
                ("Index", change.index),
                ("BaseAmount", change.base_amount),
                ("Price", change.price.into()),
                ("TriggerPrice", change.trigger_price.into()),
            ],
            Self::UpdateLeverage { market_index, initial_margin_fraction, margin_mode } => vec![
                ("MarketIndex", (*market_index).into()),
                ("InitialMarginFraction", (*initial_margin_fraction).into()),
                ("MarginMode", *margin_mode as u64),
            ],
        }
    }

    fn check(&self, now_ms: u64) -> Result<(), TransactionError> {
        match self {
            Self::CreateOrder(order) => order.check(now_ms),
            Self::CreateGroupedOrders(group) => group.check(now_ms),
            Self::CancelOrder { market_index, index } => {
                check_market(*market_index)?;
                check_index(*index)
            }
            Self::CancelAllOrders(when) => match when {
                CancelAll::Now { market_index } => market_index.map_or(Ok(()), check_market),
                CancelAll::At(time_ms) => check_future(*time_ms, now_ms, MAX_SCHEDULE_MS, "Time"),
                CancelAll::Abort => Ok(()),
            },
            Self::ModifyOrder(change) => {
                check_market(change.market_index)?;
                check_index(change.index)?;
                require(change.base_amount < 1 << 48, "BaseAmount", "at most 2^48 - 1")?;
                require(change.price > 0, "Price", "at least 1")
            }
            Self::UpdateLeverage { market_index, initial_margin_fraction, .. } => {
                check_market(*market_index)?;
                let fits = (1..=10_000).contains(initial_margin_fraction);
                require(fits, "InitialMarginFraction", "1 to 10000")
            }
        }
    }
}

/// The attributes of a transaction: pairs of number and value, ascending, without default values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes(Vec<(u8, u64)>);

impl Attributes {
    const SKIP_NONCE: u8 = 4;
    const CANCEL_ALL_MARKET: u8 = 5;

    /// Makes attributes that permit any nonce above the last one, in place of the next one only.
    #[must_use]
    pub fn skip_nonce() -> Self {
        Self(vec![(Self::SKIP_NONCE, 1)])
    }

    /// Makes attributes of these pairs, which must be ascending.
    #[cfg(test)]
    pub(crate) const fn of(pairs: Vec<(u8, u64)>) -> Self {
        Self(pairs)
    }

    fn skips_nonce(&self) -> bool {
        self.0.contains(&(Self::SKIP_NONCE, 1))
    }

    /// Returns these attributes and those that an action carries.
    fn with_action(&self, action: &Action) -> Self {
        let mut all = self.clone();
        if let Action::CancelAllOrders(CancelAll::Now { market_index: Some(market) }) = action {
            all.0.push((Self::CANCEL_ALL_MARKET, (*market).into()));
        }
        all
    }

    /// Hashes the pairs, padded with zeros.
    fn hash(&self) -> [Gl; 5] {
        let mut input = [Gl(0); 2 * ATTRIBUTES];
        let values = self.0.iter().flat_map(|(number, value)| [u64::from(*number), *value]);
        for (place, value) in input.iter_mut().zip(values) {
            *place = Gl(value);
        }
        hash_to_five(&input).0
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("null");
        }
        let pairs: Vec<_> =
            self.0.iter().map(|(number, value)| format!("\"{number}\":{value}")).collect();
        write!(f, "{{{}}}", pairs.join(","))
    }
}

/// A transaction to sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// The account, also of a sub-account.
    pub account_index: u64,
    /// The slot of the key, 0 to 254.
    pub api_key_index: u8,
    /// The next number of the slot, or with [`Attributes::skip_nonce`] any larger one.
    pub nonce: u64,
    /// Milliseconds since the Unix epoch. The transaction never executes after this time.
    pub expired_at_ms: u64,
    /// What it does.
    pub action: Action,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A signed transaction. `Debug` shows its hash only: a reader of `tx_info` can send it.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    /// The parameter `tx_type`.
    pub tx_type: u8,
    /// The parameter `tx_info`: JSON.
    pub tx_info: String,
    /// The hash, by which Lighter finds the transaction.
    pub hash: Hash,
}

impl fmt::Debug for SignedTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedTransaction(type {}, {})", self.tx_type, self.hash)
    }
}

impl Transaction {
    /// Checks the fields, and signs the hash. Each call returns another signature of the same hash.
    ///
    /// # Errors
    /// Fails for a field that Lighter refuses, for an expiry in the past, and when signing fails.
    pub fn sign(
        &self,
        key: &SecretKey,
        chain_id: u32,
        now_ms: u64,
        random: &Random,
    ) -> Result<SignedTransaction, SignError> {
        self.check(now_ms)?;
        let hash = self.hash(chain_id);
        let tx_info = self.tx_info(&key.sign(&hash, random)?);
        Ok(SignedTransaction { tx_type: self.action.tx_type(), tx_info, hash })
    }

    /// Checks all fields, as [`Transaction::sign`] does.
    ///
    /// # Errors
    /// Fails for a field that Lighter refuses, and for an expiry in the past.
    pub fn check(&self, now_ms: u64) -> Result<(), TransactionError> {
        check_sender(self.account_index, self.api_key_index)?;
        let max_nonce = if self.attributes.skips_nonce() { MAX_SKIPPED_NONCE } else { MAX_NONCE };
        require(self.nonce <= max_nonce, "Nonce", "less than 2^47 - 1")?;
        let in_future = self.expired_at_ms > now_ms && self.expired_at_ms <= MAX_TIMESTAMP_MS;
        require(in_future, "ExpiredAt", "a time in the future")?;
        self.action.check(now_ms)
    }

    /// Returns the hash that is signed, which is also Lighter's `tx_hash`.
    #[must_use]
    pub fn hash(&self, chain_id: u32) -> Hash {
        let mut input = vec![
            Gl(chain_id.into()),
            Gl(self.action.tx_type().into()),
            Gl(self.nonce),
            Gl(self.expired_at_ms),
            Gl(self.account_index),
            Gl(self.api_key_index.into()),
        ];
        input.extend(elements(&self.action.fields()));
        if let Action::CreateGroupedOrders(group) = &self.action {
            input.extend(group.aggregate());
        }
        finish(&input, &self.attributes.with_action(&self.action))
    }

    /// Returns the JSON for the parameter `tx_info`, in the form of Lighter's own signer.
    #[must_use]
    pub fn tx_info(&self, signature: &Signature) -> String {
        let mut fields =
            vec![("AccountIndex", self.account_index), ("ApiKeyIndex", self.api_key_index.into())];
        fields.extend(self.action.fields());
        let mut text = format!("{{{}", members(&fields));
        if let Action::CreateGroupedOrders(group) = &self.action {
            let orders: Vec<_> = group
                .orders
                .iter()
                .map(|order| format!("{{{}}}", members(&order.fields())))
                .collect();
            // Writing to a `String` does not fail.
            let _ = write!(text, ",\"Orders\":[{}]", orders.join(","));
        }
        let (expired_at, nonce, sig) = (self.expired_at_ms, self.nonce, signature.to_base64());
        let attributes = self.attributes.with_action(&self.action);
        let _ = write!(
            text,
            ",\"ExpiredAt\":{expired_at},\"Nonce\":{nonce},\"Sig\":\"{sig}\",\
             \"L2TxAttributes\":{attributes}}}"
        );
        text
    }
}

/// Hashes a transaction's elements, and the result with the hash of the attributes if it has any.
pub(crate) fn finish(input: &[Gl], attributes: &Attributes) -> Hash {
    let first = hash_to_five(input);
    if attributes.0.is_empty() {
        return Hash(first);
    }
    Hash(hash_to_five(&[first.0, attributes.hash()].concat()))
}

fn members(fields: &Fields) -> String {
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    pairs.join(",")
}

fn check_index(index: u64) -> Result<(), TransactionError> {
    let expected = "a client order index, or an order index below 2^60";
    require((1..=MAX_ORDER_INDEX).contains(&index), "Index", expected)
}
