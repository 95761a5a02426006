//! The indexes of the wallets' table, for its creation.

use super::Index;
use super::list::{LIST_AT, LIST_INDEX, LIST_SHARD, LISTED};

/// An index of the wallets' table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexShape {
    /// Its name.
    pub name: &'static str,
    /// Its partition key attribute, a text.
    pub partition: &'static str,
    /// Its sort key attribute.
    pub sort: &'static str,
    /// Whether the sort key has the type number, instead of text.
    pub sorts_numbers: bool,
    /// The attributes that it holds in addition to the keys.
    pub holds: &'static [&'static str],
}

impl IndexShape {
    /// Returns all indexes.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let jobs = Index::ALL.map(|index| Self {
            name: index.name(),
            partition: "shard",
            sort: index.sort_key(),
            sorts_numbers: true,
            holds: &[],
        });
        let list = Self {
            name: LIST_INDEX,
            partition: LIST_SHARD,
            sort: LIST_AT,
            sorts_numbers: false,
            holds: &LISTED,
        };
        jobs.into_iter().chain([list]).collect()
    }
}
