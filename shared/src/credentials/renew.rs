//! The renewal job: rotates credentials before they expire, and finishes what others began and did
//! not end.
//!
//! What is due is found in an index, so a run costs what is due and not what exists. Each wallet
//! is due at a moment of its own within a day, so that keys made together are not renewed
//! together. A run ends when it has done its share, has used its time up, or the exchange's budget
//! for jobs is empty; the next run goes on, because whatever was done is no longer due.

use std::time::Duration;

use domain::ids::{Exchange, WalletRef};
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};
use uuid::Uuid;

use super::held::{By, Previous};
use super::{CredentialError, Life, Registrar, Registrars};
use crate::exchanges::RefusalKind;
use crate::exchanges::budget::Busy;
use crate::store::{CredentialKey, CredentialRecord, CredentialState, Index};

const HOUR_MS: u64 = 60 * 60 * 1_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A registration that nobody has ended for so long is counted.
const PENDING_MS: u64 = 5 * 60 * 1_000;

/// What expires within this and could not be renewed is counted.
const SOON_MS: u64 = 7 * DAY_MS;

/// How much of what a run leaves is counted.
const BACKLOG: u32 = 10_000;

/// What a run may do.
#[derive(Clone, Debug)]
pub struct RenewLimits {
    /// Credentials that expire within this are renewed, in milliseconds.
    pub within_ms: u64,
    /// How many credentials a run works on.
    pub limit: u32,
    /// How long a run lasts at most.
    pub run_time: Duration,
    /// Hyperliquid's keys were handed out: a renewed one's predecessor may be used until it expires.
    pub keys_are_handed_out: bool,
}

/// What a run has done with the credentials of one exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Renewed {
    /// Rotated.
    pub renewed: u64,
    /// Begun by others and brought to its end.
    pub finished: u64,
    /// Neither, for the reason in the log.
    pub failed: u64,
    /// Past its expiry when the run came to it.
    pub overdue: u64,
    /// Registrations that nobody has ended for five minutes.
    pub pending: u64,
    /// Expires within a week, and could not be renewed.
    pub expiring: u64,
    /// Due, and left for the next run; of all exchanges 10,000 are counted at most.
    pub backlog: u64,
    /// The exchange's budget is used up.
    pub exhausted: bool,
}

/// What the job has to do with a credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Task {
    Rotate,
    FinishRotation,
    FinishRevocation,
    RemovePrevious,
}

impl Registrars {
    /// Runs the renewal job once.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn renew(
        &self,
        limits: &RenewLimits,
    ) -> Result<[(Exchange, Renewed); 2], StoreError> {
        let custody = &self.aster.custody;
        let started_ms = custody.clock.now_ms();
        let run_ms = u64::try_from(limits.run_time.as_millis()).unwrap_or(u64::MAX);
        let mut tally =
            [(Exchange::Aster, Renewed::default()), (Exchange::Hyperliquid, Renewed::default())];
        let mut left = limits.limit;
        let mut counted = 0;
        let mut walk = self.walk(Index::Due, started_ms + limits.within_ms + DAY_MS);
        while let Some(key) = walk.next().await? {
            let now_ms = custody.clock.now_ms();
            let is_over = left == 0 || now_ms.saturating_sub(started_ms) > run_ms;
            // What is left for the next run is counted, to a bound.
            counted += u32::from(is_over);
            if counted > BACKLOG {
                break;
            }
            let Some((_, tally)) = tally.iter_mut().find(|(it, _)| *it == key.exchange) else {
                continue;
            };
            if renews_at_ms(key.wallet_id, key.at_ms, limits.within_ms) > now_ms {
                continue;
            }
            if is_over || tally.exhausted {
                tally.backlog += 1;
                continue;
            }
            let failed = tally.failed;
            left -= u32::from(self.of(key.exchange).renew_one(&key, limits, tally).await);
            // It expires soon and has not been renewed.
            let is_soon = (now_ms..now_ms + SOON_MS).contains(&key.at_ms);
            tally.expiring += u64::from(is_soon && tally.failed > failed);
        }
        for (exchange, tally) in &tally {
            metrics::emit(&custody.clock, About::exchange(*exchange), &tally.metrics());
        }
        Ok(tally)
    }
}

impl Renewed {
    const fn metrics(&self) -> [(Metric, u64); 7] {
        [
            (Metric::CredentialsRenewed, self.renewed),
            (Metric::OperationsFinished, self.finished),
            (Metric::RenewalsFailed, self.failed),
            (Metric::CredentialsOverdue, self.overdue),
            (Metric::RegistrationsPending, self.pending),
            (Metric::CredentialsExpiring, self.expiring),
            (Metric::RenewalBacklog, self.backlog),
        ]
    }
}

/// From when the job works on what is in the index at `at_ms`, both in Unix milliseconds.
#[must_use]
pub fn renews_at_ms(wallet_id: Uuid, at_ms: u64, within_ms: u64) -> u64 {
    at_ms.saturating_sub(within_ms).saturating_sub(jitter_ms(wallet_id))
}

/// How much earlier than others a wallet is due, up to a day.
fn jitter_ms(wallet_id: Uuid) -> u64 {
    let (high, low) = wallet_id.as_u64_pair();
    (high ^ low) % DAY_MS
}

impl Registrar {
    /// Works on one credential, if it still wants it. Whether it did.
    async fn renew_one(
        &self,
        key: &CredentialKey,
        limits: &RenewLimits,
        tally: &mut Renewed,
    ) -> bool {
        let name = WalletRef::Wallet(key.wallet_id);
        let view = match self.custody.store.find(&key.tenant, &name).await {
            Ok(Some(view)) => view,
            Ok(None) => return false,
            Err(error) => {
                tracing::error!(%error, walletId = %key.wallet_id, "not renewed");
                tally.failed += 1;
                return true;
            }
        };
        let now_ms = self.custody.clock.now_ms();
        let Some(known) = view.credential(key.exchange) else { return false };
        if is_left_pending(known, now_ms) {
            tally.pending += 1;
            self.try_later(key).await;
            return true;
        }
        let Some(task) = task(known, limits, now_ms) else { return false };
        if Life::of(known, now_ms) == Life::Expired {
            tally.overdue += 1;
        }
        let done = match task {
            Task::Rotate | Task::FinishRotation => {
                let is_handed_out =
                    limits.keys_are_handed_out && key.exchange == Exchange::Hyperliquid;
                let previous = if is_handed_out { Previous::Keep } else { Previous::Remove };
                self.turn(By::Job, &view, known, previous, now_ms).await.map(|_| ())
            }
            Task::FinishRevocation => {
                self.revoke_known(By::Job, &view, known, now_ms).await.map(|_| ())
            }
            Task::RemovePrevious => match self.finish_retiring(&view, known, now_ms).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(CredentialError::BadAnswer("not removed yet".to_owned())),
                Err(error) => Err(error),
            },
        };
        match done {
            Ok(()) if task == Task::Rotate => tally.renewed += 1,
            Ok(()) => tally.finished += 1,
            // Somebody else is at it.
            Err(
                CredentialError::InProgress { .. } | CredentialError::Store(StoreError::Conflict),
            ) => {}
            Err(error) => {
                tally.exhausted |= is_exhausted(&error);
                if !tally.exhausted {
                    tally.failed += 1;
                    tracing::warn!(
                        %error, ?task, tenant = %key.tenant, walletId = %key.wallet_id,
                        exchange = %key.exchange, "not renewed"
                    );
                    self.try_later(key).await;
                }
            }
        }
        true
    }

    /// After a failure a credential rests: an hour, two, four, up to a day.
    async fn try_later(&self, key: &CredentialKey) {
        let name = WalletRef::Wallet(key.wallet_id);
        let written = async {
            let Some(view) = self.custody.store.find(&key.tenant, &name).await? else {
                return Ok(());
            };
            let Some(known) = view.credential(key.exchange) else { return Ok(()) };
            let now_ms = self.custody.clock.now_ms();
            // Whoever works on it now decides about it.
            if known.lease_until_ms > now_ms {
                return Ok(());
            }
            let mut record = known.clone();
            let rest_ms = (HOUR_MS << record.job_failures.min(5)).min(DAY_MS);
            record.job_failures = record.job_failures.saturating_add(1);
            record.job_after_ms = now_ms + rest_ms;
            record.revision = self.custody.random.uuid().map_err(CredentialError::from)?;
            Ok(self.custody.store.replace(&view.wallet, &record, known.revision).await?)
        };
        let written: Result<(), CredentialError> = written.await;
        if let Err(error) = written {
            tracing::warn!(%error, walletId = %key.wallet_id, "the failure was not noted");
        }
    }
}

/// Whether a registration was begun, and nobody works on it.
const fn is_left_pending(known: &CredentialRecord, now_ms: u64) -> bool {
    matches!(known.state, CredentialState::Pending)
        && known.lease_until_ms <= now_ms
        && known.job_after_ms <= now_ms
        && known.requested_at_ms + PENDING_MS <= now_ms
}

fn task(known: &CredentialRecord, limits: &RenewLimits, now_ms: u64) -> Option<Task> {
    if known.job_after_ms > now_ms || known.lease_until_ms > now_ms {
        return None;
    }
    match known.state {
        CredentialState::Pending => None,
        CredentialState::Rotating => Some(Task::FinishRotation),
        CredentialState::Revoking => Some(Task::FinishRevocation),
        CredentialState::Active => {
            let expires_soon = known.expires_at_ms <= now_ms + limits.within_ms + DAY_MS;
            if known.auto_renew && expires_soon {
                Some(Task::Rotate)
            } else {
                (!known.retiring.is_empty()).then_some(Task::RemovePrevious)
            }
        }
    }
}

/// Whether it makes no sense to go on with this exchange now.
fn is_exhausted(error: &CredentialError) -> bool {
    match error {
        CredentialError::Busy(Busy::Limited { .. } | Busy::Down { .. } | Busy::Blocked { .. }) => {
            true
        }
        CredentialError::Refused(refusal) => {
            matches!(refusal.kind, RefusalKind::RateLimited { .. })
        }
        _ => false,
    }
}
