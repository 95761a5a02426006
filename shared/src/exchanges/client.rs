//! The client of one exchange, with the behaviour common to all exchanges: it takes weight from a
//! budget before it sends, retries only requests that never arrived, and pauses after repeated
//! failures.

use std::net::Ipv4Addr;
use std::sync::Arc;

use domain::builder::{Builder, BuilderFee};
use domain::eth::{Address, AgentKey, Signature};
use domain::ids::Exchange;
use domain::intent::{Intent, nonce_lead};
use platform::metrics::{self, About, Metric};

use super::api::{Api, Asker, Call, Settings};
use super::aster::v1::V1Client;
use super::budget::{Answered, Budget, Busy, Claim};
use super::http::SKEW_MS;
use super::profile::Profile;
use super::{
    Approval, BuilderApproval, ListedAgent, LookupError, Outcome, RefusalKind, Removal, Unclear,
};

/// Maximum number of retries of a call that never arrived.
const REPEATS: u32 = 2;

/// The requests that an operation is about to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sends {
    /// Approvals.
    pub approvals: u64,
    /// Removals.
    pub removals: u64,
}

impl Sends {
    const fn weight(self, profile: &Profile) -> u64 {
        self.approvals * profile.weights.approval + self.removals * profile.weights.removal
    }
}

/// The client of one exchange.
#[derive(Clone, Debug)]
pub struct ExchangeClient {
    api: Arc<dyn Api>,
    profile: &'static Profile,
    settings: Settings,
    budget: Budget,
}

impl ExchangeClient {
    /// Makes the client of an exchange with a budget.
    #[must_use]
    pub(crate) fn new(api: impl Api + 'static, budget: Budget) -> Self {
        let (profile, settings) = (api.profile(), api.settings());
        Self { api: Arc::new(api), profile, settings, budget }
    }

    /// Returns the facts of the exchange.
    #[must_use]
    pub const fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// Returns the exchange.
    #[must_use]
    pub const fn exchange(&self) -> Exchange {
        self.profile.exchange
    }

    /// Returns the validity of an agent's approval, in milliseconds.
    #[must_use]
    pub const fn validity_ms(&self) -> u64 {
        self.settings.validity_ms
    }

    /// Returns the timeout of a call, in milliseconds.
    #[must_use]
    pub const fn call_timeout_ms(&self) -> u64 {
        self.settings.call_timeout_ms
    }

    /// Returns the time in the unit of the exchange's nonces.
    #[must_use]
    pub fn nonce_now(&self) -> u64 {
        self.profile.nonce_unit.now(self.budget.clock())
    }

    /// Returns the latest plausible last nonce; a later one came from a wrong clock.
    #[must_use]
    pub fn latest_nonce(&self) -> u64 {
        self.nonce_now().saturating_add(nonce_lead(self.exchange()))
    }

    /// Returns the maximum age of a nonce before another is taken, in the nonces' unit.
    #[must_use]
    pub const fn nonce_fresh_for(&self) -> u64 {
        self.profile.nonce_fresh_for
    }

    /// Returns the client of Aster's V1, if that API makes the keys.
    #[must_use]
    pub fn v1(&self) -> Option<&V1Client> {
        self.api.v1()
    }

    /// Returns the only address that may use the keys, if they are bound to one.
    #[must_use]
    pub const fn ip_whitelist(&self) -> Option<Ipv4Addr> {
        self.settings.ip_whitelist
    }

    /// Returns whether an agent replaces another of the same name, as on Hyperliquid.
    #[must_use]
    pub const fn replaces_by_name(&self) -> bool {
        self.profile.replaces_by_name
    }

    /// Returns whether responses show the private keys of agents.
    #[must_use]
    pub const fn hands_out_keys(&self) -> bool {
        self.settings.hands_out_keys
    }

    /// Returns the intent to sign for an approval.
    #[must_use]
    pub fn approval_intent(&self, approval: &Approval) -> Intent {
        self.api.approval_intent(approval)
    }

    /// Returns the intent to sign for a removal.
    #[must_use]
    pub fn removal_intent(&self, removal: &Removal) -> Intent {
        self.api.removal_intent(removal)
    }

    /// Returns the builder that wallets approve, if the deployment has one.
    #[must_use]
    pub const fn builder(&self) -> Option<Builder> {
        self.settings.builder
    }

    /// Returns the intent to sign for the approval of a builder.
    #[must_use]
    pub fn builder_intent(&self, approval: &BuilderApproval) -> Intent {
        self.api.builder_intent(approval)
    }

    /// Takes the weight of the given numbers of approvals and removals from the budget.
    ///
    /// # Errors
    /// Fails when nothing may be sent now.
    pub async fn admit(&self, claim: Claim<'_>, sends: Sends) -> Result<(), Busy> {
        self.budget.take(claim, sends.weight(self.profile)).await
    }

    /// Returns an error when it is already known that the budget has no room for so many approvals
    /// and removals. It sends nothing and takes nothing.
    ///
    /// # Errors
    /// When nothing may be sent now.
    pub fn check(&self, claim: Claim<'_>, sends: Sends) -> Result<(), Busy> {
        self.budget.check(claim, sends.weight(self.profile))
    }

    /// Sends a signed approval.
    pub async fn approve(&self, approval: &Approval, signature: &Signature) -> Outcome {
        self.send(|| self.api.approve(approval, signature)).await
    }

    /// Sends a signed removal.
    pub async fn remove(&self, removal: &Removal, signature: &Signature) -> Outcome {
        self.send(|| self.api.remove(removal, signature)).await
    }

    /// Sends the signed approval of a builder.
    pub async fn approve_builder(
        &self,
        approval: &BuilderApproval,
        signature: &Signature,
    ) -> Outcome {
        self.send(|| self.api.approve_builder(approval, signature)).await
    }

    /// Returns the fee that a wallet has approved for a builder. On Aster one of its agents asks.
    ///
    /// # Errors
    /// Fails when the exchange does not respond, or may not be asked now.
    pub async fn builder_fee(
        &self,
        wallet: Address,
        builder: Builder,
        agent: &AgentKey,
        claim: Claim<'_>,
    ) -> Result<Option<BuilderFee>, LookupError> {
        let agent = Asker { key: agent, client: self };
        let weight = self.profile.weights.builder;
        self.ask(claim, weight, || self.api.builder_fee(wallet, builder, agent)).await
    }

    async fn send<'a>(&self, call: impl Fn() -> Call<'a, Outcome> + Send + Sync) -> Outcome {
        let mut repeat = 0;
        loop {
            let outcome = call().await;
            if !self.goes_again(&outcome, &mut repeat).await {
                return outcome;
            }
        }
    }

    /// Waits and returns `true` when the same request may be retried, because it never arrived.
    /// Otherwise records the outcome.
    async fn goes_again(&self, outcome: &Outcome, repeat: &mut u32) -> bool {
        if matches!(outcome, Outcome::NotSent(_)) && *repeat < REPEATS {
            self.back_off(repeat).await;
            return true;
        }
        self.note(outcome).await;
        false
    }

    /// Records the outcome for the budget and the circuit.
    pub async fn note(&self, outcome: &Outcome) {
        self.note_clock();
        match outcome {
            Outcome::Refused(refusal) => {
                if let RefusalKind::RateLimited { retry_after_s } = refusal.kind {
                    self.budget.limited(retry_after_s).await;
                } else {
                    self.budget.answered(Answered::Send).await;
                }
            }
            Outcome::Done => self.budget.answered(Answered::Send).await,
            Outcome::Unknown(Unclear::Blocked(words)) => self.note_blocked(words).await,
            Outcome::NotSent(_) | Outcome::Unknown(_) => self.budget.failed().await,
        }
    }

    /// Raises an alarm when the edge blocks calls, because only an operator can resolve it.
    async fn note_blocked(&self, words: &str) {
        let exchange = self.exchange();
        tracing::error!(%exchange, words, "the exchange's edge blocks calls from this address");
        let counted = [(Metric::ExchangeBlocked, 1)];
        metrics::emit(self.budget.clock(), About::exchange(exchange), &counted);
        self.budget.blocked().await;
    }

    /// Returns how far the local clock was ahead of the exchange's at its last response, in
    /// seconds (negative when behind), if that is a minute or more.
    #[must_use]
    pub fn clock_skew_s(&self) -> Option<i64> {
        let skew_ms = self.api.skew_ms();
        (skew_ms.unsigned_abs() >= SKEW_MS).then_some(skew_ms / 1_000)
    }

    fn note_clock(&self) {
        let Some(skew_s) = self.clock_skew_s() else { return };
        let exchange = self.exchange();
        tracing::error!(%exchange, skew_s, "this clock differs from the exchange's clock");
        let measured = [(Metric::ClockSkewSeconds, skew_s.unsigned_abs())];
        metrics::emit(self.budget.clock(), About::exchange(exchange), &measured);
    }

    /// Returns a random number from 0 to `bound` milliseconds.
    pub(super) fn jitter_ms(&self, bound: u64) -> u64 {
        self.budget.jitter_ms(bound)
    }

    /// Waits 100 to 200 ms, then 200 to 400 ms.
    async fn back_off(&self, repeat: &mut u32) {
        let base = 100 << *repeat;
        self.budget.clock().sleep_ms(base + self.jitter_ms(base)).await;
        *repeat += 1;
    }

    /// Returns whether the exchange knows the agent as this wallet's. The call is expensive; use
    /// it only when the outcome of a send is unknown.
    ///
    /// # Errors
    /// Fails when the exchange does not respond, or may not be asked now.
    pub async fn knows_agent(
        &self,
        wallet: Address,
        agent: &AgentKey,
        claim: Claim<'_>,
    ) -> Result<bool, LookupError> {
        let agent = Asker { key: agent, client: self };
        self.ask(claim, self.profile.weights.agent, || self.api.knows_agent(wallet, agent)).await
    }

    /// Returns whether only an agent may request [`ExchangeClient::agents`].
    #[must_use]
    pub const fn lists_for_agents_only(&self) -> bool {
        self.profile.lists_for_agents_only
    }

    /// Returns the agents that the exchange lists for a wallet. On Aster an agent must ask;
    /// without a registered agent it has no list.
    ///
    /// # Errors
    /// Fails when the exchange does not respond, or may not be asked now.
    pub async fn agents(
        &self,
        wallet: Address,
        agent: Option<&AgentKey>,
        claim: Claim<'_>,
    ) -> Result<Option<Vec<ListedAgent>>, LookupError> {
        if self.lists_for_agents_only() && agent.is_none() {
            return Ok(None);
        }
        let agent = agent.map(|key| Asker { key, client: self });
        self.ask(claim, self.profile.weights.agents, || self.api.agents(wallet, agent)).await
    }

    async fn ask<'a, T>(
        &self,
        claim: Claim<'_>,
        weight: u64,
        question: impl Fn() -> Call<'a, Result<T, LookupError>> + Send + Sync,
    ) -> Result<T, LookupError> {
        let mut repeat = 0;
        loop {
            self.budget.take(claim, weight).await.map_err(LookupError::Busy)?;
            let answer = question().await;
            if !self.asks_again(answer.as_ref().err(), &mut repeat).await {
                return answer;
            }
        }
    }

    /// Returns `true` when the question may be retried: after a wait if it never arrived, and at once
    /// with another nonce if the exchange has seen its nonce. Otherwise records the response.
    async fn asks_again(&self, error: Option<&LookupError>, repeat: &mut u32) -> bool {
        self.note_clock();
        match error {
            Some(LookupError::NonceRejected)
                if *repeat < REPEATS && self.clock_skew_s().is_none() =>
            {
                *repeat += 1;
                return true;
            }
            None | Some(LookupError::Foreign | LookupError::NonceRejected) => {
                self.budget.answered(Answered::Question).await;
            }
            Some(LookupError::Blocked(words)) => self.note_blocked(words).await,
            Some(LookupError::NotSent(_)) if *repeat < REPEATS => {
                self.back_off(repeat).await;
                return true;
            }
            Some(LookupError::RateLimited { retry_after_s }) => {
                self.budget.limited(*retry_after_s).await;
            }
            Some(
                LookupError::NotSent(_)
                | LookupError::NoAnswer(_)
                | LookupError::Unreadable { .. }
                | LookupError::Unsigned(_)
                | LookupError::Busy(_),
            ) => self.budget.failed().await,
        }
        false
    }
}
