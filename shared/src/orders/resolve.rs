//! Finds the outcome of orders whose response was lost.
//!
//! An order is dead in two cases. Either a `noop` has taken the nonce of its bytes, so they have not
//! executed and cannot. Or the bytes have become harmless in another way, because their nonce was
//! used or they expired, and two lookups after that find nothing. Reads can lag, so the last lookup
//! starts at least [`READ_LAG_MS`] after the bytes became harmless. Until then the outcome is open.
//!
//! Every step can be repeated, by any number of processes at once: a lookup reads, a used nonce
//! stays used, and each write names the revision that it replaces.

mod case;

use domain::eth::AgentKey;

use super::client::call::{Entry, entry_of};
use super::finding::{ChangeFound, Finder};
use super::outcome::{Outcome, merged, placed_outcome, stored_refusal};
use super::{REQUEST_MS, TradeError, Trader};
use crate::exchanges::trade::{ExchangeOrder, Fence, Placed};
use crate::store::{
    OrderLost, OrderRecord, OrderState, Settling, StoredOutcome, Submission, SubmissionKind,
    TradingAccount, TradingView,
};
use crate::trading::decimal::Decimal;

pub(super) use case::{Case, Next, REQUEST_WAIT_MS, Resolution};
use case::{Failed, Stop};

/// The minimum time between the last two lookups, in milliseconds.
const BETWEEN_LOOKUPS_MS: u64 = 1_000;

/// How far the exchange's reads are assumed to lag behind its writes at most, in milliseconds.
pub(super) const READ_LAG_MS: u64 = 10_000;

/// How long after the expiry of its bytes an order can be looked up, in milliseconds. Aster forgets
/// orders that ended without a fill after seven days.
const REMEMBERED_MS: u64 = 6 * 24 * 60 * 60 * 1_000;

impl Trader {
    /// Takes over the lease of orders whose lease has ended. `None` means that another call was
    /// faster.
    pub(super) async fn take_over(
        &self,
        account: &TradingAccount,
        mut records: Vec<OrderRecord>,
    ) -> Result<Option<Vec<OrderRecord>>, TradeError> {
        let lead = records.first_mut().ok_or(TradeError::DamagedOrder("no lead"))?;
        let (until_ms, revision) = (self.now_ms() + REQUEST_MS, self.random.uuid()?);
        match self.store.take_over(account, lead, until_ms, revision).await {
            Ok(taken) => {
                *lead = taken;
                Ok(Some(records))
            }
            Err(OrderLost::Moved(_)) => Ok(None),
            Err(OrderLost::Store(error)) => Err(error.into()),
        }
    }

    /// Tries once to find the outcome of orders whose lease this call holds, and stores what it
    /// finds.
    pub(super) async fn resolve(&self, mut case: Case<'_>) -> Result<Resolution, TradeError> {
        let Some(kind) = case.lead()?.unresolved().map(|submission| submission.kind) else {
            return Ok(Resolution::Known(case.records));
        };
        let tried = match kind {
            SubmissionKind::Place => self.resolve_placing(&mut case).await,
            SubmissionKind::Modify => self.resolve_change(&mut case).await,
        };
        match tried {
            Ok(records) => Ok(Resolution::Known(records)),
            Err(Failed::Stop(stop)) => Ok(self.leave_open(case, stop).await),
            Err(Failed::Lost(OrderLost::Moved(_))) => self.overtaken(case).await,
            Err(Failed::Lost(OrderLost::Store(error))) => Err(error.into()),
            Err(Failed::Error(error)) => Err(error),
        }
    }

    /// Ends the lease, so that the next attempt need not wait for its end. If the write fails, the
    /// lease runs out.
    async fn leave_open(&self, case: Case<'_>, stop: Stop) -> Resolution {
        let Stop { cause, next } = stop;
        let mut records = case.records;
        let lead = records.first();
        tracing::warn!(
            cause,
            tenant = %case.account.tenant,
            walletId = %case.account.wallet_id,
            clientOrderId = lead.map(|lead| lead.client_order_id.as_str()),
            "the outcome of an order is still unknown"
        );
        if let Some(lead) = records.first_mut()
            && let Ok(revision) = self.random.uuid()
        {
            let now_ms = self.now_ms();
            let open = if lead.state.is_unresolved() {
                lead.settled(OrderState::Unknown, None, revision, now_ms)
            } else {
                lead.change_settled(OrderState::Unknown, None, None, revision, now_ms)
            };
            let settling = vec![Settling { known: lead.revision, record: open.clone() }];
            match self.store.settle(case.account, settling).await {
                Ok(_) => *lead = open,
                Err(error) => tracing::warn!(%error, "the lease of an order is not released"),
            }
        }
        Resolution::Open { records, cause, next }
    }

    /// Reads what another call has made of the orders.
    async fn overtaken(&self, case: Case<'_>) -> Result<Resolution, TradeError> {
        let present = self.store.orders_by_keys(case.account, &case.keys(), self.clock()).await?;
        let records = merged(&case.records, present);
        if records.iter().all(OrderRecord::is_at_rest) {
            return Ok(Resolution::Known(records));
        }
        let cause = "another call is resolving the order".to_owned();
        Ok(Resolution::Open { records, cause, next: Next::Later })
    }

    /// Opens the key that may ask about orders, if the exchange requires one.
    async fn asking_key(&self, view: &TradingView) -> Result<Option<AgentKey>, Failed> {
        match self.key_to_ask(view).await {
            Ok(key) => Ok(key),
            Err(TradeError::NoCredential(_) | TradeError::CredentialV1) => {
                Err(Stop::unresolvable("no credential can look up the order").into())
            }
            Err(error) => Err(Failed::Error(error)),
        }
    }

    /// Makes sure that the bytes of the lead's submission can no longer execute. Returns whether
    /// they are known not to have executed.
    async fn fence(&self, case: &mut Case<'_>) -> Result<Fence, Failed> {
        let lead = case.lead().map_err(Failed::Error)?;
        let Some(submission) = lead.unresolved().filter(|it| !self.is_harmless(it)) else {
            return Ok(Fence::Spent);
        };
        let key = self.key_of(case.view, submission.agent).await.map_err(Failed::Error)?;
        let Some(key) = key else {
            return Err(Stop::because("the agent is gone; its bytes have not expired").into());
        };
        let wallet = case.view.wallet.address;
        let fenced = self.client.fence(&case.account.tenant, submission, wallet, &key).await;
        let fence = fenced.map_err(|unresolved| Stop::because(&unresolved))?;
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
    fn is_harmless(&self, submission: &Submission) -> bool {
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
    async fn before_last_lookup(&self, case: &Case<'_>) -> Result<(), Failed> {
        let lead = case.lead().map_err(Failed::Error)?;
        let Some(submission) = lead.unresolved() else { return Ok(()) };
        let now_ms = self.now_ms();
        if now_ms > submission.expires_at_ms.saturating_add(REMEMBERED_MS) {
            return Err(Stop::unresolvable("the exchange may have forgotten the order").into());
        }
        self.ensure_time(case)?;
        let at_ms = submission.final_at_ms.saturating_add(READ_LAG_MS);
        let at_ms = at_ms.max(now_ms + BETWEEN_LOOKUPS_MS);
        if at_ms - now_ms > case.max_wait_ms {
            let cause = "the last lookup must wait, because reads can lag".to_owned();
            return Err(Stop { cause, next: Next::At(at_ms) }.into());
        }
        self.clock().sleep_ms(at_ms - now_ms).await;
        Ok(())
    }

    async fn resolve_placing(&self, case: &mut Case<'_>) -> Result<Vec<OrderRecord>, Failed> {
        let key = self.asking_key(case.view).await?;
        let (account, view) = (case.account, case.view);
        let finder = Finder { trader: self, account, view, key: key.as_ref() };
        let lead = case.lead().map_err(Failed::Error)?;
        let was_harmless = lead.unresolved().is_none_or(|it| self.is_harmless(it));
        let mut fence = Fence::Spent;
        let mut found = finder.outcomes(&case.records, case.until_ms).await?;
        if !was_harmless && found.iter().any(Option::is_none) {
            self.ensure_time(case)?;
            fence = self.fence(case).await?;
            if fence == Fence::Spent {
                // The first of the two lookups after the bytes became harmless.
                found = finder.outcomes(&case.records, case.until_ms).await?;
            }
        }
        if fence == Fence::Spent && found.iter().any(Option::is_none) {
            self.before_last_lookup(case).await?;
            found = finder.outcomes(&case.records, case.until_ms).await?;
        }
        let outcomes = found.into_iter().map(|outcome| outcome.unwrap_or(Outcome::DEAD));
        let settling = self.settling(&case.records, outcomes.collect()).map_err(Failed::Error)?;
        let written = self.store.settle(account, settling).await?;
        Ok(merged(&case.records, written))
    }

    async fn resolve_change(&self, case: &mut Case<'_>) -> Result<Vec<OrderRecord>, Failed> {
        let key = self.asking_key(case.view).await?;
        let (account, view) = (case.account, case.view);
        let finder = Finder { trader: self, account, view, key: key.as_ref() };
        let record = case.lead().map_err(Failed::Error)?.clone();
        let Some(change) = &record.change else {
            return Err(Failed::Error(TradeError::DamagedOrder("no change")));
        };
        let was_harmless = self.is_harmless(&change.submission);
        let mut fence = Fence::Spent;
        let mut found = finder.change(&record, change).await?;
        if !was_harmless && found.new.is_none() {
            self.ensure_time(case)?;
            fence = self.fence(case).await?;
            if fence == Fence::Spent {
                found = finder.change(&record, change).await?;
            }
        }
        if fence == Fence::Spent && found.new.is_none() {
            self.before_last_lookup(case).await?;
            found = finder.change(&record, change).await?;
        }
        let record = case.lead().map_err(Failed::Error)?;
        let revision = self.random.uuid().map_err(|error| Failed::Error(error.into()))?;
        let settled = change_outcome(record, &found, revision, self.now_ms());
        let settling = vec![Settling { known: record.revision, record: settled }];
        Ok(self.store.settle(account, settling).await?)
    }
}

/// Returns a record whose bytes under way are harmless from now on.
pub(super) fn harmless_from(record: &OrderRecord, now_ms: u64) -> OrderRecord {
    let mut harmless = record.clone();
    let under_way = if harmless.state.is_unresolved() {
        harmless.submission.as_mut()
    } else {
        harmless.change.as_mut().map(|change| &mut change.submission)
    };
    if let Some(submission) = under_way {
        submission.final_at_ms = submission.final_at_ms.min(now_ms);
    }
    harmless
}

/// Returns the record with the outcome of a change that can no longer be made.
fn change_outcome(
    record: &OrderRecord,
    found: &ChangeFound,
    revision: uuid::Uuid,
    now_ms: u64,
) -> OrderRecord {
    let legs = || match &record.outcome {
        Some(StoredOutcome::Placed { legs, .. }) => legs.clone(),
        _ => Vec::new(),
    };
    if let Some(new) = &found.new {
        return match entry_of(new) {
            Entry::Refused(refusal) => {
                let refusal = Some(stored_refusal(&refusal, now_ms));
                record.change_settled(OrderState::Refused, None, refusal, revision, now_ms)
            }
            Entry::Placed(_) | Entry::Unknown => {
                let placed = with_carried(record, new);
                let outcome = placed_outcome(&placed, legs(), None, now_ms);
                record.change_settled(OrderState::Placed, Some(outcome), None, revision, now_ms)
            }
        };
    }
    let old = found.old.as_deref().map(|old| placed_outcome(&old.into(), legs(), None, now_ms));
    record.change_settled(OrderState::Dead, old, None, revision, now_ms)
}

/// Returns a changed order with what was filled before the change. Hyperliquid replaces the order by
/// one with the rest of the quantity.
fn with_carried(record: &OrderRecord, new: &ExchangeOrder) -> Placed {
    let placed = Placed::from(new);
    let whole = record.change.as_ref().and_then(|change| Decimal::parse(&change.quantity).ok());
    let carried = whole.and_then(|whole| whole.checked_sub(new.quantity));
    let filled = carried.and_then(|carried| placed.filled.checked_add(carried));
    Placed { filled: filled.unwrap_or(placed.filled), ..placed }
}
