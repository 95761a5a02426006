//! Tests the daily seals of the audit log. Verification detects removed, truncated and rewritten
//! records that were sealed, even if the head was changed too.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use aws_sdk_dynamodb::types::AttributeValue;
use e2e::{DAY_MS, TestApp};
use hyperdex_audit::{Pins, Source, verify};
use hyperdex_local::{AUDIT_KEY, COSIGNER_TABLE};
use platform::items::Item;
use seal_audit::{RUN_TIME, SealAudit, SealRun};
use serde_json::{Value, json};

use super::text;

async fn sign(app: &TestApp, user: &str) {
    let reply = app.sign(user).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// A time so late that every log must have seals.
const OLD: u64 = u64::MAX;

/// A sealed log of two wallets, exported to files. Its stack has stopped.
struct Exported {
    all: Vec<Item>,
    owner: String,
    data: tempfile::TempDir,
    key: PathBuf,
}

impl Exported {
    /// Makes five records for `user_1`, the last one after the seal. Each seal covers one head.
    async fn new() -> Self {
        let app = TestApp::start().await;
        let seal = app.stack.seal.clone().with_limits(1, RUN_TIME);
        app.create_wallet("user_1").await;
        app.create_wallet("user_2").await;
        sign(&app, "user_1").await;
        let run = seal.seal().await.unwrap();
        assert!(run.heads == 2 && run.seals >= 2 && !run.more, "{run:?}");
        sign(&app, "user_1").await;
        let all = app.scan(COSIGNER_TABLE).await;
        let last = all.iter().find(|item| text(item, "sk") == "audit#000000000005").unwrap();
        let owner = text(last, "pk").to_owned();
        let data = tempfile::tempdir().unwrap();
        let key = data.path().join("key.pem");
        std::fs::copy(app.data.path().join("audit-public-key.pem"), &key).unwrap();
        app.stack.stop().await;
        Self { all, owner, data, key }
    }

    fn is(&self, item: &Item, sort: &str) -> bool {
        text(item, "pk") == self.owner && text(item, "sk") == sort
    }

    /// Returns the faults that `audit verify --export FILE --public-key FILE` prints, without the
    /// totals.
    async fn findings(&self, items: &[Item]) -> Vec<String> {
        let file = self.data.path().join("export.json");
        let lines = items
            .iter()
            .map(|item| format!("{}\n", json!({ "Item": serde_dynamo::Item::from(item.clone()) })));
        std::fs::write(&file, lines.collect::<String>()).unwrap();
        let findings = RefCell::new(Vec::new());
        let say = |line: &str| findings.borrow_mut().push(line.replace(&self.owner, "user_1"));
        let valid = verify(
            &Source::Export(file),
            COSIGNER_TABLE,
            Some(&self.key),
            &Pins::default(),
            OLD,
            say,
        )
        .await;
        let mut findings = findings.into_inner();
        findings.retain(|line| !line.contains(" faults"));
        assert_eq!(valid.unwrap(), findings.is_empty(), "{findings:?}");
        findings
    }

    /// Returns the number of faults that the records alone show.
    fn faults(items: &[Item]) -> usize {
        let mut verifier = cosigner::audit::verify::Verifier::default();
        items.iter().for_each(|item| verifier.item(item.clone()));
        verifier.finish().faults.len()
    }

    fn without(&self, gone: impl Fn(&Item) -> bool) -> Vec<Item> {
        self.all.iter().filter(|item| !gone(item)).cloned().collect()
    }
}

/// Sets the head to this record, as the cosigner would have left it.
fn set_head(items: &mut [Item], owner: &str, record: &Item) {
    let head =
        items.iter_mut().find(|item| text(item, "pk") == owner && text(item, "sk") == "audit");
    let head = head.unwrap();
    for name in ["seq", "hash"] {
        head.insert(name.to_owned(), record[name].clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_records_removed_or_rewritten_are_found() {
    let log = Exported::new().await;
    assert_eq!(log.findings(&log.all).await, Vec::<String>::new());

    // The chain is truncated together with its head. The records alone do not show it.
    let mut cut = log.without(|item| {
        text(item, "pk") == log.owner
            && text(item, "sk") > "audit#000000000002"
            && text(item, "sk").starts_with("audit#")
    });
    let second = log.all.iter().find(|item| log.is(item, "audit#000000000002")).unwrap();
    set_head(&mut cut, &log.owner, second);
    assert_eq!(Exported::faults(&cut), 0);
    assert_eq!(log.findings(&cut).await, ["user_1: record 3 was sealed, and is missing"]);

    // The whole chain is removed.
    let gone = log.without(|item| text(item, "pk") == log.owner);
    assert_eq!(Exported::faults(&gone), 0);
    let findings = log.findings(&gone).await;
    assert_eq!(findings, ["user_1: the whole chain is gone; it was sealed up to record 3"]);

    // All records from the second one on are rewritten, with matching hashes and head.
    let mut rewritten = log.all.clone();
    let mut prev =
        text(log.all.iter().find(|item| log.is(item, "audit#000000000001")).unwrap(), "hash")
            .to_owned();
    for seq in 2..=5 {
        let sort = format!("audit#{seq:012}");
        let record = rewritten.iter_mut().find(|item| log.is(item, &sort)).unwrap();
        let body = text(record, "body").replace("\"caller\":\"local\"", "\"caller\":\"other\"");
        let hash = hex::encode(digest(&SHA256, format!("{prev}\n{body}").as_bytes()));
        for (name, value) in [("prev", &prev), ("body", &body), ("hash", &hash)] {
            record.insert(name.to_owned(), AttributeValue::S(value.clone()));
        }
        prev = hash;
    }
    let last = rewritten.iter().find(|item| log.is(item, "audit#000000000005")).unwrap().clone();
    set_head(&mut rewritten, &log.owner, &last);
    assert_eq!(Exported::faults(&rewritten), 0);
    assert_eq!(log.findings(&rewritten).await, ["user_1: record 3 differs from the sealed record"]);
}

/// Changes the body of a seal and recomputes its hash.
fn rewrite_seal(item: &mut Item, change: impl FnOnce(&mut Value)) {
    let mut body: Value = serde_json::from_str(text(item, "body")).unwrap();
    change(&mut body);
    let body = body.to_string();
    let hash = hex::encode(digest(&SHA256, body.as_bytes()));
    item.insert("body".to_owned(), AttributeValue::S(body));
    item.insert("hash".to_owned(), AttributeValue::S(hash));
}

#[tokio::test(flavor = "multi_thread")]
async fn rewritten_or_missing_seals_are_found() {
    let log = Exported::new().await;
    let number = |number: u64| format!("seal#{number:012}");
    let with = |sort: String, change: &dyn Fn(&mut Item)| {
        let mut items = log.all.clone();
        change(items.iter_mut().find(|item| text(item, "sk") == sort).unwrap());
        items
    };
    let gone = log.without(|item| text(item, "sk") == number(1));
    assert_eq!(log.findings(&gone).await, ["seals: seal 1 is missing"]);
    let none = log.without(|item| text(item, "pk") == "seals");
    assert_eq!(log.findings(&none).await, ["seals: there are no seals"]);
    // A head is removed from the seal, first without and then with a matching hash.
    let edited = with(number(1), &|item| {
        let body = text(item, "body").replace("\"day\":", "\"day\": ");
        item.insert("body".to_owned(), AttributeValue::S(body));
    });
    assert_eq!(log.findings(&edited).await, ["seals: seal 1 was edited: its hash is another"]);
    let rewritten = with(number(1), &|item| rewrite_seal(item, |body| body["heads"] = json!([])));
    let findings = log.findings(&rewritten).await;
    assert_eq!(findings[0], "seals: seal 1 does not have the signature of this key");
    // The seals are verified with another public key.
    let other = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let der: PublicKeyX509Der<'_> = other.public_key().as_der().unwrap();
    std::fs::write(&log.key, der.as_ref()).unwrap();
    let findings = log.findings(&log.all).await;
    assert!(findings.len() >= 2, "{findings:?}");
    assert!(findings.iter().all(|line| line.ends_with("does not have the signature of this key")));
    // The file does not contain a public key.
    std::fs::write(&log.key, "no key").unwrap();
    let file = log.data.path().join("export.json");
    assert!(
        verify(
            &Source::Export(file),
            COSIGNER_TABLE,
            Some(&log.key),
            &Pins::default(),
            OLD,
            |_| ()
        )
        .await
        .is_err()
    );
}

/// A record that is inserted later with an old date.
#[tokio::test(flavor = "multi_thread")]
async fn record_inserted_after_the_seals_is_found() {
    let app = TestApp::start().await;
    for user in ["user_1", "user_2"] {
        app.create_wallet(user).await;
        app.stack.seal.seal().await.unwrap();
        app.clock.advance_ms(5 * DAY_MS);
    }
    app.stack.seal.seal().await.unwrap();
    // Ignores all seals of the second wallet's head, as if its index entry had been created later.
    let all = app.scan(COSIGNER_TABLE).await;
    let mut seals = seal_audit::verify::SealVerifier::default();
    let mut records = cosigner::audit::verify::Verifier::default();
    for item in all {
        seals.item(&item);
        records.item(item);
    }
    let pem = std::fs::read(app.data.path().join("audit-public-key.pem")).unwrap();
    let key = seal_audit::verify::PublicKey::parse(&pem).unwrap();
    let proven = seals.finish(&key);
    let covered = proven.covered_ms.unwrap();
    assert!(covered.end > covered.start + 7 * DAY_MS, "{covered:?}");
    records.all_sealed(covered);
    let second = proven.heads.last().unwrap();
    for head in proven.heads.iter().filter(|head| head.0 != second.0) {
        records.sealed(&head.0, head.1, &head.2);
    }
    let faults = records.finish().faults;
    assert_eq!(faults, [(second.0.clone(), cosigner::audit::verify::Fault::NotSealed(1))]);
}

/// A day is sealed once, however often the job runs. The next day seals the heads that moved since.
#[tokio::test(flavor = "multi_thread")]
async fn seal_job_seals_each_day_once() {
    let app = TestApp::start().await;
    let seal = &app.stack.seal;
    app.create_wallet("user_1").await;
    app.create_wallet("user_2").await;
    assert_eq!(seal.seal().await.unwrap(), SealRun { seals: 1, heads: 2, more: false });
    sign(&app, "user_1").await;
    assert_eq!(seal.seal().await.unwrap(), SealRun::default());
    // A head that moves after the seal of its day is part of the next seal.
    app.clock.advance_ms(DAY_MS);
    assert_eq!(seal.seal().await.unwrap(), SealRun { seals: 1, heads: 2, more: false });
    app.clock.advance_ms(3 * DAY_MS);
    // The job looks back one day more than necessary.
    assert_eq!(seal.seal().await.unwrap(), SealRun { seals: 1, heads: 2, more: false });
    sign(&app, "user_2").await;
    app.clock.advance_ms(DAY_MS);
    assert_eq!(seal.seal().await.unwrap(), SealRun { seals: 1, heads: 1, more: false });
}

/// Runs that end after each seal, and concurrent runs, continue after the last seal.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_or_concurrent_runs_seal_each_head_once() {
    let app = TestApp::start().await;
    for number in 0..5 {
        app.create_wallet(&format!("user_{number}")).await;
    }
    let clock = app.clock.clone();
    // Each read of the clock advances it by one second, so a run's time ends after one page.
    let slow = domain::clock::Clock::from_micros(move || {
        clock.advance_ms(1_000);
        clock.now_ms() * 1_000
    });
    let short = SealAudit::new(&app.stack.aws(), COSIGNER_TABLE, AUDIT_KEY, slow)
        .with_limits(2, Duration::from_millis(1));
    let first = short.seal().await.unwrap();
    assert!(first.seals == 1 && first.heads >= 2 && first.more, "{first:?}");
    // The next day begins. The runs finish the previous day first.
    app.clock.advance_ms(DAY_MS);
    let paged = app.stack.seal.clone().with_limits(2, RUN_TIME);
    let runs = futures_util::future::join_all((0..4).map(|_| paged.seal())).await;
    let heads: u64 = runs.iter().map(|run| run.as_ref().unwrap().heads).sum();
    assert_eq!(first.heads + heads, 5 + 5, "each head is sealed on both days");
    assert_eq!(paged.seal().await.unwrap(), SealRun::default());
    let all = app.scan(COSIGNER_TABLE).await;
    let key = app.data.path().join("audit-public-key.pem");
    let findings = RefCell::new(Vec::new());
    let endpoint = Source::Endpoint(app.stack.dynamodb.clone());
    let say = |line: &str| findings.borrow_mut().push(line.to_owned());
    assert!(
        verify(&endpoint, COSIGNER_TABLE, Some(&key), &Pins::default(), OLD, say).await.unwrap(),
        "{findings:?}"
    );
    let mut numbers: Vec<&str> = all
        .iter()
        .filter(|item| text(item, "pk") == "seals")
        .map(|item| text(item, "sk"))
        .collect();
    numbers.sort_unstable();
    assert!(numbers.len() >= 5, "{numbers:?}");
}
