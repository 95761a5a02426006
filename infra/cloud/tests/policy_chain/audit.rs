//! Tests of the verification of policy chains.

use aws_sdk_dynamodb::types::AttributeValue;
use cosigner::audit::verify::{Fault, Report, Verifier};
use hyperdex_cloud::names::COSIGNER_TABLE;
use platform::items::Item;
use serde_json::{Value, json};

use super::stack::{DAY_MS, HOUR_MS, Stack, TREASURY, add, text};

/// Returns the table of a chain with every kind of record.
async fn table() -> Vec<Item> {
    let stack = Stack::new().await;
    stack.propose(add(TREASURY), &["alice"]).await.unwrap();
    let approval = stack.approval(1, "bob").await;
    stack.pass_ms(HOUR_MS);
    stack.change("approve-policy-change", approval).await.unwrap();
    stack.pass_ms(2 * DAY_MS);
    stack
        .propose(json!({ "type": "setDelay", "seconds": 7_200 }), &["bob", "carol"])
        .await
        .unwrap();
    stack.operator_cancels(3).await.unwrap();
    stack.propose(json!({ "type": "freeze" }), &["root"]).await.unwrap();
    stack.items(COSIGNER_TABLE).await
}

fn verify(items: Vec<Item>) -> Report {
    let mut verifier = Verifier::default();
    items.into_iter().for_each(|item| verifier.item(item));
    verifier.finish()
}

fn sort_key(item: &Item) -> &str {
    item["sk"].as_s().unwrap()
}

const LAST: &str = "change#000000000005";

/// Edits the last record and recomputes its hash, as a writer of the table could.
fn edit(items: &mut [Item], edit: fn(&mut Value)) {
    let item = items.iter_mut().find(|item| sort_key(item) == LAST).unwrap();
    let mut body: Value = serde_json::from_str(item["body"].as_s().unwrap()).unwrap();
    edit(&mut body);
    let (body, prev) = (body.to_string(), item["prev"].as_s().unwrap().clone());
    let hash =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{prev}\n{body}").as_bytes());
    item.insert("hash".to_owned(), text(&hex::encode(hash.as_ref())));
    item.insert("body".to_owned(), AttributeValue::S(body));
}

fn faults(items: Vec<Item>) -> Vec<Fault> {
    verify(items).faults.into_iter().map(|(_, fault)| fault).collect()
}

#[tokio::test]
async fn honest_chain_verifies() {
    let report = verify(table().await);
    assert_eq!((report.chains, report.records, report.faults), (1, 5, Vec::new()));
}

#[tokio::test]
async fn edited_missing_and_cut_records_are_found() {
    let items = table().await;
    let mut gap = items.clone();
    gap.retain(|item| sort_key(item) != "change#000000000002");
    assert!(faults(gap).contains(&Fault::Gap(2, 2)));
    let mut cut = items.clone();
    cut.retain(|item| sort_key(item) != LAST);
    assert_eq!(faults(cut), [Fault::CutOff(4, 5)]);
    let mut edited = items;
    let record = edited.iter_mut().find(|item| sort_key(item) == "change#000000000001").unwrap();
    let body = record["body"].as_s().unwrap().replace("alice", "carol");
    record.insert("body".to_owned(), AttributeValue::S(body));
    assert_eq!(faults(edited), [Fault::Edited(1)]);
}

#[tokio::test]
async fn rewritten_last_record_does_not_follow_the_rules() {
    let items = table().await;
    let edits: [fn(&mut Value); 4] = [
        |body| body["action"]["change"] = json!({ "type": "unfreeze" }),
        |body| body["effectiveAtMs"] = 1.into(),
        |body| body["action"]["approvals"] = json!([]),
        |body| body["chainId"] = "ff".into(),
    ];
    for change in edits {
        let mut edited = items.clone();
        edit(&mut edited, change);
        let hash = edited.iter().find(|item| sort_key(item) == LAST).unwrap()["hash"]
            .as_s()
            .unwrap()
            .clone();
        let head = edited.iter_mut().find(|item| sort_key(item) == "head").unwrap();
        let mut chain: Value = serde_json::from_str(head["body"].as_s().unwrap()).unwrap();
        chain["hash"] = hash.as_str().into();
        head.insert("body".to_owned(), AttributeValue::S(chain.to_string()));
        head.insert("hash".to_owned(), text(&hash));
        let found = faults(edited);
        assert!(matches!(found[..], [Fault::PolicyRefused(5, _)]), "{found:?}");
    }
}

#[tokio::test]
async fn head_with_another_state_is_found() {
    let mut items = table().await;
    let head = items.iter_mut().find(|item| sort_key(item) == "head").unwrap();
    let body = head["body"].as_s().unwrap().replace("\"frozen\":true", "\"frozen\":false");
    head.insert("body".to_owned(), AttributeValue::S(body));
    assert!(matches!(faults(items)[..], [Fault::PolicyRefused(0, _)]));
}
