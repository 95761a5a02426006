//! Calls about the same orders at the same time, from one process and from many.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use domain::ids::Exchange;
use e2e::Reply;
use e2e::kill::{Call, ended, send};
use e2e::proxy::{Fate, Process, Rendezvous};
use exchange_sim::faults::Fault;
use futures_util::future::{join, join_all};
use serde_json::json;

use super::{SYMBOL, Scene, USER, limit, unanswered};

/// A process that serves many requests, with warm caches.
struct Server {
    /// Its endpoints live as long as this.
    _process: Arc<Process>,
    router: Router,
}

impl Server {
    /// Starts a process whose first call of one name waits at a rendezvous.
    async fn start(scene: &Scene, held: &'static str, rendezvous: &Rendezvous) -> Self {
        let warm = scene.h.proxy.process_with(held_at(held, rendezvous.clone()));
        let router = scene.h.router(&warm);
        let read = Call::open_orders(scene.exchange, USER, SYMBOL);
        let reply = send(router.clone(), &read).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        Self { _process: warm, router }
    }

    async fn send(&self, call: &Call) -> Reply {
        send(self.router.clone(), call).await
    }
}

/// Holds the first call of a name until every attempt has one waiting.
fn held_at(name: &'static str, rendezvous: Rendezvous) -> e2e::proxy::Plan {
    Box::new(move |arrival| {
        let is_first = arrival.name == name && arrival.nth_of_name == 1;
        if is_first { Fate::Hold(rendezvous.clone()) } else { Fate::Pass }
    })
}

const RESERVATION: &str = "DynamoDB.TransactWriteItems";

/// Starts processes whose first reservations meet.
async fn servers(scene: &Scene, count: usize) -> Vec<Server> {
    let rendezvous = Rendezvous::of(count);
    join_all((0..count).map(|_| Server::start(scene, RESERVATION, &rendezvous))).await
}

fn counted(replies: &[Reply]) -> Vec<String> {
    let text = |reply: &Reply| format!("{} {}", reply.status, reply.text("/code"));
    let kinds: BTreeSet<String> = replies.iter().map(text).collect();
    let count = |kind: &String| replies.iter().filter(|it| text(it) == *kind).count();
    kinds.iter().map(|kind| format!("{}: {}", kind.trim(), count(kind))).collect()
}

async fn equal_calls(exchange: Exchange) {
    let scene = Scene::for_many(exchange).await;
    let servers = servers(&scene, 4).await;
    let call = scene.new_limit();
    let replies = join_all((0..64).map(|nth| servers[nth % 4].send(&call))).await;
    println!("{exchange}, 64 equal calls: {:?}", counted(&replies));
    for reply in &replies {
        let is_in_progress = reply.text("/code") == "ORDER_IN_PROGRESS";
        assert!(reply.status == 200 || is_in_progress, "{reply:?}");
    }
    scene.h.app.clock.advance_ms(30_001);
    let again = join_all(servers.iter().map(|server| server.send(&call))).await;
    let placed = replies.iter().chain(&again).filter(|reply| reply.status == 200);
    let ids: BTreeSet<&str> = placed.map(|reply| reply.text("/data/orderId")).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert!(again.iter().all(|reply| reply.status == 200), "{again:?}");
    scene.executed_once().await;
}

async fn different_calls_of_one_id(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    for _ in 0..3 {
        let servers = servers(&scene, 2).await;
        let id = scene.new_id();
        let mut other = limit(&id);
        other["price"] = json!("2880");
        let (first, second) = (scene.place(&limit(&id)), scene.place(&other));
        let (first, second) = join(servers[0].send(&first), servers[1].send(&second)).await;
        let mut ends = [&first, &second].map(|reply| (reply.status, reply.text("/code")));
        ends.sort_unstable();
        assert_eq!(ends, [(200, ""), (422, "CLIENT_ORDER_ID_REUSED")], "{first:?} {second:?}");
        scene.executed_once().await;
    }
}

/// A batch and a single order that share an id: one of them refuses the other as a whole.
async fn batch_and_order_of_one_id(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    for _ in 0..3 {
        let servers = servers(&scene, 2).await;
        let ids = scene.new_ids(2);
        let single = scene.place(&limit(&ids[0]));
        let batch = scene.place(&json!({ "orders": [limit(&ids[1]), limit(&ids[0])] }));
        let (single, batch) = join(servers[0].send(&single), servers[1].send(&batch)).await;
        let mut ends = [&single, &batch].map(|reply| (reply.status, reply.text("/code")));
        ends.sort_unstable();
        assert_eq!(ends, [(200, ""), (422, "CLIENT_ORDER_ID_REUSED")], "{single:?} {batch:?}");
        scene.settled().await;
        let accepted = ids.iter().map(|id| scene.desk.accepted(&scene.h.app, id));
        let expected = if single.status == 200 { [1, 0] } else { [1, 1] };
        assert_eq!(accepted.collect::<Vec<_>>(), expected);
    }
}

async fn many_orders(exchange: Exchange) {
    let scene = Scene::for_many(exchange).await;
    let servers = servers(&scene, 4).await;
    let calls: Vec<_> = scene.new_ids(64).iter().map(|id| scene.place(&limit(id))).collect();
    let sent = calls.iter().enumerate().map(|(nth, call)| servers[nth % 4].send(call));
    let replies = join_all(sent).await;
    println!("{exchange}, 64 different orders: {:?}", counted(&replies));
    for (call, reply) in calls.iter().zip(&replies) {
        if reply.status != 200 {
            assert_eq!((reply.status, reply.retry_after_s()), (503, Some(1)), "{reply:?}");
            scene.h.finish(call, ended::done).await;
        }
    }
    scene.executed_once().await;
}

async fn place_and_cancel(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let rendezvous = Rendezvous::of(2);
    let (placer, canceller) = join(
        Server::start(&scene, scene.sends(), &rendezvous),
        Server::start(&scene, scene.sends(), &Rendezvous::of(0)),
    )
    .await;
    // The order is stored and on its way: it cannot be cancelled yet.
    let (place, cancel) = {
        let id = scene.new_id();
        (scene.place(&limit(&id)), Call::cancel(exchange, USER, &id, SYMBOL))
    };
    let cancelling = async {
        rendezvous.held(1).await;
        let reply = canceller.send(&cancel).await;
        rendezvous.leave();
        reply
    };
    let (placed, cancelled) = join(placer.send(&place), cancelling).await;
    assert_eq!(placed.status, 200, "{placed:?}");
    let refused = (cancelled.status, cancelled.text("/code"));
    assert_eq!(refused, (409, "ORDER_IN_PROGRESS"), "{cancelled:?}");
    scene.executed_once().await;
    // Both at once, with any interleaving.
    for _ in 0..6 {
        let id = scene.new_id();
        let (place, cancel) = (scene.place(&limit(&id)), Call::cancel(exchange, USER, &id, SYMBOL));
        let (placed, cancelled) = join(placer.send(&place), canceller.send(&cancel)).await;
        assert_eq!(placed.status, 200, "{placed:?}");
        let code = cancelled.text("/code");
        let is_early = matches!(code, "ORDER_IN_PROGRESS" | "ORDER_NOT_FOUND");
        assert!(cancelled.status == 200 || is_early, "{cancelled:?}");
        scene.h.finish(&cancel, ended::cancelled).await;
        // A repeat of the placing returns the first outcome, and places nothing.
        let again = placer.send(&place).await;
        assert_eq!(again.text("/data/orderId"), placed.text("/data/orderId"), "{again:?}");
        scene.executed_once().await;
        assert_eq!(scene.desk.open_of(&scene.h.app, &id), []);
    }
}

async fn changes_at_once(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    for _ in 0..3 {
        let id = scene.placed().await;
        let servers = servers(&scene, 2).await;
        let [first, second] = ["2890", "2880"]
            .map(|price| Call::modify(exchange, USER, (&id, SYMBOL), (price, "0.02")));
        let (one, other) = join(servers[0].send(&first), servers[1].send(&second)).await;
        let mut ends = [&one, &other].map(|reply| (reply.status, reply.text("/code")));
        ends.sort_unstable();
        assert_eq!(ends, [(200, ""), (409, "ORDER_IN_PROGRESS")], "{one:?} {other:?}");
        scene.settled().await;
        // The cancellation meets the change.
        let (modify, cancel) = (&first, Call::cancel(exchange, USER, &id, SYMBOL));
        let (changed, cancelled) = join(servers[0].send(modify), servers[1].send(&cancel)).await;
        println!("{exchange}, change and cancellation: {:?}", counted(&[changed, cancelled]));
        scene.h.app.clock.advance_ms(30_001);
        scene.h.finish(&cancel, ended::cancelled).await;
        scene.settled().await;
        assert_eq!(scene.desk.open_of(&scene.h.app, &id), []);
    }
}

async fn two_resolvers(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let h = &scene.h;
    let faults = [Fault::AppliedButLost, Fault::Reset];
    let cases = faults.iter().flat_map(|fault| [(fault, false), (fault, true)]);
    for (fault, caller_repeats) in cases {
        let call = scene.new_limit();
        let process = h.proxy.process_with(unanswered(scene.sends(), fault.clone()));
        let reply = h.call(&process, &call).await.unwrap();
        assert_eq!(reply.text("/code"), "ORDER_UNKNOWN", "{reply:?}");
        h.app.clock.advance_ms(1);
        // Two runs of the job meet at the write that takes the order over.
        let rendezvous = Rendezvous::of(2);
        let jobs: Vec<_> = (0..2)
            .map(|_| h.proxy.process_with(held_at("DynamoDB.UpdateItem", rendezvous.clone())))
            .collect();
        let caller = h.proxy.process();
        let job = Call::resolution(exchange, USER);
        let run = async |process: &Process| {
            let run = h.call(process, &job).await.unwrap();
            rendezvous.leave();
            run.body["resolved"].as_u64().unwrap()
        };
        let repeated = async {
            if caller_repeats {
                h.call(&caller, &call).await;
            }
        };
        let ((one, other), ()) = join(join(run(&jobs[0]), run(&jobs[1])), repeated).await;
        println!("{exchange}, {fault:?}: {one} and {other} resolved, repeated: {caller_repeats}");
        assert!(one + other <= 1, "resolved twice");
        h.app.clock.advance_ms(30_001);
        h.finish(&call, ended::done).await;
        scene.executed_once().await;
    }
}

on_both! {
    equal_calls: hyperliquid_64_equal_calls_place_one_order, aster_64_equal_calls_place_one_order;
    different_calls_of_one_id: hyperliquid_one_id_in_two_calls_places_one_order, aster_one_id_in_two_calls_places_one_order;
    batch_and_order_of_one_id: hyperliquid_id_in_batch_and_order_places_one, aster_id_in_batch_and_order_places_one;
    many_orders: hyperliquid_64_different_orders_are_each_placed_once, aster_64_different_orders_are_each_placed_once;
    place_and_cancel: hyperliquid_order_and_its_cancellation_race, aster_order_and_its_cancellation_race;
    changes_at_once: hyperliquid_changes_of_one_order_race, aster_changes_of_one_order_race;
    two_resolvers: hyperliquid_two_resolvers_agree, aster_two_resolvers_agree;
}
