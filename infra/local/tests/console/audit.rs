//! The verification of the audit log from the console.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::clock::Clock;
use domain::random::Random;
use hyperdex_local::COSIGNER_TABLE;
use hyperdex_local::keys::KeyFile;
use serde_json::{Value, json};

use super::app::App;

async fn verified(app: &App, key: &str) -> Value {
    let (status, body) = app.read(key, "/console/data/audit").await;
    assert_eq!(status, 200, "{body}");
    body
}

/// Returns the item of a wallet's chain, and its table key.
async fn item(app: &App, pk: &str, sk: &str) -> HashMap<String, AttributeValue> {
    let db = app.stack.aws().dynamodb();
    let found = db
        .get_item()
        .table_name(COSIGNER_TABLE)
        .key("pk", AttributeValue::S(pk.to_owned()))
        .key("sk", AttributeValue::S(sk.to_owned()))
        .send()
        .await
        .unwrap();
    found.item.unwrap()
}

async fn put(app: &App, item: HashMap<String, AttributeValue>) {
    let db = app.stack.aws().dynamodb();
    db.put_item().table_name(COSIGNER_TABLE).set_item(Some(item)).send().await.unwrap();
}

async fn remove(app: &App, pk: &str, sk: &str) {
    let db = app.stack.aws().dynamodb();
    db.delete_item()
        .table_name(COSIGNER_TABLE)
        .key("pk", AttributeValue::S(pk.to_owned()))
        .key("sk", AttributeValue::S(sk.to_owned()))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn audit_verification_finds_edits_gaps_and_missing_chains() {
    let app = App::start(|_| {}).await;
    let keys = KeyFile::new(app.data.path());
    let [one, two] = ["one", "two"]
        .map(|name| keys.add(&name.parse().unwrap(), &Clock::system(), &Random::system()).unwrap());
    let mut ids = Vec::new();
    for user in ["alice", "bob"] {
        let (_, wallet) = app.post(&one, "/api/wallets", json!({ "userId": user })).await;
        ids.push(wallet["walletId"].as_str().unwrap().to_owned());
    }
    let (status, _) = app.post(&one, "/api/wallets/alice/sign", json!({"message": "hi"})).await;
    assert_eq!(status, 200);
    let intact = verified(&app, &one).await;
    assert_eq!((&intact["wallets"], &intact["faults"]), (&json!(2), &json!([])), "{intact}");
    assert_eq!(intact["records"], 4, "two keys, one permission and its signature");
    assert_eq!(intact["seals"], json!({"verified": true, "count": 0, "last": null, "faults": []}));
    assert_eq!(verified(&app, &two).await["wallets"], 0, "another tenant's");

    let alice = format!("one#W#{}", ids[0]);
    let kept = item(&app, &alice, "audit#000000000002").await;
    let mut edited = kept.clone();
    let body = kept["body"].as_s().unwrap().replace("local", "other");
    assert_ne!(&body, kept["body"].as_s().unwrap());
    edited.insert("body".to_owned(), AttributeValue::S(body));
    put(&app, edited).await;
    let found = verified(&app, &one).await;
    let fault = &found["faults"][0];
    assert_eq!((&fault["userId"], &fault["walletId"]), (&json!("alice"), &json!(ids[0])));
    assert_eq!(fault["fault"], "record 2 was edited: its hash is another");
    assert_eq!(found["faults"].as_array().unwrap().len(), 1, "{found}");

    remove(&app, &alice, "audit#000000000002").await;
    let found = verified(&app, &one).await;
    let faults: Vec<&str> =
        found["faults"].as_array().unwrap().iter().filter_map(|it| it["fault"].as_str()).collect();
    // The missing record was the permission of the signature after it.
    for fault in ["record 2 is missing", "record 3 signs a digest that no record before it allows"]
    {
        assert!(faults.contains(&fault), "{faults:?}");
    }
    put(&app, kept).await;
    assert_eq!(verified(&app, &one).await["faults"], json!([]));

    let bob = format!("one#W#{}", ids[1]);
    for sk in ["audit", "audit#000000000001"] {
        remove(&app, &bob, sk).await;
    }
    let found = verified(&app, &one).await;
    assert_eq!(found["faults"][0]["fault"], "the wallet has no record", "{found}");
    assert_eq!(found["faults"][0]["userId"], "bob");
}

#[tokio::test]
async fn audit_verification_compares_chains_with_seals() {
    let app = App::start(|_| {}).await;
    let (_, wallet) = app.post("any", "/api/wallets", json!({"userId": "alice"})).await;
    let pk = format!("local#W#{}", wallet["walletId"].as_str().unwrap());
    let run = app.stack.seal.run().await.unwrap();
    assert_eq!((&run["seals"], &run["heads"]), (&json!(1), &json!(1)), "{run}");
    let intact = verified(&app, "any").await;
    assert_eq!((&intact["seals"]["count"], &intact["faults"]), (&json!(1), &json!([])), "{intact}");
    assert!(intact["seals"]["last"].is_u64());
    // A deleted chain is known from its seal.
    for sk in ["audit", "audit#000000000001"] {
        remove(&app, &pk, sk).await;
    }
    let found = verified(&app, "any").await;
    assert_eq!(
        found["faults"][0]["fault"], "the whole chain is gone; it was sealed up to record 1",
        "{found}"
    );
}
