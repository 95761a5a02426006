//! A tenant key that is made, rotated or revoked by a process that dies at any of its remote calls.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it found")]

use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::Reply;
use e2e::kill::{Call, Harness, ended};
use http::Method;
use hyperdex_local::keys::{KeyEntry, KeyFile};
use serde_json::{Value, json};
use shared::access::MAX_AGE_MS;
use shared::store::KeyRecord;
use shared::store::is_usable;
use shared::tenancy::{KeyState, Scope, Scopes};

/// A stack, and a key that manages the tenant's keys.
async fn scene() -> (Harness, String) {
    let h = Harness::start().await;
    let admin = Scopes::usual().with(Scope::Admin);
    let (_, own) = h.app.key_with("acme", |key| key.scopes = admin).await;
    (h, own)
}

async fn keys(h: &Harness) -> Vec<KeyRecord> {
    h.app.store().keys(&"acme".parse().unwrap()).await.unwrap()
}

async fn reads(h: &Harness, key: &str) -> u16 {
    h.app.send_as(key, (Method::GET, "/api/wallets"), None).await.status
}

/// The records of the keys that the gateway lets in. Each has one, whatever died before.
async fn let_in(h: &Harness) -> Vec<KeyRecord> {
    let entries = KeyFile::new(h.app.data.path()).list().unwrap();
    let records = keys(h).await;
    let record = |entry: KeyEntry| {
        let found = records.iter().find(|record| record.key_id == entry.key_id);
        assert!(found.is_some(), "the gateway lets a key in that has no record: {entry:?}");
        found.cloned().unwrap()
    };
    entries.into_iter().filter(|entry| !entry.disabled).map(record).collect()
}

async fn gateway_and_records_agree(h: &Harness) {
    for record in let_in(h).await {
        assert_eq!(record.state, KeyState::Active, "{}", record.key_id);
    }
}

/// The response again, to the letter.
async fn replayed(h: &Harness, call: &Call) -> Reply {
    let reply = h.call(&h.proxy.process(), call).await.unwrap();
    assert_eq!(reply.headers["idempotent-replay"], "true", "{}", reply.status);
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn creation_that_dies_leaves_no_usable_key_without_an_owner() {
    let (h, own) = scene().await;
    let count = AtomicUsize::new(0);
    let prepare = async || {
        let label = format!("key-{}", count.fetch_add(1, Ordering::SeqCst));
        Call::tenant_key(&label, &own).keyed(label)
    };
    let watch = async |_: &Call| drop(let_in(&h).await);
    let check = async |call: &Call| {
        let reply = replayed(&h, call).await;
        assert_eq!(reply.status, 201);
        let value = reply.text("/apiKey");
        assert_eq!(reads(&h, value).await, 200);
        let now_ms = h.app.clock.now_ms();
        let usable: Vec<_> =
            keys(&h).await.into_iter().filter(|key| is_usable(key, now_ms)).collect();
        // The key that calls, and the one that was asked for.
        assert_eq!(usable.len(), 2, "{usable:?}");
        assert!(usable.iter().any(|key| key.key_id.as_str() == reply.text("/key/keyId")));
        gateway_and_records_agree(&h).await;
        let path = format!("/api/keys/{}", reply.text("/key/keyId"));
        let gone = h.app.send_as(&own, (Method::DELETE, &path), None).await;
        assert_eq!(gone.status, 200, "{gone:?}");
        h.app.clock.advance_ms(MAX_AGE_MS);
    };
    let row = h.drive_watched("create a tenant key", prepare, watch, ended::created, check).await;
    println!("{row}");
}

async fn rotation(overlap_s: u64) {
    let (h, own) = scene().await;
    let count = AtomicUsize::new(0);
    let before = std::sync::Mutex::new(String::new());
    let prepare = async || {
        let (id, value) = h.app.key_with("acme", |_| {}).await;
        *before.lock().unwrap() = value;
        let key = format!("rotation {}", count.fetch_add(1, Ordering::SeqCst));
        Call::rotated_tenant_key(id.as_str(), overlap_s, &own).keyed(key.replace(' ', "-"))
    };
    let watch = async |_: &Call| drop(let_in(&h).await);
    let check = async |call: &Call| {
        let reply = replayed(&h, call).await;
        assert_eq!(reply.status, 201);
        assert_eq!(reads(&h, reply.text("/apiKey")).await, 200);
        let value = before.lock().unwrap().clone();
        let expected = if overlap_s == 0 { 403 } else { 200 };
        assert_eq!(reads(&h, &value).await, expected);
        // The new key lasts: it did not take over the end of the one that it replaces.
        assert_eq!(reply.body["key"].get("expiresAt"), None::<&Value>);
        h.app.clock.advance_ms(overlap_s * 1_000 + MAX_AGE_MS);
        assert!(matches!(reads(&h, &value).await, 401 | 403));
        gateway_and_records_agree(&h).await;
        let now_ms = h.app.clock.now_ms();
        for key in keys(&h).await.iter().filter(|key| key.state == KeyState::Active) {
            // All but the key that calls make room for the next case.
            if key.replaces.is_some() || !is_usable(key, now_ms) {
                let path = format!("/api/keys/{}", key.key_id);
                h.app.send_as(&own, (Method::DELETE, &path), None).await;
            }
        }
    };
    let row = h.drive_watched("rotate a tenant key", prepare, watch, ended::created, check).await;
    println!("{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_with_overlap_that_dies_is_finished_by_its_repeat() {
    rotation(600).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_without_overlap_that_dies_is_finished_by_its_repeat() {
    rotation(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_that_dies_is_finished_by_its_repeat() {
    let (h, own) = scene().await;
    let count = AtomicUsize::new(0);
    let last = std::sync::Mutex::new(String::new());
    let prepare = async || {
        let (id, value) = h.app.key_with("acme", |_| {}).await;
        *last.lock().unwrap() = value;
        let key = format!("revocation-{}", count.fetch_add(1, Ordering::SeqCst));
        Call::revoked_tenant_key(id.as_str(), &own).keyed(key)
    };
    let check = async |call: &Call| {
        let reply = replayed(&h, call).await;
        assert_eq!((reply.status, reply.text("/key/state")), (200, "revoked"));
        let value = last.lock().unwrap().clone();
        assert_eq!(reads(&h, &value).await, 403, "the gateway refuses it at once");
        gateway_and_records_agree(&h).await;
    };
    let row = h.drive("revoke a tenant key", prepare, ended::done, check).await;
    println!("{row}");
}

/// Without an `Idempotency-Key`, the retry finds a key whose secret is lost. The error names the key.
#[tokio::test(flavor = "multi_thread")]
async fn creation_without_idempotency_key_that_dies_names_the_key() {
    let (h, own) = scene().await;
    let call = Call::tenant_key("desk", &own);
    h.kill(&call, "ApiGateway.POST keys", 1, e2e::proxy::Side::Before).await;
    let reply = h.call(&h.proxy.process(), &call).await.unwrap();
    assert_eq!((reply.status, reply.text("/code")), (409, "TENANT_KEY_EXISTS"));
    let made = keys(&h).await.into_iter().find(|key| key.label.to_string() == "desk");
    let id = made.unwrap().key_id;
    assert!(reply.text("/message").contains(id.as_str()), "{}", reply.text("/message"));
    let body = json!({ "overlapSeconds": 0 });
    let path = format!("/api/keys/{id}/rotate");
    let rotated = h.app.send_as(&own, (Method::POST, &path), Some(&body)).await;
    assert_eq!(rotated.status, 201, "the advice of the error works");
    assert_eq!(reads(&h, rotated.text("/apiKey")).await, 200);
}
