//! Making bytes harmless, and the time limits of the steps of an attempt.

use std::time::Duration;

use domain::ids::Exchange;

use super::case::{Failed, GRACE_MS, Stop};
use super::{Case, Next, READ_LAG_MS};
use crate::exchanges::trade::Fence;
use crate::orders::Trader;
use crate::store::{OrderRecord, Submission};

/// The minimum time between the last two lookups, in milliseconds.
const BETWEEN_LOOKUPS_MS: u64 = 1_000;

/// How long after the expiry of its bytes an order can be looked up, in milliseconds. Aster forgets
/// orders that ended without a fill after seven days.
const REMEMBERED_MS: u64 = 6 * 24 * 60 * 60 * 1_000;

impl Trader {
    /// Asks a question about a case, unless its time is over. The question ends in time.
    pub(super) async fn within<T, E: Into<Failed>>(
        &self,
        case: &Case<'_>,
        question: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, Failed> {
        self.ensure_time(case)?;
        let left_ms = case.until_ms.saturating_add(GRACE_MS).saturating_sub(self.now_ms());
        match tokio::time::timeout(Duration::from_millis(left_ms), question).await {
            Ok(answer) => answer.map_err(Into::into),
            Err(_) => Err(Stop::because("the exchange did not respond in time").into()),
        }
    }

    /// Makes sure that the bytes of the lead's submission can no longer execute. Returns whether
    /// they are known not to have executed. `is_executed` states that the exchange has an order of
    /// the submission: then the nonce was not free, whatever the exchange says about it.
    pub(super) async fn fence(
        &self,
        case: &mut Case<'_>,
        is_executed: bool,
    ) -> Result<Fence, Failed> {
        self.ensure_time(case)?;
        let lead = case.lead().map_err(Failed::Error)?;
        let Some(submission) = lead.unresolved().filter(|it| !self.is_harmless(it)) else {
            return Ok(Fence::Spent);
        };
        if case.account.exchange == Exchange::Lighter {
            let cause = "the bytes end by their expiry".to_owned();
            return Err(Stop { cause, next: Next::At(submission.final_at_ms) }.into());
        }
        let key = self.key_of(case.view, submission.agent).await.map_err(Failed::Error)?;
        let Some(key) = key else {
            return Err(Stop::because("the agent is gone; its bytes have not expired").into());
        };
        self.client.take_call(&case.account.tenant).await?;
        let fenced = self.client.fence(submission.nonce, case.view.address(), &key).await;
        let fence = match fenced.map_err(|unresolved| Stop::because(&unresolved))? {
            Fence::Taken if is_executed => Fence::Spent,
            fence => fence,
        };
        if fence == Fence::Spent {
            self.note_fenced(case).await?;
        }
        Ok(fence)
    }

    /// Stores that the nonce is used, with the time.
    async fn note_fenced(&self, case: &mut Case<'_>) -> Result<(), Failed> {
        let lead = case.lead().map_err(Failed::Error)?;
        let harmless = harmless_from(lead, self.now_ms());
        let revision = self.random.uuid().map_err(|error| Failed::Error(error.into()))?;
        let noted = self.store.note_fenced(case.account, &harmless, revision).await?;
        if let Some(lead) = case.records.first_mut() {
            *lead = noted;
        }
        Ok(())
    }

    /// Returns whether bytes can no longer execute.
    pub(super) fn is_harmless(&self, submission: &Submission) -> bool {
        submission.fenced || self.now_ms() >= submission.final_at_ms
    }

    fn ensure_time(&self, case: &Case<'_>) -> Result<(), Stop> {
        if self.now_ms() < case.until_ms {
            return Ok(());
        }
        Err(Stop::because("no time is left for another question"))
    }

    /// Waits for the second of the two lookups that must find nothing, or ends the attempt if the
    /// wait is too long for it.
    pub(super) async fn before_last_lookup(&self, case: &Case<'_>) -> Result<(), Failed> {
        let lead = case.lead().map_err(Failed::Error)?;
        let Some(submission) = lead.unresolved() else { return Ok(()) };
        let now_ms = self.now_ms();
        if now_ms > submission.expires_at_ms.saturating_add(REMEMBERED_MS) {
            return Err(Stop::unresolvable("the exchange may have forgotten the order").into());
        }
        self.ensure_time(case)?;
        let at_ms = submission.final_at_ms.saturating_add(READ_LAG_MS);
        let at_ms = at_ms.max(now_ms + BETWEEN_LOOKUPS_MS);
        if at_ms - now_ms > case.max_wait_ms || at_ms >= case.until_ms {
            let cause = "the last lookup must wait, because reads can lag".to_owned();
            return Err(Stop { cause, next: Next::At(at_ms) }.into());
        }
        self.clock().sleep_ms(at_ms - now_ms).await;
        Ok(())
    }
}

/// Returns a record whose bytes under way are harmless from now on.
pub(in crate::orders) fn harmless_from(record: &OrderRecord, now_ms: u64) -> OrderRecord {
    let mut harmless = record.clone();
    if let Some(submission) = under_way(&mut harmless) {
        submission.final_at_ms = submission.final_at_ms.min(now_ms);
    }
    harmless
}

/// Returns a record with the hash that Lighter states for its bytes under way. `None` when it is the
/// signed hash.
pub(in crate::orders) fn with_stated_hash(
    record: &OrderRecord,
    stated: &str,
) -> Option<OrderRecord> {
    let mut named = record.clone();
    let submission = under_way(&mut named)?;
    if submission.hash.as_deref() == Some(stated) {
        return None;
    }
    submission.stated_hash = Some(stated.to_owned());
    Some(named)
}

fn under_way(record: &mut OrderRecord) -> Option<&mut Submission> {
    if record.state.is_unresolved() {
        return record.submission.as_mut();
    }
    record.change.as_mut().map(|change| &mut change.submission)
}
