//! Items of webhooks as other versions write them, and items that this version cannot read.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use e2e::TestApp;
use http::Method;
use hyperdex_local::WALLETS_TABLE;
use serde_json::{Value, json};
use uuid::Uuid;

use super::receiver::{Receiver, kinds};
use super::{Hook, hook, register, settle};

const FIRST: [&str; 6] = [
    "wallet.created",
    "credential.active",
    "credential.renewed",
    "credential.expiring",
    "credential.revoked",
    "credential.drift",
];

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// The table, and the item of one webhook.
struct Stored {
    client: Client,
    slot: u8,
}

impl Stored {
    fn new(app: &TestApp, hook: &Hook) -> Self {
        let slot = u8::from_str_radix(&hook.id[..1], 16).unwrap();
        Self { client: Client::clone(&app.stack.aws().dynamodb()), slot }
    }

    fn key(&self) -> [(String, AttributeValue); 2] {
        let sort = format!("webhook#{}", self.slot);
        [("pk".to_owned(), text("local#H")), ("sk".to_owned(), text(&sort))]
    }

    /// Returns `events` and `moreEvents`.
    async fn types(&self) -> (Vec<String>, BTreeMap<String, bool>) {
        let key = self.key().into();
        let read = self.client.get_item().table_name(WALLETS_TABLE).set_key(Some(key));
        let item = read.send().await.unwrap().item.unwrap();
        let events = item["events"].as_l().unwrap().iter();
        let events = events.map(|name| name.as_s().unwrap().clone()).collect();
        let more = item.get("moreEvents").map(|more| more.as_m().unwrap().clone());
        let more = more.into_iter().flatten();
        (events, more.map(|(name, sent)| (name, *sent.as_bool().unwrap())).collect())
    }

    /// Writes the types as another version does.
    async fn write(&self, events: &[&str], more: Option<&[(&str, bool)]>) {
        let names = events.iter().map(|name| text(name)).collect();
        let update = self
            .client
            .update_item()
            .table_name(WALLETS_TABLE)
            .set_key(Some(self.key().into()))
            .expression_attribute_names("#events", "events")
            .expression_attribute_names("#more", "moreEvents")
            .expression_attribute_values(":events", AttributeValue::L(names));
        let update = match more {
            None => update.update_expression("SET #events = :events REMOVE #more"),
            Some(more) => {
                let flag =
                    |(name, sent): &(&str, bool)| ((*name).to_owned(), AttributeValue::Bool(*sent));
                let more = AttributeValue::M(more.iter().map(flag).collect());
                update
                    .update_expression("SET #events = :events, #more = :more")
                    .expression_attribute_values(":more", more)
            }
        };
        update.send().await.unwrap();
    }
}

async fn put(app: &TestApp, id: &str, body: Value) -> Value {
    let path = format!("/api/webhooks/{id}");
    let reply = app.send(app.request(Method::PUT, &path).json(&body)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body["webhook"]["events"].clone()
}

async fn listed(app: &TestApp) -> Value {
    app.get("/api/webhooks").await.body["webhooks"][0]["events"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn types_of_orders_are_stored_apart() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    let stored = Stored::new(&app, &hook);
    let flags = |placed, rejected, resolved| {
        let named = [
            ("order.placed", placed),
            ("order.rejected", rejected),
            ("order.unknown_resolved", resolved),
        ];
        BTreeMap::from(named.map(|(name, sent)| (name.to_owned(), sent)))
    };
    // Versions without these types refuse a record with another word in `events`.
    assert_eq!(stored.types().await, (FIRST.map(String::from).to_vec(), flags(true, true, true)));
    assert_eq!(listed(&app).await.as_array().unwrap().len(), 9);
    let wanted = json!(["wallet.created", "order.rejected"]);
    assert_eq!(put(&app, &hook.id, json!({ "events": wanted })).await, wanted);
    let first = vec!["wallet.created".to_owned()];
    assert_eq!(stored.types().await, (first, flags(false, true, false)));
    // As the versions that introduced the types of orders wrote them.
    stored.write(&["wallet.created", "order.placed"], None).await;
    let both = json!(["wallet.created", "order.placed"]);
    assert_eq!(listed(&app).await, both);
    assert_eq!(put(&app, &hook.id, json!({ "description": "mine" })).await, both);
    assert_eq!(
        put(&app, &hook.id, json!({ "events": ["order.placed"] })).await,
        json!(["order.placed"])
    );
    assert_eq!(stored.types().await, (Vec::new(), flags(true, false, false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn type_of_a_later_version_is_ignored_and_kept() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let hook = hook(&app, &receiver.url).await;
    let stored = Stored::new(&app, &hook);
    stored.write(&["wallet.created"], Some(&[("fill.made", true), ("order.placed", true)])).await;
    assert_eq!(listed(&app).await, json!(["wallet.created", "order.placed"]));
    app.wallet("user_1").await;
    settle(&app).await;
    assert_eq!(kinds(&receiver.take()), ["wallet.created"]);
    let changed = put(&app, &hook.id, json!({ "events": ["credential.active"] })).await;
    assert_eq!(changed, json!(["credential.active"]));
    let (events, more) = stored.types().await;
    assert_eq!(events, ["credential.active"]);
    assert_eq!(more.get("fill.made"), Some(&true));
    assert!(more.iter().all(|(name, sent)| *sent == (name == "fill.made")), "{more:?}");

    // The later version has stored an event and its delivery.
    put(&app, &hook.id, json!({ "events": ["wallet.created"] })).await;
    let id = format!("evt_{:012x}{}", app.clock.now_ms(), "0".repeat(24));
    let (event, delivery) = ("local#E#0".to_owned(), format!("local#D#{}#0", hook.id));
    for (partition, sample) in [
        (event, include_str!("../../../../../shared/tests/samples/event-later.v1.json")),
        (delivery, include_str!("../../../../../shared/tests/samples/delivery-later.v1.json")),
    ] {
        let sample: serde_dynamo::Item = serde_json::from_str(sample).unwrap();
        let mut item: std::collections::HashMap<String, AttributeValue> = sample.into();
        item.insert("pk".to_owned(), text(&partition));
        item.insert("sk".to_owned(), text(&id));
        item.insert("eventId".to_owned(), text(&id));
        let put = stored.client.put_item().table_name(WALLETS_TABLE).set_item(Some(item));
        put.send().await.unwrap();
    }
    let deliveries = app.get(&format!("/api/webhooks/{}/deliveries", hook.id)).await;
    assert_eq!(deliveries.status, 200, "{deliveries:?}");
    let rows = deliveries.body["deliveries"].as_array().unwrap();
    assert!(rows.len() == 1 && rows[0]["type"] == "wallet.created", "{rows:?}");
    let path = format!("/api/webhooks/{}/replay", hook.id);
    let replayed = app.post(&path, json!({})).await;
    assert_eq!((replayed.status, &replayed.body["queued"]), (202, &json!(1)), "{replayed:?}");
    settle(&app).await;
    assert_eq!(kinds(&receiver.take()), ["wallet.created"]);
}

/// Writes an item that no version has written.
async fn write_unreadable(client: &Client, pk: &str, sk: &str) {
    let put = client
        .put_item()
        .table_name(WALLETS_TABLE)
        .item("pk", text(pk))
        .item("sk", text(sk))
        .item("schema", AttributeValue::N("99".to_owned()));
    put.send().await.unwrap();
}

/// Items that cannot be read, of this tenant and of another one, delay no event.
#[tokio::test(flavor = "multi_thread")]
async fn unreadable_item_does_not_stop_the_stream() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    hook(&app, &receiver.url).await;
    let damaged = app.wallet("user_1").await.text("/walletId").to_owned();
    register(&app, "aster", "user_1", false).await;
    settle(&app).await;
    receiver.take();
    let client = Client::clone(&app.stack.aws().dynamodb());
    let other = Uuid::from_u128(7);
    write_unreadable(&client, &format!("other#W#{other}"), "record").await;
    write_unreadable(&client, &format!("other#W#{other}"), "credential#aster").await;
    write_unreadable(&client, "local#H", "webhook#9").await;
    write_unreadable(&client, &format!("local#W#{damaged}"), "record").await;
    let gone = client
        .delete_item()
        .table_name(WALLETS_TABLE)
        .key("pk", text(&format!("local#W#{damaged}")))
        .key("sk", text("credential#aster"));
    gone.send().await.unwrap();
    app.wallet("user_2").await;
    settle(&app).await;
    let mut arrived = receiver.take();
    arrived.sort_by_key(|one| one.kind());
    assert_eq!(kinds(&arrived), ["credential.revoked", "wallet.created"]);
    let data = arrived[0].json()["data"].clone();
    assert!(data["walletId"] == json!(damaged) && data.get("userId").is_none(), "{data}");
    assert_eq!(arrived[1].json()["data"]["userId"], "user_2");
}
