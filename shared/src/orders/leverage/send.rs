//! Sending one call of a change, after its nonce is stored, and what its response means.

use std::time::Duration;

use platform::items::StoreError;

use super::{Effect, Setting};
use crate::exchanges::account::LeverageStep;
use crate::exchanges::trade::{Sent, TradeCode};
use crate::orders::access::ensure_not_frozen;
use crate::orders::resolve::GRACE_MS;
use crate::orders::{REQUEST_MS, TradeError, Trader};
use crate::store::{LeverageRecord, MAX_POLICY_AGE_MS, ORDER_KEPT_MS};

/// The lease of a change, in milliseconds.
pub(super) const LEASE_MS: u64 = REQUEST_MS;

/// Number of calls that are signed for one step when a response is lost or a later nonce is faster.
const ATTEMPTS: u32 = 2;

impl Trader {
    /// Sends one call of a change, after its nonce is stored.
    pub(super) async fn take_step(
        &self,
        setting: &mut Setting<'_>,
        step: LeverageStep,
    ) -> Result<(), TradeError> {
        for _ in 0..ATTEMPTS {
            let account = setting.account;
            self.client.take_call(&account.tenant).await?;
            let record = self.open_record(setting, step).await?;
            let asker = (setting.view.address(), &setting.key);
            let sent = self.client.set_leverage(
                &account.tenant,
                record.nonce,
                asker,
                &setting.market,
                step,
            );
            let sent = sent.await?;
            match sent {
                Sent::Accepted(_) => {
                    setting.effect = Effect::Made;
                    setting.known = setting.known.after(step);
                    setting.last = Some(setting.known.stored(self.now_ms()));
                    self.close_record(setting, record).await;
                    return Ok(());
                }
                Sent::Refused(refusal) => {
                    self.close_record(setting, record).await;
                    if refusal.code != TradeCode::NonceTooLow {
                        return Err(TradeError::Refused { client_order_id: None, refusal });
                    }
                }
                Sent::NotSent(cause) => {
                    self.close_record(setting, record).await;
                    return Err(TradeError::NotSent(cause));
                }
                Sent::Unknown(unresolved) => {
                    tracing::warn!(cause = %unresolved.why, "the response to a change was lost");
                    setting.effect = Effect::Unknown;
                    if !unresolved.fenced {
                        let end = self.end(setting, &record);
                        self.within_grace(setting.until_ms, end).await?;
                    }
                    setting.known = setting.known.with_or_without(step);
                    setting.last = Some(setting.known.stored(self.now_ms()));
                    self.close_record(setting, record).await;
                }
            }
        }
        Err(TradeError::LeverageUnknown { cause: "every response was lost".to_owned() })
    }

    /// Runs work after a call was sent, and ends it before API Gateway ends the request.
    pub(super) async fn within_grace<T>(
        &self,
        until_ms: u64,
        work: impl Future<Output = Result<T, TradeError>> + Send,
    ) -> Result<T, TradeError> {
        let left_ms = (until_ms + GRACE_MS).saturating_sub(self.now_ms());
        let ended = tokio::time::timeout(Duration::from_millis(left_ms), work).await;
        let cause = "no time is left to look for the outcome";
        ended.map_err(|_| TradeError::LeverageUnknown { cause: cause.to_owned() })?
    }

    /// Takes a nonce, and stores it in the market's record. The policy that was checked is not older
    /// than for an order. It limits the signed leverage, which is the present one if the request
    /// states none.
    async fn open_record(
        &self,
        setting: &mut Setting<'_>,
        step: LeverageStep,
    ) -> Result<LeverageRecord, TradeError> {
        let account = setting.account;
        if self.now_ms().abs_diff(setting.view.read_at_ms) > MAX_POLICY_AGE_MS / 2 {
            setting.view = self.view(account, &[]).await?;
            ensure_not_frozen(setting.view.wallet.as_ref())?;
        }
        let signed = match step {
            LeverageStep::Both(state) => Some(state.leverage),
            LeverageStep::Leverage(leverage) => Some(leverage),
            LeverageStep::MarginMode(_) => setting.change.leverage,
        };
        self.check_leverage(&setting.view, &setting.market, signed)?;
        let nonce = self.store.take_trading_nonce(account, self.clock()).await?;
        self.ensure_time_to_send(setting.until_ms)?;
        let now_ms = self.now_ms();
        let record = LeverageRecord {
            schema: platform::items::SCHEMA,
            revision: self.random.uuid()?,
            symbol: setting.market.name.clone(),
            agent: setting.key.address()?,
            nonce,
            open: true,
            lease_until_ms: now_ms + LEASE_MS,
            expires_at_s: (now_ms + ORDER_KEPT_MS) / 1_000,
            // If this process ends before the outcome is known.
            last: Some(setting.known.with_or_without(step).stored(now_ms)),
        };
        match self.store.put_leverage(account, &record, setting.seen).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => {
                return Err(TradeError::LeverageInProgress { retry_after_s: 1 });
            }
            Err(error) => return Err(error.into()),
        }
        setting.seen = Some(record.revision);
        if self.now_ms().abs_diff(setting.view.read_at_ms) > MAX_POLICY_AGE_MS {
            self.close_record(setting, record).await;
            return Err(TradeError::OutOfTime);
        }
        Ok(record)
    }

    /// Stores that a call can no longer execute, and the last change that the exchange can have
    /// made. If the write fails, the lease runs out, and the next request uses the nonce again.
    async fn close_record(&self, setting: &mut Setting<'_>, record: LeverageRecord) {
        let Ok(revision) = self.random.uuid() else { return };
        let closed = LeverageRecord { open: false, revision, last: setting.last, ..record };
        match self.store.put_leverage(setting.account, &closed, setting.seen).await {
            Ok(()) => setting.seen = Some(revision),
            Err(error) => tracing::warn!(%error, "the outcome of a change is not stored"),
        }
    }
}
