//! A call that has read a share may compute from it after the share was given up or discarded. The
//! slots of that share have to stay taken, or each new count would answer four more bent messages.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

use domain::random::Random;
use e2e::leak::{Begin, Endpoint, Scene};
use e2e::proxy::{Crowd, Fate, Plan};
use protocol::{Call, KeyShare, Scalar, StartRefresh};
use shared::aws::LambdaClient;
use shared::mpc::{self, CosignerClient};
use tokio::task::JoinHandle;

use super::PARTY;

/// Unclosed runs of one share version.
const MOST: usize = 4;

/// Bent messages at one cosigner process. Each has read the share, and waits for the share's key.
struct Batch {
    crowd: Crowd,
    told: Vec<JoinHandle<String>>,
}

impl Batch {
    async fn start(scene: &Scene, endpoint: &Endpoint, begin: Begin, rows: &[usize]) -> Self {
        // The test itself is one more, so that it decides when they resume.
        let crowd = Crowd::of(rows.len() + 1);
        let held = crowd.clone();
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
                let (told, _) = endpoint.send(0, attempt).await;
                drop(process);
                told
            })
        };
        let told = rows.iter().map(send).collect();
        crowd.held(rows.len()).await;
        Self { crowd, told }
    }

    /// Lets its calls resume, and returns how many messages were answered.
    async fn answered(self) -> usize {
        self.crowd.leave();
        let told = futures_util::future::join_all(self.told).await;
        told.into_iter().filter(|told| told.as_ref().unwrap() == "answered").count()
    }
}

/// So many batches of messages, each of which would pass the check.
async fn batches(scene: &Scene, endpoint: &Endpoint, begin: Begin, count: usize) -> Vec<Batch> {
    let bits = scene.their_correlation(endpoint.key.key_version).await;
    let zeros = bits.iter().enumerate().filter(|(_, bit)| !**bit);
    let rows: Vec<usize> = zeros.map(|(row, _)| row).collect();
    let mut all = Vec::new();
    for rows in rows.chunks(MOST).take(count) {
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
async fn share_that_is_given_up_answers_at_most_four_bent_messages() {
    let scene = Scene::start(PARTY).await;
    let endpoint = Endpoint::new(scene.key(1), scene.own_share().await, &[]);
    let share = refresh(&scene, 2).await;
    let (cosigner, random, new) = (cosigner(&scene), Random::system(), scene.key(2));
    mpc::confirm(&cosigner, &random, &new, &share).await.unwrap();
    let mut answered = 0;
    for batch in batches(&scene, &endpoint, Begin::Sign, 3).await {
        // The first one gives the share up, a later one finds that it is gone.
        for _ in 0..2 {
            mpc::retire(&cosigner, &random, &new).await.unwrap();
        }
        answered += batch.answered().await;
    }
    assert!(answered <= MOST, "{answered} of 12 messages were answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn share_whose_version_is_reused_answers_at_most_four_bent_messages() {
    let scene = Scene::start(PARTY).await;
    let endpoint = Endpoint::new(scene.key(2), refresh(&scene, 2).await, &[]);
    let owner = Endpoint::new(scene.key(1), scene.own_share().await, &[]);
    let owner = owner.through(&scene.app.stack.lambda);
    let mut answered = 0;
    for (batch, to) in batches(&scene, &endpoint, Begin::Confirm, 2).await.into_iter().zip(3..) {
        answered += batch.answered().await;
        // A refresh that is left alone discards version 2. No refresh makes this version again.
        let session = Random::system().bytes().unwrap();
        let start = StartRefresh { to, fragment: Scalar::ONE };
        owner.call(0, session, Call::StartRefresh(start)).await.unwrap();
        let (random, share) = (Random::system(), scene.own_share().await);
        let again = mpc::refresh(&cosigner(&scene), &random, &scene.key(1), 2, share).await;
        assert!(again.is_err(), "version 2 was made twice");
    }
    assert!(answered <= MOST, "{answered} of 8 messages were answered");
}
