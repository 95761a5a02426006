//! Signs a call: EIP-712 `Message{msg}` over exactly the text that is sent.

use std::fmt;

use domain::eth::{AgentKeyError, Signature};
use domain::intent::aster_message_digest;

use super::params::{Params, message};
use super::{Call, Reader};
use crate::trading::ledger::ASTER_NONCE_STEP;

/// Why a call was not signed. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum SignFault {
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] AgentKeyError),
    /// The signature does not recover to the agent.
    #[error("the signature does not belong to the agent")]
    Signer,
    /// The nonce of a call that changes something is not a multiple of 16, or that of a read is.
    #[error("the nonce belongs to another kind of call")]
    Nonce,
}

/// A signed call: the exact bytes that are stored and sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// The call.
    pub call: Call,
    /// The nonce in microseconds.
    pub nonce_us: u64,
    text: String,
}

impl Signed {
    /// Signs a call, and checks the signature with the agent's address.
    ///
    /// # Errors
    /// Fails when the nonce does not fit the kind of call, when the key cannot sign, or when the
    /// signature does not recover to the agent.
    pub fn new(
        call: Call,
        params: &Params,
        nonce_us: u64,
        agent: Reader<'_>,
        chain_id: u64,
    ) -> Result<Self, SignFault> {
        if nonce_us.is_multiple_of(ASTER_NONCE_STEP) == call.is_read() {
            return Err(SignFault::Nonce);
        }
        let text = sign(chain_id, params, nonce_us, agent)?;
        Ok(Self { call, nonce_us, text })
    }

    /// Restores the bytes of an earlier signature, to send them again.
    #[must_use]
    pub const fn stored(call: Call, nonce_us: u64, text: String) -> Self {
        Self { call, nonce_us, text }
    }

    /// Returns the query or the form body, with the signature at its end.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Omits the text, which can place the order until it is sent.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({:?}, {} bytes)", self.call, self.text.len())
    }
}

/// Returns the text of a signed call: the message, then `&signature=`.
///
/// # Errors
/// Fails when the key cannot sign, or when the signature does not recover to the agent.
pub fn sign(
    chain_id: u64,
    params: &Params,
    nonce_us: u64,
    agent: Reader<'_>,
) -> Result<String, SignFault> {
    let signer = agent.key.address();
    let message = message(params, nonce_us, agent.user, signer);
    let digest = aster_message_digest(chain_id, &message);
    let signature: Signature = agent.key.sign(&digest)?;
    if signature.recover(&digest).ok() != Some(signer) {
        return Err(SignFault::Signer);
    }
    Ok(format!("{message}&signature={}", signature.to_hex()))
}
