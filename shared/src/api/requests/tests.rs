mod trading;

use std::collections::BTreeSet;

use domain::random::Random;
use http::{HeaderMap, Uri};
use serde_json::json;
use utoipa::ToSchema;

use super::*;
use crate::api::body::{JsonBody, field_names};
use crate::api::error::ApiError;
use crate::store::WebhookId;
use crate::webhooks::{EventType, Replay, Targets};

fn body(text: &str) -> JsonBody {
    JsonBody::parse(&HeaderMap::new(), text.as_bytes()).unwrap()
}

fn uri() -> Uri {
    Uri::from_static("/")
}

/// Detects a field that `read` names differently from the schema: it would be refused or ignored.
#[test]
fn request_type_reads_every_field_of_its_schema() {
    fn each<T: ToSchema>(
        good: &serde_json::Value,
        read: impl Fn(&JsonBody) -> Result<T, ApiError>,
    ) {
        let names = field_names::<T>();
        let given: BTreeSet<String> = good.as_object().unwrap().keys().cloned().collect();
        assert_eq!(given, names.iter().cloned().collect(), "{}", T::name());
        assert!(read(&body(&good.to_string())).is_ok(), "{}", T::name());
        for name in names {
            let mut bad = good.clone();
            bad[&name] = json!({});
            let error = read(&body(&bad.to_string())).err().unwrap();
            assert!(error.error.starts_with(&format!("{name} must be")), "{}", error.error);
        }
        let error = read(&body(r#"{"other":1}"#)).err().unwrap();
        assert_eq!(error.error, "Unknown field: other");
    }
    let name = "user_123";
    each(&json!({ "userId": name }), CreateWallet::read);
    each(&json!({ "message": "Hello" }), |body| SignMessage::read(name, &uri(), body));
    each(&json!({ "walletIdOrAddress": name, "autoRenew": false }), |body| {
        RegisterApiKey::read(&uri(), body)
    });
    each(&json!({ "walletIdOrAddress": name }), |body| RotateApiKey::read(&uri(), body));
    each(&json!({ "walletIdOrAddress": name, "removedOnExchange": true }), |body| {
        DeleteApiKey::read(&uri(), body)
    });
    let agent = "/?walletIdOrAddress=user_123".parse().unwrap();
    each(&json!({}), |body| DeleteAgent::read(&agent, body));
    let webhook = json!({
        "url": "https://example.com", "events": ["wallet.created"], "description": "back office",
    });
    each(&webhook, |body| CreateWebhook::read(body, Targets::Public));
    let id = WebhookId::draw(0, &Random::system()).unwrap().to_string();
    each(&json!({}), |body| DeleteWebhook::read(&id, body));
    let replay = json!({ "eventId": "", "from": "", "to": "", "cursor": "" });
    each(&replay, |body| ReplayWebhook::read(&id, body));
}

#[test]
fn absent_null_and_empty_are_missing() {
    for text in ["", "{}", r#"{"userId":null}"#, r#"{"userId":""}"#] {
        let error = CreateWallet::read(&body(text)).unwrap_err();
        assert_eq!(error.error, "Missing required parameter: userId", "{text}");
    }
}

#[test]
fn wrong_type_names_the_field() {
    for text in [r#"{"userId":1}"#, r#"{"userId":["a"]}"#, r#"{"userId":{}}"#] {
        let error = CreateWallet::read(&body(text)).unwrap_err();
        assert_eq!(error.error, "userId must be a string", "{text}");
    }
}

#[test]
fn unknown_field_is_named() {
    let read = |text: &str| RegisterApiKey::read(&uri(), &body(text));
    let error = read(r#"{"walletIdOrAddress":"a","autorenew":false}"#).unwrap_err();
    assert_eq!((error.status, &*error.error), (400, "Unknown field: autorenew"));
    assert!(error.message.contains("autoRenew"), "{}", error.message);
    for taken in [
        r#"{"walletIdOrAddress":"a","credentials":{"aster":{}},"broker":1000}"#,
        r#"{"walletIdOrAddress":"a","userId":"a","walletId":"a","address":"a"}"#,
    ] {
        assert!(read(taken).is_ok(), "{taken}");
    }
    assert!(CreateWallet::read(&body(r#"{"userId":"a","walletId":"a"}"#)).is_err());
}

#[test]
fn flag_that_is_absent_has_its_default() {
    for (text, renewed) in [
        (r#"{"walletIdOrAddress":"a"}"#, true),
        (r#"{"walletIdOrAddress":"a","autoRenew":null}"#, true),
        (r#"{"walletIdOrAddress":"a","autoRenew":false}"#, false),
    ] {
        assert_eq!(RegisterApiKey::read(&uri(), &body(text)).unwrap().auto_renew, renewed);
    }
    let deleted = DeleteApiKey::read(&uri(), &body(r#"{"walletIdOrAddress":"a"}"#)).unwrap();
    assert!(!deleted.removed_on_exchange);
}

#[test]
fn create_webhook_parses_its_body() {
    let read = |text: &str| {
        let read = CreateWebhook::read(&body(text), Targets::Public);
        read.map_err(|error| error.error.into_owned())
    };
    let all = read(r#"{"url":"https://example.com/in"}"#).unwrap();
    assert_eq!((all.url.as_str(), all.events.len()), ("https://example.com/in", 9));
    let some = r#"{"url":"https://example.com","events":["wallet.created","wallet.created"]}"#;
    assert_eq!(read(some).unwrap().events, [EventType::WalletCreated]);
    for (body, starts) in [
        ("{}", "Missing required parameter: url"),
        (r#"{"url":1}"#, "url must be a string"),
        (r#"{"url":"http://example.com"}"#, "url must begin with https://"),
        (r#"{"url":"https://example.com","events":[]}"#, "events must name"),
        (r#"{"url":"https://example.com","events":["x"]}"#, "events must be event types"),
        (r#"{"url":"https://example.com","events":"x"}"#, "events must be a list"),
        (r#"{"url":"https://example.com","events":[1]}"#, "events must be a list"),
        (r#"{"url":"https://example.com","description":1}"#, "description must be"),
        (r#"{"url":"https://example.com","description":"a\nb"}"#, "description must have"),
    ] {
        let error = read(body).unwrap_err();
        assert!(error.starts_with(starts), "{body}: {error}");
    }
}

#[test]
fn replay_takes_one_event_or_a_period() {
    let now_ms = 1_762_765_034_479;
    let id = WebhookId::draw(0, &Random::system()).unwrap().to_string();
    let read = |text: &str| {
        let tenant = "one".parse().unwrap();
        let read = ReplayWebhook::read(&id, &body(text));
        let read = read.and_then(|request| request.replay(&tenant, now_ms));
        read.map_err(|error| error.error.into_owned())
    };
    let Ok(Replay::Between { from_ms, to_ms, position }) = read("{}") else { panic!() };
    assert_eq!((to_ms, from_ms, position.shard), (now_ms, now_ms - 2_592_000_000, 0));
    let times = r#"{"from":"2025-11-01T00:00:00Z","to":"2025-11-02T00:00:00.5+01:00"}"#;
    let Ok(Replay::Between { from_ms, to_ms, .. }) = read(times) else { panic!() };
    assert_eq!((from_ms, to_ms), (1_761_955_200_000, 1_762_038_000_500));
    for body in [
        r#"{"from":"yesterday"}"#,
        r#"{"from":"2025-11-02T00:00:00Z","to":"2025-11-01T00:00:00Z"}"#,
        r#"{"eventId":"x"}"#,
        r#"{"cursor":"x"}"#,
        r#"{"eventId":"evt_0123456789ab0123456789ab0123456789ab","to":"2025-11-01T00:00:00Z"}"#,
    ] {
        assert!(read(body).is_err(), "{body}");
    }
}
