//! Concurrent requests: equal ones pay once, and different ones stay within the limit.

use e2e::payments::Place;
use futures_util::future::join_all;

use super::Scene;

/// 64 calls with one key, at each place. All end with the same payment.
#[tokio::test(flavor = "multi_thread")]
async fn equal_calls_pay_once() {
    let scene = Scene::limited("100000", None).await;
    let (app, till) = (&scene.app, &scene.till);
    for (nth, place) in Place::ALL.into_iter().enumerate() {
        let amount = format!("2{nth}");
        let calls = (0..64).map(|_| till.pay(app, place, "same", &amount));
        let replies = join_all(calls).await;
        let paid = till.executed(app, place, &amount);
        // A busy service refuses some; none of them pays again.
        assert!(paid <= 1, "{place:?}: {paid}");
        for _ in 0..5 {
            app.clock.advance_ms(31_000);
            let _ = till.pay(app, place, "same", &amount).await;
        }
        assert_eq!(till.executed(app, place, &amount), 1, "{place:?}");
        let mut ids: Vec<_> = replies
            .iter()
            .filter(|reply| matches!(reply.status, 200 | 202))
            .map(|reply| reply.text("/data/transferId").to_owned())
            .collect();
        ids.sort();
        ids.dedup();
        assert!(ids.len() <= 1, "{place:?}: {ids:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn different_calls_stay_within_the_limit() {
    let scene = Scene::limited("100", None).await;
    let (app, till) = (&scene.app, &scene.till);
    for place in [Place::Hyperliquid, Place::Aster, Place::Chain] {
        let keys: Vec<_> = (0..8).map(|nth| format!("key-{nth}")).collect();
        join_all(keys.iter().map(|key| till.pay(app, place, key, "40"))).await;
        // What the burst has left is used up by one call after the other.
        for nth in 0..4 {
            app.clock.advance_ms(31_000);
            let _ = till.pay(app, place, &format!("more-{nth}"), "40").await;
        }
        let refused = till.pay(app, place, "last", "40").await;
        assert_eq!(refused.text("/reason"), "LIMIT_EXCEEDED", "{place:?}: {refused:?}");
        // With fees, two payments of 40 are within 100.
        assert_eq!(till.executed(app, place, "40"), 2, "{place:?}");
    }
}
