//! The client of Hyperliquid's trading API.

use std::fmt;

use domain::clock::Clock;
use domain::eth::{Address, AgentKey};
use domain::intent::HyperliquidChain;

use super::account::{self, PerpsAccount, SpotBalance};
use super::action::{Action, Cloid, OrderId};
use super::answer::{self, CancelOutcome, ModifyOutcome, NonceUse, Sender};
use super::history;
use super::markets::{self, Dex, Market};
use super::positions::Positions;
use super::read::{self, Book, Question};
use super::sign::{SignFault, signed_body};
use crate::exchanges::account::{AccountMode, FillPage, LeverageState};
use crate::exchanges::http::{Answer, Http, SKEW_MS, SendError};
use crate::exchanges::hyperliquid::{JSON, PROFILE};
use crate::exchanges::trade::{EntryOutcome, ExchangeOrder, Found, Sent};
use crate::exchanges::{HyperliquidConfig, LookupError, Unclear};
use crate::trading::decimal::Decimal;

const INFO: &str = "/info";

/// From this size on, and below [`SKEW_MS`], the expiry of an action is corrected by the difference
/// of the clocks, in milliseconds. The exchange states its time in whole seconds. A larger difference
/// is a wrong header or a broken clock: corrected by it, an action could stay valid for hours.
const MIN_SKEW_MS: u64 = 2_000;

/// A signed action: the exact bytes that are stored and sent.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedAction {
    /// The nonce in milliseconds.
    pub nonce_ms: u64,
    /// When the exchange stops accepting the bytes, by its own clock, Unix milliseconds. `None`
    /// means that they stay valid until the nonce is used.
    pub expires_after_ms: Option<u64>,
    /// The body of `POST /exchange`.
    pub body: String,
}

/// Omits the body, which can place the order until it is sent.
impl fmt::Debug for SignedAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedAction({}, {} bytes)", self.nonce_ms, self.body.len())
    }
}

/// Returns the time of the exchange's clock. `skew_ms` is how far the local clock is ahead of it.
const fn corrected(now_ms: u64, skew_ms: i64) -> u64 {
    match skew_ms.unsigned_abs() {
        MIN_SKEW_MS..SKEW_MS => now_ms.saturating_add_signed(skew_ms.saturating_neg()),
        _ => now_ms,
    }
}

/// A trading client of Hyperliquid. It sends each request once; it keeps no budget and no circuit.
#[derive(Clone, Debug)]
pub struct Client {
    reads: Http,
    sends: Http,
    chain: HyperliquidChain,
    clock: Clock,
}

impl Client {
    /// The path that receives signed actions.
    pub const PATH: &str = "/exchange";

    /// Makes a client with these settings. A call that changes something has a timeout of
    /// `order_timeout_ms`.
    #[must_use]
    pub fn new(config: &HyperliquidConfig, order_timeout_ms: u64, clock: &Clock) -> Self {
        let reads = Http::new(&config.url, PROFILE.name, config.call_timeout_ms, clock.clone());
        Self {
            sends: reads.with_timeout(order_timeout_ms),
            reads,
            chain: config.chain,
            clock: clock.clone(),
        }
    }

    /// Returns how far the local clock was ahead of the exchange's at its last response, in
    /// milliseconds.
    #[must_use]
    pub fn skew_ms(&self) -> i64 {
        self.reads.skew_ms()
    }

    /// Signs an action with a nonce in milliseconds.
    ///
    /// # Errors
    /// Fails when the key cannot sign, or when the signature does not recover to the agent.
    pub fn sign(
        &self,
        action: &Action,
        nonce_ms: u64,
        agent: &AgentKey,
    ) -> Result<SignedAction, SignFault> {
        let expires_after_ms = action.expires_after_ms(self.exchange_now_ms());
        let body = signed_body(action, nonce_ms, expires_after_ms, self.chain, agent)?;
        Ok(SignedAction { nonce_ms, expires_after_ms, body })
    }

    /// Returns the time by the exchange's clock, as far as it is known.
    fn exchange_now_ms(&self) -> u64 {
        corrected(self.clock.now_ms(), self.skew_ms())
    }

    /// Sends signed orders with these client ids.
    pub async fn place(
        &self,
        body: &str,
        cloids: &[Option<Cloid>],
        sender: Sender,
    ) -> Sent<Vec<EntryOutcome>> {
        answer::placed(self.act(body).await, cloids, sender)
    }

    /// Sends a signed modification of one order.
    pub async fn modify(
        &self,
        body: &str,
        cloid: Option<Cloid>,
        sender: Sender,
    ) -> Sent<ModifyOutcome> {
        answer::modified(self.act(body).await, cloid, sender)
    }

    /// Sends a number of signed cancellations.
    pub async fn cancel(
        &self,
        body: &str,
        count: usize,
        sender: Sender,
    ) -> Sent<Vec<CancelOutcome>> {
        answer::cancelled(self.act(body).await, count, sender)
    }

    /// Sends a signed change of leverage.
    pub async fn set_leverage(&self, body: &str, sender: Sender) -> Sent<()> {
        answer::leverage_set(self.act(body).await, sender)
    }

    /// Uses the nonce of an order, so that its bytes can no longer execute.
    pub async fn fence(&self, nonce_ms: u64, agent: &AgentKey) -> NonceUse {
        match signed_body(&Action::Noop, nonce_ms, None, self.chain, agent) {
            Ok(body) => answer::nonce_use(self.act(&body).await),
            Err(fault) => NonceUse::Unknown(Unclear::BadAnswer(fault.to_string()).into()),
        }
    }

    /// Looks up an order of a wallet.
    ///
    /// # Errors
    /// Fails when the exchange does not say whether it has the order.
    pub async fn look_up(&self, wallet: Address, id: OrderId) -> Result<Found, LookupError> {
        let answer = self.ask(Question::order_status(wallet, id)).await?;
        read::order_status(&answer, id)
    }

    /// Reads the open orders of a wallet on one DEX.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn open_orders(
        &self,
        wallet: Address,
        dex: &str,
    ) -> Result<Vec<ExchangeOrder>, LookupError> {
        let answer = self.ask(Question::open_orders(wallet, dex)).await?;
        read::open_orders(&answer)
    }

    /// Reads the positions of a wallet on one DEX, or its spot balances.
    ///
    /// # Errors
    /// Fails when the exchange does not state them.
    pub async fn positions(
        &self,
        wallet: Address,
        market: &Market,
    ) -> Result<Positions, LookupError> {
        if market.is_spot() {
            return Ok(self.spot_account(wallet).await?.into());
        }
        Ok(self.perps_account(wallet, &market.dex).await?.into())
    }

    /// Reads the account of the perpetuals of one DEX, with its positions.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn perps_account(
        &self,
        wallet: Address,
        dex: &str,
    ) -> Result<PerpsAccount, LookupError> {
        account::perps(&self.ask(Question::positions(wallet, dex)).await?)
    }

    /// Reads the spot balances.
    ///
    /// # Errors
    /// Fails when the exchange does not state them.
    pub async fn spot_account(&self, wallet: Address) -> Result<Vec<SpotBalance>, LookupError> {
        account::spot(&self.ask(Question::balances(wallet)).await?)
    }

    /// Reads how an account keeps its funds.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn account_mode(&self, wallet: Address) -> Result<AccountMode, LookupError> {
        account::mode(&self.ask(Question::mode(wallet)).await?)
    }

    /// Reads the leverage of a market.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn leverage(
        &self,
        wallet: Address,
        coin: &str,
    ) -> Result<LeverageState, LookupError> {
        account::leverage(&self.ask(Question::leverage(wallet, coin)).await?)
    }

    /// Reads the index of the token that settles a DEX.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn collateral(&self, dex: &str) -> Result<u32, LookupError> {
        account::collateral(&self.ask(Question::perps(dex)).await?)
    }

    /// Reads the names of the spot tokens by their index.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn tokens(&self) -> Result<std::collections::HashMap<u32, String>, LookupError> {
        account::tokens(&self.ask(Question::spots()).await?)
    }

    /// Reads a page of the executions of all markets, the oldest first.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn fills(&self, wallet: Address, from_ms: u64) -> Result<FillPage, LookupError> {
        history::fills(&self.ask(Question::fills(wallet, from_ms)).await?, from_ms)
    }

    /// Reads the last 2,000 orders, the newest first.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn historical_orders(
        &self,
        wallet: Address,
    ) -> Result<Vec<ExchangeOrder>, LookupError> {
        history::orders(&self.ask(Question::historical_orders(wallet)).await?)
    }

    /// Reads the best prices of a market.
    ///
    /// # Errors
    /// Fails when the exchange does not state them.
    pub async fn book(&self, market: &Market) -> Result<Book, LookupError> {
        let answer = self.ask(Question::book(market)).await?;
        read::book(&answer, market)
    }

    /// Reads the middle prices of a DEX, by the exchange's names of its markets.
    ///
    /// # Errors
    /// Fails when the exchange does not state them.
    pub async fn mids(
        &self,
        dex: &str,
    ) -> Result<std::collections::HashMap<String, Decimal>, LookupError> {
        let answer = self.ask(Question::mids(dex)).await?;
        markets::mids(&answer)
    }

    /// Reads the DEXs, the main one first.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn dexs(&self) -> Result<Vec<Dex>, LookupError> {
        let answer = self.ask(Question::dexs()).await?;
        markets::dexs(&answer)
    }

    /// Reads the markets of a DEX.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn perps(&self, dex: &Dex) -> Result<Vec<Market>, LookupError> {
        let answer = self.ask(Question::perps(&dex.name)).await?;
        markets::perps(dex, &answer)
    }

    /// Reads the spot pairs.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn spots(&self) -> Result<Vec<Market>, LookupError> {
        let answer = self.ask(Question::spots()).await?;
        markets::spots(&answer)
    }

    async fn act(&self, body: &str) -> Result<Answer, SendError> {
        self.sends.post(Self::PATH, JSON, body.to_owned()).await
    }

    async fn ask(&self, question: Question) -> Result<Answer, LookupError> {
        let Question { body, max_bytes, .. } = question;
        Ok(self.reads.post_up_to(INFO, JSON, body, max_bytes).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_is_corrected_by_a_plausible_difference_only() {
        for (skew_ms, expected) in [
            (0, 1_000_000),
            (1_999, 1_000_000),
            (2_000, 998_000),
            (-2_000, 1_002_000),
            (59_999, 940_001),
            (-59_999, 1_059_999),
            (60_000, 1_000_000),
            (-60_000, 1_000_000),
            (-3_600_000, 1_000_000),
            (i64::MAX, 1_000_000),
            (i64::MIN, 1_000_000),
        ] {
            assert_eq!(corrected(1_000_000, skew_ms), expected, "{skew_ms}");
        }
    }
}
