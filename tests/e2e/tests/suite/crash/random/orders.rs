//! Steps of the random run that place, repeat, change, cancel, read and resolve orders.

use domain::ids::Exchange;
use e2e::kill::{Call, Harness, ended};
use e2e::trading::{Desk, start_for_many};
use exchange_sim::faults::Fault;
use http::Method;
use serde_json::{Value, json};

use super::{Draw, EXCHANGES, Operation, Run, Step, USERS, exchange_fault, seeded};

const SYMBOL: &str = "ETH";

/// Number of orders of each kind. A step that draws the name of an earlier order repeats it.
const ORDERS: usize = 6;

pub(super) const MIX: [Operation; 9] = [
    ("place limit", 20, |exchange, user, draw| {
        Call::place(exchange, user, &limit(&id("limit", draw)))
    }),
    ("place market", 10, |exchange, user, draw| {
        Call::place(exchange, user, &market(&id("market", draw)))
    }),
    ("place batch", 10, |exchange, user, draw| Call::place(exchange, user, &batch(draw))),
    ("modify", 12, |exchange, user, draw| {
        let price = format!("28{}0", draw.below(10));
        Call::modify(exchange, user, (&id("limit", draw), SYMBOL), (&price, "0.01"))
    }),
    ("cancel one", 8, |exchange, user, draw| {
        Call::cancel(exchange, user, &id("limit", draw), SYMBOL)
    }),
    ("cancel all", 2, |exchange, user, _| Call::cancel_all(exchange, user, SYMBOL)),
    ("open orders", 3, |exchange, user, _| Call::open_orders(exchange, user, SYMBOL)),
    ("order status", 5, |exchange, user, draw| {
        Call::order_status(exchange, user, &id("limit", draw), SYMBOL)
    }),
    ("resolve job", 6, |exchange, user, _| Call::resolution(exchange, user)),
];

const ROTATION: [Operation; 1] = [("rotate", 1, |exchange, user, _| Call::rotate(exchange, user))];

fn id(kind: &str, draw: &mut Draw) -> String {
    format!("{kind}-{}", draw.below(ORDERS))
}

/// A limit order that rests below the market. Its content follows from its name.
fn limit(id: &str) -> Value {
    json!({
        "clientOrderId": id, "symbol": SYMBOL, "side": "BUY", "type": "LIMIT",
        "quantity": "0.01", "price": "2900",
    })
}

/// A market order. Half of the orders sell.
fn market(id: &str) -> Value {
    let side = if id.ends_with(['0', '2', '4']) { "BUY" } else { "SELL" };
    json!({
        "clientOrderId": id, "symbol": SYMBOL, "side": side, "type": "MARKET",
        "quantity": "0.01",
    })
}

fn batch(draw: &mut Draw) -> Value {
    let id = id("batch", draw);
    json!({ "orders": [limit(&format!("{id}-a")), market(&format!("{id}-1"))] })
}

/// Draws a fault of a call about orders: one that every call meets, or one that only orders survive.
pub(super) fn fault(draw: &mut Draw) -> Fault {
    match draw.below(20) {
        0..4 => Fault::AppliedButLost,
        // Bytes are valid for 10 seconds at Hyperliquid, and for a minute at Aster.
        4..6 => Fault::Late { ms: 1 + draw.next() % 65_000 },
        6..8 => Fault::Twice,
        // The service relies on reads that lag by less than ten seconds.
        8 => Fault::ReadsLag { ms: 1 + draw.next() % 8_000 },
        9 => Fault::Reset,
        _ => exchange_fault(draw),
    }
}

/// Sets a limit of positions, so that every order reserves its notional.
pub(super) async fn limit_positions(h: &Harness) {
    let policy = json!({ "maxPositionNotional": "900000" });
    let request = h.app.request(Method::PUT, "/api/trading/policy").json(&policy);
    assert_eq!(h.app.send(request).await.status, 200);
}

/// Delivers what is still on its way, and lets the job finish what is open. Then every record agrees
/// with the exchange, and every order was executed at most once.
pub(super) async fn settle(h: &Harness, user: &str, exchange: Exchange) {
    h.app.clock.advance_ms(90_000);
    h.proxy.deliver_late().await;
    h.finish(&Call::resolution(exchange, user), ended::idle).await;
    Desk::of(&h.app, user, exchange).await.assert_settled(&h.app).await;
}

/// Runs many operations on the orders of wallets that have trading keys.
#[tokio::test(flavor = "multi_thread")]
async fn random_orders_execute_at_most_once() {
    let operations = if std::env::var_os("EVERY_CASE").is_some() { 1_000 } else { 200 };
    let mut draw = seeded();
    let h = start_for_many(400).await;
    limit_positions(&h).await;
    for user in USERS {
        h.app.wallet(user).await;
        for exchange in EXCHANGES {
            assert_eq!(h.app.register(exchange.as_str(), user).await.status, 200);
        }
    }
    let run = Run::new(h);
    let h = &run.h;
    let step = |_| match draw.below(40) {
        0 => Step::of(&ROTATION, &mut draw, exchange_fault),
        _ => Step::of(&MIX, &mut draw, fault),
    };
    run.take((0..operations).map(step).collect()).await;
    run.tally.print();
    for exchange in EXCHANGES {
        let mut accepted = 0;
        for user in USERS {
            h.finish(&Call::rotate(exchange, user), ended::done).await;
            settle(h, user, exchange).await;
            let executions = Desk::of(&h.app, user, exchange).await.executions(&h.app);
            accepted += executions.values().map(|executed| executed.accepted).sum::<u32>();
        }
        println!("{exchange}: {accepted} orders accepted");
        assert!(accepted >= 10, "{exchange}: {accepted}");
    }
}
