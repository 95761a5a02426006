//! Attacks by a compromised endpoint function that probes the bits of the cosigner's correlation,
//! one with each tampered message, over several cosigner processes. All 256 bits would give it the
//! cosigner's half of the key.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests report what they measure")]

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::random::Random;
use e2e::leak::{
    Attempt, Begin, Endpoint, Observation, Party, Scene, alternating, bits_learned, summary,
};
use e2e::proxy::{Arrival, Fate, Plan, Rendezvous, Side};
use protocol::{Call, SessionId, StartRefresh};
use shared::aws::LambdaClient;
use shared::mpc::{self, CosignerClient};

use super::{MAX_BITS, PARTY, refused, rows, sets};

/// Returns true if the call appends the record of an abort.
fn records_abort(arrival: Arrival<'_>) -> bool {
    arrival.name.ends_with("DynamoDB.TransactWriteItems")
        && String::from_utf8_lossy(arrival.body).contains("aborted")
}

/// What the attacker does to the cosigner's remote calls.
#[derive(Clone)]
struct Edge {
    /// The calls that wait for the same call of all other attempts.
    held: Vec<(&'static str, Rendezvous)>,
    /// Writes of the bar and of abort records are refused.
    no_bar: bool,
}

impl Edge {
    fn plan(&self) -> Plan {
        let Self { held, no_bar } = self.clone();
        Box::new(move |arrival| {
            if no_bar && (sets(arrival, "barred") || records_abort(arrival)) {
                return refused();
            }
            let rendezvous = held.iter().find(|(name, _)| arrival.name == *name);
            rendezvous.map_or(Fate::Pass, |(_, rendezvous)| Fate::Hold(rendezvous.clone()))
        })
    }
}

/// Prints how many bits were learned and compares them with the bound. The log must have every run
/// that reached a computation.
async fn assert_leak_bounded(scene: &Scene, attack: &str, seen: &[Observation]) {
    let bits = bits_learned(seen);
    println!("{attack}: {bits:.1} bits of {} attempts: {}", seen.len(), summary(seen));
    let entries = scene.entries().await;
    let known: BTreeSet<&str> =
        entries.iter().filter_map(|entry| entry["session"].as_str()).collect();
    let silent = seen
        .iter()
        .filter(|it| reached(&it.outcome) && !known.contains(hex::encode(it.session).as_str()))
        .count();
    println!("{attack}: {silent} computations without a record");
    // The attacker interprets outcomes correctly: a message passes if the bit is 0.
    for it in seen.iter().filter(|it| reached(&it.outcome)) {
        assert_eq!(!it.outcome.starts_with("answered"), it.bit, "{}", it.outcome);
    }
    if std::env::var_os("LEAK_REPORT").is_none() {
        assert!(bits < MAX_BITS, "{attack}: {bits:.1} bits: {}", summary(seen));
        assert_eq!(silent, 0, "{attack}: computations without a record");
    }
}

/// Returns true if the check was made.
fn reached(outcome: &str) -> bool {
    outcome.starts_with("answered") || outcome.contains("aborted")
}

/// Sends a tampered message for each row, all concurrently.
async fn burst(
    endpoint: &Arc<Endpoint>,
    begin: Begin,
    correlation: &[bool],
    rendezvous_points: &[Rendezvous],
    session: Option<SessionId>,
) -> Vec<Observation> {
    let probed_rows: Vec<usize> = alternating(correlation).into_iter().take(rows()).collect();
    let prepare = |row: usize| {
        let endpoint = endpoint.clone();
        tokio::task::spawn_blocking(move || endpoint.prepare_in(session, begin, Some(row)))
    };
    let ready = futures_util::future::join_all(probed_rows.iter().map(|row| prepare(*row))).await;
    let send = |process: usize, attempt: Attempt, bit: bool| {
        let (endpoint, rendezvous_points, session) =
            (endpoint.clone(), rendezvous_points.to_vec(), attempt.session);
        tokio::spawn(async move {
            let (outcome, _) = endpoint.send(process, attempt).await;
            rendezvous_points.iter().for_each(Rendezvous::leave);
            Observation { session, bit, outcome }
        })
    };
    let sent = ready.into_iter().zip(&probed_rows).enumerate();
    let sent = sent.map(|(nth, (attempt, row))| send(nth, attempt.unwrap(), correlation[*row]));
    let seen = futures_util::future::join_all(sent).await;
    seen.into_iter().map(Result::unwrap).collect()
}

fn urls(parties: &[Party]) -> Vec<String> {
    parties.iter().map(|party| party.url.clone()).collect()
}

/// Attacks one kind of call concurrently, with these calls held and with the bar's write refused or
/// not.
async fn burst_of(attack: &str, begin: Begin, held: &[&'static str], no_bar: bool) {
    let scene = Scene::start(PARTY).await;
    let held: Vec<_> = held.iter().map(|name| (*name, Rendezvous::of(rows()))).collect();
    let rendezvous_points: Vec<Rendezvous> =
        held.iter().map(|(_, rendezvous)| rendezvous.clone()).collect();
    let edge = Edge { held, no_bar };
    let (version, share) = match begin {
        Begin::Sign => (1, scene.own_share().await),
        Begin::Confirm => (2, untried(&scene).await),
    };
    let correlation = scene.cosigner_correlation(version).await;
    let parties = scene.cosigners(3, || edge.plan()).await;
    let endpoint = Arc::new(Endpoint::new(scene.key(version), share, &urls(&parties)));
    let seen = burst(&endpoint, begin, &correlation, &rendezvous_points, None).await;
    assert_leak_bounded(&scene, attack, &seen).await;
}

/// Returns party 1's half of new shares, made by an honest refresh that has not run their trial.
async fn untried(scene: &Scene) -> protocol::KeyShare {
    let cosigner =
        CosignerClient::new(LambdaClient::new(&scene.app.stack.aws()), "cosigner", "attacker");
    let (share, random) = (scene.own_share().await, Random::system());
    mpc::refresh(&cosigner, &random, &scene.key(1), 2, share).await.unwrap()
}

const DECRYPT: &str = "Cosigner.KMS.Decrypt";
const WRITE: &str = "Cosigner.DynamoDB.TransactWriteItems";

#[tokio::test(flavor = "multi_thread")]
async fn tampered_concurrent_signatures_leak_under_20_bits() {
    burst_of("concurrent StartSign, calls held", Begin::Sign, &[DECRYPT, WRITE], false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_signatures_without_bar_leak_under_20_bits() {
    burst_of("concurrent StartSign, bar's write refused", Begin::Sign, &[], true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_held_signatures_no_bar_leak_under_20_bits() {
    let attack = "concurrent StartSign, calls held, bar's write refused";
    burst_of(attack, Begin::Sign, &[DECRYPT], true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_concurrent_trials_leak_under_20_bits() {
    burst_of("concurrent StartConfirm, calls held", Begin::Confirm, &[DECRYPT], false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_trials_without_bar_leak_under_20_bits() {
    burst_of("concurrent StartConfirm, bar's write refused", Begin::Confirm, &[], true).await;
}

/// Shares in use accept no trial, because a trial would be another run that responds to tampered
/// messages.
#[tokio::test(flavor = "multi_thread")]
async fn tampered_trials_of_used_shares_leak_under_20_bits() {
    let scene = Scene::start(PARTY).await;
    let correlation = scene.cosigner_correlation(1).await;
    let edge = Edge { held: Vec::new(), no_bar: true };
    let parties = scene.cosigners(2, || edge.plan()).await;
    let (key, share) = (scene.key(1), scene.own_share().await);
    let endpoint = Arc::new(Endpoint::new(key, share, &urls(&parties)));
    let seen = burst(&endpoint, Begin::Confirm, &correlation, &[], None).await;
    assert_leak_bounded(&scene, "StartConfirm on the shares in use", &seen).await;
}

/// Checks that a session cannot be used for many runs.
#[tokio::test(flavor = "multi_thread")]
async fn tampered_signatures_one_session_leak_under_20_bits() {
    let scene = Scene::start(PARTY).await;
    let correlation = scene.cosigner_correlation(1).await;
    let rendezvous = Rendezvous::of(rows());
    let edge = Edge { held: vec![(DECRYPT, rendezvous.clone())], no_bar: true };
    let parties = scene.cosigners(3, || edge.plan()).await;
    let (key, share) = (scene.key(1), scene.own_share().await);
    let endpoint = Arc::new(Endpoint::new(key, share, &urls(&parties)));
    let session = Some([7; 32]);
    let seen = burst(&endpoint, Begin::Sign, &correlation, &[rendezvous], session).await;
    assert_leak_bounded(&scene, "concurrent StartSign in one session, bar's write refused", &seen)
        .await;
}

/// Finishes each run that passes, so that its slot is free again, and makes every kind of call
/// until none reaches a computation.
async fn attack_sequentially(attack: &str, no_bar: bool) {
    let scene = Scene::start(PARTY).await;
    let correlation = scene.cosigner_correlation(1).await;
    let edge = Edge { held: Vec::new(), no_bar };
    let parties = scene.cosigners(2, || edge.plan()).await;
    let (key, share) = (scene.key(1), scene.own_share().await);
    let endpoint = Endpoint::new(key.clone(), share, &urls(&parties));
    let (mut seen, mut refused_in_a_row) = (Vec::new(), 0);
    for (nth, row) in alternating(&correlation).into_iter().take(rows()).enumerate() {
        // Both kinds of call probe zeros and ones.
        let begin = if nth % 3 == 2 { Begin::Confirm } else { Begin::Sign };
        let attempt = endpoint.prepare(begin, Some(row));
        let session = attempt.session;
        let (mut outcome, passed) = endpoint.send(nth, attempt).await;
        if let Some(passed) = passed {
            outcome = format!("{outcome}, {}", endpoint.close(nth, passed).await);
        }
        refused_in_a_row =
            if reached(&outcome) || outcome == "failed" { 0 } else { refused_in_a_row + 1 };
        seen.push(Observation { session, bit: correlation[row], outcome });
        // An abandoned refresh must not free a slot either.
        if refused_in_a_row == 4 {
            let start = StartRefresh { to: 2, fragment: protocol::Scalar::ONE };
            let session = Random::system().bytes().unwrap();
            let outcome = endpoint.call(nth, session, Call::StartRefresh(start)).await;
            println!("{attack}: refresh: {:?}", outcome.map(|_| ()));
        }
        if refused_in_a_row == 9 {
            break;
        }
    }
    assert_leak_bounded(&scene, attack, &seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_sequential_signatures_leak_under_20_bits() {
    attack_sequentially("sequential, each passed run finished", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tampered_sequence_without_bar_leaks_under_20_bits() {
    attack_sequentially("sequential, each passed run finished, bar's write refused", true).await;
}

/// The attacker sees the write of the bar and kills the cosigner before it takes effect.
#[tokio::test(flavor = "multi_thread")]
async fn cosigner_killed_at_the_bar_leaks_under_20_bits() {
    let scene = Scene::start(PARTY).await;
    let correlation = scene.cosigner_correlation(1).await;
    let mut seen = Vec::new();
    let plan = || -> Plan {
        Box::new(
            |arrival| {
                if sets(arrival, "barred") { Fate::Die(Side::Before) } else { Fate::Pass }
            },
        )
    };
    let mut party = None;
    let attempts = rows().min(32);
    for row in alternating(&correlation).into_iter().take(attempts) {
        let running = match party.take() {
            Some(running) => running,
            None => scene.cosigners(1, plan).await.remove(0),
        };
        let urls = urls(std::slice::from_ref(&running));
        let endpoint = Endpoint::new(scene.key(1), scene.own_share().await, &urls);
        let attempt = endpoint.prepare(Begin::Sign, Some(row));
        let session = attempt.session;
        let (outcome, passed) = tokio::select! {
            biased;
            () = running.calls.died() => ("aborted, killed at the bar".to_owned(), None),
            answer = endpoint.send(0, attempt) => answer,
        };
        let outcome = match passed {
            Some(passed) => format!("{outcome}, {}", endpoint.close(0, passed).await),
            None => outcome,
        };
        seen.push(Observation { session, bit: correlation[row], outcome });
        if running.calls.is_dead() {
            running.kill().await;
        } else {
            party = Some(running);
        }
    }
    assert_leak_bounded(&scene, "killed before the bar is written", &seen).await;
}

/// A refresh makes new oblivious transfers and uses none of the old ones, so the response to a
/// tampered proof does not depend on the bit of its row.
#[tokio::test(flavor = "multi_thread")]
async fn tampered_refreshes_leak_nothing_of_used_shares() {
    let scene = Scene::start(PARTY).await;
    let correlation = scene.cosigner_correlation(1).await;
    let edge = Edge { held: Vec::new(), no_bar: true };
    let parties = scene.cosigners(2, || edge.plan()).await;
    let endpoint = Endpoint::new(scene.key(1), scene.own_share().await, &urls(&parties));
    let mut seen = Vec::new();
    for (nth, row) in alternating(&correlation).into_iter().take(6).enumerate() {
        let outcome = endpoint.tampered_refresh(nth, 2, row).await;
        seen.push(Observation { session: [0; 32], bit: correlation[row], outcome });
    }
    println!("tampered refreshes: {:.1} bits: {}", bits_learned(&seen), summary(&seen));
    assert!(seen.iter().all(|it| it.outcome != "refreshed"), "{}", summary(&seen));
    // Each outcome occurred for both zeros and ones.
    assert!(bits_learned(&seen) < 2.0, "{}", summary(&seen));
}
