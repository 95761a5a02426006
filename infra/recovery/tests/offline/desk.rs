//! The desk of the holders: a directory, and a key of each side.

use std::fs;
use std::path::{Path, PathBuf};

use dkls23_k256::Scalar;
use dkls23_secp256k1::Party;
use dkls23_secp256k1::protocols::re_key::re_key;
use hyperdex_recovery::error::RecoveryError;
use hyperdex_recovery::file::{self, Header, Kind, Writer};
use hyperdex_recovery::key::PrivateKey;
use protocol::recovery::{OpeningKey, RecoveryKeys, RecoveryRecord, Side, Subject};
use protocol::{Curve, KeyShare, WalletKey, parameters};
use uuid::Uuid;
use zeroize::Zeroizing;

pub(crate) const NOW_MS: u64 = 1_795_406_234_446;

pub(crate) fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

/// A directory with a key of each side.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
    pub(crate) keys: [PrivateKey; 2],
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, keys: new_keys() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The names of all files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Both records of a wallet of the tenant `acme` whose private key is this number.
    pub(crate) fn records(&self, number: u64, version: u32) -> [RecoveryRecord; 2] {
        records_of("acme", &self.keys, number, version)
    }

    pub(crate) fn file(&self, name: &str, side: Side, records: &[RecoveryRecord]) -> PathBuf {
        let path = self.path(name);
        let header = Header::new(Kind::Records, side, NOW_MS);
        let (mut writer, last) = Writer::open::<RecoveryRecord>(&path, &header).unwrap();
        assert!(last.is_none());
        records.iter().for_each(|record| writer.entry(record).unwrap());
        assert_eq!(writer.finish().unwrap(), records.len() as u64);
        path
    }
}

/// Makes a recovery key of each side.
pub(crate) fn new_keys() -> [PrivateKey; 2] {
    [Side::Endpoint, Side::Cosigner]
        .map(|side| PrivateKey { side, key: OpeningKey::generate().unwrap() })
}

/// Both records of a wallet whose private key is this number.
pub(crate) fn records_of(
    tenant: &str,
    keys: &[PrivateKey; 2],
    number: u64,
    version: u32,
) -> [RecoveryRecord; 2] {
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
        let key = &keys[at];
        let recipients = RecoveryKeys::parse(&key.public().to_string(), key.side).unwrap();
        let subject = Subject {
            deployment: "test".to_owned(),
            key: WalletKey {
                tenant: tenant.parse().unwrap(),
                wallet_id: Uuid::from_u128(u128::from(number)),
                key_version: version,
            },
            user_id: (at == 0).then(|| format!("user_{number}").try_into().unwrap()),
            created_at_ms: NOW_MS,
        };
        RecoveryRecord::seal(&recipients, key.side, subject, &shares[at]).unwrap()
    })
}

/// Reads a file of records.
pub(crate) fn read(path: &Path, side: Side) -> Result<Vec<RecoveryRecord>, RecoveryError> {
    Ok(file::read(path, Kind::Records, side)?.1)
}
