//! The offline commands: keys, files, verification, transport, and the keystore of one wallet.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::cipher::{AES_128, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use dkls23_k256::Scalar;
use dkls23_secp256k1::Party;
use dkls23_secp256k1::protocols::re_key::re_key;
use domain::eth::{Address, AgentKey, keccak256};
use domain::ids::WalletRef;
use domain::random::Random;
use hyperdex_recovery::check::{self, Fault};
use hyperdex_recovery::error::RecoveryError;
use hyperdex_recovery::file::{self, Header, Kind, Writer};
use hyperdex_recovery::key::{self, PrivateKey};
use hyperdex_recovery::{transport, wallet};
use protocol::recovery::{OpeningKey, RecoveryKeys, RecoveryRecord, Side, Subject};
use protocol::{Curve, KeyShare, Transport, TransportedHalf, WalletKey, parameters};
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

const NOW_MS: u64 = 1_795_406_234_446;

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

/// A directory with a key of each side.
struct Desk {
    folder: tempfile::TempDir,
    keys: [PrivateKey; 2],
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = [Side::Endpoint, Side::Cosigner]
            .map(|side| PrivateKey { side, key: OpeningKey::generate().unwrap() });
        Self { folder, keys }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Both records of a wallet whose private key is this number.
    fn records(&self, number: u64, version: u32) -> [RecoveryRecord; 2] {
        let (parties, _) = re_key::<Curve>(
            &parameters(),
            b"offline test",
            &Scalar::from(number),
            Some([7; 32]),
            dkls23_secp256k1::compute_eth_address,
        );
        let parties: [Party; 2] = parties.try_into().ok().unwrap();
        let shares = parties.map(KeyShare::new);
        [0, 1].map(|at| {
            let key = &self.keys[at];
            let keys = RecoveryKeys::parse(&key.public().to_string(), key.side).unwrap();
            let subject = Subject {
                deployment: "test".to_owned(),
                key: WalletKey {
                    tenant: "acme".parse().unwrap(),
                    wallet_id: Uuid::from_u128(u128::from(number)),
                    key_version: version,
                },
                user_id: (at == 0).then(|| format!("user_{number}").try_into().unwrap()),
                created_at_ms: NOW_MS,
            };
            RecoveryRecord::seal(&keys, key.side, subject, &shares[at]).unwrap()
        })
    }

    fn file(&self, name: &str, side: Side, records: &[RecoveryRecord]) -> PathBuf {
        let path = self.path(name);
        let header = Header::new(Kind::Records, side, NOW_MS);
        let (mut writer, last) = Writer::open::<RecoveryRecord>(&path, &header).unwrap();
        assert!(last.is_none());
        records.iter().for_each(|record| writer.entry(record).unwrap());
        assert_eq!(writer.finish().unwrap(), records.len() as u64);
        path
    }
}

fn read(path: &Path, side: Side) -> Result<Vec<RecoveryRecord>, RecoveryError> {
    Ok(file::read(path, Kind::Records, side)?.1)
}

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
    // Another public key above the same private key.
    let text = fs::read_to_string(&path).unwrap();
    let strange = OpeningKey::generate().unwrap().public().to_string();
    let changed = text.replace(&public.key.to_string(), &strange);
    fs::write(desk.path("changed.pem"), changed).unwrap();
    let changed = key::open(&desk.path("changed.pem"), &passphrase, Side::Endpoint);
    assert!(matches!(changed, Err(RecoveryError::Passphrase(_))), "{changed:?}");
}

#[test]
fn incomplete_or_changed_file_is_refused() {
    let desk = Desk::new();
    let records: Vec<_> = (1..=3).map(|number| desk.records(number, 1)[0].clone()).collect();
    let path = desk.file("records", Side::Endpoint, &records);
    assert_eq!(read(&path, Side::Endpoint).unwrap(), records);
    let wrong = read(&path, Side::Cosigner);
    assert!(matches!(wrong, Err(RecoveryError::WrongSide { .. })), "{wrong:?}");
    let halves = file::read::<TransportedHalf>(&path, Kind::Halves, Side::Endpoint);
    assert!(halves.unwrap_err().to_string().contains("another kind"));
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let cut = desk.path("cut");
    fs::write(&cut, lines[..lines.len() - 1].concat()).unwrap();
    assert!(read(&cut, Side::Endpoint).unwrap_err().to_string().contains("incomplete"));
    for (name, changed) in [
        ("left out", [lines[0], lines[1], lines[3], lines[4]].concat()),
        ("swapped", [lines[0], lines[2], lines[1], lines[3], lines[4]].concat()),
        ("edited", text.replacen("acme", "acmf", 1)),
    ] {
        fs::write(&cut, changed).unwrap();
        let cause = read(&cut, Side::Endpoint).unwrap_err().to_string();
        assert!(cause.contains("changed"), "{name}: {cause}");
    }
    fs::write(&cut, text.replacen("\"version\":1", "\"version\":2", 1)).unwrap();
    assert!(read(&cut, Side::Endpoint).unwrap_err().to_string().contains("version 1"));
}

#[test]
fn interrupted_file_is_continued_after_its_last_whole_line() {
    let desk = Desk::new();
    let records: Vec<_> = (1..=3).map(|number| desk.records(number, 1)[0].clone()).collect();
    let path = desk.path("records");
    let header = Header::new(Kind::Records, Side::Endpoint, NOW_MS);
    let (mut writer, _) = Writer::open::<RecoveryRecord>(&path, &header).unwrap();
    records[..2].iter().for_each(|record| writer.entry(record).unwrap());
    drop(writer);
    let part = desk.path("records.part");
    let torn = fs::read_to_string(&part).unwrap();
    fs::write(&part, &torn[..torn.len() - 40]).unwrap();
    let other = Header::new(Kind::Records, Side::Cosigner, NOW_MS);
    assert!(Writer::open::<RecoveryRecord>(&path, &other).is_err());
    let later = Header::new(Kind::Records, Side::Endpoint, NOW_MS + 1);
    let (mut writer, last) = Writer::open::<RecoveryRecord>(&path, &later).unwrap();
    assert_eq!(last.as_ref(), Some(&records[0]));
    records[1..].iter().for_each(|record| writer.entry(record).unwrap());
    assert_eq!(writer.finish().unwrap(), 3);
    assert_eq!(read(&path, Side::Endpoint).unwrap(), records);
    assert!(!part.exists());
    assert!(matches!(
        Writer::open::<RecoveryRecord>(&path, &header),
        Err(RecoveryError::Exists(_))
    ));
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
}

#[test]
fn open_takes_the_newest_pair_and_needs_the_fingerprint() {
    let desk = Desk::new();
    let (old, new, lone) = (desk.records(1, 1), desk.records(1, 2), desk.records(2, 5));
    let own = vec![old[0].clone(), new[0].clone(), lone[0].clone()];
    // The other side has the old version, the new one, and one more that this side lacks.
    let other = vec![old[1].clone(), new[1].clone(), desk.records(1, 3)[1].clone()];
    let stack = OpeningKey::generate().unwrap();
    let to = Transport {
        side: Side::Endpoint,
        public_key: *stack.public(),
        sealed: "sealed".to_owned(),
        created_at_ms: NOW_MS,
    };
    let (path, [key, _]) = (desk.path("halves"), &desk.keys);
    let wrong = transport::open(key, (&own, &other), (&to, "0123"), (&path, NOW_MS), |_, _| {});
    assert!(matches!(wrong, Err(RecoveryError::Fingerprint { .. })), "{wrong:?}");
    let shown = transport::grouped(&stack.public().id());
    let opened = transport::open(key, (&own, &other), (&to, &shown), (&path, NOW_MS), |_, _| {});
    let opened = opened.unwrap();
    assert_eq!((opened.halves, opened.alone), (1, vec![lone[0].wallet_id]));
    let (header, halves) =
        file::read::<TransportedHalf>(&path, Kind::Halves, Side::Endpoint).unwrap();
    assert_eq!(header.transport, Some(stack.public().id()));
    assert_eq!(halves[0].record, new[0]);
    let half = halves[0].record.open_transported(&stack, &halves[0].half).unwrap();
    assert!(new[0].hollow(&half).unwrap().is_hollow());
    // Another stack's key, and a half under another record.
    let strange = OpeningKey::generate().unwrap();
    assert!(halves[0].record.open_transported(&strange, &halves[0].half).is_err());
    assert!(old[0].open_transported(&stack, &halves[0].half).is_err());
    let file = desk.path("transport");
    transport::write(&file, &to).unwrap();
    assert_eq!(transport::read(&file, Side::Endpoint, NOW_MS).unwrap(), to);
    assert!(transport::read(&file, Side::Cosigner, NOW_MS).is_err());
    let week = 7 * 24 * 60 * 60 * 1_000;
    let expired = transport::read(&file, Side::Endpoint, NOW_MS + week + 1);
    assert!(matches!(expired, Err(RecoveryError::TransportExpired)), "{expired:?}");
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
    let address = wallet::combine((one, &own), (two, &other), &named, to, &random).unwrap();
    assert_eq!(address, new[0].address);
    let store: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let key = unlocked(&store, &passphrase);
    assert_eq!(key[24..], 77_u64.to_be_bytes());
    assert_eq!(AgentKey::from_bytes(&key).unwrap().address(), address);
    let absent: WalletRef = "user_78".parse().unwrap();
    let to = (desk.path("none"), secret("of the keystore"));
    let to = (to.0.as_path(), &to.1);
    let none = wallet::combine((one, &own), (two, &other), &absent, to, &random);
    assert!(matches!(none, Err(RecoveryError::NoPair(_))), "{none:?}");
    // A record whose ciphertext came from another wallet.
    let mut moved = other.clone();
    moved[0].sealed = desk.records(5, 2)[1].sealed.clone();
    let wrong = wallet::combine((one, &own), (two, &moved), &named, to, &random);
    assert!(matches!(wrong, Err(RecoveryError::Record { .. })), "{wrong:?}");
    assert!(!to.0.exists());
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
