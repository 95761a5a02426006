//! Counted payments of one asset: hourly buckets, for a wallet or for a whole tenant.
//!
//! A bucket counts as long as any of its hour lies within the window. A window of 24 hours therefore
//! has 25 buckets, and a payment never stops counting early.

use domain::policy::{Amount, AssetId, Cap};
use platform::items::{Item, StoreError, from_item, to_record};
use protocol::{Charge, LimitScope, PaymentRefusal, WalletKey};
use serde::{Deserialize, Serialize};

use super::terms::window_hours;
use crate::store::{item_key, tenant_key};

const SCHEMA: u32 = 1;
const HOUR_MS: u64 = 60 * 60 * 1_000;

/// The payments of one hour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Bucket {
    /// Unix hours.
    hour: u64,
    amount: Amount,
    payments: u32,
}

/// The stored item.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Spent {
    schema: u32,
    /// Rises with each write.
    pub(super) version: u64,
    buckets: Vec<Bucket>,
}

/// Amounts counted within a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sum {
    pub(super) amount: Amount,
    pub(super) payments: u32,
}

impl Default for Spent {
    fn default() -> Self {
        Self { schema: SCHEMA, version: 0, buckets: Vec::new() }
    }
}

impl Spent {
    pub(super) fn read(item: Option<Item>) -> Result<Self, StoreError> {
        Ok(item.map(|item| from_item("counted payments", item)).transpose()?.unwrap_or_default())
    }

    /// Returns the stored item.
    pub(super) fn item(&self, key: Item) -> Result<Item, StoreError> {
        to_record(key, self)
    }

    /// Returns the sum of the window that ends now. A bucket of a later hour, from a clock that was
    /// ahead, counts too.
    pub(super) fn sum(&self, asset: &AssetId, now_ms: u64) -> Sum {
        let first = (now_ms / HOUR_MS).saturating_sub(window_hours(asset));
        let counted = self.buckets.iter().filter(|bucket| bucket.hour >= first);
        counted.fold(Sum::default(), |sum, bucket| sum.plus(bucket.amount, bucket.payments))
    }

    /// Adds a payment to the present hour, and drops buckets that no longer count.
    pub(super) fn count(&mut self, charge: &Charge, now_ms: u64) {
        let hour = now_ms / HOUR_MS;
        let first = hour.saturating_sub(window_hours(&charge.asset));
        self.buckets.retain(|bucket| bucket.hour >= first);
        self.version += 1;
        match self.buckets.iter_mut().find(|bucket| bucket.hour == hour) {
            Some(bucket) => {
                let sum = Sum { amount: bucket.amount, payments: bucket.payments };
                let sum = sum.plus(charge.amount, charge.payments);
                (bucket.amount, bucket.payments) = (sum.amount, sum.payments);
            }
            None => {
                let (amount, payments) = (charge.amount, charge.payments);
                self.buckets.push(Bucket { hour, amount, payments });
            }
        }
    }
}

impl Sum {
    /// A sum that has no text counts as the largest amount, so that it exceeds every limit.
    fn plus(self, amount: Amount, payments: u32) -> Self {
        let amount = self.amount.checked_add(amount).unwrap_or(Amount::MAX);
        Self { amount, payments: self.payments.saturating_add(payments) }
    }

    /// Checks that a payment stays within a cap, and returns the sum with it.
    pub(super) fn within(
        self,
        charge: &Charge,
        cap: Cap,
        scope: LimitScope,
    ) -> Result<Self, PaymentRefusal> {
        let sum = self.plus(charge.amount, charge.payments);
        if sum.amount <= cap.amount && sum.payments <= cap.payments {
            return Ok(sum);
        }
        Err(PaymentRefusal::LimitExceeded {
            asset: charge.asset.clone(),
            scope,
            left: cap.amount.saturating_sub(self.amount),
            payments_left: cap.payments.saturating_sub(self.payments),
        })
    }
}

/// Returns the key of a wallet's counted payments.
pub(super) fn wallet_spent(key: &WalletKey, asset: &AssetId) -> Item {
    item_key(key, format!("spent#{asset}"))
}

/// Returns the key of a tenant's counted payments.
pub(super) fn tenant_spent(key: &WalletKey, asset: &AssetId) -> Item {
    tenant_key(&key.tenant, format!("spent#{asset}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(asset: &str, amount: &str) -> Charge {
        let asset = asset.parse().unwrap();
        Charge { asset, amount: amount.parse().unwrap(), payments: 1 }
    }

    #[test]
    fn payment_counts_for_a_day_and_its_validity() {
        for (asset, hours) in [("aster/USDT", 25), ("hyperliquid/USDC", 72), ("evm:56/USDT", 72)] {
            let charge = charge(asset, "10");
            let mut spent = Spent::default();
            // In the last millisecond of an hour, and in its first.
            for at_ms in [100 * HOUR_MS - 1, 100 * HOUR_MS] {
                spent.count(&charge, at_ms);
            }
            let sum = |now_ms| spent.sum(&charge.asset, now_ms).payments;
            let window_ms = hours * HOUR_MS;
            assert_eq!(sum(100 * HOUR_MS - 1 + window_ms), 2, "{asset}");
            assert_eq!(sum(100 * HOUR_MS + window_ms), 1, "{asset}");
            assert_eq!(sum(101 * HOUR_MS - 1 + window_ms), 1, "{asset}");
            assert_eq!(sum(101 * HOUR_MS + window_ms), 0, "{asset}");
        }
    }

    #[test]
    fn buckets_do_not_grow_beyond_the_window() {
        let charge = charge("aster/USDT", "1");
        let mut spent = Spent::default();
        for hour in 0..1_000 {
            spent.count(&charge, hour * HOUR_MS);
        }
        assert_eq!((spent.buckets.len(), spent.version), (26, 1_000));
        let item = spent.item(Item::new()).unwrap();
        assert_eq!(Spent::read(Some(item)).unwrap(), spent);
    }

    #[test]
    fn cap_is_reached_exactly_and_not_exceeded() {
        let cap = Cap { amount: "100".parse().unwrap(), payments: 3 };
        let mut spent = Spent::default();
        let asset: AssetId = "aster/USDT".parse().unwrap();
        spent.count(&charge("aster/USDT", "60.5"), HOUR_MS);
        let sum = spent.sum(&asset, HOUR_MS);
        let fits = charge("aster/USDT", "39.5");
        assert!(sum.within(&fits, cap, LimitScope::Wallet).is_ok());
        let above = charge("aster/USDT", "39.500000000000000001");
        let refused = sum.within(&above, cap, LimitScope::Wallet).unwrap_err();
        let PaymentRefusal::LimitExceeded { left, payments_left, .. } = refused else {
            unreachable!()
        };
        assert_eq!((left.to_string().as_str(), payments_left), ("39.5", 2));
        spent.count(&charge("aster/USDT", "0.1"), HOUR_MS);
        spent.count(&charge("aster/USDT", "0.1"), HOUR_MS);
        let small = charge("aster/USDT", "0.1");
        let sum = spent.sum(&asset, HOUR_MS);
        assert!(sum.within(&small, cap, LimitScope::Tenant).is_err(), "a fourth payment");
        let gas = Charge { payments: 0, ..small };
        assert!(sum.within(&gas, cap, LimitScope::Tenant).is_ok());
    }

    #[test]
    fn sum_without_a_text_exceeds_every_cap() {
        let most = Charge { amount: Amount::MAX, ..charge("aster/USDT", "1") };
        let mut spent = Spent::default();
        spent.count(&most, HOUR_MS);
        spent.count(&most, HOUR_MS);
        let sum = spent.sum(&most.asset, HOUR_MS);
        let cap = Cap { amount: "99999999999999999999".parse().unwrap(), payments: 9 };
        let gas = charge("aster/USDT", "0.1");
        assert!(sum.within(&gas, cap, LimitScope::Wallet).is_err());
    }
}
