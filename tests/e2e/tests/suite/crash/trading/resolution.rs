//! Kills a run of the job that resolves orders at each of its remote calls. The next run finishes it.

use domain::ids::Exchange;
use e2e::kill::{Call, ended};
use e2e::proxy::Side;
use exchange_sim::faults::Fault;
use shared::store::OrderState;

use super::{QUANTITY, SYMBOL, Scene, USER, report, unanswered};

async fn resolution(exchange: Exchange) {
    let scene = Scene::start(exchange).await;
    let h = &scene.h;
    // Leaves an order of unknown outcome, which the exchange may have executed.
    let unknown = async |fault: Fault| {
        let call = scene.new_limit();
        let process = h.proxy.process_with(unanswered(scene.sends(), fault));
        let reply = h.call(&process, &call).await.unwrap();
        assert_eq!((reply.status, reply.text("/code")), (504, "ORDER_UNKNOWN"), "{reply:?}");
        Call::resolution(exchange, USER)
    };
    let lost = async || unknown(Fault::AppliedButLost).await;
    let never_sent = async || unknown(Fault::Reset).await;
    // The process of a batch died after it was sent.
    let batch_died = async || {
        let send = match exchange {
            Exchange::Aster => "Aster.POST batchOrders",
            Exchange::Hyperliquid => "Hyperliquid.order",
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        h.kill(&scene.new_batch(), send, 1, Side::After).await;
        h.app.clock.advance_ms(30_001);
        Call::resolution(exchange, USER)
    };
    let change_died = async || {
        let id = scene.placed().await;
        let modify = Call::modify(exchange, USER, (&id, SYMBOL), ("2890", QUANTITY));
        let send = match exchange {
            Exchange::Aster => "Aster.PUT order",
            Exchange::Hyperliquid => "Hyperliquid.batchModify",
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        h.kill(&modify, send, 1, Side::After).await;
        h.app.clock.advance_ms(30_001);
        Call::resolution(exchange, USER)
    };
    let check = async |_: &Call| scene.executed_once().await;
    let dead = async |_: &Call| {
        scene.settled().await;
        let id = scene.ids().remove(0);
        assert_eq!(scene.desk.accepted(&h.app, &id), 0, "{id}");
        let record = scene.desk.record(&h.app, &id).await.unwrap();
        assert_eq!(record.state, OrderState::Dead, "{id}");
    };
    let changed = async |_: &Call| {
        scene.settled().await;
        let open = scene.desk.open_of(&h.app, &scene.ids()[0]);
        assert_eq!(open.iter().map(|it| it.price.as_str()).collect::<Vec<_>>(), ["2890"]);
    };
    let rows = [
        h.drive("resolve, executed", lost, ended::idle, check).await,
        h.drive("resolve, not received", never_sent, ended::idle, dead).await,
        h.drive("resolve a batch", batch_died, ended::idle, check).await,
        h.drive("resolve a change", change_died, ended::idle, changed).await,
    ];
    report(&format!("kill-points-resolve-{exchange}.md"), &rows);
}

on_both! {
    resolution: hyperliquid_resolution_killed_is_finished_by_next_run, aster_resolution_killed_is_finished_by_next_run;
}
