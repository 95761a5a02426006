//! A compromised cosigner: its own Invoke API that has party 2's share, tampers with the first
//! message of each signature, and finishes each run that party 1 continues.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use dkls23_secp256k1::protocols::PartyIndex;
use dkls23_secp256k1::protocols::signing::{KeepPhase2to3, SignData, UniqueKeep2to3};
use protocol::{
    Answer, Call, Curve, FinishSign, KeyShare, Refusal, Request, SessionId, SignAnswered,
    SignShares, StartSign, WalletKey, party_1, sign_data,
};

use super::tamper;
use crate::proxy::Rendezvous;

/// A run that party 1 has opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The session of the run.
    pub session: SessionId,
    /// The tampered row.
    pub row: usize,
    /// The API request of the run.
    pub request_id: String,
    /// True if party 1 sent call 2.
    pub continued: bool,
}

struct Run {
    data: SignData,
    unique: UniqueKeep2to3<Curve>,
    pair: BTreeMap<PartyIndex, KeepPhase2to3<Curve>>,
}

struct Inner {
    share: KeyShare,
    rendezvous: Rendezvous,
    rows: Mutex<VecDeque<usize>>,
    runs: Mutex<HashMap<SessionId, Run>>,
    opened: Mutex<Vec<Opened>>,
}

/// The compromised cosigner. It runs until the test ends.
pub struct Cosigner {
    /// The URL of its Invoke API.
    pub url: String,
    inner: Arc<Inner>,
}

/// Omits the share.
impl std::fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cosigner({})", self.url)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::expect_used, reason = "a failing test panics")]
impl Cosigner {
    /// Tampers with these rows, one in each signature. The responses wait in `rendezvous`.
    pub async fn start(share: KeyShare, rows: Vec<usize>, rendezvous: Rendezvous) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let inner = Arc::new(Inner {
            share,
            rendezvous,
            rows: Mutex::new(rows.into()),
            runs: Mutex::default(),
            opened: Mutex::default(),
        });
        let route = "/2015-03-31/functions/{name}/invocations";
        let router = Router::new()
            .route(route, post(invoke))
            .layer(axum::extract::DefaultBodyLimit::max(6 << 20))
            .with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// Returns all runs in the order in which they were opened.
    #[must_use]
    pub fn opened(&self) -> Vec<Opened> {
        lock(&self.inner.opened).clone()
    }
}

async fn invoke(State(inner): State<Arc<Inner>>, payload: Bytes) -> String {
    let request = serde_json::from_slice::<String>(&payload).ok();
    let request = request.and_then(|text| Request::from_payload(&text).ok());
    let answer = match request {
        Some(Request { key, session, request_id, call: Call::StartSign(start), .. }) => {
            let answer = inner.start(&key, session, request_id, start);
            inner.rendezvous.wait().await;
            answer
        }
        Some(Request { session, call: Call::FinishSign(finish), .. }) => {
            inner.finish(session, finish)
        }
        _ => None,
    };
    answer.unwrap_or(Answer::Refused(Refusal::Malformed)).to_payload().to_string()
}

impl Inner {
    fn start(
        &self,
        key: &WalletKey,
        session: SessionId,
        request_id: String,
        start: StartSign,
    ) -> Option<Answer> {
        let data = sign_data(key, session, party_1(), start.intent.digest());
        let party = self.share.party();
        let (unique, mut kept, mut sent) = party.sign_phase1(&data).ok()?;
        let mut phase_1 = sent.remove(0);
        if let Some(row) = lock(&self.rows).pop_front() {
            let transcript = tamper(party, party_1(), &data, &mut phase_1, row);
            kept.get_mut(&party_1())?.mul_keep.ote_transcript = transcript;
            lock(&self.opened).push(Opened { session, row, request_id, continued: false });
        }
        let (unique, pair, mut sent) =
            party.sign_phase2(&data, unique, kept, &[start.message]).ok()?;
        lock(&self.runs).insert(session, Run { data, unique, pair });
        let kept = session.to_vec();
        Some(Answer::SignAnswered(SignAnswered { phase_1, phase_2: sent.remove(0), kept }))
    }

    fn finish(&self, session: SessionId, finish: FinishSign) -> Option<Answer> {
        for opened in lock(&self.opened).iter_mut().filter(|it| it.session == session) {
            opened.continued = true;
        }
        let Run { data, unique, pair } = lock(&self.runs).remove(&session)?;
        let party = self.share.party();
        let (_, message) = party.sign_phase3(&data, unique, pair, &[finish.message]).ok()?;
        Some(Answer::SignShares(SignShares { message }))
    }
}
