//! The reconciliation job: compares the credentials with the exchanges' lists. It reports
//! differences, and agents that expire within a week and are not renewed automatically. One write
//! per credential records the time of the next comparison and the tenant's notifications
//! (`shared::webhooks`). The job changes nothing else.

use futures_util::future::BoxFuture;
use std::collections::HashSet;
use std::time::Duration;

use domain::eth::Address;
use domain::ids::{Exchange, Tenant, WalletRef};
use domain::intent::AGENT_NAME_PREFIX;
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};

use super::{CredentialError, Life, Registrar, Registrars, agent_keys};
use crate::exchanges::budget::{Busy, Claim};
use crate::exchanges::{ListedAgent, LookupError};
use crate::store::{
    CredentialKey, CredentialRecord, CredentialState, DriftFound, DriftKind, DriftNote,
    ExpiringNote, ExpiringReason, Index, WalletRecord,
};

/// Delay after a failed comparison.
const AGAIN_MS: u64 = 60 * 60 * 1_000;

const DAY_MS: u64 = 24 * AGAIN_MS;

/// Tenants are notified of expiries within this time.
const SOON_MS: u64 = 7 * DAY_MS;

/// A listed expiry may be earlier than the recorded one by this much.
const TOLERANCE_MS: u64 = 1_000;

/// The limits of a run.
#[derive(Clone, Debug)]
pub struct ReconcileLimits {
    /// Time between comparisons, in milliseconds.
    pub every_ms: u64,
    /// Maximum number of credentials compared in a run.
    pub limit: u32,
    /// Maximum duration of a run.
    pub run_time: Duration,
}

/// A difference between the records and an exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Drift {
    /// The exchange lists an agent that no record has.
    Unknown {
        /// The agent.
        agent: Address,
        /// Whether its name has the service's prefix: it may occupy a leaked slot.
        ours: bool,
    },
    /// The exchange does not list the record's agent.
    Gone {
        /// The agent.
        agent: Address,
    },
    /// The exchange's expiry of the agent is before the recorded time.
    ExpiresEarly {
        /// The agent.
        agent: Address,
        /// The exchange's expiry, Unix milliseconds.
        listed_ms: u64,
        /// The recorded expiry, Unix milliseconds.
        recorded_ms: u64,
    },
    /// An operation was begun and not finished.
    Unfinished {
        /// The state in which it stopped.
        life: Life,
    },
}

/// The result of a run for one exchange.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reconciled {
    /// Credentials that were compared.
    pub checked: u64,
    /// The differences, with their credentials.
    pub drift: Vec<(CredentialKey, Drift)>,
    /// Credentials that could not be compared.
    pub failed: u64,
    /// The exchange's budget is used up.
    pub exhausted: bool,
    /// Tenants whose part of the exchange's budget is used up.
    pub limited: HashSet<Tenant>,
}

impl Registrars {
    /// Runs the reconciliation job once.
    ///
    /// # Errors
    /// Fails when the index cannot be read.
    pub fn reconcile<'a>(
        &'a self,
        limits: &'a ReconcileLimits,
    ) -> BoxFuture<'a, Result<[(Exchange, Reconciled); Exchange::ALL.len()], StoreError>> {
        Box::pin(async move {
            let custody = &self.aster.custody;
            let started_ms = custody.clock.now_ms();
            let run_ms = u64::try_from(limits.run_time.as_millis()).unwrap_or(u64::MAX);
            let mut found = Exchange::ALL.map(|exchange| (exchange, Reconciled::default()));
            let mut left = limits.limit;
            let mut scan = self.index_scan(Index::Check, started_ms);
            while let Some(key) = scan.next().await? {
                let now_ms = custody.clock.now_ms();
                if left == 0 || now_ms.saturating_sub(started_ms) > run_ms {
                    break;
                }
                let Some((_, found)) = found.iter_mut().find(|(it, _)| *it == key.exchange) else {
                    continue;
                };
                if !found.exhausted && !found.limited.contains(&key.tenant) {
                    left -= 1;
                    let Some(registrar) = self.of(key.exchange) else { continue };
                    reconcile_one(registrar, key, limits.every_ms, found).await;
                }
            }
            for (exchange, found) in &found {
                let drift = u64::try_from(found.drift.len()).unwrap_or(u64::MAX);
                let counts =
                    [(Metric::CredentialsChecked, found.checked), (Metric::CredentialDrift, drift)];
                metrics::emit(&custody.clock, About::exchange(*exchange), &counts);
            }
            Ok(found)
        })
    }
}

/// Why a credential could not be compared.
#[derive(Debug, thiserror::Error)]
enum CompareError {
    #[error(transparent)]
    Key(CredentialError),
    #[error(transparent)]
    Lookup(#[from] LookupError),
}

async fn reconcile_one(
    registrar: &Registrar,
    key: CredentialKey,
    every_ms: u64,
    found: &mut Reconciled,
) {
    let custody = &registrar.custody;
    let name = WalletRef::Wallet(key.wallet_id);
    let view = match custody.store.find(&key.tenant, &name).await {
        Ok(Some(view)) => view,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(%error, walletId = %key.wallet_id, "credential not compared");
            found.failed += 1;
            return;
        }
    };
    let Some(known) = view.credential(key.exchange) else { return };
    let now_ms = custody.clock.now_ms();
    let mut noted = known.clone();
    let mut again_ms = match compare(registrar, &view.wallet, known, now_ms).await {
        Ok(drift) => {
            found.checked += 1;
            noted.drift = note_of(&drift, known, now_ms);
            for drift in drift {
                tracing::warn!(
                    ?drift, tenant = %key.tenant, walletId = %key.wallet_id,
                    exchange = %key.exchange, "drift"
                );
                found.drift.push((key.clone(), drift));
            }
            every_ms
        }
        Err(CompareError::Lookup(
            LookupError::RateLimited { .. } | LookupError::Busy(Busy::Limited { .. }),
        )) => {
            found.exhausted = true;
            return;
        }
        // Its next credentials are compared in a later run.
        Err(CompareError::Lookup(LookupError::Busy(Busy::TenantLimited { .. }))) => {
            found.limited.insert(key.tenant);
            return;
        }
        Err(error) => {
            tracing::warn!(
                %error, tenant = %key.tenant, walletId = %key.wallet_id,
                exchange = %key.exchange, "credential not compared"
            );
            found.failed += 1;
            AGAIN_MS
        }
    };
    let (expiring, look_ms) = expiring(known, now_ms);
    noted.expiring = expiring;
    if let Some(look_ms) = look_ms {
        again_ms = again_ms.min(look_ms.saturating_sub(now_ms).max(AGAIN_MS));
    }
    noted.check_at_ms = Some(now_ms + again_ms);
    let noted = custody.store.note_check(&view.wallet, &noted).await;
    if let Err(error) = noted {
        // Another write came first; the credential will be compared again.
        tracing::debug!(%error, walletId = %key.wallet_id, "comparison not recorded");
    }
}

async fn compare(
    registrar: &Registrar,
    wallet: &WalletRecord,
    known: &CredentialRecord,
    now_ms: u64,
) -> Result<Vec<Drift>, CompareError> {
    let mut drift = Vec::new();
    let rests = known.state == CredentialState::Active;
    if !rests && known.lease_until_ms <= now_ms {
        drift.push(Drift::Unfinished { life: Life::of(known, now_ms) });
    }
    let key = if registrar.client.lists_for_agents_only() {
        let opened = agent_keys::open(registrar, wallet, known.agent, &known.sealed).await;
        Some(opened.map_err(CompareError::Key)?)
    } else {
        None
    };
    let claim = Claim::of(&wallet.tenant);
    let listed = registrar.client.agents(wallet.address, key.as_ref(), claim).await?;
    drift.extend(differences(known, listed.as_deref(), now_ms));
    Ok(drift)
}
/// Maximum number of noted differences. An exchange's list is not bounded.
const MOST_NOTED: usize = 20;

/// Returns the note of differences. A note of the same differences keeps its time.
fn note_of(drift: &[Drift], known: &CredentialRecord, now_ms: u64) -> Option<DriftNote> {
    let found: Vec<DriftFound> = drift.iter().take(MOST_NOTED).map(Drift::found).collect();
    match &known.drift {
        _ if found.is_empty() => None,
        Some(note) if note.found == found => Some(note.clone()),
        _ => Some(DriftNote { at_ms: now_ms, found }),
    }
}

impl Drift {
    fn found(&self) -> DriftFound {
        let found = |kind, agent| DriftFound { kind, agent: Some(agent), listed_ms: None };
        match *self {
            Self::Unknown { agent, .. } => found(DriftKind::AgentUnknown, agent),
            Self::Gone { agent } => found(DriftKind::AgentGone, agent),
            Self::ExpiresEarly { agent, listed_ms, .. } => DriftFound {
                kind: DriftKind::ExpiresEarly,
                agent: Some(agent),
                listed_ms: Some(listed_ms),
            },
            Self::Unfinished { .. } => {
                DriftFound { kind: DriftKind::Unfinished, agent: None, listed_ms: None }
            }
        }
    }
}

/// Returns the note of an agent that expires within a week and is not renewed automatically. Also
/// returns the time of the next check, in Unix milliseconds, if it is before the next comparison.
/// An agent is noted once.
fn expiring(known: &CredentialRecord, now_ms: u64) -> (Option<ExpiringNote>, Option<u64>) {
    if known.created_at_ms.is_none() || known.state == CredentialState::Revoking {
        return (known.expiring.clone(), None);
    }
    let reason = if !known.auto_renew {
        Some(ExpiringReason::AutoRenewOff)
    } else if known.job_failures > 0 {
        Some(ExpiringReason::RenewalFailing)
    } else {
        None
    };
    let kept = known.kept();
    let kept = kept.map(|it| (it.agent, it.expires_at_ms, Some(ExpiringReason::KeyHandedOut)));
    let agents = kept.chain([(known.agent, known.expires_at_ms, reason)]);
    let told = known.expiring.as_ref().map(|note| note.agent);
    let mut look_ms = None;
    for (agent, expires_at_ms, reason) in agents {
        let soon_ms = expires_at_ms.saturating_sub(SOON_MS);
        if expires_at_ms <= now_ms || told == Some(agent) {
            continue;
        }
        match reason {
            Some(reason) if soon_ms <= now_ms => {
                let note = ExpiringNote { at_ms: now_ms, agent, expires_at_ms, reason };
                return (Some(note), look_ms);
            }
            // The write of the note may fail, so another check is planned.
            None if soon_ms <= now_ms => look_ms = Some(now_ms + DAY_MS),
            _ => look_ms = Some(look_ms.map_or(soon_ms, |first: u64| first.min(soon_ms))),
        }
    }
    (known.expiring.clone(), look_ms)
}

/// Returns the differences between a record and the exchange's list. `listed` is `None` when the
/// exchange lists nothing, because it does not know the current agent.
fn differences(
    known: &CredentialRecord,
    listed: Option<&[ListedAgent]>,
    now_ms: u64,
) -> Vec<Drift> {
    let others = known.next.iter().chain(&known.retiring).map(|agent| agent.agent);
    let ours: Vec<Address> = others.chain([known.agent]).collect();
    let all = listed.unwrap_or_default();
    let strangers = all.iter().filter(|agent| !ours.contains(&agent.address));
    let mut drift: Vec<Drift> = strangers
        .map(|agent| Drift::Unknown {
            agent: agent.address,
            ours: agent.name.starts_with(AGENT_NAME_PREFIX),
        })
        .collect();
    let is_approved = known.created_at_ms.is_some() && known.state != CredentialState::Revoking;
    // Earlier agents must be listed only when a caller has their key.
    let kept = known.kept().filter(|_| listed.is_some());
    let kept = kept.map(|agent| (agent.agent, agent.expires_at_ms));
    for (agent, recorded_ms) in [(known.agent, known.expires_at_ms)].into_iter().chain(kept) {
        match all.iter().find(|it| it.address == agent) {
            None if is_approved && now_ms < recorded_ms => drift.push(Drift::Gone { agent }),
            Some(ListedAgent { expires_at_ms: Some(listed_ms), .. })
                if listed_ms.saturating_add(TOLERANCE_MS) < recorded_ms =>
            {
                drift.push(Drift::ExpiresEarly { agent, listed_ms: *listed_ms, recorded_ms });
            }
            _ => {}
        }
    }
    drift
}
