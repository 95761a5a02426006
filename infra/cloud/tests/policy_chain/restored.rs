//! Tests of a table that was restored to an older moment.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::policy::ChangeState;
use hyperdex_cloud::dynamodb;
use hyperdex_cloud::names::{COSIGNER_TABLE, SEALS_TABLE};
use platform::items::Item;
use protocol::PolicyFault;
use serde_json::json;

use super::emitted;
use super::stack::{DAY_MS, Stack, TREASURY, add, fault, text};

const RESTORED: &str = "hyperdex-cosigner-restored";

/// Restores the cosigner's table as DynamoDB does: into a new table.
async fn restore(stack: &mut Stack, items: Vec<Item>) {
    dynamodb::create_table(&stack.db, RESTORED, None, &[]).await.unwrap();
    for item in items {
        stack.put(RESTORED, item).await;
    }
    stack.restart_with(RESTORED);
}

fn seal(sort: &str, number: u64, hash: &str) -> Item {
    HashMap::from([
        ("pk".to_owned(), text("seals")),
        ("sk".to_owned(), text(sort)),
        ("schema".to_owned(), AttributeValue::N("1".to_owned())),
        ("number".to_owned(), AttributeValue::N(number.to_string())),
        ("hash".to_owned(), text(hash)),
    ])
}

#[tokio::test]
async fn restored_table_pays_only_after_the_root_authority_resumes() {
    let mut stack = Stack::new().await;
    stack.propose(add(TREASURY), &["alice", "bob"]).await.unwrap();
    let older = stack.items(COSIGNER_TABLE).await;
    // A cancellation that the restored table does not have.
    stack.propose(json!({ "type": "cancel", "seq": 1 }), &["carol"]).await.unwrap();
    let newest = stack.state().await;
    assert!(newest.payments_on);
    restore(&mut stack, older).await;
    stack.pass_ms(DAY_MS);
    let restored = stack.state().await;
    assert!(!restored.payments_on && restored.destinations.len() == 1);
    // The root authority signs the newest hash that it knows: the older table does not have it.
    let resume = |hash: &str| json!({ "type": "resume", "headHash": hash });
    let refused = stack.propose(resume(&newest.head_hash), &["root"]).await;
    assert_eq!(fault(refused), PolicyFault::WrongHead);
    let by_tenant = stack.propose(resume(&restored.head_hash), &["alice", "bob"]).await;
    assert_eq!(fault(by_tenant), PolicyFault::WrongQuorum);
    // Tightening still works.
    stack.propose(json!({ "type": "freeze" }), &["carol"]).await.unwrap();
    let hash = stack.state().await.head_hash;
    let resumed = stack.propose(resume(&hash), &["root"]).await.unwrap();
    assert_eq!(resumed.state, ChangeState::Active);
    let state = stack.state().await;
    assert!(state.payments_on && state.frozen);
}

#[tokio::test]
async fn tenant_without_a_chain_does_not_pay_from_a_restored_table() {
    let mut stack = Stack::new().await;
    assert!(stack.state().await.payments_on);
    let older = stack.items(COSIGNER_TABLE).await;
    restore(&mut stack, older).await;
    let state = stack.state().await;
    assert!(!state.payments_on && state.seq == 0);
    let resume = json!({ "type": "resume", "headHash": state.head_hash });
    stack.propose(resume, &["root"]).await.unwrap();
    assert!(stack.state().await.payments_on);
}

#[tokio::test]
async fn table_without_the_newest_seal_does_not_pay() {
    let mut stack = Stack::new().await;
    stack.put(COSIGNER_TABLE, seal("seal#000000000001", 1, "aa")).await;
    stack.put(SEALS_TABLE, seal("newest", 1, "aa")).await;
    stack.propose(add(TREASURY), &["alice", "bob"]).await.unwrap();
    assert!(stack.state().await.payments_on);
    // An import of older items into the same table.
    stack.put(SEALS_TABLE, seal("newest", 2, "bb")).await;
    stack.restart_with(COSIGNER_TABLE);
    assert!(!stack.state().await.payments_on);
    stack.put(COSIGNER_TABLE, seal("seal#000000000002", 2, "cc")).await;
    assert!(!stack.state().await.payments_on);
    let hash = stack.state().await.head_hash;
    stack.propose(json!({ "type": "resume", "headHash": hash }), &["root"]).await.unwrap();
    assert!(stack.state().await.payments_on);
    // It accepted this seal only.
    stack.put(SEALS_TABLE, seal("newest", 3, "dd")).await;
    assert!(!stack.state().await.payments_on);
    stack.put(COSIGNER_TABLE, seal("seal#000000000003", 3, "dd")).await;
    assert!(stack.state().await.payments_on);
}

#[tokio::test]
async fn missing_seals_turn_payments_off_after_two_days() {
    let mut stack = Stack::new().await;
    assert!(stack.state().await.payments_on);
    stack.pass_ms(2 * DAY_MS);
    stack.restart_with(COSIGNER_TABLE);
    assert!(!stack.state().await.payments_on);
    stack.put(COSIGNER_TABLE, seal("seal#000000000001", 1, "aa")).await;
    stack.put(SEALS_TABLE, seal("newest", 1, "aa")).await;
    assert!(stack.state().await.payments_on);
}

/// The operator hears of it from the cosigner's own account, whatever the endpoint does.
#[tokio::test]
async fn restored_table_raises_the_alarm_until_payments_are_resumed() {
    let mut stack = Stack::new().await;
    emitted::listen();
    stack.propose(add(TREASURY), &["alice", "bob"]).await.unwrap();
    assert_eq!(emitted::count("PolicyChangePending"), 1);
    stack.state().await;
    assert_eq!(emitted::count("PaymentsOff"), 0);
    let older = stack.items(COSIGNER_TABLE).await;
    restore(&mut stack, older).await;
    // The first call of each process finds it, and each one after it.
    stack.state().await;
    assert_eq!(emitted::count("PaymentsOff"), 1);
    stack.prepare_payment().await;
    assert_eq!(emitted::count("PaymentsOff"), 1);
    let hash = stack.state().await.head_hash;
    let resume = json!({ "type": "resume", "headHash": hash });
    stack.propose(resume, &["root"]).await.unwrap();
    emitted::count("PaymentsOff");
    stack.state().await;
    stack.prepare_payment().await;
    assert_eq!(emitted::count("PaymentsOff"), 0);
    // A missing seal raises it as well.
    stack.put(SEALS_TABLE, seal("newest", 2, "bb")).await;
    stack.restart_with(RESTORED);
    stack.prepare_payment().await;
    assert_eq!(emitted::count("PaymentsOff"), 1);
}
