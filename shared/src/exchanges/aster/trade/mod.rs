//! Trading on Aster's futures API V3: calls that a wallet's agent signs.
//!
//! [`Call`] is the closed list of calls. It contains no transfer, no withdrawal, and no call that
//! changes agents or builders. Sources: Aster's futures API V3 document and its error list.

#![deny(clippy::float_arithmetic)]

pub mod account;
pub mod answer;
mod call;
pub mod history;
pub mod markets;
pub mod params;
pub mod read;
pub mod sign;

pub use call::{Call, Method};

use domain::clock::Clock;
use domain::eth::{Address, AgentKey, AgentKeyError};
use domain::random::Random;

use self::answer::Entry;
use self::params::Params;
use self::read::AskError;
use self::sign::{SignFault, Signed};
use super::{AsterConfig, FORM, PROFILE};
use crate::exchanges::account::{
    AccountBalance, AccountPosition, Fill, LeverageSet, LeverageState,
};
use crate::exchanges::http::{Answer, Http, SendError};
use crate::exchanges::trade::{ExchangeOrder, Fence, Found, Sent, Unresolved};
use crate::exchanges::{LookupError, Unclear};
use crate::trading::decimal::Decimal;
use crate::trading::ledger::read_nonce;

/// Maximum size of a list of markets or orders, in bytes. `exchangeInfo` has about 400 KB, and 5,000
/// open orders have about 3 MB.
const MAX_LIST_BYTES: usize = 4 * 1024 * 1024;

/// How often a read is asked again when its nonce was taken.
const MAX_REPEATS: usize = 2;

/// Request weight of `exchangeInfo` and of a mark price.
pub const MARKET_WEIGHT: u64 = 1;

/// What a sent order must be named in the response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected<'a> {
    /// The exchange's name of the market.
    pub symbol: &'a str,
    /// The id that was given to the exchange.
    pub client_id: &'a str,
}

/// An agent that signs reads for a wallet.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The wallet.
    pub user: Address,
    /// The agent.
    pub key: &'a AgentKey,
}

/// A trading client of Aster. It sends each request once; it keeps no budget and no circuit.
#[derive(Clone, Debug)]
pub struct Client {
    reads: Http,
    sends: Http,
    /// The spot API, for reads.
    spot: Http,
    chain_id: u64,
    clock: Clock,
    random: Random,
}

impl Client {
    /// Makes a client with these settings. A call that changes something has a timeout of
    /// `order_timeout_ms`.
    #[must_use]
    pub fn new(
        config: &AsterConfig,
        order_timeout_ms: u64,
        clock: &Clock,
        random: &Random,
    ) -> Self {
        let http = |url| Http::new(url, PROFILE.name, config.call_timeout_ms, clock.clone());
        let reads = http(&config.url);
        Self {
            sends: reads.with_timeout(order_timeout_ms),
            spot: http(&config.spot_url),
            reads,
            chain_id: config.agent_chain_id(),
            clock: clock.clone(),
            random: random.clone(),
        }
    }

    /// Returns how far the local clock was ahead of the exchange's at its last response, in
    /// milliseconds.
    #[must_use]
    pub fn skew_ms(&self) -> i64 {
        self.reads.skew_ms()
    }

    /// Signs a call with a nonce in microseconds.
    ///
    /// # Errors
    /// Fails when the key cannot sign, or when the signature does not recover to the agent.
    pub fn sign(
        &self,
        call: Call,
        params: &Params,
        nonce_us: u64,
        agent: Reader<'_>,
    ) -> Result<Signed, SignFault> {
        Signed::new(call, params, nonce_us, agent, self.chain_id)
    }

    /// Sends a signed order.
    pub async fn place(&self, signed: &Signed, expected: Expected<'_>) -> Sent<Box<ExchangeOrder>> {
        self.outcome(signed, |answer| answer::placed(answer, expected)).await
    }

    /// Sends a signed batch. The entries have the order of the request.
    pub async fn place_batch(
        &self,
        signed: &Signed,
        expected: &[Expected<'_>],
    ) -> Sent<Vec<Entry>> {
        self.outcome(signed, |answer| answer::placed_batch(answer, expected)).await
    }

    /// Sends a signed change or cancellation of one order.
    pub async fn change(&self, signed: &Signed, symbol: &str) -> Sent<Box<ExchangeOrder>> {
        self.outcome(signed, |answer| answer::changed(answer, symbol)).await
    }

    /// Sends a signed cancellation of several orders.
    pub async fn cancel_batch(&self, signed: &Signed, count: usize) -> Sent<Vec<Entry>> {
        self.outcome(signed, |answer| answer::cancelled_batch(answer, count)).await
    }

    /// Sends a signed cancellation of all orders of a market.
    pub async fn cancel_all(&self, signed: &Signed) -> Sent<()> {
        self.outcome(signed, answer::cancelled_all).await
    }

    /// Sends a signed call, and interprets its response.
    async fn outcome<T>(
        &self,
        signed: &Signed,
        read: impl FnOnce(&Answer) -> Sent<T> + Send,
    ) -> Sent<T> {
        match self.send(signed).await {
            Ok(answer) => answer::without_early_fence(read(&answer), &answer, signed.nonce_us),
            Err(error) => Sent::without_answer(error),
        }
    }

    /// Takes the nonce of an order, so that its bytes can no longer execute.
    ///
    /// # Errors
    /// Fails when it remains unknown whether the nonce is spent.
    pub async fn fence(&self, nonce_us: u64, agent: Reader<'_>) -> Result<Fence, Unresolved> {
        let noop = self.sign(Call::Noop, &Params::none(), nonce_us, agent);
        let noop = noop.map_err(|fault| Unclear::BadAnswer(fault.to_string()))?;
        match self.send(&noop).await {
            Ok(answer) => answer::fenced(&answer, nonce_us),
            Err(error) => match Sent::<()>::without_answer(error) {
                Sent::Unknown(unresolved) => Err(unresolved),
                _ => Err(Unclear::BadAnswer("no connection".to_owned()).into()),
            },
        }
    }

    /// Looks up an order by the exchange's id or by the id that was given to it.
    ///
    /// # Errors
    /// Fails when the exchange does not say whether it has the order.
    pub async fn look_up(
        &self,
        agent: Reader<'_>,
        symbol: &str,
        order: params::OrderId<'_>,
    ) -> Result<Found, AskError> {
        let params = Params::of_order(symbol, order);
        let answer = self.ask(Call::GetOrder, &params, agent).await?;
        read::found(&answer, symbol, order)
    }

    /// Reads the open orders of a market, or of all markets.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn open_orders(
        &self,
        agent: Reader<'_>,
        symbol: Option<&str>,
    ) -> Result<Vec<ExchangeOrder>, AskError> {
        let call = if symbol.is_some() { Call::OpenOrders } else { Call::AllOpenOrders };
        let params = symbol.map_or_else(Params::none, Params::of_symbol);
        let answer = self.ask(call, &params, agent).await?;
        read::open_orders(&answer)
    }

    /// Reads the notional of the wallet's position in a market at the mark price. A long and a short
    /// position of an account in hedge mode are added.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn position_notional(
        &self,
        agent: Reader<'_>,
        symbol: &str,
    ) -> Result<Decimal, AskError> {
        account::notional(&self.positions(agent, Some(symbol)).await?)
    }

    /// Sends a signed change of leverage or margin mode.
    pub async fn set_leverage(&self, signed: &Signed) -> Sent<LeverageSet> {
        self.outcome(signed, answer::leverage_set).await
    }

    /// Reads the open positions of a market, or of all markets.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn positions(
        &self,
        agent: Reader<'_>,
        symbol: Option<&str>,
    ) -> Result<Vec<AccountPosition>, AskError> {
        let params = symbol.map_or_else(Params::none, Params::of_symbol);
        let answer = self.ask(Call::Positions, &params, agent).await?;
        account::positions(&answer, symbol)
    }

    /// Reads the leverage of a market among its positions. `None` means that the exchange lists no
    /// row for it.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn leverage(
        &self,
        agent: Reader<'_>,
        symbol: &str,
    ) -> Result<Option<LeverageState>, AskError> {
        let params = Params::of_symbol(symbol);
        let answer = self.ask(Call::Positions, &params, agent).await?;
        account::leverage(&answer, symbol)
    }

    /// Reads the leverage of a market in the account, which lists all markets.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn leverage_in_account(
        &self,
        agent: Reader<'_>,
        symbol: &str,
    ) -> Result<LeverageState, AskError> {
        let answer = self.ask(Call::Account, &Params::none(), agent).await?;
        account::leverage_in_account(&answer, symbol)
    }

    /// Reads the balances of the futures account.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn balance(&self, agent: Reader<'_>) -> Result<Vec<AccountBalance>, AskError> {
        account::balance(&self.ask(Call::Balance, &Params::none(), agent).await?)
    }

    /// Reads the value of the futures account and what can be withdrawn.
    ///
    /// # Errors
    /// Fails when the exchange does not state them.
    pub async fn account(&self, agent: Reader<'_>) -> Result<account::Sums, AskError> {
        account::sums(&self.ask(Call::Account, &Params::none(), agent).await?)
    }

    /// Reads the balances of the spot account.
    ///
    /// # Errors
    /// Fails when the spot API does not list them.
    pub async fn spot_balances(&self, agent: Reader<'_>) -> Result<Vec<AccountBalance>, AskError> {
        account::spot_balances(&self.ask(Call::SpotAccount, &Params::none(), agent).await?)
    }

    /// Reads the executions of a market in a window of time.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn trades(
        &self,
        agent: Reader<'_>,
        symbol: &str,
        window: history::Window,
    ) -> Result<Vec<Fill>, AskError> {
        let params = window.params(symbol);
        let answer = self.ask(Call::Trades, &params, agent).await?;
        history::trades(&answer, symbol, window)
    }

    /// Reads the executions of a market from an id on.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn trades_from(
        &self,
        agent: Reader<'_>,
        symbol: &str,
        from_id: u64,
    ) -> Result<Vec<Fill>, AskError> {
        let params = history::params_from(symbol, from_id);
        let answer = self.ask(Call::Trades, &params, agent).await?;
        history::trades_from(&answer, symbol, from_id)
    }

    /// Reads the markets with their filters.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn markets(&self) -> Result<markets::Markets, LookupError> {
        let path = "/fapi/v3/exchangeInfo";
        let answer = self.reads.get_up_to(path, "", MAX_LIST_BYTES).await?;
        markets::Markets::parse(&answer)
    }

    /// Reads the mark price of a market.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn mark_price(&self, symbol: &str) -> Result<Decimal, LookupError> {
        let query = Params::of_symbol(symbol).text();
        let answer = self.reads.get("/fapi/v3/premiumIndex", &query).await?;
        read::mark_price(&answer, symbol)
    }

    /// Signs and sends a read. A read whose nonce was taken is asked again with another one.
    async fn ask(
        &self,
        call: Call,
        params: &Params,
        agent: Reader<'_>,
    ) -> Result<Answer, AskError> {
        for _ in 0..MAX_REPEATS {
            let answer = self.ask_once(call, params, agent).await?;
            if !answer::is_nonce_taken(&answer) {
                return Ok(answer);
            }
        }
        self.ask_once(call, params, agent).await
    }

    async fn ask_once(
        &self,
        call: Call,
        params: &Params,
        agent: Reader<'_>,
    ) -> Result<Answer, AskError> {
        let drawn = self.random.bytes().map(u64::from_le_bytes).unwrap_or_default();
        let nonce_us = read_nonce(self.clock.now_us(), drawn);
        let signed = self.sign(call, params, nonce_us, agent).map_err(|fault| {
            AskError::Failed(match fault {
                SignFault::Key(error) => LookupError::Unsigned(error),
                SignFault::Signer | SignFault::Nonce => LookupError::Unsigned(AgentKeyError),
            })
        })?;
        self.send(&signed).await.map_err(|error| AskError::Failed(error.into()))
    }

    /// Sends the signed bytes once. Reads have their parameters in the query and no content type:
    /// Aster fails on a `GET` with one.
    async fn send(&self, signed: &Signed) -> Result<Answer, SendError> {
        let (path, text) = (signed.call.path(), signed.text());
        match signed.call.method() {
            Method::Get if signed.call == Call::SpotAccount => {
                self.spot.get_up_to(path, text, MAX_LIST_BYTES).await
            }
            Method::Get => self.reads.get_up_to(path, text, MAX_LIST_BYTES).await,
            Method::Post => self.sends.post(path, FORM, text.to_owned()).await,
            Method::Put => self.sends.put(path, FORM, text.to_owned()).await,
            Method::Delete => self.sends.delete(path, FORM, text.to_owned()).await,
        }
    }
}

#[cfg(test)]
mod tests;
