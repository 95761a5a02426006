//! Tests conflicts and throttling as AWS reports them. A call that AWS rejects without executing is
//! retried. If all attempts are rejected, the caller gets a "busy" error, not "in progress".

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::{Exchange, Tenant};
use e2e::kill::{Call, Harness, ONE_IN, drawn, ended};
use e2e::proxy::{Arrival, Fate, Rejection};
use e2e::{Reply, TestApp, invariants};
use futures_util::future::join_all;
use hyperdex_local::WALLETS_TABLE;
use serde_json::json;

const USER: &str = "user_1";
const WRITES: [&str; 4] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];

fn is_write(call: &str) -> bool {
    call.contains("DynamoDB.") && WRITES.iter().any(|write| call.ends_with(write))
}

/// Sends the call in a process in which the nth call of this name is rejected once.
async fn rejected_once(
    h: &Harness,
    call: &Call,
    rejection: Rejection,
    name: &str,
    nth: usize,
) -> Reply {
    let name = name.to_owned();
    let process = h.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
        let here = arrival.name == name && arrival.nth_of_name == nth;
        if here { Fate::Reject(rejection) } else { Fate::Pass }
    }));
    h.call(&process, call).await.unwrap()
}

/// Rejects the calls of an operation, each once, and expects the usual result. It tests some calls
/// at random (see [`drawn`]), or all of them with `EVERY_CASE=1`.
async fn each_rejected_once(
    h: &Harness,
    rejection: Rejection,
    rejects: fn(&str) -> bool,
    prepare: impl AsyncFn() -> Call,
) {
    let call = prepare().await;
    let process = h.proxy.process();
    let usual = h.call(&process, &call).await.unwrap();
    assert_eq!(usual.status / 100, 2, "{usual:?}");
    let mut made = BTreeMap::<String, usize>::new();
    let calls = process.calls().into_iter().filter(|name| rejects(name));
    let calls = calls.map(|name| {
        let nth = made.entry(name.clone()).or_default();
        *nth += 1;
        (name, *nth)
    });
    let calls: Vec<_> = calls.collect();
    assert!(!calls.is_empty());
    for (name, nth) in drawn(calls, ONE_IN) {
        let call = prepare().await;
        let reply = rejected_once(h, &call, rejection, &name, nth).await;
        assert_eq!(reply.status, usual.status, "{rejection:?} {name} #{nth}: {reply:?}");
    }
}

/// Tests every operation of a wallet and of a credential.
async fn every_operation(rejection: Rejection, rejects: fn(&str) -> bool) {
    let h = Harness::start().await;
    let users = std::sync::atomic::AtomicUsize::new(0);
    let next = || format!("u{}", users.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
    each_rejected_once(&h, rejection, rejects, async || Call::create(&next())).await;
    h.app.wallet(USER).await;
    each_rejected_once(&h, rejection, rejects, async || Call::sign(USER).keyed(next())).await;
    for exchange in Exchange::ALL {
        let registered = async || {
            h.app.clock.advance_ms(120_000);
            h.finish(&Call::register(exchange, USER), ended::registered).await;
        };
        let gone = async || {
            h.app.clock.advance_ms(120_000);
            h.finish(&Call::delete(exchange, USER), ended::deleted).await;
        };
        each_rejected_once(&h, rejection, rejects, async || {
            gone().await;
            Call::register(exchange, USER).keyed(next())
        })
        .await;
        each_rejected_once(&h, rejection, rejects, async || {
            registered().await;
            Call::rotate(exchange, USER).keyed(next())
        })
        .await;
        each_rejected_once(&h, rejection, rejects, async || {
            registered().await;
            Call::delete(exchange, USER).keyed(next())
        })
        .await;
        invariants::assert_none_left(&h.app, USER, exchange).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn write_with_one_conflict_is_retried() {
    every_operation(Rejection::Conflict, is_write).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn write_throttled_once_is_retried() {
    every_operation(Rejection::Throttled, is_write).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_invocation_is_retried() {
    every_operation(Rejection::Throttled, |name| name == "Lambda.Invoke").await;
}

/// A failed invocation may have been executed, so it is not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn failed_invocation_is_not_retried() {
    let h = Harness::start().await;
    h.app.wallet(USER).await;
    for fault in [
        exchange_sim::faults::Fault::Status(500, "{}".to_owned()),
        exchange_sim::faults::Fault::Status(503, "{}".to_owned()),
        exchange_sim::faults::Fault::Reset,
    ] {
        let process = h.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
            if arrival.name == "Lambda.Invoke" { Fate::Fail(fault.clone()) } else { Fate::Pass }
        }));
        let reply = h.call(&process, &Call::sign(USER)).await.unwrap();
        assert_eq!((reply.status, reply.retry_after_s()), (503, Some(1)), "{reply:?}");
        assert_eq!(process.calls().iter().filter(|name| *name == "Lambda.Invoke").count(), 1);
    }
}

/// If conflicts persist, the error requests a retry and does not claim that another call is in
/// progress.
#[tokio::test(flavor = "multi_thread")]
async fn lasting_conflict_returns_busy_and_frees_the_lease() {
    let h = Harness::start().await;
    h.app.wallet(USER).await;
    for exchange in Exchange::ALL {
        // The second transaction follows the exchange's approval.
        for from in [1, 2] {
            let process = h.proxy.process_with(Box::new(move |arrival: Arrival<'_>| {
                let here = arrival.name == "DynamoDB.TransactWriteItems";
                if here && arrival.nth_of_name >= from {
                    return Fate::Reject(Rejection::Conflict);
                }
                Fate::Pass
            }));
            let key = format!("{exchange}-{from}");
            let call = Call::register(exchange, USER).keyed(key);
            let reply = h.call(&process, &call).await.unwrap();
            assert_eq!((reply.status, reply.text("/code")), (500, "STORE_BUSY"), "{reply:?}");
            assert_eq!(reply.retry_after_s(), Some(1));
            h.app.clock.advance_ms(1_000);
            let again = h.call(&h.proxy.process(), &call).await.unwrap();
            assert_eq!(again.status, 200, "{again:?}");
            invariants::assert_one_active(&h.app, USER, exchange).await;
            h.app.clock.advance_ms(120_000);
            h.finish(&Call::delete(exchange, USER), ended::deleted).await;
        }
    }
}

/// All signatures of a wallet extend one chain of audit records, two records each.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_concurrent_signatures_of_one_wallet_succeed() {
    let app = TestApp::start().await;
    app.wallet(USER).await;
    let signed = join_all((0..20).map(async |nth| {
        let body = json!({ "message": format!("message {nth}") });
        app.post(&format!("/api/wallets/{USER}/sign"), body).await
    }));
    let statuses: Vec<u16> = signed.await.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses, [200; 20]);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_calls_to_both_exchanges_do_not_conflict() {
    let app = TestApp::start().await;
    for round in 0..6 {
        let user = &format!("user_{round}");
        app.wallet(user).await;
        let both = Exchange::ALL.map(|exchange| app.register(exchange.as_str(), user));
        for reply in join_all(both).await {
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        let both = Exchange::ALL.map(|exchange| app.rotate(exchange.as_str(), user));
        for reply in join_all(both).await {
            assert_eq!(reply.status, 200, "{reply:?}");
        }
    }
}

/// An item of an earlier version, with the nonces of both exchanges, still counts.
#[tokio::test(flavor = "multi_thread")]
async fn nonces_item_of_earlier_version_is_used() {
    let app = TestApp::start().await;
    let wallet = app.wallet(USER).await;
    let id = wallet.text("/walletId");
    let ahead_ms = app.clock.now_ms() + 5_000;
    let text = |text: String| AttributeValue::S(text);
    let number = |number: u64| AttributeValue::N(number.to_string());
    let put = app.stack.aws().dynamodb().put_item().table_name(WALLETS_TABLE);
    put.item("pk", text(format!("local#W#{id}")))
        .item("sk", text("nonces".to_owned()))
        .item("schema", number(1))
        .item("aster", number(ahead_ms * 1_000))
        .item("hyperliquid", number(ahead_ms))
        .send()
        .await
        .unwrap();
    for exchange in Exchange::ALL {
        assert_eq!(app.register(exchange.as_str(), USER).await.status, 200);
    }
    let (tenant, name) = (Tenant::local(), USER.parse().unwrap());
    let view = app.stack.custody.store.find(&tenant, &name).await.unwrap().unwrap();
    assert_eq!(view.nonces.hyperliquid, ahead_ms + 1);
    assert_eq!(view.nonces.aster, ahead_ms * 1_000 + 1);
}
