//! Money at Aster: the fee and the limits of a withdrawal, sending one that a wallet has signed, and
//! the history that shows its outcome. Sources: Aster's deposit and withdrawal document and its spot
//! and futures API V3 documents. Only questions are signed here, by the wallet's agent.

mod answer;
#[cfg(test)]
mod tests;

pub use answer::{HistoryEntry, HistoryState, Limit, WITHDRAW_TEXTS, plain};

use domain::clock::Clock;
use domain::eth::AgentKeyError;
use domain::random::Random;
use url::Url;

use super::config::AsterConfig;
use super::trade::Reader;
use super::trade::params::Params;
use super::trade::read::AskError;
use super::trade::sign::{SignFault, sign};
use super::{FORM, PROFILE};
use crate::exchanges::LookupError;
use crate::exchanges::http::{Answer, Http};
use crate::exchanges::trade::Sent;
use crate::trading::ledger::read_nonce;

/// Request weight of each call.
pub const CALL_WEIGHT: u64 = 5;

/// Path of the limits.
const INFO: &str = "/fapi/v3/aster/user-withdraw-info";

/// Path of the history of deposits and withdrawals.
const HISTORY: &str = "/fapi/v3/aster/deposit-withdraw-history";

/// Path of the public estimate of the fee.
const ESTIMATE: &str = "/bapi/futures/v1/public/future/aster/estimate-withdraw-fee";

/// Maximum size of a response, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// The account from which a withdrawal is paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Product {
    /// The spot account.
    Spot,
    /// The futures account.
    Perp,
}

impl Product {
    /// Returns the published word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Perp => "perp",
        }
    }

    /// Returns the path that receives a signed withdrawal.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Spot => "/api/v3/aster/user-withdraw",
            Self::Perp => "/fapi/v3/aster/user-withdraw",
        }
    }
}

/// A client of Aster's money calls. It sends each request once; it keeps no budget and no circuit.
#[derive(Clone, Debug)]
pub struct MoneyClient {
    futures: Http,
    spot: Http,
    public: Http,
    send_timeout_ms: u64,
    chain_id: u64,
    clock: Clock,
    random: Random,
}

impl MoneyClient {
    /// Makes a client. A call that pays has a timeout of `send_timeout_ms`.
    #[must_use]
    pub fn new(config: &AsterConfig, send_timeout_ms: u64, clock: &Clock, random: &Random) -> Self {
        let http = |url: &Url| Http::new(url, PROFILE.name, config.call_timeout_ms, clock.clone());
        Self {
            futures: http(&config.url),
            spot: http(&config.spot_url),
            public: http(&config.public_url),
            send_timeout_ms,
            chain_id: config.agent_chain_id(),
            clock: clock.clone(),
            random: random.clone(),
        }
    }

    /// Returns how far the local clock was ahead of the exchange's at its last response, in
    /// milliseconds.
    #[must_use]
    pub fn skew_ms(&self) -> i64 {
        self.futures.skew_ms()
    }

    /// Reads the fee of a withdrawal, in units of the asset, as a plain decimal text.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn estimate_fee(
        &self,
        chain_id: u64,
        asset: &str,
        product: Product,
    ) -> Result<String, LookupError> {
        let chain_id = chain_id.to_string();
        let query = Params::new(vec![
            ("chainId", chain_id),
            ("network", "EVM".to_owned()),
            ("currency", asset.to_owned()),
            ("accountType", product.as_str().to_owned()),
        ]);
        answer::fee(&self.public.get(ESTIMATE, &query.text()).await?)
    }

    /// Reads what a wallet may withdraw of each asset on each chain.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn limits(&self, agent: Reader<'_>) -> Result<Vec<Limit>, AskError> {
        answer::limits(&self.ask(INFO, &Params::none(), agent).await?)
    }

    /// Reads the deposits and withdrawals of a wallet.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn history(&self, agent: Reader<'_>) -> Result<Vec<HistoryEntry>, AskError> {
        answer::history(&self.ask(HISTORY, &Params::none(), agent).await?)
    }

    /// Sends the exact bytes of a signed withdrawal, which may be sent once only: the exchange is not
    /// known to refuse a repeat. Returns the exchange's id of it, if it states one.
    pub async fn withdraw(&self, product: Product, body: &str) -> Sent<Option<String>> {
        let http = match product {
            Product::Spot => &self.spot,
            Product::Perp => &self.futures,
        };
        let http = http.with_timeout(self.send_timeout_ms);
        match http.post(product.path(), FORM, body.to_owned()).await {
            Ok(answer) => answer::withdrawn(&answer),
            Err(error) => Sent::without_answer(error),
        }
    }

    /// Asks a question about a wallet, which its agent signs.
    async fn ask(
        &self,
        path: &str,
        params: &Params,
        agent: Reader<'_>,
    ) -> Result<Answer, LookupError> {
        let drawn = self.random.bytes().map(u64::from_le_bytes).unwrap_or_default();
        let nonce_us = read_nonce(self.clock.now_us(), drawn);
        let body = sign(self.chain_id, params, nonce_us, agent).map_err(|fault| match fault {
            SignFault::Key(error) => LookupError::Unsigned(error),
            SignFault::Signer | SignFault::Nonce => LookupError::Unsigned(AgentKeyError),
        })?;
        Ok(self.futures.post_up_to(path, FORM, body, MAX_BYTES).await?)
    }
}
