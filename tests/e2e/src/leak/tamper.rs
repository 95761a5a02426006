//! Tampers with a first message. Source: `dkls23-core` 0.6.2, `utilities/ot/extension.rs` (the
//! sender's consistency check) and `utilities/multiplication.rs` (the transcript).

use dkls23_secp256k1::Party;
use dkls23_secp256k1::protocols::PartyIndex;
use dkls23_secp256k1::protocols::signing::{SignData, TransmitPhase1to2};
use dkls23_secp256k1::utilities::hashes::{HashOutput, point_to_bytes, tagged_hash};
use dkls23_secp256k1::utilities::oracle_tags::{
    TAG_MUL_TRANSCRIPT_RECEIVER, TAG_OTE_CHI, TAG_OTE_PRG, TAG_OTE_SESSION, TAG_SIGN_MUL_SESSION,
};
use dkls23_secp256k1::utilities::ot::extension::{FieldElement, PRGOutput, field_mul};
use protocol::Curve;

/// The size of an element of the check's field, in bytes.
const FIELD: usize = 26;

/// Flips one bit in a row of the message's matrix and computes check values that match it. The
/// peer's check passes if its correlation has a 0 at this row, and fails if it has a 1. Returns the
/// transcript that `party` must store (`ote_transcript`) to finish a run that passed.
#[expect(clippy::expect_used, reason = "a failing test panics")]
pub fn tamper(
    party: &Party,
    peer: PartyIndex,
    data: &SignData,
    message: &mut TransmitPhase1to2,
    row: usize,
) -> HashOutput {
    let own = party.party_index.as_u8();
    let mut signers = [own, peer.as_u8()];
    signers.sort_unstable();
    let mul_session = tagged_hash(
        TAG_SIGN_MUL_SESSION,
        &[
            &party.session_id,
            &data.sign_id,
            &party.derivation_data.chain_code,
            &point_to_bytes::<Curve>(&party.pk),
            &data.message_hash,
            &signers,
            &[own, peer.as_u8()],
        ],
    );
    let sent = &mut message.mul_transmit;
    let ote_session = [&b"OT Extension protocol"[..], &mul_session].concat();
    let session = tagged_hash(TAG_OTE_SESSION, &[&ote_session, &sent.nonce]);
    let receiver = &party.mul_receivers.get(&peer).expect("a known peer").ote_receiver;
    let pads: Vec<PRGOutput> =
        receiver.seeds0.iter().zip(0..).map(|(seed, row)| pad(&session, row, seed)).collect();
    // The choice bits are an honest row without both pads.
    let mut choices = sent.u[0];
    let other = pad(&session, 0, &receiver.seeds1[0]);
    for ((choice, pad), other) in choices.iter_mut().zip(pads[0]).zip(other) {
        *choice ^= pad ^ other;
    }

    sent.u[row][0] ^= 1;
    let matrix = sent.u.concat();
    let [chi_1, chi_2] =
        [&b"chi1"[..], b"chi2"].map(|name| tagged_hash(TAG_OTE_CHI, &[&session, name, &matrix]));
    let check = |row: &PRGOutput| -> FieldElement {
        let first = field_mul(&row[..FIELD], &chi_1[..FIELD]).expect("a field element");
        let second = field_mul(&row[FIELD..2 * FIELD], &chi_2[..FIELD]).expect("a field element");
        std::array::from_fn(|at| first[at] ^ second[at] ^ row[2 * FIELD + at])
    };
    let checked: Vec<FieldElement> = std::iter::once(&choices).chain(&pads).map(check).collect();
    sent.verify_x = checked[0];
    sent.verify_t = checked[1..].to_vec();
    tagged_hash(
        TAG_MUL_TRANSCRIPT_RECEIVER,
        &[&mul_session, &sent.nonce, &matrix, &sent.verify_x, &sent.verify_t.concat()],
    )
}

/// Expands a seed for one row.
fn pad(session: &HashOutput, row: u16, seed: &HashOutput) -> PRGOutput {
    let mut bytes = Vec::new();
    for count in 0_u16.. {
        if bytes.len() >= size_of::<PRGOutput>() {
            break;
        }
        let parts: [&[u8]; 4] = [session, &row.to_be_bytes(), &count.to_be_bytes(), seed];
        bytes.extend(tagged_hash(TAG_OTE_PRG, &parts));
    }
    std::array::from_fn(|at| bytes[at])
}
