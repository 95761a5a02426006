//! Recovery of a key from its records: both sides, one side, and the refusals.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use dkls23_k256::Scalar;
use dkls23_secp256k1::Party;
use dkls23_secp256k1::protocols::Abort;
use dkls23_secp256k1::protocols::re_key::re_key;
use domain::eth::AgentKey;
use protocol::recovery::{
    HalfError, HpkeError, OpeningKey, RecordError, RecoveryKey, RecoveryKeys, RecoveryRecord, Side,
    Subject, private_key,
};
use protocol::{Curve, KeyShare, WalletKey, parameters, party_1, party_2, sign_data};
use uuid::Uuid;

const SECRET: u64 = 0x1234_5678_9abc_def0;

/// Both shares of one key.
fn shares(secret: u64) -> [KeyShare; 2] {
    let (parties, _) = re_key::<Curve>(
        &parameters(),
        b"recovery test",
        &Scalar::from(secret),
        Some([7; 32]),
        dkls23_secp256k1::compute_eth_address,
    );
    let [one, two]: [Party; 2] = parties.try_into().ok().unwrap();
    [KeyShare::new(one), KeyShare::new(two)]
}

fn subject() -> Subject {
    Subject {
        deployment: "test".to_owned(),
        key: WalletKey {
            tenant: "acme".parse().unwrap(),
            wallet_id: Uuid::from_u128(1),
            key_version: 1,
        },
        user_id: None,
        created_at_ms: 1_795_406_234_446,
    }
}

/// Both records of a wallet, with the keys that open them.
fn records(secret: u64) -> ([RecoveryRecord; 2], [OpeningKey; 2]) {
    let sides = [Side::Endpoint, Side::Cosigner];
    let opening = [OpeningKey::generate().unwrap(), OpeningKey::generate().unwrap()];
    let shares = shares(secret);
    let sealed = [0, 1].map(|at| {
        let text = RecoveryKey { side: sides[at], key: *opening[at].public() }.to_string();
        let keys = RecoveryKeys::parse(&text, sides[at]).unwrap();
        RecoveryRecord::seal(&keys, sides[at], subject(), &shares[at]).unwrap()
    });
    (sealed, opening)
}

/// Runs the complete refresh between two shares.
fn refresh(shares: [&KeyShare; 2]) -> [Party; 2] {
    let id = b"refresh test";
    let parties = shares.map(KeyShare::party);
    let fragments = parties.map(Party::refresh_complete_phase1);
    let second = [0, 1].map(|at: usize| {
        let received = [fragments[0][at], fragments[1][at]];
        parties[at].refresh_complete_phase2(id, &received)
    });
    let proofs = [second[0].1.clone(), second[1].1.clone()];
    let third = [0, 1].map(|at: usize| parties[at].refresh_complete_phase3(id, &second[at].2));
    [0, 1].map(|at: usize| {
        let other = 1 - at;
        let refreshed = parties[at].refresh_complete_phase4(
            id,
            &second[at].0,
            &proofs,
            &third[at].0,
            &second[other].3,
            &third[other].1,
            &third[at].2,
            &third[other].3,
        );
        refreshed.map_err(|abort| abort.description()).unwrap()
    })
}

/// Signs with both parties. Phase 4 verifies the signature with the public key.
fn signs(parties: &[Party; 2]) -> Result<String, Abort> {
    let [one, two] = parties;
    let data = [party_2(), party_1()].map(|it| sign_data(&subject().key, [9; 32], it, [3; 32]));
    let (unique_1, kept_1, first_1) = one.sign_phase1(&data[0])?;
    let (unique_2, kept_2, first_2) = two.sign_phase1(&data[1])?;
    let (unique_1, kept_1, second_1) = one.sign_phase2(&data[0], unique_1, kept_1, &first_2)?;
    let (unique_2, kept_2, second_2) = two.sign_phase2(&data[1], unique_2, kept_2, &first_1)?;
    let (x, half_1) = one.sign_phase3(&data[0], unique_1, kept_1, &second_2)?;
    let (_, half_2) = two.sign_phase3(&data[1], unique_2, kept_2, &second_1)?;
    let (s, _) = one.sign_phase4(&data[0], &x, &[half_1, half_2], true)?;
    Ok(s)
}

#[test]
fn both_records_give_the_private_key() {
    let (records, opening) = records(SECRET);
    records[0].check_pair(&records[1]).unwrap();
    records[1].check_pair(&records[0]).unwrap();
    let halves = [0, 1].map(|at| records[at].open(&opening[at]).unwrap());
    let key = private_key(&halves[0], &halves[1], records[0].address).unwrap();
    assert_eq!(key[24..], SECRET.to_be_bytes());
    assert_eq!(AgentKey::from_bytes(&*key).unwrap().address(), records[0].address);
    let swapped = private_key(&halves[1], &halves[0], records[0].address);
    assert_eq!(swapped.unwrap_err(), HalfError::Differs(records[0].address));
}

#[test]
fn hollow_shares_sign_after_a_refresh() {
    let (records, opening) = records(SECRET);
    // A stored hollow share stays one.
    let hollow = [(0, 1), (1, 2)].map(|(at, party): (usize, u8)| {
        let half = records[at].open(&opening[at]).unwrap();
        let bytes = records[at].hollow(&half).unwrap().to_bytes();
        assert!(bytes.len() < 300 && KeyShare::from_bytes(&bytes, 3 - party).is_err());
        KeyShare::from_bytes(&bytes, party).unwrap()
    });
    assert!(hollow[0].is_hollow() && hollow[1].is_hollow());
    let full = shares(SECRET);
    // The shares of another split of the same key do not fit the records.
    assert!(!full[0].is_hollow());
    let parties = refresh([&hollow[0], &hollow[1]]);
    assert!(!signs(&parties).map_err(|abort| abort.description()).unwrap().is_empty());
    let kept = parties.map(KeyShare::new);
    assert!(kept.iter().all(|it| it.address() == records[0].address && !it.is_hollow()));
}

#[test]
fn one_hollow_share_fits_the_other_full_share() {
    let full = shares(SECRET);
    let key = OpeningKey::generate().unwrap();
    for (at, side) in [(0, Side::Endpoint), (1, Side::Cosigner)] {
        let text = RecoveryKey { side, key: *key.public() }.to_string();
        let keys = RecoveryKeys::parse(&text, side).unwrap();
        let record = RecoveryRecord::seal(&keys, side, subject(), &full[at]).unwrap();
        let hollow = record.hollow(&record.open(&key).unwrap()).unwrap();
        let pair = if at == 0 { [&hollow, &full[1]] } else { [&full[0], &hollow] };
        let parties = refresh(pair);
        assert!(!signs(&parties).map_err(|abort| abort.description()).unwrap().is_empty());
    }
}

#[test]
fn wrong_half_does_not_become_a_share() {
    let ([one, two], opening) = records(SECRET);
    let ([strange, _], strange_key) = records(SECRET + 1);
    let half = strange.open(&strange_key[0]).unwrap();
    assert_eq!(one.hollow(&half).unwrap_err(), RecordError::Scalar);
    assert_eq!(strange.check_pair(&two), Err(RecordError::NotAPair));
    assert_eq!(one.check_pair(&one), Err(RecordError::NotAPair));
    // The owner of the scalar encrypted another one than the record states.
    let sealed = one.seal_for(&half, opening[0].public()).unwrap();
    assert_eq!(one.open_transported(&opening[0], &sealed).unwrap_err(), RecordError::Scalar);
    // Each split of a key has its own points.
    let ([split, _], _) = records(SECRET);
    assert_eq!(split.check_pair(&two), Err(RecordError::Points));
}

#[test]
fn record_of_another_wallet_version_or_key_is_refused() {
    let ([one, two], opening) = records(SECRET);
    assert_eq!(one.open(&opening[1]).unwrap_err(), RecordError::OtherKey);
    let mismatch = RecordError::Hpke(HpkeError::Mismatch);
    let changes: [&dyn Fn(&mut RecoveryRecord); 6] = [
        &|it| it.wallet_id = Uuid::from_u128(2),
        &|it| it.tenant = "other".parse().unwrap(),
        &|it| it.key_version = 2,
        &|it| it.deployment = "other".to_owned(),
        &|it| it.created_at_ms += 1,
        &|it| it.side = Side::Cosigner,
    ];
    for change in changes {
        let mut moved = one.clone();
        change(&mut moved);
        assert_eq!(moved.open(&opening[0]).unwrap_err(), mismatch);
        // The time of creation and the deployment's name are each side's own.
        let pairs = moved.created_at_ms != one.created_at_ms || moved.deployment == "other";
        assert_eq!(moved.check_pair(&two).is_ok(), pairs);
    }
    let mut newer = one.clone();
    newer.schema = 2;
    assert_eq!(newer.open(&opening[0]).unwrap_err(), RecordError::Schema(2));
    // What is for a transport is not accepted as a record.
    let half = one.open(&opening[0]).unwrap();
    let transported = one.seal_for(&half, opening[0].public()).unwrap();
    let mut renamed = one.clone();
    renamed.sealed = vec![transported.clone()];
    assert_eq!(renamed.open(&opening[0]).unwrap_err(), mismatch);
    assert!(one.open_transported(&opening[0], &transported).is_ok());
}

#[test]
fn record_survives_json_and_hides_its_half() {
    let ([one, _], opening) = records(SECRET);
    let text = serde_json::to_string(&one).unwrap();
    let half = one.open(&opening[0]).unwrap();
    assert!(!text.contains(&hex::encode(*half.to_bytes())));
    assert!(text.len() < 800, "{}", text.len());
    assert_eq!(serde_json::from_str::<RecoveryRecord>(&text).unwrap(), one);
}
