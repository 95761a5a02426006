//! Transactions whose response is lost, late, or never comes.

use e2e::kill::{Call, Harness};
use e2e::lighter::{ACCOUNT, accepted, open_account, record, send, store_key};
use e2e::proxy::{Arrival, Fate, Plan};
use exchange_sim::faults::Fault;
use exchange_sim::lighter::{Rules, StatedHash};
use http::Method;
use shared::store::OrderState;
use std::sync::{Arc, Mutex};

use super::{limit, market};

/// Fails the first calls of a name.
fn fail_first(name: &'static str, times: usize, fault: Fault) -> Plan {
    Box::new(move |arrival: Arrival<'_>| {
        if arrival.name == name && arrival.nth_of_name <= times {
            Fate::Fail(fault.clone())
        } else {
            Fate::Pass
        }
    })
}

const SEND: &str = "Lighter.POST sendTx";

async fn harness() -> Harness {
    let h = Harness::start_with(|options| {
        options.budget.per_minute = domain::ids::PerExchange::from_fn(|_| 1_000_000);
    })
    .await;
    open_account(&h.app);
    assert_eq!(store_key(&h.app).await.status, 200);
    h
}

fn placing(id: &str) -> Call {
    Call::lighter(Method::POST, ACCOUNT, "orders", Some(limit(id)))
}

#[tokio::test]
async fn lost_response_is_found_by_the_hash() {
    let h = harness().await;
    for (id, fault) in [
        ("lost", Fault::AppliedButLost),
        ("reset", Fault::Reset),
        ("server-error", Fault::Status(500, r#"{"code":29500,"message":"internal"}"#.into())),
    ] {
        let sent: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let (fail, seen) = (fail_first(SEND, 1, fault), sent.clone());
        let process = h.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
            if arrival.name == SEND {
                seen.lock().unwrap().push(arrival.body.to_vec());
            }
            fail(arrival)
        }));
        let reply = h.call(&process, &placing(id)).await.unwrap();
        assert_eq!((reply.status, reply.text("/data/status")), (200, "OPEN"), "{id}: {reply:?}");
        assert_eq!(accepted(&h.app, id), 1, "{id}");
        // The same bytes were sent again, and they are those of the record.
        let sent = sent.lock().unwrap().clone();
        let stored = record(&h.app, id).await.unwrap().submission.unwrap();
        assert_eq!(sent, [stored.body.as_bytes(), stored.body.as_bytes()], "{id}");
    }
}

#[tokio::test]
async fn order_that_never_arrives_is_dead_after_its_expiry() {
    let h = harness().await;
    let process = h.proxy.process_with(fail_first(SEND, 9, Fault::Reset));
    let reply = h.call(&process, &placing("never")).await.unwrap();
    assert_eq!((reply.status, reply.text("/code")), (504, "ORDER_UNKNOWN"), "{reply:?}");
    assert_eq!(record(&h.app, "never").await.unwrap().state, OrderState::Unknown);
    // The bytes can still execute, so the order is not signed again.
    let again = h.call(&h.proxy.process(), &placing("never")).await.unwrap();
    assert_eq!((again.status, accepted(&h.app, "never")), (504, 0), "{again:?}");
    // The job has no key.
    h.app.clock.advance_ms(80_000);
    let job = Call::resolution(domain::ids::Exchange::Lighter, "lighter");
    let resolved = h.call(&h.proxy.process(), &job).await.unwrap();
    assert_eq!(resolved.status, 200, "{resolved:?}");
    assert_eq!(record(&h.app, "never").await.unwrap().state, OrderState::Dead);
    let placed = h.call(&h.proxy.process(), &placing("never")).await.unwrap();
    assert_eq!((placed.status, accepted(&h.app, "never")), (200, 1), "{placed:?}");
    assert_eq!(record(&h.app, "never").await.unwrap().generation, 1);
}

#[tokio::test]
async fn order_under_another_hash_is_found_by_that_hash() {
    let h = harness().await;
    let rules = Rules { hash: StatedHash::Other, ..Rules::default() };
    h.app.stack.lighter_sim.set_rules(rules);
    let reply = h.call(&h.proxy.process(), &placing("other")).await.unwrap();
    assert_eq!((reply.status, reply.text("/data/status")), (200, "OPEN"), "{reply:?}");
    let submission = record(&h.app, "other").await.unwrap().submission.unwrap();
    assert!(submission.stated_hash.is_some() && submission.stated_hash != submission.hash);
    assert_eq!(accepted(&h.app, "other"), 1);
}

#[tokio::test]
async fn order_under_a_lost_hash_is_not_signed_again() {
    let h = harness().await;
    h.app.stack.lighter_sim.set_rules(Rules { hash: StatedHash::Lost, ..Rules::default() });
    let process = h.proxy.process_with(fail_first("Lighter.GET accountOrders", 9, Fault::Reset));
    let reply = h.call(&process, &placing("lost-hash")).await.unwrap();
    assert_eq!((reply.status, reply.text("/code")), (504, "ORDER_UNKNOWN"), "{reply:?}");
    // The job has no key, and nothing proves that the order is dead.
    h.app.clock.advance_ms(80_000);
    let job = Call::resolution(domain::ids::Exchange::Lighter, "lighter");
    h.call(&h.proxy.process(), &job).await.unwrap();
    assert_eq!(record(&h.app, "lost-hash").await.unwrap().state, OrderState::Unknown);
    // A repeat finds the order by its client order index.
    let placed = h.call(&h.proxy.process(), &placing("lost-hash")).await.unwrap();
    assert_eq!((placed.status, placed.text("/data/status")), (200, "OPEN"), "{placed:?}");
    assert_eq!(accepted(&h.app, "lost-hash"), 1);
}

#[tokio::test]
async fn client_order_index_in_use_is_looked_up() {
    let h = harness().await;
    let taken = r#"{"code":21728,"message":"client order index already exists"}"#;
    let absent = r#"{"code":21500,"message":"transaction not found"}"#;
    let process = h.proxy.process_with(Box::new(move |arrival: Arrival<'_>| match arrival.name {
        SEND => Fate::Fail(Fault::AppliedAs(400, taken.to_owned())),
        "Lighter.GET tx" => Fate::Fail(Fault::Status(400, absent.to_owned())),
        _ => Fate::Pass,
    }));
    let reply = h.call(&process, &placing("taken")).await.unwrap();
    assert_eq!((reply.status, reply.text("/data/status")), (200, "OPEN"), "{reply:?}");
    assert_eq!(record(&h.app, "taken").await.unwrap().state, OrderState::Placed);
    assert_eq!(accepted(&h.app, "taken"), 1);
}

#[tokio::test]
async fn earlier_order_of_a_reused_id_is_not_the_lost_one() {
    let h = harness().await;
    assert_eq!(h.call(&h.proxy.process(), &placing("reused")).await.unwrap().status, 200);
    // The record of the first order has expired, and the order still rests.
    h.app.clock.advance_ms(8 * 24 * 60 * 60 * 1_000);
    let process = h.proxy.process_with(fail_first(SEND, 9, Fault::Reset));
    let reply = h.call(&process, &placing("reused")).await.unwrap();
    assert_eq!((reply.status, reply.text("/code")), (504, "ORDER_UNKNOWN"), "{reply:?}");
}

#[tokio::test]
async fn unlisted_client_order_index_stays_unknown() {
    let h = harness().await;
    assert!(h.app.stack.lighter_sim.set_rule("refuseNext", "21728 client order index exists"));
    let reply = h.call(&h.proxy.process(), &placing("unlisted")).await.unwrap();
    assert_eq!((reply.status, reply.text("/code")), (504, "ORDER_UNKNOWN"), "{reply:?}");
    assert_eq!(record(&h.app, "unlisted").await.unwrap().state, OrderState::Unknown);
}

#[tokio::test]
async fn pending_order_is_unknown_until_it_is_executed() {
    let h = harness().await;
    let simulator = &h.app.stack.lighter_sim;
    simulator.set_rules(Rules { pending_ms: 30_000, ..Rules::default() });
    let reply = h.call(&h.proxy.process(), &placing("pending")).await.unwrap();
    assert_eq!((reply.status, reply.text("/code")), (504, "ORDER_UNKNOWN"), "{reply:?}");
    h.app.clock.advance_ms(31_000);
    let placed = h.call(&h.proxy.process(), &placing("pending")).await.unwrap();
    assert_eq!((placed.status, placed.text("/data/status")), (200, "OPEN"), "{placed:?}");
    assert_eq!(accepted(&h.app, "pending"), 1);
}

#[tokio::test]
async fn job_without_a_key_finds_an_executed_order() {
    let h = harness().await;
    // The order arrives, and nothing answers any question.
    let process = h.proxy.process_with(Box::new(|arrival: Arrival<'_>| match arrival.name {
        SEND => Fate::Fail(Fault::AppliedButLost),
        "Lighter.GET tx" => Fate::Fail(Fault::Reset),
        _ => Fate::Pass,
    }));
    let reply = h.call(&process, &placing("job")).await.unwrap();
    assert_eq!(reply.status, 504, "{reply:?}");
    h.app.clock.advance_ms(40_000);
    let job = Call::resolution(domain::ids::Exchange::Lighter, "lighter");
    let process = h.proxy.process();
    assert_eq!(h.call(&process, &job).await.unwrap().status, 200);
    assert!(process.calls().iter().all(|call| !call.contains("accountOrders")));
    assert_eq!(record(&h.app, "job").await.unwrap().state, OrderState::Placed);
    let status = send(&h.app, Method::GET, "orders/job/status", None).await;
    assert_eq!(status.text("/data/status"), "OPEN", "{status:?}");
    assert_eq!(accepted(&h.app, "job"), 1);
}

#[tokio::test]
async fn retry_after_the_job_returns_and_stores_the_fills() {
    let h = harness().await;
    let simulator = &h.app.stack.lighter_sim;
    simulator.set_rules(Rules { pending_ms: 6_000, ..Rules::default() });
    let call = Call::lighter(Method::POST, ACCOUNT, "orders", Some(market("late", "BUY")));
    let reply = h.call(&h.proxy.process(), &call).await.unwrap();
    assert_eq!((reply.status, reply.text("/code")), (504, "ORDER_UNKNOWN"), "{reply:?}");
    h.app.clock.advance_ms(40_000);
    let job = Call::resolution(domain::ids::Exchange::Lighter, "lighter");
    assert_eq!(h.call(&h.proxy.process(), &job).await.unwrap().status, 200);
    // While Lighter cannot be asked, a retry returns what the job found.
    let silent = h.proxy.process_with(fail_first("Lighter.GET accountOrders", 9, Fault::Reset));
    let unread = h.call(&silent, &call).await.unwrap();
    assert_eq!((unread.status, unread.text("/data/exchangeStatus")), (200, "executed"));
    for _ in 0..2 {
        let process = h.proxy.process();
        let read = h.call(&process, &call).await.unwrap();
        assert_eq!((read.status, read.text("/data/status")), (200, "FILLED"), "{read:?}");
        assert_eq!(read.text("/data/filledQuantity"), "0.01");
        assert!(read.body["data"]["orderId"].is_string(), "{read:?}");
        assert!(process.calls().iter().all(|call| !call.contains("sendTx")));
    }
    assert_eq!(accepted(&h.app, "late"), 1);
}

#[tokio::test]
async fn nonce_of_another_program_is_overtaken() {
    let h = harness().await;
    let refused = Fault::Status(400, r#"{"code":21104,"message":"invalid nonce"}"#.into());
    let process = h.proxy.process_with(fail_first(SEND, 1, refused));
    let reply = h.call(&process, &placing("overtaken")).await.unwrap();
    assert_eq!((reply.status, accepted(&h.app, "overtaken")), (200, 1), "{reply:?}");
    assert_eq!(record(&h.app, "overtaken").await.unwrap().generation, 1);
}

#[tokio::test]
async fn order_overtaken_in_every_attempt_is_not_rejected() {
    let h = harness().await;
    let refused = Fault::Status(400, r#"{"code":21104,"message":"invalid nonce"}"#.into());
    let process = h.proxy.process_with(fail_first(SEND, 99, refused));
    let reply = h.call(&process, &placing("behind")).await.unwrap();
    assert_eq!((reply.status, reply.text("/code")), (502, "EXCHANGE_REJECTED"), "{reply:?}");
    assert_eq!(reply.retry_after_s(), Some(1), "{reply:?}");
    let sends = process.calls().iter().filter(|call| call.contains("sendTx")).count();
    assert!(sends > 3, "{sends}");
    let status = send(&h.app, Method::GET, "orders/behind/status", None).await;
    assert_eq!((status.status, status.text("/code")), (404, "ORDER_NOT_FOUND"), "{status:?}");
    let placed = h.call(&h.proxy.process(), &placing("behind")).await.unwrap();
    assert_eq!((placed.status, accepted(&h.app, "behind")), (200, 1), "{placed:?}");
}
