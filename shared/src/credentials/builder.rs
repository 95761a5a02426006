//! The approval of the deployment's builder, as the last step before a new agent is in use.
//!
//! An approval that fails does not fail the operation: the agent works, and its orders carry no
//! builder. The record states a builder only if the exchange is known to have the approval, and the
//! next registration, rotation or renewal tries again. A repeat changes nothing at the exchange, so
//! a process may die at any point.

use domain::builder::{Builder, BuilderFee};
use domain::eth::AgentKey;
use platform::metrics::{self, About, Metric};

use super::CredentialError;
use super::lease::{Lease, has_time};
use crate::exchanges::{BuilderApproval, Outcome, Sends};

/// An approval has the weight of a removal.
const SENDS: Sends = Sends { approvals: 0, removals: 1 };

/// Has the wallet approve the deployment's builder, unless the record states that it has. The agent
/// is live. The next write of the record stores the result.
pub(super) async fn approve(lease: &mut Lease<'_>, key: &AgentKey) {
    let client = &lease.registrar.client;
    let Some(wanted) = client.builder() else { return };
    if lease.record.builder.is_some_and(|approved| approved.covers(&wanted)) {
        return;
    }
    match settle(lease, key, wanted).await {
        Ok(fee) => lease.record.builder = Some(Builder { address: wanted.address, fee }),
        Err(error) => {
            let Lease { registrar, wallet, .. } = lease;
            tracing::warn!(
                error = &error as &dyn std::error::Error, walletId = %wallet.wallet_id,
                "the builder is not approved: orders carry none"
            );
            let about = About::exchange(registrar.client.exchange());
            metrics::emit(&registrar.custody.clock, about, &[(Metric::BuilderNotApproved, 1)]);
        }
    }
}

/// Returns the fee that the wallet has approved.
async fn settle(
    lease: &mut Lease<'_>,
    key: &AgentKey,
    wanted: Builder,
) -> Result<BuilderFee, CredentialError> {
    let registrar = lease.registrar;
    let client = &registrar.client;
    let wallet = lease.wallet.address;
    // A question that fails leaves open which form of the approval fits.
    let known = if client.profile().updates_builders {
        approved(lease, key, wanted).await.ok().flatten()
    } else {
        None
    };
    if let Some(fee) = known.filter(|fee| *fee >= wanted.fee) {
        return Ok(fee);
    }
    client.admit(lease.claim(), SENDS).await?;
    let with_nonce = |nonce| {
        let approval =
            BuilderApproval { wallet, builder: wanted, is_update: known.is_some(), nonce };
        let intent = client.builder_intent(&approval);
        (approval, intent)
    };
    let (approval, signature) = lease.sender().sign(with_nonce).await?;
    let error = match client.approve_builder(&approval, &signature).await {
        Outcome::Done => return Ok(wanted.fee),
        Outcome::NotSent(cause) => return Err(CredentialError::not_sent(cause)),
        Outcome::Refused(refusal) => CredentialError::Refused(refusal),
        Outcome::Unknown(unclear) => unclear.into(),
    };
    // An earlier approval may be what the exchange refuses, and a lost response proves nothing.
    match approved(lease, key, wanted).await {
        Ok(Some(fee)) if fee >= wanted.fee => Ok(fee),
        Ok(_) => Err(error),
        Err(unclear) => {
            tracing::warn!(error = &unclear as &dyn std::error::Error, "builder not looked up");
            Err(error)
        }
    }
}

/// Asks the exchange for the fee that the wallet has approved, if there is time.
async fn approved(
    lease: &Lease<'_>,
    key: &AgentKey,
    wanted: Builder,
) -> Result<Option<BuilderFee>, CredentialError> {
    let registrar = lease.registrar;
    if !has_time(registrar, lease.record.lease_until_ms, 0) {
        return Err(CredentialError::OutOfTime);
    }
    let wallet = lease.wallet.address;
    Ok(registrar.client.builder_fee(wallet, wanted, key, lease.claim()).await?)
}
