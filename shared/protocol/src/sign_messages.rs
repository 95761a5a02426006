//! Messages between the two parties to sign.

use dkls23_secp256k1::protocols::signing::{Broadcast3to4, TransmitPhase1to2, TransmitPhase2to3};
use domain::intent::Intent;
use serde::{Deserialize, Serialize};

use crate::curve::Curve;
use crate::wire;

/// Signing, phase 1 of party 1.
#[derive(Serialize, Deserialize)]
pub struct StartSign {
    /// The intent to be signed. The cosigner computes the digest from it.
    pub intent: Intent,
    /// The protocol's message; about 27 KB.
    #[serde(with = "wire::transfer")]
    pub message: TransmitPhase1to2,
}

/// Signing, phases 1 and 2 of party 2.
#[derive(Serialize, Deserialize)]
pub struct SignAnswered {
    /// Phase 1; about 27 KB.
    #[serde(with = "wire::transfer")]
    pub phase_1: TransmitPhase1to2,
    /// Phase 2; about 28 KB.
    #[serde(with = "wire::answer")]
    pub phase_2: TransmitPhase2to3<Curve>,
    /// Party 2's state, sealed. Party 1 returns it with call 2. About 21 KB.
    #[serde(with = "serde_bytes")]
    pub kept: Vec<u8>,
}

/// Signing, phase 2 of party 1.
#[derive(Serialize, Deserialize)]
pub struct FinishSign {
    /// The protocol's message.
    #[serde(with = "wire::answer")]
    pub message: TransmitPhase2to3<Curve>,
    /// Party 1's halves of the signature (its phase 3). With them the cosigner computes, checks
    /// and records the signature before it returns its own halves.
    pub share: Broadcast3to4<Curve>,
    /// [`SignAnswered::kept`].
    #[serde(with = "serde_bytes")]
    pub kept: Vec<u8>,
}

/// Signing, phase 3 of party 2: its halves of the signature.
#[derive(Serialize, Deserialize)]
pub struct SignShares {
    /// The protocol's message.
    pub message: Broadcast3to4<Curve>,
}
