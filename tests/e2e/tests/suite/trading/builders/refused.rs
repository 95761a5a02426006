//! Orders whose builder the exchange refuses.

use domain::ids::{Exchange, WalletRef};
use e2e::TestApp;
use e2e::proxy::{Arrival, Fate, Plan};
use exchange_sim::Address;
use exchange_sim::faults::Fault;
use serde_json::json;
use shared::exchanges::trade::TradeCode;
use shared::orders::{PlacedOrder, TradeError};
use shared::store::OrderState;
use shared::trading::order::OrderFields;
use shared::trading::policy::{PolicyFields, PolicyRule};

use super::{BUILDER, builder, desks, set};
use crate::trading::policy::{rule, set as set_policy};
use crate::trading::{Desk, RESTING};

/// The refusal holds for all processes, until ten minutes have passed or a rotation has approved the
/// builder again.
#[tokio::test(flavor = "multi_thread")]
async fn refused_builder_is_left_out_by_the_next_orders() {
    for desk in desks(builder(BUILDER, 50)).await {
        let exchange = desk.exchange();
        desk.withdraw_approval(BUILDER);
        let mut sent = 0;
        for (id, minutes, requests) in [("one", 2, 2), ("two", 9, 1), ("three", 2, 2)] {
            desk.app.clock.advance_ms(minutes * 60_000);
            assert_eq!(desk.buys_with(builder(BUILDER, 50), id).await, 0);
            sent += requests;
            assert_eq!(desk.requests(desk.order_kind()), sent, "{exchange} {id}");
        }
        assert_eq!(desk.app.rotate(exchange.as_str(), "trader").await.status, 200);
        assert_eq!(desk.credential().await.builder, builder(BUILDER, 50));
        let paid = desk.buys_with(builder(BUILDER, 50), "rotated").await;
        assert!((290..=315).contains(&paid), "{paid} cents");
        assert_eq!(desk.requests(desk.order_kind()), sent + 1, "{exchange}");
    }
}

/// A node of the exchange can learn of a new approval late. Its refusal says nothing about the next
/// orders.
#[tokio::test(flavor = "multi_thread")]
async fn refusal_right_after_the_approval_is_not_remembered() {
    let app = TestApp::start_with(|options| set(options, builder(BUILDER, 50))).await;
    let desk = Desk::open_in(app, &[Exchange::Hyperliquid]).await.remove(0);
    desk.withdraw_approval(BUILDER);
    for (id, requests) in [("one", 2), ("two", 4)] {
        assert_eq!(desk.buys_with(builder(BUILDER, 50), id).await, 0);
        assert_eq!(desk.requests(desk.order_kind()), requests);
    }
}

/// The second signature of an order takes no second place in the policy's rate.
#[tokio::test(flavor = "multi_thread")]
async fn order_refused_for_its_builder_counts_once_for_the_rate() {
    for desk in desks(builder(BUILDER, 50)).await {
        let fields = PolicyFields { orders_per_minute: Some(2), ..Default::default() };
        set_policy(&desk, fields).await;
        desk.withdraw_approval(BUILDER);
        let batch = [desk.order("b-1", RESTING), desk.order("b-2", RESTING)];
        let placed = desk.place_all(&desk.process(), &batch).await.unwrap();
        assert!(placed.orders.iter().all(|order| order.result.is_ok()), "{placed:?}");
        let third = desk.place(&desk.process(), "third", RESTING).await;
        assert_eq!(rule(third), PolicyRule::OrderRate);
        desk.app.clock.advance_ms(70_000);
        desk.place(&desk.process(), "third", RESTING).await.unwrap();
        let accepted = ["b-1", "b-2", "third"].map(|id| desk.accepted(id));
        assert_eq!(accepted, [1, 1, 1], "{}", desk.exchange());
    }
}

/// Refuses every order that carries a builder, as an exchange does whose builder has lost its
/// balance.
fn refuses_builders() -> Plan {
    Box::new(|arrival: Arrival<'_>| {
        let body = String::from_utf8_lossy(arrival.body);
        let refused = match arrival.name {
            "Hyperliquid.order" if body.contains("\"builder\"") => {
                (200, json!({ "status": "err", "response": "Builder fee has not been approved." }))
            }
            "Aster.POST order" if body.contains("builder=") => {
                let text = format!("Builder address:{BUILDER} ASTER balance less than 100");
                (400, json!({ "code": -1130, "msg": text }))
            }
            _ => return Fate::Pass,
        };
        Fate::Fail(Fault::Status(refused.0, refused.1.to_string()))
    })
}

/// Each wallet needs a second signature once, and not for each of its orders.
#[tokio::test(flavor = "multi_thread")]
async fn builder_refused_for_a_deployment_costs_each_wallet_one_signature() {
    for desk in desks(builder(BUILDER, 50)).await {
        let exchange = desk.exchange();
        let fields = PolicyFields { orders_per_minute: Some(1), ..Default::default() };
        set_policy(&desk, fields).await;
        let process = desk.proxy.process_with(refuses_builders());
        let mut wallets = vec![desk.wallet()];
        for user in ["second", "third"] {
            let wallet = desk.app.wallet(user).await;
            let address: Address = wallet.text("/address").parse().unwrap();
            let stack = &desk.app.stack;
            match exchange {
                Exchange::Aster => stack.aster_sim.deposit_amount(address, "100000"),
                Exchange::Hyperliquid => {
                    stack.hyperliquid_sim.deposit_amount(address, "", "100000")
                }
                Exchange::Lighter => unreachable!("no wallet is registered there"),
            };
            assert_eq!(desk.app.register(exchange.as_str(), user).await.status, 200);
            wallets.push(WalletRef::Wallet(wallet.text("/walletId").parse().unwrap()));
        }
        let sent = || process.calls().iter().filter(|call| **call == desk.send_name()).count();
        let trader = desk.trader(&process);
        desk.app.clock.advance_ms(70_000);
        for (round, each) in [(1, 2), (2, 1), (3, 1)] {
            let before = sent();
            for wallet in &wallets {
                let orders = [desk.order(&format!("r-{round}"), RESTING)];
                let placed = trader.place(&Desk::caller(), wallet, &orders, None).await.unwrap();
                placed.single().unwrap();
            }
            assert_eq!(sent() - before, each * wallets.len(), "{exchange} {round}");
            desk.app.clock.advance_ms(70_000);
        }
    }
}

/// Each order of a batch on Aster has an outcome of its own. One is refused before its builder is
/// looked at.
#[tokio::test(flavor = "multi_thread")]
async fn mixed_batch_is_placed_without_the_builder() {
    let app = TestApp::start_with(|options| set(options, builder(BUILDER, 50))).await;
    let desk = Desk::open_in(app, &[Exchange::Aster]).await.remove(0);
    let answers = json!([
        { "code": -2019, "msg": "Margin is insufficient." },
        { "code": -1130, "msg": "No builder found" },
        { "code": -1130, "msg": "No builder found" },
    ]);
    let fault = Fault::Status(200, answers.to_string());
    let plan = move |arrival: Arrival<'_>| match (arrival.name, arrival.nth_of_name) {
        ("Aster.POST batchOrders", 1) => Fate::Fail(fault.clone()),
        _ => Fate::Pass,
    };
    let process = desk.proxy.process_with(Box::new(plan));
    let batch = ["m-1", "m-2", "m-3"].map(|id| desk.order(id, RESTING));
    let mut placed = desk.place_all(&process, &batch).await.unwrap().orders;
    let (others, first) = (placed.split_off(1), placed.remove(0));
    assert!(others.iter().all(|order| order.result.is_ok()), "{others:?}");
    assert!(
        matches!(&first.result, Err(TradeError::Refused { refusal, .. })
            if refusal.code == TradeCode::InsufficientFunds),
        "{first:?}"
    );
    assert_eq!(["m-1", "m-2", "m-3"].map(|id| desk.accepted(id)), [0, 1, 1]);
    // A repeat returns the outcomes.
    let repeat = desk.place_all(&desk.process(), &batch).await.unwrap();
    assert!(repeat.is_replay && repeat.orders[0].result.is_err(), "{repeat:?}");
    assert_eq!(["m-1", "m-2", "m-3"].map(|id| desk.accepted(id)), [0, 1, 1]);
}

/// Executes the first order of a batch, and states that the second one was refused for its builder.
/// With `fails`, the table then accepts no further reservation.
async fn half_placed(fails: bool) -> (Desk, Vec<PlacedOrder>) {
    let app = TestApp::start_with(|options| set(options, builder(BUILDER, 50))).await;
    let desk = Desk::open_in(app, &[Exchange::Hyperliquid]).await.remove(0);
    let statuses = json!([
        { "resting": { "oid": 77_u64 } },
        { "error": "Builder fee has not been approved. asset=0" },
    ]);
    let response = json!({ "type": "order", "data": { "statuses": statuses } });
    let answer = json!({ "status": "ok", "response": response }).to_string();
    let refused = r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"no"}"#;
    let plan = move |arrival: Arrival<'_>| match (arrival.name, arrival.nth_of_name) {
        ("Hyperliquid.order", 1) => Fate::Fail(Fault::AppliedAs(200, answer.clone())),
        // The first one reserves, and the second one stores the outcomes.
        ("DynamoDB.TransactWriteItems", 3..) if fails => {
            Fate::Fail(Fault::Status(400, refused.to_owned()))
        }
        _ => Fate::Pass,
    };
    let process = desk.proxy.process_with(Box::new(plan));
    // The exchange refuses the second one, because it would match.
    let crossing =
        OrderFields { time_in_force: Some("POST_ONLY"), price: Some("61000"), ..RESTING };
    let batch = [desk.order("h-1", RESTING), desk.order("h-2", crossing)];
    let placed = desk.place_all(&process, &batch).await.unwrap();
    assert_eq!((desk.accepted("h-1"), desk.accepted("h-2")), (1, 0), "{placed:?}");
    (desk, placed.orders)
}

#[tokio::test(flavor = "multi_thread")]
async fn placed_order_of_a_mixed_batch_is_not_signed_again() {
    let (desk, orders) = half_placed(false).await;
    assert!(orders[0].result.is_ok(), "{orders:?}");
    assert!(
        matches!(&orders[1].result, Err(TradeError::Refused { refusal, .. })
            if refusal.code == TradeCode::WouldCross),
        "{orders:?}"
    );
    assert_eq!(desk.record("h-1").await.unwrap().generation, 0);
    assert_eq!(desk.record("h-2").await.unwrap().generation, 1);
}

/// The caller must learn of the order that was placed, whatever becomes of the other one.
#[tokio::test(flavor = "multi_thread")]
async fn failure_after_a_part_was_placed_returns_that_part() {
    let (desk, orders) = half_placed(true).await;
    assert!(orders[0].result.is_ok(), "{orders:?}");
    assert!(matches!(&orders[1].result, Err(TradeError::Store(_))), "{orders:?}");
    assert_eq!(desk.record("h-1").await.unwrap().state, OrderState::Placed);
    assert_eq!(desk.record("h-2").await.unwrap().state, OrderState::Refused);
}
