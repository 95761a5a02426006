//! Refresh when a party cheats, and when its calls come late.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so and ends")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use domain::ids::Tenant;
use e2e::invariants;
use protocol::{Answer, Call, Request, Scalar};
use shared::wallets::{Custody, RefreshError, SignError};
use tokio::sync::Semaphore;

use super::attacks::Scene;

/// A place between the endpoint and the cosigner where messages are changed or held up.
struct Gate {
    upstream: String,
    app: Arc<Scene>,
    calls: AtomicUsize,
    /// Changes a request.
    request: fn(&mut Request),
    /// Changes an answer.
    answer: fn(&mut Answer),
    /// Holds the so-manieth call up, before or after it was made.
    hold: Option<(usize, bool)>,
    held: Semaphore,
    go: Semaphore,
}

async fn pass(State(gate): State<Arc<Gate>>, payload: Bytes) -> String {
    let nth = gate.calls.fetch_add(1, Ordering::SeqCst) + 1;
    let hold = async |side| {
        if gate.hold == Some((nth, side)) {
            gate.held.add_permits(1);
            gate.go.acquire().await.unwrap().forget();
        }
    };
    let text: String = serde_json::from_slice(&payload).unwrap();
    let Ok(mut request) = Request::from_payload(&text) else { panic!("a request") };
    (gate.request)(&mut request);
    hold(false).await;
    let app = &gate.app.app;
    let reply = app.send(app.request_to(&gate.upstream).body(request.to_payload())).await;
    let mut answer = Answer::from_payload(reply.body.to_string().as_bytes()).unwrap();
    (gate.answer)(&mut answer);
    hold(true).await;
    answer.to_payload().to_string()
}

/// Party 1 behind a gate.
async fn custody_behind(gate: &Arc<Gate>) -> Custody {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let route = "/2015-03-31/functions/cosigner/invocations";
    // A message of a refresh is larger than the router would take by itself.
    let limit = axum::extract::DefaultBodyLimit::disable();
    let router = Router::new().route(route, post(pass)).layer(limit).with_state(gate.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    gate.app.app.custody_through(&url)
}

fn gate(scene: &Arc<Scene>) -> Gate {
    let lambda = &scene.app.stack.lambda;
    Gate {
        upstream: format!("{lambda}/2015-03-31/functions/cosigner/invocations"),
        app: scene.clone(),
        calls: AtomicUsize::new(0),
        request: |_| {},
        answer: |_| {},
        hold: None,
        held: Semaphore::new(0),
        go: Semaphore::new(0),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_that_cheats_in_a_refresh_changes_nothing() {
    let scene = Arc::new(Scene::start().await);
    // Party 1: another polynomial than it proves; another proof than it committed to; other
    // transfers. Party 2: the same.
    let requests: [fn(&mut Request); 3] = [
        |request| {
            if let Call::StartRefresh(start) = &mut request.call {
                start.fragment += Scalar::ONE;
            }
        },
        |request| {
            if let Call::FinishRefresh(finish) = &mut request.call {
                finish.commitments.proof[0] ^= 1;
            }
        },
        |request| {
            if let Call::FinishRefresh(finish) = &mut request.call {
                finish.reveal.mul.seed[0] ^= 1;
            }
        },
    ];
    let answers: [fn(&mut Answer); 3] = [
        |answer| {
            if let Answer::RefreshCommitted(committed) = answer {
                committed.fragment += Scalar::ONE;
            }
        },
        |answer| {
            if let Answer::RefreshCommitted(committed) = answer {
                committed.commitments.proof[0] ^= 1;
            }
        },
        |answer| {
            if let Answer::RefreshRevealed(revealed) = answer {
                revealed.reveal.zero.seed[0] ^= 1;
            }
        },
    ];
    let gates = requests.map(|request| Gate { request, ..gate(&scene) }).into_iter();
    let gates = gates.chain(answers.map(|answer| Gate { answer, ..gate(&scene) }));
    for (nth, gate) in gates.enumerate() {
        let custody = custody_behind(&Arc::new(gate)).await;
        scene.app.clock.advance_ms(61_000);
        let refreshed = custody.refresh(&Tenant::local(), scene.id, None).await;
        let Err(RefreshError::Sign(SignError::Protocol(_))) = refreshed else {
            panic!("cheat {nth}: {refreshed:?}")
        };
        assert_eq!(
            invariants::view(&scene.app, "user_1").await.wallet.key_version,
            1,
            "cheat {nth}"
        );
        scene.signs().await;
    }
    scene.is_well().await;
}

/// A refresh that is held up for longer than its lease, at each of its calls, while another one
/// takes over: whatever the late one still does, the wallet signs and nothing is left over.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_was_overtaken_does_no_harm_when_it_goes_on() {
    let scene = Arc::new(Scene::start().await);
    for hold in [(1, false), (2, false), (3, false), (4, false), (4, true), (5, false), (5, true)] {
        let gate = Arc::new(Gate { hold: Some(hold), ..gate(&scene) });
        let custody = custody_behind(&gate).await;
        let id = scene.id;
        let late = tokio::spawn(async move { custody.refresh(&Tenant::local(), id, None).await });
        gate.held.acquire().await.unwrap().forget();
        scene.app.clock.advance_ms(61_000);
        // The first one may find a switch without an end, and the second one is a whole refresh.
        for _ in 0..2 {
            scene.refresh().await.unwrap();
            scene.signs().await;
        }
        gate.go.add_permits(1);
        let _ = late.await.unwrap();
        scene.is_well().await;
    }
}
