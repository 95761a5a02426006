//! Tests the cosigner's audit log: it records every decision, and verification finds later changes.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::types::AttributeValue;
use cosigner::audit::verify::{Fault, Report, Verifier};
use cosigner::audit::{Decision, Entry};
use domain::intent::{HyperliquidChain, HyperliquidRevokeAgent, Intent};
use e2e::TestApp;
use e2e::attacker::Attacker;
use hyperdex_local::COSIGNER_TABLE;
use platform::items::Item;
use serde_json::json;

use super::text;

fn set(item: &mut Item, name: &str, value: String) {
    item.insert(name.to_owned(), AttributeValue::S(value));
}

fn verify(items: impl IntoIterator<Item = Item>) -> Report {
    let mut verifier = Verifier::default();
    for item in items {
        verifier.item(item);
    }
    verifier.finish()
}

async fn entries(app: &TestApp) -> Vec<Entry> {
    let mut items = app.scan(COSIGNER_TABLE).await;
    items.retain(|item| text(item, "sk").starts_with("audit#"));
    items.sort_by_key(|item| text(item, "sk").to_owned());
    items.iter().map(|item| serde_json::from_str(text(item, "body")).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_log_records_every_decision() {
    let attacker = Attacker::new().await;
    let app = &attacker.app;
    assert_eq!(app.register("hyperliquid", "victim").await.status, 200);
    let signed = app.sign("victim").await;
    assert_eq!(signed.status, 200);
    let foreign = Intent::HyperliquidRevokeAgent(HyperliquidRevokeAgent {
        chain: HyperliquidChain::Mainnet,
        name: "theirs".to_owned(),
        nonce_ms: app.clock.now_ms(),
    });
    assert!(attacker.open([1; 32], &foreign).await.is_err());
    let (tenant, wallet_id) = (&attacker.key.tenant, attacker.key.wallet_id);
    app.stack.custody.refresh(tenant, wallet_id, None).await.unwrap();

    let entries = entries(app).await;
    let kinds: Vec<&str> = entries
        .iter()
        .map(|entry| match &entry.decision {
            Decision::KeyMade { .. } => "made",
            Decision::Allowed { intent, .. } => intent.name(),
            Decision::Signed { .. } => "signed",
            Decision::Refused { .. } => "refused",
            Decision::Aborted { .. } => "aborted",
            Decision::RefreshAllowed { to: 2 } => "refresh allowed",
            Decision::ShareRefreshed { to: 2 } => "share refreshed",
            Decision::TrialAllowed { .. } => "trial allowed",
            Decision::SharesTried { .. } => "shares tried",
            Decision::SharesRetired { versions } if versions == &[1] => "shares retired",
            other => panic!("{other:?}"),
        })
        .collect();
    let expected =
        ["made", "HyperliquidApproveAgent", "signed", "PersonalMessage", "signed", "refused"];
    assert_eq!(kinds[..6], expected);
    let refreshed =
        ["refresh allowed", "share refreshed", "trial allowed", "shares tried", "shares retired"];
    assert_eq!(kinds[6..], refreshed);
    let Decision::Signed { signature, .. } = &entries[4].decision else { unreachable!() };
    assert_eq!(signature, signed.text("/signature"));
    assert_eq!(entries[4].request_id, signed.headers["x-request-id"].to_str().unwrap());
    assert_eq!((entries[4].caller.as_str(), entries[5].caller.as_str()), ("local", "attacker"));
    assert!(entries.iter().zip(1..).all(|(entry, seq)| entry.seq == seq));
    let report = verify(app.scan(COSIGNER_TABLE).await);
    assert_eq!((report.chains, report.records, report.faults), (1, 11, Vec::new()));
}

/// Eight concurrent signatures of one wallet extend one chain.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_signatures_extend_one_audit_chain() {
    let app = TestApp::start().await;
    app.create_wallet("user_1").await;
    let sign = || app.sign("user_1");
    let replies = futures_util::future::join_all((0..8).map(|_| sign())).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    let report = verify(app.scan(COSIGNER_TABLE).await);
    assert_eq!((report.records, report.faults), (17, Vec::new()));
}

/// A log of two wallets. One of them has five records.
struct Log {
    all: Vec<Item>,
    owner: String,
}

impl Log {
    async fn new() -> Self {
        let app = TestApp::start().await;
        app.create_wallet("user_1").await;
        app.create_wallet("user_2").await;
        for _ in 0..2 {
            app.sign("user_1").await;
        }
        let all = app.scan(COSIGNER_TABLE).await;
        let last = all.iter().find(|item| text(item, "sk") == "audit#000000000005").unwrap();
        Self { owner: text(last, "pk").to_owned(), all }
    }

    fn is(&self, item: &Item, sort: &str) -> bool {
        text(item, "pk") == self.owner && text(item, "sk") == sort
    }

    /// Returns the log without these items.
    fn without(&self, sorts: &[&str]) -> Vec<Item> {
        let mut items = self.all.clone();
        items.retain(|item| !sorts.iter().any(|sort| self.is(item, sort)));
        items
    }

    /// Returns the log with one item changed.
    fn with(&self, sort: &str, change: impl FnOnce(&mut Item)) -> Vec<Item> {
        let mut items = self.all.clone();
        change(items.iter_mut().find(|item| self.is(item, sort)).unwrap());
        items
    }

    fn faults(&self, items: Vec<Item>) -> Vec<Fault> {
        let found = verify(items).faults;
        assert!(found.iter().all(|(partition, _)| *partition == self.owner), "{found:?}");
        found.into_iter().map(|(_, fault)| fault).collect()
    }
}

/// Changes the caller of a record and recomputes its hash.
fn rewrite_record(item: &mut Item) {
    let body = text(item, "body").replace("\"caller\":\"local\"", "\"caller\":\"other\"");
    assert_ne!(body, text(item, "body"));
    let hash = digest(&SHA256, format!("{}\n{body}", text(item, "prev")).as_bytes());
    set(item, "hash", hex::encode(hash));
    set(item, "body", body);
}

/// Verification finds and names each way to tamper with the log.
#[tokio::test(flavor = "multi_thread")]
async fn audit_verification_finds_tampering() {
    let log = Log::new().await;
    assert_eq!(log.faults(log.all.clone()), []);
    assert_eq!(log.faults(log.without(&["audit#000000000003"])), [Fault::Gap(3, 3)]);
    let cut = log.without(&["audit#000000000004", "audit#000000000005"]);
    assert_eq!(log.faults(cut), [Fault::CutOff(3, 5)]);
    assert_eq!(log.faults(log.without(&["audit"])), [Fault::NoHead]);

    let edited = log.with("audit#000000000002", |item| {
        let body = text(item, "body").replace("hello", "hullo");
        set(item, "body", body);
    });
    // The digest and the signature are still those of the message before.
    let found = [Fault::SignedNotAllowed(2), Fault::SignedNotAllowed(3), Fault::Edited(2)];
    assert_eq!(log.faults(edited), found);
    // Two records swap places and numbers.
    let mut swapped = log.all.clone();
    for item in &mut swapped {
        let other = if log.is(item, "audit#000000000002") {
            "4"
        } else if log.is(item, "audit#000000000004") {
            "2"
        } else {
            continue;
        };
        item.insert("seq".to_owned(), AttributeValue::N(other.to_owned()));
    }
    let found = [Fault::Edited(2), Fault::Reordered(3), Fault::Edited(4), Fault::Reordered(5)];
    assert_eq!(log.faults(swapped), found);
    // Records rewritten with a matching hash: the last one differs from the head, and one in the
    // middle differs from the hash that its successor refers to.
    assert_eq!(log.faults(log.with("audit#000000000005", rewrite_record)), [Fault::HeadDiffers(5)]);
    assert_eq!(log.faults(log.with("audit#000000000003", rewrite_record)), [Fault::Reordered(4)]);
}

/// Verifies an export of the table in the format that DynamoDB writes to S3.
#[tokio::test(flavor = "multi_thread")]
async fn audit_export_is_verified() {
    let app = TestApp::start().await;
    app.create_wallet("user_1").await;
    let mut verifier = Verifier::default();
    for item in app.scan(COSIGNER_TABLE).await {
        verifier.line(&json!({ "Item": serde_dynamo::Item::from(item) }).to_string());
    }
    let report = verifier.finish();
    assert_eq!((report.chains, report.records, report.faults), (1, 1, Vec::new()));
    let mut verifier = Verifier::default();
    verifier.line("not json");
    assert!(matches!(verifier.finish().faults[..], [(_, Fault::Unreadable(_))]));
}

#[test]
fn audit_verification_ignores_other_items() {
    let item = HashMap::from([
        ("pk".to_owned(), AttributeValue::S("local#W#x".to_owned())),
        ("sk".to_owned(), AttributeValue::S("share#1".to_owned())),
    ]);
    assert_eq!(verify([item]), Report::default());
}
