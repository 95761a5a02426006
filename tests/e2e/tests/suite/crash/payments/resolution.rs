//! Kills a run of the job that resolves payments at each of its remote calls. The next run finishes
//! it.

use e2e::kill::{Call, ended};
use e2e::proxy::{Arrival, Fate, Plan, Side};
use exchange_sim::faults::Fault;

use super::{Kind, Scene, USER, report};

/// Fails every send of a payment with this fault.
fn unanswered(sends: &'static str, fault: Fault) -> Plan {
    Box::new(
        move |arrival: Arrival<'_>| {
            if arrival.name == sends { Fate::Fail(fault.clone()) } else { Fate::Pass }
        },
    )
}

async fn resolution(kind: Kind) {
    let scene = Scene::start(kind).await;
    let h = &scene.h;
    // Leaves a payment whose outcome is open, and which the exchange may have executed.
    let open = async |fault: Fault| {
        let call = scene.new_payment().await;
        let process = h.proxy.process_with(unanswered(kind.sends(), fault));
        let reply = h.call(&process, &call).await.unwrap();
        assert!(matches!(reply.status, 202 | 504), "{reply:?}");
        h.app.clock.advance_ms(31_000);
        Call::payments_job(USER)
    };
    let lost = async || open(Fault::AppliedButLost).await;
    let never_sent = async || open(Fault::Reset).await;
    // The process died after it was sent.
    let died = async || {
        let call = scene.new_payment().await;
        h.kill(&call, kind.sends(), 1, Side::After).await;
        h.app.clock.advance_ms(31_000);
        Call::payments_job(USER)
    };
    let check = async |_: &Call| scene.executed_once().await;
    let mut rows = vec![
        h.drive("resolve, executed", lost, ended::idle, check).await,
        h.drive("resolve, died", died, ended::idle, check).await,
    ];
    // At Aster such a payment stays unknown, and the runs of later cases look at it too.
    if kind != Kind::Aster {
        rows.push(h.drive("resolve, not received", never_sent, ended::idle, check).await);
    }
    report(&format!("kill-points-resolve-pay-{kind:?}.md"), &rows);
}

at_each! {
    resolution:
        Withdrawal resolution_of_hyperliquid_withdrawal_killed_is_finished_by_next_run,
        Send resolution_of_hyperliquid_send_killed_is_finished_by_next_run,
        Aster resolution_of_aster_withdrawal_killed_is_finished_by_next_run,
        Token resolution_of_chain_transfer_killed_is_finished_by_next_run;
}
