//! Tests that shares of each stored format still parse and sign. The samples belong to a wallet
//! that was made for this test and holds nothing.

use domain::eth::{Signature, personal_digest};
use protocol::{KeyShare, WalletKey, party_1, party_2, sign_data};
use uuid::Uuid;

#[test]
fn shares_of_format_1_sign_together() {
    let ours = include_bytes!("samples/key-share-party-1.v1.bin");
    let theirs = include_bytes!("samples/key-share-party-2.v1.bin");
    let (ours, theirs) =
        (KeyShare::from_bytes(ours, 1).unwrap(), KeyShare::from_bytes(theirs, 2).unwrap());
    assert_eq!(ours.address(), theirs.address());
    assert_eq!(ours.to_bytes().as_slice(), include_bytes!("samples/key-share-party-1.v1.bin"));

    let key = WalletKey { tenant: "t".parse().unwrap(), wallet_id: Uuid::nil(), key_version: 1 };
    let digest = personal_digest("an old share");
    let first = sign_data(&key, [1; 32], party_2(), digest);
    let second = sign_data(&key, [1; 32], party_1(), digest);
    let (unique_1, kept_1, sent_1) = ours.party().sign_phase1(&first).unwrap();
    let (unique_2, kept_2, sent_2) = theirs.party().sign_phase1(&second).unwrap();
    let (unique_1, kept_1, sent_1b) =
        ours.party().sign_phase2(&first, unique_1, kept_1, &sent_2).unwrap();
    let (unique_2, kept_2, sent_2b) =
        theirs.party().sign_phase2(&second, unique_2, kept_2, &sent_1).unwrap();
    let (x, half_1) = ours.party().sign_phase3(&first, unique_1, kept_1, &sent_2b).unwrap();
    let (_, half_2) = theirs.party().sign_phase3(&second, unique_2, kept_2, &sent_1b).unwrap();
    let (s, recovery) = ours.party().sign_phase4(&first, &x, &[half_1, half_2], true).unwrap();
    let half = |text: &str| <[u8; 32]>::try_from(hex::decode(text).unwrap()).unwrap();
    let signature = Signature { r: half(&x), s: half(&s), v: 27 + recovery };
    assert_eq!(signature.recover(&digest).unwrap(), ours.address());
}
