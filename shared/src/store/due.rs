//! Sparse indexes over the credentials and the wallets, with which the scheduled jobs avoid
//! reading the whole table. Each is spread over a fixed number of shards by the wallet's id.
//!
//! | index | partition key | sort key | holds |
//! | --- | --- | --- | --- |
//! | `due` | `shard` | `dueAtMs` | credentials to renew, or with an unfinished operation; orders whose outcome is unknown, in shards of their own |
//! | `check` | `shard` | `checkAtMs` | credentials to compare with the exchange |
//! | `refresh` | `shard` | `sharesAtMs` | wallets, by the age of their shares |

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::{Exchange, Tenant};
use platform::items::{Item, SHARDS, StoreError, unavailable};
use serde::Serialize;
use uuid::Uuid;

use super::credentials::sort_key;
use super::{CREDENTIAL, CredentialRecord, Store, WalletRecord, key, wallet_key};

/// One of the indexes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Index {
    /// For the renewal job.
    Due,
    /// For the reconciliation job.
    Check,
    /// For the job that refreshes shares.
    Refresh,
}

impl Index {
    /// All indexes.
    pub const ALL: [Self; 3] = [Self::Due, Self::Check, Self::Refresh];

    /// Returns the index's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Check => "check",
            Self::Refresh => "refresh",
        }
    }

    /// Returns the index's sort key.
    #[must_use]
    pub const fn sort_key(self) -> &'static str {
        match self {
            Self::Due => "dueAtMs",
            Self::Check => "checkAtMs",
            Self::Refresh => "sharesAtMs",
        }
    }
}

/// Identifies a credential.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CredentialKey {
    /// The wallet's tenant.
    pub tenant: Tenant,
    /// The wallet.
    pub wallet_id: Uuid,
    /// The exchange.
    pub exchange: Exchange,
    /// The time at which it is due, Unix milliseconds; the index's sort key.
    pub at_ms: u64,
}

/// A page of an index, and the start of the next one.
#[derive(Clone, Debug, Default)]
pub struct Page<K = CredentialKey> {
    /// The due items, the longest overdue first.
    pub keys: Vec<K>,
    /// Start of the next page, if there is one.
    pub next: Option<Item>,
}

/// Returns the attributes that put a credential into the indexes.
pub(super) fn index_attributes(wallet_id: Uuid, credential: &CredentialRecord) -> Item {
    let mut item = Item::new();
    let sorts = [(Index::Due, credential.due_at_ms()), (Index::Check, credential.check_at_ms)];
    for (index, at_ms) in sorts {
        if let Some(at_ms) = at_ms {
            item.insert(index.sort_key().to_owned(), AttributeValue::N(at_ms.to_string()));
        }
    }
    item.insert("shard".to_owned(), shard_of(wallet_id));
    item
}

/// Returns the index partition of a wallet's items.
pub(super) fn shard_of(wallet_id: Uuid) -> AttributeValue {
    AttributeValue::S(shard_number(wallet_id).to_string())
}

/// Returns the shard of a wallet. Wallet ids are random, so the shards are even.
pub(super) const fn shard_number(wallet_id: Uuid) -> u8 {
    wallet_id.as_bytes()[15] % SHARDS
}

impl Store {
    /// Returns a page of the credentials due in one shard of an index up to a time.
    ///
    /// # Errors
    /// Fails when the index cannot be read, or holds an invalid entry.
    pub async fn due(
        &self,
        index: Index,
        shard: u8,
        until_ms: u64,
        from: Option<Item>,
    ) -> Result<Page, StoreError> {
        let (items, next) = self.index_page(index, shard.to_string(), until_ms, from).await?;
        let keys = items.iter().map(|item| {
            credential_key(index, item).ok_or_else(|| StoreError::Damaged {
                what: "index entry",
                cause: "it names no credential".to_owned(),
            })
        });
        Ok(Page { keys: keys.collect::<Result<_, _>>()?, next })
    }

    pub(super) async fn index_page(
        &self,
        index: Index,
        shard: String,
        until_ms: u64,
        from: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .index_name(index.name())
            .key_condition_expression("#shard = :shard AND #at <= :until")
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_names("#at", index.sort_key())
            .expression_attribute_values(":shard", AttributeValue::S(shard))
            .expression_attribute_values(":until", AttributeValue::N(until_ms.to_string()))
            .set_exclusive_start_key(from)
            .limit(100)
            .send()
            .await
            .map_err(unavailable)?;
        Ok((output.items.unwrap_or_default(), output.last_evaluated_key))
    }

    /// Records the result of a comparison with the exchange in `credential`, unless the stored one
    /// has changed: the time of the next comparison, the differences, and the expiry notice.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has another revision, or no longer exists.
    pub async fn note_check(
        &self,
        wallet: &WalletRecord,
        credential: &CredentialRecord,
    ) -> Result<(), StoreError> {
        let partition = wallet_key(&wallet.tenant, wallet.wallet_id);
        let mut update = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&partition, &sort_key(credential.exchange))))
            .condition_expression("revision = :expected")
            .expression_attribute_values(
                ":expected",
                AttributeValue::S(credential.revision.to_string()),
            );
        let at = credential.check_at_ms.map(|at_ms| AttributeValue::N(at_ms.to_string()));
        let notes = [
            ("checkAtMs", at),
            ("drift", attribute(credential.drift.as_ref())?),
            ("expiring", attribute(credential.expiring.as_ref())?),
        ];
        let (mut set, mut remove) = (Vec::new(), Vec::new());
        for (name, value) in notes {
            update = update.expression_attribute_names(format!("#{name}"), name);
            match value {
                Some(value) => {
                    update = update.expression_attribute_values(format!(":{name}"), value);
                    set.push(format!("#{name} = :{name}"));
                }
                None => remove.push(format!("#{name}")),
            }
        }
        let clause = |word: &str, parts: &[String]| {
            if parts.is_empty() { String::new() } else { format!("{word} {} ", parts.join(", ")) }
        };
        let expression = clause("SET", &set) + &clause("REMOVE", &remove);
        match update.update_expression(expression.trim()).send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => {
                    Err(StoreError::Conflict)
                }
                _ => Err(unavailable(error)),
            },
        }
    }
}

fn attribute<T: Serialize>(value: Option<&T>) -> Result<Option<AttributeValue>, StoreError> {
    let note = value.map(serde_dynamo::to_attribute_value).transpose();
    note.map_err(|error| StoreError::Damaged { what: "note", cause: error.to_string() })
}

/// Parses `tenant#W#walletId` and `credential#exchange`.
fn credential_key(index: Index, item: &Item) -> Option<CredentialKey> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let (tenant, wallet_id) = text("pk")?.split_once("#W#")?;
    let exchange = text("sk")?.strip_prefix(CREDENTIAL)?;
    Some(CredentialKey {
        tenant: tenant.parse().ok()?,
        wallet_id: wallet_id.parse().ok()?,
        exchange: Exchange::ALL.into_iter().find(|known| known.as_str() == exchange)?,
        at_ms: item.get(index.sort_key())?.as_n().ok()?.parse().ok()?,
    })
}
