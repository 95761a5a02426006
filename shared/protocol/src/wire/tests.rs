//! A signature's messages: what is sent arrives, and what is bent is refused. A key generation's:
//! see [`proofs`](super::proofs).

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

/// Party 1's messages of a signature with the committed shares.
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

/// What the library itself would write tells two messages apart.
#[test]
fn what_arrives_is_what_was_sent() {
    let (first, second) = of_a_signature();
    let expected = (postcard::to_stdvec(&first).unwrap(), postcard::to_stdvec(&second).unwrap());
    let bytes = postcard::to_stdvec(&(Transfer(first), Answer(second))).unwrap();
    let (Transfer(first), Answer(second)) = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(first.mul_transmit.u.len(), 256);
    assert_eq!(postcard::to_stdvec(&first).unwrap(), expected.0);
    assert_eq!(postcard::to_stdvec(&second).unwrap(), expected.1);
}

#[test]
fn half_a_row_is_refused() {
    let (first, mut second) = of_a_signature();
    let bytes = postcard::to_stdvec(&Transfer(first)).unwrap();
    let read = |bytes: &[u8]| postcard::from_bytes::<Transfer>(bytes).is_ok();
    assert!(read(&bytes));
    assert!(!read(&bytes[..bytes.len() - 1]));
    // The last row says one byte less of itself: two of length, seven bits in each.
    let row = 256 * 26;
    let length = bytes.len() - row - 2;
    assert_eq!(bytes[length..length + 2], [0x80 | (row % 128) as u8, (row / 128) as u8]);
    let mut short = bytes[..bytes.len() - 1].to_vec();
    short[length..length + 2].copy_from_slice(&[0xff, (row / 128 - 1) as u8]);
    assert!(!read(&short));

    let whole = postcard::to_stdvec(&Answer(second.clone())).unwrap();
    second.mul_transmit.vector_of_tau[1].pop();
    let less = postcard::to_stdvec(&Answer(second)).unwrap();
    // How many numbers there have to be is not this place's to say, but half a number is none.
    assert_eq!(whole.len() - less.len(), SCALAR);
    let read = |bytes: &[u8]| postcard::from_bytes::<Answer>(bytes).is_ok();
    assert!(read(&less));
    assert!(!read(&whole[..whole.len() - 1]));
}

#[test]
fn a_point_that_is_not_on_the_curve_is_refused_and_so_is_a_number_that_is_too_large() {
    let bytes = postcard::to_stdvec(&Answer(of_a_signature().1)).unwrap();
    let read = |bytes: &[u8]| postcard::from_bytes::<Answer>(bytes).is_ok();
    assert!(read(&bytes));
    // Behind both parties, the binding to the session, and how many bytes the points are.
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
