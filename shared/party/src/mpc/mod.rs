//! The two-party protocol, DKLs23 2-of-2, for party 1 (the endpoint function).
//!
//! Party 2 is the cosigner; its code is only in `functions/cosigner`. The protocol's phases map
//! onto three invocations for key generation and two for signing. In key generation, the order
//! keeps both parties honest. Party 2 has committed (response 1) before it sees a reveal of party
//! 1 (call 3). Party 1 has committed (call 2) before it sees a reveal of party 2 (response 2). A
//! refresh of the shares is a key generation of zero in two calls, whose result is added to the
//! shares: party 1 commits and reveals in call 2, and party 2 reveals in response 2.
//!
//! Source of the protocol: Doerner, Kondi, Lee, shelat, "Threshold ECDSA in Three Rounds"
//! (<https://eprint.iacr.org/2023/765>), as implemented by the crate `dkls23-secp256k1`.

use std::pin::Pin;

mod client;
mod keygen;
mod pay;
mod refresh;
mod sign;

pub use client::{CosignerClient, CosignerError};
pub use keygen::generate;
pub use pay::{PaymentStep, prepare_payment, report_outcome, sign_payment};
pub use refresh::{confirm, refresh, retire, retire_recorded};
pub use sign::sign;

/// What runs in parallel with a signature's second call. Boxed, so that the protocol's code is
/// compiled in this crate.
pub type Passed<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Why a protocol run ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// The cosigner was unavailable, or refused.
    #[error(transparent)]
    Cosigner(#[from] CosignerError),
    /// The other party violated the protocol. Nothing was signed.
    #[error("protocol aborted: {reason}")]
    Aborted {
        /// The violation in the library's words, without secrets.
        reason: String,
        /// Whether the other party cheated in a way that leaks shared state if it may retry. The
        /// wallet must not sign with it again.
        ban: bool,
    },
    /// The result does not belong to the wallet's address, and is discarded.
    #[error("the signature does not belong to the wallet")]
    WrongSignature,
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] domain::random::RandomError),
    /// The computation was stopped from outside.
    #[error(transparent)]
    Stopped(#[from] domain::compute::Stopped),
}

impl ProtocolError {
    /// Returns whether the other party cheated in a way that leaks shared state if it may retry.
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
