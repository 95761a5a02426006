//! The shares of one key. A refresh stores a new one beside the one that it was made from; only
//! what is shown to be in use lets the others be given up.
//!
//! A share that was in use and is given up leaves its item without the share, so that nothing is
//! stored under its name again and whoever still asks for it learns to look for a newer one.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use platform::items::{Item, StoreError, from_item, unavailable};
use protocol::WalletKey;
use serde::Deserialize;

use super::{SHARE, Shares, partition, share_key};

/// What is known of a share without reading it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Version {
    #[serde(skip)]
    pub(crate) version: u32,
    /// It is there; `false`: it was given up.
    #[serde(skip)]
    live: bool,
    #[serde(default)]
    from: Option<u32>,
    #[serde(default)]
    confirmed: bool,
}

impl Version {
    /// Made by a refresh that has not come so far that anybody relies on it.
    const fn is_untried(&self) -> bool {
        self.from.is_some() && !self.confirmed
    }
}

fn at(key: &WalletKey, version: u32) -> WalletKey {
    WalletKey { key_version: version, ..key.clone() }
}

impl Shares {
    /// All shares of a key, the oldest first.
    pub(crate) async fn versions(&self, key: &WalletKey) -> Result<Vec<Version>, StoreError> {
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let output = self
                .db
                .query()
                .table_name(&self.table)
                .key_condition_expression("#pk = :pk AND begins_with(#sk, :share)")
                // The wrapped key tells that there is a share, and is small.
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

    /// Notes that a share has signed. Whether it is still there.
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

    /// Clears away what earlier refreshes of this share have left.
    pub(crate) async fn clear(&self, key: &WalletKey, left: &Leftovers) -> Result<(), StoreError> {
        for version in &left.untried {
            self.delete_untried(&at(key, *version)).await?;
        }
        for version in &left.overtaken {
            self.give_up(&at(key, *version)).await?;
        }
        Ok(())
    }

    /// Gives shares up.
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
            // It is gone, or being tried: then it counts like any other.
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(unavailable(error)),
            },
        }
    }

    /// Leaves the item without the share.
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

/// Versions that earlier refreshes of a share have left.
#[derive(Default)]
pub(crate) struct Leftovers {
    /// Nobody relies on them.
    untried: Vec<u32>,
    /// Tried, and to be given up.
    overtaken: Vec<u32>,
    /// Tried, and kept.
    pub(crate) kept: Vec<u32>,
}

/// What earlier refreshes of this share have left. Shares that were tried have been overtaken too,
/// but are given up only when there are `most` of them.
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

/// The shares that are neither the one named nor made from it, and still there.
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

/// Whether a conditional update found what it wants.
fn holds<T>(updated: Result<T, SdkError<UpdateItemError>>) -> Result<bool, StoreError> {
    match updated {
        Ok(_) => Ok(true),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => Err(unavailable(error)),
        },
    }
}
