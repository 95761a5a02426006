//! Tests the two-party protocol with a peer that cheats, replays messages or fails. Each attempt is
//! refused with a typed error, and nothing is signed.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use domain::ids::{Tenant, WalletRef};
use domain::intent::{Intent, PersonalMessage};
use e2e::TestApp;
use e2e::attacker::{Attacker, Opened, find, refusal};
use protocol::{
    Answer, Call, FinishSign, OnceKey, PROTOCOL, Refusal, Request, SessionId, StartSign, WalletKey,
    party_2, sign_data,
};
use serde_json::json;
use shared::mpc::{CosignerError, ProtocolError};
use shared::wallets::{Custody, SignError};
use uuid::Uuid;

fn intent(text: &str) -> Intent {
    Intent::PersonalMessage(PersonalMessage::parse(text).unwrap())
}

async fn open(attacker: &Attacker, session: SessionId, text: &str) -> Opened {
    attacker.open(session, &intent(text)).await.unwrap()
}

/// Copies a message that the attacker has sent.
fn copy(message: &FinishSign) -> FinishSign {
    postcard::from_bytes(&postcard::to_stdvec(message).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn second_call_repeated_is_refused() {
    let attacker = Attacker::new().await;
    let opened = open(&attacker, [1; 32], "once").await;
    assert_eq!(attacker.finish(opened.session, copy(&opened.phase_2)).await, Ok(()));
    let replayed = attacker.finish(opened.session, copy(&opened.phase_2)).await;
    assert_eq!(replayed, Err(Refusal::NoSession));
    attacker.still_signs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_second_calls_get_one_answer() {
    let attacker = Attacker::new().await;
    let opened = open(&attacker, [2; 32], "race").await;
    let (first, second) = tokio::join!(
        attacker.finish(opened.session, copy(&opened.phase_2)),
        attacker.finish(opened.session, copy(&opened.phase_2)),
    );
    let refused = Err(Refusal::NoSession);
    assert!(first.is_ok() != second.is_ok() && (first == refused || second == refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_another_session_or_wallet_are_refused() {
    let attacker = Attacker::new().await;
    let first = open(&attacker, [3; 32], "first").await;
    let second = open(&attacker, [4; 32], "second").await;
    let mut swapped = copy(&second.phase_2);
    swapped.kept.clone_from(&first.phase_2.kept);
    let swapped = attacker.finish(first.session, swapped).await;
    assert!(matches!(swapped, Err(Refusal::Aborted(_))), "{swapped:?}");
    // The attempt used up the session.
    assert_eq!(attacker.finish(first.session, first.phase_2).await, Err(Refusal::NoSession));

    let other = WalletKey { wallet_id: Uuid::from_bytes([9; 16]), ..attacker.key.clone() };
    let call = Call::FinishSign(copy(&second.phase_2));
    let answer = attacker.cosigner.call(&other, second.session, call).await;
    assert_eq!(refusal(answer), Err(Refusal::NoSession));
    let tenant = WalletKey { tenant: "other".parse().unwrap(), ..attacker.key.clone() };
    let call = Call::FinishSign(copy(&second.phase_2));
    let answer = attacker.cosigner.call(&tenant, second.session, call).await;
    assert_eq!(refusal(answer), Err(Refusal::NoSession));
    assert_eq!(attacker.finish(second.session, second.phase_2).await, Ok(()));
    attacker.still_signs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn first_call_for_an_unknown_key_is_refused() {
    let attacker = Attacker::new().await;
    let data = sign_data(&attacker.key, [5; 32], party_2(), intent("x").digest());
    for key in [
        WalletKey { tenant: "other".parse().unwrap(), ..attacker.key.clone() },
        WalletKey { wallet_id: Uuid::from_bytes([9; 16]), ..attacker.key.clone() },
        WalletKey { key_version: 2, ..attacker.key.clone() },
    ] {
        let (_, _, mut phase_1) = attacker.share.party().sign_phase1(&data).unwrap();
        let start = StartSign { intent: intent("x"), message: phase_1.remove(0) };
        let answer = attacker.cosigner.call(&key, [5; 32], Call::StartSign(start)).await;
        assert_eq!(refusal(answer), Err(Refusal::UnknownKey), "{key}");
    }
}

/// Call 1 fixes what call 2 signs. A message for another digest does not match.
#[tokio::test(flavor = "multi_thread")]
async fn intent_changed_after_the_first_call_is_refused() {
    let attacker = Attacker::new().await;
    let session = [6; 32];
    let data = sign_data(&attacker.key, session, party_2(), intent("harmless").digest());
    let (unique, kept, mut phase_1) = attacker.share.party().sign_phase1(&data).unwrap();
    // The digest of phase 1 is not the digest of the intent.
    let start = StartSign { intent: intent("other"), message: phase_1.remove(0) };
    let answer = attacker.cosigner.call(&attacker.key, session, Call::StartSign(start)).await;
    let refused = refusal(answer);
    assert!(matches!(refused, Err(Refusal::Aborted(_))), "{refused:?}");
    drop((unique, kept));
    attacker.still_signs().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_or_reopened_session_is_refused() {
    let attacker = Attacker::new().await;
    let opened = open(&attacker, [7; 32], "slow").await;
    attacker.app.clock.advance_ms(31_000);
    assert_eq!(attacker.finish(opened.session, opened.phase_2).await, Err(Refusal::NoSession));

    let opened = open(&attacker, [8; 32], "first").await;
    let data = sign_data(&attacker.key, [8; 32], party_2(), intent("again").digest());
    let (_, _, mut phase_1) = attacker.share.party().sign_phase1(&data).unwrap();
    let start = StartSign { intent: intent("again"), message: phase_1.remove(0) };
    let answer = attacker.cosigner.call(&attacker.key, [8; 32], Call::StartSign(start)).await;
    assert_eq!(refusal(answer), Err(Refusal::NoSession));
    assert_eq!(attacker.finish(opened.session, opened.phase_2).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_and_foreign_bytes_are_malformed() {
    let attacker = Attacker::new().await;
    let opened = open(&attacker, [10; 32], "bytes").await;
    let request = Request {
        protocol: PROTOCOL,
        key: attacker.key.clone(),
        session: opened.session,
        request_id: String::new(),
        caller: String::new(),
        call: Call::FinishSign(copy(&opened.phase_2)),
    };
    let payload = String::from_utf8(request.to_payload()).unwrap();
    let text = payload.trim_matches('"');
    let future = Request { protocol: PROTOCOL + 1, ..request };
    let future = String::from_utf8(future.to_payload()).unwrap();
    let longer = format!("{text}AAAA");
    for bad in [
        "",
        "AAAA",
        "no base64!",
        &text[..text.len() / 2 / 4 * 4],
        &longer,
        future.trim_matches('"'),
    ] {
        assert!(matches!(Request::from_payload(bad), Err(Refusal::Malformed)), "{}", bad.len());
    }
    let url = format!("{}/2015-03-31/functions/cosigner/invocations", attacker.app.stack.lambda);
    for bad in [json!("AAAA").to_string(), json!(&text[..400]).to_string()] {
        let reply = attacker.app.send(attacker.app.request_to(&url).body(bad)).await;
        let answer = Answer::from_payload(reply.body.to_string().as_bytes());
        assert!(matches!(answer, Some(Answer::Refused(Refusal::Malformed))));
    }
    // None of this affects the session.
    assert_eq!(attacker.finish(opened.session, opened.phase_2).await, Ok(()));
}

/// Party 1 stores the cosigner's sealed state. It can neither alter that state nor use another
/// session's: the attempt ends the session.
#[tokio::test(flavor = "multi_thread")]
async fn altered_cosigner_state_ends_the_session() {
    let attacker = Attacker::new().await;
    let other = open(&attacker, [20; 32], "other").await;
    let opened = open(&attacker, [24; 32], "another's").await;
    let mut swapped = copy(&opened.phase_2);
    swapped.kept.clone_from(&other.phase_2.kept);
    assert_eq!(attacker.finish(opened.session, swapped).await, Err(Refusal::NoSession));
    assert_eq!(attacker.finish(other.session, other.phase_2).await, Ok(()));
    for (session, corrupt) in [
        (21, (|kept: &mut Vec<u8>| kept[100] ^= 1) as fn(&mut Vec<u8>)),
        (22, Vec::clear),
        (23, |kept| kept.truncate(1_000)),
    ] {
        let opened = open(&attacker, [session; 32], "kept").await;
        let mut corrupted = copy(&opened.phase_2);
        corrupt(&mut corrupted.kept);
        let refused = attacker.finish(opened.session, corrupted).await;
        assert_eq!(refused, Err(Refusal::NoSession));
        assert_eq!(attacker.finish(opened.session, opened.phase_2).await, Err(Refusal::NoSession));
    }
    // Each of the four runs used up a session slot, so the wallet signs with new shares.
    attacker.still_signs().await;
}

/// Each attempt with an inconsistent multiplication leaks a bit of shared state. The authors of the
/// protocol require that such a peer gets no second attempt.
#[tokio::test(flavor = "multi_thread")]
async fn cheating_in_the_multiplication_bars_the_key() {
    let attacker = Attacker::new().await;
    let opened = open(&attacker, [11; 32], "cheat").await;
    let mut cheat = copy(&opened.phase_2);
    cheat.message.gamma_u = cheat.message.gamma_v;
    let refused = attacker.finish(opened.session, cheat).await;
    assert!(matches!(refused, Err(Refusal::Aborted(_))), "{refused:?}");
    let reply = attacker.app.sign("victim").await;
    assert_eq!((reply.status, reply.text("/code")), (422, "WALLET_FROZEN"), "{reply:?}");
}

/// A compromised cosigner: a server between the endpoint and the honest cosigner that changes the
/// answers.
#[derive(Clone)]
struct Tamper {
    upstream: String,
    change: Arc<Mutex<dyn FnMut(Answer) -> Answer + Send>>,
    http: Arc<TestApp>,
}

async fn tamper(State(tamper): State<Tamper>, payload: Bytes) -> String {
    let app = &tamper.http;
    let reply = app.send(app.request_to(&tamper.upstream).body(payload)).await;
    let answer = Answer::from_payload(reply.body.to_string().as_bytes()).unwrap();
    let changed = (tamper.change.lock().unwrap())(answer);
    changed.to_payload().to_string()
}

async fn custody_behind(
    app: &Arc<TestApp>,
    change: impl FnMut(Answer) -> Answer + Send + 'static,
) -> Custody {
    let route = "/2015-03-31/functions/cosigner/invocations";
    let state = Tamper {
        upstream: format!("{}{route}", app.stack.lambda),
        change: Arc::new(Mutex::new(change)),
        http: app.clone(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route(route, post(tamper)).with_state(state);
    tokio::spawn(async move { axum::serve(listener, router).await });
    app.custody_through(&url)
}

async fn signs(custody: &Custody, user: &str) -> Result<(), SignError> {
    let message = PersonalMessage::parse("hello").unwrap();
    let name: WalletRef = user.parse().unwrap();
    custody.sign_message(&Tenant::local(), &name, &message).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn altered_cosigner_half_makes_no_signature() {
    let app = Arc::new(TestApp::start().await);
    app.create_wallet("user_1").await;
    let custody = custody_behind(&app, |answer| match answer {
        Answer::SignShares(mut shares) => {
            shares.message.u = shares.message.w;
            Answer::SignShares(shares)
        }
        other => other,
    })
    .await;
    let failed = signs(&custody, "user_1").await;
    assert!(matches!(failed, Err(SignError::Protocol(ProtocolError::Aborted { ban: false, .. }))));
    // The attempt does not affect the honest cosigner.
    assert_eq!(app.sign("user_1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn cosigner_cheating_in_multiplication_freezes_wallet() {
    let app = Arc::new(TestApp::start().await);
    app.create_wallet("user_1").await;
    let custody = custody_behind(&app, |answer| match answer {
        Answer::SignAnswered(mut answered) => {
            answered.phase_2.gamma_u = answered.phase_2.gamma_v;
            Answer::SignAnswered(answered)
        }
        other => other,
    })
    .await;
    let failed = signs(&custody, "user_1").await;
    assert!(matches!(failed, Err(SignError::Protocol(ProtocolError::Aborted { ban: true, .. }))));
    assert!(find(&app, "user_1").await.wallet.frozen);
    let reply = app.sign("user_1").await;
    assert_eq!((reply.status, reply.text("/code")), (422, "WALLET_FROZEN"));
    assert_eq!(app.register("aster", "user_1").await.text("/code"), "WALLET_FROZEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_of_another_call_is_refused() {
    let app = Arc::new(TestApp::start().await);
    app.create_wallet("user_1").await;
    let mut kept: Option<String> = None;
    // Returns the answer of the first call to the second call too.
    let custody = custody_behind(&app, move |answer| {
        let payload = kept.get_or_insert_with(|| answer.to_payload().to_string());
        Answer::from_payload(payload.as_bytes()).unwrap()
    })
    .await;
    let failed = signs(&custody, "user_1").await;
    assert!(matches!(
        failed,
        Err(SignError::Protocol(ProtocolError::Cosigner(CosignerError::Nonsense)))
    ));
}

/// Sealed reveals of an earlier run, and the key that opens them.
type Known = (Vec<u8>, OnceKey);

#[tokio::test(flavor = "multi_thread")]
async fn cosigner_cheating_in_keygen_creates_no_wallet() {
    let app = Arc::new(TestApp::start().await);
    let known: Arc<Mutex<Option<Known>>> = Arc::default();
    // Records the reveals of an honest run for use in later runs.
    let (sealed, seen) = (Mutex::new(Vec::new()), known.clone());
    let custody = custody_behind(&app, move |answer| {
        match &answer {
            Answer::KeygenCommitted(it) => sealed.lock().unwrap().clone_from(&it.reveal),
            Answer::KeygenRevealed(it) => {
                let key = OnceKey::from_bytes(it.key.expose()).unwrap();
                *seen.lock().unwrap() = Some((sealed.lock().unwrap().clone(), key));
            }
            _ => {}
        }
        answer
    })
    .await;
    let user = domain::ids::UserId::for_creation("user_0").unwrap();
    custody.create(&Tenant::local().into(), &user).await.unwrap();

    for cheat in ["commitment", "reveal", "key", "stored"] {
        let (old, key) = known
            .lock()
            .unwrap()
            .as_ref()
            .map(|(sealed, key)| (sealed.clone(), OnceKey::from_bytes(key.expose()).unwrap()))
            .unwrap();
        let custody = custody_behind(&app, move |answer| match answer {
            // A commitment that does not match the reveal, or a reveal that does not match the
            // commitment.
            Answer::KeygenCommitted(mut committed) if cheat == "commitment" => {
                committed.commitments.proof[0] ^= 1;
                Answer::KeygenCommitted(committed)
            }
            Answer::KeygenCommitted(mut committed) if cheat == "reveal" => {
                committed.reveal.clone_from(&old);
                Answer::KeygenCommitted(committed)
            }
            Answer::KeygenRevealed(mut revealed) if matches!(cheat, "reveal" | "key") => {
                revealed.key = OnceKey::from_bytes(key.expose()).unwrap();
                Answer::KeygenRevealed(revealed)
            }
            Answer::KeygenStored if cheat == "stored" => Answer::Retired,
            other => other,
        })
        .await;
        let user = domain::ids::UserId::for_creation("user_1").unwrap();
        let made = custody.create(&Tenant::local().into(), &user).await;
        assert!(made.is_err(), "{cheat}");
        assert_eq!(app.get("/api/wallets/user_1").await.status, 404);
    }
    assert_eq!(app.create_wallet("user_1").await.status, 201);
}
