//! The agent's key of a wallet, which signs questions to Aster.

use domain::eth::AgentKey;
use domain::ids::Exchange;
use platform::envelope::{Envelope, KeyCache};

use super::MoneyError;
use crate::store::{CredentialRecord, CredentialState, WalletRecord};

/// Opens the keys of agents.
#[derive(Clone, Debug)]
pub(super) struct Agents {
    pub(super) envelope: Envelope,
    pub(super) keys: KeyCache,
}

impl Agents {
    /// Opens the key of the agent that can ask Aster now.
    pub(super) async fn open(
        &self,
        wallet: &WalletRecord,
        credential: Option<&CredentialRecord>,
        now_ms: u64,
    ) -> Result<AgentKey, MoneyError> {
        let is_usable = |credential: &&CredentialRecord| {
            matches!(credential.state, CredentialState::Active | CredentialState::Rotating)
                && !credential.is_v1()
                && credential.expires_at_ms > now_ms
        };
        let credential = credential.filter(is_usable).ok_or(MoneyError::NoAgent)?;
        let context = CredentialRecord::context(wallet, Exchange::Aster, credential.agent);
        let sealed = &credential.sealed;
        let bytes = self.envelope.open_cached(&self.keys, &context, sealed, now_ms).await?;
        let key = AgentKey::from_bytes(&bytes).map_err(MoneyError::UnreadableKey)?;
        if key.address() == credential.agent { Ok(key) } else { Err(MoneyError::DamagedKey) }
    }
}
