//! Changing the leverage and the margin mode of a market.
//!
//! A change sets absolute values, so a repeat does no harm. An older change that arrives late would,
//! because it replaces a newer one. Therefore each market has one record, which is written before a
//! change is sent and has the nonce of the call. Only one change of a market is under way. A request
//! that finds an earlier one without an outcome uses that nonce before it sends its own call, so the
//! earlier call can no longer execute. The result is read back from the exchange.

use std::time::Duration;

use domain::eth::AgentKey;
use domain::ids::WalletRef;
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};
use uuid::Uuid;

use super::access::ensure_not_frozen;
use super::client::CALL_WEIGHT;
use super::client::call::Asker;
use super::markets::Market;
use super::resolve::GRACE_MS;
use super::{BrokenRule, REQUEST_MS, TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::account::{LeverageChange, LeverageState, LeverageStep};
use crate::exchanges::trade::{Sent, TradeCode};
use crate::store::{
    LeverageRecord, MAX_POLICY_AGE_MS, ORDER_KEPT_MS, StoredSymbol, TradingAccount, TradingView,
};
use crate::trading::order::SymbolText;
use crate::trading::policy::check_leverage;

/// The lease of a change, in milliseconds.
const LEASE_MS: u64 = REQUEST_MS;

/// Number of calls that are signed for one step when a response is lost or a later nonce is faster.
const ATTEMPTS: u32 = 2;

/// The wait between two reads that confirm a change, in milliseconds.
const BETWEEN_READS_MS: u64 = 1_000;

/// Number of reads that confirm a change.
const READS: u32 = 3;

/// The leverage and the margin mode of a market.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeverageView {
    /// The market as the caller named it.
    pub symbol: String,
    /// The values that the exchange states.
    pub state: LeverageState,
}

/// A change under way.
struct Setting<'a> {
    account: &'a TradingAccount,
    view: TradingView,
    market: StoredSymbol,
    change: LeverageChange,
    key: AgentKey,
    /// The revision of the market's record.
    seen: Option<Uuid>,
    until_ms: u64,
}

impl Setting<'_> {
    const fn asker(&self) -> Asker<'_> {
        Asker { wallet: self.view.wallet.address, key: Some(&self.key) }
    }
}

impl Trader {
    /// Sets the leverage, the margin mode or both of a market, and returns what the exchange then
    /// states. A change to the present values sends nothing.
    ///
    /// # Errors
    /// Fails when the exchange or the policy refuses, or when the outcome is unknown. A repeat is
    /// harmless.
    pub async fn set_leverage(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        symbol: &SymbolText,
        change: LeverageChange,
    ) -> Result<LeverageView, TradeError> {
        let until_ms = self.now_ms() + REQUEST_MS;
        let account = self.account(caller, wallet).await?;
        let setting = self.setting(&account, symbol, change, until_ms);
        let mut setting = self.before_sending(until_ms, setting).await?;
        let steps = self.before_sending(until_ms, self.steps(&mut setting)).await?;
        for step in &steps {
            self.take_step(&mut setting, *step).await?;
        }
        let state = if steps.is_empty() {
            let read = async {
                let asker = setting.asker();
                Ok(self.client.leverage(&account.tenant, asker, &setting.market).await?)
            };
            self.before_sending(until_ms, read).await?
        } else {
            self.within_grace(until_ms, self.confirmed(&setting)).await?
        };
        Ok(LeverageView { symbol: symbol.to_string(), state })
    }

    async fn setting<'a>(
        &self,
        account: &'a TradingAccount,
        symbol: &SymbolText,
        change: LeverageChange,
        until_ms: u64,
    ) -> Result<Setting<'a>, TradeError> {
        let view = self.view(account, &[]).await?;
        ensure_not_frozen(&view.wallet)?;
        self.credential(&view)?;
        let market = self.markets(&account.tenant).find(symbol).await?;
        if matches!(&market, Market::Hyperliquid(market) if market.is_spot()) {
            let advice = "Name a perpetual market. A spot market has no leverage.".to_owned();
            let (symbol, limit) = (symbol.to_string(), None);
            let code = TradeCode::NotOffered;
            return Err(BrokenRule { index: 0, code, symbol, limit, advice }.into());
        }
        let market = market.stored();
        self.check_leverage(&view, &market, change.leverage)?;
        let key = self.key(&view).await?;
        Ok(Setting { account, view, market, change, key, seen: None, until_ms })
    }

    fn check_leverage(
        &self,
        view: &TradingView,
        market: &StoredSymbol,
        leverage: Option<u32>,
    ) -> Result<(), TradeError> {
        let policy = view.policy(self.now_ms());
        check_leverage(&policy, &market.name, leverage).map_err(|refusal| {
            let about = About::exchange(self.exchange()).because(refusal.rule.as_str());
            metrics::emit(self.clock(), about, &[(Metric::PolicyRefusals, 1)]);
            refusal.into()
        })
    }

    /// Ends an earlier change without an outcome, and returns the calls that lead to the requested
    /// values. After such a change every value is set, because reads can lag behind it.
    async fn steps(&self, setting: &mut Setting<'_>) -> Result<Vec<LeverageStep>, TradeError> {
        let Setting { account, change, .. } = *setting;
        let exchange = account.exchange;
        let earlier = self.store.leverage(account, &setting.market.name, self.clock()).await?;
        setting.seen = earlier.as_ref().map(|record| record.revision);
        let (tenant, asker) = (&account.tenant, setting.asker());
        let Some(open) = earlier.filter(|record| record.open) else {
            let present = self.client.leverage(tenant, asker, &setting.market).await?;
            return Ok(change.steps(exchange, present));
        };
        let now_ms = self.now_ms();
        if now_ms < open.lease_until_ms {
            let retry_after_s =
                domain::clock::wait_for_lease_s(open.lease_until_ms, REQUEST_MS, now_ms);
            return Err(TradeError::LeverageInProgress { retry_after_s });
        }
        self.end(setting, &open).await?;
        let present = self.client.leverage(tenant, asker, &setting.market).await?;
        Ok(all_steps(exchange, change, present))
    }

    /// Uses the nonce of a call, so that it can no longer execute.
    async fn end(&self, setting: &Setting<'_>, open: &LeverageRecord) -> Result<(), TradeError> {
        let unknown = |cause: String| TradeError::LeverageUnknown { cause };
        let key = self.key_of(&setting.view, open.agent).await?;
        // An agent that the service no longer has was replaced long after the lease of its call.
        let Some(key) = key else { return Ok(()) };
        self.client.take(&setting.account.tenant, CALL_WEIGHT).await?;
        let wallet = setting.view.wallet.address;
        let ended = self.client.fence(open.nonce, wallet, &key).await;
        ended.map_err(|unresolved| unknown(unresolved.to_string()))?;
        Ok(())
    }

    /// Sends one call of a change, after its nonce is stored.
    async fn take_step(
        &self,
        setting: &mut Setting<'_>,
        step: LeverageStep,
    ) -> Result<(), TradeError> {
        for _ in 0..ATTEMPTS {
            let account = setting.account;
            self.client.take(&account.tenant, CALL_WEIGHT).await?;
            let record = self.open_record(setting, step).await?;
            let asker = (setting.view.wallet.address, &setting.key);
            let sent = self.client.set_leverage(record.nonce, asker, &setting.market, step).await?;
            match sent {
                Sent::Accepted(_) => {
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
                    if !unresolved.fenced {
                        let end = self.end(setting, &record);
                        self.within_grace(setting.until_ms, end).await?;
                    }
                    self.close_record(setting, record).await;
                }
            }
        }
        Err(TradeError::LeverageUnknown { cause: "every response was lost".to_owned() })
    }

    /// Runs work after a call was sent, and ends it before API Gateway ends the request.
    async fn within_grace<T>(
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
            ensure_not_frozen(&setting.view.wallet)?;
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
            agent: setting.key.address(),
            nonce,
            open: true,
            lease_until_ms: now_ms + LEASE_MS,
            expires_at_s: (now_ms + ORDER_KEPT_MS) / 1_000,
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

    /// Stores that a call can no longer execute. If the write fails, the lease runs out, and the
    /// next request uses the nonce again.
    async fn close_record(&self, setting: &mut Setting<'_>, record: LeverageRecord) {
        let Ok(revision) = self.random.uuid() else { return };
        let closed = LeverageRecord { open: false, revision, ..record };
        match self.store.put_leverage(setting.account, &closed, setting.seen).await {
            Ok(()) => setting.seen = Some(revision),
            Err(error) => tracing::warn!(%error, "the outcome of a change is not stored"),
        }
    }

    /// Reads the leverage until it has the requested values.
    async fn confirmed(&self, setting: &Setting<'_>) -> Result<LeverageState, TradeError> {
        let unknown = |cause: String| TradeError::LeverageUnknown { cause };
        for read in 0..READS {
            if read > 0 {
                self.clock().sleep_ms(BETWEEN_READS_MS).await;
            }
            let tenant = &setting.account.tenant;
            let state = self.client.leverage(tenant, setting.asker(), &setting.market).await;
            let state = state.map_err(|error| unknown(error.to_string()))?;
            if setting.change.is_met_by(state) {
                return Ok(state);
            }
        }
        Err(unknown("the exchange accepted the change, but states other values".to_owned()))
    }
}

/// Returns the calls that set every requested value, whatever the present ones are.
fn all_steps(
    exchange: domain::ids::Exchange,
    change: LeverageChange,
    present: LeverageState,
) -> Vec<LeverageStep> {
    use domain::ids::Exchange::{Aster, Hyperliquid};
    match exchange {
        Hyperliquid => vec![LeverageStep::Both(LeverageState {
            leverage: change.leverage.unwrap_or(present.leverage),
            margin_mode: change.margin_mode.unwrap_or(present.margin_mode),
        })],
        Aster => {
            let mode = change.margin_mode.map(LeverageStep::MarginMode);
            mode.into_iter().chain(change.leverage.map(LeverageStep::Leverage)).collect()
        }
    }
}
