//! A compromised endpoint function that asks for the bits of the cosigner's correlation, one with
//! each bent message, over several cosigner processes. With all 256 bits it would have the
//! cosigner's half of the key.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it found")]

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::random::Random;
use e2e::leak::{Attempt, Begin, Endpoint, Party, Scene, Seen, alternating, bits_learned, summary};
use e2e::proxy::{Arrival, Crowd, Fate, Plan, Side};
use protocol::{Call, SessionId, StartRefresh};
use shared::aws::LambdaClient;
use shared::mpc::{self, CosignerClient};

use super::{MOST_BITS, PARTY, refused, rows, sets};

/// Whether a call appends the record of an abort.
fn records_abort(arrival: Arrival<'_>) -> bool {
    arrival.name.ends_with("DynamoDB.TransactWriteItems")
        && String::from_utf8_lossy(arrival.body).contains("aborted")
}

/// What the attacker does to the cosigner's remote calls.
#[derive(Clone)]
struct Edge {
    /// Where a call waits for those of all other attempts, and with which.
    held: Vec<(&'static str, Crowd)>,
    /// Neither the bar nor the record of an abort can be written.
    no_bar: bool,
}

impl Edge {
    fn plan(&self) -> Plan {
        let Self { held, no_bar } = self.clone();
        Box::new(move |arrival| {
            if no_bar && (sets(arrival, "barred") || records_abort(arrival)) {
                return refused();
            }
            let crowd = held.iter().find(|(name, _)| arrival.name == *name);
            crowd.map_or(Fate::Pass, |(_, crowd)| Fate::Hold(crowd.clone()))
        })
    }
}

/// Says what was learned, and holds it against the bound. Every run that reached a computation is
/// in the log.
async fn judge(scene: &Scene, attack: &str, seen: &[Seen]) {
    let bits = bits_learned(seen);
    println!("{attack}: {bits:.1} bits of {} attempts: {}", seen.len(), summary(seen));
    let entries = scene.entries().await;
    let known: BTreeSet<&str> =
        entries.iter().filter_map(|entry| entry["session"].as_str()).collect();
    let silent = seen
        .iter()
        .filter(|it| reached(&it.told) && !known.contains(hex::encode(it.session).as_str()))
        .count();
    println!("{attack}: {silent} computations without a record");
    // The attacker reads them right: a message passes where the bit is 0.
    for it in seen.iter().filter(|it| reached(&it.told)) {
        assert_eq!(!it.told.starts_with("answered"), it.bit, "{}", it.told);
    }
    if std::env::var_os("LEAK_REPORT").is_none() {
        assert!(bits < MOST_BITS, "{attack}: {bits:.1} bits: {}", summary(seen));
        assert_eq!(silent, 0, "{attack}: computations without a record");
    }
}

/// Whether the check was made.
fn reached(told: &str) -> bool {
    told.starts_with("answered") || told.contains("aborted")
}

/// One bent message for each row, all at once.
async fn burst(
    endpoint: &Arc<Endpoint>,
    begin: Begin,
    correlation: &[bool],
    crowds: &[Crowd],
    session: Option<SessionId>,
) -> Vec<Seen> {
    let asked: Vec<usize> = alternating(correlation).into_iter().take(rows()).collect();
    let prepare = |row: usize| {
        let endpoint = endpoint.clone();
        tokio::task::spawn_blocking(move || endpoint.prepare_in(session, begin, Some(row)))
    };
    let ready = futures_util::future::join_all(asked.iter().map(|row| prepare(*row))).await;
    let send = |process: usize, attempt: Attempt, bit: bool| {
        let (endpoint, crowds, session) = (endpoint.clone(), crowds.to_vec(), attempt.session);
        tokio::spawn(async move {
            let (told, _) = endpoint.send(process, attempt).await;
            crowds.iter().for_each(Crowd::leave);
            Seen { session, bit, told }
        })
    };
    let sent = ready.into_iter().zip(&asked).enumerate();
    let sent = sent.map(|(nth, (attempt, row))| send(nth, attempt.unwrap(), correlation[*row]));
    let seen = futures_util::future::join_all(sent).await;
    seen.into_iter().map(Result::unwrap).collect()
}

fn urls(parties: &[Party]) -> Vec<String> {
    parties.iter().map(|party| party.url.clone()).collect()
}

/// A burst against one kind of call, with these calls held, and the bar's write refused or not.
async fn burst_of(attack: &str, begin: Begin, held: &[&'static str], no_bar: bool) {
    let scene = Scene::start(PARTY).await;
    let held: Vec<_> = held.iter().map(|name| (*name, Crowd::of(rows()))).collect();
    let crowds: Vec<Crowd> = held.iter().map(|(_, crowd)| crowd.clone()).collect();
    let edge = Edge { held, no_bar };
    let (version, share) = match begin {
        Begin::Sign => (1, scene.own_share().await),
        Begin::Confirm => (2, untried(&scene).await),
    };
    let correlation = scene.their_correlation(version).await;
    let parties = scene.cosigners(3, || edge.plan()).await;
    let endpoint = Arc::new(Endpoint::new(scene.key(version), share, &urls(&parties)));
    let seen = burst(&endpoint, begin, &correlation, &crowds, None).await;
    judge(&scene, attack, &seen).await;
}

/// Party 1's half of new shares, made by an honest refresh that has not tried them.
async fn untried(scene: &Scene) -> protocol::KeyShare {
    let cosigner =
        CosignerClient::new(LambdaClient::new(&scene.app.stack.aws()), "cosigner", "attacker");
    let (share, random) = (scene.own_share().await, Random::system());
    mpc::refresh(&cosigner, &random, &scene.key(1), 2, share).await.unwrap()
}

const DECRYPT: &str = "Cosigner.KMS.Decrypt";
const WRITE: &str = "Cosigner.DynamoDB.TransactWriteItems";

#[tokio::test(flavor = "multi_thread")]
async fn bent_signatures_at_once_leak_under_20_bits() {
    burst_of("StartSign at once, calls held", Begin::Sign, &[DECRYPT, WRITE], false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bent_signatures_without_a_bar_leak_under_20_bits() {
    burst_of("StartSign at once, bar's write refused", Begin::Sign, &[], true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bent_signatures_held_without_a_bar_leak_under_20_bits() {
    let attack = "StartSign at once, calls held, bar's write refused";
    burst_of(attack, Begin::Sign, &[DECRYPT], true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bent_trials_at_once_leak_under_20_bits() {
    burst_of("StartConfirm at once, calls held", Begin::Confirm, &[DECRYPT], false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bent_trials_without_a_bar_leak_under_20_bits() {
    burst_of("StartConfirm at once, bar's write refused", Begin::Confirm, &[], true).await;
}

/// Shares in use take no trial: it would be one more run that answers bent messages.
#[tokio::test(flavor = "multi_thread")]
async fn bent_trials_of_shares_in_use_leak_under_20_bits() {
    let scene = Scene::start(PARTY).await;
    let correlation = scene.their_correlation(1).await;
    let edge = Edge { held: Vec::new(), no_bar: true };
    let parties = scene.cosigners(2, || edge.plan()).await;
    let (key, share) = (scene.key(1), scene.own_share().await);
    let endpoint = Arc::new(Endpoint::new(key, share, &urls(&parties)));
    let seen = burst(&endpoint, Begin::Confirm, &correlation, &[], None).await;
    judge(&scene, "StartConfirm on the shares in use", &seen).await;
}

/// One session cannot stand for many runs.
#[tokio::test(flavor = "multi_thread")]
async fn bent_signatures_of_one_session_leak_under_20_bits() {
    let scene = Scene::start(PARTY).await;
    let correlation = scene.their_correlation(1).await;
    let crowd = Crowd::of(rows());
    let edge = Edge { held: vec![(DECRYPT, crowd.clone())], no_bar: true };
    let parties = scene.cosigners(3, || edge.plan()).await;
    let (key, share) = (scene.key(1), scene.own_share().await);
    let endpoint = Arc::new(Endpoint::new(key, share, &urls(&parties)));
    let session = Some([7; 32]);
    let seen = burst(&endpoint, Begin::Sign, &correlation, &[crowd], session).await;
    judge(&scene, "StartSign at once in one session, bar's write refused", &seen).await;
}

/// Finishes each run that passes, so that its place is free again, and tries every call in turn
/// until none reaches a computation any more.
async fn one_by_one(attack: &str, no_bar: bool) {
    let scene = Scene::start(PARTY).await;
    let correlation = scene.their_correlation(1).await;
    let edge = Edge { held: Vec::new(), no_bar };
    let parties = scene.cosigners(2, || edge.plan()).await;
    let (key, share) = (scene.key(1), scene.own_share().await);
    let endpoint = Endpoint::new(key.clone(), share, &urls(&parties));
    let (mut seen, mut quiet) = (Vec::new(), 0);
    for (nth, row) in alternating(&correlation).into_iter().take(rows()).enumerate() {
        // Both kinds of bits are asked for by both calls.
        let begin = if nth % 3 == 2 { Begin::Confirm } else { Begin::Sign };
        let attempt = endpoint.prepare(begin, Some(row));
        let session = attempt.session;
        let (mut told, passed) = endpoint.send(nth, attempt).await;
        if let Some(passed) = passed {
            told = format!("{told}, {}", endpoint.close(nth, passed).await);
        }
        quiet = if reached(&told) || told == "failed" { 0 } else { quiet + 1 };
        seen.push(Seen { session, bit: correlation[row], told });
        // A refresh that is begun and left may not make room either.
        if quiet == 4 {
            let start = StartRefresh { to: 2, fragment: protocol::Scalar::ONE };
            let session = Random::system().bytes().unwrap();
            let told = endpoint.call(nth, session, Call::StartRefresh(start)).await;
            println!("{attack}: refresh: {:?}", told.map(|_| ()));
        }
        if quiet == 9 {
            break;
        }
    }
    judge(&scene, attack, &seen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bent_signatures_one_by_one_leak_under_20_bits() {
    one_by_one("one by one, each pass finished", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bent_signatures_one_by_one_without_a_bar_leak_under_20_bits() {
    one_by_one("one by one, each pass finished, bar's write refused", true).await;
}

/// The attacker sees that the bar is about to be written, and kills the cosigner before it is.
#[tokio::test(flavor = "multi_thread")]
async fn cosigner_killed_at_the_bar_leaks_under_20_bits() {
    let scene = Scene::start(PARTY).await;
    let correlation = scene.their_correlation(1).await;
    let mut seen = Vec::new();
    let plan = || -> Plan {
        Box::new(
            |arrival| {
                if sets(arrival, "barred") { Fate::Die(Side::Before) } else { Fate::Pass }
            },
        )
    };
    let mut party = None;
    let most = rows().min(32);
    for row in alternating(&correlation).into_iter().take(most) {
        let alive = match party.take() {
            Some(alive) => alive,
            None => scene.cosigners(1, plan).await.remove(0),
        };
        let urls = urls(std::slice::from_ref(&alive));
        let endpoint = Endpoint::new(scene.key(1), scene.own_share().await, &urls);
        let attempt = endpoint.prepare(Begin::Sign, Some(row));
        let session = attempt.session;
        let (told, passed) = tokio::select! {
            biased;
            () = alive.calls.died() => ("aborted, killed at the bar".to_owned(), None),
            answer = endpoint.send(0, attempt) => answer,
        };
        let told = match passed {
            Some(passed) => format!("{told}, {}", endpoint.close(0, passed).await),
            None => told,
        };
        seen.push(Seen { session, bit: correlation[row], told });
        if alive.calls.is_dead() {
            alive.kill().await;
        } else {
            party = Some(alive);
        }
    }
    judge(&scene, "killed before the bar is written", &seen).await;
}

/// A refresh makes new oblivious transfers and uses none of the old ones: a bent proof is refused
/// in the same way whatever the bit of its row is.
#[tokio::test(flavor = "multi_thread")]
async fn bent_refreshes_leak_nothing_of_the_shares_in_use() {
    let scene = Scene::start(PARTY).await;
    let correlation = scene.their_correlation(1).await;
    let edge = Edge { held: Vec::new(), no_bar: true };
    let parties = scene.cosigners(2, || edge.plan()).await;
    let endpoint = Endpoint::new(scene.key(1), scene.own_share().await, &urls(&parties));
    let mut seen = Vec::new();
    for (nth, row) in alternating(&correlation).into_iter().take(6).enumerate() {
        let told = endpoint.bent_refresh(nth, 2, row).await;
        seen.push(Seen { session: [0; 32], bit: correlation[row], told });
    }
    println!("bent refreshes: {:.1} bits: {}", bits_learned(&seen), summary(&seen));
    assert!(seen.iter().all(|it| it.told != "refreshed"), "{}", summary(&seen));
    // Each outcome was seen for zeros and ones alike.
    assert!(bits_learned(&seen) < 2.0, "{}", summary(&seen));
}
