//! The calls of both exchanges with the exchange's budget and circuit.

use domain::eth::{Address, AgentKey};
use domain::ids::{Exchange, Tenant};
use domain::money::AccountType;
use platform::metrics::{self, About, Metric};

use super::MoneyError;
use crate::exchanges::aster::money as aster;
use crate::exchanges::aster::trade::Reader;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::budget::{Answered, Budget, Claim};
use crate::exchanges::http::SKEW_MS;
use crate::exchanges::hyperliquid::money as hyperliquid;
use crate::exchanges::trade::{Sent, TradeCode, Unresolved};
use crate::exchanges::{LookupError, Unclear};
use domain::clock::Clock;

/// Request weight of a call that pays.
const SEND_WEIGHT: u64 = 1;

/// Maximum number of pages of a ledger in one look.
const LEDGER_PAGES: usize = 20;

/// An exchange's money calls.
#[derive(Clone, Debug)]
pub(super) struct Calls<C> {
    pub(super) client: C,
    pub(super) budget: Budget,
    pub(super) exchange: Exchange,
    pub(super) clock: Clock,
}

impl<C> Calls<C> {
    /// Asks a question. Each is asked once: a caller retries the whole request.
    async fn ask<T>(
        &self,
        tenant: &Tenant,
        weight: u64,
        question: impl Future<Output = Result<T, AskError>>,
    ) -> Result<T, MoneyError> {
        self.budget.take(Claim::of(tenant), weight).await?;
        let answer = question.await;
        match &answer {
            Ok(_) | Err(AskError::Refused(_)) => self.budget.answered(Answered::Question).await,
            Err(AskError::Failed(LookupError::RateLimited { retry_after_s })) => {
                self.budget.limited(*retry_after_s).await;
            }
            Err(AskError::Failed(LookupError::Blocked(words))) => self.note_blocked(words).await,
            Err(AskError::Failed(_)) => self.budget.failed().await,
        }
        Ok(answer?)
    }

    /// Takes the weight of a payment that is about to be sent.
    pub(super) async fn take(&self, tenant: &Tenant) -> Result<(), MoneyError> {
        Ok(self.budget.take(Claim::of(tenant), SEND_WEIGHT).await?)
    }

    /// Records the outcome of a payment for the budget and the circuit.
    async fn note<T>(&self, sent: &Sent<T>) {
        match sent {
            Sent::Refused(refusal) => match refusal.code {
                TradeCode::RateLimited { retry_after_s } => {
                    self.budget.limited(retry_after_s).await;
                }
                TradeCode::SignatureFault => {
                    self.emit(Metric::SignatureFaults, 1);
                    self.budget.answered(Answered::Send).await;
                }
                _ => self.budget.answered(Answered::Send).await,
            },
            Sent::Accepted(_) | Sent::Unknown(Unresolved { fenced: true, .. }) => {
                self.budget.answered(Answered::Send).await;
            }
            Sent::Unknown(Unresolved { why: Unclear::Blocked(words), .. }) => {
                self.note_blocked(words).await;
            }
            Sent::Unknown(_) | Sent::NotSent(_) => self.budget.failed().await,
        }
    }

    async fn note_blocked(&self, words: &str) {
        let exchange = self.exchange;
        tracing::error!(%exchange, words, "the exchange's edge blocks calls from this address");
        self.emit(Metric::ExchangeBlocked, 1);
        self.budget.blocked().await;
    }

    fn note_clock(&self, skew_ms: i64) {
        if skew_ms.unsigned_abs() >= SKEW_MS {
            let (exchange, skew_s) = (self.exchange, skew_ms / 1_000);
            tracing::error!(%exchange, skew_s, "this clock differs from the exchange's clock");
            self.emit(Metric::ClockSkewSeconds, skew_s.unsigned_abs());
        }
    }

    fn emit(&self, metric: Metric, value: u64) {
        metrics::emit(&self.clock, About::exchange(self.exchange), &[(metric, value)]);
    }
}

impl Calls<hyperliquid::MoneyClient> {
    pub(super) async fn mode(
        &self,
        tenant: &Tenant,
        wallet: Address,
    ) -> Result<crate::exchanges::account::AccountMode, MoneyError> {
        let question = async { Ok(self.client.mode(wallet).await?) };
        self.ask(tenant, hyperliquid::QUESTION_WEIGHT, question).await
    }

    pub(super) async fn route(
        &self,
        tenant: &Tenant,
    ) -> Result<hyperliquid::WithdrawalRoute, MoneyError> {
        let question = async { Ok(self.client.withdrawal_route().await?) };
        self.ask(tenant, hyperliquid::QUESTION_WEIGHT, question).await
    }

    pub(super) async fn pre_transfer(
        &self,
        tenant: &Tenant,
        destination: Address,
        source: Address,
    ) -> Result<hyperliquid::PreTransfer, MoneyError> {
        let question = async { Ok(self.client.pre_transfer(destination, source).await?) };
        self.ask(tenant, hyperliquid::QUESTION_WEIGHT, question).await
    }

    /// Returns the first entry of a wallet's ledger from a time on that is the wanted one. `None`
    /// means that the ledger was read to its end.
    pub(super) async fn in_ledger(
        &self,
        tenant: &Tenant,
        wallet: Address,
        mut from_ms: u64,
        is_it: impl Fn(&hyperliquid::LedgerEntry) -> bool,
    ) -> Result<Option<hyperliquid::LedgerEntry>, MoneyError> {
        for _ in 0..LEDGER_PAGES {
            let question = async { Ok(self.client.ledger(wallet, from_ms).await?) };
            let page = self.ask(tenant, hyperliquid::QUESTION_WEIGHT, question).await?;
            let (length, last_ms) = (page.len(), page.last().map_or(0, |entry| entry.at_ms));
            if let Some(entry) = page.into_iter().find(&is_it) {
                return Ok(Some(entry));
            }
            if length < hyperliquid::FULL_LEDGER {
                return Ok(None);
            }
            // Entries of the last millisecond may be on both pages.
            from_ms = last_ms.max(from_ms + 1);
        }
        Err(MoneyError::Damaged("the ledger has more pages than one look reads"))
    }

    /// Sends stored bytes. The caller has taken their weight.
    pub(super) async fn send(&self, body: &str, wallet: Address, is_first: bool) -> Sent<()> {
        let sent = self.client.send(body, wallet, is_first).await;
        self.note_clock(self.client.skew_ms());
        self.note(&sent).await;
        sent
    }
}

impl Calls<aster::MoneyClient> {
    pub(super) async fn fee(
        &self,
        tenant: &Tenant,
        chain_id: u64,
        asset: &str,
        account: AccountType,
    ) -> Result<String, MoneyError> {
        let product = product(account);
        let question = async { Ok(self.client.estimate_fee(chain_id, asset, product).await?) };
        self.ask(tenant, 1, question).await
    }

    pub(super) async fn limits(
        &self,
        tenant: &Tenant,
        user: Address,
        key: &AgentKey,
    ) -> Result<Vec<aster::Limit>, MoneyError> {
        let question = self.client.limits(Reader { user, key });
        self.ask(tenant, aster::CALL_WEIGHT, question).await
    }

    pub(super) async fn history(
        &self,
        tenant: &Tenant,
        user: Address,
        key: &AgentKey,
    ) -> Result<Vec<aster::HistoryEntry>, MoneyError> {
        let question = self.client.history(Reader { user, key });
        self.ask(tenant, aster::CALL_WEIGHT, question).await
    }

    /// Sends stored bytes, once. The caller has taken their weight.
    pub(super) async fn withdraw(&self, account: AccountType, body: &str) -> Sent<Option<String>> {
        let sent = self.client.withdraw(product(account), body).await;
        self.note_clock(self.client.skew_ms());
        self.note(&sent).await;
        sent
    }
}

const fn product(account: AccountType) -> aster::Product {
    match account {
        AccountType::Spot => aster::Product::Spot,
        AccountType::Perp => aster::Product::Perp,
    }
}
