//! The trading ledger of a wallet at an exchange: its nonce, the orders of the last minute, the
//! notional that is reserved for orders under way, and whether the exchange has refused the builder
//! of its orders. One conditional write changes all of it.
//!
//! The functions are pure: they return the next ledger, and the store writes it on the condition
//! that the present one is unchanged.

use std::collections::BTreeMap;

use domain::eth::Address;
use domain::ids::Exchange;
use serde::{Deserialize, Serialize};

use super::decimal::Decimal;
use super::order::Side;

/// Number of ten-second slots that count: a minute, and the current slot.
pub const SLOTS: usize = 7;

const SLOT_MS: u64 = 10_000;

/// Maximum number of reservations. The item stays small.
pub const MAX_RESERVED: usize = 200;

/// How far the exchange's reads are assumed to lag behind its writes at most, in milliseconds.
pub const READ_LAG_MS: u64 = 10_000;

/// A last nonce that is further ahead of the present came from a wrong clock, in milliseconds. Aster
/// accepts no nonce that is more than 60 seconds ahead.
const MAX_AHEAD_MS: u64 = 30_000;

/// Nonces of orders on Aster are multiples of this number. Nonces of signed reads are not, so that
/// a read never takes the nonce of an order.
pub const ASTER_NONCE_STEP: u64 = 16;

/// The nonces of reads at the same time are spread over this many times [`ASTER_NONCE_STEP`].
const READ_BLOCKS: u64 = 128;

/// How long the orders of an agent carry no builder after the exchange has refused it, in
/// milliseconds.
pub const BUILDER_PAUSE_MS: u64 = 10 * 60 * 1_000;

/// A wallet's ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// Version of the stored form.
    pub schema: u32,
    /// Number of the write. The next write requires it to be unchanged.
    pub rev: u64,
    /// The last nonce in the exchange's unit: microseconds on Aster, otherwise milliseconds.
    pub nonce: u64,
    /// The latest slot: Unix time in tens of seconds.
    pub slot: u64,
    /// The orders of each slot; the index is the slot's number modulo their count.
    pub orders: [u32; SLOTS],
    /// The notional of orders under way, by the key of their record. Filled only while a limit for
    /// positions is set.
    #[serde(default)]
    pub reserved: BTreeMap<String, Reservation>,
    /// The agent whose orders carry no builder for a time. Ledgers of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder_refused: Option<BuilderRefused>,
}

/// An agent whose orders carry no builder, because the exchange has refused it. It holds for all
/// processes, so that a refused builder does not cost every order a second signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuilderRefused {
    /// The agent. A rotation approves the builder again, so the orders of the next agent carry it.
    pub agent: Address,
    /// When they carry it again, Unix milliseconds.
    pub until_ms: u64,
}

impl BuilderRefused {
    /// Returns whether it holds at a time. An end that is further ahead came from a wrong clock.
    const fn holds_at(self, now_ms: u64) -> bool {
        let latest_ms = now_ms.saturating_add(BUILDER_PAUSE_MS + MAX_AHEAD_MS);
        now_ms < self.until_ms && self.until_ms <= latest_ms
    }
}

/// The notional of an order that reads of the exchange may not show yet: it is under way, or its
/// outcome is younger than [`READ_LAG_MS`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// The exchange's name of the market.
    pub symbol: String,
    /// The direction.
    pub side: Side,
    /// The notional in the quote asset.
    pub notional: Decimal,
    /// When every read shows what has become of the order, Unix milliseconds.
    pub until_ms: u64,
    /// The number of the ledger's write that made it. 0 in reservations of earlier versions.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rev: u64,
    /// What the wallet had in the market and the direction before it, at most; see
    /// [`Ledger::exposed`]. `None` in reservations of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Decimal>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            schema: 1,
            rev: 0,
            nonce: 0,
            slot: 0,
            orders: [0; SLOTS],
            reserved: BTreeMap::new(),
            builder_refused: None,
        }
    }
}

impl Ledger {
    fn place(slot: u64) -> usize {
        usize::try_from(slot % SLOTS as u64).unwrap_or_default()
    }

    /// Returns the ledger at a later time: without slots older than a minute, without expired
    /// reservations, and without a refused builder whose time has passed. An expired reservation stays as long as an earlier one of its market and
    /// direction counts from a time before it. A slow clock changes no slot, but slots more than a
    /// minute in the future came from a wrong clock and are dropped.
    #[must_use]
    pub fn at(&self, now_ms: u64) -> Self {
        let slot = now_ms / SLOT_MS;
        let mut next = self.clone();
        let mut first = BTreeMap::new();
        for live in self.reserved.values().filter(|it| it.until_ms > now_ms) {
            let rev = first.entry((live.symbol.as_str(), live.side)).or_insert(live.rev);
            *rev = (*rev).min(live.rev);
        }
        next.reserved.retain(|_, it| {
            let first = first.get(&(it.symbol.as_str(), it.side));
            it.until_ms > now_ms || first.is_some_and(|first| *first < it.rev)
        });
        next.builder_refused = next.builder_refused.filter(|it| it.holds_at(now_ms));
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

    /// Returns what a wallet can have at most in a market and a direction: its position and its
    /// orders. `read` is what the exchange's reads show, and `own` the key of an order that is left
    /// out. `None` means too many digits.
    ///
    /// Reads can lag, so neither number alone is enough. What is read and all live reservations
    /// together count an order twice that the reads show already. What was known before a
    /// reservation and all reservations since then count each order once, but miss what others do
    /// with the account. The smaller of the two is an upper limit of what this service has done, and
    /// never less than what is read.
    #[must_use]
    pub fn exposed(
        &self,
        symbol: &str,
        side: Side,
        read: Decimal,
        own: &str,
        now_ms: u64,
    ) -> Option<Decimal> {
        let is_of = |(key, it): &(&String, &Reservation)| {
            *key != own && it.symbol == symbol && it.side == side
        };
        let mut reserved: Vec<_> = self.reserved.iter().filter(is_of).map(|(_, it)| it).collect();
        reserved.sort_by_key(|it| std::cmp::Reverse(it.rev));
        let live = reserved.iter().filter(|it| it.until_ms > now_ms);
        let mut least = live.map(|it| it.notional).try_fold(read, Decimal::checked_add)?;
        let mut since = Decimal::ZERO;
        for write in reserved.chunk_by(|one, other| one.rev == other.rev) {
            since = write.iter().map(|it| it.notional).try_fold(since, Decimal::checked_add)?;
            if let Some(before) = write.iter().filter_map(|it| it.before).min() {
                least = least.min(before.checked_add(since)?);
            }
        }
        Some(least.max(read))
    }

    /// Returns whether the orders of an agent carry no builder, because the exchange has refused it.
    #[must_use]
    pub fn omits_builder(&self, agent: Address, now_ms: u64) -> bool {
        self.builder_refused.is_some_and(|it| it.agent == agent && it.holds_at(now_ms))
    }

    /// Records that the exchange has refused the builder of an agent's orders.
    #[must_use]
    pub const fn with_builder_refused(mut self, agent: Address, now_ms: u64) -> Self {
        let until_ms = now_ms.saturating_add(BUILDER_PAUSE_MS);
        self.builder_refused = Some(BuilderRefused { agent, until_ms });
        self
    }

    /// Sets the end of the reservations of the last write, Unix milliseconds.
    #[must_use]
    pub fn reserved_until(mut self, until_ms: u64) -> Self {
        for new in self.reserved.values_mut().filter(|it| it.rev == self.rev) {
            new.until_ms = until_ms;
        }
        self
    }
}

/// Returns the nonce after `last`: the present time in the exchange's unit, or a later number if
/// that one is taken. A last nonce above [`latest_nonce`] does not count.
#[must_use]
pub const fn next_nonce(exchange: Exchange, last: u64, now_us: u64) -> u64 {
    let is_wrong = last > latest_nonce(exchange, now_us);
    let after = if is_wrong { 0 } else { last.saturating_add(1) };
    match exchange {
        Exchange::Hyperliquid | Exchange::Lighter => max(now_us / 1_000, after),
        Exchange::Aster => match max(now_us, after).checked_next_multiple_of(ASTER_NONCE_STEP) {
            Some(nonce) => nonce,
            None => u64::MAX,
        },
    }
}

/// Returns the highest last nonce, in the exchange's unit, that a process with a right clock can have
/// taken. A process with a wrong clock can take a later one, which must not stop the wallet until
/// that time has come. Both exchanges accept the present time after it: they remember an agent's
/// highest nonces, and not only the last one.
#[must_use]
pub const fn latest_nonce(exchange: Exchange, now_us: u64) -> u64 {
    match exchange {
        Exchange::Hyperliquid => (now_us / 1_000).saturating_add(MAX_AHEAD_MS),
        // Lighter refuses every nonce that is not above the last one, so none is left out.
        Exchange::Lighter => u64::MAX,
        Exchange::Aster => now_us.saturating_add(MAX_AHEAD_MS * 1_000),
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
mod tests;
