//! Reads of several items in one call.

use aws_sdk_dynamodb::types::KeysAndAttributes;
use domain::clock::Clock;
use futures_util::future::try_join_all;
use platform::items::{Item, StoreError, unavailable};

use super::Store;

/// Maximum number of keys of a call. Source: `BatchGetItem` in the DynamoDB API reference.
const MAX_KEYS: usize = 100;

/// How often a call is made for keys that DynamoDB leaves out.
const TRIES: u32 = 4;

/// The first wait before the next call, in milliseconds. It doubles, and has a part that differs
/// from process to process.
const PAUSE_MS: u64 = 20;

impl Store {
    /// Reads items by their keys, which must differ, with strongly consistent reads. Items that do
    /// not exist are left out. The sequence is not that of the keys.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when DynamoDB leaves keys out of each response; otherwise when the table
    /// cannot be read.
    pub(super) async fn batch_get(
        &self,
        keys: Vec<Item>,
        clock: &Clock,
    ) -> Result<Vec<Item>, StoreError> {
        let calls = keys.chunks(MAX_KEYS).map(|keys| self.batch_of(keys.to_vec(), clock));
        Ok(try_join_all(calls).await?.into_iter().flatten().collect())
    }

    async fn batch_of(&self, keys: Vec<Item>, clock: &Clock) -> Result<Vec<Item>, StoreError> {
        let (mut left, mut found) = (keys, Vec::new());
        for attempt in 0..TRIES {
            if attempt > 0 {
                let pause_ms = PAUSE_MS << attempt;
                clock.sleep_ms(pause_ms + clock.now_us() % pause_ms).await;
            }
            let wanted = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(true);
            let wanted =
                wanted.build().map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let call = self.db.batch_get_item().request_items(&self.table, wanted);
            let output = call.send().await.map_err(unavailable)?;
            let items = output.responses.and_then(|mut tables| tables.remove(&self.table));
            found.extend(items.unwrap_or_default());
            let rest = output.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table));
            left = rest.map(|rest| rest.keys).unwrap_or_default();
            if left.is_empty() {
                return Ok(found);
            }
        }
        Err(StoreError::Busy(format!("BatchGetItem left {} keys out {TRIES} times", left.len())))
    }
}
