//! Orders and groups of orders, with the rules of Lighter's own signer.

use crate::field::Gl;
use crate::fields::{
    Fields, MAX_EXPIRY_MS, TransactionError, check_future, check_market, elements, require,
};
use crate::poseidon2::hash_to_four;

/// The first index of the spot markets.
const FIRST_SPOT_MARKET: u16 = 2_048;

/// The last index of the spot markets. Indexes above it are perpetuals again.
const LAST_SPOT_MARKET: u16 = 4_094;

/// The largest client order index and base amount.
const MAX_48_BITS: u64 = (1 << 48) - 1;

/// Type of an order, with its number on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum OrderType {
    /// Limit order.
    Limit = 0,
    /// Market order. Its price is the worst that is accepted.
    Market = 1,
    /// Stop that becomes a market order.
    StopLoss = 2,
    /// Stop that becomes a limit order.
    StopLossLimit = 3,
    /// Take profit that becomes a market order.
    TakeProfit = 4,
    /// Take profit that becomes a limit order.
    TakeProfitLimit = 5,
    /// Series of market orders until the expiry.
    Twap = 6,
}

impl OrderType {
    const fn has_trigger(self) -> bool {
        !matches!(self, Self::Limit | Self::Market | Self::Twap)
    }

    const fn is_stop(self) -> bool {
        matches!(self, Self::StopLoss | Self::StopLossLimit)
    }
}

/// Time in force, with its number on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum TimeInForce {
    /// Immediate or cancel.
    ImmediateOrCancel = 0,
    /// Until [`Order::expiry_ms`].
    GoodTillTime = 1,
    /// Until [`Order::expiry_ms`], and canceled if it would match at once.
    PostOnly = 2,
}

/// An order in the market's integer units: a size is the decimal times 10^`size_decimals`, a price
/// the decimal times 10^`price_decimals`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Number of the market. Spot markets are 2048 to 4094.
    pub market_index: u16,
    /// The caller's own number, from 1 to 2^48 − 1, or 0 for none.
    pub client_order_index: u64,
    /// Size. 0 for the whole position, or for a child of a group.
    pub base_amount: u64,
    /// Price, and the worst accepted one of a market order.
    pub price: u32,
    /// Whether the order sells.
    pub is_ask: bool,
    /// Type.
    pub order_type: OrderType,
    /// Time in force.
    pub time_in_force: TimeInForce,
    /// Whether it may only reduce a position.
    pub reduce_only: bool,
    /// Price that starts the order, or 0.
    pub trigger_price: u32,
    /// Milliseconds since the Unix epoch, or 0 for an immediate order.
    pub expiry_ms: u64,
}

impl Order {
    pub(crate) fn fields(&self) -> Fields {
        vec![
            ("MarketIndex", self.market_index.into()),
            ("ClientOrderIndex", self.client_order_index),
            ("BaseAmount", self.base_amount),
            ("Price", self.price.into()),
            ("IsAsk", self.is_ask.into()),
            ("Type", self.order_type as u64),
            ("TimeInForce", self.time_in_force as u64),
            ("ReduceOnly", self.reduce_only.into()),
            ("TriggerPrice", self.trigger_price.into()),
            ("OrderExpiry", self.expiry_ms),
        ]
    }

    const fn is_spot(&self) -> bool {
        self.market_index >= FIRST_SPOT_MARKET && self.market_index <= LAST_SPOT_MARKET
    }

    pub(crate) fn check(&self, now_ms: u64) -> Result<(), TransactionError> {
        check_market(self.market_index)?;
        require(self.client_order_index <= MAX_48_BITS, "ClientOrderIndex", "0 to 2^48 - 1")?;
        let has_size = self.base_amount > 0 || self.reduce_only;
        let fits = has_size && self.base_amount <= MAX_48_BITS;
        require(fits, "BaseAmount", "1 to 2^48 - 1, or 0 with ReduceOnly")?;
        require(self.price > 0, "Price", "at least 1")?;
        require(!(self.is_spot() && self.reduce_only), "ReduceOnly", "0 for a spot market")?;
        let is_perp_type = matches!(self.order_type, OrderType::Limit | OrderType::Market)
            || self.order_type == OrderType::Twap;
        require(!self.is_spot() || is_perp_type, "Type", "no trigger for a spot market")?;
        self.check_time(now_ms)?;
        let expected = if self.order_type.has_trigger() { "at least 1" } else { "0" };
        require((self.trigger_price > 0) == self.order_type.has_trigger(), "TriggerPrice", expected)
    }

    fn check_time(&self, now_ms: u64) -> Result<(), TransactionError> {
        let immediate = self.time_in_force == TimeInForce::ImmediateOrCancel;
        let (fits, expected) = match self.order_type {
            OrderType::Market | OrderType::StopLoss | OrderType::TakeProfit => (immediate, "0"),
            OrderType::Twap => (self.time_in_force == TimeInForce::GoodTillTime, "1"),
            OrderType::Limit | OrderType::StopLossLimit | OrderType::TakeProfitLimit => (true, ""),
        };
        require(fits, "TimeInForce", expected)?;
        if immediate && !self.order_type.has_trigger() {
            require(self.expiry_ms == 0, "OrderExpiry", "0 for an immediate order")
        } else {
            check_future(self.expiry_ms, now_ms, MAX_EXPIRY_MS, "OrderExpiry")
        }
    }
}

/// How the orders of a group depend on each other, with the number on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Grouping {
    /// An entry, and one order that starts when it is filled.
    OneTriggersOther = 1,
    /// A take profit and a stop, of which one cancels the other.
    OneCancelsOther = 2,
    /// An entry, and a take profit and a stop that start when it is filled.
    OneTriggersOneCancelsOther = 3,
}

/// Two or three orders in one transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderGroup {
    /// How they depend on each other.
    pub grouping: Grouping,
    /// The orders, the entry first.
    pub orders: Vec<Order>,
}

impl OrderGroup {
    /// Returns the hash of the orders: each is hashed, and the result with the next order's hash.
    pub(crate) fn aggregate(&self) -> [Gl; 4] {
        let hashes = self.orders.iter().map(|order| hash_to_four(&elements(&order.fields())));
        let join = |all: [Gl; 4], next: [Gl; 4]| hash_to_four(&[all, next].concat());
        hashes.reduce(join).unwrap_or_default()
    }

    pub(crate) fn check(&self, now_ms: u64) -> Result<(), TransactionError> {
        let (entry, exits) = match (self.grouping, self.orders.as_slice()) {
            (Grouping::OneCancelsOther, exits @ [_, _]) => (None, exits),
            (Grouping::OneTriggersOther, [entry, exits @ ..]) if exits.len() == 1 => {
                (Some(entry), exits)
            }
            (Grouping::OneTriggersOneCancelsOther, [entry, exits @ ..]) if exits.len() == 2 => {
                (Some(entry), exits)
            }
            _ => return Err(TransactionError::new("Orders", "as many as the grouping has")),
        };
        for order in &self.orders {
            order.check(now_ms)?;
            require(!order.is_spot(), "MarketIndex", "a perpetual")?;
            let same = order.market_index == self.orders[0].market_index;
            require(same, "MarketIndex", "the same for all orders")?;
        }
        self.check_client_indexes()?;
        check_exits(exits)?;
        entry.map_or_else(|| check_pair(exits), |entry| check_entry(entry, exits))
    }

    fn check_client_indexes(&self) -> Result<(), TransactionError> {
        let mut named: Vec<_> = self.orders.iter().map(|order| order.client_order_index).collect();
        named.retain(|index| *index != 0);
        let count = named.len();
        named.sort_unstable();
        named.dedup();
        require(named.len() == count, "ClientOrderIndex", "different for each order")
    }
}

fn check_exits(exits: &[Order]) -> Result<(), TransactionError> {
    let triggers = exits.iter().all(|order| order.order_type.has_trigger());
    let stops = exits.iter().filter(|order| order.order_type.is_stop()).count();
    let fits = triggers && (exits.len() == 1 || stops == 1);
    require(fits, "Type", "one take profit and one stop")?;
    let [first, rest @ ..] = exits else { return Ok(()) };
    let same = |order: &Order| order.expiry_ms == first.expiry_ms;
    require(rest.iter().all(same), "OrderExpiry", "the same for all orders")?;
    let same = |order: &Order| order.is_ask == first.is_ask;
    require(rest.iter().all(same), "IsAsk", "the same for both exits")
}

fn check_pair(exits: &[Order]) -> Result<(), TransactionError> {
    let reduce = exits.iter().all(|order| order.reduce_only);
    require(reduce, "ReduceOnly", "1 for both orders")?;
    let same = exits.windows(2).all(|pair| pair[0].base_amount == pair[1].base_amount);
    require(same, "BaseAmount", "the same for both orders")
}

fn check_entry(entry: &Order, exits: &[Order]) -> Result<(), TransactionError> {
    let is_entry = matches!(entry.order_type, OrderType::Limit | OrderType::Market);
    require(is_entry, "Type", "a limit or market order as the entry")?;
    let without_size = exits.iter().all(|order| order.base_amount == 0);
    require(without_size, "BaseAmount", "0 for the orders after the entry")?;
    let other_side = exits.iter().all(|order| order.is_ask != entry.is_ask);
    require(other_side, "IsAsk", "the other side for the orders after the entry")?;
    let same = |order: &Order| entry.expiry_ms == 0 || order.expiry_ms == entry.expiry_ms;
    require(exits.iter().all(same), "OrderExpiry", "the same for all orders")
}
