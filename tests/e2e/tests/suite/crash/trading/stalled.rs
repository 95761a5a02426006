//! Bytes of an order that are on their way for long, while other processes decide about the order.

use domain::ids::Exchange;
use e2e::kill::{Call, drawn, ended};
use e2e::proxy::{Arrival, Fate, Plan, Rendezvous};
use exchange_sim::faults::Fault;
use futures_util::future::join;

use super::{QUANTITY, SYMBOL, Scene, USER};

/// The call that changes an order at the exchange.
const fn changes(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Aster => "Aster.PUT order",
        Exchange::Hyperliquid => "Hyperliquid.batchModify",
        Exchange::Lighter => unreachable!(),
    }
}

/// Makes every call of a name arrive late.
fn late(name: &'static str, ms: u64) -> Plan {
    Box::new(
        move |arrival: Arrival<'_>| {
            if arrival.name == name { Fate::Fail(Fault::Late { ms }) } else { Fate::Pass }
        },
    )
}

/// Delays of bytes, in milliseconds: within the request, within the life of the bytes, around its
/// end, and after it.
const DELAYS_MS: [u64; 7] = [1, 900, 5_000, 9_999, 10_001, 30_000, 59_999];

/// Orders and changes whose bytes arrive late, while the caller repeats the call and the job runs.
async fn late_bytes(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let h = &scene.h;
    for ms in drawn(DELAYS_MS.to_vec(), 3) {
        let place = scene.new_limit();
        let reply = h.call(&h.proxy.process_with(late(scene.sends(), ms)), &place).await;
        println!("{exchange}, {ms} ms late: {:?}", reply.map(|reply| reply.status));
        h.finish(&place, ended::done).await;
        h.app.clock.advance_ms(60_000);
        scene.executed_once().await;

        let id = scene.ids().remove(0);
        let modify = Call::modify(exchange, USER, (&id, SYMBOL), ("2890", QUANTITY));
        let reply = h.call(&h.proxy.process_with(late(changes(exchange), ms)), &modify).await;
        println!("{exchange}, change {ms} ms late: {:?}", reply.map(|reply| reply.status));
        h.finish(&modify, ended::done).await;
        h.app.clock.advance_ms(60_000);
        scene.settled().await;
        let open = scene.desk.open_of(&h.app, &id);
        assert_eq!(open.iter().map(|it| it.price.as_str()).collect::<Vec<_>>(), ["2890"]);
    }
    assert_eq!(h.proxy.late_calls(), 0);
}

/// A process stalls while its bytes are on their way. After its lease the job and the caller decide
/// about the order, and then the bytes arrive.
async fn stalled_process(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let h = &scene.h;
    let sends = scene.sends();
    for job_first in [true, false] {
        let rendezvous = Rendezvous::of(2);
        let held = rendezvous.clone();
        let process = h.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
            let is_first = arrival.name == sends && arrival.nth_of_name == 1;
            if is_first { Fate::Hold(held.clone()) } else { Fate::Pass }
        }));
        let place = scene.new_limit();
        let others = async {
            rendezvous.held(1).await;
            h.app.clock.advance_ms(30_001);
            if job_first {
                h.finish(&Call::resolution(exchange, USER), ended::idle).await;
            }
            let replies = h.finish(&place, ended::done).await;
            rendezvous.leave();
            replies.into_iter().next_back().unwrap()
        };
        let (stalled, placed) = join(h.call(&process, &place), others).await;
        println!("{exchange}, stalled: {stalled:?}, {}", placed.text("/data/orderId"));
        scene.executed_once().await;
    }
}

/// A resolver stalls after its first question, and another one takes the order over.
async fn stalled_resolver(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let h = &scene.h;
    let asks = match exchange {
        Exchange::Aster => "Aster.GET order",
        Exchange::Hyperliquid => "Hyperliquid.orderStatus",
        Exchange::Lighter => unreachable!("no wallet is registered there"),
    };
    for fault in [Fault::AppliedButLost, Fault::Reset] {
        let place = scene.new_limit();
        let plan = super::unanswered(scene.sends(), fault);
        let reply = h.call(&h.proxy.process_with(plan), &place).await.unwrap();
        assert_eq!(reply.text("/code"), "ORDER_UNKNOWN", "{reply:?}");
        let rendezvous = Rendezvous::of(2);
        let held = rendezvous.clone();
        let process = h.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
            let is_first = arrival.name == asks && arrival.nth_of_name == 1;
            if is_first { Fate::Hold(held.clone()) } else { Fate::Pass }
        }));
        let job = Call::resolution(exchange, USER);
        let others = async {
            rendezvous.held(1).await;
            h.app.clock.advance_ms(30_001);
            h.finish(&place, ended::done).await;
            rendezvous.leave();
        };
        let (stalled, ()) = join(h.call(&process, &job), others).await;
        println!("{exchange}, stalled resolver: {stalled:?}");
        scene.executed_once().await;
        let cancel = Call::cancel(exchange, USER, &scene.ids()[0], SYMBOL);
        h.finish(&cancel, ended::cancelled).await;
    }
}

on_both! {
    late_bytes: hyperliquid_late_bytes_execute_once, aster_late_bytes_execute_once;
    stalled_process: hyperliquid_stalled_process_executes_once, aster_stalled_process_executes_once;
    stalled_resolver: hyperliquid_stalled_resolver_changes_nothing, aster_stalled_resolver_changes_nothing;
}
