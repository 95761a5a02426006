//! Payments whose response is lost. A retry with the same key never pays twice.

use domain::ids::Exchange;
use e2e::kill::Call;
use e2e::payments::Place;
use e2e::proxy::{Arrival, Fate, Plan, Proxy};
use exchange_sim::faults::Fault;
use shared::exchanges::budget::Spender;

use super::{Scene, USER};

/// Fails the first sends of a payment.
fn fail_sends(name: &'static str, times: usize, fault: Fault) -> Plan {
    Box::new(move |arrival: Arrival<'_>| {
        let is_it = arrival.name == name && arrival.nth_of_name <= times;
        if is_it { Fate::Fail(fault.clone()) } else { Fate::Pass }
    })
}

/// Retries a payment until it ends, as an honest client does. Returns the last status and code.
async fn settled(scene: &Scene, place: Place, key: &str, amount: &str) -> (u16, String) {
    let mut last = (0, String::new());
    for _ in 0..12 {
        scene.app.clock.advance_ms(61_000);
        let reply = scene.till.pay(&scene.app, place, key, amount).await;
        last = (reply.status, reply.text("/code").to_owned());
        let state = reply.text("/data/state").to_owned();
        if reply.status == 200 || state == "COMPLETED" || reply.status == 422 {
            break;
        }
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_response_pays_once() {
    for place in Place::ALL {
        let scene = Scene::open().await;
        let proxy = Proxy::start(&scene.app).await;
        for (nth, fault) in
            [Fault::AppliedButLost, Fault::AppliedThenHang, Fault::Twice].into_iter().enumerate()
        {
            let amount = format!("2{nth}");
            let process = proxy.process_with(fail_sends(place.sends(), 1, fault.clone()));
            let body = place.body(USER, &amount);
            let call = Call::pay(place, USER, &body).keyed(place.key(&amount));
            let _ = e2e::kill::send(
                hyperdex_local::routes(&scene.app.options, &process.endpoints()).unwrap(),
                &call,
            )
            .await;
            let (status, code) = settled(&scene, place, &amount, &amount).await;
            let paid = scene.till.executed(&scene.app, place, &amount);
            assert_eq!((status, paid), (200, 1), "{place:?} {fault:?}: {code}");
        }
    }
}

/// The request never arrived, or arrives late: it pays at most once, and the service states
/// whether it did.
#[tokio::test(flavor = "multi_thread")]
async fn request_that_did_not_arrive_pays_at_most_once() {
    for place in Place::ALL {
        let scene = Scene::open().await;
        let proxy = Proxy::start(&scene.app).await;
        for (nth, fault) in
            [Fault::Reset, Fault::Late { ms: 5_000 }, Fault::Hang].into_iter().enumerate()
        {
            let amount = format!("2{nth}");
            let process = proxy.process_with(fail_sends(place.sends(), 1, fault.clone()));
            let body = place.body(USER, &amount);
            let call = Call::pay(place, USER, &body).keyed(place.key(&amount));
            let _ = e2e::kill::send(
                hyperdex_local::routes(&scene.app.options, &process.endpoints()).unwrap(),
                &call,
            )
            .await;
            scene.app.clock.advance_ms(5_000);
            proxy.deliver_late().await;
            let (status, code) = settled(&scene, place, &amount, &amount).await;
            let paid = scene.till.executed(&scene.app, place, &amount);
            assert!(paid <= 1, "{place:?} {fault:?}: {paid}");
            // Aster's request expires after a minute; the payment may then have to stay unknown.
            let stated = usize::from(status == 200);
            if status != 504 && status != 202 {
                assert_eq!(stated, paid, "{place:?} {fault:?}: {status} {code}");
            }
            if place != Place::Aster {
                assert_eq!((status, paid), (200, 1), "{place:?} {fault:?}: {code}");
            }
        }
    }
}

/// The job finds the outcome without a caller.
#[tokio::test(flavor = "multi_thread")]
async fn job_finds_the_outcome_of_lost_payment() {
    for (place, exchange) in
        [(Place::Hyperliquid, Exchange::Hyperliquid), (Place::Aster, Exchange::Aster)]
    {
        let scene = Scene::open().await;
        let proxy = Proxy::start(&scene.app).await;
        let name = place.sends();
        let process = proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
            if arrival.name == name { Fate::Fail(Fault::AppliedButLost) } else { Fate::Pass }
        }));
        let call = Call::pay(place, USER, &place.body(USER, "20")).keyed("lost");
        let router = hyperdex_local::routes(&scene.app.options, &process.endpoints()).unwrap();
        let reply = e2e::kill::send(router, &call).await;
        let id = reply.headers["transfer-id"].to_str().unwrap().to_owned();
        for _ in 0..3 {
            scene.app.clock.advance_ms(61_000);
            scene
                .app
                .stack
                .traders
                .payments
                .resolve(std::time::Duration::from_secs(50))
                .await
                .unwrap();
        }
        let state = scene.till.state(&scene.app, place, &id).await;
        assert_eq!(state.text("/data/state"), "COMPLETED", "{exchange}: {state:?}");
        assert_eq!(scene.till.executed(&scene.app, place, "20"), 1);
    }
}

/// Two equal transfers, of which one never arrives: it is not taken for the other one.
#[tokio::test(flavor = "multi_thread")]
async fn lost_transfer_is_not_taken_for_an_equal_one() {
    for place in [Place::HyperliquidSend, Place::HyperliquidOwn, Place::Hyperliquid] {
        let scene = Scene::open().await;
        let proxy = Proxy::start(&scene.app).await;
        let name = place.sends();
        let cut_off = proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
            if arrival.name == name { Fate::Fail(Fault::Reset) } else { Fate::Pass }
        }));
        let call = Call::pay(place, USER, &place.body(USER, "20")).keyed("lost");
        let router = || hyperdex_local::routes(&scene.app.options, &cut_off.endpoints()).unwrap();
        let lost = e2e::kill::send(router(), &call).await;
        let id = lost.headers["transfer-id"].to_str().unwrap().to_owned();
        let made = scene.till.pay(&scene.app, place, "made", "20").await;
        assert!(matches!(made.status, 200 | 202), "{place:?}: {made:?}");
        for _ in 0..4 {
            scene.app.clock.advance_ms(62_000);
            let traders = cut_off.endpoints().traders(&scene.app.options, Spender::Job);
            traders.payments.resolve(std::time::Duration::from_secs(50)).await.unwrap();
        }
        assert_eq!(scene.till.executed(&scene.app, place, "20"), 1, "{place:?}");
        let again = e2e::kill::send(router(), &call).await;
        assert!(matches!(again.status, 202 | 504), "{place:?}: {again:?}");
        assert_ne!(again.text("/data/state"), "COMPLETED", "{place:?}: {again:?}");
        // The exchange has seen a higher nonce, so it refuses these bytes whenever they arrive.
        // The service states it when no ledger can still lag.
        let mut state = again;
        for _ in 0..8 {
            scene.app.clock.advance_ms(62_000);
            state = scene.till.state(&scene.app, place, &id).await;
        }
        assert_eq!(state.text("/data/state"), "REFUSED", "{place:?}: {state:?}");
        assert_eq!(scene.till.executed(&scene.app, place, "20"), 1, "{place:?}");
    }
}

/// Aster refuses the nonce of the only request: the withdrawal ends, once the history had time to show
/// it.
#[tokio::test(flavor = "multi_thread")]
async fn withdrawal_with_a_refused_nonce_ends() {
    let scene = Scene::open().await;
    let refused = Fault::Status(400, r#"{"code":-4225,"msg":"Nonce Expired"}"#.into());
    scene.app.stack.aster_sim.fail_next("withdraw", refused);
    let first = scene.till.pay(&scene.app, Place::Aster, "late", "20").await;
    assert_eq!((first.status, first.text("/code")), (504, "PAYMENT_UNKNOWN"), "{first:?}");
    let (status, code) = settled(&scene, Place::Aster, "late", "20").await;
    assert_eq!((status, code.as_str()), (422, "NONCE_EXPIRED"));
    assert_eq!(scene.till.executed(&scene.app, Place::Aster, "20"), 0);
}
