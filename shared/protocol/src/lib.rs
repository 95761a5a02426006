//! The protocol between the two parties of a wallet key: DKLs23, 2-of-2.
//!
//! This crate holds the messages and their encoding, a party's key share, and the ids that bind a
//! run to its key. The parties implement the phases: `shared::mpc` is party 1,
//! `functions/cosigner` party 2. This crate has no access to the network, AWS or tables.
//!
//! Source of the protocol: Doerner, Kondi, Lee, shelat, "Threshold ECDSA in Three Rounds"
//! (<https://eprint.iacr.org/2023/765>), as implemented by the crate `dkls23-secp256k1`.

mod curve;
mod key;
mod messages;
mod once;
mod parties;
mod payment_messages;
mod policy_messages;
pub mod recovery;
mod recovery_messages;
mod refresh_messages;
mod session;
mod share;
mod sign_messages;
mod wire;

pub use curve::{Curve, Point, Scalar};
pub use key::{SessionId, WalletKey};
pub use messages::{
    Answer, Call, CommitKeygen, Commitments, FinishKeygen, KeygenCommitted, KeygenRevealed,
    PROTOCOL, REVEAL, Refusal, Request, Reveal, StartKeygen,
};
pub use once::{OnceKey, OnceKeyError, UnusedKey};
pub use parties::{parameters, party_1, party_2};
pub use payment_messages::{
    ApprovalRejection, Charge, CountedState, FinishPayment, LimitScope, MAX_REFERENCE, OpenPayment,
    OpenPayments, OutcomeReport, PaymentOrder, PaymentPrepared, PaymentRefusal, PreparePayment,
    RejectedApproval, ReportedOutcome, SettlePayment, StartPayment,
};
pub use policy_messages::{PolicyAnswer, PolicyCall, PolicyFault};
pub use recovery_messages::{
    Imported, MAX_HALVES, RecoveryAnswer, RecoveryCall, TRANSPORT_LIFE_MS, Transport,
    TransportedHalf,
};
pub use refresh_messages::{
    FinishRefresh, RefreshCommitments, RefreshCommitted, RefreshReveal, RefreshRevealed,
    StartConfirm, StartRefresh,
};
pub use session::{confirm_digest, keygen_session_id, refresh_id, sign_data};
pub use share::{KeyShare, ShareError};
pub use sign_messages::{FinishSign, SignAnswered, SignShares, StartSign};
