//! Tests webhooks from a change of the table to the receiver, with the built functions.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::HeaderMap;
use hyperdex_local::WALLETS_TABLE;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::sync::mpsc;

use crate::event::{KEY_ID, event, get, post};
use crate::lambda::{Function, Invoked, Lambda, cloud};

type Deliveries = mpsc::UnboundedSender<(HeaderMap, Bytes)>;

async fn receive(State(sender): State<Deliveries>, headers: HeaderMap, body: Bytes) {
    sender.send((headers, body)).unwrap();
}

/// Sends a batch to a function, which must process all of it.
async fn batch(function: &mut Function, record: Value) {
    let done = function.invoke(json!({ "Records": [record] }).to_string()).await;
    let Invoked::Answered(done) = done else { panic!("{:?}", function.log()) };
    assert_eq!(done, json!({ "batchItemFailures": [] }), "{:?}", function.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn table_change_is_delivered_to_the_webhook() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let (sender, mut received) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    let router = Router::new().fallback(receive).with_state(sender);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut create = lambda.function("create-webhook", &stack);
    let made = create.call(&post("/api/webhooks", &json!({ "url": url }))).await;
    assert_eq!(made.status, 201, "{}", made.body["error"]);
    let id = made.text("/webhook/webhookId");

    // A stored wallet in the format of a stream record.
    let image: Value =
        serde_json::from_str(include_str!("../../../../shared/tests/samples/record.v1.json"))
            .unwrap();
    let wallet = image["walletId"]["S"].as_str().unwrap();
    let keys = json!({ "pk": { "S": format!("{KEY_ID}#W#{wallet}") }, "sk": { "S": "record" } });
    let change = json!({
        "eventName": "INSERT",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_790_000_000,
            "Keys": keys,
            "NewImage": image,
            "SequenceNumber": "1",
        },
    });
    let mut publish = lambda.function("publish-events", &stack);
    batch(&mut publish, change).await;
    let scanned = stack
        .aws()
        .dynamodb()
        .scan()
        .table_name(WALLETS_TABLE)
        .filter_expression("begins_with(pk, :events)")
        .expression_attribute_values(
            ":events",
            aws_sdk_dynamodb::types::AttributeValue::S(format!("{KEY_ID}#E#")),
        )
        .send()
        .await
        .unwrap();
    let [stored] = scanned.items() else { panic!("expected one stored event") };
    let event_id = stored["sk"].as_s().unwrap();
    let delivery = json!({ "tenant": KEY_ID, "webhookId": id, "eventId": event_id });
    let message = json!({
        "messageId": "1",
        "receiptHandle": "r",
        "body": delivery.to_string(),
        "attributes": { "ApproximateReceiveCount": "1" },
    });
    let mut deliver = lambda.function("deliver-webhook", &stack);
    batch(&mut deliver, message).await;
    let (headers, body) = received.recv().await.unwrap();
    assert_eq!(headers["webhook-id"].to_str().unwrap(), event_id);
    Webhook::new(made.text("/secret")).unwrap().verify(&body, &headers).unwrap();

    let path = format!("/api/webhooks/{id}/replay");
    let mut replay = lambda.function("replay-webhook", &stack);
    let replayed = replay.call(&post(&path, &json!({ "eventId": event_id }))).await;
    assert_eq!((replayed.status, &replayed.body["queued"]), (202, &json!(1)), "{replayed:?}");
    let mut list = lambda.function("list-webhooks", &stack);
    let listed = list.call(&get("/api/webhooks")).await;
    assert_eq!(listed.text("/webhooks/0/webhookId"), id);
    let mut deliveries = lambda.function("list-deliveries", &stack);
    let path = format!("/api/webhooks/{id}/deliveries");
    let tried = deliveries.call(&get(&path)).await;
    assert_eq!(tried.status, 200, "{tried:?}");
    assert_eq!(tried.body["deliveries"].as_array().map(Vec::len), Some(1), "{tried:?}");
    let mut test = lambda.function("test-webhook", &stack);
    let path = format!("/api/webhooks/{id}/test");
    let tested = test.call(&post(&path, &json!({}))).await;
    assert_eq!(tested.status, 202, "{tested:?}");
    let mut update = lambda.function("update-webhook", &stack);
    let change = json!(json!({ "description": "changed" }).to_string());
    let path = format!("/api/webhooks/{id}");
    let changed = update.call(&event("PUT", &path, &change)).await;
    assert_eq!((changed.status, changed.text("/webhook/description")), (200, "changed"));
    let mut delete = lambda.function("delete-webhook", &stack);
    let gone = delete.call(&event("DELETE", &format!("/api/webhooks/{id}"), &Value::Null)).await;
    assert_eq!(gone.status, 200, "{gone:?}");
    let rest = [&deliveries, &test, &update, &delete];
    for function in [&create, &publish, &deliver, &replay, &list].into_iter().chain(rest) {
        println!("processor time of one call, cold: {:?}; {}", function.used(), function.peak());
    }
}
