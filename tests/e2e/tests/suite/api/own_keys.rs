//! A tenant's own keys over HTTP: what a key may grant, rotate and revoke.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

use e2e::{Reply, TestApp};
use http::Method;
use serde_json::{Value, json};
use shared::access::MAX_AGE_MS;
use shared::tenancy::{KeyId, MAX_KEYS, Scope, Scopes, TenantState};

const HOUR_MS: u64 = 60 * 60 * 1_000;

/// A key of acme with these scopes.
async fn key(app: &TestApp, scopes: Scopes) -> (KeyId, String) {
    app.key_with("acme", |key| key.scopes = scopes).await
}

fn admin() -> Scopes {
    Scopes::usual().with(Scope::Admin)
}

async fn create(app: &TestApp, key: &str, body: Value) -> Reply {
    app.send_as(key, (Method::POST, "/api/keys"), Some(&body)).await
}

async fn rotate(app: &TestApp, key: &str, id: &str, body: Value) -> Reply {
    let path = format!("/api/keys/{id}/rotate");
    app.send_as(key, (Method::POST, &path), Some(&body)).await
}

async fn revoke(app: &TestApp, key: &str, id: &str, body: Option<Value>) -> Reply {
    let path = format!("/api/keys/{id}");
    app.send_as(key, (Method::DELETE, &path), body.as_ref()).await
}

async fn list(app: &TestApp, key: &str) -> Vec<Value> {
    let reply = app.send_as(key, (Method::GET, "/api/keys"), None).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body["keys"].as_array().unwrap().clone()
}

/// The status of a read with a key.
async fn reads(app: &TestApp, key: &str) -> u16 {
    app.send_as(key, (Method::GET, "/api/wallets"), None).await.status
}

fn code(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.text("/code"))
}

#[tokio::test(flavor = "multi_thread")]
async fn created_key_works_and_its_value_is_returned_once() {
    let app = TestApp::start().await;
    let (id, own) = key(&app, admin()).await;
    let made = create(&app, &own, json!({ "label": "desk", "scopes": ["read"] })).await;
    assert_eq!(made.status, 201, "the key is made");
    let value = made.text("/apiKey").to_owned();
    assert!(value.starts_with("hdxk") && value.len() == 68);
    assert_eq!(reads(&app, &value).await, 200);
    let refused = create(&app, &value, json!({ "label": "more" })).await;
    assert_eq!(code(&refused), (403, "SCOPE_MISSING"));

    let keys = list(&app, &own).await;
    assert!(!Value::from(keys.clone()).to_string().contains(&value[4..]), "a value is listed");
    let of = |id: &str| keys.iter().find(|key| key["keyId"] == id).unwrap();
    assert_eq!(of(id.as_str())["calling"], true);
    let new = of(made.text("/key/keyId"));
    assert_eq!((&new["scopes"], &new["state"]), (&json!(["read"]), &json!("active")));
    assert_eq!((&new["label"], &new["calling"]), (&json!("desk"), &json!(false)));
    assert!(new["lastUsedAt"].is_string(), "{new}");
    // The same label again is refused, and leaves no key at the gateway.
    let again = create(&app, &own, json!({ "label": "desk" })).await;
    assert_eq!(code(&again), (409, "TENANT_KEY_EXISTS"));
    assert_eq!(list(&app, &own).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn key_cannot_grant_what_it_lacks() {
    let app = TestApp::start().await;
    let (_, money) = key(&app, Scopes::all()).await;
    let at_ms = app.clock.now_ms() + HOUR_MS;
    let (_, bounded) = app
        .key_with("acme", |key| {
            key.scopes = admin().without(Scope::Sign);
            key.cidrs = vec!["127.0.0.0/8".parse().unwrap()];
            key.expires_at_ms = Some(at_ms);
        })
        .await;
    for (label, body) in [
        ("scope", json!({ "scopes": ["read", "money"] })),
        ("scope", json!({ "scopes": ["sign"] })),
        ("networks", json!({ "networks": ["0.0.0.0/0"] })),
        ("networks", json!({ "networks": ["127.0.0.1/32", "203.0.113.7/32"] })),
        ("expiry", json!({ "expiresAt": "2100-01-01T00:00:00Z" })),
    ] {
        let mut body = body;
        body["label"] = label.into();
        let refused = create(&app, &bounded, body).await;
        assert_eq!(code(&refused), (403, "GRANT_NOT_ALLOWED"), "{refused:?}");
    }
    assert_eq!(list(&app, &bounded).await.len(), 2, "nothing was made");
    // What the request leaves open is the calling key's.
    let made = create(&app, &bounded, json!({ "label": "heir" })).await;
    assert_eq!(made.status, 201, "the key is made");
    assert_eq!(made.body["key"]["networks"], json!(["127.0.0.0/8"]));
    let expected = domain::time::rfc3339_seconds(at_ms);
    assert_eq!(made.text("/key/expiresAt"), expected);
    let scopes = made.body["key"]["scopes"].as_array().unwrap();
    assert!(!scopes.contains(&json!("admin")) && !scopes.contains(&json!("sign")), "{scopes:?}");
    // A rotation would hand out what the key lacks as well.
    let rich = create(&app, &money, json!({ "label": "rich", "scopes": ["money"] })).await;
    assert_eq!(rich.status, 201, "the key is made");
    let stolen = rotate(&app, &bounded, rich.text("/key/keyId"), json!({})).await;
    assert_eq!(code(&stolen), (403, "GRANT_NOT_ALLOWED"), "{stolen:?}");
    // A key may revoke what it could not grant.
    let gone = revoke(&app, &bounded, rich.text("/key/keyId"), None).await;
    assert_eq!(gone.status, 200, "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_overlaps_for_the_chosen_time() {
    let app = TestApp::start().await;
    let (_, own) = key(&app, admin()).await;
    let (id, before) = key(&app, Scopes::usual()).await;
    assert_eq!(reads(&app, &before).await, 200);
    let made = rotate(&app, &own, id.as_str(), json!({ "overlapSeconds": 600 })).await;
    assert_eq!(made.status, 201, "the key is rotated");
    assert_eq!(made.text("/key/replaces"), id.as_str());
    let after = made.text("/apiKey").to_owned();
    assert_eq!((reads(&app, &before).await, reads(&app, &after).await), (200, 200));
    app.clock.advance_ms(590_000);
    assert_eq!(reads(&app, &before).await, 200);
    // Within the overlap, the key is not rotated a second time.
    let twice = rotate(&app, &own, id.as_str(), json!({})).await;
    assert_eq!(code(&twice), (409, "TENANT_KEY_REPLACED"), "{twice:?}");
    app.clock.advance_ms(10_000 + MAX_AGE_MS);
    assert_eq!((reads(&app, &before).await, reads(&app, &after).await), (401, 200));
    let late = rotate(&app, &own, id.as_str(), json!({})).await;
    assert_eq!(code(&late), (409, "TENANT_KEY_NOT_ACTIVE"), "{late:?}");
    // Without an overlap, the replaced key ends at once.
    let next = rotate(&app, &own, made.text("/key/keyId"), json!({ "overlapSeconds": 0 })).await;
    assert_eq!(next.status, 201, "the key is rotated");
    assert_eq!(reads(&app, &after).await, 403, "the gateway does not know it any more");
    assert_eq!(reads(&app, next.text("/apiKey")).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn key_revokes_itself_only_when_forced() {
    let app = TestApp::start().await;
    let (id, own) = key(&app, admin()).await;
    let (_, other) = key(&app, admin()).await;
    let refused = revoke(&app, &own, id.as_str(), None).await;
    assert_eq!(code(&refused), (409, "TENANT_KEY_IN_USE"), "{refused:?}");
    let refused = rotate(&app, &own, id.as_str(), json!({ "overlapSeconds": 0 })).await;
    assert_eq!(code(&refused), (409, "TENANT_KEY_IN_USE"), "{refused:?}");
    assert_eq!(reads(&app, &own).await, 200);
    let gone = revoke(&app, &own, id.as_str(), Some(json!({ "force": true }))).await;
    assert_eq!((gone.status, gone.text("/key/state")), (200, "revoked"), "{gone:?}");
    assert_eq!(reads(&app, &own).await, 403);
    // A second revocation changes nothing.
    let again = revoke(&app, &other, id.as_str(), None).await;
    assert_eq!(
        (again.status, &again.body["key"]["revokedAt"]),
        (200, &gone.body["key"]["revokedAt"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_another_tenant_are_not_found() {
    let app = TestApp::start().await;
    let (_, own) = key(&app, admin()).await;
    let (theirs, value) = app.key_with("other", |key| key.scopes = admin()).await;
    let nobody = "nobody".parse::<KeyId>().unwrap();
    for id in [theirs.as_str(), nobody.as_str()] {
        let rotated = rotate(&app, &own, id, json!({})).await;
        assert_eq!(code(&rotated), (404, "TENANT_KEY_NOT_FOUND"), "{rotated:?}");
        let revoked = revoke(&app, &own, id, None).await;
        assert_eq!(code(&revoked), (404, "TENANT_KEY_NOT_FOUND"), "{revoked:?}");
    }
    assert_eq!(reads(&app, &value).await, 200);
    assert!(app.store().key(&nobody).await.unwrap().is_none(), "no tombstone of a stranger's");
    assert!(list(&app, &own).await.iter().all(|key| key["keyId"] != theirs.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_tenant_revokes_keys_and_makes_none() {
    let app = TestApp::start().await;
    let (_, own) = key(&app, admin()).await;
    let (id, _) = key(&app, Scopes::usual()).await;
    let (store, random) = (app.store(), domain::random::Random::system());
    let (tenant, change) = ("acme".parse().unwrap(), app.change("a key has leaked"));
    store.set_tenant_state(&tenant, TenantState::Suspended, &change, &random).await.unwrap();
    let refused = create(&app, &own, json!({ "label": "desk" })).await;
    assert_eq!(code(&refused), (403, "TENANT_SUSPENDED"), "{refused:?}");
    let refused = rotate(&app, &own, id.as_str(), json!({})).await;
    assert_eq!(code(&refused), (403, "TENANT_SUSPENDED"), "{refused:?}");
    assert_eq!(revoke(&app, &own, id.as_str(), None).await.status, 200);
    assert_eq!(list(&app, &own).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_stack_has_no_keys_to_manage() {
    let app = TestApp::start().await;
    for (method, path, body) in [
        (Method::GET, "/api/keys", None),
        (Method::POST, "/api/keys", Some(json!({ "label": "first" }))),
        (Method::DELETE, "/api/keys/a", None),
    ] {
        let reply = app.send_as("any", (method, path), body.as_ref()).await;
        assert_eq!(code(&reply), (403, "SCOPE_MISSING"), "{reply:?}");
    }
    assert_eq!(reads(&app, "any").await, 200, "the stack is still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn tenant_with_all_keys_gets_no_more() {
    let app = TestApp::start().await;
    let (_, own) = key(&app, admin()).await;
    for number in 1..MAX_KEYS {
        let made = create(&app, &own, json!({ "label": format!("key {number}") })).await;
        assert_eq!(made.status, 201, "key {number}");
    }
    let refused = create(&app, &own, json!({ "label": "one more" })).await;
    assert_eq!(code(&refused), (409, "TOO_MANY_TENANT_KEYS"), "{refused:?}");
}

/// Two rotations of one key at the same time leave one new key, or none; never two.
#[tokio::test(flavor = "multi_thread")]
async fn rotations_at_once_leave_at_most_one_new_key() {
    let app = TestApp::start().await;
    let (_, own) = key(&app, admin()).await;
    let (id, before) = key(&app, Scopes::usual()).await;
    let one = || rotate(&app, &own, id.as_str(), json!({}));
    let replies = tokio::join!(one(), one(), one());
    let replies = [replies.0, replies.1, replies.2];
    let made = replies.iter().filter(|reply| reply.status == 201).count();
    assert!(made <= 1, "{replies:?}");
    assert!(replies.iter().all(|reply| matches!(reply.status, 201 | 409)), "{replies:?}");
    let keys = list(&app, &own).await;
    let live = |key: &&Value| key["replaces"] == id.as_str() && key["state"] == "active";
    assert_eq!(keys.iter().filter(live).count(), made);
    assert_eq!(reads(&app, &before).await, 200, "the replaced key works for the overlap");
}
