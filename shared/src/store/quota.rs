//! How many wallets a tenant has.
//!
//! The count is spread over [`SHARDS`] items, so that creations at the same time do not meet in one
//! item. Each item may hold its part of the quota. A creation adds one to one of the items in the
//! transaction that stores the wallet, so the count is exact and never above the quota, whatever
//! races or dies. The items `tenant#Q` are read by one query.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use domain::ids::Tenant;
use platform::items::{SCHEMA, SHARDS, StoreError, unavailable};
use uuid::Uuid;

use super::credentials::number;
use super::{ShareRecord, Store, key};

const WALLETS: &str = "wallets#";

/// The largest quota: DynamoDB counts a shard's part of it exactly.
const MOST: u64 = 1 << 60;

/// The count of a tenant's wallets, as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WalletCount {
    counts: [u64; SHARDS as usize],
    quota: Option<u64>,
}

/// The shard that a new wallet is counted in, and the most that it may hold before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountedIn {
    /// The shard.
    pub shard: u8,
    below: u64,
}

impl WalletCount {
    /// Returns the count of a tenant without a quota. It does not have to be read.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self { counts: [0; SHARDS as usize], quota: None }
    }

    /// Returns how many wallets were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the quota; 0 where there is none.
    #[must_use]
    pub fn quota(&self) -> u64 {
        self.quota.unwrap_or_default()
    }

    /// Returns the parts of the quota that the shards may hold. A shard that holds more than its
    /// part, because the quota was lowered, keeps what it has, and the others share the rest. It
    /// never grows, and no other shard grows past its part, so every reader finds the same parts.
    fn parts(&self) -> [u64; SHARDS as usize] {
        let quota = self.quota.unwrap_or(MOST).min(MOST);
        let mut over = [false; SHARDS as usize];
        loop {
            let mut parts = self.counts;
            let fixed: u64 = (0..parts.len()).filter(|it| over[*it]).map(|it| parts[it]).sum();
            let free: Vec<usize> = (0..parts.len()).filter(|it| !over[*it]).collect();
            let rest = quota.saturating_sub(fixed);
            let shards = free.len().max(1) as u64;
            for (number, shard) in (0..).zip(&free) {
                parts[*shard] = rest / shards + u64::from(number < rest % shards);
            }
            let fuller: Vec<usize> =
                free.into_iter().filter(|it| self.counts[*it] > parts[*it]).collect();
            if fuller.is_empty() {
                return parts;
            }
            for shard in fuller {
                over[shard] = true;
            }
        }
    }

    /// Returns a shard with room, from `first` on. `None`: the quota is reached.
    #[must_use]
    pub fn room(&self, first: u8) -> Option<CountedIn> {
        let parts = self.parts();
        let shards = (0..SHARDS).map(|shard| shard.wrapping_add(first) % SHARDS);
        let mut rooms = shards.map(|shard| CountedIn { shard, below: parts[usize::from(shard)] });
        rooms.find(|it| self.counts[usize::from(it.shard)] < it.below)
    }
}

impl Store {
    /// Reads how many wallets a tenant has, for a quota. One strongly consistent query.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn wallet_count(
        &self,
        tenant: &Tenant,
        quota: u64,
    ) -> Result<WalletCount, StoreError> {
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :wallets)")
            .expression_attribute_values(":pk", AttributeValue::S(partition(tenant)))
            .expression_attribute_values(":wallets", AttributeValue::S(WALLETS.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        let mut counts = [0; SHARDS as usize];
        for item in output.items() {
            let shard = item.get("sk").and_then(|sort| sort.as_s().ok());
            let shard = shard.and_then(|sort| sort.strip_prefix(WALLETS)?.parse::<usize>().ok());
            let count = item.get("wallets").and_then(|count| count.as_n().ok()?.parse().ok());
            let (Some(shard), Some(count)) = (shard, count) else {
                let cause = "no count of a shard".to_owned();
                return Err(StoreError::Damaged { what: "wallet count", cause });
            };
            if let Some(counted) = counts.get_mut(shard) {
                *counted = count;
            }
        }
        Ok(WalletCount { counts, quota: Some(quota) })
    }

    /// Returns the write that counts a new wallet.
    pub(super) fn count_wallet(
        &self,
        tenant: &Tenant,
        counted: CountedIn,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(&partition(tenant), &format!("{WALLETS}{}", counted.shard))))
            .update_expression("SET #schema = :schema ADD wallets :one")
            .condition_expression("attribute_not_exists(wallets) OR wallets < :below")
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_values(":schema", number(SCHEMA.into()))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":below", number(counted.below))
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

fn partition(tenant: &Tenant) -> String {
    format!("{tenant}#Q")
}

/// Returns the token of a creation's transaction: the wallet's id, changed by the shard and by the nonce
/// of the sealed share. The same token with another request is an error, also when a recovery restores
/// the wallet minutes after its creation.
pub(super) fn creation_token(wallet_id: Uuid, counted: CountedIn, share: &ShareRecord) -> String {
    let mut bytes = wallet_id.into_bytes();
    bytes[0] ^= counted.shard;
    for (byte, drawn) in bytes.iter_mut().skip(1).zip(share.sealed.nonce()) {
        *byte ^= drawn;
    }
    Uuid::from_bytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn token_of_a_creation_names_shard_and_sealed_share() {
        let share = |nonce: u8| -> ShareRecord {
            let sealed = json!({ "f": 1, "k": [1], "n": vec![nonce; 12], "c": [2] });
            let share = json!({ "schema": 1, "keyVersion": 1, "sealed": sealed });
            serde_json::from_value(share).unwrap()
        };
        let token = |shard, nonce| {
            creation_token(Uuid::from_u128(7), CountedIn { shard, below: 1 }, &share(nonce))
        };
        assert_eq!(token(1, 1), token(1, 1));
        assert_ne!(token(1, 1), token(2, 1));
        assert_ne!(token(1, 1), token(1, 2));
    }

    #[test]
    fn shards_hold_exactly_the_quota() {
        for quota in [0, 1, 15, 16, 17, 1_000_003] {
            let count = WalletCount { counts: [0; SHARDS as usize], quota: Some(quota) };
            assert_eq!(count.parts().iter().sum::<u64>(), quota);
        }
    }

    #[test]
    fn lowered_quota_is_not_exceeded() {
        let mut count = WalletCount { counts: [0; SHARDS as usize], quota: Some(60) };
        (count.counts[0], count.counts[5]) = (50, 4);
        let parts = count.parts();
        assert_eq!((parts.iter().sum::<u64>(), parts[0], parts[5]), (60, 50, 4));
        for first in 0..=255 {
            // Readers at other times find the same parts.
            assert_eq!(count.parts(), parts);
            let Some(room) = count.room(first) else { break };
            count.counts[usize::from(room.shard)] += 1;
        }
        assert_eq!((count.total(), count.room(0)), (60, None));
        count.quota = Some(10);
        assert_eq!(count.room(0), None);
    }

    #[test]
    fn every_place_of_a_quota_is_found_from_any_shard() {
        for quota in [1, 20] {
            let mut count = WalletCount { counts: [0; SHARDS as usize], quota: Some(quota) };
            for first in 0..quota {
                let first = u8::try_from(first * 7 % 256).unwrap();
                let shard = count.room(first).unwrap().shard;
                count.counts[usize::from(shard)] += 1;
            }
            assert_eq!((count.total(), count.room(3)), (quota, None));
        }
        assert!(WalletCount::unlimited().room(200).is_some());
    }
}
