//! Finds the outcome of orders whose response was lost.
//!
//! An order that the exchange does not have is dead only when its bytes can no longer execute, and
//! two lookups after that, at least a second apart, find nothing. Until then its outcome is open.
//! Every step can be repeated, by any number of processes at once: a lookup reads, a used nonce
//! stays used, and each write names the revision that it replaces.

use domain::eth::AgentKey;

use super::client::call::{Entry, entry_of};
use super::finding::{ChangeFound, Finder};
use super::outcome::{Outcome, merged, placed_outcome, stored_refusal};
use super::{REQUEST_MS, TradeError, Trader};
use crate::exchanges::LookupError;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::trade::{ExchangeOrder, Placed};
use crate::store::{
    OrderLost, OrderRecord, OrderState, Settling, StoredOutcome, Submission, SubmissionKind,
    TradingAccount, TradingView,
};
use crate::trading::decimal::Decimal;
use crate::trading::ids::OrderKey;

/// The minimum time between the last two lookups, in milliseconds.
const BETWEEN_LOOKUPS_MS: u64 = 1_000;

/// How long after the expiry of its bytes an order can be looked up, in milliseconds. Aster forgets
/// orders that ended without a fill after seven days.
const REMEMBERED_MS: u64 = 6 * 24 * 60 * 60 * 1_000;

/// Orders with a submission under way.
#[derive(Clone, Debug)]
pub(super) struct Case<'a> {
    pub(super) account: &'a TradingAccount,
    pub(super) view: &'a TradingView,
    /// The orders of the submission, the lead first.
    pub(super) records: Vec<OrderRecord>,
    /// No question is begun after this time, Unix milliseconds.
    pub(super) until_ms: u64,
}

/// The result of one attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Resolution {
    /// Every outcome is known.
    Known(Vec<OrderRecord>),
    /// An outcome is open.
    Open {
        /// The orders, the lead first.
        records: Vec<OrderRecord>,
        /// The reason, for the log.
        cause: String,
        /// What the next attempt needs.
        next: Next,
    },
}

/// What the next attempt needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Time.
    Later,
    /// Room in the exchange's budget.
    Budget,
    /// No attempt can find the outcome without a new credential or an operator.
    Help,
}

impl Resolution {
    /// Returns the orders, the lead first.
    pub(super) fn records(self) -> Vec<OrderRecord> {
        match self {
            Self::Known(records) | Self::Open { records, .. } => records,
        }
    }
}

/// Why an attempt ended without an outcome.
struct Stop {
    cause: String,
    next: Next,
}

impl Stop {
    fn because(cause: &(impl ToString + ?Sized)) -> Self {
        Self { cause: cause.to_string(), next: Next::Later }
    }

    fn unresolvable(cause: &str) -> Self {
        Self { cause: cause.to_owned(), next: Next::Help }
    }
}

impl From<AskError> for Stop {
    fn from(error: AskError) -> Self {
        let next = match &error {
            AskError::Failed(LookupError::Busy(_)) => Next::Budget,
            _ => Next::Later,
        };
        Self { cause: error.to_string(), next }
    }
}

/// Why an attempt failed, or lost against another one.
enum Failed {
    Stop(Stop),
    Lost(OrderLost),
    Error(TradeError),
}

impl From<Stop> for Failed {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<AskError> for Failed {
    fn from(error: AskError) -> Self {
        Self::Stop(error.into())
    }
}

impl From<OrderLost> for Failed {
    fn from(lost: OrderLost) -> Self {
        Self::Lost(lost)
    }
}

impl Case<'_> {
    fn keys(&self) -> Vec<OrderKey> {
        let ids = self.records.iter().map(|record| &record.client_order_id);
        ids.map(|id| self.account.order_key(id)).collect()
    }

    fn lead(&self) -> Result<&OrderRecord, TradeError> {
        self.records.first().ok_or(TradeError::DamagedOrder("no lead"))
    }
}

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
        tracing::warn!(cause, "the outcome of an order is still unknown");
        let mut records = case.records;
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

    /// Makes sure that the bytes of the lead's submission can no longer execute.
    async fn fence(&self, case: &mut Case<'_>) -> Result<(), Failed> {
        let lead = case.lead().map_err(Failed::Error)?;
        let Some(submission) = lead.unresolved() else { return Ok(()) };
        if self.is_final(submission) {
            return Ok(());
        }
        let key = self.key_of(case.view, submission.agent).await.map_err(Failed::Error)?;
        let Some(key) = key else {
            return Err(Stop::because("the agent is gone; its bytes have not expired").into());
        };
        let wallet = case.view.wallet.address;
        let fenced = self.client.fence(&case.account.tenant, submission, wallet, &key).await;
        fenced.map_err(|unresolved| Stop::because(&unresolved))?;
        self.note_fenced(case).await
    }

    /// Stores that the nonce is used.
    async fn note_fenced(&self, case: &mut Case<'_>) -> Result<(), Failed> {
        let lead = case.lead().map_err(Failed::Error)?;
        let revision = self.random.uuid().map_err(|error| Failed::Error(error.into()))?;
        let noted = self.store.note_fenced(case.account, lead, revision).await?;
        if let Some(lead) = case.records.first_mut() {
            *lead = noted;
        }
        Ok(())
    }

    /// Returns whether bytes can no longer execute.
    fn is_final(&self, submission: &Submission) -> bool {
        submission.fenced || self.now_ms() >= submission.final_at_ms
    }

    fn ensure_time(&self, case: &Case<'_>) -> Result<(), Stop> {
        if self.now_ms() < case.until_ms {
            return Ok(());
        }
        Err(Stop::because("no time is left for another question"))
    }

    /// Waits for the second of the two lookups that must find nothing.
    async fn before_last_lookup(&self, case: &Case<'_>) -> Result<(), Failed> {
        let lead = case.lead().map_err(Failed::Error)?;
        let expires_at_ms = lead.unresolved().map_or(0, |submission| submission.expires_at_ms);
        if self.now_ms() > expires_at_ms.saturating_add(REMEMBERED_MS) {
            return Err(Stop::unresolvable("the exchange may have forgotten the order").into());
        }
        self.ensure_time(case)?;
        self.clock().sleep_ms(BETWEEN_LOOKUPS_MS).await;
        Ok(())
    }

    async fn resolve_placing(&self, case: &mut Case<'_>) -> Result<Vec<OrderRecord>, Failed> {
        let key = self.asking_key(case.view).await?;
        let (account, view) = (case.account, case.view);
        let finder = Finder { trader: self, account, view, key: key.as_ref() };
        let lead = case.lead().map_err(Failed::Error)?;
        let was_final = lead.unresolved().is_none_or(|submission| self.is_final(submission));
        let mut found = finder.outcomes(&case.records).await?;
        if !was_final && found.iter().any(Option::is_none) {
            self.ensure_time(case)?;
            self.fence(case).await?;
            // The first of the two lookups after the bytes became harmless.
            found = finder.outcomes(&case.records).await?;
        }
        if found.iter().any(Option::is_none) {
            self.before_last_lookup(case).await?;
            found = finder.outcomes(&case.records).await?;
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
        let was_final = self.is_final(&change.submission);
        let mut found = finder.change(&record, change).await?;
        if !was_final && found.new.is_none() {
            self.ensure_time(case)?;
            self.fence(case).await?;
            found = finder.change(&record, change).await?;
        }
        if found.new.is_none() {
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
