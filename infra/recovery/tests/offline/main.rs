//! The offline commands: keys, files, verification, transport, and the keystore of one wallet.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod desk;
mod files;
mod halves;

use std::collections::BTreeSet;
use std::fs;

use aws_lc_rs::cipher::{AES_128, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use domain::eth::{Address, AgentKey, keccak256};
use domain::ids::{Tenant, WalletRef};
use domain::random::Random;
use hyperdex_recovery::check::{self, Fault};
use hyperdex_recovery::error::RecoveryError;
use hyperdex_recovery::key::{self, PrivateKey};
use hyperdex_recovery::wallet;
use protocol::recovery::{OpeningKey, Side};
use serde_json::Value;
use zeroize::Zeroizing;

use desk::{Desk, records_of, secret};

#[test]
fn key_file_opens_only_with_its_passphrase_and_side() {
    let desk = Desk::new();
    let (path, random) = (desk.path("endpoint.pem"), Random::system());
    let passphrase = secret("correct horse battery");
    let public = key::generate(Side::Endpoint, &path, &passphrase, &random).unwrap();
    let opened = key::open(&path, &passphrase, Side::Endpoint).unwrap();
    assert_eq!(opened.public(), public);
    let wrong = key::open(&path, &secret("correct horse batter"), Side::Endpoint);
    assert!(matches!(wrong, Err(RecoveryError::Passphrase(_))), "{wrong:?}");
    let other = key::open(&path, &passphrase, Side::Cosigner);
    assert!(matches!(other, Err(RecoveryError::WrongHolder { .. })), "{other:?}");
    let again = key::generate(Side::Endpoint, &path, &passphrase, &random);
    assert!(matches!(again, Err(RecoveryError::Exists(_))), "{again:?}");
    let weak = key::generate(Side::Endpoint, &desk.path("weak.pem"), &secret("short"), &random);
    assert!(matches!(weak, Err(RecoveryError::WeakPassphrase(12))), "{weak:?}");
    let blank =
        key::generate(Side::Endpoint, &desk.path("weak.pem"), &secret(&" ".repeat(20)), &random);
    assert!(matches!(blank, Err(RecoveryError::WeakPassphrase(12))), "{blank:?}");
    assert!(!desk.path("weak.pem").exists());
    // Another public key above the same private key.
    let text = fs::read_to_string(&path).unwrap();
    let strange = OpeningKey::generate().unwrap().public().to_string();
    let changed = text.replace(&public.key.to_string(), &strange);
    fs::write(desk.path("changed.pem"), changed).unwrap();
    let changed = key::open(&desk.path("changed.pem"), &passphrase, Side::Endpoint);
    assert!(matches!(changed, Err(RecoveryError::Passphrase(_))), "{changed:?}");
}

#[test]
fn verify_names_every_fault() {
    let desk = Desk::new();
    let (one, two, three) = (desk.records(1, 1), desk.records(2, 1), desk.records(3, 1));
    let records = vec![one[0].clone(), two[0].clone(), three[0].clone()];
    let good = vec![one[1].clone(), two[1].clone(), three[1].clone()];
    let listed: BTreeSet<Address> = records.iter().map(|record| record.address).collect();
    let [key, _] = &desk.keys;
    let report = check::verify(key, &records, Some(&good), Some(&listed), |_| {}).unwrap();
    assert_eq!((report.good, report.wallets, report.faults.len()), (3, 3, 0));
    // A half that belongs to another wallet, a pair that does not fit, and lists that differ.
    let mut moved = records.clone();
    moved[1].sealed = one[0].sealed.clone();
    let split = desk.records(1, 1);
    let others = vec![split[1].clone(), two[1].clone()];
    let unlisted = three[0].address;
    let mut listed = listed;
    listed.remove(&unlisted);
    let missing = desk.records(4, 1)[0].address;
    listed.insert(missing);
    let report = check::verify(key, &moved, Some(&others), Some(&listed), |_| {}).unwrap();
    let shown: Vec<String> = report.faults.iter().map(Fault::to_string).collect();
    assert_eq!((report.good, report.faults.len()), (2, 6), "{shown:#?}");
    assert!(matches!(report.faults[0], Fault::Record(id, 1, _) if id == moved[1].wallet_id));
    assert!(report.faults.contains(&Fault::Missing(missing)));
    assert!(report.faults.contains(&Fault::Unlisted(unlisted)));
    assert!(report.faults.contains(&Fault::NoPair(three[0].wallet_id)));
    let strange = PrivateKey { side: Side::Endpoint, key: OpeningKey::generate().unwrap() };
    let wrong = check::verify(&strange, &records, None, None, |_| {});
    assert!(matches!(wrong, Err(RecoveryError::WrongKey(_))), "{wrong:?}");
    // Nothing is never a success.
    let none = check::verify(key, &[], Some(&[]), Some(&BTreeSet::new()), |_| {}).unwrap();
    assert_eq!((none.records, none.faults), (0, vec![Fault::Empty]));
}

#[test]
fn verify_of_duplicates_or_a_shared_key_finds_faults() {
    let desk = Desk::new();
    let (one, two) = (desk.records(1, 1), desk.records(2, 1));
    let [key, _] = &desk.keys;
    let own = vec![one[0].clone(), two[0].clone(), one[0].clone(), one[0].clone()];
    let other = [one[1].clone(), two[1].clone()];
    let report = check::verify(key, &own, Some(&other), None, |_| {}).unwrap();
    assert_eq!(report.faults, [Fault::Duplicate(one[0].wallet_id, 1)]);
    // The cosigner's records are encrypted to the endpoint side's key: one person opens both.
    let opening = |it: &PrivateKey| OpeningKey::from_bytes(it.key.expose()).unwrap();
    let shared =
        [Side::Endpoint, Side::Cosigner].map(|side| PrivateKey { side, key: opening(key) });
    let [first, second] = records_of("acme", &shared, 3, 1);
    let report = check::verify(&shared[0], &[first], Some(&[second]), None, |_| {}).unwrap();
    assert_eq!(report.faults, [Fault::SharedKey(shared[0].key.public().id())]);
}

#[test]
fn combine_writes_a_keystore_of_the_wallet() {
    let desk = Desk::new();
    let (old, new) = (desk.records(77, 1), desk.records(77, 2));
    let own = vec![old[0].clone(), new[0].clone()];
    let other = vec![new[1].clone()];
    let (path, passphrase) = (desk.path("keystore.json"), secret("of the keystore"));
    let [one, two] = &desk.keys;
    let named: WalletRef = "user_77".parse().unwrap();
    let random = Random::system();
    let to = (path.as_path(), &passphrase);
    let of = (&named, None);
    let address = wallet::combine((one, &own), (two, &other), of, to, &random).unwrap();
    assert_eq!(address, new[0].address);
    let store: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let key = unlocked(&store, &passphrase);
    assert_eq!(key[24..], 77_u64.to_be_bytes());
    assert_eq!(AgentKey::from_bytes(&key).unwrap().address(), address);
    let absent: WalletRef = "user_78".parse().unwrap();
    let to = (desk.path("none"), secret("of the keystore"));
    let to = (to.0.as_path(), &to.1);
    let none = wallet::combine((one, &own), (two, &other), (&absent, None), to, &random);
    assert!(matches!(none, Err(RecoveryError::NoPair(_))), "{none:?}");
    // A record whose ciphertext came from another wallet.
    let mut moved = other.clone();
    moved[0].sealed = desk.records(5, 2)[1].sealed.clone();
    let wrong = wallet::combine((one, &own), (two, &moved), of, to, &random);
    assert!(matches!(wrong, Err(RecoveryError::Record { .. })), "{wrong:?}");
    assert!(!to.0.exists());
    // A keystore under an empty passphrase would be the key itself.
    let to = (desk.path("weak"), secret(""));
    let to = (to.0.as_path(), &to.1);
    let weak = wallet::combine((one, &own), (two, &other), of, to, &random);
    assert!(matches!(weak, Err(RecoveryError::WeakPassphrase(12))), "{weak:?}");
    assert_eq!(desk.names(), ["keystore.json"]);
}

#[test]
fn combine_of_a_user_of_two_tenants_needs_the_tenant() {
    let desk = Desk::new();
    let [one, two] = &desk.keys;
    let wallets = ["acme", "beta"].map(|tenant| records_of(tenant, &desk.keys, 77, 1));
    let own = wallets.each_ref().map(|records| records[0].clone());
    let other = wallets.each_ref().map(|records| records[1].clone());
    let (named, random): (WalletRef, _) = ("user_77".parse().unwrap(), Random::system());
    let (path, passphrase) = (desk.path("keystore.json"), secret("of the keystore"));
    let to = (path.as_path(), &passphrase);
    let both = wallet::combine((one, &own), (two, &other), (&named, None), to, &random);
    let Err(RecoveryError::Ambiguous { wallets, .. }) = &both else { panic!("{both:?}") };
    assert_eq!(wallets.len(), 2);
    assert!(wallets[0].contains("acme") && wallets[1].contains("beta"), "{wallets:?}");
    let tenant: Tenant = "beta".parse().unwrap();
    let of = (&named, Some(&tenant));
    let address = wallet::combine((one, &own), (two, &other), of, to, &random).unwrap();
    assert_eq!(address, own[1].address);
}

/// Opens a keystore as its format is defined.
fn unlocked(store: &Value, passphrase: &Zeroizing<String>) -> Vec<u8> {
    let crypto = &store["crypto"];
    let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    let (parameters, mut text) = (&crypto["kdfparams"], bytes(&crypto["ciphertext"]));
    let rounds = u32::try_from(parameters["c"].as_u64().unwrap()).unwrap();
    let mut derived = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        rounds.try_into().unwrap(),
        &bytes(&parameters["salt"]),
        passphrase.as_bytes(),
        &mut derived,
    );
    let mac = keccak256(&[&derived[16..], &text].concat());
    assert_eq!(hex::encode(mac), crypto["mac"].as_str().unwrap());
    let iv: [u8; 16] = bytes(&crypto["cipherparams"]["iv"]).try_into().unwrap();
    let key = UnboundCipherKey::new(&AES_128, &derived[..16]).unwrap();
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let key = DecryptingKey::ctr(key).unwrap();
    key.decrypt(&mut text, context).unwrap().to_vec()
}
