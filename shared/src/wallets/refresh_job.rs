//! The job that refreshes the shares of all wallets, each before they are too old.
//!
//! What is due is found in an index, so a run costs what is due and not what exists. A run ends
//! when it has done its share or has used its time up; the next run goes on, because whatever was
//! done is no longer due.

use std::time::Duration;

use super::{Custody, RefreshError, Refreshed, SignError};
use crate::store::{AgedWallet, SHARDS, StoreError};

/// After a failure a wallet rests for so long.
const REST_MS: u64 = 6 * 60 * 60 * 1_000;

/// What a run may do.
#[derive(Clone, Debug)]
pub struct RefreshLimits {
    /// Shares of this age are refreshed, in milliseconds.
    pub every_ms: u64,
    /// How many wallets a run works on.
    pub limit: u32,
    /// How long a run lasts at most.
    pub run_time: Duration,
}

/// What a run has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RefreshRun {
    /// Wallets with new shares.
    pub refreshed: u64,
    /// Begun by others and brought to their end.
    pub finished: u64,
    /// Neither, for the reason in the log. They sign with the shares that they have.
    pub failed: u64,
    /// There is more to do.
    pub more: bool,
}

impl Custody {
    /// Runs the job once.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn refresh_aged(&self, limits: &RefreshLimits) -> Result<RefreshRun, StoreError> {
        let started_ms = self.clock.now_ms();
        let before_ms = started_ms.saturating_sub(limits.every_ms);
        let run_ms = u64::try_from(limits.run_time.as_millis()).unwrap_or(u64::MAX);
        let mut run = RefreshRun::default();
        let mut left = limits.limit;
        // No shard is always the last one.
        let first = self.random.bytes().map_or(0, |[byte]: [u8; 1]| byte);
        for shard in (0..SHARDS).map(|shard| shard.wrapping_add(first) % SHARDS) {
            let mut from = None;
            loop {
                let page = self.store.aged(shard, before_ms, from).await?;
                for wallet in page.keys {
                    let used_ms = self.clock.now_ms().saturating_sub(started_ms);
                    if left == 0 || used_ms > run_ms {
                        run.more = true;
                        return Ok(run);
                    }
                    left -= u32::from(self.refresh_one(&wallet, before_ms, &mut run).await);
                }
                match page.next {
                    Some(next) => from = Some(next),
                    None => break,
                }
            }
        }
        Ok(run)
    }

    /// Works on one wallet, if it is still due. Whether it did.
    async fn refresh_one(&self, wallet: &AgedWallet, before_ms: u64, run: &mut RefreshRun) -> bool {
        let AgedWallet { tenant, wallet_id } = wallet;
        match self.refresh(tenant, *wallet_id, Some(before_ms)).await {
            Ok(Refreshed::Young) => return false,
            Ok(Refreshed::New(_)) => run.refreshed += 1,
            Ok(Refreshed::Finished(_)) => run.finished += 1,
            // Somebody else is at it; or nobody is to be.
            Err(RefreshError::InProgress { .. } | RefreshError::Sign(SignError::Frozen)) => {
                return false;
            }
            Err(error) => {
                run.failed += 1;
                tracing::warn!(%error, %tenant, walletId = %wallet_id, "not refreshed");
                self.rest(tenant, *wallet_id, REST_MS).await;
            }
        }
        true
    }
}
