//! Sending stored orders, and what their response means.

use domain::ids::Exchange;

use crate::exchanges::trade::{Sent, TradeCode, Unresolved};
use crate::orders::client::call::{Entry, Outgoing, SentOrder};
use crate::orders::finding::Finder;
use crate::orders::outcome::{Outcome, merged};
use crate::orders::plan::{Planned, Signing, legs_of};
use crate::orders::resolve::{
    Case, GRACE_MS, REQUEST_WAIT_MS, Resolution, harmless_from, with_stated_hash,
};
use crate::orders::{TradeError, Trader};
use crate::store::{OrderRecord, Submission, TradingAccount, TradingView};
use crate::trading::ids::Leg;

/// The lease of a submission, in milliseconds. Bytes can stay valid for longer. The lease depends on
/// no clock of an exchange.
const LEASE_MS: u64 = 20_000;

/// Bytes are sent again only if so much time is left until they expire, in milliseconds.
const RESEND_BEFORE_MS: u64 = 2_000;

/// Returns the end of the lease of bytes that are signed now: nothing is sent after it.
pub(in crate::orders) const fn lease_until_ms(now_ms: u64) -> u64 {
    now_ms + LEASE_MS
}

impl Trader {
    /// Sends stored orders, and returns their records with the outcome.
    pub(super) async fn send(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        planned: &[Planned],
        records: Vec<OrderRecord>,
        until_ms: u64,
    ) -> Result<Vec<OrderRecord>, TradeError> {
        let names = names(account.exchange, planned, &records);
        let (lead, submission) = lead(&records)?;
        let out = Outgoing {
            submission,
            wallet: view.address(),
            orders: &names,
            is_first: true,
            until_ms: lead.lease_until_ms.min(until_ms.saturating_add(GRACE_MS)),
        };
        let mut sent = self.client.place(out).await;
        if let Sent::Unknown(unresolved) = &sent
            && is_worth_resending(account.exchange, submission, unresolved, self.now_ms())
            && self.client.take_call(&account.tenant).await.is_ok()
        {
            sent = self.client.place(Outgoing { is_first: false, ..out }).await;
        }
        // Lighter takes a transaction before it executes it: nothing is known that could be stored.
        if let Sent::Accepted(entries) = &sent
            && let Some(Entry::Taken(hash)) = entries.first()
        {
            let lead = records.first().cloned().ok_or(TradeError::NoOrder)?;
            let lead = self.with_stated_hash(account, lead, hash).await?;
            let records = merged(&records, vec![lead]);
            return self.resolve_sent(account, view, records, until_ms).await;
        }
        let outcomes = match sent {
            Sent::Accepted(entries) => self.outcomes_of(planned, entries),
            // The order of that id can be this one, so a lookup decides.
            Sent::Refused(refusal) if refusal.code == TradeCode::ClientIdTaken => {
                tracing::warn!(text = refusal.text, "the exchange has the id of an order already");
                let key = self.key_to_ask(view).await?;
                let finder = Finder { trader: self, account, view, key: key.as_ref() };
                let lead = records.first().ok_or(TradeError::NoOrder)?;
                let taken = finder.lighter_taken(lead, &refusal, until_ms).await;
                match taken {
                    Ok(Some(outcome)) => vec![outcome; records.len()],
                    Ok(None) | Err(_) => {
                        return self.resolve_sent(account, view, records, until_ms).await;
                    }
                }
            }
            Sent::Refused(refusal) => {
                let refused = Outcome::refused(&refusal, self.now_ms());
                vec![refused; records.len()]
            }
            Sent::NotSent(cause) => {
                tracing::warn!(%cause, "the order did not reach the exchange");
                vec![Outcome::DEAD; records.len()]
            }
            Sent::Unknown(unresolved) => {
                tracing::warn!(cause = %unresolved.why, "the response to an order was lost");
                let lead = records.first().cloned().ok_or(TradeError::NoOrder)?;
                let lead = self.with_used_nonce(account, lead, unresolved.fenced).await?;
                let records = merged(&records, vec![lead]);
                return self.resolve_sent(account, view, records, until_ms).await;
            }
        };
        let is_open = outcomes.iter().any(|outcome| outcome.state.is_unresolved());
        let records = self.settle(account, &records, outcomes).await?;
        if is_open {
            return self.resolve_sent(account, view, records, until_ms).await;
        }
        Ok(records)
    }

    /// Returns the outcome of each order. Hyperliquid states one entry for an order and one for
    /// each of its attached orders.
    fn outcomes_of(&self, planned: &[Planned], entries: Vec<Entry>) -> Vec<Outcome> {
        let now_ms = self.now_ms();
        let mut entries = entries.into_iter();
        let outcomes = planned.iter().map(|order| {
            let legs = legs_of(&order.named.request);
            let of_order: Vec<_> = entries.by_ref().take(legs.len()).collect();
            let mut parts = legs.into_iter().zip(&of_order);
            match parts.next() {
                Some((_, entry)) => {
                    let attached: Vec<(Leg, &Entry)> = parts.collect();
                    Outcome::of(entry, &attached, order.bound, now_ms)
                }
                None => Outcome::UNKNOWN,
            }
        });
        outcomes.collect()
    }

    /// Stores that the nonce of a submission is used, if it is. If the write fails, the resolution
    /// finds it again.
    pub(in crate::orders) async fn with_used_nonce(
        &self,
        account: &TradingAccount,
        lead: OrderRecord,
        is_used: bool,
    ) -> Result<OrderRecord, TradeError> {
        if !is_used {
            return Ok(lead);
        }
        let harmless = harmless_from(&lead, self.now_ms());
        match self.store.note_fenced(account, &harmless, self.random.uuid()?).await {
            Ok(noted) => Ok(noted),
            Err(error) => {
                tracing::warn!(%error, "the used nonce of an order is not stored");
                Ok(lead)
            }
        }
    }

    /// Stores the hash under which Lighter has a submission, if it is not the signed one. If the write
    /// fails, this call still asks by it.
    pub(in crate::orders) async fn with_stated_hash(
        &self,
        account: &TradingAccount,
        lead: OrderRecord,
        stated: &str,
    ) -> Result<OrderRecord, TradeError> {
        let Some(named) = with_stated_hash(&lead, stated) else { return Ok(lead) };
        match self.store.note_stated_hash(account, &named, self.random.uuid()?).await {
            Ok(noted) => Ok(noted),
            Err(error) => {
                tracing::error!(%error, "the hash that Lighter states is not stored");
                Ok(named)
            }
        }
    }

    /// Finds the outcome of orders within the request that sent them.
    async fn resolve_sent(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        records: Vec<OrderRecord>,
        until_ms: u64,
    ) -> Result<Vec<OrderRecord>, TradeError> {
        let max_wait_ms = REQUEST_WAIT_MS;
        let case = Case { account, view, records: records.clone(), until_ms, max_wait_ms };
        match self.resolve(case).await {
            Ok(resolution) => {
                if let Resolution::Open { cause, .. } = &resolution {
                    tracing::warn!(cause, "the outcome of an order is unknown");
                }
                Ok(resolution.records())
            }
            // The lease runs out, and a repeat or the job finds the outcome.
            Err(error) => {
                tracing::warn!(%error, "the outcome of an order is unknown");
                Ok(records)
            }
        }
    }
}

/// Returns whether the same bytes are worth sending once more: Hyperliquid executes them once, and
/// its response then states whether the first ones arrived. Lighter executes them once, too.
pub(in crate::orders) fn is_worth_resending(
    exchange: Exchange,
    submission: &Submission,
    unresolved: &Unresolved,
    now_ms: u64,
) -> bool {
    let latest_ms = submission.expires_at_ms.saturating_sub(RESEND_BEFORE_MS);
    exchange != Exchange::Aster && !unresolved.fenced && now_ms < latest_ms
}

/// Returns the names of the orders in the bytes, in their sequence.
fn names(exchange: Exchange, planned: &[Planned], records: &[OrderRecord]) -> Vec<SentOrder> {
    let of = |(order, record): (&Planned, &OrderRecord)| {
        let OrderRecord { generation, created_at_ms, .. } = *record;
        order.sent(exchange, Signing { generation, created_at_ms })
    };
    planned.iter().zip(records).flat_map(of).collect()
}

/// Returns the record that carries the bytes.
fn lead(records: &[OrderRecord]) -> Result<(&OrderRecord, &Submission), TradeError> {
    let lead = records.first().ok_or(TradeError::DamagedOrder("no lead"))?;
    let submission = lead.submission.as_ref().ok_or(TradeError::DamagedOrder("no bytes"))?;
    Ok((lead, submission))
}
