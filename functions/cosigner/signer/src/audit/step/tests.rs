//! Tests that nonces rise, except after a wrong clock.

use super::*;

const NOW_MS: u64 = 1_790_000_000_000;

#[test]
fn nonce_after_wrong_future_clock_may_fall() {
    for (exchange, unit) in [(Exchange::Hyperliquid, 1), (Exchange::Aster, 1_000)] {
        let now = NOW_MS * unit;
        let lead = nonce_lead(exchange) / 2;
        for (last, nonce, taken) in [
            (0, now, true),
            (now, now, false),
            (now + 1, now, false),
            (now + lead, now, false),
            (now + lead, now + lead + 1, true),
            (now + lead + 1, now, true),
            (now + 3_600_000 * unit, now, true),
        ] {
            let mut head = Head { aster_nonce: last, hyperliquid_nonce: last, ..Head::default() };
            let result = head.take_nonce(exchange, nonce, NOW_MS);
            assert_eq!(result.is_ok(), taken, "{exchange} {last} {nonce}");
            let now_last = match exchange {
                Exchange::Aster => head.aster_nonce,
                Exchange::Hyperliquid => head.hyperliquid_nonce,
                Exchange::Lighter => unreachable!("no wallet is registered there"),
            };
            assert_eq!(now_last, if taken { nonce } else { last });
        }
    }
}

#[test]
fn payments_do_not_share_a_nonce_after_an_intent_far_ahead() {
    for (exchange, unit) in [(Exchange::Hyperliquid, 1), (Exchange::Aster, 1_000)] {
        let now = NOW_MS * unit;
        let mut head = Head::default();
        let pay = |head: &mut Head, nonce| {
            head.take_payment_nonce(exchange, nonce, NOW_MS)?;
            head.take_nonce(exchange, nonce, NOW_MS)
        };
        pay(&mut head, now).unwrap();
        // The document allows an intent's nonce that is further ahead than the rule accepts.
        head.take_nonce(exchange, now + nonce_lead(exchange), NOW_MS).unwrap();
        assert!(pay(&mut head, now).is_err(), "{exchange}");
        pay(&mut head, now + 1).unwrap();
    }
}
