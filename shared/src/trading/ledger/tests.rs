use proptest::prelude::*;

use super::*;

const NOW_MS: u64 = 1_790_000_000_000;

fn reservation(symbol: &str, side: Side, notional: &str, until_ms: u64) -> Reservation {
    let notional = notional.parse().unwrap();
    Reservation { symbol: symbol.to_owned(), side, notional, until_ms, rev: 0, before: None }
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Adds a reservation to buy BTC as the `rev`th write, with what was known before it.
fn reserve(ledger: &mut Ledger, rev: u64, (before, notional): (&str, &str), until_ms: u64) {
    let before = Some(decimal(before));
    let new = Reservation { rev, before, ..reservation("BTC", Side::Buy, notional, until_ms) };
    ledger.reserved.insert(format!("k{rev}"), new);
}

fn exposed(ledger: &Ledger, read: &str, own: &str) -> String {
    ledger.exposed("BTC", Side::Buy, decimal(read), own, NOW_MS).unwrap().text()
}

#[test]
fn orders_older_than_a_minute_are_dropped() {
    let ledger = Ledger::default().at(NOW_MS).with_orders(3);
    assert_eq!(ledger.at(NOW_MS + 60_000).orders_counted(), 3);
    assert_eq!(ledger.at(NOW_MS + 70_000).orders_counted(), 0);
    assert_eq!(ledger.at(u64::MAX).orders_counted(), 0);
}

#[test]
fn wrong_clock_does_not_clear_or_block_the_ledger() {
    let ledger = Ledger::default().at(NOW_MS).with_orders(3);
    let slow = ledger.at(NOW_MS - 30_000).with_orders(1);
    assert_eq!((slow.slot, slow.orders_counted()), (ledger.slot, 4));
    let ahead = Ledger::default().at(NOW_MS + 3_600_000).with_orders(300);
    assert_eq!(ahead.at(NOW_MS).orders_counted(), 0);
}

#[test]
fn expired_reservation_is_dropped() {
    let mut ledger = Ledger::default();
    for (key, until_ms) in [("a", NOW_MS), ("b", NOW_MS + 1)] {
        let reservation = reservation("BTC", Side::Buy, "10.5", until_ms);
        ledger.reserved.insert(key.to_owned(), reservation);
    }
    assert_eq!(ledger.at(NOW_MS).reserved.keys().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn refused_builder_is_left_out_for_ten_minutes() {
    let [agent, next] = [1, 2].map(|nth| format!("0x{nth:040x}").parse::<Address>().unwrap());
    let ledger = Ledger::default().with_builder_refused(agent, NOW_MS);
    for (agent, now_ms, omits) in [
        (agent, NOW_MS, true),
        (agent, NOW_MS + BUILDER_PAUSE_MS - 1, true),
        (agent, NOW_MS + BUILDER_PAUSE_MS, false),
        (next, NOW_MS, false),
        // A process with a wrong clock wrote it.
        (agent, NOW_MS - MAX_AHEAD_MS - 1, false),
    ] {
        assert_eq!(ledger.omits_builder(agent, now_ms), omits, "{agent} {now_ms}");
        assert_eq!(ledger.at(now_ms).omits_builder(agent, now_ms), omits);
    }
    assert_eq!(ledger.at(NOW_MS + BUILDER_PAUSE_MS).builder_refused, None);
}

/// A read that lags shows nothing, and one that does not lag shows all. Both give the same limit.
#[test]
fn recent_order_counts_once_with_and_without_lag() {
    let until_ms = NOW_MS + READ_LAG_MS;
    let mut ledger = Ledger::default();
    reserve(&mut ledger, 1, ("0", "40"), until_ms);
    for read in ["0", "25", "40"] {
        assert_eq!(exposed(&ledger, read, ""), "40", "{read}");
    }
    reserve(&mut ledger, 2, ("40", "30"), until_ms);
    for read in ["0", "40", "70"] {
        assert_eq!(exposed(&ledger, read, ""), "70", "{read}");
    }
    // What others do with the account counts as soon as it is read.
    assert_eq!(exposed(&ledger, "500", ""), "500");
    // Other markets and the other direction have their own sums.
    let other = |symbol, side| ledger.exposed(symbol, side, Decimal::ZERO, "", NOW_MS);
    assert_eq!(other("ETH", Side::Buy), Some(Decimal::ZERO));
    assert_eq!(other("BTC", Side::Sell), Some(Decimal::ZERO));
    // An order that is changed is left out: the caller adds its new value.
    assert_eq!(exposed(&ledger, "0", "k2"), "40");
}

#[test]
fn order_that_was_not_executed_frees_what_it_reserved() {
    let until_ms = NOW_MS + READ_LAG_MS;
    let mut ledger = Ledger::default();
    reserve(&mut ledger, 1, ("0", "40"), until_ms);
    reserve(&mut ledger, 2, ("40", "30"), until_ms);
    reserve(&mut ledger, 3, ("70", "10"), until_ms);
    ledger.reserved.remove("k2");
    assert_eq!(exposed(&ledger, "40", ""), "50");
    // What was known before the third order no longer counts either, if it is not read any more.
    ledger.reserved.remove("k1");
    assert_eq!(exposed(&ledger, "0", ""), "10");
}

/// An order whose outcome is unknown for long keeps the time from which its market is counted. An
/// order after it that has run out must count since then.
#[test]
fn reservation_after_an_open_one_is_kept() {
    let mut ledger = Ledger::default();
    reserve(&mut ledger, 1, ("0", "40"), NOW_MS + 1);
    reserve(&mut ledger, 2, ("40", "30"), NOW_MS);
    let sell = Reservation { rev: 3, ..reservation("BTC", Side::Sell, "5", NOW_MS) };
    ledger.reserved.insert("sell".to_owned(), sell);
    let ledger = ledger.at(NOW_MS);
    assert_eq!(ledger.reserved.keys().collect::<Vec<_>>(), ["k1", "k2"]);
    assert_eq!(exposed(&ledger, "30", ""), "70");
    assert!(ledger.at(NOW_MS + 1).reserved.is_empty());
}

/// A reservation of an earlier version does not state what was known before it.
#[test]
fn reservation_of_an_earlier_version_adds_to_what_is_read() {
    let mut ledger = Ledger::default();
    let old = reservation("BTC", Side::Buy, "40", NOW_MS + 1);
    ledger.reserved.insert("old".to_owned(), old);
    assert_eq!(exposed(&ledger, "40", ""), "80");
    reserve(&mut ledger, 9, ("80", "5"), NOW_MS + 1);
    assert_eq!(exposed(&ledger, "40", ""), "85");
}

#[test]
fn end_is_set_for_the_reservations_of_the_last_write() {
    let mut ledger = Ledger { rev: 2, ..Ledger::default() };
    reserve(&mut ledger, 1, ("0", "1"), 5);
    reserve(&mut ledger, 2, ("1", "1"), u64::MAX);
    let ends = ledger.reserved_until(9).reserved;
    assert_eq!(ends.values().map(|it| it.until_ms).collect::<Vec<_>>(), [5, 9]);
}

#[test]
fn nonce_of_a_wrong_clock_does_not_stop_the_wallet() {
    const HOUR_US: u64 = 3_600_000_000;
    let now_us = NOW_MS * 1_000;
    for exchange in Exchange::ALL {
        let wrong = next_nonce(exchange, 0, now_us + HOUR_US);
        let next = next_nonce(exchange, wrong, now_us);
        assert_eq!(next, next_nonce(exchange, 0, now_us), "{exchange}");
        assert!(next_nonce(exchange, next, now_us) > next, "{exchange}");
        // A clock that is slow by less continues after the last nonce.
        let ahead = next_nonce(exchange, 0, now_us + 29_000_000);
        assert!(next_nonce(exchange, ahead, now_us) > ahead, "{exchange}");
    }
}

#[test]
fn aster_nonce_of_an_order_is_a_multiple_of_16() {
    let nonce = |last, now_us| next_nonce(Exchange::Aster, last, now_us);
    assert_eq!(nonce(0, 1_790_000_000_000_000), 1_790_000_000_000_000);
    assert_eq!(nonce(0, 1_790_000_000_000_001), 1_790_000_000_000_016);
    assert_eq!(nonce(1_790_000_000_000_000, 1_789_999_990_000_000), 1_790_000_000_000_016);
    assert_eq!(nonce(u64::MAX, u64::MAX), u64::MAX);
    assert_eq!(next_nonce(Exchange::Hyperliquid, 7, 9_999), 9);
    assert_eq!(next_nonce(Exchange::Hyperliquid, 9, 9_999), 10);
}

#[test]
fn reads_at_the_same_time_have_1920_nonces() {
    let nonces: std::collections::BTreeSet<_> =
        (0..1_920).map(|drawn| read_nonce(1_790_000_000_000_000, drawn)).collect();
    assert_eq!(nonces.len(), 1_920);
}

#[test]
fn stored_form_is_stable() {
    let mut ledger = Ledger::default().at(NOW_MS).with_orders(2);
    ledger = ledger.with_next_nonce(Exchange::Hyperliquid, NOW_MS * 1_000);
    ledger.reserved.insert("k".to_owned(), reservation("BTC", Side::Sell, "1.50", 5));
    let stored = serde_json::json!({
        "schema": 1,
        "rev": 1,
        "nonce": NOW_MS,
        "slot": NOW_MS / 10_000,
        "orders": ledger.orders,
        "reserved": {
            "k": {"symbol": "BTC", "side": "SELL", "notional": "1.5", "untilMs": 5},
        },
    });
    assert_eq!(serde_json::to_value(&ledger).unwrap(), stored);
    assert_eq!(serde_json::from_value::<Ledger>(stored).unwrap(), ledger);

    reserve(&mut ledger, 7, ("2.5", "1"), 6);
    let stored = serde_json::to_value(&ledger).unwrap();
    assert_eq!(
        stored["reserved"]["k7"],
        serde_json::json!({
            "symbol": "BTC", "side": "BUY", "notional": "1", "untilMs": 6, "rev": 7, "before": "2.5",
        })
    );
    assert_eq!(serde_json::from_value::<Ledger>(stored).unwrap(), ledger);
}

proptest! {
    /// Counts the orders of each window of a minute that a ledger with a limit lets through.
    #[test]
    fn minute_never_exceeds_the_limit(
        steps in prop::collection::vec((0_u64..15_000, 1_u32..20), 1..120),
    ) {
        const LIMIT: u32 = 50;
        let (mut ledger, mut now_ms) = (Ledger::default(), NOW_MS);
        let mut sent: Vec<(u64, u32)> = Vec::new();
        for (wait_ms, count) in steps {
            now_ms += wait_ms;
            let current = ledger.at(now_ms);
            if current.orders_counted() + count <= LIMIT {
                ledger = current.with_orders(count);
                sent.push((now_ms, count));
            }
            let recent = sent.iter().filter(|(at_ms, _)| now_ms - at_ms < 60_000);
            prop_assert!(recent.map(|(_, count)| count).sum::<u32>() <= LIMIT);
        }
    }

    #[test]
    fn nonces_increase_and_differ_from_reads(
        times in prop::collection::vec(1_790_000_000_000_000_u64..1_790_000_000_000_400, 1..60),
        drawn in any::<u64>(),
    ) {
        for exchange in Exchange::ALL {
            let mut last = 0;
            for now_us in &times {
                let next = next_nonce(exchange, last, *now_us);
                prop_assert!(next > last);
                let read = read_nonce(*now_us, drawn);
                prop_assert!(!read.is_multiple_of(ASTER_NONCE_STEP));
                prop_assert!(read < *now_us && now_us - read < 2_100);
                prop_assert!(exchange != Exchange::Aster || next.is_multiple_of(ASTER_NONCE_STEP));
                last = next;
            }
        }
    }
}
