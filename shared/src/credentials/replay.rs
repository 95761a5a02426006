//! The result of an earlier attempt at the same request.

use domain::eth::Address;

use super::{CredentialError, Registered, Registrar, agent_keys};
use crate::store::{Outcome, WalletView, is_hidden};

/// Returns the credential that an earlier attempt at this request registered.
///
/// # Errors
/// [`CredentialError::SecretHidden`] when its private key cannot be shown again.
pub(super) async fn replay(
    registrar: &Registrar,
    view: &WalletView,
    outcome: &Outcome,
) -> Result<Registered, CredentialError> {
    let wallet = &view.wallet;
    let now_ms = registrar.custody.clock.now_ms();
    let is_old = outcome.shown_from_ms.is_some_and(|shown_ms| is_hidden(shown_ms, now_ms));
    if is_old && outcome.sealed.is_some() && registrar.client.hands_out_keys() {
        return Err(CredentialError::SecretHidden);
    }
    let agent = match &outcome.sealed {
        Some(sealed) => Some(agent_keys::open(registrar, wallet, outcome.agent, sealed).await?),
        None => None,
    };
    if agent.is_some() {
        note_delivered(registrar, view, outcome.agent).await;
    }
    Ok(Registered {
        wallet: wallet.address,
        agent,
        created_at_ms: outcome.created_at_ms,
        expires_at_ms: outcome.expires_at_ms,
    })
}

/// Records that a response shows the key of an agent whose operation a job finished. If this
/// fails, the record marks the key as not delivered, and the advice is to rotate.
async fn note_delivered(registrar: &Registrar, view: &WalletView, agent: Address) {
    let Registrar { custody, client } = registrar;
    let Some(known) = view.credential(client.exchange()) else { return };
    let is_news = known.agent == agent && known.delivered == Some(false);
    if !is_news || custody.clock.now_ms() < known.lease_until_ms {
        return;
    }
    let written = async {
        let mut record = known.clone();
        record.delivered = Some(true);
        record.revision = custody.random.uuid()?;
        Ok::<(), CredentialError>(
            custody.store.replace(&view.wallet, &record, known.revision).await?,
        )
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, %agent, "key delivery not recorded");
    }
}
