//! Tests refreshes with a cheating party, and refreshes with delayed calls.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

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

/// A proxy between the endpoint and the cosigner that changes or delays messages.
struct Interceptor {
    upstream: String,
    app: Arc<Scene>,
    calls: AtomicUsize,
    /// Changes a request.
    request: fn(&mut Request),
    /// Changes an answer.
    answer: fn(&mut Answer),
    /// Delays the nth call, before (false) or after (true) it is forwarded.
    hold: Option<(usize, bool)>,
    held: Semaphore,
    release: Semaphore,
}

async fn pass(State(interceptor): State<Arc<Interceptor>>, payload: Bytes) -> String {
    let nth = interceptor.calls.fetch_add(1, Ordering::SeqCst) + 1;
    let hold = async |side| {
        if interceptor.hold == Some((nth, side)) {
            interceptor.held.add_permits(1);
            interceptor.release.acquire().await.unwrap().forget();
        }
    };
    let text: String = serde_json::from_slice(&payload).unwrap();
    let Ok(mut request) = Request::from_payload(&text) else { panic!("expected a request") };
    (interceptor.request)(&mut request);
    hold(false).await;
    let app = &interceptor.app.app;
    let reply = app.send(app.request_to(&interceptor.upstream).body(request.to_payload())).await;
    let mut answer = Answer::from_payload(reply.body.to_string().as_bytes()).unwrap();
    (interceptor.answer)(&mut answer);
    hold(true).await;
    answer.to_payload().to_string()
}

/// Returns party 1 with a cosigner behind the proxy.
async fn custody_behind(interceptor: &Arc<Interceptor>) -> Custody {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let route = "/2015-03-31/functions/cosigner/invocations";
    // Messages of a refresh exceed the router's default limit.
    let limit = axum::extract::DefaultBodyLimit::disable();
    let router =
        Router::new().route(route, post(pass)).layer(limit).with_state(interceptor.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    interceptor.app.app.custody_through(&url)
}

fn interceptor(scene: &Arc<Scene>) -> Interceptor {
    let lambda = &scene.app.stack.lambda;
    Interceptor {
        upstream: format!("{lambda}/2015-03-31/functions/cosigner/invocations"),
        app: scene.clone(),
        calls: AtomicUsize::new(0),
        request: |_| {},
        answer: |_| {},
        hold: None,
        held: Semaphore::new(0),
        release: Semaphore::new(0),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cheating_in_a_refresh_changes_nothing() {
    let scene = Arc::new(Scene::start().await);
    // Each party uses another polynomial than it proves, another proof than it committed to, or
    // other transfers.
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
    let interceptors =
        requests.map(|request| Interceptor { request, ..interceptor(&scene) }).into_iter();
    let interceptors =
        interceptors.chain(answers.map(|answer| Interceptor { answer, ..interceptor(&scene) }));
    for (nth, interceptor) in interceptors.enumerate() {
        let custody = custody_behind(&Arc::new(interceptor)).await;
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
    scene.assert_works().await;
}

/// Delays a refresh beyond its lease at each of its calls, while another one takes over. Whatever
/// the late one does, the wallet signs and nothing is left over.
#[tokio::test(flavor = "multi_thread")]
async fn delayed_refresh_after_takeover_is_harmless() {
    let scene = Arc::new(Scene::start().await);
    for hold in [(1, false), (2, false), (3, false), (4, false), (4, true), (5, false), (5, true)] {
        let interceptor = Arc::new(Interceptor { hold: Some(hold), ..interceptor(&scene) });
        let custody = custody_behind(&interceptor).await;
        let id = scene.id;
        let late = tokio::spawn(async move { custody.refresh(&Tenant::local(), id, None).await });
        interceptor.held.acquire().await.unwrap().forget();
        scene.app.clock.advance_ms(61_000);
        // The first refresh may only finish an interrupted switch. The second one is a complete
        // refresh.
        for _ in 0..2 {
            scene.refresh().await.unwrap();
            scene.signs().await;
        }
        interceptor.release.add_permits(1);
        let _ = late.await.unwrap();
        scene.assert_works().await;
    }
}
