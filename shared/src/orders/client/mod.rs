//! The client of one exchange's orders: it takes weight from the exchange's budget before it sends,
//! retries only requests that never arrived, and pauses after repeated failures.

pub(super) mod account;
pub(super) mod call;
pub(super) mod fills;
mod region;
mod weight;
pub(super) mod wire;

use std::sync::Arc;

use domain::clock::Clock;
use domain::eth::Address;
use domain::ids::{Exchange, Tenant};
use futures_util::future::BoxFuture;
use platform::metrics::{self, About, Metric};

use super::TradeError;
use crate::exchanges::LookupError;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::budget::{Answered, Budget, Claim};
use crate::exchanges::http::SKEW_MS;
use crate::exchanges::lighter::profile::Request;
use crate::exchanges::lighter::trade::FIRST_ORDER_INDEX;
use crate::exchanges::lighter::trade::read::Executed;
use crate::exchanges::trade::{ExchangeOrder, Fence, Found, Sent, TradeCode, Unresolved};
use crate::exchanges::{Unclear, aster};
use crate::orders::access::SigningKey;
use crate::store::StoredSymbol;
use call::{Asker, Cancelled, Changed, Entry, LookupId, Outgoing};
use region::RegionBlock;
use wire::Wire;

/// Maximum number of retries of a request that never arrived.
const REPEATS: u32 = 2;

/// The waits before the questions about a transaction that was taken, in milliseconds.
const EXECUTION_WAITS_MS: [u64; 4] = [250, 400, 700, 1_200];

/// A signed call on its way.
type Call<'a, T> = BoxFuture<'a, Sent<T>>;

/// A question on its way.
pub(super) type Question<'a, T> = BoxFuture<'a, Result<T, AskError>>;

/// The client of one exchange's orders.
#[derive(Clone, Debug)]
pub(super) struct TradeClient {
    pub(super) wire: Wire,
    budget: Budget,
    clock: Clock,
    timeout_ms: u64,
    region: Arc<RegionBlock>,
}

impl TradeClient {
    /// Makes a client. A call that changes orders has a timeout of `timeout_ms`.
    pub(super) fn new(wire: Wire, budget: Budget, clock: Clock, timeout_ms: u64) -> Self {
        Self { wire, budget, clock, timeout_ms, region: Arc::default() }
    }

    /// Returns a client with the same connections and another budget.
    pub(super) fn with_budget(&self, budget: Budget) -> Self {
        Self { budget, ..self.clone() }
    }

    /// Returns a client with the same budget and another wire.
    pub(super) fn with_wire(&self, wire: Wire) -> Self {
        Self { wire, ..self.clone() }
    }

    pub(super) const fn exchange(&self) -> Exchange {
        self.wire.exchange()
    }

    /// Returns the clock.
    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the latest start of a call that ends before a time, Unix milliseconds.
    pub(super) const fn latest_ms(&self, until_ms: u64) -> u64 {
        until_ms.saturating_sub(self.timeout_ms)
    }

    /// Returns whether a call that starts now ends before a time, Unix milliseconds.
    pub(super) fn has_time(&self, until_ms: u64) -> bool {
        self.clock.now_ms() <= self.latest_ms(until_ms)
    }

    /// Takes weight from the budget.
    ///
    /// # Errors
    /// Fails when nothing may be sent now, and while the exchange is known to block the region.
    pub(super) async fn take(&self, tenant: &Tenant, weight: u64) -> Result<(), AskError> {
        if let Some(refusal) = self.region.at(self.clock.now_ms()) {
            return Err(AskError::Refused(refusal));
        }
        let taken = self.budget.take(Claim::of(tenant), weight).await;
        taken.map_err(|busy| LookupError::Busy(busy).into())
    }

    /// Sends the bytes that place orders. The caller has taken their weight.
    pub(super) async fn place(&self, out: Outgoing<'_>) -> Sent<Vec<Entry>> {
        self.send(out, || Box::pin(self.wire.place(out))).await
    }

    /// Sends the bytes that change an order. The caller has taken their weight.
    pub(super) async fn change(&self, out: Outgoing<'_>) -> Sent<Changed> {
        self.send(out, || Box::pin(self.wire.change(out))).await
    }

    /// Sends stored bytes, and again if they never arrived. Nothing is sent after the lease's end.
    async fn send<'a, T>(
        &self,
        out: Outgoing<'a>,
        call: impl Fn() -> Call<'a, T> + Send + Sync,
    ) -> Sent<T> {
        let mut repeat = 0;
        loop {
            if !self.has_time(out.until_ms) {
                let why = Unclear::BadAnswer("no time is left to send".to_owned());
                return Sent::Unknown(why.into());
            }
            let sent = call().await;
            if matches!(sent, Sent::NotSent(_)) && repeat < REPEATS && self.has_time(out.until_ms) {
                self.back_off(&mut repeat).await;
                continue;
            }
            self.note_sent(&sent).await;
            return match sent {
                // The bytes were sent before, so a refusal proves nothing about the first time.
                Sent::Refused(refusal) if !out.is_first => Sent::Unknown(Unresolved {
                    why: Unclear::BadAnswer(refusal.text.clone()),
                    fenced: false,
                    text: Some(refusal.text),
                }),
                Sent::NotSent(cause) if !out.is_first => {
                    Sent::Unknown(Unclear::BadAnswer(cause.to_string()).into())
                }
                sent => sent,
            };
        }
    }

    /// Signs and sends the cancellation of one order. The caller has taken its weight.
    pub(super) async fn cancel(
        &self,
        nonce: u64,
        asker: (Address, &SigningKey),
        symbol: &StoredSymbol,
        id: LookupId<'_>,
    ) -> Result<Sent<Cancelled>, TradeError> {
        let sent = self.wire.cancel(nonce, asker, symbol, id).await?;
        self.note_sent(&sent).await;
        Ok(sent)
    }

    /// Uses the nonce of stored bytes, so that they can no longer execute. The caller has taken the
    /// weight of the call.
    pub(super) async fn fence(
        &self,
        nonce: u64,
        wallet: Address,
        key: &SigningKey,
    ) -> Result<Fence, Unresolved> {
        let fenced = self.wire.fence(nonce, wallet, key).await;
        match &fenced {
            Ok(_) => self.budget.answered(Answered::Send).await,
            Err(unresolved) => self.note_unclear(&unresolved.why).await,
        }
        fenced
    }

    /// Looks up an order.
    pub(super) async fn look_up(
        &self,
        tenant: &Tenant,
        asker: Asker<'_>,
        symbol: &str,
        id: LookupId<'_>,
    ) -> Result<Found, AskError> {
        let weight = match self.exchange() {
            Exchange::Aster => aster::trade::Call::GetOrder.weight(),
            Exchange::Hyperliquid => 2,
            // By the exchange's id it asks for the open orders, then for the ended ones.
            Exchange::Lighter if id.of_lighter().is_some_and(|id| id >= FIRST_ORDER_INDEX) => {
                self.with_markets(&[Request::Orders, Request::Orders])
            }
            Exchange::Lighter => self.with_markets(&[Request::Orders]),
        };
        self.ask(tenant, weight, || Box::pin(self.wire.look_up(asker, symbol, id))).await
    }

    /// Reads open orders: of a market or of all markets on Aster, of a DEX on Hyperliquid.
    pub(super) async fn open_orders(
        &self,
        tenant: &Tenant,
        asker: Asker<'_>,
        within: Option<&str>,
    ) -> Result<Vec<ExchangeOrder>, AskError> {
        let weight = match (self.exchange(), within) {
            (Exchange::Aster, Some(_)) => aster::trade::Call::OpenOrders.weight(),
            (Exchange::Aster, None) => aster::trade::Call::AllOpenOrders.weight(),
            (Exchange::Hyperliquid, _) => 20,
            (Exchange::Lighter, _) => self.with_markets(&[Request::Orders]),
        };
        self.ask(tenant, weight, || Box::pin(self.wire.open_orders(asker, within))).await
    }

    /// Asks what has become of a transaction of Lighter.
    pub(super) async fn transaction(
        &self,
        tenant: &Tenant,
        hash: &str,
    ) -> Result<Executed, AskError> {
        let Wire::Lighter(client) = &self.wire else {
            return Err(account::not_offered("a transaction has no hash"));
        };
        self.ask_lighter(tenant, Request::Question, || Box::pin(client.transaction(hash))).await
    }

    /// Asks what has become of a transaction that Lighter has taken, until it is executed or a few
    /// seconds have passed. Orders of a standard account wait for 200 to 300 ms there.
    pub(super) async fn executed(&self, tenant: &Tenant, hash: &str) -> Result<Executed, AskError> {
        let mut last = Executed::Absent;
        for wait_ms in EXECUTION_WAITS_MS {
            self.clock.sleep_ms(wait_ms).await;
            last = self.transaction(tenant, hash).await?;
            if matches!(last, Executed::Done | Executed::Failed(_)) {
                break;
            }
        }
        Ok(last)
    }

    /// Asks a question, and again if it never arrived.
    pub(super) async fn ask<'a, T>(
        &self,
        tenant: &Tenant,
        weight: u64,
        question: impl Fn() -> Question<'a, T> + Send + Sync,
    ) -> Result<T, AskError> {
        let mut repeat = 0;
        loop {
            self.take(tenant, weight).await?;
            let answer = question().await;
            if let Err(AskError::Failed(LookupError::NotSent(_))) = &answer
                && repeat < REPEATS
            {
                self.back_off(&mut repeat).await;
                continue;
            }
            self.note_asked(answer.as_ref().err()).await;
            return answer;
        }
    }

    /// Waits 100 to 200 ms, then 200 to 400 ms.
    async fn back_off(&self, repeat: &mut u32) {
        let base = 100 << *repeat;
        self.clock.sleep_ms(base + self.budget.jitter_ms(base)).await;
        *repeat += 1;
    }

    /// Returns a random number from 0 to `bound` milliseconds.
    pub(super) fn jitter_ms(&self, bound: u64) -> u64 {
        self.budget.jitter_ms(bound)
    }

    /// Records the outcome of a signed call for the budget and the circuit.
    pub(super) async fn note_sent<T>(&self, sent: &Sent<T>) {
        self.note_clock();
        match sent {
            Sent::Refused(refusal) => match refusal.code {
                TradeCode::RateLimited { retry_after_s } => {
                    self.budget.limited(retry_after_s).await;
                }
                // Only an operator can resolve these: by a fix, a new version, or another region.
                TradeCode::SignatureFault | TradeCode::SignerOutdated => {
                    tracing::error!(
                        text = refusal.text,
                        "the exchange refuses the form of a signature"
                    );
                    self.emit(Metric::SignatureFaults, 1);
                    self.budget.answered(Answered::Send).await;
                }
                TradeCode::RegionBlocked => self.note_region(&refusal.text),
                _ => self.budget.answered(Answered::Send).await,
            },
            Sent::Accepted(_) => self.budget.answered(Answered::Send).await,
            // The exchange has processed the call: it knows the nonce.
            Sent::Unknown(Unresolved { fenced: true, .. }) => {
                self.budget.answered(Answered::Send).await;
            }
            Sent::Unknown(unresolved) => self.note_unclear(&unresolved.why).await,
            Sent::NotSent(_) => self.budget.failed().await,
        }
    }

    async fn note_unclear(&self, why: &Unclear) {
        match why {
            Unclear::Blocked(words) => self.note_blocked(words).await,
            Unclear::NoAnswer(_) | Unclear::Broken(_) | Unclear::BadAnswer(_) => {
                self.budget.failed().await;
            }
        }
    }

    async fn note_asked(&self, error: Option<&AskError>) {
        self.note_clock();
        let failed = match error {
            Some(AskError::Refused(refusal)) if refusal.code == TradeCode::RegionBlocked => {
                return self.note_region(&refusal.text);
            }
            None
            | Some(
                AskError::Refused(_)
                | AskError::Failed(LookupError::Foreign | LookupError::NonceRejected),
            ) => return self.budget.answered(Answered::Question).await,
            Some(AskError::Failed(failed)) => failed,
        };
        match failed {
            LookupError::Blocked(words) => self.note_blocked(words).await,
            LookupError::RateLimited { retry_after_s } => {
                self.budget.limited(*retry_after_s).await;
            }
            _ => self.budget.failed().await,
        }
    }

    /// Raises an alarm when the edge blocks calls, because only an operator can resolve it.
    async fn note_blocked(&self, words: &str) {
        let exchange = self.exchange();
        tracing::error!(%exchange, words, "the exchange's edge blocks calls from this address");
        self.emit(Metric::ExchangeBlocked, 1);
        self.budget.blocked().await;
    }

    /// Remembers that the exchange serves nobody from this region, and raises the same alarm.
    fn note_region(&self, text: &str) {
        tracing::error!(exchange = %self.exchange(), text, "the exchange blocks this region");
        self.emit(Metric::ExchangeBlocked, 1);
        self.region.note(text, self.clock.now_ms());
    }

    fn note_clock(&self) {
        let skew_ms = self.wire.skew_ms();
        if skew_ms.unsigned_abs() < SKEW_MS {
            return;
        }
        let (exchange, skew_s) = (self.exchange(), skew_ms / 1_000);
        tracing::error!(%exchange, skew_s, "this clock differs from the exchange's clock");
        self.emit(Metric::ClockSkewSeconds, skew_s.unsigned_abs());
    }

    /// Emits a metric of this exchange.
    pub(super) fn emit(&self, metric: Metric, value: u64) {
        metrics::emit(&self.clock, About::exchange(self.exchange()), &[(metric, value)]);
    }
}
