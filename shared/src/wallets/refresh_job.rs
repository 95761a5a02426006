//! The job that refreshes the shares of all wallets before they are too old.
//!
//! The job reads the due wallets from an index, so the cost of a run depends on them and not on
//! the table's size. A run ends when it reaches its limit or its maximum duration. The next run
//! continues with the wallets still due. Tenants take turns, so a tenant with many wallets delays
//! no other tenant.

use futures_util::future::BoxFuture;
use std::time::Duration;

use domain::ids::WalletRef;
use platform::items::{SHARDS, StoreError};
use platform::metrics::{self, About, Metric};

use super::{Custody, RefreshError, Refreshed, SignError};
use crate::store::AgedWallet;
use crate::turns::Turns;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Delay before the next attempt after a failure.
const REST_MS: u64 = 6 * 60 * 60 * 1_000;

/// How many wallets a run defers at most, so that other tenants go first.
const MOST_DEFERRED: usize = 10_000;

/// The limits of a run.
#[derive(Clone, Debug)]
pub struct RefreshLimits {
    /// Age from which shares are refreshed, in milliseconds.
    pub every_ms: u64,
    /// Maximum number of wallets in a run.
    pub limit: u32,
    /// Maximum duration of a run.
    pub run_time: Duration,
}

/// The result of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RefreshRun {
    /// Wallets with new shares.
    pub refreshed: u64,
    /// Unfinished refreshes that were completed.
    pub finished: u64,
    /// Failed wallets; the log has the reasons. They keep signing with their current shares.
    pub failed: u64,
    /// Whether wallets remain to be refreshed.
    pub more: bool,
}

impl Custody {
    /// Runs the job once.
    ///
    /// # Errors
    /// Fails when the index cannot be read.
    pub fn refresh_aged<'a>(
        &'a self,
        limits: &'a RefreshLimits,
    ) -> BoxFuture<'a, Result<RefreshRun, StoreError>> {
        Box::pin(async move {
            let started_ms = self.clock.now_ms();
            let before_ms = started_ms.saturating_sub(limits.every_ms);
            let run_ms = u64::try_from(limits.run_time.as_millis()).unwrap_or(u64::MAX);
            let until_ms = started_ms.saturating_add(run_ms);
            let mut run = RefreshRun::default();
            let mut turns = Turns::new(limits.limit);
            let mut deferred = Vec::new();
            // The first shard is random, so that no shard is always last.
            let first = self.random.bytes().map_or(0, |[byte]: [u8; 1]| byte);
            for shard in (0..SHARDS).map(|shard| shard.wrapping_add(first) % SHARDS) {
                let mut from = None;
                while deferred.len() < MOST_DEFERRED {
                    let page = self.store.aged(shard, before_ms, from).await?;
                    for wallet in page.keys {
                        if turns.is_over() || self.clock.now_ms() > until_ms {
                            run.more = true;
                            return Ok(run);
                        }
                        if !turns.admits(&wallet.tenant) {
                            // Other tenants go first.
                            deferred.push(wallet);
                        } else if self.refresh_one(&wallet, before_ms, &mut run).await {
                            turns.take(&wallet.tenant);
                        }
                    }
                    match page.next {
                        Some(next) => from = Some(next),
                        None => break,
                    }
                }
            }
            for wallet in deferred {
                if turns.is_over() || self.clock.now_ms() > until_ms {
                    run.more = true;
                    break;
                }
                if self.refresh_one(&wallet, before_ms, &mut run).await {
                    turns.take(&wallet.tenant);
                }
            }
            Ok(run)
        })
    }

    /// Emits the age of the oldest shares as [`Metric::OldestSharesDays`]. A failure is logged; a
    /// lasting failure triggers the alarm on missing data.
    pub fn measure_oldest_shares(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match self.oldest_shares_days().await {
                Ok(days) => {
                    metrics::emit(&self.clock, About::SERVICE, &[(Metric::OldestSharesDays, days)]);
                }
                Err(error) => tracing::warn!(%error, "the age of the oldest shares is unknown"),
            }
        })
    }

    /// Returns the age of the oldest shares in days, 0 if there are none. Frozen wallets do not
    /// count, because their shares are never refreshed. An unfinished refresh counts as older than
    /// all others, because the shares that it replaced still exist.
    ///
    /// # Errors
    /// Fails when the index cannot be read.
    pub async fn oldest_shares_days(&self) -> Result<u64, StoreError> {
        let now_ms = self.clock.now_ms();
        let shards = (0..SHARDS).map(|shard| self.oldest_of(shard, now_ms));
        let oldest = futures_util::future::try_join_all(shards).await?;
        let oldest_ms = oldest.into_iter().flatten().min();
        Ok(oldest_ms.map_or(0, |at_ms| now_ms.saturating_sub(at_ms) / DAY_MS))
    }

    /// Returns the start of the age of one shard's oldest shares.
    async fn oldest_of(&self, shard: u8, now_ms: u64) -> Result<Option<u64>, StoreError> {
        let mut from = None;
        loop {
            let page = self.store.aged(shard, now_ms, from).await?;
            for AgedWallet { tenant, wallet_id } in page.keys {
                let view = self.store.find(&tenant, &WalletRef::Wallet(wallet_id)).await?;
                let at_ms = view.filter(|view| !view.wallet.frozen);
                if let Some(at_ms) = at_ms.and_then(|view| view.wallet.shares_at_ms) {
                    return Ok(Some(at_ms));
                }
            }
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(None),
            }
        }
    }

    /// Handles one wallet if it is still due. Returns whether it was.
    async fn refresh_one(&self, wallet: &AgedWallet, before_ms: u64, run: &mut RefreshRun) -> bool {
        let AgedWallet { tenant, wallet_id } = wallet;
        match self.refresh(tenant, *wallet_id, Some(before_ms)).await {
            Ok(Refreshed::Young) => return false,
            Ok(Refreshed::New(_)) => run.refreshed += 1,
            Ok(Refreshed::Finished(_)) => run.finished += 1,
            // Another call is refreshing it, or has died and holds its lease for a minute.
            Err(RefreshError::InProgress { .. }) => {
                run.more = true;
                return false;
            }
            Err(RefreshError::Sign(SignError::Frozen)) => return false,
            Err(error) => {
                run.failed += 1;
                tracing::warn!(%error, %tenant, walletId = %wallet_id, "wallet not refreshed");
                self.rest(tenant, *wallet_id, REST_MS).await;
            }
        }
        true
    }
}
