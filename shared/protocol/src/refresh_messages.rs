//! Messages between the two parties to refresh the shares of a key.

use dkls23_secp256k1::protocols::dkg::{
    TransmitInitMulPhase3to4, TransmitInitZeroSharePhase2to4, TransmitInitZeroSharePhase3to4,
};
use dkls23_secp256k1::protocols::signing::TransmitPhase1to2;
use dkls23_secp256k1::utilities::hashes::HashOutput;
use dkls23_secp256k1::utilities::proofs::DLogProof;
use serde::{Deserialize, Serialize};

use crate::curve::{Curve, Scalar};
use crate::wire;

/// Refresh, phase 1 of party 1. The message's key names the shares in use.
#[derive(Serialize, Deserialize)]
pub struct StartRefresh {
    /// The version of the new shares, greater than that of the shares in use.
    pub to: u32,
    /// Party 1's polynomial at 2; at 0 it is zero.
    pub fragment: Scalar,
}

/// Refresh, phases 1 and 2 of party 2.
#[derive(Serialize, Deserialize)]
pub struct RefreshCommitted {
    /// Party 2's polynomial at 1; at 0 it is zero.
    pub fragment: Scalar,
    /// Commitments to the data that party 2 will reveal.
    pub commitments: RefreshCommitments,
    /// Party 2's state, sealed. Party 1 returns it with call 2.
    #[serde(with = "serde_bytes")]
    pub kept: Vec<u8>,
}

/// A party's phase-2 commitments.
#[derive(Clone, Serialize, Deserialize)]
pub struct RefreshCommitments {
    /// To the proof of its correction.
    pub proof: HashOutput,
    /// To its seed for shares of zero.
    pub zero: TransmitInitZeroSharePhase2to4,
}

/// A party's phase-3 reveals; about 168 KB.
#[derive(Serialize, Deserialize)]
pub struct RefreshReveal {
    /// The proof of its correction.
    pub proof: DLogProof<Curve>,
    /// Its seed for shares of zero.
    pub zero: TransmitInitZeroSharePhase3to4,
    /// Its part of new oblivious transfers.
    #[serde(with = "wire::proofs")]
    pub mul: TransmitInitMulPhase3to4<Curve>,
}

/// Refresh, phases 2 and 3 of party 1.
#[derive(Serialize, Deserialize)]
pub struct FinishRefresh {
    /// Party 1's commitments.
    pub commitments: RefreshCommitments,
    /// Party 1's revealed data, sent after party 2 has committed.
    pub reveal: RefreshReveal,
    /// [`RefreshCommitted::kept`].
    #[serde(with = "serde_bytes")]
    pub kept: Vec<u8>,
}

/// Refresh, phase 3 of party 2, sent when its new share is durably stored.
#[derive(Serialize, Deserialize)]
pub struct RefreshRevealed {
    /// Party 2's revealed data.
    pub reveal: RefreshReveal,
}

/// Trial of new shares, phase 1 of party 1. The message's key names the new shares. The signed
/// digest follows from the key and the session.
#[derive(Serialize, Deserialize)]
pub struct StartConfirm {
    /// The protocol's message; about 27 KB.
    #[serde(with = "wire::transfer")]
    pub message: TransmitPhase1to2,
}
