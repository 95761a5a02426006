//! Scans what an index lists, shard after shard, for the scheduled jobs.

use std::vec;

use platform::items::{Item, SHARDS, StoreError};

use super::Registrars;
use crate::store::{CredentialKey, Index, Store};

/// A scan of what is due in an index. It returns one credential after another, and reads each page
/// when it is needed.
#[derive(Debug)]
pub(super) struct IndexScan<'a> {
    store: &'a Store,
    index: Index,
    until_ms: u64,
    /// The shard that the scan begins with.
    first: u8,
    /// How many shards were begun.
    begun: u8,
    /// Where the shard's next page begins, if there is one.
    next: Option<Item>,
    keys: vec::IntoIter<CredentialKey>,
}

impl Registrars {
    /// Scans what is due until a time in Unix milliseconds. The first shard is random, so that no
    /// shard is always the last one.
    pub(super) fn index_scan(&self, index: Index, until_ms: u64) -> IndexScan<'_> {
        let custody = &self.aster.custody;
        let first = custody.random.bytes().map_or(0, |[byte]: [u8; 1]| byte % SHARDS);
        let (store, keys) = (&custody.store, Vec::new().into_iter());
        IndexScan { store, index, until_ms, first, begun: 0, next: None, keys }
    }
}

impl IndexScan<'_> {
    /// Returns the next credential, the longest due of its shard first.
    pub(super) async fn next(&mut self) -> Result<Option<CredentialKey>, StoreError> {
        loop {
            if let Some(key) = self.keys.next() {
                return Ok(Some(key));
            }
            let from = self.next.take();
            if from.is_none() {
                if self.begun == SHARDS {
                    return Ok(None);
                }
                self.begun += 1;
            }
            let shard = (self.first + self.begun - 1) % SHARDS;
            let page = self.store.due(self.index, shard, self.until_ms, from).await?;
            (self.keys, self.next) = (page.keys.into_iter(), page.next);
        }
    }
}
