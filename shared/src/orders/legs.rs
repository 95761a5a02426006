//! The orders that are attached to another one: their ids at the exchange, and their present states.
//!
//! Hyperliquid lists an attached order within the order that it is attached to, without a state. It
//! waits there while that order is open. When that order has ended, the attached order waits for its
//! trigger, has executed, or has ended, which only a lookup of the attached order itself states.

use std::time::Duration;

use futures_util::future::join_all;

use super::client::call::LookupId;
use super::finding::Finder;
use super::plan::legs_of;
use crate::exchanges::trade::ExchangeOrder;
use crate::store::{LegKind, OrderRecord, StoredLeg, TradingAccount};
use crate::trading::ids::{ExchangeOrderId, Leg};
use crate::trading::order::OrderStatus;

/// The time for lookups of attached orders, in milliseconds. The state of one that is not found by
/// then is unknown.
const LOOKUPS_MS: u64 = 3_000;

/// The ids at the exchange of the orders that are attached to one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct LegIds {
    take_profit: Option<String>,
    stop_loss: Option<String>,
}

impl LegIds {
    /// Returns the id of an attached order.
    pub(super) const fn get(&self, leg: Leg) -> Option<&String> {
        match leg {
            Leg::Entry => None,
            Leg::TakeProfit => self.take_profit.as_ref(),
            Leg::StopLoss => self.stop_loss.as_ref(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &String> {
        self.take_profit.iter().chain(&self.stop_loss)
    }
}

/// Returns the ids of the attached orders that were sent with this signature of an order.
pub(super) fn ids_of_legs(
    account: &TradingAccount,
    record: &OrderRecord,
    generation: u8,
) -> LegIds {
    let legs = legs_of(&record.request);
    let id = |leg| {
        let id = || account.exchange_id(record, generation, leg).text(account.exchange);
        legs.contains(&leg).then(id)
    };
    LegIds { take_profit: id(Leg::TakeProfit), stop_loss: id(Leg::StopLoss) }
}

/// Returns the ids of the orders that are attached to an order of the exchange. It has some only if
/// it is the record's own order.
pub(super) fn legs_attached_to(
    account: &TradingAccount,
    order: &ExchangeOrder,
    record: &OrderRecord,
) -> LegIds {
    match own_id(account, order, record) {
        Some(id) if id.leg == Leg::Entry => ids_of_legs(account, record, id.generation),
        _ => LegIds::default(),
    }
}

/// Returns the service's id of an order of the exchange, if it is one of the record's.
fn own_id(
    account: &TradingAccount,
    order: &ExchangeOrder,
    record: &OrderRecord,
) -> Option<ExchangeOrderId> {
    let id = ExchangeOrderId::parse(account.exchange, order.client_id.as_deref()?)?;
    account.has_id(record, id).then_some(id)
}

/// Returns the stored outcome of an attached order.
pub(super) fn stored_leg(stored: &[StoredLeg], leg: Leg) -> Option<&StoredLeg> {
    let kind = if leg == Leg::TakeProfit { LegKind::TakeProfit } else { LegKind::StopLoss };
    stored.iter().find(|stored| stored.kind == kind)
}

/// Returns an order with these attached orders, if it has some of them. They replace those that the
/// exchange lists within the order.
pub(super) fn with_listed<'a>(
    account: &TradingAccount,
    order: &ExchangeOrder,
    record: &OrderRecord,
    listed: impl Fn(&str) -> Option<&'a ExchangeOrder>,
) -> Option<ExchangeOrder> {
    let ids = legs_attached_to(account, order, record);
    let found: Vec<_> = ids.iter().filter_map(|id| listed(id).cloned()).collect();
    (!found.is_empty()).then(|| replaced(order.clone(), found))
}

fn replaced(mut order: ExchangeOrder, found: Vec<ExchangeOrder>) -> ExchangeOrder {
    let is_found = |child: &ExchangeOrder| found.iter().any(|it| it.client_id == child.client_id);
    order.children.retain(|child| !is_found(child));
    order.children.extend(found);
    order
}

impl Finder<'_> {
    /// Returns an order of the exchange with the present states of the orders that are attached to
    /// it. Those that the exchange does not state are looked up. The state of one whose lookup fails
    /// stays unknown.
    pub(super) async fn with_legs(
        &self,
        order: ExchangeOrder,
        record: &OrderRecord,
    ) -> ExchangeOrder {
        let ids = legs_attached_to(self.account, &order, record);
        let is_stated = |id: &&String| {
            let mut children = order.children.iter();
            let child = children.find(|child| child.client_id.as_ref() == Some(*id));
            child.is_some_and(|child| child.status != OrderStatus::Unknown)
        };
        let missing: Vec<_> = ids.iter().filter(|id| !is_stated(id)).collect();
        if missing.is_empty() {
            return order;
        }
        let entry = &order;
        let lookups = missing.into_iter().map(|id| async move {
            let lookup = self.find(&record.symbol.name, LookupId::Client(id));
            match tokio::time::timeout(Duration::from_millis(LOOKUPS_MS), lookup).await {
                // Another client of the account can use the id for another order.
                Ok(Ok(found)) => found
                    .map(|found| *found)
                    .filter(|leg| leg.symbol == entry.symbol && leg.side == entry.side.opposite()),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the state of an attached order is unknown");
                    None
                }
                Err(_) => {
                    tracing::warn!("the state of an attached order is unknown: timeout");
                    None
                }
            }
        });
        let found = join_all(lookups).await.into_iter().flatten().collect();
        replaced(order, found)
    }
}
