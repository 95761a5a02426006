//! Scans an index shard by shard, for the scheduled jobs.

use std::vec;

use platform::items::{Item, SHARDS, StoreError};

use super::Registrars;
use crate::store::{CredentialKey, Index, Store};

/// A scan of the credentials due in an index. Returns them one by one, and reads each page on
/// demand.
#[derive(Debug)]
pub(super) struct IndexScan<'a> {
    store: &'a Store,
    index: Index,
    until_ms: u64,
    /// The shard at which the scan begins.
    first: u8,
    /// Number of shards begun.
    begun: u8,
    /// Start of the shard's next page, if there is one.
    next: Option<Item>,
    keys: vec::IntoIter<CredentialKey>,
}

impl Registrars {
    /// Scans the credentials due until a time in Unix milliseconds. Starts at a random shard, so
    /// that no shard is always last.
    pub(super) fn index_scan(&self, index: Index, until_ms: u64) -> IndexScan<'_> {
        let custody = &self.aster.custody;
        let first = custody.random.bytes().map_or(0, |[byte]: [u8; 1]| byte % SHARDS);
        let (store, keys) = (&custody.store, Vec::new().into_iter());
        IndexScan { store, index, until_ms, first, begun: 0, next: None, keys }
    }
}

impl IndexScan<'_> {
    /// Returns the next credential; within a shard, the longest overdue first.
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
