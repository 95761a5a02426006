//! The proofs of oblivious transfers. Values that verification requires to be equal (the library's
//! `EncProof::verify`) are sent once.

use dkls23_k256::AffinePoint;
use dkls23_secp256k1::protocols::PartiesMessage;
use dkls23_secp256k1::protocols::dkg::TransmitInitMulPhase3to4;
use dkls23_secp256k1::utilities::ot::base::Seed;
use dkls23_secp256k1::utilities::proofs::{CPProof, DLogProof, EncProof, RandomCommitments};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};

use super::{POINT, SCALAR, point, put_point, put_scalar, scalar};
use crate::curve::{Curve, Scalar};

/// Eight points and four scalars.
const PROOF: usize = 8 * POINT + 4 * SCALAR;

type Mul = TransmitInitMulPhase3to4<Curve>;

pub(crate) fn serialize<S: Serializer>(mul: &Mul, serializer: S) -> Result<S::Ok, S::Error> {
    let mut proofs = Vec::with_capacity(mul.enc_proofs.len() * PROOF);
    for proof in &mul.enc_proofs {
        put(proof, &mut proofs);
    }
    let proofs = Bytes::new(&proofs);
    (&mul.parties, &mul.dlog_proof, &mul.nonce, &mul.seed, proofs).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mul, D::Error> {
    let (parties, dlog_proof, nonce, seed, proofs) =
        <(PartiesMessage, DLogProof<Curve>, Scalar, Seed, ByteBuf)>::deserialize(deserializer)?;
    let (proofs, rest) = proofs.as_chunks::<PROOF>();
    let enc_proofs: Option<Vec<_>> = proofs.iter().map(take).collect();
    match enc_proofs {
        Some(enc_proofs) if rest.is_empty() => {
            Ok(Mul { parties, dlog_proof, nonce, enc_proofs, seed })
        }
        _ => Err(D::Error::custom("proofs of oblivious transfers")),
    }
}

/// Encodes a proof. The generator is known, and both halves share `base_h` and `point_v`.
fn put(proof: &EncProof<Curve>, bytes: &mut Vec<u8>) {
    let (first, second) = (&proof.commitments0, &proof.commitments1);
    let points = [
        &proof.proof0.base_h,
        &proof.proof0.point_v,
        &proof.proof0.point_u,
        &proof.proof1.point_u,
        &first.rc_g,
        &first.rc_h,
        &second.rc_g,
        &second.rc_h,
    ];
    for point in points {
        put_point(point, bytes);
    }
    let scalars = [
        &proof.proof0.challenge_response,
        &proof.proof1.challenge_response,
        &proof.challenge0,
        &proof.challenge1,
    ];
    for scalar in scalars {
        put_scalar(scalar, bytes);
    }
}

/// Returns `None` for a point that is not on the curve, or a number outside the group.
fn take(bytes: &[u8; PROOF]) -> Option<EncProof<Curve>> {
    let (points, scalars) = bytes.split_at(8 * POINT);
    let mut points = points.as_chunks::<POINT>().0.iter().map(point);
    let mut scalars = scalars.as_chunks::<SCALAR>().0.iter().map(scalar);
    let (base_g, base_h, point_v) = (AffinePoint::GENERATOR, points.next()??, points.next()??);
    let mut half = |point_u| {
        let challenge_response = scalars.next()??;
        Some(CPProof { base_g, base_h, point_u, point_v, challenge_response })
    };
    let (proof0, proof1) = (half(points.next()??)?, half(points.next()??)?);
    let mut commitments =
        || Some(RandomCommitments { rc_g: points.next()??, rc_h: points.next()?? });
    Some(EncProof {
        proof0,
        proof1,
        commitments0: commitments()?,
        commitments1: commitments()?,
        challenge0: scalars.next()??,
        challenge1: scalars.next()??,
    })
}

#[cfg(test)]
mod tests {
    use dkls23_secp256k1::protocols::dkg::{self, SessionData};

    use super::*;
    use crate::{parameters, party_1};

    #[derive(Serialize, Deserialize)]
    struct Message(#[serde(with = "super")] Mul);

    fn of_a_key_generation() -> Mul {
        let data = SessionData {
            parameters: parameters(),
            party_index: party_1(),
            session_id: b"a session".to_vec(),
        };
        let fragments = dkg::phase1::<Curve>(&data);
        let (_, _, zero, _, chain, _) = dkg::phase2::<Curve>(&data, &fragments);
        dkg::phase3::<Curve>(&data, &zero, &chain).3.remove(0)
    }

    /// Compares the library's own encoding of both values.
    #[test]
    fn message_round_trips() {
        let sent = of_a_key_generation();
        let expected = postcard::to_stdvec(&sent).unwrap();
        let bytes = postcard::to_stdvec(&Message(sent)).unwrap();
        let Message(arrived) = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(arrived.enc_proofs.len(), 256);
        assert_eq!(postcard::to_stdvec(&arrived).unwrap(), expected);
        assert!(bytes.len() < 170_000, "{} bytes", bytes.len());
    }

    #[test]
    fn invalid_point_or_truncated_proof_is_refused() {
        let bytes = postcard::to_stdvec(&Message(of_a_key_generation())).unwrap();
        let read = |bytes: &[u8]| postcard::from_bytes::<Message>(bytes).is_ok();
        assert!(read(&bytes));
        // The last proof: its first point, and its first number, made too large.
        let proof = bytes.len() - PROOF;
        for (at, length) in [(proof, POINT), (proof + 8 * POINT, SCALAR)] {
            let mut bent = bytes.clone();
            bent[at..at + length].fill(0xff);
            assert!(!read(&bent), "{at}");
        }
        let mut infinity = bytes.clone();
        infinity[proof..proof + POINT].fill(0);
        assert!(!read(&infinity));
        let mut off = bytes.clone();
        off[proof + POINT - 1] ^= 1;
        assert!(!read(&off));
        assert!(!read(&bytes[..bytes.len() - 1]));
    }
}
