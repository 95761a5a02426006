//! Orders, fills and refusals.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use super::Num;

/// How long an order may wait for a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tif {
    /// Until cancelled.
    Gtc,
    /// The part that does not match at once is cancelled.
    Ioc,
    /// All or nothing, at once.
    Fok,
    /// Only as a maker.
    PostOnly,
}

/// The position that an order changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Side {
    /// The only position of one-way mode.
    Both,
    /// The long position of hedge mode.
    Long,
    /// The short position of hedge mode.
    Short,
}

/// When an order starts to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trigger {
    /// Price of the mark.
    pub(crate) price: Num,
    /// True for a take profit, false for a stop.
    pub(crate) profit: bool,
    /// Whether the order then matches at the market's price.
    pub(crate) market: bool,
}

impl Trigger {
    /// Returns whether a mark price triggers an order of a side.
    pub(crate) fn fires(self, buy: bool, mark: Num) -> bool {
        if buy == self.profit { mark <= self.price } else { mark >= self.price }
    }
}

/// State of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    /// Waits until its entry is filled.
    Waiting,
    /// Waits for a match or a trigger.
    Open,
    /// A trigger order that waits for a match.
    Triggered,
    Filled,
    Canceled,
    /// Not matched at once, as requested.
    Expired,
    ReduceOnlyCanceled,
    SiblingFilledCanceled,
    SelfTradeCanceled,
    /// The entry of a child ended before it was filled.
    EntryCanceled,
    Rejected(Reject),
}

/// Reason for the refusal of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reject {
    Margin,
    SpotBalance,
    /// Would not reduce the position, or there is none.
    ReduceOnly,
    /// Other reduce-only orders use the position up.
    ReduceOnlyUsed,
    /// Would have matched. The best bid and ask.
    PostOnly {
        bid: Num,
        ask: Num,
    },
    /// Nothing to match within the limit.
    NoMatch,
    /// Nothing to match at all, for a market order.
    NoLiquidity,
    /// Would trigger at once.
    TriggerPrice,
    /// The client's id names an open order.
    DuplicateClient,
}

/// An order to place.
#[derive(Clone, Debug)]
pub(crate) struct NewOrder {
    pub(crate) account: Address,
    pub(crate) market: String,
    pub(crate) buy: bool,
    pub(crate) price: Num,
    /// Zero with `reduce_only`: the whole position.
    pub(crate) size: Num,
    pub(crate) tif: Tif,
    /// Whether the price is only the limit of a market order.
    pub(crate) is_market: bool,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) reduce_only: bool,
    /// The size is that of the position when the order matches.
    pub(crate) whole_position: bool,
    pub(crate) side: Side,
    pub(crate) client: Option<String>,
    /// The entry that must be filled first.
    pub(crate) entry: Option<u64>,
    /// The word for the type and time in force on the wire.
    pub(crate) words: (String, String),
    /// Hash of the request's signed data.
    pub(crate) request: String,
    /// Receives a fee for each match.
    pub(crate) builder: Option<BuilderFee>,
}

/// A builder and its fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BuilderFee {
    pub(crate) builder: Address,
    /// Part of the value.
    pub(crate) rate: Num,
}

/// An order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) oid: u64,
    pub(crate) account: Address,
    pub(crate) market: String,
    pub(crate) buy: bool,
    pub(crate) price: Num,
    pub(crate) size: Num,
    pub(crate) filled: Num,
    /// Sum of price times quantity of the fills.
    pub(crate) value: Num,
    pub(crate) tif: Tif,
    pub(crate) is_market: bool,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) reduce_only: bool,
    pub(crate) whole_position: bool,
    pub(crate) side: Side,
    pub(crate) client: Option<String>,
    pub(crate) entry: Option<u64>,
    pub(crate) children: Vec<u64>,
    pub(crate) words: (String, String),
    pub(crate) status: Status,
    /// Time of creation.
    pub(crate) at: u64,
    /// Time of the last change.
    pub(crate) updated: u64,
    /// Number of changes of price or quantity.
    #[serde(default)]
    pub(crate) changes: u32,
    #[serde(default)]
    pub(crate) builder: Option<BuilderFee>,
}

impl Order {
    pub(crate) fn left(&self) -> Num {
        self.size - self.filled
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.status, Status::Waiting | Status::Open | Status::Triggered)
    }

    /// Returns whether the order waits for its trigger, or for its entry.
    pub(crate) fn is_dormant(&self) -> bool {
        self.status == Status::Waiting || (self.trigger.is_some() && self.status == Status::Open)
    }

    pub(crate) fn average(&self) -> Num {
        self.value.over(self.filled)
    }
}

/// A match of one order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fill {
    pub(crate) id: u64,
    pub(crate) account: Address,
    pub(crate) oid: u64,
    pub(crate) market: String,
    pub(crate) buy: bool,
    pub(crate) side: Side,
    pub(crate) price: Num,
    pub(crate) size: Num,
    pub(crate) taker: bool,
    pub(crate) fee: Num,
    pub(crate) fee_token: String,
    /// The part of the fee that the order's builder receives.
    #[serde(default)]
    pub(crate) builder_fee: Num,
    /// The position before the match, with its sign.
    pub(crate) before: Num,
    pub(crate) profit: Num,
    pub(crate) client: Option<String>,
    pub(crate) at: u64,
}

/// What became of one client's id of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Execution {
    /// Number of orders that the exchange accepted.
    pub(crate) accepted: u32,
    /// Quantity filled by all of them.
    pub(crate) filled: Num,
    /// Hashes of the signed requests that carried the id and were accepted.
    pub(crate) requests: BTreeSet<String>,
}
