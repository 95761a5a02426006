//! The shares of one key. A refresh stores a new share next to the one it was made from. Only a
//! share that is shown to be in use lets the others be retired.
//!
//! A retired share leaves its item without the share. The version number is therefore never used
//! again, and a caller that still names it learns to look for a newer one.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use platform::items::{Item, StoreError, from_item, unavailable};
use protocol::WalletKey;
use serde::Deserialize;

use super::{SHARE, Shares, partition, share_key};

/// The facts about a share that are known without opening it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Version {
    #[serde(skip)]
    pub(crate) version: u32,
    /// Whether the share exists; `false` when it was retired.
    #[serde(skip)]
    pub(crate) live: bool,
    #[serde(default)]
    from: Option<u32>,
    #[serde(default)]
    confirmed: bool,
}

impl Version {
    /// Returns whether a refresh made it and its trial has not succeeded, so that nothing relies
    /// on it.
    const fn is_untried(&self) -> bool {
        self.from.is_some() && !self.confirmed
    }
}

fn at(key: &WalletKey, version: u32) -> WalletKey {
    WalletKey { key_version: version, ..key.clone() }
}

impl Shares {
    /// Lists all shares of a key, the oldest first.
    pub(crate) async fn versions(&self, key: &WalletKey) -> Result<Vec<Version>, StoreError> {
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let output = self
                .db
                .query()
                .table_name(&self.table)
                .key_condition_expression("#pk = :pk AND begins_with(#sk, :share)")
                // The wrapped key shows whether the share exists, and is small.
                .projection_expression("#sk, #schema, #from, #confirmed, #sealed.#k")
                .set_expression_attribute_names(Some(names(&[
                    "pk",
                    "sk",
                    "schema",
                    "from",
                    "confirmed",
                    "sealed",
                    "k",
                ])))
                .expression_attribute_values(":pk", partition(key))
                .expression_attribute_values(":share", AttributeValue::S(SHARE.to_owned()))
                .consistent_read(true)
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(unavailable)?;
            for item in output.items.unwrap_or_default() {
                found.push(version(item)?);
            }
            match output.last_evaluated_key {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        found.sort_by_key(|it| it.version);
        Ok(found)
    }

    /// Marks a share as tried. Returns whether it still exists.
    pub(crate) async fn note_tried(&self, key: &WalletKey) -> Result<bool, StoreError> {
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(share_key(key)))
            .update_expression("SET #confirmed = :true")
            .condition_expression("attribute_exists(#sealed) AND #barred = :false")
            .set_expression_attribute_names(Some(names(&["confirmed", "sealed", "barred"])))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":false", AttributeValue::Bool(false));
        holds(update.send().await)
    }

    /// Removes the leftovers of earlier refreshes of this share.
    pub(crate) async fn clear(&self, key: &WalletKey, left: &Leftovers) -> Result<(), StoreError> {
        for version in &left.untried {
            self.delete_untried(&at(key, *version)).await?;
        }
        for version in &left.overtaken {
            self.give_up(&at(key, *version)).await?;
        }
        Ok(())
    }

    /// Retires shares.
    pub(crate) async fn give_up_all(
        &self,
        key: &WalletKey,
        shares: &[Version],
    ) -> Result<(), StoreError> {
        for known in shares {
            let other = at(key, known.version);
            if known.is_untried() {
                self.delete_untried(&other).await?;
            } else {
                self.give_up(&other).await?;
            }
        }
        Ok(())
    }

    async fn delete_untried(&self, key: &WalletKey) -> Result<(), StoreError> {
        let deleted = self
            .db
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(share_key(key)))
            .condition_expression("attribute_exists(#from) AND #confirmed = :false")
            .set_expression_attribute_names(Some(names(&["from", "confirmed"])))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(()),
            // It no longer exists, or its trial has begun; a tried share is kept.
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(unavailable(error)),
            },
        }
    }

    /// Removes the share from its item, and keeps the item.
    pub(crate) async fn give_up(&self, key: &WalletKey) -> Result<(), StoreError> {
        self.db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(share_key(key)))
            .update_expression("REMOVE #sealed")
            .condition_expression("attribute_exists(pk)")
            .set_expression_attribute_names(Some(names(&["sealed"])))
            .send()
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

/// Versions left by earlier refreshes of a share.
#[derive(Default)]
pub(crate) struct Leftovers {
    /// Never tried; nothing relies on them.
    untried: Vec<u32>,
    /// Tried, and to be retired.
    overtaken: Vec<u32>,
    /// Tried, and kept.
    pub(crate) kept: Vec<u32>,
}

impl Leftovers {
    /// Returns the versions that are discarded.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = u32> {
        self.untried.iter().chain(&self.overtaken).copied()
    }
}

/// Returns the versions left by earlier refreshes of this share. Tried ones are overtaken too, but
/// are retired only when there are `most` of them.
pub(crate) fn leftovers(key: &WalletKey, known: &[Version], most: usize) -> Leftovers {
    let newer = known.iter().filter(|it| it.live && it.version > key.key_version);
    let (untried, tried): (Vec<_>, Vec<_>) = newer.partition(|it| it.is_untried());
    let numbers = |versions: Vec<&Version>| versions.iter().map(|it| it.version).collect();
    let untried = numbers(untried);
    if tried.len() >= most {
        Leftovers { untried, overtaken: numbers(tried), ..Leftovers::default() }
    } else {
        Leftovers { untried, kept: numbers(tried), ..Leftovers::default() }
    }
}

/// Returns the existing shares that are neither the named one nor made from it.
pub(crate) fn others(key: &WalletKey, known: Vec<Version>) -> Vec<Version> {
    let mut kept = BTreeSet::from([key.key_version]);
    let mut others = Vec::new();
    // Each was made from an older one, so one pass finds all descendants.
    for known in known {
        if known.version == key.key_version || known.from.is_some_and(|it| kept.contains(&it)) {
            kept.insert(known.version);
        } else if known.live {
            others.push(known);
        }
    }
    others
}

fn names(names: &[&str]) -> std::collections::HashMap<String, String> {
    names.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect()
}

fn version(item: Item) -> Result<Version, StoreError> {
    let sort = item.get("sk").and_then(|value| value.as_s().ok());
    let number = sort.and_then(|sort| sort.strip_prefix(SHARE)?.parse().ok());
    let number = number.ok_or_else(|| StoreError::Damaged {
        what: "share",
        cause: "it has no version".to_owned(),
    })?;
    let live = item.contains_key("sealed");
    let known: Version = from_item("share", item)?;
    Ok(Version { version: number, live, ..known })
}

/// Returns whether the condition of an update held.
fn holds<T>(updated: Result<T, SdkError<UpdateItemError>>) -> Result<bool, StoreError> {
    match updated {
        Ok(_) => Ok(true),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => Err(unavailable(error)),
        },
    }
}
