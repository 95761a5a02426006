//! The approval of the deployment's builder, as the last step before a credential is in use.
//!
//! An approval that fails does not fail the operation: the agent works, and its orders carry no
//! builder. The record states a builder only if the exchange is known to have the approval. Each
//! registration, rotation and renewal checks that, because the approval can be removed elsewhere. A
//! repeat changes nothing at the exchange, so a process may die at any point.
//!
//! The agent is live, so this step must leave the operation the time to store that: it ends
//! [`RESERVED_MS`] before the lease, whatever the exchange and the cosigner do.

use std::time::Duration;

use domain::builder::{Builder, BuilderFee};
use domain::eth::AgentKey;
use platform::metrics::{self, About, Metric};

use super::CredentialError;
use super::lease::{Lease, has_time};
use crate::exchanges::{BuilderApproval, Outcome, Sends};

/// An approval has the weight of a removal.
const SENDS: Sends = Sends { approvals: 0, removals: 1 };

/// Time of the lease that is left for the end of the operation, in milliseconds. The lease ends one
/// second after API Gateway's timeout.
const RESERVED_MS: u64 = 8_000;

/// What is known about a wallet's approval of a builder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    /// No question was answered.
    Nothing,
    /// The exchange has no approval.
    Missing,
    /// The exchange has an approval with this fee.
    Fee(BuilderFee),
}

impl Known {
    fn covers(self, wanted: Builder) -> bool {
        matches!(self, Self::Fee(fee) if fee >= wanted.fee)
    }
}

/// An approval to make until a time.
#[derive(Clone, Copy)]
struct Step<'a> {
    key: &'a AgentKey,
    wanted: Builder,
    /// Whether the record states that the wallet has approved the builder with this fee.
    is_recorded: bool,
    /// No call of the exchange ends later, Unix milliseconds.
    until_ms: u64,
}

/// Has the wallet approve the deployment's builder, unless the exchange has the approval. The agent
/// is live. The next write of the record stores the result.
pub(super) async fn approve(lease: &mut Lease<'_>, key: &AgentKey) {
    let registrar = lease.registrar;
    let Some(wanted) = registrar.client.builder() else { return };
    let recorded = lease.record.builder;
    let is_recorded = recorded.is_some_and(|approved| approved.covers(&wanted));
    let until_ms = lease.record.lease_until_ms.saturating_sub(RESERVED_MS);
    let left_ms = until_ms.saturating_sub(registrar.custody.clock.now_ms());
    let step = Step { key, wanted, is_recorded, until_ms };
    let mut known = Known::Nothing;
    let settling = settle(lease, step, &mut known);
    let settled = tokio::time::timeout(Duration::from_millis(left_ms), settling).await;
    let settled = settled.unwrap_or(Err(CredentialError::OutOfTime));
    lease.record.builder = match known {
        Known::Fee(fee) => Some(Builder { address: wanted.address, fee }),
        Known::Missing => recorded.filter(|recorded| recorded.address != wanted.address),
        Known::Nothing => recorded,
    };
    let Err(error) = settled else { return };
    let is_approved = lease.record.builder.is_some_and(|approved| approved.covers(&wanted));
    tracing::warn!(
        error = &error as &dyn std::error::Error, walletId = %lease.wallet.wallet_id, is_approved,
        "the builder's approval is not confirmed"
    );
    if !is_approved {
        let about = About::exchange(registrar.client.exchange());
        metrics::emit(&registrar.custody.clock, about, &[(Metric::BuilderNotApproved, 1)]);
    }
}

/// Makes the exchange have the approval, and stores in `known` what it is known to have.
async fn settle(
    lease: &mut Lease<'_>,
    step: Step<'_>,
    known: &mut Known,
) -> Result<(), CredentialError> {
    let (client, wallet) = (&lease.registrar.client, lease.wallet.address);
    let Step { wanted, is_recorded, until_ms, .. } = step;
    if is_recorded || client.profile().updates_builders {
        // A question that fails leaves open which form of the approval fits.
        *known = look_up(lease, step).await.unwrap_or(Known::Nothing);
    }
    if known.covers(wanted) {
        return Ok(());
    }
    if !has_time(lease.registrar, until_ms, 0) {
        return Err(CredentialError::OutOfTime);
    }
    client.admit(lease.claim(), SENDS).await?;
    let is_update = match known {
        Known::Fee(_) => true,
        Known::Missing => false,
        Known::Nothing => is_recorded,
    };
    let with_nonce = |nonce| {
        let approval = BuilderApproval { wallet, builder: wanted, is_update, nonce };
        let intent = client.builder_intent(&approval);
        (approval, intent)
    };
    let (approval, signature) = lease.sender_until(until_ms).sign(with_nonce).await?;
    let error = match client.approve_builder(&approval, &signature).await {
        Outcome::Done => {
            *known = Known::Fee(wanted.fee);
            return Ok(());
        }
        Outcome::NotSent(cause) => return Err(CredentialError::not_sent(cause)),
        Outcome::Refused(refusal) => CredentialError::Refused(refusal),
        Outcome::Unknown(unclear) => unclear.into(),
    };
    // An earlier approval may be what the exchange refuses, and a lost response proves nothing.
    match look_up(lease, step).await {
        Ok(found) => *known = found,
        Err(unclear) => {
            tracing::warn!(error = &unclear as &dyn std::error::Error, "builder not looked up");
        }
    }
    if known.covers(wanted) { Ok(()) } else { Err(error) }
}

/// Asks the exchange for the fee that the wallet has approved, if there is time.
async fn look_up(lease: &Lease<'_>, step: Step<'_>) -> Result<Known, CredentialError> {
    let registrar = lease.registrar;
    if !has_time(registrar, step.until_ms, 0) {
        return Err(CredentialError::OutOfTime);
    }
    let (wallet, claim) = (lease.wallet.address, lease.claim());
    let fee = registrar.client.builder_fee(wallet, step.wanted, step.key, claim).await?;
    Ok(fee.map_or(Known::Missing, Known::Fee))
}
