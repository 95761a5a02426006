//! Tests that the log's verification compares each payment with the tenant's policy chain.

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::types::AttributeValue;
use cosigner::audit::verify::{Fault, Report, Verifier};
use domain::intent::{Intent, PersonalMessage};
use domain::money::Payment;
use hyperdex_cloud::names::COSIGNER_TABLE;
use platform::items::Item;
use serde_json::{Value, json};

use crate::orders::{move_own, order, transfer, withdraw};
use crate::stack::{HOUR_MS, Stack};

async fn items(stack: &Stack) -> Vec<Item> {
    let scan = stack.db.scan().table_name(COSIGNER_TABLE).consistent_read(true);
    let output = scan.send().await.unwrap();
    assert!(output.last_evaluated_key.is_none());
    output.items.unwrap_or_default()
}

fn verify(items: Vec<Item>) -> Report {
    let mut verifier = Verifier::default();
    items.into_iter().for_each(|item| verifier.item(item));
    verifier.finish()
}

/// Edits the first record that allowed a payment, and links the chain again.
fn edited(items: Vec<Item>, edit: fn(&mut Value)) -> Vec<Item> {
    let mut is_done = false;
    relinked(items, |body| {
        if body["decision"] == "payment-allowed" && !is_done {
            edit(body);
            is_done = true;
        }
    })
}

/// Edits the records of a wallet and links its chain again, as a writer of the table could.
fn relinked(mut items: Vec<Item>, mut edit: impl FnMut(&mut Value)) -> Vec<Item> {
    let text = |item: &Item, name: &str| item[name].as_s().unwrap().clone();
    let sort = |item: &Item| item["sk"].as_s().unwrap().clone();
    items.sort_by_key(sort);
    let mut prev = cosigner::audit::GENESIS.to_owned();
    for item in items.iter_mut().filter(|item| sort(item).starts_with("audit#")) {
        let stored = text(item, "body");
        let mut body: Value = serde_json::from_str(&stored).unwrap();
        let before = body.clone();
        edit(&mut body);
        // The text of other records stays as it is.
        let body = if body == before { stored } else { body.to_string() };
        let hash = hex::encode(digest(&SHA256, format!("{prev}\n{body}").as_bytes()).as_ref());
        for (name, value) in [("prev", prev), ("body", body), ("hash", hash.clone())] {
            item.insert(name.to_owned(), AttributeValue::S(value));
        }
        prev = hash;
    }
    let head = items.iter_mut().find(|item| sort(item) == "audit").unwrap();
    head.insert("hash".to_owned(), AttributeValue::S(prev));
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_is_verified_against_its_policy() {
    let stack = Stack::new().await;
    stack.pay(&order("1", withdraw("5"))).await.unwrap();
    stack.pay(&order("2", move_own("5"))).await.unwrap();
    stack.change(json!({ "type": "freeze" })).await;
    let items = items(&stack).await;
    let report = verify(items.clone());
    assert_eq!((report.faults, report.payments.len()), (Vec::new(), 2));
    let edits: [fn(&mut Value); 8] = [
        |body| body["policyHash"] = "0".repeat(64).into(),
        |body| body["destinationChange"] = 5.into(),
        |body| body["limitChanges"] = json!([99]),
        // Nothing named where the payment has a destination and an amount.
        |body| {
            body.as_object_mut().unwrap().remove("destinationChange");
        },
        |body| (body["charges"], body["limitChanges"]) = (json!([]), json!([])),
        |body| body["limitChanges"] = json!([]),
        // The limit of another asset, and a counted amount above the limit.
        |body| body["limitChanges"] = json!([4]),
        |body| body["charges"][0]["amount"] = "101".into(),
    ];
    for edit in edits {
        let faults = verify(edited(items.clone(), edit)).faults;
        assert!(matches!(faults[..], [(_, Fault::PaymentPolicy(..))]), "{faults:?}");
    }
    // Without the policy chain, nothing allows the payment.
    let mut without = items;
    without.retain(|item| !item["pk"].as_s().unwrap().ends_with("#P"));
    let faults = verify(without).faults;
    let is_payment = |fault: &(String, Fault)| matches!(fault.1, Fault::PaymentPolicy(..));
    assert!(faults.len() == 2 && faults.iter().all(is_payment), "{faults:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_after_a_freeze_is_found() {
    let stack = Stack::new().await;
    stack.change(json!({ "type": "freeze" })).await;
    stack.pass_ms(20_000);
    stack.change(json!({ "type": "unfreeze" })).await;
    stack.pass_ms(2 * HOUR_MS);
    stack.pay(&order("1", withdraw("5"))).await.unwrap();
    // The writer of the table names the policy before the freeze.
    let older = edited(items(&stack).await, |body| body["policySeq"] = 6.into());
    let faults = verify(older).faults;
    assert!(matches!(faults[..], [(_, Fault::PaymentPolicy(..))]), "{faults:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn signature_of_other_content_is_found() {
    let stack = Stack::new().await;
    stack.pay(&order("1", withdraw("5"))).await.unwrap();
    let items = items(&stack).await;
    assert_eq!(verify(items.clone()).faults, []);
    // The signed digest is that of the payment and its nonces.
    let edits: [fn(&mut Value); 3] = [
        |body| body["payment"]["HyperliquidWithdraw"]["amount"] = "4".into(),
        |body| body["nonces"] = json!({ "Hyperliquid": 1 }),
        |body| body["networks"] = json!(["Testnet", "Mainnet"]),
    ];
    for edit in edits {
        let faults = verify(edited(items.clone(), edit)).faults;
        assert!(matches!(faults[..], [(_, Fault::PaymentNotAllowed(_))]), "{faults:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn report_states_the_origin_of_each_policy() {
    let stack = Stack::new().await;
    let origins = verify(items(&stack).await).origins;
    let state = stack.state().await;
    assert_eq!(origins.len(), 1);
    assert_eq!((origins[0].partition.as_str(), origins[0].seq), ("acme#P", 1));
    assert_eq!(origins[0].chain_id, state.chain_id);
    assert_eq!(origins[0].first, state.authority);
    assert_eq!((&origins[0].root, origins[0].delays_s[1]), (&None, 3_600));
}

/// Removes a payment from the log: its records become those of a message or of a trial.
#[tokio::test(flavor = "multi_thread")]
async fn payment_in_the_name_of_a_message_is_found() {
    let stack = Stack::new().await;
    stack.pay(&order("1", withdraw("5"))).await.unwrap();
    let items = items(&stack).await;
    let message = Intent::PersonalMessage(PersonalMessage::parse("hi").unwrap());
    for (allowed, signed) in [("allowed", "signed"), ("trial-allowed", "shares-tried")] {
        let hidden = relinked(items.clone(), |body| {
            let digest = body["digest"].clone();
            let signature = body["signature"].clone();
            let name = match body["decision"].as_str() {
                Some("payment-allowed") => allowed,
                Some("payment-signed") => signed,
                _ => return,
            };
            let fields = body.as_object_mut().unwrap();
            for name in ["id", "payment", "charges", "nonces", "networks"] {
                fields.remove(name);
            }
            body["decision"] = name.into();
            body["intent"] = json!(message);
            (body["digest"], body["signature"]) = (digest, signature);
        });
        let faults = verify(hidden).faults;
        let is_found = |fault: &(String, Fault)| matches!(fault.1, Fault::SignedNotAllowed(_));
        assert!(faults.len() == 2 && faults.iter().all(is_found), "{allowed}: {faults:?}");
    }
}

/// A payment counts no amount because it replaces one that does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn replacement_of_nothing_is_found() {
    let stack = Stack::new().await;
    stack.pay(&order("1", Payment::EvmTokenTransfer(transfer("20", 7)))).await.unwrap();
    let items = items(&stack).await;
    assert_eq!(verify(items.clone()).faults, []);
    let uncounted = edited(items, |body| {
        body["replaces"] = "none".into();
        body["charges"][0]["amount"] = "0".into();
    });
    let faults = verify(uncounted).faults;
    let is_found = |fault: &(String, Fault)| matches!(fault.1, Fault::PaymentNotAllowed(_));
    assert!(!faults.is_empty() && faults.iter().all(is_found), "{faults:?}");
}
