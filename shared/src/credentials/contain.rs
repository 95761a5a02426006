//! Containment: removes all agents of a tenant from the exchanges, and deletes their credentials.
//!
//! A run walks the tenant's wallets in two phases. The first one revokes every credential, by the
//! code that serves `DELETE …/apikey`. The second one asks the exchange for agents that this
//! service made and that no credential uses, and removes them.
//!
//! No progress is stored. A revoked credential no longer exists, so a later run skips it after one
//! query. Two runs at once do no harm, because each credential has a lease. A run ends early when an
//! exchange's budget is used up, and returns the cursor at which the next run resumes.

mod cursor;

use futures_util::future::BoxFuture;
use std::time::Duration;

use domain::ids::{Exchange, PerExchange, Tenant, WalletRef};
use futures_util::future::join_all;
use platform::items::StoreError;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use cursor::{ContainCursor, ContainPhase, CursorError};

use super::agents::{AgentRole, has_its_name, listed, remove_listed};
use super::operation::{Initiator, Operation};
use super::revoke::revoke_known;
use super::{CredentialError, Registrar, Registrars};
use crate::exchanges::budget::{Busy, Claim};
use crate::exchanges::{RefusalKind, Sends};
use crate::store::{Position, WalletView};
use crate::wallets::{ShareUse, SignError};

/// How many failures a run names.
const NAMED: usize = 20;

/// How long a caller waits before it retries what was not removed, in seconds.
const AGAIN_S: u64 = 30;

/// A credential or an agent that a run did not remove.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotRemoved {
    /// The wallet.
    pub wallet_id: Uuid,
    /// The exchange.
    pub exchange: Exchange,
    /// The reason.
    pub reason: String,
}

/// The result of a run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contained {
    /// Wallets that it looked at.
    pub wallets: u64,
    /// Credentials that it revoked and deleted.
    pub revoked: u64,
    /// Agents without a credential that it removed.
    pub removed: u64,
    /// Credentials and agents that it did not remove. Another run may.
    pub failed: u64,
    /// What no run can remove: API keys of Aster's V1, agents that another party made, and agents of
    /// wallets that are barred for good.
    pub manual: u64,
    /// The first of the failed and the manual ones.
    pub not_removed: Vec<NotRemoved>,
    /// Where the next run resumes; `None`: this run came to the end of the list.
    pub next: Option<String>,
    /// How long to wait before the next run, in seconds.
    pub retry_after_seconds: Option<u64>,
}

/// The limits of a run.
#[derive(Clone, Copy, Debug)]
pub struct ContainLimits {
    /// How long a run takes new wallets at most.
    pub run_time: Duration,
    /// How many wallets it looks at.
    pub limit: u32,
}

/// The outcome for one wallet at one exchange.
enum Done {
    /// There was nothing to do.
    Nothing,
    /// The credential is revoked.
    Revoked,
    /// The exchange's budget is used up for this number of seconds.
    Limited(u64),
    /// The exchange accepts no calls now.
    Down(String),
    /// It failed, and another run may succeed.
    Failed(String),
    /// No run can do it.
    Manual(String),
}

/// The result for one wallet at one exchange.
struct Step {
    wallet_id: Uuid,
    exchange: Exchange,
    removed: u64,
    done: Vec<Done>,
}

impl Registrars {
    /// Removes a tenant's agents from the exchanges, beginning at `from`.
    ///
    /// # Errors
    /// Fails when the list of wallets cannot be read. Removed agents stay removed.
    pub fn contain<'a>(
        &'a self,
        tenant: &'a Tenant,
        from: ContainCursor,
        limits: ContainLimits,
    ) -> BoxFuture<'a, Result<Contained, StoreError>> {
        Box::pin(async move {
            let custody = &self.aster.custody;
            let started_ms = custody.clock.now_ms();
            let run_ms = u64::try_from(limits.run_time.as_millis()).unwrap_or(u64::MAX);
            let mut run = Contained::default();
            let mut is_down = PerExchange::from_fn(|_| false);
            let mut at = from;
            loop {
                let is_over = custody.clock.now_ms().saturating_sub(started_ms) > run_ms;
                if is_over || run.wallets >= u64::from(limits.limit) {
                    run.next = Some(at.to_string());
                    return Ok(run);
                }
                let (wallets, next) =
                    custody.store.list(tenant, at.position, at.phase.at_once()).await?;
                let steps = wallets
                    .iter()
                    .map(|wallet| self.step(tenant, wallet.wallet_id, at.phase, is_down));
                let steps: Vec<Step> = join_all(steps).await.into_iter().flatten().collect();
                let wait_s = run.note(&steps, &mut is_down);
                if let Some(wait_s) = wait_s {
                    // The next run begins with the same wallets and skips finished work.
                    run.next = Some(at.to_string());
                    run.retry_after_seconds = Some(wait_s);
                    return Ok(run);
                }
                run.wallets += u64::try_from(wallets.len()).unwrap_or_default();
                match next {
                    Some(position) => at.position = position,
                    None if at.phase == ContainPhase::Revoke => {
                        at = ContainCursor {
                            phase: ContainPhase::Sweep,
                            position: Position::default(),
                        };
                    }
                    None => {
                        run.retry_after_seconds = (run.failed > 0).then_some(AGAIN_S);
                        return Ok(run);
                    }
                }
            }
        })
    }

    /// Works on one wallet, at every exchange.
    async fn step(
        &self,
        tenant: &Tenant,
        wallet_id: Uuid,
        phase: ContainPhase,
        is_down: PerExchange<bool>,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        for exchange in Exchange::ALL {
            let Some(registrar) = self.of(exchange) else { continue };
            let mut step = Step { wallet_id, exchange, removed: 0, done: Vec::new() };
            match registrar.custody.store.find(tenant, &WalletRef::Wallet(wallet_id)).await {
                Ok(Some(view)) => {
                    registrar.contain_one(&view, phase, is_down[exchange], &mut step).await;
                }
                Ok(None) => {}
                Err(error) => step.done.push(Done::Failed(error.to_string())),
            }
            steps.push(step);
        }
        steps
    }
}

impl Contained {
    /// Counts what was done. Returns for how many seconds an exchange's budget is used up.
    fn note(&mut self, steps: &[Step], is_down: &mut PerExchange<bool>) -> Option<u64> {
        let mut wait_s = None;
        for step in steps {
            self.removed += step.removed;
            for done in &step.done {
                match done {
                    Done::Nothing => {}
                    Done::Revoked => self.revoked += 1,
                    Done::Limited(seconds) => wait_s = Some(wait_s.unwrap_or(0).max(*seconds)),
                    Done::Down(reason) => {
                        is_down[step.exchange] = true;
                        self.failed += 1;
                        self.name(step, reason);
                    }
                    Done::Failed(reason) => {
                        self.failed += 1;
                        self.name(step, reason);
                    }
                    Done::Manual(reason) => {
                        self.manual += 1;
                        self.name(step, reason);
                    }
                }
            }
        }
        wait_s
    }

    fn name(&mut self, step: &Step, reason: &str) {
        let Step { wallet_id, exchange, .. } = *step;
        tracing::warn!(walletId = %wallet_id, %exchange, reason, "not removed");
        if self.not_removed.len() < NAMED {
            self.not_removed.push(NotRemoved { wallet_id, exchange, reason: reason.to_owned() });
        }
    }
}

impl Registrar {
    async fn contain_one(
        &self,
        view: &WalletView,
        phase: ContainPhase,
        is_down: bool,
        step: &mut Step,
    ) {
        let exchange = self.client.exchange();
        let known = view.credential(exchange);
        let needs_agent = self.client.lists_for_agents_only();
        // If only a registered agent may list the others, it lists them before it is revoked.
        let sweeps = match phase {
            ContainPhase::Revoke => needs_agent && known.is_some_and(|known| !known.is_v1()),
            ContainPhase::Sweep => !needs_agent && view.nonces.last(exchange) > 0,
        };
        let revokes = phase == ContainPhase::Revoke && known.is_some();
        if !sweeps && !revokes {
            return;
        }
        if is_down {
            step.done.push(Done::Failed("the exchange is not available".to_owned()));
            return;
        }
        if sweeps {
            let swept = self.sweep(view, step).await;
            match swept {
                // An expired agent cannot list the others. It is revoked anyway.
                Ok(()) | Err(CredentialError::NoAgentToAsk) => {}
                Err(error) => step.done.push(self.outcome(error)),
            }
        }
        if revokes {
            let revoked = self.revoke_current(view, sweeps).await;
            step.done.push(match revoked {
                Ok(()) => Done::Revoked,
                Err(error) => self.outcome(error),
            });
        }
    }

    /// Revokes the wallet's credential. A sweep has used nonces, so the record is read again.
    async fn revoke_current(&self, view: &WalletView, swept: bool) -> Result<(), CredentialError> {
        let read_again = if swept { Some(self.read_again(view).await?) } else { None };
        let view = read_again.as_ref().unwrap_or(view);
        let known = view.credential(self.client.exchange()).ok_or(CredentialError::NoCredential)?;
        let received_ms = self.custody.clock.now_ms();
        let operation = Operation { registrar: self, initiator: Initiator::Job, view, received_ms };
        revoke_known(operation, known).await?;
        Ok(())
    }

    async fn read_again(&self, view: &WalletView) -> Result<WalletView, CredentialError> {
        let name = WalletRef::Wallet(view.wallet.wallet_id);
        let found = self.custody.store.find(&view.wallet.tenant, &name).await?;
        found.ok_or(CredentialError::NotFound)
    }

    /// Removes the listed agents that this service made and that no credential uses.
    async fn sweep(&self, view: &WalletView, step: &mut Step) -> Result<(), CredentialError> {
        let received_ms = self.custody.clock.now_ms();
        let claim = Claim::removal(&view.wallet.tenant);
        let listed = listed(self, view, claim).await?;
        // Read the record after the exchange's list: see `agents`.
        let mut view = self.read_again(view).await?;
        for agent in listed {
            let known = view.credential(self.client.exchange());
            match AgentRole::of(&agent, known, received_ms) {
                AgentRole::Leftover if !has_its_name(known, &agent) => {
                    let claim = Claim::removal(&view.wallet.tenant);
                    self.client.admit(claim, Sends { approvals: 0, removals: 1 }).await?;
                    let share = self.custody.share_for(&view.wallet, ShareUse::Revoke).await?;
                    remove_listed(self, &view, &share, &agent, received_ms).await?;
                    step.removed += 1;
                    // The next removal needs the nonce after this one.
                    view = self.read_again(&view).await?;
                }
                AgentRole::Stranger => step.done.push(Done::Manual(format!(
                    "another party made the agent {}: remove it at the exchange",
                    agent.address
                ))),
                AgentRole::Current
                | AgentRole::Next
                | AgentRole::Previous
                | AgentRole::Leftover => {}
            }
        }
        Ok(())
    }

    /// Returns the outcome for an error.
    fn outcome(&self, error: CredentialError) -> Done {
        match self.explain(error) {
            // Another call has revoked it.
            CredentialError::NoCredential | CredentialError::NotFound => Done::Nothing,
            CredentialError::Busy(
                Busy::Limited { retry_after_s } | Busy::TenantLimited { retry_after_s },
            ) => Done::Limited(retry_after_s),
            CredentialError::Refused(refusal) => match refusal.kind {
                RefusalKind::RateLimited { retry_after_s } => Done::Limited(retry_after_s),
                _ => Done::Failed(CredentialError::Refused(refusal).to_string()),
            },
            error @ CredentialError::Busy(Busy::Down { .. } | Busy::Blocked { .. }) => {
                Done::Down(error.to_string())
            }
            CredentialError::NotOffered => Done::Manual(
                "an API key of Aster's V1: delete it in Aster's settings, then delete the record \
                 with removedOnExchange"
                    .to_owned(),
            ),
            CredentialError::Sign(SignError::Frozen) => Done::Manual(
                "the wallet is barred for good: its agents stay until they expire".to_owned(),
            ),
            error => Done::Failed(error.to_string()),
        }
    }
}
