//! Kills a request with an `Idempotency-Key` at each of its remote calls. The operation happens
//! once, and every retry gets its result.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests report what they cover")]

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::eth::AgentKey;
use domain::ids::Exchange;
use e2e::invariants;
use e2e::kill::{Call, Harness, Row, ended};
use e2e::proxy::{Fate, Side};
use e2e::{DAY_MS, Reply};
use exchange_sim::faults::Fault;
use serde_json::Value;

const USER: &str = "user_1";

/// Generates a new idempotency key for each call.
#[derive(Default)]
struct Keys(AtomicUsize);

impl Keys {
    fn next(&self, call: Call) -> Call {
        call.keyed(format!("key-{}", self.0.fetch_add(1, Ordering::SeqCst)))
    }
}

async fn once(h: &Harness, call: &Call) -> Reply {
    h.call(&h.proxy.process(), call).await.unwrap()
}

/// Sends the call twice and checks that both responses are replays with the same body.
async fn replayed(h: &Harness, call: &Call) -> Reply {
    let (first, second) = (once(h, call).await, once(h, call).await);
    for reply in [&first, &second] {
        assert_eq!(reply.headers["idempotent-replay"], "true", "{call:?}: {reply:?}");
    }
    assert!(first.status == second.status && first.body == second.body, "{first:?} {second:?}");
    first
}

/// Checks that the response names the wallet's only agent, at the exchange and in the store, and
/// that the returned key belongs to it.
async fn assert_only_agent(h: &Harness, exchange: Exchange, reply: &Reply) {
    assert_eq!(reply.status, 200, "{reply:?}");
    invariants::assert_one_active(&h.app, USER, exchange).await;
    let view = invariants::view(&h.app, USER).await;
    let record = view.credential(exchange).unwrap();
    assert_eq!(reply.agent(exchange.as_str()), record.agent.to_string());
    assert!(record.request.is_none());
    if exchange == Exchange::Hyperliquid {
        let key = hex::decode(&reply.text("/data/apiPrivateKey")[2..]).unwrap();
        assert!(AgentKey::from_bytes(&key).unwrap().address() == record.agent);
    }
    h.app.clock.advance_ms(120_000);
}

fn report(rows: &[Row]) {
    for row in rows {
        println!("{row}");
    }
}

async fn scene() -> (Harness, Keys) {
    let h = Harness::start().await;
    h.app.create_wallet(USER).await;
    (h, Keys::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_killed_at_any_call_is_created_once_by_retry() {
    let h = Harness::start().await;
    let keys = Keys::default();
    let users = AtomicUsize::new(0);
    let prepare = async || {
        let user = format!("user_{}", users.fetch_add(1, Ordering::SeqCst));
        keys.next(Call::create(&user))
    };
    let check = async |call: &Call| {
        let reply = replayed(&h, call).await;
        assert_eq!(reply.status, 201, "this request created the wallet: {reply:?}");
        let other = keys.next(Call::create(&call.user));
        let other = once(&h, &other).await;
        assert!(other.status == 200 && other.body == reply.body, "{other:?}");
    };
    report(&[h.drive("create a wallet", prepare, ended::created, check).await]);
}

#[tokio::test(flavor = "multi_thread")]
async fn signature_killed_at_any_call_is_replayed() {
    let (h, keys) = scene().await;
    let prepare = async || keys.next(Call::sign(USER));
    let check = async |call: &Call| {
        let reply = replayed(&h, call).await;
        let view = invariants::view(&h.app, USER).await;
        assert_eq!((reply.status, reply.text("/message")), (200, "hello"));
        assert_eq!(reply.text("/address"), view.wallet.address.to_string());
    };
    report(&[h.drive("sign", prepare, ended::done, check).await]);
}

async fn registration(exchange: Exchange) {
    let (h, keys) = scene().await;
    let prepare = async || keys.next(Call::register(exchange, USER));
    let check = async |call: &Call| {
        let reply = replayed(&h, call).await;
        assert_only_agent(&h, exchange, &reply).await;
        invariants::erase_credential(&h.app, USER, exchange).await;
        // The stored response does not change.
        assert_eq!(replayed(&h, call).await.body, reply.body);
    };
    report(&[h.drive("register", prepare, ended::done, check).await]);
}

async fn rotation(exchange: Exchange) {
    rotations(exchange, false).await;
}

/// No slot is free, so the new agent replaces the old one by its name.
#[tokio::test(flavor = "multi_thread")]
async fn rotation_by_name_killed_at_any_call_is_replayed() {
    rotations(Exchange::Hyperliquid, true).await;
}

async fn rotations(exchange: Exchange, by_name: bool) {
    let (h, keys) = scene().await;
    if by_name {
        invariants::fill_agent_slots(&h.app, USER).await;
    }
    let before = std::sync::Mutex::new(String::new());
    let prepare = async || {
        h.finish(&Call::register(exchange, USER), ended::registered).await;
        let view = invariants::view(&h.app, USER).await;
        *before.lock().unwrap() = view.credential(exchange).unwrap().agent.to_string();
        keys.next(Call::rotate(exchange, USER))
    };
    let check = async |call: &Call| {
        let reply = replayed(&h, call).await;
        // The request made one new agent: the previous one is the agent from before the request.
        assert_eq!(reply.text("/data/previousAgentAddress"), *before.lock().unwrap());
        assert_eq!(reply.body["data"]["replacedByName"], Value::Bool(by_name));
        h.finish(&Call::renewal(USER), ended::idle).await;
        assert_only_agent(&h, exchange, &reply).await;
    };
    report(&[h.drive("rotate", prepare, ended::done, check).await]);
}

async fn deletion(exchange: Exchange) {
    let (h, keys) = scene().await;
    let before = std::sync::Mutex::new(String::new());
    let prepare = async || {
        h.finish(&Call::register(exchange, USER), ended::registered).await;
        let view = invariants::view(&h.app, USER).await;
        *before.lock().unwrap() = view.credential(exchange).unwrap().agent.to_string();
        keys.next(Call::delete(exchange, USER))
    };
    let check = async |call: &Call| {
        let reply = replayed(&h, call).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.text("/data/agentAddress"), *before.lock().unwrap());
        invariants::assert_none_left(&h.app, USER, exchange).await;
        h.app.clock.advance_ms(120_000);
    };
    report(&[h.drive("delete", prepare, ended::done, check).await]);
}

on_both! {
    registration: hyperliquid_registration_killed_is_replayed, aster_registration_killed_is_replayed;
    rotation: hyperliquid_rotation_killed_is_replayed, aster_rotation_killed_is_replayed;
    deletion: hyperliquid_deletion_killed_is_replayed, aster_deletion_killed_is_replayed;
}

/// If the job finishes a request, a retry still gets that result, even after later operations.
#[tokio::test(flavor = "multi_thread")]
async fn retry_returns_the_rotation_that_the_job_finished() {
    for exchange in [Exchange::Hyperliquid, Exchange::Aster] {
        let (h, keys) = scene().await;
        h.finish(&Call::register(exchange, USER), ended::registered).await;
        let rotate = keys.next(Call::rotate(exchange, USER));
        // The process is killed when the new agent is current and the old one is not removed yet.
        h.kill(&rotate, "DynamoDB.PutItem", 2, Side::After).await;
        h.app.clock.advance_ms(60 * 60 * 1_000);
        h.finish(&Call::renewal(USER), ended::idle).await;
        let view = invariants::view(&h.app, USER).await;
        let made = view.credential(exchange).unwrap().agent.to_string();
        // Another request rotates the key.
        h.app.clock.advance_ms(120_000);
        let other = keys.next(Call::rotate(exchange, USER));
        h.finish(&other, ended::done).await;
        let second = replayed(&h, &other).await;
        assert_ne!(second.agent(exchange.as_str()), made);
        h.app.clock.advance_ms(120_000);
        let first = once(&h, &rotate).await;
        assert_eq!(
            (first.status, first.agent(exchange.as_str())),
            (200, made.as_str()),
            "{first:?}"
        );
        assert_only_agent(&h, exchange, &second).await;
    }
}

/// A response that the service could not store is returned again: for ten minutes with a secret,
/// for a day without one.
#[tokio::test(flavor = "multi_thread")]
async fn unstored_response_shows_its_secret_for_ten_minutes() {
    let (h, keys) = scene().await;
    let without_storing = async |call: &Call| {
        let process = h.proxy.process_with(Box::new(|arrival| {
            let stores = arrival.name == "DynamoDB.UpdateItem"
                && arrival.body.windows(8).any(|text| text == b"\"answer\"");
            let error = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException"}"#;
            let refused = || Fate::Fail(Fault::Status(400, error.to_owned()));
            if stores { refused() } else { Fate::Pass }
        }));
        let reply = h.call(&process, call).await.unwrap();
        assert!(!reply.headers.contains_key("idempotent-replay"), "{call:?}: {reply:?}");
        reply
    };
    let hyperliquid = keys.next(Call::register(Exchange::Hyperliquid, USER));
    let webhook = keys.next(Call::webhook("https://hooks.example.com", USER));
    for (call, secret) in [(&hyperliquid, "/data/apiPrivateKey"), (&webhook, "/secret")] {
        let first = without_storing(call).await;
        assert!(first.status < 300 && !first.text(secret).is_empty(), "{first:?}");
        h.app.clock.advance_ms(9 * 60_000);
        // This response is not stored either, so the record of the operation decides how old it is.
        let again = without_storing(call).await;
        assert_eq!(again.text(secret), first.text(secret));
        h.app.clock.advance_ms(61_000);
        for _ in 0..2 {
            let late = without_storing(call).await;
            assert_eq!((late.status, late.text("/code")), (410, "SECRET_NOT_SHOWN_AGAIN"));
            h.app.clock.advance_ms(DAY_MS / 4);
        }
        // The key stays bound to the request.
        assert_eq!(once(&h, call).await.status, 410);
    }
    let aster = keys.next(Call::register(Exchange::Aster, USER));
    let first = without_storing(&aster).await;
    h.app.clock.advance_ms(DAY_MS / 2);
    let again = once(&h, &aster).await;
    assert_eq!((again.status, &again.body["data"]), (200, &first.body["data"]));
}
