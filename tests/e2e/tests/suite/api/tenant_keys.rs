//! The life of a tenant key: created, used, replaced, expired and revoked; and what a key is without
//! a record.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use axum::body::Body;
use domain::ids::Tenant;
use domain::random::Random;
use e2e::{Reply, TestApp};
use http::Method;
use hyperdex_local::WALLETS_TABLE;
use hyperdex_local::keys::KeyFile;
use platform::telemetry::RemoteCalls;
use serde_json::json;
use shared::access::{MAX_AGE_MS, Unrecorded};
use shared::store::{KeyRecord, TenantError, TenantRecord};
use shared::tenancy::{
    KeyId, KeyLabel, KeyState, MAX_KEYS, Scope, Scopes, TenantLimits, TenantState, draw_key_value,
};
use tower::ServiceExt;

const HOUR_MS: u64 = 60 * 60 * 1_000;

async fn create(app: &TestApp, key: &str, user: &str) -> Reply {
    let body = json!({ "userId": user });
    app.send_as(key, (Method::POST, "/api/wallets"), Some(&body)).await
}

async fn find(app: &TestApp, key: &str, user: &str) -> Reply {
    app.send_as(key, (Method::GET, &format!("/api/wallets/{user}")), None).await
}

/// The status and the code of a refusal; the status and nothing of a success.
async fn outcome(app: &TestApp, key: &str) -> (u16, String) {
    let reply = find(app, key, "user_1").await;
    (reply.status, reply.text("/code").to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Removes an item, as the restore of a table to a time before it was written does.
async fn lose(app: &TestApp, partition: &str, sort: &str) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let db = app.stack.aws().dynamodb();
    let delete = db.delete_item().table_name(WALLETS_TABLE);
    delete.key("pk", text(partition)).key("sk", text(sort)).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_one_tenant_share_its_wallets() {
    let app = TestApp::start().await;
    let (_, first) = app.key_with("acme", |_| {}).await;
    let (_, second) = app.key_with("acme", |_| {}).await;
    let (_, other) = app.key_with("other", |_| {}).await;
    let made = create(&app, &first, "user_1").await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(find(&app, &second, "user_1").await.body, made.body);
    assert_eq!(outcome(&app, &other).await, refused(404, "WALLET_NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_takes_effect_within_the_bound() {
    let app = TestApp::start().await;
    let (id, key) = app.key_with("acme", |_| {}).await;
    let (_, other) = app.key_with("acme", |_| {}).await;
    assert_eq!(create(&app, &key, "user_1").await.status, 201);
    let (store, change) = (app.store(), app.change("lost"));
    let revoked = store.revoke_key(&id, &change).await.unwrap();
    assert_eq!((revoked.state, revoked.revoked.as_ref()), (KeyState::Revoked, Some(&change)));
    // The process remembers the record for this long, by the clock that it was given.
    app.clock.advance_ms(MAX_AGE_MS - 1);
    assert_eq!(outcome(&app, &key).await.0, 200);
    app.clock.advance_ms(1);
    assert_eq!(outcome(&app, &key).await, refused(401, "TENANT_KEY_REVOKED"));
    assert_eq!(outcome(&app, &other).await.0, 200);
    // A second revocation changes nothing, and nothing makes the key active again.
    let again = store.revoke_key(&id, &app.change("again")).await.unwrap();
    assert_eq!(again, revoked);
    let expired = store.expire_key(&id, u64::MAX).await;
    assert!(matches!(expired, Err(TenantError::KeyRevoked(_))), "{expired:?}");
    let adopted = store.adopt(&id, &KeyLabel::default(), &change, &Random::system()).await;
    assert!(matches!(adopted, Err(TenantError::KeyExists(_))), "{adopted:?}");
    let same_id = KeyRecord::new(id.clone(), "acme".parse().unwrap(), &change);
    let added = store.add_key(&same_id, &Random::system()).await;
    assert!(matches!(added, Err(TenantError::KeyExists(_))), "{added:?}");
    app.clock.advance_ms(MAX_AGE_MS);
    assert_eq!(outcome(&app, &key).await, refused(401, "TENANT_KEY_REVOKED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tombstone_is_never_dropped_by_the_table() {
    let app = TestApp::start().await;
    let (id, key) = app.key_with("acme", |_| {}).await;
    app.store().revoke_key(&id, &app.change("lost")).await.unwrap();
    let of_key = |place: &str| place == format!("#key#{id}");
    let items = app.scan(WALLETS_TABLE).await;
    let item = items.iter().find(|item| of_key(item["pk"].as_s().unwrap())).unwrap();
    assert!(!item.contains_key("expiresAtS"), "{item:?}");
    // The list of the tenant's keys drops it, and the record stays.
    let listed = items.iter().find(|item| item["sk"].as_s().unwrap() == &format!("key#{id}"));
    let drops_s: u64 = listed.unwrap()["expiresAtS"].as_n().unwrap().parse().unwrap();
    assert_eq!(drops_s, app.clock.now_ms() / 1_000 + 90 * 24 * 60 * 60);
    lose(&app, "#tenant#acme", &format!("key#{id}")).await;
    assert!(app.store().keys(&"acme".parse().unwrap()).await.unwrap().is_empty());
    assert_eq!(outcome(&app, &key).await, refused(401, "TENANT_KEY_REVOKED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn key_whose_record_is_lost_opens_nothing() {
    let app = TestApp::start().await;
    let (id, key) = app.key_with("acme", |_| {}).await;
    assert_eq!(create(&app, &key, "user_1").await.status, 201);
    for (partition, sort) in [
        (format!("#key#{id}"), "key".to_owned()),
        ("#tenant#acme".to_owned(), format!("key#{id}")),
        ("#tenant#acme".to_owned(), "tenant".to_owned()),
    ] {
        lose(&app, &partition, &sort).await;
    }
    app.clock.advance_ms(MAX_AGE_MS);
    // Not a tenant of its own name, as a key from before records would be.
    assert_eq!(outcome(&app, &key).await, refused(403, "INVALID_API_KEY"));
    assert_eq!(create(&app, &key, "user_2").await.status, 403);
    assert!(
        app.scan(WALLETS_TABLE)
            .await
            .iter()
            .all(|item| { !item["pk"].as_s().unwrap().starts_with(&format!("{id}#")) })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn key_whose_record_was_never_written_opens_nothing() {
    let app = TestApp::start().await;
    let (id, value) = (KeyId::draw(&Random::system()).unwrap(), draw_key_value(&Random::system()));
    let value = value.unwrap();
    // A process that dies between the gateway's key and the record leaves this.
    KeyFile::new(app.data.path()).issue(&id, &value, &app.clock.clock()).unwrap();
    assert_eq!(outcome(&app, &value).await, refused(403, "INVALID_API_KEY"));
    assert_eq!(create(&app, &value, "user_1").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn key_of_earlier_version_is_tenant_of_its_own_name() {
    let app = TestApp::start().await;
    let key = app.key("named");
    let made = create(&app, &key, "user_1").await;
    assert_eq!(made.status, 201, "{made:?}");
    let id: KeyId = "named".parse().unwrap();
    assert!(app.store().key(&id).await.unwrap().is_none());

    // Adopted, it is the same tenant, which can have more keys.
    let (store, change, random) = (app.store(), app.change("adopted"), Random::system());
    let label: KeyLabel = "the first platform".parse().unwrap();
    let (tenant, record) = store.adopt(&id, &label, &change, &random).await.unwrap();
    assert_eq!((tenant.tenant.as_str(), &tenant.label), ("named", &label));
    assert_eq!((record.tenant.as_str(), record.scopes), ("named", Scopes::usual()));
    let again = store.adopt(&id, &label, &app.change("again"), &random).await.unwrap();
    assert_eq!(again, (tenant, record));
    let (_, second) = app.key_with("named", |_| {}).await;
    assert_eq!(find(&app, &second, "user_1").await.body, made.body);
    app.clock.advance_ms(MAX_AGE_MS);
    assert_eq!(find(&app, &key, "user_1").await.body, made.body);
    assert_eq!(store.tenants(None, 10).await.unwrap(), ["named".parse::<Tenant>().unwrap()]);

    // Revoked, it stays closed.
    store.revoke_key(&id, &change).await.unwrap();
    app.clock.advance_ms(MAX_AGE_MS);
    assert_eq!(outcome(&app, &key).await, refused(401, "TENANT_KEY_REVOKED"));
    assert_eq!(find(&app, &second, "user_1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_key_without_record_gets_a_tombstone() {
    let app = TestApp::start().await;
    let key = app.key("named");
    assert_eq!(create(&app, &key, "user_1").await.status, 201);
    let id: KeyId = "named".parse().unwrap();
    let tombstone = app.store().revoke_key(&id, &app.change("leaked")).await.unwrap();
    assert_eq!((tombstone.state, tombstone.tenant.as_str()), (KeyState::Revoked, "named"));
    app.clock.advance_ms(MAX_AGE_MS);
    assert_eq!(outcome(&app, &key).await, refused(401, "TENANT_KEY_REVOKED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn deployment_can_refuse_every_key_without_record() {
    let app =
        TestApp::start_with(|options| options.keys_without_record = Unrecorded::Refused).await;
    let (named, id) = (app.key("named"), "named".parse::<KeyId>().unwrap());
    assert_eq!(outcome(&app, &named).await, refused(403, "INVALID_API_KEY"));
    let change = app.change("adopted");
    let (label, random) = (KeyLabel::default(), Random::system());
    app.store().adopt(&id, &label, &change, &random).await.unwrap();
    app.clock.advance_ms(MAX_AGE_MS);
    assert_eq!(create(&app, &named, "user_1").await.status, 201);
    // The table is restored to a time before the adoption: the key is closed, not a tenant again.
    lose(&app, "#key#named", "key").await;
    app.clock.advance_ms(MAX_AGE_MS);
    assert_eq!(outcome(&app, &named).await, refused(403, "INVALID_API_KEY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn key_expires_and_is_used_from_its_networks_alone() {
    let app = TestApp::start().await;
    let at_ms = app.clock.now_ms() + 1_000;
    let (_, lasting) = app.key_with("acme", |_| {}).await;
    assert_eq!(create(&app, &lasting, "user_1").await.status, 201);
    let (id, short) = app.key_with("acme", |key| key.expires_at_ms = Some(at_ms)).await;
    let here = ["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
    let (_, near) = app.key_with("acme", |key| key.cidrs = here.to_vec()).await;
    let away = vec!["203.0.113.0/24".parse().unwrap()];
    let (_, far) = app.key_with("acme", |key| key.cidrs = away).await;
    assert_eq!(outcome(&app, &near).await.0, 200);
    assert_eq!(outcome(&app, &far).await, refused(403, "ADDRESS_NOT_ALLOWED"));
    // A request without a connection has no address. It is refused.
    assert_eq!(counted(&app, &near).await.0, 403);

    assert_eq!(outcome(&app, &short).await.0, 200);
    // The expiry is of the request's time, not of the time of the read.
    app.clock.advance_ms(1_000);
    assert_eq!(outcome(&app, &short).await, refused(401, "TENANT_KEY_EXPIRED"));
    // A rotation lets the old key expire, and cannot make it last longer.
    let store = app.store();
    assert_eq!(store.expire_key(&id, at_ms + 1).await.unwrap().expires_at_ms, Some(at_ms));
    assert_eq!(store.expire_key(&id, at_ms - 1).await.unwrap().expires_at_ms, Some(at_ms - 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn suspension_reaches_every_key_and_those_that_follow() {
    let app = TestApp::start().await;
    let tenant: Tenant = "acme".parse().unwrap();
    let (one, first) = app.key_with("acme", |_| {}).await;
    let (two, _) = app.key_with("acme", |_| {}).await;
    let (store, random) = (app.store(), Random::system());
    let leaked = app.change("a key has leaked");
    let suspended = store.set_tenant_state(&tenant, TenantState::Suspended, &leaked, &random).await;
    assert_eq!(suspended.unwrap().state_change, Some(leaked.clone()));
    let (three, _) = app.key_with("acme", |_| {}).await;
    for id in [&one, &two, &three] {
        let record = store.key(id).await.unwrap().unwrap();
        assert_eq!(record.tenant_state, TenantState::Suspended, "{id}");
    }
    let made = create(&app, &first, "user_1").await;
    assert_eq!((made.status, made.text("/code")), (403, "TENANT_SUSPENDED"));
    // A key can be revoked all the same. A second suspension changes nothing.
    store.revoke_key(&two, &leaked).await.unwrap();
    let later = app.change("");
    let again = store.set_tenant_state(&tenant, TenantState::Suspended, &later, &random);
    assert_eq!(again.await.unwrap().state_change, Some(leaked));
    let resumed = store.set_tenant_state(&tenant, TenantState::Active, &later, &random);
    assert_eq!(resumed.await.unwrap().state, TenantState::Active);
    let states = store.keys(&tenant).await.unwrap().into_iter();
    let states: HashMap<_, _> = states.map(|key| (key.key_id, key.state)).collect();
    assert_eq!((states.len(), states[&two]), (3, KeyState::Revoked));
    let nobody = "nobody".parse().unwrap();
    let unknown = store.set_tenant_state(&nobody, TenantState::Suspended, &later, &random);
    assert!(matches!(unknown.await, Err(TenantError::NotFound(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn tenant_limit_replaces_the_deployments_quota() {
    let app = TestApp::start_with(|options| options.wallets_per_tenant = 1).await;
    let (_, key) = app.key_with("acme", |_| {}).await;
    let tenant: Tenant = "acme".parse().unwrap();
    let (store, random) = (app.store(), Random::system());
    assert_eq!(create(&app, &key, "user_1").await.status, 201);
    let full = create(&app, &key, "user_2").await;
    assert_eq!((full.status, full.text("/code")), (422, "WALLET_QUOTA_REACHED"));
    let limits = TenantLimits { wallets: Some(2) };
    let changed = store.set_tenant_limits(&tenant, limits, &random).await.unwrap();
    assert_eq!(changed.limits, limits);
    app.clock.advance_ms(MAX_AGE_MS);
    // Keys that exist and keys that follow have the new limit.
    let (_, later) = app.key_with("acme", |_| {}).await;
    assert_eq!(create(&app, &key, "user_2").await.status, 201);
    for key in [&key, &later] {
        let full = create(&app, key, "user_3").await;
        assert!(full.text("/message").contains("quota of 2 wallets"), "{full:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_once_lose_no_key_and_no_suspension() {
    let app = TestApp::start().await;
    app.key_with("acme", |_| {}).await;
    let tenant: Tenant = "acme".parse().unwrap();
    let (store, random) = (app.store(), Random::system());
    let change = app.change("");
    let add = async |number: u32| {
        let id: KeyId = format!("key-{number}").parse().unwrap();
        store.add_key(&KeyRecord::new(id, tenant.clone(), &change), &random).await
    };
    let suspend = store.set_tenant_state(&tenant, TenantState::Suspended, &change, &random);
    let (suspended, one, two) = tokio::join!(suspend, add(1), add(2));
    suspended.unwrap();
    let keys = store.keys(&tenant).await.unwrap();
    let added = [one, two].into_iter().filter(Result::is_ok).count();
    assert!(added >= 1 && keys.len() == 1 + added, "{keys:?}");
    for key in keys {
        assert_eq!(key.tenant_state, TenantState::Suspended, "{}", key.key_id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tenant_has_at_most_twenty_keys() {
    let app = TestApp::start().await;
    let (mut ids, change) = (Vec::new(), app.change(""));
    for _ in 0..MAX_KEYS {
        ids.push(app.key_with("acme", |_| {}).await.0);
    }
    let (store, random) = (app.store(), Random::system());
    let one_more = KeyRecord::new("more".parse().unwrap(), "acme".parse().unwrap(), &change);
    let refused = store.add_key(&one_more, &random).await;
    assert!(matches!(refused, Err(TenantError::TooManyKeys(_))), "{refused:?}");
    store.revoke_key(&ids[0], &change).await.unwrap();
    assert_eq!(store.add_key(&one_more, &random).await.unwrap(), one_more);
    let record = TenantRecord::new(
        "acme".parse().unwrap(),
        KeyLabel::default(),
        &change,
        random.uuid().unwrap(),
    );
    let again = store.create_tenant(&record).await;
    assert!(matches!(again, Err(TenantError::Exists(_))), "{again:?}");
    let networks = KeyRecord {
        key_id: "wide".parse().unwrap(),
        cidrs: vec!["203.0.113.7".parse().unwrap(); 21],
        ..one_more
    };
    let refused = store.add_key(&networks, &random).await;
    assert!(matches!(refused, Err(TenantError::TooManyNetworks)), "{refused:?}");
}

/// Looks for a wallet by its id without a socket: the status, and what the call sent.
async fn counted(app: &TestApp, key: &str) -> (u16, BTreeMap<String, u32>) {
    let path = "/api/wallets/29dd4dc0-1ff9-4df6-a19f-936f997cbc5a";
    let request = http::Request::get(path).header("x-api-key", key).body(Body::empty()).unwrap();
    let response = app.stack.router.clone().oneshot(request).await.unwrap();
    let calls = response.extensions().get::<RemoteCalls>().unwrap().counts();
    (response.status().as_u16(), calls)
}

fn calls(list: &[(&str, u32)]) -> BTreeMap<String, u32> {
    list.iter().map(|(call, count)| ((*call).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn key_costs_one_read_in_twenty_seconds_and_one_write_an_hour() {
    let app = TestApp::start().await;
    // Half an hour, so that the test's steps are within one.
    app.clock.advance_ms(HOUR_MS * 3 / 2 - app.clock.now_ms() % HOUR_MS);
    let (id, key) = app.key_with("acme", |_| {}).await;
    let named = app.key("named");
    let found = ("DynamoDB.Query", 1);
    for (key, id) in [(&key, id), (&named, "named".parse().unwrap())] {
        let (read, write) = (("DynamoDB.GetItem", 1), ("DynamoDB.UpdateItem", 1));
        assert_eq!(counted(&app, key).await, (404, calls(&[found, read, write])));
        assert_eq!(counted(&app, key).await, (404, calls(&[found])));
        app.clock.advance_ms(MAX_AGE_MS);
        assert_eq!(counted(&app, key).await, (404, calls(&[found, read])));
        let used_ms = app.store().key_used_ms(&id).await.unwrap().unwrap();
        assert_eq!(used_ms, app.clock.now_ms() / HOUR_MS * HOUR_MS);
        app.clock.advance_ms(HOUR_MS);
        assert_eq!(counted(&app, key).await, (404, calls(&[found, read, write])));
        assert_eq!(app.store().key_used_ms(&id).await.unwrap(), Some(used_ms + HOUR_MS));
        // A clock that was ahead is set back: nothing that was read then is used.
        app.clock.set_back_ms(1_000);
        assert_eq!(counted(&app, key).await, (404, calls(&[found, read])));
        // A refusal is remembered as well.
        app.store().revoke_key(&id, &app.change("")).await.unwrap();
        app.clock.advance_ms(MAX_AGE_MS);
        assert_eq!(counted(&app, key).await, (401, calls(&[read])));
        assert_eq!(counted(&app, key).await, (401, calls(&[])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_stack_has_every_scope_but_admin() {
    let app = TestApp::start().await;
    assert_eq!(app.wallet("user_1").await.status, 201);
    assert_eq!(app.sign("user_1").await.status, 200);
    let presented = shared::access::Presented::Open(Tenant::local());
    let access = app.endpoints().access(&app.options);
    for scope in Scope::ALL {
        let required = shared::access::Requirement { scope, while_suspended: false };
        let admitted = access.admit(&presented, required).await;
        assert_eq!(admitted.is_ok(), scope != Scope::Admin, "{scope}");
    }
}
