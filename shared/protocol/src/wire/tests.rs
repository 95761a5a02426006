//! Tests that a signature's messages round-trip, and that altered ones are refused. For key
//! generation, see [`proofs`](super::proofs).

use dkls23_secp256k1::protocols::signing::{SignData, TransmitPhase1to2, TransmitPhase2to3};
use serde::{Deserialize, Serialize};

use super::{POINT, SCALAR, answer, transfer};
use crate::curve::Curve;
use crate::parties::{party_1, party_2};
use crate::share::KeyShare;

#[derive(Serialize, Deserialize)]
struct Transfer(#[serde(with = "transfer")] TransmitPhase1to2);

#[derive(Serialize, Deserialize)]
struct Answer(#[serde(with = "answer")] TransmitPhase2to3<Curve>);

/// Makes party 1's messages of a signature with the committed shares.
fn of_a_signature() -> (TransmitPhase1to2, TransmitPhase2to3<Curve>) {
    let one = include_bytes!("../../../tests/samples/key-share-party-1.v1.bin");
    let two = include_bytes!("../../../tests/samples/key-share-party-2.v1.bin");
    let shares = [KeyShare::from_bytes(one, 1).unwrap(), KeyShare::from_bytes(two, 2).unwrap()];
    let [data_1, data_2] = [party_2(), party_1()].map(|counterparty| SignData {
        sign_id: b"a signature".to_vec(),
        counterparties: vec![counterparty],
        message_hash: [7; 32],
    });
    let (unique, kept, mut first) = shares[0].party().sign_phase1(&data_1).unwrap();
    let (.., theirs) = shares[1].party().sign_phase1(&data_2).unwrap();
    let (.., mut second) = shares[0].party().sign_phase2(&data_1, unique, kept, &theirs).unwrap();
    (first.remove(0), second.remove(0))
}

/// Compares the library's own encoding of both messages.
#[test]
fn message_round_trips() {
    let (first, second) = of_a_signature();
    let expected = (postcard::to_stdvec(&first).unwrap(), postcard::to_stdvec(&second).unwrap());
    let bytes = postcard::to_stdvec(&(Transfer(first), Answer(second))).unwrap();
    let (Transfer(first), Answer(second)) = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(first.mul_transmit.u.len(), 256);
    assert_eq!(postcard::to_stdvec(&first).unwrap(), expected.0);
    assert_eq!(postcard::to_stdvec(&second).unwrap(), expected.1);
}

#[test]
fn truncated_row_is_refused() {
    let (first, mut second) = of_a_signature();
    let bytes = postcard::to_stdvec(&Transfer(first)).unwrap();
    let read = |bytes: &[u8]| postcard::from_bytes::<Transfer>(bytes).is_ok();
    assert!(read(&bytes));
    assert!(!read(&bytes[..bytes.len() - 1]));
    // The last row states one byte less than its length. The length has two bytes, of seven bits
    // each.
    let row = 256 * 26;
    let length = bytes.len() - row - 2;
    assert_eq!(bytes[length..length + 2], [0x80 | (row % 128) as u8, (row / 128) as u8]);
    let mut short = bytes[..bytes.len() - 1].to_vec();
    short[length..length + 2].copy_from_slice(&[0xff, (row / 128 - 1) as u8]);
    assert!(!read(&short));

    let whole = postcard::to_stdvec(&Answer(second.clone())).unwrap();
    second.mul_transmit.vector_of_tau[1].pop();
    let less = postcard::to_stdvec(&Answer(second)).unwrap();
    // The count is checked elsewhere, but half a number is refused.
    assert_eq!(whole.len() - less.len(), SCALAR);
    let read = |bytes: &[u8]| postcard::from_bytes::<Answer>(bytes).is_ok();
    assert!(read(&less));
    assert!(!read(&whole[..whole.len() - 1]));
}

#[test]
fn invalid_point_or_oversized_number_is_refused() {
    let bytes = postcard::to_stdvec(&Answer(of_a_signature().1)).unwrap();
    let read = |bytes: &[u8]| postcard::from_bytes::<Answer>(bytes).is_ok();
    assert!(read(&bytes));
    // The offset is after both parties, the session binding, and the length of the points.
    let points = 2 + 32 + 2;
    assert_eq!(bytes[points - 2..points], [0x80, 0x02]);
    for at in (0..4).map(|number| points + number * POINT) {
        let (mut off, mut infinity) = (bytes.clone(), bytes.clone());
        off[at + POINT - 1] ^= 1;
        infinity[at..at + POINT].fill(0);
        assert!(!read(&off), "{at}");
        assert!(!read(&infinity), "{at}");
    }
    // The last number of the last row.
    let mut large = bytes.clone();
    large[bytes.len() - SCALAR..].fill(0xff);
    assert!(!read(&large));
}
