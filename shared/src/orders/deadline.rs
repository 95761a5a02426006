//! The time limits of a request. API Gateway ends it after 29 seconds without a response, so nothing
//! is signed unless it can be sent, and its outcome be looked for, before that.

use std::time::Duration;

use super::{TradeError, Trader};

impl Trader {
    /// Runs work of a request that sends no order, and ends it when too little time is left to send
    /// one before `until_ms`, Unix milliseconds.
    ///
    /// # Errors
    /// As the work, and [`TradeError::OutOfTime`].
    pub(super) async fn before_sending<T>(
        &self,
        until_ms: u64,
        work: impl Future<Output = Result<T, TradeError>> + Send,
    ) -> Result<T, TradeError> {
        let left_ms = self.client.latest_ms(until_ms).saturating_sub(self.now_ms());
        let ended = tokio::time::timeout(Duration::from_millis(left_ms), work).await;
        ended.map_err(|_| TradeError::OutOfTime)?
    }

    /// Runs work that only reads, and ends it at `until_ms`, Unix milliseconds.
    ///
    /// # Errors
    /// As the work, and [`TradeError::OutOfTime`].
    pub(super) async fn until<T>(
        &self,
        until_ms: u64,
        work: impl Future<Output = Result<T, TradeError>> + Send,
    ) -> Result<T, TradeError> {
        let left_ms = until_ms.saturating_sub(self.now_ms());
        let ended = tokio::time::timeout(Duration::from_millis(left_ms), work).await;
        ended.map_err(|_| TradeError::OutOfTime)?
    }

    /// Returns an error unless a call that starts now ends before `until_ms`, Unix milliseconds.
    ///
    /// # Errors
    /// [`TradeError::OutOfTime`].
    pub(super) fn ensure_time_to_send(&self, until_ms: u64) -> Result<(), TradeError> {
        if self.client.has_time(until_ms) { Ok(()) } else { Err(TradeError::OutOfTime) }
    }
}
