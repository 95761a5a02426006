//! The cosigner's list of counted payments: signed payments that are not settled, and the outcomes
//! that the service has reported.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use e2e::kill::Call;
use e2e::payments::{Place, counted};
use e2e::proxy::{Arrival, Fate, Plan, Process, Proxy, Side};
use exchange_sim::faults::Fault;
use protocol::{CountedState, OpenPayment, ReportedOutcome};
use serde_json::{Value, json};
use shared::exchanges::budget::Spender;

use super::{Scene, USER};

const RUN_TIME: Duration = Duration::from_secs(50);

/// No payment reaches Hyperliquid or a chain.
fn nothing_arrives() -> Plan {
    Box::new(|arrival: Arrival<'_>| {
        let is_send = Place::ALL.iter().any(|place| place.sends() == arrival.name);
        if is_send { Fate::Fail(Fault::Reset) } else { Fate::Pass }
    })
}

/// Requests a payment through a process, and returns its id.
async fn pay(scene: &Scene, process: &Arc<Process>, place: Place, amount: &str) -> String {
    let call = Call::pay(place, USER, &place.body(USER, amount)).keyed(place.key(amount));
    let router = hyperdex_local::routes(&scene.app.options, &process.endpoints()).unwrap();
    let reply = e2e::kill::send(router, &call).await;
    reply.headers["transfer-id"].to_str().unwrap().to_owned()
}

/// Runs the jobs of a process, once they are due.
async fn resolve(scene: &Scene, process: &Process) {
    scene.app.clock.advance_ms(61_000);
    let traders = process.endpoints().traders(&scene.app.options, Spender::Job);
    // A run that dies reports nothing.
    let _ = traders.payments.resolve(RUN_TIME).await;
}

fn by_id(listed: Vec<OpenPayment>) -> BTreeMap<String, OpenPayment> {
    listed.into_iter().map(|payment| (payment.id.to_string(), payment)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn freeze_lists_exactly_the_signed_payments_that_are_not_settled() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    let mut made = Vec::new();
    for (place, amount) in Place::ALL.into_iter().zip(["11", "12", "13", "14", "15"]) {
        let reply = till.pay(app, place, amount, amount).await;
        assert!(matches!(reply.status, 200 | 202), "{place:?}: {reply:?}");
        // The cosigner counts and lists no own transfer.
        if place != Place::HyperliquidOwn {
            made.push(reply.text("/data/transferId").to_owned());
        }
    }
    let proxy = Proxy::start(app).await;
    let cut_off = proxy.process_with(nothing_arrives());
    let mut open = Vec::new();
    for (place, amount) in [(Place::Hyperliquid, "21"), (Place::Chain, "22")] {
        open.push(pay(&scene, &cut_off, place, amount).await);
    }
    for _ in 0..4 {
        resolve(&scene, &cut_off).await;
    }
    scene.approvers.change(app, &json!({ "type": "freeze" }), &[2]).await.unwrap();

    let now_ms = app.clock.now_ms();
    let listed = by_id(counted(app).await);
    let of_state = |state| {
        let of_state = listed.values().filter(|it| it.state(now_ms) == state);
        let mut ids: Vec<String> = of_state.map(|it| it.id.to_string()).collect();
        ids.sort_unstable();
        ids
    };
    open.sort_unstable();
    made.sort_unstable();
    assert_eq!(of_state(CountedState::Signed), open);
    assert_eq!(of_state(CountedState::ReportedCompleted), made);
    assert_eq!(listed.len(), open.len() + made.len());
    for id in &made {
        let report = listed[id].report.as_ref().unwrap();
        assert_eq!(report.outcome, ReportedOutcome::Completed);
        let hash = report.reference.as_deref();
        assert!(hash.is_none_or(|hash| hash.starts_with("0x")), "{report:?}");
    }
    // The API shows the same, also during the freeze.
    let policy = app.get("/api/policy").await;
    assert_eq!(policy.body["data"]["frozen"], true);
    let rows = policy.body["data"]["countedPayments"].as_array().unwrap();
    let signed = rows.iter().filter(|row| row["state"] == "signed");
    let mut ids: Vec<&str> = signed.filter_map(|row| row["paymentId"].as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, open);
    assert_eq!(policy.body["data"]["nextCursor"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_that_was_not_made_is_reported_as_refused() {
    let scene = Scene::limited("2000000", None).await;
    let (app, till) = (&scene.app, &scene.till);
    let place = Place::HyperliquidSend;
    let made = till.pay(app, place, "made", "20").await;
    assert!(matches!(made.status, 200 | 202), "{made:?}");
    // Less than the limit, and more than the wallet has.
    let refused = till.pay(app, place, "refused", "1500000").await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let proxy = Proxy::start(app).await;
    resolve(&scene, &proxy.process_with(Box::new(|_| Fate::Pass))).await;
    let listed = counted(app).await;
    let listed = by_id(listed);
    let outcome_of = |id: &str| listed[id].report.as_ref().unwrap().outcome;
    assert_eq!(outcome_of(made.text("/data/transferId")), ReportedOutcome::Completed);
    let refused = refused.headers["transfer-id"].to_str().unwrap();
    assert_eq!(outcome_of(refused), ReportedOutcome::Refused);
}

/// A job that dies at any of its calls leaves the report to the next run, and the cosigner keeps the
/// first report.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_report_is_made_once() {
    let scene = Scene::limited("100000", None).await;
    let (app, till) = (&scene.app, &scene.till);
    let proxy = Proxy::start(app).await;
    for nth in 1..30 {
        for side in [Side::Before, Side::After] {
            let amount = format!("{nth}.{}", if side == Side::Before { 1 } else { 2 });
            let reply = till.pay(app, Place::HyperliquidSend, &amount, &amount).await;
            assert!(matches!(reply.status, 200 | 202), "{reply:?}");
            let id = reply.text("/data/transferId").to_owned();
            // The job asks for due payments in many queries, which change nothing.
            let others = AtomicUsize::new(0);
            let process = proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
                let is_it =
                    !is_query(arrival.name) && others.fetch_add(1, Ordering::SeqCst) + 1 == nth;
                if is_it { Fate::Die(side) } else { Fate::Pass }
            }));
            resolve_until_death(&scene, &process).await;
            let calls = process.calls();
            let has_died = calls.iter().filter(|name| !is_query(name)).count() >= nth;
            let first = by_id(counted(app).await).remove(&id).unwrap().report;
            let next = proxy.process_with(Box::new(|_| Fate::Pass));
            resolve(&scene, &next).await;
            let report = by_id(counted(app).await).remove(&id).unwrap().report;
            assert!(report.is_some(), "{nth} {side:?}");
            assert!(first.is_none() || first == report, "{nth} {side:?}: {first:?} {report:?}");
            if !has_died {
                // The record, the wallet, the report with its reads and write, and the record.
                assert!(nth > 5, "{nth}: {calls:?}");
                return;
            }
        }
    }
    unreachable!("a run has fewer calls");
}

fn is_query(name: &str) -> bool {
    name == "DynamoDB.Query"
}

async fn resolve_until_death(scene: &Scene, process: &Process) {
    tokio::select! {
        () = resolve(scene, process) => {}
        () = process.died() => {}
    }
}
