//! Kills each operation on orders at each of its remote calls. The retry, or the job that resolves
//! orders, finishes it; the exchange executes each order at most once, and the service's records
//! agree with the exchange's journal.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests report what they cover, and a failing test panics"
)]

mod accounts;
mod acknowledged;
mod attached;
mod lighter;
mod races;
mod resolution;
mod stalled;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::ids::Exchange;
use e2e::kill::{Call, Harness, Row, ended};
use e2e::proxy::{Arrival, Fate, Plan};
use e2e::trading::{Desk, start_for_many};
use exchange_sim::faults::Fault;
use http::Method;
use serde_json::{Value, json};
use shared::store::OrderState;

const USER: &str = "user_1";
const SYMBOL: &str = "ETH";
const QUANTITY: &str = "0.01";
const PRICE: &str = "2900";

/// Prints the rows and writes them to this file in the temporary directory of the tests.
fn report(file: &str, rows: &[Row]) {
    let lines: Vec<String> = rows.iter().map(Row::to_string).collect();
    let table = format!("{}\n{}\n", Row::HEAD, lines.join("\n"));
    println!("{table}");
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(path, table).unwrap();
}

/// A limit order that rests below the market.
fn limit(id: &str) -> Value {
    json!({
        "clientOrderId": id, "symbol": SYMBOL, "side": "BUY", "type": "LIMIT",
        "quantity": QUANTITY, "price": PRICE,
    })
}

/// A market order, which fills at once.
fn market(id: &str) -> Value {
    json!({
        "clientOrderId": id, "symbol": SYMBOL, "side": "BUY", "type": "MARKET",
        "quantity": QUANTITY,
    })
}

/// A wallet with a trading key at one exchange. A limit of positions makes every order reserve its
/// notional.
struct Scene {
    h: Harness,
    exchange: Exchange,
    desk: Desk,
    drawn: AtomicUsize,
    /// The orders of the case under way.
    ids: Mutex<Vec<String>>,
}

impl Scene {
    async fn start(exchange: Exchange) -> Self {
        let scene = Self::of(exchange, Harness::start().await).await;
        let policy = json!({ "maxPositionNotional": "900000", "ordersPerMinute": 300 });
        let policy = scene.h.app.request(Method::PUT, "/api/trading/policy").json(&policy);
        assert_eq!(scene.h.app.send(policy).await.status, 200);
        scene
    }

    /// Starts a scene for many concurrent calls, which neither time out nor use up a budget. No
    /// limit of positions makes each of them read the account.
    async fn for_many(exchange: Exchange) -> Self {
        Self::of(exchange, start_for_many(8_000).await).await
    }

    async fn of(exchange: Exchange, mut h: Harness) -> Self {
        h.one_in = 12;
        h.app.wallet(USER).await;
        assert_eq!(h.app.register(exchange.as_str(), USER).await.status, 200);
        let desk = Desk::of(&h.app, USER, exchange).await;
        let (drawn, ids) = Default::default();
        Self { h, exchange, desk, drawn, ids }
    }

    /// Returns the names of new orders, which are those of the case under way.
    fn new_ids(&self, count: usize) -> Vec<String> {
        let number = || self.drawn.fetch_add(1, Ordering::SeqCst);
        let ids: Vec<_> = (0..count).map(|_| format!("order-{}", number())).collect();
        ids.clone_into(&mut self.ids.lock().unwrap());
        ids
    }

    /// Returns the name of a new order, which is that of the case under way.
    fn new_id(&self) -> String {
        self.new_ids(1).remove(0)
    }

    fn place(&self, order: &Value) -> Call {
        Call::place(self.exchange, USER, order)
    }

    /// Returns the call that places a new resting order.
    fn new_limit(&self) -> Call {
        self.place(&limit(&self.new_id()))
    }

    /// Returns the call that places a new batch of three orders.
    fn new_batch(&self) -> Call {
        let orders: Vec<_> = self.new_ids(3).iter().map(|id| limit(id)).collect();
        self.place(&json!({ "orders": orders }))
    }

    /// Places a resting order, and returns its name.
    async fn placed(&self) -> String {
        self.make_room().await;
        let id = self.new_id();
        self.h.finish(&self.place(&limit(&id)), ended::done).await;
        id
    }

    fn ids(&self) -> Vec<String> {
        self.ids.lock().unwrap().clone()
    }

    /// Returns the name of the call that places a single order at the exchange.
    const fn sends(&self) -> &'static str {
        match self.exchange {
            Exchange::Aster => "Aster.POST order",
            Exchange::Hyperliquid => "Hyperliquid.order",
            Exchange::Lighter => unreachable!(),
        }
    }

    /// Checks that nothing is open, that all records agree with the exchange, and that each order of
    /// the case was executed once.
    async fn executed_once(&self) {
        self.settled().await;
        for id in self.ids() {
            assert_eq!(self.desk.accepted(&self.h.app, &id), 1, "{id}");
            let record = self.desk.record(&self.h.app, &id).await.unwrap();
            assert_eq!(record.state, OrderState::Placed, "{id}");
        }
        self.make_room().await;
    }

    /// Cancels the orders of earlier cases, because Aster limits the number of open orders to 200.
    async fn make_room(&self) {
        if self.desk.open_orders(&self.h.app).len() > 100 {
            self.h.finish(&Call::cancel_all(self.exchange, USER, SYMBOL), ended::done).await;
        }
    }

    /// Checks that nothing is open, and that all records agree with the exchange.
    async fn settled(&self) {
        self.h.proxy.deliver_late().await;
        self.desk.assert_settled(&self.h.app).await;
        // Frees the exchange's budget and the policy's rate for the next case.
        self.h.app.clock.advance_ms(120_000);
    }

    /// Runs the job each minute for two minutes, as its schedule does. No order of before is
    /// unresolved after it.
    async fn resolved_by_the_job(&self) {
        for _ in 0..2 {
            self.h.app.clock.advance_ms(60_000);
            let job = Call::resolution(self.exchange, USER);
            let reply = self.h.call(&self.h.proxy.process(), &job).await.unwrap();
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        self.h.app.clock.advance_ms(1);
        let overdue = self.desk.overdue(&self.h.app).await;
        assert!(overdue.is_empty(), "unresolved after two minutes: {overdue:?}");
        self.desk.assert_settled(&self.h.app).await;
    }
}

async fn placing(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let h = &scene.h;
    let check = async |_: &Call| scene.executed_once().await;
    let filled = async |_: &Call| {
        scene.executed_once().await;
        let id = scene.ids().remove(0);
        let executions = scene.desk.executions(&h.app);
        let record = scene.desk.record(&h.app, &id).await.unwrap();
        let text = scene.desk.account.exchange_id(
            &record,
            record.placed_generation,
            shared::trading::ids::Leg::Entry,
        );
        assert_eq!(executions[&text.text(exchange)].filled, QUANTITY);
    };
    let watch = async |_: &Call| scene.resolved_by_the_job().await;
    let by_market = async || scene.place(&market(&scene.new_id()));
    let by_limit = async || scene.new_limit();
    let rows = [
        h.drive("place limit", by_limit, ended::done, check).await,
        h.drive("place market", by_market, ended::done, filled).await,
        h.drive_watched("place limit, the job first", by_limit, watch, ended::done, check).await,
    ];
    report(&format!("kill-points-place-{exchange}.md"), &rows);
}

async fn batch(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let check = async |_: &Call| scene.executed_once().await;
    let watch = async |_: &Call| scene.resolved_by_the_job().await;
    let new = async || scene.new_batch();
    let rows = [
        scene.h.drive("place a batch", new, ended::done, check).await,
        scene.h.drive_watched("place a batch, the job first", new, watch, ended::done, check).await,
    ];
    report(&format!("kill-points-batch-{exchange}.md"), &rows);
}

async fn change(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let modify = async || {
        let id = scene.placed().await;
        Call::modify(exchange, USER, (&id, SYMBOL), ("2890", "0.02"))
    };
    let check = async |_: &Call| {
        scene.settled().await;
        let id = scene.ids().remove(0);
        let open = scene.desk.open_of(&scene.h.app, &id);
        let [order] = open.as_slice() else { panic!("{id}: {open:?}") };
        assert_eq!((order.price.as_str(), order.quantity.as_str()), ("2890", "0.02"));
    };
    let watch = async |_: &Call| scene.resolved_by_the_job().await;
    let rows = [
        scene.h.drive("modify", modify, ended::done, check).await,
        scene.h.drive_watched("modify, the job first", modify, watch, ended::done, check).await,
    ];
    report(&format!("kill-points-modify-{exchange}.md"), &rows);
}

async fn cancellation(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let h = &scene.h;
    let cancel = async || {
        let id = scene.placed().await;
        Call::cancel(exchange, USER, &id, SYMBOL)
    };
    let cancel_all = async || {
        h.finish(&scene.new_batch(), ended::done).await;
        Call::cancel_all(exchange, USER, SYMBOL)
    };
    let check = async |_: &Call| {
        scene.executed_once().await;
        assert_eq!(scene.desk.open_orders(&h.app), []);
        for id in scene.ids() {
            let status = Call::order_status(exchange, USER, &id, SYMBOL);
            let reply = h.call(&h.proxy.process(), &status).await.unwrap();
            let status = reply.text("/data/status");
            assert_eq!(
                (status, reply.text("/data/filledQuantity")),
                ("CANCELED", "0"),
                "{reply:?}"
            );
        }
    };
    let rows = [
        h.drive("cancel one", cancel, ended::cancelled, check).await,
        h.drive("cancel all", cancel_all, ended::done, check).await,
    ];
    report(&format!("kill-points-cancel-{exchange}.md"), &rows);
}

async fn reads(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let h = &scene.h;
    let status = async || {
        let id = scene.placed().await;
        Call::order_status(exchange, USER, &id, SYMBOL)
    };
    let list = async || {
        scene.placed().await;
        Call::open_orders(exchange, USER, SYMBOL)
    };
    let check = async |_: &Call| scene.executed_once().await;
    let rows = [
        h.drive("order status", status, ended::done, check).await,
        h.drive("open orders", list, ended::done, check).await,
    ];
    report(&format!("kill-points-read-orders-{exchange}.md"), &rows);
}

/// Fails the sends of an order with this fault, and every question about it.
fn unanswered(sends: &'static str, fault: Fault) -> Plan {
    const QUESTIONS: [&str; 3] = ["Aster.GET order", "Hyperliquid.orderStatus", "Hyperliquid.noop"];
    Box::new(move |arrival: Arrival<'_>| match arrival.name {
        name if name == sends && arrival.nth_of_name == 1 => Fate::Fail(fault.clone()),
        name if name == sends || QUESTIONS.contains(&name) || name == "Aster.POST noop" => {
            Fate::Fail(Fault::Reset)
        }
        _ => Fate::Pass,
    })
}

/// Kills the retry of a killed operation as well: random pairs, or all with `EVERY_CASE=1`.
async fn pairs(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let h = &scene.h;
    let new = async || scene.new_limit();
    let batch = async || scene.new_batch();
    let modify = async || {
        let id = scene.placed().await;
        Call::modify(exchange, USER, (&id, SYMBOL), ("2890", QUANTITY))
    };
    let cancel = async || {
        let id = scene.placed().await;
        Call::cancel(exchange, USER, &id, SYMBOL)
    };
    let once = async |_: &Call| scene.executed_once().await;
    let changed = async |_: &Call| {
        scene.settled().await;
        let open = scene.desk.open_of(&h.app, &scene.ids()[0]);
        assert_eq!(open.iter().map(|it| it.price.as_str()).collect::<Vec<_>>(), ["2890"]);
    };
    let rows = [
        h.drive_pairs("place limit", new, ended::done, once).await,
        h.drive_pairs("place a batch", batch, ended::done, once).await,
        h.drive_pairs("modify", modify, ended::done, changed).await,
        h.drive_pairs("cancel one", cancel, ended::cancelled, once).await,
    ];
    report(&format!("kill-pairs-orders-{exchange}.md"), &rows);
}

on_both! {
    placing: hyperliquid_order_killed_at_any_call_executes_once, aster_order_killed_at_any_call_executes_once;
    batch: hyperliquid_batch_killed_at_any_call_executes_once, aster_batch_killed_at_any_call_executes_once;
    change: hyperliquid_change_killed_is_finished_by_retry, aster_change_killed_is_finished_by_retry;
    cancellation: hyperliquid_cancellation_killed_is_finished_by_retry, aster_cancellation_killed_is_finished_by_retry;
    reads: hyperliquid_read_of_orders_killed_changes_nothing, aster_read_of_orders_killed_changes_nothing;
    pairs: hyperliquid_order_killed_twice_executes_once, aster_order_killed_twice_executes_once;
}
