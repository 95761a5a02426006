//! The commands of operators on a running stack.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use aws_sdk_dynamodb::types::AttributeValue;
use clap::Parser;
use domain::random::Random;
use domain::recovery::Verification;
use hyperdex_local::commands::arguments::{Output, Place};
use hyperdex_local::commands::recovery::{self, RecoveryCommand};
use hyperdex_local::jobs::JobName;
use hyperdex_local::{COSIGNER_RECOVERY_TABLE, COSIGNER_TABLE, RECOVERY_TABLE, WALLETS_TABLE};
use hyperdex_recovery::file::{self, Header, Kind, Writer};
use hyperdex_recovery::new_file::NewFile;
use hyperdex_recovery::{report, transport};
use protocol::TransportedHalf;
use protocol::recovery::{RecoveryRecord, Side};

use crate::drill::{Drill, new_keys};

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: RecoveryCommand,
}

/// The lines that a command prints.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Output for Lines {
    fn say(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }

    fn note(&self, line: &str) {
        self.say(line);
    }
}

/// Runs a command on the drill's stack. Returns its result, and what it printed.
async fn run(drill: &Drill, words: &[&str]) -> (Result<bool, String>, String) {
    let line = Line::try_parse_from(std::iter::once("hyperdex").chain(words.iter().copied()));
    let place = Place {
        data_dir: drill.folder.path(),
        user: "test",
        clock: drill.stack.custody.clock.clone(),
        random: Random::system(),
    };
    let output = Lines::default();
    let done = recovery::run(&line.unwrap().command, &place, &output).await;
    let lines = output.0.lock().unwrap().join("\n");
    (done.map_err(|error| error.to_string()), lines)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Exports the records of a side to a new file.
async fn exported(drill: &Drill, side: &str, path: &Path) -> Vec<RecoveryRecord> {
    let (done, lines) = run(drill, &["export", "--side", side, "--out", text(path)]).await;
    assert_eq!(done, Ok(true), "{lines}");
    file::read(path, Kind::Records, side.parse().unwrap()).unwrap().1
}

#[tokio::test]
async fn export_of_a_moved_record_names_it() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let alice = drill.wallet("alice").await;
    let desk = tempfile::tempdir().unwrap();
    let whole = exported(&drill, "endpoint", &desk.path().join("whole")).await;
    let theirs = drill.items(COSIGNER_RECOVERY_TABLE).await.remove(0);
    let own = drill.items(RECOVERY_TABLE).await.remove(0);
    let at = |pk: &str, sk: &str| {
        [("pk", pk), ("sk", sk)]
            .map(|(name, at)| (name.to_owned(), AttributeValue::S(at.to_owned())))
    };
    let partition = format!("local#W#{}", alice.wallet_id);
    let elsewhere = format!("acme#W#{}", alice.wallet_id);
    let (partition, elsewhere) = (partition.as_str(), elsewhere.as_str());
    // Another version, tenant or side than the item's key states, and a key without a version.
    for (item, pk, sk) in [
        (&own, partition, "recovery#0000000007"),
        (&own, partition, "recovery#000000000x"),
        (&own, elsewhere, "recovery#0000000001"),
        (&theirs, partition, "recovery#0000000001"),
    ] {
        let mut moved = item.clone();
        moved.extend(at(pk, sk));
        drill.put(RECOVERY_TABLE, moved.clone()).await;
        let path = desk.path().join(format!("{}-{}", &pk[..4], &sk[sk.len() - 2..]));
        let (done, lines) =
            run(&drill, &["export", "--side", "endpoint", "--out", text(&path)]).await;
        assert_eq!(done, Ok(false), "{lines}");
        assert!(lines.contains(&format!("{pk} {sk}: the record is of another")), "{lines}");
        drill.delete(RECOVERY_TABLE, moved).await;
        drill.put(RECOVERY_TABLE, own.clone()).await;
        std::fs::remove_file(&path).unwrap();
    }
    assert_eq!(exported(&drill, "endpoint", &desk.path().join("again")).await, whole);
    drill.stop().await;
}

#[tokio::test]
async fn unfinished_export_of_another_stack_is_refused() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    drill.wallet("alice").await;
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("records");
    let mut header = Header::new(Kind::Records, Side::Endpoint, drill.stack.custody.clock.now_ms());
    header.source = Some("local stack of another directory".to_owned());
    drop(Writer::open::<RecoveryRecord>(&path, &header).unwrap());
    let (refused, _) = run(&drill, &["export", "--side", "endpoint", "--out", text(&path)]).await;
    let refused = refused.unwrap_err();
    assert!(refused.contains("another stack") && refused.contains("remove it"), "{refused}");
    std::fs::remove_file(desk.path().join("records.part")).unwrap();
    exported(&drill, "endpoint", &path).await;
    let (header, _) = file::read::<RecoveryRecord>(&path, Kind::Records, Side::Endpoint).unwrap();
    assert!(header.source.unwrap().starts_with("local stack "));
    drill.stop().await;
}

#[tokio::test]
async fn report_ahead_of_the_clock_or_too_old_is_not_stored() {
    let drill = Drill::start(&new_keys()).await;
    let desk = tempfile::tempdir().unwrap();
    let now_ms = drill.stack.custody.clock.now_ms();
    let written = |name: &str, verified_at_ms| -> PathBuf {
        let path = desk.path().join(name);
        let verification = Verification {
            verified_at_ms,
            records: 1,
            wallets: 1,
            faults: 0,
            partial: false,
            key_id: "one".to_owned(),
        };
        report::write(NewFile::reserve(&path).unwrap(), Side::Endpoint, verification).unwrap();
        path
    };
    let ahead = written("ahead", now_ms + 60 * 60 * 1_000);
    let now = written("now", now_ms);
    let older = written("older", now_ms - 1);
    let store = async |path: &Path| {
        run(&drill, &["report", "--side", "endpoint", "--report", text(path)]).await
    };
    let (refused, _) = store(&ahead).await;
    assert!(refused.unwrap_err().contains("ahead of the stack's clock"));
    assert!(drill.items(RECOVERY_TABLE).await.is_empty());
    assert_eq!(store(&now).await.0, Ok(true));
    let (done, lines) = store(&older).await;
    assert_eq!(done, Ok(false), "{lines}");
    assert!(lines.contains("Stored nothing"), "{lines}");
    // A report that an earlier version stored in spite of its time is replaced.
    let mut item = drill.items(RECOVERY_TABLE).await.remove(0);
    let Some(AttributeValue::M(value)) = item.get_mut("value") else { panic!("no report") };
    value.insert("verifiedAtMs".to_owned(), AttributeValue::N("9000000000000".to_owned()));
    drill.put(RECOVERY_TABLE, item).await;
    assert_eq!(store(&older).await.0, Ok(true));
    drill.stop().await;
}

#[tokio::test]
async fn import_without_halves_is_refused() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    drill.wallet("alice").await;
    let desk = tempfile::tempdir().unwrap();
    let path = |name: &str| desk.path().join(name);
    let own = exported(&drill, "endpoint", &path("own")).await;
    let other = exported(&drill, "cosigner", &path("other")).await;
    let begun = path("transport");
    let (done, lines) = run(&drill, &["begin", "--side", "endpoint", "--out", text(&begun)]).await;
    assert_eq!(done, Ok(true), "{lines}");
    let now_ms = drill.stack.custody.clock.now_ms();
    let to = transport::read(&begun, Side::Endpoint, now_ms).unwrap();
    let fingerprint = to.public_key.fingerprint();
    let (empty, halves) = (path("empty"), path("halves"));
    let mut header = Header::new(Kind::Halves, Side::Endpoint, now_ms);
    header.transport = Some(fingerprint.clone());
    let (writer, _) = Writer::open::<TransportedHalf>(&empty, &header).unwrap();
    writer.finish().unwrap();
    let (to, at) = ((&to, fingerprint.as_str()), (halves.as_path(), now_ms));
    transport::open(&keys[0], (&own, &other), to, at, |_, _| {}).unwrap();
    let import = async |halves: &Path| {
        let files = ["--transport", text(&begun), "--halves", text(halves)];
        run(&drill, &[&["import", "--side", "endpoint"][..], &files[..]].concat()).await
    };
    let (refused, _) = import(&empty).await;
    assert!(refused.unwrap_err().contains("has no halves"));
    // The refresh completes shares only if some were restored.
    drill.lose_table(WALLETS_TABLE).await;
    let (done, lines) = import(&halves).await;
    assert_eq!(done, Ok(true), "{lines}");
    assert!(lines.contains("Restored 1") && lines.contains("first signature"), "{lines}");
    let (done, lines) = import(&halves).await;
    assert_eq!(done, Ok(true), "{lines}");
    assert!(lines.contains("Restored 0") && !lines.contains("first signature"), "{lines}");
    drill.stop().await;
}

#[tokio::test]
async fn requested_refresh_completes_a_restored_cosigner() {
    let keys = new_keys();
    let drill = Drill::start(&keys).await;
    let (alice, bob) = (drill.wallet("alice").await, drill.wallet("bob").await);
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("endpoint");
    let other = exported(&drill, "endpoint", &path).await;
    let own = exported(&drill, "cosigner", &desk.path().join("cosigner")).await;
    drill.lose_table(COSIGNER_TABLE).await;
    drill.recover(&keys[1], (&own, &other)).await;
    // The wallets' table has not changed, so the job does not know of the import.
    drill.stack.scheduled.run(JobName::Refresh).await.unwrap();
    assert_eq!(drill.versions(Side::Endpoint).await, [1, 1]);
    let (done, lines) = run(&drill, &["request-refresh", "--records", text(&path)]).await;
    assert_eq!(done, Ok(true), "{lines}");
    assert!(lines.contains("refresh of 2 wallets; 0 were not found"), "{lines}");
    drill.stack.scheduled.run(JobName::Refresh).await.unwrap();
    assert_eq!(drill.versions(Side::Cosigner).await, [2, 2]);
    for wallet in [&alice, &bob] {
        drill.signs(wallet).await.unwrap();
    }
    // A wallet that is lost on the endpoint side.
    let lost = format!("local#W#{}", alice.wallet_id);
    for item in drill.items(WALLETS_TABLE).await {
        if item["pk"].as_s() == Ok(&lost) {
            drill.delete(WALLETS_TABLE, item).await;
        }
    }
    let (done, lines) = run(&drill, &["request-refresh", "--records", text(&path)]).await;
    assert_eq!(done, Ok(false), "{lines}");
    assert!(lines.contains(&alice.wallet_id.to_string()), "{lines}");
    assert!(lines.contains("refresh of 1 wallets; 1 were not found"), "{lines}");
    drill.stop().await;
}
