//! The functions of orders and trading policies, with their clients.

use axum::Router;
use domain::ids::Exchange;
use serde_json::{Value, json};
use shared::api::trading::{LighterKeys, PolicyReads, PolicyWrites};
use shared::orders::{ResolveLimits, Trader};
use shared::wallets::Custody;

use crate::options::Options;
use crate::payments::Payments;

/// The orders of each exchange.
#[derive(Clone, Debug)]
pub struct Traders {
    /// Aster.
    pub aster: Trader,
    /// Hyperliquid.
    pub hyperliquid: Trader,
    /// Lighter.
    pub lighter: Trader,
    /// The payments.
    pub payments: Payments,
}

impl Traders {
    /// Returns the orders of an exchange.
    #[must_use]
    pub const fn of(&self, exchange: Exchange) -> &Trader {
        match exchange {
            Exchange::Aster => &self.aster,
            Exchange::Hyperliquid => &self.hyperliquid,
            Exchange::Lighter => &self.lighter,
        }
    }

    /// Finds the outcome of the orders of each exchange whose response was lost, and of the payments
    /// that are due, and returns the summaries.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn resolve(
        &self,
        limits: &ResolveLimits,
    ) -> Result<Value, platform::items::StoreError> {
        let mut summary = json!({});
        for exchange in Exchange::TRADED {
            let run = self.of(exchange).resolve_due(limits).await?;
            summary[exchange.as_str()] = json!({
                "resolved": run.resolved,
                "unknown": run.unknown,
                "unresolvable": run.unresolvable,
                "failed": run.failed,
                "more": run.more,
                "budgetExhausted": run.exhausted,
            });
        }
        let run = self.payments.resolve(limits.run_time).await?;
        summary["payments"] = json!({
            "settled": run.settled,
            "open": run.open,
            "failed": run.failed,
            "more": run.more,
        });
        Ok(summary)
    }
}

/// Returns the routers of the functions of orders and trading policies.
pub(crate) fn functions(traders: Traders, custody: Custody, options: &Options) -> Router {
    let Traders { aster, hyperliquid, lighter, .. } = traders;
    let Custody { store, clock, random, .. } = custody;
    Router::new()
        .merge(accounts(&aster, &hyperliquid))
        .merge(of_lighter(&lighter, options.lighter.keys_in_query))
        .merge(place_order_aster::router(aster.clone()))
        .merge(modify_order_aster::router(aster.clone()))
        .merge(cancel_orders_aster::router(aster.clone()))
        .merge(get_orders_aster::router(aster))
        .merge(place_order_hyperliquid::router(hyperliquid.clone()))
        .merge(modify_order_hyperliquid::router(hyperliquid.clone()))
        .merge(cancel_orders_hyperliquid::router(hyperliquid.clone()))
        .merge(get_orders_hyperliquid::router(hyperliquid))
        .merge(get_trading_policy::router(PolicyReads {
            store: store.clone(),
            clock: clock.clone(),
        }))
        .merge(set_trading_policy::router(PolicyWrites {
            store,
            clock,
            random,
            delay_ms: options.policy_delay_ms,
        }))
}

/// Returns the routers of the functions of Lighter.
fn of_lighter(lighter: &Trader, keys_in_query: bool) -> Router {
    let keys = LighterKeys::new(lighter.clone(), keys_in_query);
    Router::new()
        .merge(place_order_lighter::router(keys.clone()))
        .merge(modify_order_lighter::router(keys.clone()))
        .merge(cancel_orders_lighter::router(keys.clone()))
        .merge(get_orders_lighter::router(keys.clone()))
        .merge(set_leverage_lighter::router(keys))
        .merge(get_positions_lighter::router(lighter.clone()))
        .merge(get_balances_lighter::router(lighter.clone()))
        .merge(set_credentials_lighter::router(lighter.clone()))
        .merge(get_credentials_lighter::router(lighter.clone()))
        .merge(delete_credentials_lighter::router(lighter.clone()))
}

/// Returns the routers of the functions of positions, balances, executions and leverage.
fn accounts(aster: &Trader, hyperliquid: &Trader) -> Router {
    let both = vec![hyperliquid.clone(), aster.clone()];
    Router::new()
        .merge(close_position_aster::router(aster.clone()))
        .merge(get_balances_aster::router(aster.clone()))
        .merge(get_fills_aster::router(aster.clone()))
        .merge(get_positions_aster::router(aster.clone()))
        .merge(set_leverage_aster::router(aster.clone()))
        .merge(close_position_hyperliquid::router(hyperliquid.clone()))
        .merge(get_balances_hyperliquid::router(hyperliquid.clone()))
        .merge(get_fills_hyperliquid::router(hyperliquid.clone()))
        .merge(get_positions_hyperliquid::router(hyperliquid.clone()))
        .merge(set_leverage_hyperliquid::router(hyperliquid.clone()))
        .merge(get_positions_all::router(both))
}
