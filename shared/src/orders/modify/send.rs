//! Sending a stored change, and what its response means.

use domain::ids::Exchange;

use super::call::ChangePlan;
use crate::exchanges::trade::{Placed, Sent, TradeCode, TradeRefusal};
use crate::orders::cancel::not_open;
use crate::orders::client::call::{Changed, Outgoing, SentOrder};
use crate::orders::finding::{Finder, KnownId};
use crate::orders::made::{Made, has_ended};
use crate::orders::outcome::{present_or_own, refusal_of, stored_refusal};
use crate::orders::place::{is_worth_resending, unknown};
use crate::orders::resolve::{Case, REQUEST_WAIT_MS, Resolution};
use crate::orders::target::Target;
use crate::orders::view::{OrderView, of_record};
use crate::orders::{TradeError, Trader};
use crate::store::{OrderLost, OrderRecord, OrderState, Settling};

impl Trader {
    /// Sends a stored change, and returns the order with its record.
    pub(super) async fn send_change(
        &self,
        target: &Target,
        plan: &ChangePlan<'_>,
        record: OrderRecord,
        until_ms: u64,
    ) -> Result<(OrderRecord, OrderView), TradeError> {
        let Target { account, view, .. } = target;
        let change = record.change.as_ref().ok_or(TradeError::DamagedOrder("no change"))?;
        let client_id = match account.exchange {
            Exchange::Aster | Exchange::Lighter => plan.found.client_id.clone().unwrap_or_default(),
            Exchange::Hyperliquid => plan.client_id(account)?,
        };
        let orders = [SentOrder { symbol: record.symbol.name.clone(), client_id }];
        let out = Outgoing {
            submission: &change.submission,
            wallet: view.address(),
            orders: &orders,
            is_first: true,
            until_ms: record.lease_until_ms,
        };
        let mut sent = self.client.change(out).await;
        if let Sent::Unknown(unresolved) = &sent
            && is_worth_resending(account.exchange, out.submission, unresolved, self.now_ms())
            && self.client.take_call(&account.tenant).await.is_ok()
        {
            sent = self.client.change(Outgoing { is_first: false, ..out }).await;
        }
        let settled = match sent {
            Sent::Accepted(Changed::Made(placed)) => {
                self.made(target, plan, &record, placed).await?
            }
            Sent::Accepted(Changed::Taken(hash)) => {
                let record = self.with_stated_hash(account, record, &hash).await?;
                return self.resolve_sent_change(target, record, until_ms).await;
            }
            Sent::Accepted(Changed::Refused(refusal) | Changed::Lost(refusal))
            | Sent::Refused(refusal) => {
                let now_ms = self.now_ms();
                let (state, refusal) =
                    (OrderState::Refused, Some(stored_refusal(&refusal, now_ms)));
                Some(record.change_settled(state, None, refusal, self.random.uuid()?, now_ms))
            }
            Sent::NotSent(cause) => {
                tracing::warn!(%cause, "the change did not reach the exchange");
                let (state, revision) = (OrderState::Dead, self.random.uuid()?);
                Some(record.change_settled(state, None, None, revision, self.now_ms()))
            }
            Sent::Unknown(unresolved) => {
                tracing::warn!(cause = %unresolved.why, "the response to a change was lost");
                let record = self.with_used_nonce(account, record, unresolved.fenced).await?;
                return self.resolve_sent_change(target, record, until_ms).await;
            }
        };
        let Some(settled) = settled else {
            return self.resolve_sent_change(target, record, until_ms).await;
        };
        let record = self.settle_change(target, &record, settled).await;
        self.changed(target, record).await
    }

    /// Returns the record of a change that was made. Hyperliquid states the fills of the new order
    /// only, so the replaced one is looked up. `None` means that its fills are not known yet.
    async fn made(
        &self,
        target: &Target,
        plan: &ChangePlan<'_>,
        record: &OrderRecord,
        placed: Placed,
    ) -> Result<Option<OrderRecord>, TradeError> {
        let Target { account, view, .. } = target;
        let made = match account.exchange {
            Exchange::Aster | Exchange::Lighter => Made { placed, size: None, before: None },
            Exchange::Hyperliquid => {
                let finder = Finder { trader: self, account, view, key: None };
                let old = KnownId::present(account, plan.base);
                let before = match finder.find_ended(&record.symbol.name, &old).await {
                    Ok(old) if has_ended(old.as_deref()) => old.map(|old| old.filled),
                    Ok(_) => return Ok(None),
                    Err(error) => {
                        tracing::warn!(%error, "the fills of a replaced order are unknown");
                        return Ok(None);
                    }
                };
                Made { placed, size: Some(plan.rest), before }
            }
        };
        made.settled(record, self.random.uuid()?, self.now_ms()).map(Some)
    }

    /// Stores the outcome of a change. A write that fails is logged: a repeat or the job finds the
    /// outcome.
    async fn settle_change(
        &self,
        target: &Target,
        record: &OrderRecord,
        settled: OrderRecord,
    ) -> OrderRecord {
        let settling = vec![Settling { known: record.revision, record: settled.clone() }];
        match self.store.settle(&target.account, settling).await {
            Ok(mut stored) => stored.pop().unwrap_or(settled),
            Err(OrderLost::Moved(moved)) => {
                tracing::warn!("another call has resolved the change before this one");
                let mut latest = present_or_own(&moved, vec![settled.clone()]);
                latest.pop().unwrap_or(settled)
            }
            Err(OrderLost::Store(error)) => {
                tracing::warn!(%error, "the outcome of a change is not stored");
                settled
            }
        }
    }

    /// Finds the outcome of a change within the request that sent it.
    async fn resolve_sent_change(
        &self,
        target: &Target,
        record: OrderRecord,
        until_ms: u64,
    ) -> Result<(OrderRecord, OrderView), TradeError> {
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
    async fn changed(
        &self,
        target: &Target,
        record: OrderRecord,
    ) -> Result<(OrderRecord, OrderView), TradeError> {
        let change = record.change.as_ref().ok_or(TradeError::DamagedOrder("no change"))?;
        let client_order_id = record.client_order_id.clone();
        match (change.state, &change.refusal) {
            (OrderState::Placed, _) => {
                let view = of_record(&target.account, &record);
                let view = view.ok_or(TradeError::DamagedOrder("no outcome"))?;
                Ok((record, view))
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
        target.move_to_present();
        let order = self.look_up(&mut target, key.as_ref()).await.ok()??;
        (!order.status.is_open()).then(|| not_open(&target, &order))
    }
}
