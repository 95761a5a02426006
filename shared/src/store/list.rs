//! A tenant's wallets, listed in pages through their own index.
//!
//! | index | partition key | sort key | holds |
//! | --- | --- | --- | --- |
//! | `wallets` | `listShard`: `tenant#shard` | `listAt`: creation time and id | the listed fields |
//!
//! A tenant is spread over [`SHARDS`] partitions by wallet id, so that neither many wallets nor
//! many new ones overload one partition. A list walks from shard to shard, and within each by age.
//! A page of a large tenant is one query.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::eth::Address;
use domain::ids::{Tenant, UserId};
use futures_util::future::BoxFuture;
use futures_util::future::try_join_all;
use platform::items::{Item, SHARDS, StoreError, from_item, unavailable};
use serde::Deserialize;
use uuid::Uuid;

use super::due::shard_number;
use super::{Store, WalletRecord};

pub(super) const LIST_INDEX: &str = "wallets";
pub(super) const LIST_SHARD: &str = "listShard";
pub(super) const LIST_AT: &str = "listAt";

/// The attributes that the index holds in addition to its keys.
pub(super) const LISTED: [&str; 6] =
    ["schema", "userId", "address", "walletId", "publicKey", "createdAtMs"];

/// The listed fields of a wallet.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedWallet {
    /// The tenant's user.
    pub user_id: UserId,
    /// Its address.
    pub address: Address,
    /// Its id.
    pub wallet_id: Uuid,
    /// Uncompressed SEC1, 130 hex digits.
    pub public_key: String,
    /// Unix milliseconds.
    pub created_at_ms: u64,
}

/// Start of a page in a list. The default is the list's beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// The shard.
    pub shard: u8,
    /// Creation time of the last wallet read in it, Unix milliseconds.
    pub after_ms: u64,
    /// The id of that wallet; nil at the shard's beginning.
    pub after: Uuid,
}

impl Position {
    fn of_shard(shard: u8) -> Self {
        Self { shard, ..Self::default() }
    }

    fn behind(shard: u8, wallet: &ListedWallet) -> Self {
        Self { shard, after_ms: wallet.created_at_ms, after: wallet.wallet_id }
    }
}

/// Returns the attributes that put a wallet into the index.
pub(super) fn list_attributes(wallet: &WalletRecord) -> [(&'static str, AttributeValue); 2] {
    let shard = partition(&wallet.tenant, shard_number(wallet.wallet_id));
    let at = sort(wallet.created_at_ms, wallet.wallet_id);
    [(LIST_SHARD, AttributeValue::S(shard)), (LIST_AT, AttributeValue::S(at))]
}

/// Adds them to the update of a record that an earlier version may have written.
pub(super) fn list_too(
    update: UpdateItemFluentBuilder,
    wallet: &WalletRecord,
) -> UpdateItemFluentBuilder {
    list_attributes(wallet).into_iter().fold(update, |update, (name, value)| {
        update
            .expression_attribute_names(format!("#{name}"), name)
            .expression_attribute_values(format!(":{name}"), value)
    })
}

/// The part of the update expression that belongs to [`list_too`].
pub(super) const SET_LISTED: &str = "#listShard = :listShard, #listAt = :listAt";

fn partition(tenant: &Tenant, shard: u8) -> String {
    format!("{tenant}#{shard}")
}

/// Returns the sort key. Fifteen digits suffice for thirty thousand years.
fn sort(at_ms: u64, wallet_id: Uuid) -> String {
    format!("{at_ms:015}#{wallet_id}")
}

/// Number of shards queried in parallel after the first one, which alone fills a page of a large
/// tenant. Three follow, then all the rest, so that a small tenant waits for three rounds.
const WAVES: [usize; 3] = [3, SHARDS as usize, 0];

/// A page of wallets, and where the next one begins.
type Page = (Vec<ListedWallet>, Option<Position>);

impl Store {
    /// Returns at most `limit` of a tenant's wallets from a position on, and the start of the next
    /// page. Reads the index, which lags behind the table by about a second. A walk returns each
    /// wallet that is in the index at its beginning once, and a wallet made meanwhile at most
    /// once.
    ///
    /// # Errors
    /// Fails when the index cannot be read.
    pub fn list<'a>(
        &'a self,
        tenant: &'a Tenant,
        from: Position,
        limit: u8,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let limit = usize::from(limit);
            let mut wallets = Vec::new();
            let mut open = (from.shard + 1..SHARDS).map(Position::of_shard);
            let mut wave = vec![from];
            for width in WAVES {
                let wanted = limit - wallets.len();
                let asked = wave.iter().map(|from| self.list_shard(tenant, *from, wanted));
                for (asked, (found, more)) in wave.iter().zip(try_join_all(asked).await?) {
                    let room = limit - wallets.len();
                    let taken = found.len().min(room);
                    let last =
                        found[..taken].last().map(|last| Position::behind(asked.shard, last));
                    let over = taken < found.len() || more;
                    wallets.extend(found.into_iter().take(taken));
                    if over {
                        return Ok((wallets, Some(last.unwrap_or(*asked))));
                    }
                    let next = asked.shard + 1;
                    if wallets.len() == limit && next < SHARDS {
                        return Ok((wallets, Some(Position::of_shard(next))));
                    }
                }
                wave = open.by_ref().take(width).collect();
                if wave.is_empty() {
                    break;
                }
            }
            Ok((wallets, None))
        })
    }

    /// Returns at most `limit` wallets of a shard, and whether it may have more.
    async fn list_shard(
        &self,
        tenant: &Tenant,
        from: Position,
        limit: usize,
    ) -> Result<(Vec<ListedWallet>, bool), StoreError> {
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .index_name(LIST_INDEX)
            .key_condition_expression("#shard = :shard AND #at > :after")
            .expression_attribute_names("#shard", LIST_SHARD)
            .expression_attribute_names("#at", LIST_AT)
            .expression_attribute_values(":shard", AttributeValue::S(partition(tenant, from.shard)))
            .expression_attribute_values(
                ":after",
                AttributeValue::S(sort(from.after_ms, from.after)),
            )
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(unavailable)?;
        let items = output.items.unwrap_or_default().into_iter();
        let found = items.map(|item: Item| from_item("listed wallet", item));
        Ok((found.collect::<Result<_, _>>()?, output.last_evaluated_key.is_some()))
    }
}
