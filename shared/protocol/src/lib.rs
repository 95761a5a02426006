//! What the two parties of a wallet key say to each other: DKLs23, 2-of-2.
//!
//! Messages and how they are sent, a party's key share, and the ids that bind a run to its key. The
//! phases themselves are at the parties: `shared::mpc` is party 1, `functions/cosigner` party 2.
//! This crate calls nothing: no network, no AWS, no table.
//!
//! Source of the protocol: Doerner, Kondi, Lee, shelat, "Threshold ECDSA in Three Rounds"
//! (<https://eprint.iacr.org/2023/765>), as implemented by the crate `dkls23-secp256k1`.

mod messages;
mod once;
mod refresh_messages;
mod session;
mod share;
mod wire;

pub use messages::{
    Answer, Call, CommitKeygen, Commitments, Curve, FinishKeygen, FinishSign, KeygenCommitted,
    KeygenRevealed, PROTOCOL, Point, REVEAL, Refusal, Request, Reveal, Scalar, SessionId,
    SignAnswered, SignShares, StartKeygen, StartSign, WalletKey,
};
pub use once::{OnceKey, OnceKeyError, UnusedKey};
pub use refresh_messages::{
    FinishRefresh, RefreshCommitments, RefreshCommitted, RefreshReveal, RefreshRevealed,
    StartConfirm, StartRefresh,
};
pub use session::{confirm_digest, keygen_session_id, refresh_id, sign_data};
pub use share::{KeyShare, ShareError};

use dkls23_secp256k1::protocols::{Parameters, PartyIndex};

/// Party 1, the endpoint function.
#[must_use]
pub fn party_1() -> PartyIndex {
    index(1)
}

/// Party 2, the cosigner.
#[must_use]
pub fn party_2() -> PartyIndex {
    index(2)
}

#[expect(clippy::expect_used, reason = "1 and 2 are not zero")]
fn index(value: u8) -> PartyIndex {
    PartyIndex::new(value).expect("not zero")
}

/// Two of two.
#[must_use]
pub const fn parameters() -> Parameters {
    Parameters { threshold: 2, share_count: 2 }
}
