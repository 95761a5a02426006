//! Signing, phase 1: an extension of oblivious transfers.

use dkls23_secp256k1::protocols::PartiesMessage;
use dkls23_secp256k1::protocols::signing::TransmitPhase1to2;
use dkls23_secp256k1::utilities::hashes::HashOutput;
use dkls23_secp256k1::utilities::ot::extension::{FieldElement, OTEDataToSender, OteNonce};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};

/// A message whose rows are borrowed or owned.
type Parts<Rows> = (PartiesMessage, HashOutput, HashOutput, OteNonce, Rows, FieldElement, Rows);

pub(crate) fn serialize<S: Serializer>(
    message: &TransmitPhase1to2,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let TransmitPhase1to2 { parties, session_binding, commitment, mul_transmit } = message;
    let OTEDataToSender { nonce, u, verify_x, verify_t } = mul_transmit;
    let (u, verify_t) = (Bytes::new(u.as_flattened()), Bytes::new(verify_t.as_flattened()));
    let parts: Parts<&Bytes> =
        (parties.clone(), *session_binding, *commitment, *nonce, u, *verify_x, verify_t);
    parts.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<TransmitPhase1to2, D::Error> {
    let (parties, session_binding, commitment, nonce, u, verify_x, verify_t) =
        Parts::<ByteBuf>::deserialize(deserializer)?;
    // The library's phase 2 checks the number of rows.
    match (u.as_chunks(), verify_t.as_chunks()) {
        ((u, []), (verify_t, [])) => {
            let (u, verify_t) = (u.to_vec(), verify_t.to_vec());
            let mul_transmit = OTEDataToSender { nonce, u, verify_x, verify_t };
            Ok(TransmitPhase1to2 { parties, session_binding, commitment, mul_transmit })
        }
        _ => Err(D::Error::custom("rows of oblivious transfers")),
    }
}
