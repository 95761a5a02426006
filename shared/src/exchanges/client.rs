//! The client of one exchange, with the manners that all exchanges ask for: a budget of weight
//! before anything is sent, repeats only where nothing can happen twice, a rest for one that
//! fails.

use std::net::Ipv4Addr;

use domain::eth::{Address, AgentKey, Signature};
use domain::ids::Exchange;
use domain::intent::{Intent, nonce_lead};
use platform::metrics::{self, About, Metric};

use super::aster::v1::V1Client;
use super::budget::{ASTER_APPROVAL_WEIGHT, Answered, Budget, Busy};
use super::http::SKEW_MS;
use super::{
    Approval, ListedAgent, LookupError, Outcome, RefusalKind, Removal, Unclear, aster, hyperliquid,
};

/// How often a call is repeated that never arrived.
const REPEATS: u32 = 2;

/// The client of one exchange.
#[derive(Clone, Debug)]
pub struct ExchangeClient {
    api: Api,
    budget: Budget,
}

#[derive(Clone, Debug)]
enum Api {
    Hyperliquid(hyperliquid::Client),
    Aster(aster::Client),
}

impl ExchangeClient {
    /// Hyperliquid, within a budget.
    #[must_use]
    pub const fn hyperliquid(client: hyperliquid::Client, budget: Budget) -> Self {
        Self { api: Api::Hyperliquid(client), budget }
    }

    /// Aster, within a budget.
    #[must_use]
    pub const fn aster(client: aster::Client, budget: Budget) -> Self {
        Self { api: Api::Aster(client), budget }
    }

    /// Which one it is.
    #[must_use]
    pub const fn exchange(&self) -> Exchange {
        match self.api {
            Api::Hyperliquid(_) => Exchange::Hyperliquid,
            Api::Aster(_) => Exchange::Aster,
        }
    }

    /// How long an agent is approved for, in milliseconds.
    #[must_use]
    pub const fn validity_ms(&self) -> u64 {
        match &self.api {
            Api::Hyperliquid(client) => client.validity_ms(),
            Api::Aster(client) => client.validity_ms(),
        }
    }

    /// How long a call may take, in milliseconds.
    #[must_use]
    pub const fn call_timeout_ms(&self) -> u64 {
        match &self.api {
            Api::Hyperliquid(client) => client.call_timeout_ms(),
            Api::Aster(client) => client.call_timeout_ms(),
        }
    }

    /// The time in the unit of the exchange's nonces.
    #[must_use]
    pub fn nonce_now(&self) -> u64 {
        match self.api {
            Api::Hyperliquid(_) => self.budget.clock().now_ms(),
            Api::Aster(_) => self.budget.clock().now_us(),
        }
    }

    /// The latest that a last nonce can be, unless a clock was wrong.
    #[must_use]
    pub fn latest_nonce(&self) -> u64 {
        self.nonce_now().saturating_add(nonce_lead(self.exchange()))
    }

    /// How much older a nonce may be than now before another is taken, in the nonces' unit.
    /// Hyperliquid takes those of two days, Aster those of some seconds.
    #[must_use]
    pub const fn nonce_fresh_for(&self) -> u64 {
        match self.api {
            Api::Hyperliquid(_) => 60_000,
            Api::Aster(_) => 2_000_000,
        }
    }

    /// Aster's V1, where keys are made by it.
    #[must_use]
    pub const fn v1(&self) -> Option<&V1Client> {
        match &self.api {
            Api::Aster(client) => client.v1(),
            Api::Hyperliquid(_) => None,
        }
    }

    /// The one address that keys may be used from, if they are bound to one.
    #[must_use]
    pub const fn ip_whitelist(&self) -> Option<Ipv4Addr> {
        match &self.api {
            Api::Aster(client) => client.ip_whitelist(),
            Api::Hyperliquid(_) => None,
        }
    }

    /// What an agent's name does to another of the same name: on Hyperliquid it replaces it.
    #[must_use]
    pub const fn replaces_by_name(&self) -> bool {
        matches!(self.api, Api::Hyperliquid(_))
    }

    /// Whether responses show the private keys of agents.
    #[must_use]
    pub const fn hands_out_keys(&self) -> bool {
        match &self.api {
            Api::Hyperliquid(client) => client.hands_out_keys(),
            Api::Aster(_) => false,
        }
    }

    /// What has to be signed for an approval.
    #[must_use]
    pub fn approval_intent(&self, approval: &Approval) -> Intent {
        match &self.api {
            Api::Hyperliquid(client) => {
                Intent::HyperliquidApproveAgent(client.approve_agent(approval))
            }
            Api::Aster(client) => Intent::AsterRegisterAgent(client.register_agent(approval)),
        }
    }

    /// What has to be signed for a removal.
    #[must_use]
    pub fn removal_intent(&self, removal: &Removal) -> Intent {
        match &self.api {
            Api::Hyperliquid(client) => {
                Intent::HyperliquidRevokeAgent(client.revoke_agent(removal))
            }
            Api::Aster(client) => Intent::AsterDeleteAgent(client.delete_agent(removal)),
        }
    }

    /// Takes the weight of so many approvals and removals from the budget.
    ///
    /// # Errors
    /// When nothing may be sent now.
    pub async fn admit(&self, approvals: u64, removals: u64) -> Result<(), Busy> {
        // Everything else weighs 1, on both exchanges.
        let approval = if matches!(self.api, Api::Aster(_)) { ASTER_APPROVAL_WEIGHT } else { 1 };
        self.budget.take(approvals * approval + removals).await
    }

    /// Sends a signed approval.
    pub async fn approve(&self, approval: &Approval, signature: &Signature) -> Outcome {
        let mut repeat = 0;
        loop {
            let outcome = match &self.api {
                Api::Hyperliquid(client) => client.approve(approval, signature).await,
                Api::Aster(client) => client.approve(approval, signature).await,
            };
            if !self.goes_again(&outcome, &mut repeat).await {
                return outcome;
            }
        }
    }

    /// Sends a signed removal.
    pub async fn remove(&self, removal: &Removal, signature: &Signature) -> Outcome {
        let mut repeat = 0;
        loop {
            let outcome = match &self.api {
                Api::Hyperliquid(client) => client.remove(removal, signature).await,
                Api::Aster(client) => client.remove(removal, signature).await,
            };
            if !self.goes_again(&outcome, &mut repeat).await {
                return outcome;
            }
        }
    }

    /// Notes what an outcome says about the exchange, and waits where the same request may be sent
    /// again: only when it never arrived.
    async fn goes_again(&self, outcome: &Outcome, repeat: &mut u32) -> bool {
        if matches!(outcome, Outcome::NotSent(_)) && *repeat < REPEATS {
            self.back_off(repeat).await;
            return true;
        }
        self.note(outcome).await;
        false
    }

    /// Notes what an outcome says about the exchange.
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

    /// An edge that turns calls away is an alarm: only an operator can do something about it.
    async fn note_blocked(&self, words: &str) {
        let exchange = self.exchange();
        tracing::error!(%exchange, words, "the exchange's edge blocks calls from this address");
        let counted = [(Metric::ExchangeBlocked, 1)];
        metrics::emit(self.budget.clock(), About::exchange(exchange), &counted);
        self.budget.blocked().await;
    }

    /// How far our clock was ahead of the exchange's at its last answer, in seconds (negative:
    /// behind), where that is a minute or more.
    #[must_use]
    pub fn clock_skew_s(&self) -> Option<i64> {
        let skew_ms = match &self.api {
            Api::Hyperliquid(client) => client.skew_ms(),
            Api::Aster(client) => client.skew_ms(),
        };
        (skew_ms.unsigned_abs() >= SKEW_MS).then_some(skew_ms / 1_000)
    }

    fn note_clock(&self) {
        let Some(skew_s) = self.clock_skew_s() else { return };
        let exchange = self.exchange();
        tracing::error!(%exchange, skew_s, "this clock differs from the exchange's clock");
        let measured = [(Metric::ClockSkewSeconds, skew_s.unsigned_abs())];
        metrics::emit(self.budget.clock(), About::exchange(exchange), &measured);
    }

    /// 100 to 200 ms, then 200 to 400 ms.
    async fn back_off(&self, repeat: &mut u32) {
        let base = 100 << *repeat;
        self.budget.clock().sleep_ms(base + self.budget.jitter_ms(base)).await;
        *repeat += 1;
    }

    /// Whether the exchange knows the agent as this wallet's. Dear: ask only when the outcome of a
    /// send is not known.
    ///
    /// # Errors
    /// When the exchange does not say, or may not be asked now.
    pub async fn knows_agent(
        &self,
        wallet: Address,
        agent: &AgentKey,
    ) -> Result<bool, LookupError> {
        match &self.api {
            Api::Hyperliquid(client) => {
                let mut repeat = 0;
                loop {
                    self.admit_question(60).await?;
                    let answer = client.knows_agent(wallet, agent.address()).await;
                    if !self.asks_again(answer.as_ref().err(), &mut repeat).await {
                        return answer;
                    }
                }
            }
            Api::Aster(_) => {
                let agents = self.agents(wallet, Some(agent)).await?.unwrap_or_default();
                Ok(agents.iter().any(|listed| listed.address == agent.address()))
            }
        }
    }

    /// Whether only an agent may ask for [`ExchangeClient::agents`].
    #[must_use]
    pub const fn lists_for_agents_only(&self) -> bool {
        matches!(self.api, Api::Aster(_))
    }

    /// The agents that the exchange lists for a wallet. On Aster an agent asks, and there is no
    /// list for one that is not registered, or for nobody.
    ///
    /// # Errors
    /// When the exchange does not say, or may not be asked now.
    pub async fn agents(
        &self,
        wallet: Address,
        agent: Option<&AgentKey>,
    ) -> Result<Option<Vec<ListedAgent>>, LookupError> {
        let mut repeat = 0;
        loop {
            let answer = match (&self.api, agent) {
                (Api::Hyperliquid(client), _) => {
                    self.admit_question(20).await?;
                    client.agents(wallet).await.map(Some)
                }
                (Api::Aster(client), Some(agent)) => {
                    self.admit_question(1).await?;
                    // An agent asks seldom, and by one caller at a time; the rest is for chance.
                    let nonce = self.budget.clock().now_us() + self.budget.jitter_ms(1_000);
                    client.agents(wallet, agent, nonce).await
                }
                (Api::Aster(_), None) => return Ok(None),
            };
            if !self.asks_again(answer.as_ref().err(), &mut repeat).await {
                return answer;
            }
        }
    }

    async fn admit_question(&self, weight: u64) -> Result<(), LookupError> {
        self.budget.take(weight).await.map_err(|busy| match busy {
            Busy::Limited { retry_after_s } => LookupError::RateLimited { retry_after_s },
            Busy::Blocked { .. } => LookupError::Blocked(busy.to_string()),
            other => LookupError::Unclear(other.to_string()),
        })
    }

    /// Notes what an answer says about the exchange, and waits where the question never arrived.
    async fn asks_again(&self, error: Option<&LookupError>, repeat: &mut u32) -> bool {
        self.note_clock();
        match error {
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
            Some(LookupError::NotSent(_) | LookupError::Unclear(_)) => self.budget.failed().await,
        }
        false
    }
}
