//! The two-party protocol, DKLs23 2-of-2, as party 1 (the endpoint function) runs it.
//!
//! Party 2 is the cosigner; its code is in `functions/cosigner` and nowhere else. The protocol's
//! phases map onto three invocations for key generation and two for signing. In key generation the
//! order keeps both parties honest: party 2 has committed (answer 1) before it sees a reveal of
//! party 1 (call 3), and party 1 has committed (call 2) before it sees a reveal of party 2
//! (answer 2). A refresh of the shares is a key generation of zero in two calls, whose result is
//! added to the shares: party 1 commits and reveals in call 2, party 2 reveals in answer 2.
//!
//! Source of the protocol: Doerner, Kondi, Lee, shelat, "Threshold ECDSA in Three Rounds"
//! (<https://eprint.iacr.org/2023/765>), as implemented by the crate `dkls23-secp256k1`.

mod client;
mod keygen;
mod refresh;
mod sign;

pub use client::{CosignerClient, CosignerError};
pub use keygen::generate;
pub use refresh::{confirm, refresh, retire};
pub use sign::sign;

/// Why a protocol run ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// The cosigner could not be asked, or refused.
    #[error(transparent)]
    Cosigner(#[from] CosignerError),
    /// The other party sent what the protocol does not allow. Nothing was signed.
    #[error("protocol aborted: {reason}")]
    Aborted {
        /// What was wrong, in the library's words. Holds no secret.
        reason: String,
        /// The other party cheated in a way that leaks shared state if it may try again: the
        /// wallet must not sign with it any more.
        ban: bool,
    },
    /// The result does not belong to the wallet's address. It is thrown away.
    #[error("the signature is not the wallet's")]
    WrongSignature,
    /// No randomness.
    #[error(transparent)]
    Random(#[from] domain::random::RandomError),
    /// The computation was stopped from outside.
    #[error(transparent)]
    Stopped(#[from] domain::compute::Stopped),
}

impl ProtocolError {
    /// Whether the other party cheated in a way that leaks shared state if it may try again.
    #[must_use]
    pub const fn is_ban(&self) -> bool {
        matches!(self, Self::Aborted { ban: true, .. })
    }
}

impl From<dkls23_secp256k1::protocols::Abort> for ProtocolError {
    fn from(abort: dkls23_secp256k1::protocols::Abort) -> Self {
        use dkls23_secp256k1::protocols::AbortKind;
        Self::Aborted {
            ban: matches!(abort.kind, AbortKind::BanCounterparty(_)),
            reason: abort.description(),
        }
    }
}
