//! Changing the leverage and the margin mode of a market.
//!
//! A change sets absolute values, so a repeat does no harm. An older change that arrives late would,
//! because it replaces a newer one. Therefore each market has one record, which is written before a
//! change is sent and has the nonce of the call. Only one change of a market is under way. A request
//! that finds an earlier one without an outcome uses that nonce before it sends its own call, so the
//! earlier call can no longer execute. The result is read back from the exchange.
//!
//! The exchange's reads can lag behind a change. The record therefore has the time of the last change
//! and the values after it. While it is younger than [`READ_LAG_MS`], every requested value is sent,
//! and a value that the request leaves out comes from the record.
//!
//! | file | holds |
//! | --- | --- |
//! | `known` | the values of a market, as far as they are known |
//! | `send` | sending one call of a change, and what its response means |

mod known;
mod send;

use domain::ids::{Exchange, WalletRef};
use platform::metrics::{self, About, Metric};
use uuid::Uuid;

use super::access::{SigningKey, ensure_not_frozen};
use super::client::call::Asker;
use super::markets::Market;
use super::place::is_about_the_service;
use super::plan::of_violation;
use super::resolve::READ_LAG_MS;
use super::{BrokenRule, REQUEST_MS, TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::account::{LeverageChange, LeverageState, LeverageStep};
use crate::exchanges::lighter::trade::VALID_MS as LIGHTER_VALID_MS;
use crate::exchanges::trade::TradeCode;
use crate::store::{LastLeverage, LeverageRecord, StoredSymbol, TradingAccount, TradingView};
use crate::trading::order::SymbolText;
use crate::trading::policy::check_leverage;
use known::Known;
use send::LEASE_MS;

/// The wait between two reads that confirm a change, in milliseconds.
const BETWEEN_READS_MS: u64 = 1_000;

/// Added to the expiry of a call of Lighter until it counts as dead, in milliseconds.
const LIGHTER_MARGIN_MS: u64 = 15_000;

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
    key: SigningKey,
    /// The revision of the market's record.
    seen: Option<Uuid>,
    /// The last change that the exchange can have made.
    last: Option<LastLeverage>,
    /// The present values.
    known: Known,
    effect: Effect,
    until_ms: u64,
}

/// What the calls of a request have changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    /// Nothing.
    Nothing,
    /// The exchange accepted a call.
    Made,
    /// The response to a call was lost.
    Unknown,
}

impl Setting<'_> {
    fn asker(&self) -> Asker<'_> {
        Asker { wallet: self.view.address(), key: Some(&self.key) }
    }
}

impl Trader {
    /// Sets the leverage, the margin mode or both of a market, and returns what the exchange then
    /// states. A change to the present values sends nothing, unless the exchange's reads can lag
    /// behind an earlier change.
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
        let set = self.take_steps(&mut setting, &steps).await;
        let state = set.map_err(|error| after_sending(error, setting.effect))?;
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
        ensure_not_frozen(view.wallet.as_ref())?;
        self.credential(&view)?;
        let market = self.markets(&account.tenant).find(symbol).await?;
        let is_spot = match &market {
            Market::Aster(_) => false,
            Market::Hyperliquid(market) => market.is_spot(),
            Market::Lighter(market) => market.is_spot,
        };
        if is_spot {
            let advice = "Name a perpetual market. A spot market has no leverage.".to_owned();
            let (symbol, limit) = (symbol.to_string(), None);
            let code = TradeCode::NotOffered;
            return Err(BrokenRule { index: 0, code, symbol, limit, advice }.into());
        }
        if let Market::Lighter(market) = &market {
            let broken = |violation| of_violation(violation, symbol);
            market.ensure_active().map_err(broken)?;
            if let Some(leverage) = change.leverage {
                market.margin_of(leverage).map_err(broken)?;
            }
        }
        let market = market.stored();
        self.check_leverage(&view, &market, change.leverage)?;
        let key = self.key(&view).await?;
        let (known, effect) = (Known::default(), Effect::Nothing);
        let (seen, last) = (None, None);
        Ok(Setting { account, view, market, change, key, seen, last, known, effect, until_ms })
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
    /// values. Every requested value is set while reads can lag behind an earlier change.
    async fn steps(&self, setting: &mut Setting<'_>) -> Result<Vec<LeverageStep>, TradeError> {
        let Setting { account, change, .. } = *setting;
        let exchange = account.exchange;
        let earlier = self.store.leverage(account, &setting.market.name, self.clock()).await?;
        setting.seen = earlier.as_ref().map(|record| record.revision);
        setting.last = earlier.as_ref().and_then(|record| record.last);
        if let Some(open) = earlier.filter(|record| record.open) {
            let now_ms = self.now_ms();
            if now_ms < open.lease_until_ms {
                let retry_after_s =
                    domain::clock::wait_for_lease_s(open.lease_until_ms, REQUEST_MS, now_ms);
                return Err(TradeError::LeverageInProgress { retry_after_s });
            }
            self.end(setting, &open).await?;
            let known = open.last.map(Known::from).unwrap_or_default();
            setting.last = Some(known.stored(self.now_ms()));
        }
        let now_ms = self.now_ms();
        let lag_ends_ms = |last: LastLeverage| last.at_ms.saturating_add(READ_LAG_MS);
        if let Some(last) = setting.last.filter(|last| now_ms < lag_ends_ms(*last)) {
            setting.known = last.into();
            let wait_ms = lag_ends_ms(last) - now_ms;
            let steps = setting.known.all_steps(exchange, change);
            return steps.ok_or_else(|| TradeError::LeverageInProgress {
                retry_after_s: wait_ms.div_ceil(1_000),
            });
        }
        let asker = setting.asker();
        let present = self.client.leverage(&account.tenant, asker, &setting.market).await?;
        setting.known = present.into();
        Ok(change.steps(exchange, present))
    }

    /// Uses the nonce of a call, so that it can no longer execute.
    async fn end(&self, setting: &Setting<'_>, open: &LeverageRecord) -> Result<(), TradeError> {
        let unknown = |cause: String| TradeError::LeverageUnknown { cause };
        if setting.account.exchange == Exchange::Lighter {
            // The call ends by its expiry. Its nonce can be ahead of the time by any amount.
            let end_ms = lighter_end_ms(open);
            return match end_ms.saturating_sub(self.now_ms()).div_ceil(1_000) {
                0 => Ok(()),
                retry_after_s => Err(TradeError::LeverageInProgress { retry_after_s }),
            };
        }
        let key = self.key_of(&setting.view, open.agent).await?;
        // An agent that the service no longer has was replaced long after the lease of its call.
        let Some(key) = key else { return Ok(()) };
        self.client.take_call(&setting.account.tenant).await?;
        let wallet = setting.view.address();
        let ended = self.client.fence(open.nonce, wallet, &key).await;
        ended.map_err(|unresolved| unknown(unresolved.to_string()))?;
        Ok(())
    }

    /// Sends the calls of a change, and returns the values that the exchange then states.
    async fn take_steps(
        &self,
        setting: &mut Setting<'_>,
        steps: &[LeverageStep],
    ) -> Result<LeverageState, TradeError> {
        if steps.is_empty() {
            let read = async {
                let (tenant, asker) = (&setting.account.tenant, setting.asker());
                Ok(self.client.leverage(tenant, asker, &setting.market).await?)
            };
            return self.before_sending(setting.until_ms, read).await;
        }
        for step in steps {
            self.take_step(setting, *step).await?;
        }
        self.within_grace(setting.until_ms, self.confirmed(setting)).await
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

/// Returns when a call of Lighter can no longer execute, Unix milliseconds. It is signed when its
/// record is written.
const fn lighter_end_ms(open: &LeverageRecord) -> u64 {
    let signed_at_ms = open.lease_until_ms.saturating_sub(LEASE_MS);
    signed_at_ms.saturating_add(LIGHTER_VALID_MS + LIGHTER_MARGIN_MS)
}

/// Returns the error of a request whose calls had this effect. Once a call can have changed
/// something, no error states that nothing was sent.
fn after_sending(error: TradeError, effect: Effect) -> TradeError {
    match (effect, error) {
        (Effect::Nothing, error) | (_, error @ TradeError::LeverageUnknown { .. }) => error,
        // The second call sets another value than the accepted one, and the exchange states why it
        // refused.
        (Effect::Made, TradeError::Refused { client_order_id, refusal })
            if !is_about_the_service(refusal.code) =>
        {
            TradeError::Refused { client_order_id, refusal }
        }
        (_, error) => TradeError::LeverageUnknown { cause: error.to_string() },
    }
}

#[cfg(test)]
mod tests;
