//! The trading ledger of a wallet at an exchange: its nonce, the orders of the last minute, and the
//! notional that is reserved for orders under way. One conditional write changes all three.
//!
//! The functions are pure: they return the next ledger, and the store writes it on the condition
//! that the present one is unchanged.

use std::collections::BTreeMap;

use domain::ids::Exchange;
use serde::{Deserialize, Serialize};

use super::decimal::Decimal;
use super::ids::OrderKey;
use super::order::Side;

/// Number of ten-second slots that count: a minute, and the current slot.
pub const SLOTS: usize = 7;

const SLOT_MS: u64 = 10_000;

/// Maximum number of reservations. The item stays small.
pub const MAX_RESERVED: usize = 200;

/// Nonces of orders on Aster are multiples of this number. Nonces of signed reads are not, so that
/// a read never takes the nonce of an order.
pub const ASTER_NONCE_STEP: u64 = 16;

/// The nonces of reads at the same time are spread over this many times [`ASTER_NONCE_STEP`].
const READ_BLOCKS: u64 = 128;

/// A wallet's ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// Version of the stored form.
    pub schema: u32,
    /// Number of the write. The next write requires it to be unchanged.
    pub rev: u64,
    /// The last nonce in the exchange's unit: milliseconds on Hyperliquid, microseconds on Aster.
    pub nonce: u64,
    /// The latest slot: Unix time in tens of seconds.
    pub slot: u64,
    /// The orders of each slot; the index is the slot's number modulo their count.
    pub orders: [u32; SLOTS],
    /// The notional of orders under way, by the key of their record. Filled only while a limit for
    /// positions is set.
    #[serde(default)]
    pub reserved: BTreeMap<String, Reservation>,
}

/// The notional of an order under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// The exchange's name of the market.
    pub symbol: String,
    /// The direction.
    pub side: Side,
    /// The notional in the quote asset.
    pub notional: Decimal,
    /// When the order can no longer arrive, Unix milliseconds.
    pub until_ms: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { schema: 1, rev: 0, nonce: 0, slot: 0, orders: [0; SLOTS], reserved: BTreeMap::new() }
    }
}

impl Ledger {
    fn place(slot: u64) -> usize {
        usize::try_from(slot % SLOTS as u64).unwrap_or_default()
    }

    /// Returns the ledger at a later time: without slots older than a minute, and without expired
    /// reservations. A slow clock changes no slot, but slots more than a minute in the future came
    /// from a wrong clock and are dropped.
    #[must_use]
    pub fn at(&self, now_ms: u64) -> Self {
        let slot = now_ms / SLOT_MS;
        let mut next = self.clone();
        next.reserved.retain(|_, reservation| reservation.until_ms > now_ms);
        if next.slot > slot.saturating_add(SLOTS as u64) {
            next.slot = slot;
            next.orders = [0; SLOTS];
            return next;
        }
        for passed in (next.slot + 1..=slot).take(SLOTS) {
            next.orders[Self::place(passed)] = 0;
        }
        next.slot = next.slot.max(slot);
        next
    }

    /// Returns the number of orders in the counted slots.
    #[must_use]
    pub fn orders_counted(&self) -> u32 {
        self.orders.iter().fold(0, |sum, orders| sum.saturating_add(*orders))
    }

    /// Adds orders to the latest slot.
    #[must_use]
    pub fn with_orders(mut self, count: u32) -> Self {
        let slot = &mut self.orders[Self::place(self.slot)];
        *slot = slot.saturating_add(count);
        self
    }

    /// Takes the next nonce, and numbers the write.
    #[must_use]
    pub fn with_next_nonce(mut self, exchange: Exchange, now_us: u64) -> Self {
        self.nonce = next_nonce(exchange, self.nonce, now_us);
        self.rev += 1;
        self
    }

    /// Returns the reserved notional of a market and a direction. `None` means that it has too many
    /// digits.
    #[must_use]
    pub fn reserved_of(&self, symbol: &str, side: Side) -> Option<Decimal> {
        self.reserved
            .values()
            .filter(|it| it.symbol == symbol && it.side == side)
            .try_fold(Decimal::ZERO, |sum, it| sum.checked_add(it.notional))
    }

    /// Removes the reservation of an order whose outcome is known, and numbers the write.
    #[must_use]
    pub fn without(mut self, key: &OrderKey) -> Self {
        self.reserved.remove(&key.to_hex());
        self.rev += 1;
        self
    }
}

/// Returns the nonce after `last`: the present time in the exchange's unit, or a later number if
/// that one is taken.
#[must_use]
pub const fn next_nonce(exchange: Exchange, last: u64, now_us: u64) -> u64 {
    let after = last.saturating_add(1);
    match exchange {
        Exchange::Hyperliquid => max(now_us / 1_000, after),
        Exchange::Aster => match max(now_us, after).checked_next_multiple_of(ASTER_NONCE_STEP) {
            Some(nonce) => nonce,
            None => u64::MAX,
        },
    }
}

/// Returns the nonce of a signed read on Aster: never a multiple of [`ASTER_NONCE_STEP`], and drawn
/// from about two milliseconds before the present time, so that parallel reads of one agent differ.
/// It is below the nonces of orders, because the exchange remembers only an agent's highest nonces.
#[must_use]
pub const fn read_nonce(now_us: u64, drawn: u64) -> u64 {
    let block = (now_us / ASTER_NONCE_STEP).saturating_sub(1 + drawn % READ_BLOCKS);
    block * ASTER_NONCE_STEP + 1 + drawn / READ_BLOCKS % (ASTER_NONCE_STEP - 1)
}

const fn max(left: u64, right: u64) -> u64 {
    if left > right { left } else { right }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: u64 = 1_790_000_000_000;

    fn reservation(symbol: &str, side: Side, notional: &str, until_ms: u64) -> Reservation {
        let notional = notional.parse().unwrap();
        Reservation { symbol: symbol.to_owned(), side, notional, until_ms }
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
        assert_eq!(ledger.reserved_of("BTC", Side::Buy), "21".parse().ok());
        assert_eq!(ledger.reserved_of("BTC", Side::Sell), Some(Decimal::ZERO));
        assert_eq!(ledger.reserved_of("ETH", Side::Buy), Some(Decimal::ZERO));
        assert_eq!(ledger.at(NOW_MS).reserved.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn aster_nonce_of_an_order_is_a_multiple_of_16() {
        let nonce = |last, now_us| next_nonce(Exchange::Aster, last, now_us);
        assert_eq!(nonce(0, 1_790_000_000_000_000), 1_790_000_000_000_000);
        assert_eq!(nonce(0, 1_790_000_000_000_001), 1_790_000_000_000_016);
        assert_eq!(nonce(1_790_000_000_000_000, 0), 1_790_000_000_000_016);
        assert_eq!(nonce(u64::MAX, 0), u64::MAX);
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
}
