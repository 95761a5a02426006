//! Finds the outcome of orders whose response was lost.
//!
//! An order is dead in two cases. Either Hyperliquid has accepted a `noop` with the nonce of its
//! bytes, so they have not executed and cannot. Or the bytes have become harmless in another way,
//! because their nonce was used or they expired, and two lookups after that find nothing. Reads can
//! lag, so the last lookup starts at least [`READ_LAG_MS`] after the bytes became harmless. Until
//! then the outcome is open.
//!
//! Every step can be repeated, by any number of processes at once: a lookup reads, a used nonce
//! stays used, and each write names the revision that it replaces.

mod case;
mod fence;

use super::access::SigningKey;
use super::finding::Finder;
use super::made::change_outcome;
use super::outcome::{Outcome, merged};
use super::{REQUEST_MS, TradeError, Trader};
use crate::exchanges::trade::Fence;
use crate::store::{
    OrderLost, OrderRecord, OrderState, Settling, SubmissionKind, TradingAccount, TradingView,
};

pub(super) use crate::trading::ledger::READ_LAG_MS;
pub(super) use case::{Case, GRACE_MS, Next, REQUEST_WAIT_MS, Resolution};
use case::{Failed, Stop};
pub(super) use fence::{harmless_from, with_stated_hash};

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
    async fn asking_key(&self, view: &TradingView) -> Result<Option<SigningKey>, Failed> {
        match self.key_to_ask(view).await {
            Ok(key) => Ok(key),
            Err(TradeError::NoCredential(_) | TradeError::CredentialV1) => {
                Err(Stop::unresolvable("no credential can look up the order").into())
            }
            Err(error) => Err(Failed::Error(error)),
        }
    }

    async fn resolve_placing(&self, case: &mut Case<'_>) -> Result<Vec<OrderRecord>, Failed> {
        let key = self.asking_key(case.view).await?;
        let (account, view) = (case.account, case.view);
        let finder = Finder { trader: self, account, view, key: key.as_ref() };
        let lead = case.lead().map_err(Failed::Error)?;
        let was_harmless = lead.unresolved().is_none_or(|it| self.is_harmless(it));
        let mut fence = Fence::Spent;
        let mut found = self.within(case, finder.outcomes(&case.records, case.until_ms)).await?;
        if !was_harmless && found.iter().any(Option::is_none) {
            fence = self.fence(case, found.iter().any(Option::is_some)).await?;
            if fence == Fence::Spent {
                // The first of the two lookups after the bytes became harmless.
                found = self.within(case, finder.outcomes(&case.records, case.until_ms)).await?;
            }
        }
        if fence == Fence::Spent && found.iter().any(Option::is_none) {
            self.before_last_lookup(case).await?;
            found = self.within(case, finder.outcomes(&case.records, case.until_ms)).await?;
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
        let mut found = self.within(case, finder.change(&record, change)).await?;
        if !was_harmless && found.is_nothing() {
            fence = self.fence(case, false).await?;
            if fence == Fence::Spent {
                found = self.within(case, finder.change(&record, change)).await?;
            }
        }
        if fence == Fence::Spent && found.is_nothing() {
            self.before_last_lookup(case).await?;
            found = self.within(case, finder.change(&record, change)).await?;
        }
        if !found.is_final() {
            return Err(
                Stop::because("the exchange still lists the order before the change").into()
            );
        }
        let record = case.lead().map_err(Failed::Error)?;
        let revision = self.random.uuid().map_err(|error| Failed::Error(error.into()))?;
        let settled = change_outcome(record, &found, revision, self.now_ms());
        let settled = settled.map_err(Failed::Error)?;
        let settling = vec![Settling { known: record.revision, record: settled }];
        Ok(self.store.settle(account, settling).await?)
    }
}
