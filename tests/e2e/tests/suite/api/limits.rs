//! Tests the limits of the usage plan on the local stack.

use e2e::{DAY_MS, Reply, TestApp};
use http::Method;
use hyperdex_local::Limits;
use serde_json::json;

async fn sent(app: &TestApp, key: &str, times: usize) -> Vec<Reply> {
    let mut replies = Vec::new();
    for _ in 0..times {
        // A request with a bad identifier makes no remote call.
        replies.push(app.send_as(key, (Method::GET, "/api/wallets/a%20b"), None).await);
    }
    replies
}

fn refused(replies: &[Reply]) -> usize {
    replies.iter().filter(|reply| reply.status == 429).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn tenant_over_its_limits_returns_429_for_it_alone() {
    let limits = Limits { rate_per_s: 5, burst: 10, quota_per_day: 40 };
    let app = TestApp::start_with(|options| options.limits = Some(limits)).await;
    // Starts at 01:00 UTC, so that the daily quota does not reset during the test.
    app.clock.advance_ms(DAY_MS - app.clock.now_ms() % DAY_MS + 3_600_000);
    let (one, two) = (app.key("one"), app.key("two"));
    // Requests without a valid key do not consume the limits of other tenants.
    assert!(sent(&app, "nobody", 20).await.iter().all(|reply| reply.status == 403));

    let replies = sent(&app, &one, 15).await;
    assert_eq!(refused(&replies), 5);
    let last = replies.last().unwrap();
    assert_eq!(last.body["error"], "Too many requests");
    assert_eq!(
        (&last.body["code"], &last.body["success"]),
        (&json!("RATE_LIMITED"), &json!(false))
    );
    assert_eq!(last.body["timestamp"], app.clock.now_ms());
    assert_eq!(last.headers["retry-after"], "1");
    assert!(last.headers.contains_key("x-request-id"));
    assert_eq!(refused(&sent(&app, &two, 10).await), 0);

    app.clock.advance_ms(1_000);
    assert_eq!(refused(&sent(&app, &one, 6).await), 1);
    for _ in 0..3 {
        app.clock.advance_ms(2_000);
        sent(&app, &one, 10).await;
    }
    // 10, 5 and three times 10 requests exceed the quota of 40.
    let replies = sent(&app, &one, 1).await;
    assert_eq!(replies[0].body["code"], "QUOTA_EXCEEDED");
    let wait: u64 = replies[0].headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&wait));
    app.clock.advance_ms(wait * 1_000);
    assert_eq!(refused(&sent(&app, &one, 10).await), 0);
}
