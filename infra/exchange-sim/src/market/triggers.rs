//! Trigger orders, which start when the mark passes their price.

use super::{Engine, Status};

impl Engine {
    /// Starts the orders of a market whose trigger the mark has passed, oldest first.
    pub(super) fn fire_triggers(&mut self, name: &str, now: u64) {
        let Some(mark) = self.markets.get(name).map(|market| market.mark) else { return };
        let waiting: Vec<u64> =
            self.books.get(name).into_iter().flat_map(|book| &book.triggers).copied().collect();
        for oid in waiting {
            let fires = self.orders.get(&oid).is_some_and(|order| {
                order.status == Status::Open
                    && order.trigger.is_some_and(|trigger| trigger.fires(order.buy, mark))
            });
            if fires {
                self.trigger(oid, now);
            }
        }
    }
}
