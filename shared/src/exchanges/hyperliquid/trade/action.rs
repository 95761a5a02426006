//! The closed list of actions. An action that moves funds, changes an account or trades for
//! another account has no value here, so the service cannot sign it. Field names and their order:
//! the exchange endpoint document and the official Python SDK.

mod values;

pub use values::{Cloid, OrderId, Wire};

use domain::builder::Builder;

use super::msgpack::Node;
use crate::trading::order::Side;

/// Maximum number of orders in one action.
pub const MAX_ORDERS: usize = 20;

/// Time from signing to the expiry of an order or a modification, in milliseconds.
pub const EXPIRES_AFTER_MS: u64 = 10_000;

/// An action that the service signs with an agent's key.
///
/// Optional flags are absent: `a` of a modification could place a second order, and the exchange
/// refuses `f` and `a` if they are false. The account is always the wallet's main account, so
/// `vaultAddress` is absent too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Places orders.
    Order(Orders),
    /// Cancels orders by the exchange's ids.
    Cancel(Vec<Cancel>),
    /// Cancels orders by the client's ids.
    CancelByCloid(Vec<CancelByCloid>),
    /// Replaces one resting limit order.
    BatchModify(Modify),
    /// Sets the leverage and the margin mode of a market.
    UpdateLeverage(Leverage),
    /// Uses a nonce and changes nothing.
    Noop,
}

impl Action {
    /// Returns the expiry to sign. Cancellations do not expire: a late one does no harm, and an
    /// expired action costs five times the weight of the address.
    #[must_use]
    pub const fn expires_after_ms(&self, exchange_now_ms: u64) -> Option<u64> {
        match self {
            Self::Order(_) | Self::BatchModify(_) | Self::UpdateLeverage(_) => {
                Some(exchange_now_ms.saturating_add(EXPIRES_AFTER_MS))
            }
            Self::Cancel(_) | Self::CancelByCloid(_) | Self::Noop => None,
        }
    }

    /// Returns the number of entries: the response has one status for each.
    #[must_use]
    pub const fn entries(&self) -> usize {
        match self {
            Self::Order(orders) => orders.list.len(),
            Self::Cancel(cancels) => cancels.len(),
            Self::CancelByCloid(cancels) => cancels.len(),
            Self::BatchModify(_) => 1,
            Self::UpdateLeverage(_) | Self::Noop => 0,
        }
    }

    /// Returns the request weight.
    #[must_use]
    pub const fn weight(&self) -> u64 {
        1 + (self.entries() / 40) as u64
    }

    /// Returns the tree that is hashed and sent.
    pub(super) fn tree(&self) -> Node<'_> {
        let entries = match self {
            Self::Order(orders) => {
                let mut entries = vec![
                    ("type", Node::text("order")),
                    ("orders", Node::Array(orders.list.iter().map(OrderWire::tree).collect())),
                    ("grouping", Node::text(orders.grouping())),
                ];
                entries.extend(orders.builder.map(|builder| ("builder", builder_tree(builder))));
                entries
            }
            Self::Cancel(cancels) => vec![
                ("type", Node::text("cancel")),
                ("cancels", Node::Array(cancels.iter().map(Cancel::tree).collect())),
            ],
            Self::CancelByCloid(cancels) => vec![
                ("type", Node::text("cancelByCloid")),
                ("cancels", Node::Array(cancels.iter().map(CancelByCloid::tree).collect())),
            ],
            Self::BatchModify(modify) => vec![
                ("type", Node::text("batchModify")),
                ("modifies", Node::Array(vec![modify.tree()])),
            ],
            Self::UpdateLeverage(leverage) => vec![
                ("type", Node::text("updateLeverage")),
                ("asset", Node::int(leverage.asset)),
                ("isCross", Node::Bool(leverage.is_cross)),
                ("leverage", Node::int(leverage.leverage)),
            ],
            Self::Noop => vec![("type", Node::text("noop"))],
        };
        Node::Map(entries)
    }
}

/// The orders of one action.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Orders {
    list: Vec<OrderWire>,
    has_children: bool,
    builder: Option<Builder>,
}

/// Returns the builder of an action. The exchange hashes the address in lower case.
fn builder_tree(builder: Builder) -> Node<'static> {
    let fee = Node::int(builder.fee.tenths());
    Node::Map(vec![("b", Node::text(builder.address.to_lower_hex())), ("f", fee)])
}

impl Orders {
    /// Makes independent orders. Returns `None` for an empty list and for more than
    /// [`MAX_ORDERS`].
    #[must_use]
    pub fn independent(list: Vec<OrderWire>) -> Option<Self> {
        (1..=MAX_ORDERS).contains(&list.len()).then_some(Self {
            list,
            has_children: false,
            builder: None,
        })
    }

    /// Makes an entry with its take profit and stop loss, which become active when the entry is
    /// filled as a whole. Returns `None` unless there are one or two children, all of them
    /// reduce-only triggers on the other side with the entry's market and size.
    #[must_use]
    pub fn with_children(entry: OrderWire, children: Vec<OrderWire>) -> Option<Self> {
        let is_child = |child: &OrderWire| {
            child.asset == entry.asset
                && child.side == entry.side.opposite()
                && child.size == entry.size
                && child.reduce_only
                && matches!(child.kind, OrderKindWire::Trigger { .. })
        };
        let is_valid = (1..=2).contains(&children.len()) && children.iter().all(is_child);
        let list = [vec![entry], children].concat();
        is_valid.then_some(Self { list, has_children: true, builder: None })
    }

    /// Adds the builder that receives a fee for these orders. The wallet must have approved it.
    #[must_use]
    pub fn with_builder(self, builder: Option<Builder>) -> Self {
        Self { builder, ..self }
    }

    /// Returns the client's id of each order.
    pub fn cloids(&self) -> impl Iterator<Item = Option<Cloid>> {
        self.list.iter().map(|order| order.cloid)
    }

    const fn grouping(&self) -> &'static str {
        if self.has_children { "normalTpsl" } else { "na" }
    }
}

/// An order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrderWire {
    /// The market's id.
    pub asset: u32,
    /// The side.
    pub side: Side,
    /// The price; for a market order the bound.
    pub price: Wire,
    /// The size.
    pub size: Wire,
    /// Whether the order may only reduce a position.
    pub reduce_only: bool,
    /// The type.
    pub kind: OrderKindWire,
    /// The client's id.
    pub cloid: Option<Cloid>,
}

impl OrderWire {
    fn tree(&self) -> Node<'_> {
        let mut entries = vec![
            ("a", Node::int(self.asset)),
            ("b", Node::Bool(self.side == Side::Buy)),
            ("p", self.price.tree()),
            ("s", self.size.tree()),
            ("r", Node::Bool(self.reduce_only)),
            ("t", self.kind.tree()),
        ];
        entries.extend(self.cloid.map(|cloid| ("c", Node::text(cloid.to_string()))));
        Node::Map(entries)
    }
}

/// The type of an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OrderKindWire {
    /// A limit order; a market order is one with [`Tif::Ioc`].
    Limit(Tif),
    /// An order that waits for the mark price.
    Trigger {
        /// Whether it becomes a market order.
        is_market: bool,
        /// The mark price that triggers it.
        trigger_price: Wire,
        /// The direction.
        tpsl: Tpsl,
    },
}

impl OrderKindWire {
    fn tree(&self) -> Node<'_> {
        match self {
            Self::Limit(tif) => {
                let tif = Node::text(tif.as_str());
                Node::Map(vec![("limit", Node::Map(vec![("tif", tif)]))])
            }
            Self::Trigger { is_market, trigger_price, tpsl } => {
                let entries = vec![
                    ("isMarket", Node::Bool(*is_market)),
                    ("triggerPx", trigger_price.tree()),
                    ("tpsl", Node::text(tpsl.as_str())),
                ];
                Node::Map(vec![("trigger", Node::Map(entries))])
            }
        }
    }
}

/// How long a limit order stays open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tif {
    /// Until it is filled or cancelled.
    Gtc,
    /// Not at all.
    Ioc,
    /// Until it is filled or cancelled; refused if it would execute at once.
    Alo,
}

impl Tif {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Gtc => "Gtc",
            Self::Ioc => "Ioc",
            Self::Alo => "Alo",
        }
    }
}

/// The direction of a trigger order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tpsl {
    /// Take profit.
    TakeProfit,
    /// Stop loss.
    StopLoss,
}

impl Tpsl {
    const fn as_str(self) -> &'static str {
        match self {
            Self::TakeProfit => "tp",
            Self::StopLoss => "sl",
        }
    }
}

/// A cancellation by the exchange's id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cancel {
    /// The market's id.
    pub asset: u32,
    /// The exchange's id.
    pub order_id: u64,
}

impl Cancel {
    fn tree(&self) -> Node<'_> {
        Node::Map(vec![("a", Node::int(self.asset)), ("o", Node::int(self.order_id))])
    }
}

/// A cancellation by the client's id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CancelByCloid {
    /// The market's id.
    pub asset: u32,
    /// The client's id.
    pub cloid: Cloid,
}

impl CancelByCloid {
    fn tree(&self) -> Node<'_> {
        let cloid = Node::text(self.cloid.to_string());
        Node::Map(vec![("asset", Node::int(self.asset)), ("cloid", cloid)])
    }
}

/// The replacement of a resting limit order. The exchange cancels it and places a new one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Modify {
    target: OrderId,
    order: OrderWire,
}

impl Modify {
    /// Makes a replacement. Returns `None` unless the new order is a limit order that rests: the
    /// exchange accepts other types only with a flag that can place a second order. The exchange
    /// makes the new order post-only in either case.
    #[must_use]
    pub fn new(target: OrderId, order: OrderWire) -> Option<Self> {
        let rests = matches!(order.kind, OrderKindWire::Limit(Tif::Gtc | Tif::Alo));
        rests.then_some(Self { target, order })
    }

    /// Returns the client's id of the new order.
    #[must_use]
    pub const fn cloid(&self) -> Option<Cloid> {
        self.order.cloid
    }

    fn tree(&self) -> Node<'_> {
        let target = match self.target {
            OrderId::Exchange(id) => Node::int(id),
            OrderId::Client(cloid) => Node::text(cloid.to_string()),
        };
        Node::Map(vec![("oid", target), ("order", self.order.tree())])
    }
}

/// The leverage and the margin mode of a market.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leverage {
    /// The market's id.
    pub asset: u32,
    /// Whether the margin is cross.
    pub is_cross: bool,
    /// The leverage.
    pub leverage: u32,
}
