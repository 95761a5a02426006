//! Signing, phase 2: the response to the oblivious transfers.

use dkls23_secp256k1::protocols::PartiesMessage;
use dkls23_secp256k1::protocols::signing::TransmitPhase2to3;
use dkls23_secp256k1::utilities::hashes::HashOutput;
use dkls23_secp256k1::utilities::multiplication::MulDataToReceiver;
use dkls23_secp256k1::utilities::ot::extension::OteNonce;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;

use super::{POINT, point, put_point, row, scalars};
use crate::curve::{Curve, Scalar};

type Answer = TransmitPhase2to3<Curve>;

#[derive(Serialize, Deserialize)]
struct Parts {
    parties: PartiesMessage,
    session_binding: HashOutput,
    points: ByteBuf,
    psi: Scalar,
    salt: ByteBuf,
    taus: Vec<ByteBuf>,
    ote_salt: OteNonce,
    verify_r: HashOutput,
    verify_u: ByteBuf,
    gamma_sender: ByteBuf,
}

pub(crate) fn serialize<S: Serializer>(answer: &Answer, serializer: S) -> Result<S::Ok, S::Error> {
    let mul = &answer.mul_transmit;
    let mut points = Vec::with_capacity(4 * POINT);
    for point in [&answer.gamma_u, &answer.gamma_v, &answer.public_share, &answer.instance_point] {
        put_point(point, &mut points);
    }
    let parts = Parts {
        parties: answer.parties.clone(),
        session_binding: answer.session_binding,
        points: ByteBuf::from(points),
        psi: answer.psi,
        salt: ByteBuf::from(answer.salt.clone()),
        taus: mul.vector_of_tau.iter().map(|taus| row(taus)).collect(),
        ote_salt: mul.ote_salt,
        verify_r: mul.verify_r,
        verify_u: row(&mul.verify_u),
        gamma_sender: row(&mul.gamma_sender),
    };
    parts.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Answer, D::Error> {
    let parts = Parts::deserialize(deserializer)?;
    read(parts).ok_or_else(|| D::Error::custom("an answer to oblivious transfers"))
}

/// Parses the numbers. The library's phase 3 checks how many there are.
fn read(parts: Parts) -> Option<Answer> {
    let (points, []) = parts.points.as_chunks::<POINT>() else { return None };
    let [gamma_u, gamma_v, public_share, instance_point] = points else { return None };
    let taus: Option<Vec<_>> = parts.taus.iter().map(|taus| scalars(taus)).collect();
    Some(Answer {
        parties: parts.parties,
        session_binding: parts.session_binding,
        gamma_u: point(gamma_u)?,
        gamma_v: point(gamma_v)?,
        psi: parts.psi,
        public_share: point(public_share)?,
        instance_point: point(instance_point)?,
        salt: parts.salt.into_vec(),
        mul_transmit: MulDataToReceiver {
            vector_of_tau: taus?,
            ote_salt: parts.ote_salt,
            verify_r: parts.verify_r,
            verify_u: scalars(&parts.verify_u)?,
            gamma_sender: scalars(&parts.gamma_sender)?,
        },
    })
}
