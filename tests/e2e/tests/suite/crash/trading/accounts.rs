//! Kills closing and changes of leverage at each of their remote calls. A retry finishes them: the
//! position is closed once, and the leverage is the requested one.

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::ids::Exchange;
use e2e::Reply;
use e2e::kill::{Call, ended};
use e2e::proxy::{Arrival, Fate, Plan};
use exchange_sim::faults::Fault;
use serde_json::json;
use shared::store::OrderState;

use super::{QUANTITY, SYMBOL, Scene, USER, market, report};

/// Returns true if every position of a request was closed.
fn all_closed(reply: &Reply) -> bool {
    let refused = &reply.body["data"]["refused"];
    ended::done(reply) && (refused.is_null() || *refused == 0)
}

impl Scene {
    /// Opens a position.
    async fn opened(&self) {
        let id = self.new_id();
        self.h.finish(&self.place(&market(&id)), ended::done).await;
    }

    /// Returns whether the account has no position in the market.
    fn is_flat(&self) -> bool {
        let stack = &self.h.app.stack;
        let size = match self.exchange {
            Exchange::Aster => {
                stack.aster_sim.position_of(self.desk.address, &format!("{SYMBOL}USDT"))
            }
            Exchange::Hyperliquid => stack.hyperliquid_sim.position_of(self.desk.address, SYMBOL),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        size.bytes().all(|byte| b"0.".contains(&byte))
    }

    /// Opens a position, and returns the call that closes it or all of them.
    async fn new_close(&self, all: bool) -> Call {
        self.opened().await;
        let id = self.new_id();
        let close = if all {
            json!({ "clientOrderId": id, "all": true })
        } else {
            json!({ "clientOrderId": id, "symbol": SYMBOL })
        };
        Call::close(self.exchange, USER, &close)
    }

    /// Checks that the position was closed once, and that a repeat changes nothing.
    async fn closed_once(&self, call: &Call) {
        self.settled().await;
        let id = self.ids().remove(0);
        let record = self.desk.record(&self.h.app, &id).await.unwrap();
        assert_eq!((record.state, record.request.quantity.text()), (OrderState::Placed, QUANTITY));
        assert_eq!(self.desk.accepted(&self.h.app, &id), 1, "{id}");
        assert!(self.is_flat(), "{id}");
        // The position is open again. A repeat of the close returns the first outcome.
        self.opened().await;
        self.h.finish(call, all_closed).await;
        assert!(!self.is_flat(), "{id} closed a later position");
        self.h.finish(&self.new_close_of_rest(), ended::done).await;
        self.settled().await;
    }

    fn new_close_of_rest(&self) -> Call {
        let close = json!({ "clientOrderId": self.new_id(), "symbol": SYMBOL });
        Call::close(self.exchange, USER, &close)
    }

    /// Returns the leverage of the market, as the service reads it.
    async fn leverage(&self) -> u64 {
        let body = json!({ "walletIdOrAddress": USER, "symbol": SYMBOL, "marginMode": "CROSS" });
        let path = format!("/api/trading/{}/leverage", self.exchange);
        let request = self.h.app.request(http::Method::POST, &path).json(&body);
        let reply = self.h.app.send(request).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body["data"]["leverage"].as_u64().unwrap()
    }
}

async fn closing(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let h = &scene.h;
    let closed = async |call: &Call| scene.closed_once(call).await;
    let watch = async |_: &Call| scene.resolved_by_the_job().await;
    let close = async || scene.new_close(false).await;
    let all = async || scene.new_close(true).await;
    let rows = [
        h.drive("close", close, ended::done, closed).await,
        h.drive_watched("close, the job first", close, watch, ended::done, closed).await,
        h.drive("close all", all, all_closed, closed).await,
        h.drive_watched("close all, the job first", all, watch, all_closed, closed).await,
    ];
    report(&format!("kill-points-close-{exchange}.md"), &rows);
}

async fn leverage(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let h = &scene.h;
    let drawn = AtomicUsize::new(0);
    let of = |number: usize| 2 + number % 18;
    let next = || of(drawn.fetch_add(1, Ordering::SeqCst));
    let set = async || Call::leverage(exchange, USER, SYMBOL, next());
    // The last call that was made has the last number.
    let is_set = async |_: &Call| {
        h.proxy.deliver_late().await;
        let wanted = of(drawn.load(Ordering::SeqCst) - 1);
        assert_eq!(scene.leverage().await, wanted as u64);
        h.app.clock.advance_ms(120_000);
    };
    // A change that arrives late, after the service has died, does not replace the next one.
    let name = match exchange {
        Exchange::Aster => "Aster.POST leverage",
        Exchange::Hyperliquid => "Hyperliquid.updateLeverage",
        Exchange::Lighter => unreachable!("no wallet is registered there"),
    };
    let after_late = async || {
        let plan: Plan = Box::new(move |arrival: Arrival<'_>| {
            let is_it = arrival.name == name;
            if is_it { Fate::Fail(Fault::Late { ms: 5_000 }) } else { Fate::Pass }
        });
        let older = Call::leverage(exchange, USER, SYMBOL, next());
        let _ = h.call(&h.proxy.process_with(plan), &older).await;
        Call::leverage(exchange, USER, SYMBOL, next())
    };
    let rows = [
        h.drive("set leverage", set, ended::done, is_set).await,
        h.drive("set leverage after a late change", after_late, ended::done, is_set).await,
    ];
    report(&format!("kill-points-leverage-{exchange}.md"), &rows);
}

on_both! {
    closing: hyperliquid_close_killed_at_any_call_closes_once, aster_close_killed_at_any_call_closes_once;
    leverage: hyperliquid_leverage_killed_is_set_by_retry, aster_leverage_killed_is_set_by_retry;
}
