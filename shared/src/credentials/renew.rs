//! The renewal job: rotates credentials before they expire, and finishes operations that callers
//! began and did not finish.
//!
//! The job reads the due credentials from an index, so the cost of a run depends on them and not
//! on the table's size. Each wallet is due at its own moment within a day, so that keys made
//! together are not renewed together. A run ends when it reaches its limit or its maximum
//! duration, or when the exchange's budget for jobs is empty. The next run continues with the
//! credentials still due. Tenants take turns, so a tenant with many credentials delays no other
//! tenant.

use futures_util::future::BoxFuture;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use domain::ids::{Exchange, Tenant, WalletRef};
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};
use uuid::Uuid;

use super::operation::{Initiator, Operation};
use super::revoke::revoke_known;
use super::rotate::{Previous, finish_retiring, rotate_known};
use super::{CredentialError, ExchangeFault, Life, Registrar, Registrars};
use crate::exchanges::RefusalKind;
use crate::exchanges::budget::Busy;
use crate::store::{CredentialKey, CredentialRecord, CredentialState, Index, Store};
use crate::tenancy::TenantState;
use crate::turns::Turns;

const HOUR_MS: u64 = 60 * 60 * 1_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Registrations unfinished for longer are counted.
const PENDING_MS: u64 = 5 * 60 * 1_000;

/// Credentials that expire within this time and could not be renewed are counted.
const SOON_MS: u64 = 7 * DAY_MS;

/// Maximum number of remaining credentials that a run counts.
const BACKLOG: u32 = 10_000;

/// The limits of a run.
#[derive(Clone, Debug)]
pub struct RenewLimits {
    /// Credentials that expire within this time are renewed, in milliseconds.
    pub within_ms: u64,
    /// Maximum number of credentials in a run.
    pub limit: u32,
    /// Maximum duration of a run.
    pub run_time: Duration,
    /// Whether Hyperliquid's keys are returned to callers. If so, the previous key stays usable
    /// after a renewal until it expires.
    pub keys_are_handed_out: bool,
}

/// The result of a run for one exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Renewed {
    /// Rotated credentials.
    pub renewed: u64,
    /// Finished operations of callers.
    pub finished: u64,
    /// Failed credentials; the log has the reasons.
    pub failed: u64,
    /// Credentials that had expired when the run reached them.
    pub overdue: u64,
    /// Registrations unfinished for more than five minutes.
    pub pending: u64,
    /// Credentials that expire within a week and could not be renewed.
    pub expiring: u64,
    /// Due credentials left for the next run, at most 10,000 for all exchanges.
    pub backlog: u64,
    /// Credentials of suspended tenants, which are not renewed.
    pub suspended: u64,
    /// The exchange's budget is used up.
    pub exhausted: bool,
}

/// The job's task with a credential.
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
    /// Fails when the index cannot be read.
    pub fn renew<'a>(
        &'a self,
        limits: &'a RenewLimits,
    ) -> BoxFuture<'a, Result<[(Exchange, Renewed); Exchange::ALL.len()], StoreError>> {
        Box::pin(async move {
            let clock = &self.aster.custody.clock;
            let started_ms = clock.now_ms();
            let mut run = Run {
                registrars: self,
                limits,
                until_ms: started_ms
                    .saturating_add(u64::try_from(limits.run_time.as_millis()).unwrap_or(u64::MAX)),
                turns: Turns::new(limits.limit),
                suspended: Suspended::default(),
                limited: HashSet::new(),
                tally: Exchange::ALL.map(|exchange| (exchange, Renewed::default())),
            };
            let mut deferred = Vec::new();
            let mut left_out = 0;
            let mut scan = self.index_scan(Index::Due, started_ms + limits.within_ms + DAY_MS);
            while left_out <= BACKLOG {
                let Some(key) = scan.next().await? else { break };
                if renews_at_ms(key.wallet_id, key.at_ms, limits.within_ms) > clock.now_ms() {
                    continue;
                }
                if run.turns.admits(&key.tenant) {
                    left_out += u32::from(!run.work_on(&key).await);
                } else {
                    // Other tenants go first.
                    left_out += 1;
                    deferred.push(key);
                }
            }
            for key in deferred {
                run.work_on(&key).await;
            }
            for (exchange, tally) in &run.tally {
                metrics::emit(clock, About::exchange(*exchange), &tally.metrics());
            }
            Ok(run.tally)
        })
    }
}

/// One run of the job.
struct Run<'a> {
    registrars: &'a Registrars,
    limits: &'a RenewLimits,
    /// When it begins no more work, Unix milliseconds.
    until_ms: u64,
    turns: Turns,
    suspended: Suspended,
    /// Tenants whose part of an exchange's budget is used up.
    limited: HashSet<(Exchange, Tenant)>,
    tally: [(Exchange, Renewed); Exchange::ALL.len()],
}

impl Run<'_> {
    /// Works on a credential, or counts it as left for the next run. Returns whether it may have
    /// worked on it.
    async fn work_on(&mut self, key: &CredentialKey) -> bool {
        let now_ms = self.registrars.aster.custody.clock.now_ms();
        let Some((_, tally)) = self.tally.iter_mut().find(|(it, _)| *it == key.exchange) else {
            return true;
        };
        let of_tenant = (key.exchange, key.tenant.clone());
        let is_over = self.turns.is_over() || now_ms > self.until_ms;
        if is_over || tally.exhausted || self.limited.contains(&of_tenant) {
            tally.backlog += 1;
            return false;
        }
        let failed = tally.failed;
        let Some(registrar) = self.registrars.of(key.exchange) else { return true };
        match renew_one(registrar, key, self.limits, &mut self.suspended, tally).await {
            Worked::NotDue => {}
            Worked::Done => self.turns.take(&key.tenant),
            Worked::TenantLimited => {
                tally.backlog += 1;
                self.limited.insert(of_tenant);
            }
        }
        // It expires soon and has not been renewed.
        let is_soon = (now_ms..now_ms + SOON_MS).contains(&key.at_ms);
        tally.expiring += u64::from(is_soon && tally.failed > failed);
        true
    }
}

/// The result of working on one credential.
enum Worked {
    /// It was not due any more.
    NotDue,
    /// It was due. The tally has the result.
    Done,
    /// The tenant's part of the exchange's budget is used up.
    TenantLimited,
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

/// Returns when the job handles an index entry with the time `at_ms`; both in Unix milliseconds.
#[must_use]
pub fn renews_at_ms(wallet_id: Uuid, at_ms: u64, within_ms: u64) -> u64 {
    at_ms.saturating_sub(within_ms).saturating_sub(jitter_ms(wallet_id))
}

/// Returns how much earlier than its index time a wallet is due, up to a day.
fn jitter_ms(wallet_id: Uuid) -> u64 {
    let (high, low) = wallet_id.as_u64_pair();
    (high ^ low) % DAY_MS
}

/// The suspended tenants, each read once in a run.
#[derive(Debug, Default)]
struct Suspended(HashMap<Tenant, bool>);

impl Suspended {
    async fn has(&mut self, store: &Store, tenant: &Tenant) -> Result<bool, StoreError> {
        if let Some(known) = self.0.get(tenant) {
            return Ok(*known);
        }
        let record = store.tenant(tenant).await?;
        let suspended = record.is_some_and(|record| record.state == TenantState::Suspended);
        self.0.insert(tenant.clone(), suspended);
        Ok(suspended)
    }
}

/// Handles one credential if it is still due.
async fn renew_one(
    registrar: &Registrar,
    key: &CredentialKey,
    limits: &RenewLimits,
    suspended: &mut Suspended,
    tally: &mut Renewed,
) -> Worked {
    let custody = &registrar.custody;
    let name = WalletRef::Wallet(key.wallet_id);
    let view = match custody.store.find(&key.tenant, &name).await {
        Ok(Some(view)) => view,
        Ok(None) => return Worked::NotDue,
        Err(error) => {
            tracing::error!(%error, walletId = %key.wallet_id, "credential not renewed");
            tally.failed += 1;
            return Worked::Done;
        }
    };
    let now_ms = custody.clock.now_ms();
    let Some(known) = view.credential(key.exchange) else { return Worked::NotDue };
    if is_left_pending(known, now_ms) {
        tally.pending += 1;
        back_off(registrar, key).await;
        return Worked::Done;
    }
    let Some(task) = task(known, limits, now_ms) else { return Worked::NotDue };
    // A suspended tenant gets no new agent. Revocations and removals are finished.
    if matches!(task, Task::Rotate | Task::FinishRotation) {
        match suspended.has(&custody.store, &key.tenant).await {
            Ok(false) => {}
            Ok(true) => {
                tally.suspended += 1;
                return Worked::NotDue;
            }
            Err(error) => {
                tracing::error!(%error, tenant = %key.tenant, "not renewed");
                tally.failed += 1;
                return Worked::Done;
            }
        }
    }
    if Life::of(known, now_ms) == Life::Expired {
        tally.overdue += 1;
    }
    let initiator = Initiator::Job;
    let operation = Operation { registrar, initiator, view: &view, received_ms: now_ms };
    let done = match task {
        Task::Rotate | Task::FinishRotation => {
            let is_handed_out = limits.keys_are_handed_out && registrar.client.profile().shows_keys;
            let previous = if is_handed_out { Previous::Keep } else { Previous::Remove };
            rotate_known(operation, known, previous).await.map(|_| ())
        }
        Task::FinishRevocation => revoke_known(operation, known).await.map(|_| ()),
        Task::RemovePrevious => match finish_retiring(operation, known).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(CredentialError::BadAnswer(ExchangeFault::NotRemoved)),
            Err(error) => Err(error),
        },
    };
    match done {
        Ok(()) if task == Task::Rotate => tally.renewed += 1,
        Ok(()) => tally.finished += 1,
        // Another call holds the credential.
        Err(CredentialError::InProgress { .. } | CredentialError::Store(StoreError::Conflict)) => {}
        Err(CredentialError::Busy(Busy::TenantLimited { .. })) => return Worked::TenantLimited,
        Err(error) => {
            tally.exhausted |= is_exhausted(&error);
            if !tally.exhausted {
                tally.failed += 1;
                tracing::warn!(
                    %error, ?task, tenant = %key.tenant, walletId = %key.wallet_id,
                    exchange = %key.exchange, "credential not renewed"
                );
                back_off(registrar, key).await;
            }
        }
    }
    Worked::Done
}

/// Delays the next attempt after a failure: by one hour, two, four, up to a day.
async fn back_off(registrar: &Registrar, key: &CredentialKey) {
    let custody = &registrar.custody;
    let name = WalletRef::Wallet(key.wallet_id);
    let written = async {
        let Some(view) = custody.store.find(&key.tenant, &name).await? else {
            return Ok(());
        };
        let Some(known) = view.credential(key.exchange) else { return Ok(()) };
        let now_ms = custody.clock.now_ms();
        // A call that now holds the credential decides about it.
        if known.lease_until_ms > now_ms {
            return Ok(());
        }
        let mut record = known.clone();
        let rest_ms = (HOUR_MS << record.job_failures.min(5)).min(DAY_MS);
        record.job_failures = record.job_failures.saturating_add(1);
        record.job_after_ms = now_ms + rest_ms;
        record.revision = custody.random.uuid()?;
        Ok::<(), CredentialError>(
            custody.store.replace(&view.wallet, &record, known.revision).await?,
        )
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, walletId = %key.wallet_id, "failure not recorded");
    }
}

/// Returns whether a registration is unfinished and no call holds it.
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

/// Returns whether the run must stop using this exchange.
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
