//! The wallets' table's indexes, as a table is made with them.

use super::Index;
use super::list::{LIST_AT, LIST_INDEX, LIST_SHARD, LISTED};

/// An index of the wallets' table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexShape {
    /// Its name.
    pub name: &'static str,
    /// The attribute that is its partition key, a text.
    pub partition: &'static str,
    /// The attribute that is its sort key,
    pub sort: &'static str,
    /// a number, or else a text.
    pub sorts_numbers: bool,
    /// What it holds of an item beside the keys.
    pub holds: &'static [&'static str],
}

impl IndexShape {
    /// All of them.
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
