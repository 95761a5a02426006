//! Sending a stored change, and what its response means.

use domain::ids::Exchange;

use super::call::ChangePlan;
use crate::exchanges::trade::{Placed, Sent, TradeCode, TradeRefusal};
use crate::orders::cancel::not_open;
use crate::orders::client::CALL_WEIGHT;
use crate::orders::client::call::{Changed, Outgoing, SentOrder};
use crate::orders::outcome::{placed_outcome, refusal_of, stored_refusal};
use crate::orders::place::{is_worth_resending, unknown};
use crate::orders::resolve::{Case, REQUEST_WAIT_MS, Resolution};
use crate::orders::target::Target;
use crate::orders::view::{OrderView, of_record};
use crate::orders::{TradeError, Trader};
use crate::store::{
    OrderLost, OrderRecord, OrderState, Settling, StoredLeg, StoredOutcome, StoredRefusal,
};
use crate::trading::decimal::Decimal;

/// What a change has come to.
struct Ended {
    state: OrderState,
    outcome: Option<StoredOutcome>,
    refusal: Option<StoredRefusal>,
}

impl Trader {
    /// Sends a stored change, and returns the order.
    pub(super) async fn send_change(
        &self,
        target: &Target,
        plan: &ChangePlan<'_>,
        record: OrderRecord,
        until_ms: u64,
    ) -> Result<OrderView, TradeError> {
        let Target { account, view, .. } = target;
        let change = record.change.as_ref().ok_or(TradeError::DamagedOrder("no change"))?;
        let client_id = match account.exchange {
            Exchange::Aster => plan.found.client_id.clone().unwrap_or_default(),
            Exchange::Hyperliquid => plan.client_id(account)?,
        };
        let orders = [SentOrder { symbol: record.symbol.name.clone(), client_id }];
        let out = Outgoing {
            submission: &change.submission,
            wallet: view.wallet.address,
            orders: &orders,
            is_first: true,
            until_ms: record.lease_until_ms,
        };
        let mut sent = self.client.change(out).await;
        if let Sent::Unknown(unresolved) = &sent
            && is_worth_resending(account.exchange, out.submission, unresolved, self.now_ms())
            && self.client.take(&account.tenant, CALL_WEIGHT).await.is_ok()
        {
            sent = self.client.change(Outgoing { is_first: false, ..out }).await;
        }
        let ended = match sent {
            Sent::Accepted(Changed::Made(placed)) => self.made(plan, &record, placed),
            Sent::Accepted(Changed::Refused(refusal) | Changed::Lost(refusal))
            | Sent::Refused(refusal) => self.change_refused(&refusal),
            Sent::NotSent(cause) => {
                tracing::warn!(%cause, "the change did not reach the exchange");
                Ended { state: OrderState::Dead, outcome: None, refusal: None }
            }
            Sent::Unknown(unresolved) => {
                tracing::warn!(cause = %unresolved.why, "the response to a change was lost");
                let record = self.with_used_nonce(account, record, unresolved.fenced).await?;
                return self.resolve_sent_change(target, record, until_ms).await;
            }
        };
        let record = self.settle_change(target, &record, ended).await?;
        self.changed(target, record).await
    }

    /// Returns the outcome of a change that was made. Hyperliquid states the fills of the new order
    /// only.
    fn made(&self, plan: &ChangePlan<'_>, record: &OrderRecord, placed: Placed) -> Ended {
        let whole = plan.change.quantity.value();
        let carried = match record.exchange {
            Exchange::Aster => Decimal::ZERO,
            Exchange::Hyperliquid => whole.checked_sub(plan.rest).unwrap_or(Decimal::ZERO),
        };
        let filled = placed.filled.checked_add(carried).unwrap_or(placed.filled);
        let placed = Placed { filled, ..placed };
        let outcome = placed_outcome(&placed, legs(record), None, self.now_ms());
        Ended { state: OrderState::Placed, outcome: Some(outcome), refusal: None }
    }

    fn change_refused(&self, refusal: &TradeRefusal) -> Ended {
        let refusal = Some(stored_refusal(refusal, self.now_ms()));
        Ended { state: OrderState::Refused, outcome: None, refusal }
    }

    /// Stores the outcome of a change. A write that fails is logged: a repeat or the job finds the
    /// outcome.
    async fn settle_change(
        &self,
        target: &Target,
        record: &OrderRecord,
        ended: Ended,
    ) -> Result<OrderRecord, TradeError> {
        let Ended { state, outcome, refusal } = ended;
        let (revision, now_ms) = (self.random.uuid()?, self.now_ms());
        let settled = record.change_settled(state, outcome, refusal, revision, now_ms);
        let settling = vec![Settling { known: record.revision, record: settled.clone() }];
        match self.store.settle(&target.account, settling).await {
            Ok(mut stored) => Ok(stored.pop().unwrap_or(settled)),
            Err(OrderLost::Moved(_)) => {
                tracing::warn!("another call has resolved the change before this one");
                Ok(settled)
            }
            Err(OrderLost::Store(error)) => {
                tracing::warn!(%error, "the outcome of a change is not stored");
                Ok(settled)
            }
        }
    }

    /// Finds the outcome of a change within the request that sent it.
    async fn resolve_sent_change(
        &self,
        target: &Target,
        record: OrderRecord,
        until_ms: u64,
    ) -> Result<OrderView, TradeError> {
        let Target { account, view, .. } = target;
        let (records, max_wait_ms) = (vec![record.clone()], REQUEST_WAIT_MS);
        let case = Case { account, view, records, until_ms, max_wait_ms };
        match self.resolve(case).await {
            Ok(Resolution::Known(mut records)) => {
                let record = records.pop().ok_or(TradeError::DamagedOrder("no record"))?;
                self.changed(target, record).await
            }
            Ok(Resolution::Open { records, cause, next }) => {
                Err(unknown(&records, cause, next.wait_s(self.now_ms())))
            }
            Err(error) => {
                let wait_s = record.lease_until_ms.saturating_sub(self.now_ms()).div_ceil(1_000);
                Err(unknown(&[record], error.to_string(), wait_s.max(1)))
            }
        }
    }

    /// Returns the order after a change whose outcome is known.
    async fn changed(&self, target: &Target, record: OrderRecord) -> Result<OrderView, TradeError> {
        let change = record.change.as_ref().ok_or(TradeError::DamagedOrder("no change"))?;
        let client_order_id = record.client_order_id.clone();
        match (change.state, &change.refusal) {
            (OrderState::Placed, _) => {
                let view = of_record(&target.account, &record);
                view.ok_or(TradeError::DamagedOrder("no outcome"))
            }
            (OrderState::Refused, Some(stored)) => {
                let refusal = refusal_of(stored);
                if let Some(error) = self.ended(target, &record, &refusal).await {
                    return Err(error);
                }
                Err(TradeError::Refused { client_order_id: Some(client_order_id), refusal })
            }
            _ => Err(TradeError::NotPlaced {
                client_order_id,
                cause: "the exchange did not receive the change".to_owned(),
            }),
        }
    }

    /// Returns the error for a change that was refused because the order had ended, or that ended
    /// it.
    async fn ended(
        &self,
        target: &Target,
        record: &OrderRecord,
        refusal: &TradeRefusal,
    ) -> Option<TradeError> {
        if matches!(refusal.code, TradeCode::RateLimited { .. } | TradeCode::AgentUnknown) {
            return None;
        }
        let mut target = Target { record: Some(record.clone()), ..target.clone() };
        let key = self.key_to_ask(&target.view).await.ok()?;
        let order = self.look_up(&mut target, key.as_ref()).await.ok()??;
        (!order.status.is_open()).then(|| not_open(&target, &order))
    }
}

/// Returns the attached orders of a record's outcome.
fn legs(record: &OrderRecord) -> Vec<StoredLeg> {
    match &record.outcome {
        Some(StoredOutcome::Placed { legs, .. }) => legs.clone(),
        _ => Vec::new(),
    }
}
