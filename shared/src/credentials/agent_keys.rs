//! Agent keys: made, sealed under a data key of their own, and opened.

use domain::eth::{Address, AgentKey};
use domain::random::{Random, RandomError};
use platform::envelope::Sealed;
use protocol::KeyShare;

use super::{CredentialError, Registrar};
use crate::store::{AgentRecord, CredentialRecord, WalletRecord};

/// Subtracted from an agent's validity, so that a fast clock does not request more than the
/// exchange's maximum.
const EXPIRY_MARGIN_MS: u64 = 60_000;

/// A new agent, and the data that its approval requires.
pub(super) struct NewAgent {
    pub(super) key: AgentKey,
    pub(super) agent: AgentRecord,
    pub(super) share: KeyShare,
}

impl NewAgent {
    /// Makes an agent and seals its key. In parallel, fetches the share.
    pub(super) async fn make(
        registrar: &Registrar,
        wallet: &WalletRecord,
        received_ms: u64,
    ) -> Result<Self, CredentialError> {
        let Registrar { custody, client } = registrar;
        let key = AgentKey::generate(&custody.random)?;
        let context = CredentialRecord::context(wallet, client.exchange(), key.address());
        let (data_key, share) =
            tokio::join!(custody.envelope.data_key(context), custody.share(wallet));
        let agent = AgentRecord {
            agent: key.address(),
            agent_name: agent_name(received_ms, &custody.random)?,
            expires_at_ms: expiry(registrar, received_ms),
            requested_at_ms: received_ms,
            sealed: data_key?.seal(key.expose())?,
            delivered: None,
        };
        Ok(Self { key, agent, share: share? })
    }
}

/// Opens an agent's key.
pub(super) async fn open(
    registrar: &Registrar,
    wallet: &WalletRecord,
    agent: Address,
    sealed: &Sealed,
) -> Result<AgentKey, CredentialError> {
    let Registrar { custody, client } = registrar;
    let context = CredentialRecord::context(wallet, client.exchange(), agent);
    let bytes = custody.envelope.open(&context, sealed).await?;
    let key = AgentKey::from_bytes(&bytes).map_err(CredentialError::UnreadableKey)?;
    if key.address() == agent { Ok(key) } else { Err(CredentialError::DamagedKey) }
}

/// Returns the expiry of an agent approved now, in Unix milliseconds.
pub(super) fn expiry(registrar: &Registrar, now_ms: u64) -> u64 {
    (now_ms + registrar.client.validity_ms()).saturating_sub(EXPIRY_MARGIN_MS)
}

/// Returns an agent name that this wallet has not used: a fixed prefix, the time, and two random
/// letters. The name has at most 16 characters until the year 5188, and no character that requires
/// encoding.
pub(super) fn agent_name(now_ms: u64, random: &Random) -> Result<String, RandomError> {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    let mut rest = now_ms;
    while rest > 0 {
        digits.push(DIGITS[usize::try_from(rest % 36).unwrap_or_default()]);
        rest /= 36;
    }
    let mut name = domain::intent::AGENT_NAME_PREFIX.to_owned();
    name.extend(digits.iter().rev().map(|digit| char::from(*digit)));
    name.extend(random.bytes::<2>()?.iter().map(|byte| char::from(DIGITS[usize::from(byte % 36)])));
    Ok(name)
}
