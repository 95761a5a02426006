//! Money at Hyperliquid: questions before a payment, sending one that a wallet has signed, and the
//! ledger that shows its outcome. Sources: the exchange endpoint, info endpoint and account mode
//! documents. Nothing here signs.

mod answer;
#[cfg(test)]
mod tests;

pub use answer::{LedgerEntry, LedgerKind, PAYMENT_TEXTS, PreTransfer};

use domain::clock::Clock;
use domain::eth::Address;
use serde_json::{Value, json};

use super::config::HyperliquidConfig;
use super::trade::account;
use super::{JSON, PROFILE};
use crate::exchanges::LookupError;
use crate::exchanges::account::AccountMode;
use crate::exchanges::http::{Answer, Http};
use crate::exchanges::trade::Sent;

/// Request weight of each question.
pub const QUESTION_WEIGHT: u64 = 20;

/// The smallest number of entries of a page of the ledger that may not be the last one.
pub const FULL_LEDGER: usize = 500;

/// Maximum size of a ledger, in bytes.
const MAX_LEDGER_BYTES: usize = 4 * 1024 * 1024;

/// How USDC leaves Hyperliquid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WithdrawalRoute {
    /// The legacy bridge on Arbitrum (`withdraw3`).
    Bridge,
    /// Circle's protocol (`sendToEvmWithData`).
    Cctp,
}

/// A client of Hyperliquid's money calls. It sends each request once; it keeps no budget and no
/// circuit.
#[derive(Clone, Debug)]
pub struct MoneyClient {
    reads: Http,
    sends: Http,
}

impl MoneyClient {
    /// Makes a client. A call that pays has a timeout of `send_timeout_ms`.
    #[must_use]
    pub fn new(config: &HyperliquidConfig, send_timeout_ms: u64, clock: &Clock) -> Self {
        let reads = Http::new(&config.url, PROFILE.name, config.call_timeout_ms, clock.clone());
        Self { sends: reads.with_timeout(send_timeout_ms), reads }
    }

    /// Returns how far the local clock was ahead of the exchange's at its last response, in
    /// milliseconds.
    #[must_use]
    pub fn skew_ms(&self) -> i64 {
        self.reads.skew_ms()
    }

    /// Reads how an account keeps its funds. The modes change, so it is asked before each payment.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn mode(&self, wallet: Address) -> Result<AccountMode, LookupError> {
        let question = json!({ "type": "userAbstraction", "user": wallet.to_lower_hex() });
        account::mode(&self.ask(&question).await?)
    }

    /// Reads how USDC leaves the exchange now.
    ///
    /// # Errors
    /// Fails when the exchange does not state it, or names an unknown way.
    pub async fn withdrawal_route(&self) -> Result<WithdrawalRoute, LookupError> {
        answer::withdrawal_route(&self.ask(&json!({ "type": "usdcRouting" })).await?)
    }

    /// Asks what a transfer to an account costs in addition.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn pre_transfer(
        &self,
        destination: Address,
        source: Address,
    ) -> Result<PreTransfer, LookupError> {
        let (user, source) = (destination.to_lower_hex(), source.to_lower_hex());
        let question = json!({ "type": "preTransferCheck", "user": user, "source": source });
        answer::pre_transfer(&self.ask(&question).await?)
    }

    /// Reads the ledger of a wallet from a time on, oldest first and without funding payments: one
    /// page. One with at least [`FULL_LEDGER`] entries may have a page after it.
    ///
    /// # Errors
    /// Fails when the exchange does not list it.
    pub async fn ledger(
        &self,
        wallet: Address,
        from_ms: u64,
    ) -> Result<Vec<LedgerEntry>, LookupError> {
        let user = wallet.to_lower_hex();
        let question =
            json!({ "type": "userNonFundingLedgerUpdates", "user": user, "startTime": from_ms });
        answer::ledger(&self.ask(&question).await?)
    }

    /// Sends the exact bytes of a signed payment. `is_first` is whether they were never sent before:
    /// a refusal of bytes that were sent before proves nothing about the earlier request.
    pub async fn send(&self, body: &str, wallet: Address, is_first: bool) -> Sent<()> {
        match self.sends.post("/exchange", JSON, body.to_owned()).await {
            Ok(answer) => answer::sent(&answer, wallet, is_first),
            Err(error) => Sent::without_answer(error),
        }
    }

    async fn ask(&self, question: &Value) -> Result<Answer, LookupError> {
        let body = question.to_string();
        Ok(self.reads.post_up_to("/info", JSON, body, MAX_LEDGER_BYTES).await?)
    }
}
