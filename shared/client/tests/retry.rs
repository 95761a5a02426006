//! Tests of retries and their keys.

#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyperdex_client::{
    Builder, Client, Clock, Code, ErrorKind, Exchange, IdempotencyKey, Retry, Secret,
};
use serde_json::json;
use support::{Seen, Server, Step};

/// Makes a clock that advances when it is waited on, and a list of the waits.
fn clock() -> (Clock, Arc<Mutex<Vec<Duration>>>) {
    let waits = Arc::new(Mutex::new(Vec::<Duration>::new()));
    let (now, noted) = (waits.clone(), waits.clone());
    let clock = Clock::new(
        move || now.lock().unwrap().iter().sum(),
        move |wait| {
            noted.lock().unwrap().push(wait);
            tokio::task::yield_now()
        },
    );
    (clock, waits)
}

fn builder(server: &Server) -> (Builder, Arc<Mutex<Vec<Duration>>>) {
    let (clock, waits) = clock();
    (Client::builder(&server.url, &Secret::new("hdx_key")).unwrap().clock(clock), waits)
}

fn wallet(user: &str) -> Step {
    let wallet = json!({
        "success": true,
        "userId": user,
        "address": "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7",
        "walletId": "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a",
        "publicKey": "04",
    });
    Step::Answer(201, Vec::new(), wallet.to_string())
}

fn refused(status: u16, code: &str, wait: Option<u64>) -> Step {
    let headers = wait.map(|wait| ("retry-after", wait.to_string()));
    let body = json!({ "success": false, "error": "No", "code": code, "timestamp": 1 });
    Step::Answer(status, headers.into_iter().collect(), body.to_string())
}

fn keys(seen: &[Seen]) -> BTreeSet<Option<String>> {
    seen.iter().map(|seen| seen.headers.get("idempotency-key").cloned()).collect()
}

#[tokio::test]
async fn temporary_failure_is_retried_with_the_same_key() {
    let server = Server::start(|_, number| match number {
        1 => Step::Break,
        2 => refused(503, "SIGNER_UNAVAILABLE", Some(1)),
        3 => refused(429, "RATE_LIMITED", Some(7)),
        4 => Step::Answer(502, Vec::new(), "<html>Bad Gateway</html>".to_owned()),
        _ => wallet("user_1"),
    })
    .await;
    let (builder, waits) = builder(&server);
    let client = builder.build().unwrap();
    assert_eq!(client.create_wallet("user_1").await.unwrap().user_id, "user_1");
    let seen = server.take();
    assert_eq!((seen.len(), keys(&seen).len()), (5, 1), "{seen:?}");
    assert!(keys(&seen).iter().all(Option::is_some));
    let bodies: BTreeSet<&str> = seen.iter().map(|seen| seen.body.as_str()).collect();
    assert_eq!(bodies.len(), 1);
    let waits = waits.lock().unwrap().clone();
    // The time in `Retry-After`, plus a random wait that doubles from 200 ms on.
    let asked = [0, 1, 7, 0].map(Duration::from_secs);
    for ((waited, asked), while_) in waits.iter().zip(asked).zip([200, 400, 800, 1_600]) {
        let most = asked + Duration::from_millis(while_);
        assert!(*waited >= asked && *waited <= most, "{waits:?}");
    }
    assert_eq!(waits.len(), 4);
    // Another call has a different key.
    client.create_wallet("user_1").await.unwrap();
    assert_ne!(keys(&server.take()), keys(&seen));
}

#[tokio::test]
async fn permanent_failure_is_not_retried() {
    for (status, code, wait, times, retryable) in [
        (400, "BAD_REQUEST", None, 1, false),
        (404, "WALLET_NOT_FOUND", None, 1, false),
        (409, "API_KEY_EXISTS", None, 1, false),
        (409, "REGISTRATION_IN_PROGRESS", Some(2), 5, true),
        (422, "DEPOSIT_REQUIRED", None, 1, false),
        (429, "EXCHANGE_RATE_LIMIT", Some(1), 5, true),
        // A fault that the caller should see and decide about.
        (500, "INTERNAL", None, 1, true),
        (504, "EXCHANGE_TIMEOUT", None, 5, true),
    ] {
        let server = Server::start(move |_, _| refused(status, code, wait)).await;
        let (builder, _) = builder(&server);
        let error = builder.build().unwrap().register_aster("user_1").await.unwrap_err();
        assert_eq!((error.status(), error.code()), (Some(status), Some(&Code::from(code))));
        assert_eq!((error.attempts(), error.is_retryable()), (times, retryable), "{code}");
        assert_eq!(error.retry_after(), wait.map(Duration::from_secs));
        let seen = server.take();
        assert_eq!(seen.len(), times as usize, "{code}");
        let key = error.idempotency_key().map(ToString::to_string);
        assert_eq!(keys(&seen), BTreeSet::from([key]));
    }
}

#[tokio::test]
async fn retry_after_beyond_the_deadline_ends_the_call() {
    let server = Server::start(|_, _| refused(429, "QUOTA_EXCEEDED", Some(40_000))).await;
    let (builder, waits) = builder(&server);
    let error = builder.build().unwrap().wallet("user_1").await.unwrap_err();
    assert_eq!((error.attempts(), error.code()), (1, Some(&Code::QuotaExceeded)));
    assert!(waits.lock().unwrap().is_empty());
    // The same holds for many short waits.
    let server = Server::start(|_, _| refused(429, "RATE_LIMITED", Some(3))).await;
    let (builder, waits) = self::builder(&server);
    let retry = Retry { attempts: 100, deadline: Duration::from_secs(10), ..Retry::default() };
    let error = builder.retry(retry).build().unwrap().wallet("user_1").await.unwrap_err();
    assert!(matches!(error.attempts(), 2..=4), "{}", error.attempts());
    assert!(waits.lock().unwrap().iter().sum::<Duration>() < retry.deadline);
}

#[tokio::test]
async fn response_timeout_ends_the_attempt() {
    let server = Server::start(|_, number| match number {
        1 => Step::Hang,
        _ => wallet("user_1"),
    })
    .await;
    let (builder, _) = builder(&server);
    let retry = Retry { attempt_timeout: Duration::from_millis(200), ..Retry::default() };
    let client = builder.retry(retry).build().unwrap();
    client.create_wallet("user_1").await.unwrap();
    assert_eq!(keys(&server.take()).len(), 1);
}

#[tokio::test]
async fn lost_response_without_key_is_retried_for_reads_only() {
    let server = Server::start(|_, _| Step::Break).await;
    let client = builder(&server).0.without_keys().build().unwrap();
    let error = client.create_wallet("user_1").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoAnswer(_)), "{error:?}");
    assert_eq!((error.attempts(), error.idempotency_key()), (1, None));
    assert_eq!(keys(&server.take()), BTreeSet::from([None]));
    assert_eq!(client.wallet("user_1").await.unwrap_err().attempts(), 5);
    server.take();
    // With a key of the caller's own it is retried.
    let key = IdempotencyKey::parse("kept").unwrap();
    let error = client.with_key(key.clone()).create_wallet("user_1").await.unwrap_err();
    assert_eq!((error.attempts(), error.idempotency_key()), (5, Some(&key)));
    assert_eq!(keys(&server.take()), BTreeSet::from([Some("kept".to_owned())]));
    for none in ["", "a b", "ä", &"a".repeat(256)] {
        assert_eq!(IdempotencyKey::parse(none), None, "{none}");
    }
}

#[tokio::test]
async fn refused_connection_is_reported() {
    // A port that was free a moment ago.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let builder = Client::builder(&url, &Secret::new("hdx_key")).unwrap().clock(clock().0);
    let client = builder.without_keys().build().unwrap();
    let error = client.sign("user_1", "hello").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent(_)) && error.is_retryable(), "{error:?}");
    assert_eq!(error.attempts(), 5, "nothing was sent, so a call without a key is retried too");
    let text = format!("{error} {error:?}");
    assert!(!text.contains("user_1") && !text.contains("hdx_key"), "{text}");
}

#[tokio::test]
async fn response_of_another_service_is_an_error() {
    let server = Server::start(|_, number| match number {
        1 => Step::Answer(200, Vec::new(), "<html>it works!</html>".to_owned()),
        2 => Step::Answer(200, Vec::new(), "{}".to_owned()),
        // A redirect must not carry the tenant key to another host.
        3 => Step::Answer(307, vec![("location", "http://127.0.0.1:1/".to_owned())], String::new()),
        _ => Step::Answer(403, Vec::new(), r#"{"message":"Forbidden"}"#.to_owned()),
    })
    .await;
    let client = builder(&server).0.build().unwrap();
    for _ in 0..2 {
        let error = client.wallet("user_1").await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unreadable(_)), "{error:?}");
        assert!(!error.is_retryable());
    }
    for word in ["HTTP_307", "HTTP_403"] {
        let error = client.wallet("user_1").await.unwrap_err();
        assert_eq!(error.code(), Some(&Code::Other(word.to_owned())));
    }
    assert_eq!(server.take().len(), 4);
    // These would change the path.
    for name in [".", "..", ""] {
        let error = client.wallet(name).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Invalid(_)), "{error:?}");
    }
    assert_eq!(server.take().len(), 0);
}

#[tokio::test]
async fn all_wallets_resume_after_a_failed_page() {
    let page = |users: &[&str], next: Option<&str>| {
        let wallets: Vec<_> = users
            .iter()
            .map(|user| {
                json!({ "userId": user, "address": "0x", "publicKey": "04", "createdAt": "2025",
                    "walletId": "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a" })
            })
            .collect();
        let page = json!({ "success": true, "wallets": wallets, "nextCursor": next });
        Step::Answer(200, Vec::new(), page.to_string())
    };
    let server = Server::start(move |seen, number| {
        let cursor = seen.query.iter().find(|(name, _)| name == "cursor");
        match (cursor.map(|(_, value)| value.as_str()), number) {
            (None, _) => page(&["a", "b"], Some("two")),
            (Some("two"), _) => page(&[], Some("three")),
            (Some("three"), 3) => refused(500, "INTERNAL", None),
            _ => page(&["c"], None),
        }
    })
    .await;
    let client = builder(&server).0.build().unwrap();
    let mut wallets = client.all_wallets(2);
    let mut found = Vec::new();
    while let Some(wallet) = wallets.next().await {
        found.push(wallet.map(|wallet| wallet.user_id).map_err(|error| error.status()));
    }
    assert_eq!(found, [Ok("a".to_owned()), Ok("b".to_owned()), Err(Some(500)), Ok("c".to_owned())]);
    assert!(wallets.next().await.is_none());
    assert!(server.take().iter().all(|seen| seen.query[0] == ("limit".into(), "2".into())));
}

#[tokio::test]
async fn secret_is_readable_and_hidden_in_debug() {
    let server = Server::start(|_, _| {
        let body = json!({ "success": true, "timestamp": 1, "data": {
            "apiWalletAddress": "0xa", "apiPrivateKey": "0xsecret", "mainWalletAddress": "0xb",
            "expiryTimestamp": 2, "previousAgentRevoked": true, "replacedByName": false } });
        let headers = vec![("idempotent-replay", "true".to_owned())];
        Step::Answer(200, headers, body.to_string())
    })
    .await;
    let client = builder(&server).0.build().unwrap();
    let made = client.register_hyperliquid("user_1").await.unwrap();
    let again = client.rotate_hyperliquid("user_1").await.unwrap();
    for key in [&made.api_private_key, &again.api_private_key] {
        assert_eq!(key.as_ref().unwrap().expose(), "0xsecret");
    }
    assert!(made.replayed);
    let text = format!("{made:?} {again:?} {client:?}");
    assert!(!text.contains("secret") && !text.contains("hdx_key"), "{text}");
    // An exchange that this crate does not know keeps its name.
    let other: Exchange = serde_json::from_value(json!("binance")).unwrap();
    assert_eq!(other, Exchange::Other("binance".to_owned()));
}
