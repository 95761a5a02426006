//! Walks what an index lists, shard after shard, for the scheduled jobs.

use std::vec;

use platform::items::{Item, SHARDS, StoreError};

use super::Registrars;
use crate::store::{CredentialKey, Index, Store};

/// What is due in an index, one credential after another, each page read when it is wanted.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    store: &'a Store,
    index: Index,
    until_ms: u64,
    /// The shard that was begun with, and how many were begun.
    first: u8,
    begun: u8,
    /// Where the shard's next page begins, if there is one.
    next: Option<Item>,
    keys: vec::IntoIter<CredentialKey>,
}

impl Registrars {
    /// Walks what is due until a time, from a random shard on: no shard is always the last one.
    pub(super) fn walk(&self, index: Index, until_ms: u64) -> Walk<'_> {
        let custody = &self.aster.custody;
        let first = custody.random.bytes().map_or(0, |[byte]: [u8; 1]| byte % SHARDS);
        let (store, keys) = (&custody.store, Vec::new().into_iter());
        Walk { store, index, until_ms, first, begun: 0, next: None, keys }
    }
}

impl Walk<'_> {
    /// The next one, the longest due of its shard first.
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
