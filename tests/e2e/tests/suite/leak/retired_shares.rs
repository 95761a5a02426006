//! A call that has read a share may compute with it after the share was retired or discarded. The
//! slots of that share must stay taken, because each new count would allow four more tampered
//! messages.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use domain::random::Random;
use e2e::leak::{Begin, Endpoint, Scene};
use e2e::proxy::{Fate, Plan, Rendezvous};
use protocol::{Call, KeyShare, Scalar, StartRefresh};
use shared::aws::LambdaClient;
use shared::mpc::{self, CosignerClient};
use tokio::task::JoinHandle;

use super::PARTY;

/// The maximum number of unclosed runs of one share version.
const MAX_UNCLOSED: usize = 4;

/// Tampered messages at one cosigner process. Each call has read the share and waits for the
/// share's key.
struct Batch {
    rendezvous: Rendezvous,
    outcome: Vec<JoinHandle<String>>,
}

impl Batch {
    async fn start(scene: &Scene, endpoint: &Endpoint, begin: Begin, rows: &[usize]) -> Self {
        // The test itself counts as one more attempt, so it decides when the calls resume.
        let rendezvous = Rendezvous::of(rows.len() + 1);
        let held = rendezvous.clone();
        let plan: Plan = Box::new(move |arrival| match arrival.name {
            "Cosigner.KMS.Decrypt" => Fate::Hold(held.clone()),
            _ => Fate::Pass,
        });
        let process = scene.proxy.process_with(plan);
        let send = |row: &usize| {
            let (process, row) = (process.clone(), *row);
            let endpoint = endpoint.through(&process.endpoints().lambda);
            tokio::spawn(async move {
                let attempt = endpoint.prepare(begin, Some(row));
                let (outcome, _) = endpoint.send(0, attempt).await;
                drop(process);
                outcome
            })
        };
        let outcome = rows.iter().map(send).collect();
        rendezvous.held(rows.len()).await;
        Self { rendezvous, outcome }
    }

    /// Lets the calls resume and returns how many messages were answered.
    async fn answered(self) -> usize {
        self.rendezvous.leave();
        let outcome = futures_util::future::join_all(self.outcome).await;
        outcome.into_iter().filter(|outcome| outcome.as_ref().unwrap() == "answered").count()
    }
}

/// Starts this many batches of messages, each of which would pass the check.
async fn batches(scene: &Scene, endpoint: &Endpoint, begin: Begin, count: usize) -> Vec<Batch> {
    let bits = scene.cosigner_correlation(endpoint.key.key_version).await;
    let zeros = bits.iter().enumerate().filter(|(_, bit)| !**bit);
    let rows: Vec<usize> = zeros.map(|(row, _)| row).collect();
    let mut all = Vec::new();
    for rows in rows.chunks(MAX_UNCLOSED).take(count) {
        all.push(Batch::start(scene, endpoint, begin, rows).await);
    }
    all
}

fn cosigner(scene: &Scene) -> CosignerClient {
    CosignerClient::new(LambdaClient::new(&scene.app.stack.aws()), "cosigner", "attacker")
}

async fn refresh(scene: &Scene, to: u32) -> KeyShare {
    let (random, share) = (Random::system(), scene.own_share().await);
    mpc::refresh(&cosigner(scene), &random, &scene.key(1), to, share).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn retired_share_answers_four_tampered_messages() {
    let scene = Scene::start(PARTY).await;
    let endpoint = Endpoint::new(scene.key(1), scene.own_share().await, &[]);
    let share = refresh(&scene, 2).await;
    let (cosigner, random, new) = (cosigner(&scene), Random::system(), scene.key(2));
    mpc::confirm(&cosigner, &random, &new, &share).await.unwrap();
    let mut answered = 0;
    for batch in batches(&scene, &endpoint, Begin::Sign, 3).await {
        // The first call retires the share, and the second one finds that it is gone.
        for _ in 0..2 {
            mpc::retire(&cosigner, &random, &new).await.unwrap();
        }
        answered += batch.answered().await;
    }
    assert!(answered <= MAX_UNCLOSED, "{answered} of 12 messages were answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn discarded_share_answers_four_tampered_messages() {
    let scene = Scene::start(PARTY).await;
    let endpoint = Endpoint::new(scene.key(2), refresh(&scene, 2).await, &[]);
    let owner = Endpoint::new(scene.key(1), scene.own_share().await, &[]);
    let owner = owner.through(&scene.app.stack.lambda);
    let mut answered = 0;
    for (batch, to) in batches(&scene, &endpoint, Begin::Confirm, 2).await.into_iter().zip(3..) {
        answered += batch.answered().await;
        // An abandoned refresh discards version 2. No later refresh makes this version again.
        let session = Random::system().bytes().unwrap();
        let start = StartRefresh { to, fragment: Scalar::ONE };
        owner.call(0, session, Call::StartRefresh(start)).await.unwrap();
        let (random, share) = (Random::system(), scene.own_share().await);
        let again = mpc::refresh(&cosigner(&scene), &random, &scene.key(1), 2, share).await;
        assert!(again.is_err(), "version 2 was made twice");
    }
    assert!(answered <= MAX_UNCLOSED, "{answered} of 8 messages were answered");
}
