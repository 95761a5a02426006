//! The functions of orders and trading policies, with their clients.

use axum::Router;
use domain::ids::Exchange;
use serde_json::{Value, json};
use shared::api::trading::{PolicyReads, PolicyWrites};
use shared::exchanges::budget::Spender;
use shared::orders::{ResolveLimits, TradeConfig, Trader, TraderParts};
use shared::wallets::Custody;

use crate::options::Options;
use crate::routes::Endpoints;

/// The orders of each exchange.
#[derive(Clone, Debug)]
pub struct Traders {
    /// Aster.
    pub aster: Trader,
    /// Hyperliquid.
    pub hyperliquid: Trader,
}

impl Traders {
    /// Returns the orders of an exchange.
    #[must_use]
    pub const fn of(&self, exchange: Exchange) -> &Trader {
        match exchange {
            Exchange::Aster => &self.aster,
            Exchange::Hyperliquid => &self.hyperliquid,
        }
    }

    /// Finds the outcome of the orders of each exchange whose response was lost, and returns the
    /// summaries.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn resolve(
        &self,
        limits: &ResolveLimits,
    ) -> Result<Value, platform::items::StoreError> {
        let mut summary = json!({});
        for exchange in Exchange::ALL {
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
        Ok(summary)
    }
}

impl Endpoints {
    /// Returns the orders of all exchanges, with clients of their own.
    #[must_use]
    pub fn traders(&self, options: &Options, spender: Spender) -> Traders {
        let parts = || {
            let Custody { store, envelope, clock, random, .. } = self.custody(options);
            TraderParts {
                store,
                envelope,
                clock,
                random,
                budget: options.budget.clone(),
                spender,
                config: TradeConfig {
                    order_timeout_ms: options.order_timeout_ms,
                    ..TradeConfig::default()
                },
            }
        };
        Traders {
            aster: Trader::aster(parts(), &self.aster_config(options)),
            hyperliquid: Trader::hyperliquid(parts(), &self.hyperliquid_config(options)),
        }
    }
}

/// Returns the routers of the functions of orders and trading policies.
pub(crate) fn routes(options: &Options, endpoints: &Endpoints) -> Router {
    let Traders { aster, hyperliquid } = endpoints.traders(options, Spender::Caller);
    let Custody { store, clock, random, .. } = endpoints.custody(options);
    Router::new()
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
