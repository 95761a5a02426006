//! The calls of both exchanges and their outcomes, in common terms.

use domain::eth::{Address, AgentKeyError};
use lighter_signer::Action as LighterAction;

use crate::exchanges::LookupError;
use crate::exchanges::aster::trade as aster;
use crate::exchanges::aster::trade::params::Params;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::hyperliquid::trade::action::{self, Action, Cloid};
use crate::exchanges::hyperliquid::trade::answer::Sender;
use crate::exchanges::trade::{EntryOutcome, ExchangeOrder, Placed, TradeRefusal};
use crate::orders::access::SigningKey;
use crate::store::{SentMethod, Submission};

/// A call that is not signed yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::orders) enum Unsigned {
    /// A call of Aster with its parameters.
    Aster(aster::Call, Params),
    /// An action of Hyperliquid.
    Hyperliquid(Action),
    /// A transaction of Lighter.
    Lighter(LighterAction),
}

/// An order in a call, as the response must name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::orders) struct SentOrder {
    /// The exchange's name of the market.
    pub(in crate::orders) symbol: String,
    /// The client's id at the exchange.
    pub(in crate::orders) client_id: String,
}

/// Stored bytes on their way to the exchange.
#[derive(Clone, Copy, Debug)]
pub(in crate::orders) struct Outgoing<'a> {
    /// The bytes.
    pub(in crate::orders) submission: &'a Submission,
    /// The wallet.
    pub(in crate::orders) wallet: Address,
    /// The orders in the bytes, in their sequence.
    pub(in crate::orders) orders: &'a [SentOrder],
    /// Whether nothing with these bytes was sent before. A refusal of bytes that were sent before
    /// proves nothing.
    pub(in crate::orders) is_first: bool,
    /// Nothing is sent after this time, Unix milliseconds.
    pub(in crate::orders) until_ms: u64,
}

/// The outcome of one order of a call.
#[derive(Debug)]
pub(in crate::orders) enum Entry {
    /// The exchange has the order.
    Placed(Placed),
    /// The exchange refused the order.
    Refused(TradeRefusal),
    /// The exchange has taken the order, and executes it later or not at all. Its hash names it.
    Taken(String),
    /// The exchange may have the order.
    Unknown,
}

/// The outcome of the change of an order.
#[derive(Debug)]
pub(in crate::orders) enum Changed {
    /// The order has the new price and quantity.
    Made(Placed),
    /// The order is as it was.
    Refused(TradeRefusal),
    /// The old order is gone, and the new one was refused.
    Lost(TradeRefusal),
    /// The exchange has taken the change, and makes it later or not at all. Its hash names it.
    Taken(String),
}

/// The outcome of the cancellation of one order.
#[derive(Debug)]
pub(in crate::orders) enum Cancelled {
    /// The order is cancelled. The exchange states it, or not.
    Done(Option<Box<ExchangeOrder>>),
    /// The order was not cancelled.
    Refused(TradeRefusal),
    /// The exchange has taken the cancellation, and makes it later or not at all. Its hash names it.
    Taken(String),
}

/// The asker of a question about a wallet.
#[derive(Clone, Copy, Debug)]
pub(in crate::orders) struct Asker<'a> {
    /// The wallet.
    pub(in crate::orders) wallet: Address,
    /// Its agent. Aster answers no question without one.
    pub(in crate::orders) key: Option<&'a SigningKey>,
}

/// The id of an order in a question or a cancellation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::orders) enum LookupId<'a> {
    /// The exchange's.
    Exchange(u64),
    /// The client's.
    Client(&'a str),
}

impl LookupId<'_> {
    pub(super) fn of_hyperliquid(self) -> Option<action::OrderId> {
        match self {
            Self::Exchange(id) => Some(action::OrderId::Exchange(id)),
            Self::Client(text) => Cloid::parse(text).map(action::OrderId::Client),
        }
    }
}

impl<'a> LookupId<'a> {
    pub(super) const fn of_aster(self) -> aster::params::OrderId<'a> {
        match self {
            Self::Exchange(id) => aster::params::OrderId::Exchange(id),
            Self::Client(text) => aster::params::OrderId::Client(text),
        }
    }

    /// Returns the number: below 2^48 the client's, from there on the exchange's.
    pub(super) fn of_lighter(self) -> Option<u64> {
        match self {
            Self::Exchange(id) => Some(id),
            Self::Client(text) => text.parse().ok(),
        }
    }
}

impl From<&ExchangeOrder> for Placed {
    fn from(order: &ExchangeOrder) -> Self {
        Self {
            order_id: Some(order.order_id.clone()),
            exchange_status: order.exchange_status.clone(),
            filled: order.filled,
            average_price: order.average_price,
        }
    }
}

/// Returns what an order that the exchange has means for the record: a rejected order without a
/// fill was refused.
pub(in crate::orders) fn entry_of(order: &ExchangeOrder) -> Entry {
    match order.rejection {
        Some(code) if order.filled.is_zero() => {
            Entry::Refused(TradeRefusal { code, text: order.exchange_status.clone() })
        }
        _ => Entry::Placed(order.into()),
    }
}

impl From<EntryOutcome> for Entry {
    fn from(outcome: EntryOutcome) -> Self {
        match outcome {
            EntryOutcome::Placed(placed) => Self::Placed(placed),
            EntryOutcome::Refused(refusal) => Self::Refused(refusal),
        }
    }
}

impl From<aster::answer::Entry> for Entry {
    fn from(entry: aster::answer::Entry) -> Self {
        match entry {
            aster::answer::Entry::Placed(order) => entry_of(&order),
            aster::answer::Entry::Refused(refusal) => Self::Refused(refusal),
            aster::answer::Entry::Unknown(unresolved) => {
                tracing::warn!(cause = %unresolved.why, "the outcome of an order is unclear");
                Self::Unknown
            }
        }
    }
}

impl SentOrder {
    pub(super) fn expected(&self) -> aster::Expected<'_> {
        aster::Expected { symbol: &self.symbol, client_id: &self.client_id }
    }
}

impl Outgoing<'_> {
    pub(super) const fn sender(&self) -> Sender {
        Sender { wallet: self.wallet, agent: self.submission.agent, is_first: self.is_first }
    }

    /// Restores the call of stored bytes.
    pub(super) fn aster_bytes(&self) -> Option<aster::sign::Signed> {
        let Submission { method, path, nonce, body, .. } = self.submission;
        let method = match method {
            SentMethod::Post => aster::Method::Post,
            SentMethod::Put => aster::Method::Put,
        };
        let call = aster::Call::of(method, path)?;
        Some(aster::sign::Signed::stored(call, *nonce, body.clone()))
    }
}

impl<'a> Asker<'a> {
    pub(super) fn reader(&self) -> Result<aster::Reader<'a>, AskError> {
        let key = self.key.and_then(|key| key.agent().ok());
        let key = key.ok_or(LookupError::Unsigned(AgentKeyError))?;
        Ok(aster::Reader { user: self.wallet, key })
    }
}
