//! Fills between the lookup of an order and its change.
//!
//! Hyperliquid replaces an order by one with the rest of the quantity that the service computed. What
//! the old order filled in the meantime executes in addition. The record has the true quantity, and
//! the service takes the excess back: with another change, or by cancelling the rest.

use super::Changing;
use crate::orders::target::Target;
use crate::orders::view::{OrderView, of_exchange};
use crate::orders::{TradeError, Trader};
use crate::trading::decimal::Decimal;

/// Number of further changes that take back an excess. Each can meet further fills.
const CHANGES: u32 = 2;

/// What an attempt to take back an excess has come to.
enum Reduced {
    /// The order in its present state.
    Order(Box<OrderView>),
    /// No change of the order can take back the excess.
    Impossible,
}

impl Trader {
    /// Takes back what an order can execute in addition to the quantity that the caller requested,
    /// and returns the order. A process that dies before leaves a record with the true quantity, and
    /// a repeat of the request takes back the excess.
    pub(super) async fn without_excess(
        &self,
        target: &mut Target,
        mut view: OrderView,
        changing: Changing<'_>,
    ) -> Result<OrderView, TradeError> {
        for _ in 0..CHANGES {
            if !exceeds(&view, changing) {
                return Ok(view);
            }
            tracing::info!("an order was filled while it was changed; taking back the excess");
            match self.reduce(target, changing).await {
                Ok(Reduced::Order(present)) => view = *present,
                Ok(Reduced::Impossible) => break,
                Err(error) => return Err(open_excess(target, error)),
            }
        }
        if !exceeds(&view, changing) {
            return Ok(view);
        }
        match self.cancel_target(target, changing.key).await {
            Ok(view) => Ok(view),
            Err(TradeError::NotOpen(view)) => Ok(*view),
            Err(error) => Err(open_excess(target, error)),
        }
    }

    /// Changes the order to the requested quantity once more.
    async fn reduce(
        &self,
        target: &mut Target,
        changing: Changing<'_>,
    ) -> Result<Reduced, TradeError> {
        // The ledger and the policy have changed since they were read.
        target.view = self.view(&target.account, &[]).await?;
        let found = self.look_up_present(target, Some(changing.key)).await?;
        let found = found.ok_or_else(|| target.not_found())?;
        if !found.status.is_open() {
            let view = of_exchange(&target.account, &found, target.record.as_ref());
            return Ok(Reduced::Order(Box::new(view)));
        }
        match self.change_found(target, &found, changing).await {
            Ok(view) => Ok(Reduced::Order(Box::new(view))),
            Err(TradeError::NotOpen(view)) => Ok(Reduced::Order(view)),
            // The rest is too small, the price would match at once, or a limit or the changes of this
            // id are used up.
            Err(
                TradeError::IdReused { .. }
                | TradeError::Fault(_)
                | TradeError::Rule(_)
                | TradeError::Policy(_)
                | TradeError::Refused { .. },
            ) => Ok(Reduced::Impossible),
            Err(error) => Err(error),
        }
    }
}

/// Returns whether an open order can execute more than the caller requested.
fn exceeds(view: &OrderView, changing: Changing<'_>) -> bool {
    let quantity = Decimal::parse(&view.quantity).unwrap_or(Decimal::ZERO);
    view.status.is_open() && quantity > changing.change.quantity.value()
}

/// Returns the error for an excess that is still open: a repeat of the request takes it back.
fn open_excess(target: &Target, error: TradeError) -> TradeError {
    match (error, target.client_order_id()) {
        (error @ (TradeError::InProgress { .. } | TradeError::Unknown { .. }), _) => error,
        (error, Ok(id)) => TradeError::Unknown {
            client_order_ids: vec![id],
            retry_after_s: 1,
            cause: format!("the order was changed, and can execute more than requested: {error}"),
        },
        (error, Err(_)) => error,
    }
}
