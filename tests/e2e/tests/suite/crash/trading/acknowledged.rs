//! The pessimistic reading of Aster's documents: a `noop` is accepted although an order has used its
//! nonce, and every read shows the state of eight seconds ago.

use domain::ids::Exchange;
use e2e::kill::{Call, ended};
use exchange_sim::aster::{Noop, Rules};
use exchange_sim::faults::Fault;
use shared::store::OrderState;

use super::{Scene, USER, unanswered};

/// Starts a scene at such an exchange.
async fn start() -> Scene {
    let scene = Scene::start(Exchange::Aster).await;
    let aster = &scene.h.app.stack.aster_sim;
    let rules = aster.rules();
    aster.set_rules(Rules { noop: Noop::Acknowledgement, reads_lag_ms: 8_000, ..rules });
    scene
}

/// Sends an order whose outcome the process does not learn, and returns its call.
async fn unknown(scene: &Scene, fault: Fault) -> Call {
    let call = scene.new_limit();
    let process = scene.h.proxy.process_with(unanswered(scene.sends(), fault));
    let reply = scene.h.call(&process, &call).await.unwrap();
    assert_eq!((reply.status, reply.text("/code")), (504, "ORDER_UNKNOWN"), "{reply:?}");
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn aster_resolution_without_proof_executes_once() {
    let scene = start().await;
    let prepare = async |fault: Fault| {
        unknown(&scene, fault).await;
        Call::resolution(Exchange::Aster, USER)
    };
    let executed = async || prepare(Fault::AppliedButLost).await;
    let lost = async || prepare(Fault::Reset).await;
    let check = async |_: &Call| scene.executed_once().await;
    let dead = async |_: &Call| {
        scene.settled().await;
        let id = scene.ids().remove(0);
        let record = scene.desk.record(&scene.h.app, &id).await.unwrap();
        assert_eq!((record.state, scene.desk.accepted(&scene.h.app, &id)), (OrderState::Dead, 0));
    };
    let rows = [
        scene.h.drive("resolve, executed, noop accepted", executed, ended::idle, check).await,
        scene.h.drive("resolve, not received, noop accepted", lost, ended::idle, dead).await,
    ];
    super::report("kill-points-resolve-acknowledged-aster.md", &rows);
}

/// A client that retries at once, and again and again.
#[tokio::test(flavor = "multi_thread")]
async fn aster_retry_without_proof_executes_once() {
    let scene = start().await;
    for fault in [Fault::AppliedButLost, Fault::Reset] {
        let call = unknown(&scene, fault).await;
        let replies = scene.h.finish(&call, ended::done).await;
        let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
        assert_eq!(statuses.last(), Some(&200), "{statuses:?}");
        assert!(statuses.len() > 1, "decided within the lag: {statuses:?}");
        scene.executed_once().await;
    }
}
