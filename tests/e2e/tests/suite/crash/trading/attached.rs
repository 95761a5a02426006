//! Kills orders with an attached take profit and stop loss, which only Hyperliquid offers, at each of
//! their remote calls. The exchange accepts the order and each attached order once. Then the market
//! moves, and each part fills at most once.

use domain::ids::Exchange;
use e2e::kill::{Call, ended};
use e2e::proxy::Side;
use exchange_sim::faults::Fault;
use serde_json::{Value, json};
use shared::store::OrderState;
use shared::trading::ids::Leg;

use super::{QUANTITY, SYMBOL, Scene, USER, limit, market, report, unanswered};

const PARTS: [Leg; 3] = [Leg::Entry, Leg::TakeProfit, Leg::StopLoss];

/// The market's price before and after each case.
const MARK: &str = "3000";

/// Prices that fill the resting order and then start its stop loss.
const THROUGH_STOP: [&str; 2] = ["2890", "2400"];

/// A price that starts the take profit.
const THROUGH_PROFIT: [&str; 1] = ["3600"];

/// Attaches a take profit with a limit and a stop loss at market.
fn with_legs(mut order: Value) -> Value {
    order["takeProfit"] = json!({ "triggerPrice": "3500", "price": "3490" });
    order["stopLoss"] = json!({ "triggerPrice": "2500" });
    order
}

impl Scene {
    fn new_bracket(&self) -> Call {
        self.place(&with_legs(limit(&self.new_id())))
    }

    fn new_filled_bracket(&self) -> Call {
        self.place(&with_legs(market(&self.new_id())))
    }

    /// Checks that the exchange accepted the order and each attached order once, and that the
    /// service states the attached orders as the exchange does.
    async fn attached_once(&self, status: &str) {
        self.settled().await;
        let (app, id) = (&self.h.app, self.ids().remove(0));
        for part in PARTS {
            let accepted = self.desk.executed(app, &id, part);
            assert_eq!(accepted.iter().map(|it| it.accepted).sum::<u32>(), 1, "{id} {part:?}");
        }
        let record = self.desk.record(app, &id).await.unwrap();
        assert_eq!(record.state, OrderState::Placed, "{id}");
        let read = Call::order_status(self.exchange, USER, &id, SYMBOL);
        let reply = self.h.call(&self.h.proxy.process(), &read).await.unwrap();
        assert_eq!(reply.text("/data/status"), status, "{reply:?}");
        let open = self.desk.attached_to(app, &id);
        for leg in ["takeProfit", "stopLoss"] {
            let field = |name| reply.text(&format!("/data/{leg}/{name}"));
            assert_eq!(field("status"), "OPEN", "{leg}: {reply:?}");
            let is_it = open.iter().any(|order| {
                order.client_order_id.as_deref() == Some(field("clientOrderId"))
                    && order.order_id.to_string() == field("orderId")
            });
            assert!(is_it, "{leg}: {reply:?} {open:?}");
        }
    }

    /// Moves the market through prices and back. The order and this attached order fill once, the
    /// other one does not, and nothing is left.
    async fn closed_by(&self, fires: Leg, prices: &[&str]) {
        let (app, id) = (&self.h.app, self.ids().remove(0));
        let simulator = &app.stack.hyperliquid_sim;
        for price in prices.iter().chain([&MARK]) {
            assert!(simulator.set_price(SYMBOL, price));
        }
        for part in PARTS {
            let expected = if part == Leg::Entry || part == fires { QUANTITY } else { "0" };
            let filled: Vec<_> =
                self.desk.executed(app, &id, part).into_iter().map(|it| it.filled).collect();
            assert_eq!(filled, [expected], "{id} {part:?}");
        }
        assert_eq!(simulator.position_of(self.desk.address, SYMBOL), "0");
        assert_eq!(self.desk.open_orders(app), []);
        self.settled().await;
    }

    /// Checks that nothing of the order was executed.
    async fn nothing_of_bracket(&self) {
        self.settled().await;
        let (app, id) = (&self.h.app, self.ids().remove(0));
        for part in PARTS {
            assert_eq!(self.desk.executed(app, &id, part), [], "{id} {part:?}");
        }
        assert_eq!(self.desk.record(app, &id).await.unwrap().state, OrderState::Dead, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn order_with_attached_killed_at_any_call_executes_once() {
    let scene = Scene::start(Exchange::Hyperliquid).await;
    let h = &scene.h;
    let stopped = async |_: &Call| {
        scene.attached_once("OPEN").await;
        scene.closed_by(Leg::StopLoss, &THROUGH_STOP).await;
    };
    let profited = async |_: &Call| {
        scene.attached_once("FILLED").await;
        scene.closed_by(Leg::TakeProfit, &THROUGH_PROFIT).await;
    };
    let watch = async |_: &Call| scene.resolved_by_the_job().await;
    let rests = async || scene.new_bracket();
    let fills = async || scene.new_filled_bracket();
    let rows = [
        h.drive("place limit with TP and SL", rests, ended::done, stopped).await,
        h.drive("place market with TP and SL", fills, ended::done, profited).await,
        h.drive_watched(
            "place limit with TP and SL, the job first",
            rests,
            watch,
            ended::done,
            stopped,
        )
        .await,
    ];
    report("kill-points-place-attached-hyperliquid.md", &rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancellation_of_order_with_attached_killed_leaves_nothing() {
    let scene = Scene::start(Exchange::Hyperliquid).await;
    let h = &scene.h;
    let prepare = async || {
        h.finish(&scene.new_bracket(), ended::done).await;
        Call::cancel(scene.exchange, USER, &scene.ids()[0], SYMBOL)
    };
    let check = async |_: &Call| {
        scene.settled().await;
        let id = scene.ids().remove(0);
        for part in PARTS {
            let [executed] = scene.desk.executed(&h.app, &id, part).try_into().unwrap();
            assert_eq!((executed.accepted, executed.filled.as_str()), (1, "0"), "{id} {part:?}");
        }
        assert_eq!(scene.desk.open_orders(&h.app), []);
    };
    let row = h.drive("cancel with TP and SL", prepare, ended::cancelled, check).await;
    report("kill-points-cancel-attached-hyperliquid.md", &[row]);
}

#[tokio::test(flavor = "multi_thread")]
async fn resolution_of_order_with_attached_killed_is_finished() {
    let scene = Scene::start(Exchange::Hyperliquid).await;
    let h = &scene.h;
    // Leaves an order of unknown outcome, which the exchange may have executed.
    let unknown = async |fault: Fault| {
        let process = h.proxy.process_with(unanswered(scene.sends(), fault));
        let reply = h.call(&process, &scene.new_bracket()).await.unwrap();
        assert_eq!((reply.status, reply.text("/code")), (504, "ORDER_UNKNOWN"), "{reply:?}");
        Call::resolution(scene.exchange, USER)
    };
    let lost = async || unknown(Fault::AppliedButLost).await;
    let never_sent = async || unknown(Fault::Reset).await;
    let died = async || {
        h.kill(&scene.new_bracket(), scene.sends(), 1, Side::After).await;
        h.app.clock.advance_ms(30_001);
        Call::resolution(scene.exchange, USER)
    };
    let stopped = async |_: &Call| {
        scene.attached_once("OPEN").await;
        scene.closed_by(Leg::StopLoss, &THROUGH_STOP).await;
    };
    let dead = async |_: &Call| scene.nothing_of_bracket().await;
    let rows = [
        h.drive("resolve with TP and SL, executed", lost, ended::idle, stopped).await,
        h.drive("resolve with TP and SL, sender died", died, ended::idle, stopped).await,
        h.drive("resolve with TP and SL, not received", never_sent, ended::idle, dead).await,
    ];
    report("kill-points-resolve-attached-hyperliquid.md", &rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn order_with_attached_killed_twice_executes_once() {
    let scene = Scene::start(Exchange::Hyperliquid).await;
    let stopped = async |_: &Call| {
        scene.attached_once("OPEN").await;
        scene.closed_by(Leg::StopLoss, &THROUGH_STOP).await;
    };
    let new = async || scene.new_bracket();
    let row = scene.h.drive_pairs("place limit with TP and SL", new, ended::done, stopped).await;
    report("kill-pairs-attached-hyperliquid.md", &[row]);
}
