//! `recovery verify`: opens every record, and checks it against the other side and a list of
//! wallets.

use std::collections::{BTreeMap, BTreeSet};

use domain::eth::Address;
use protocol::WalletKey;
use protocol::recovery::{RecordError, RecoveryRecord};
use uuid::Uuid;

use crate::error::RecoveryError;
use crate::key::PrivateKey;

/// A fault of a record or of the set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The record itself.
    Record(Uuid, u32, RecordError),
    /// The record and the one of the other side.
    Pair(Uuid, u32, RecordError),
    /// No version of the wallet has a record of both sides.
    NoPair(Uuid),
    /// The file has more than one record of this version.
    Duplicate(Uuid, u32),
    /// Records of both sides are encrypted to one key, which has this id.
    SharedKey(String),
    /// The file has no records at all.
    Empty,
    /// A wallet of the list has no record.
    Missing(Address),
    /// A wallet with a record is not in the list.
    Unlisted(Address),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record(id, version, error) => write!(f, "{id} version {version}: {error}"),
            Self::Pair(id, version, error) => {
                write!(f, "{id} version {version}, with the other side: {error}")
            }
            Self::NoPair(id) => write!(f, "{id}: no version has a record of both sides"),
            Self::Duplicate(id, version) => {
                write!(f, "{id} version {version}: the file has more than one record")
            }
            Self::SharedKey(id) => {
                write!(f, "records of both sides are encrypted to the key {id}: replace a key")
            }
            Self::Empty => f.write_str("the file has no records"),
            Self::Missing(address) => write!(f, "{address}: in the list, and without a record"),
            Self::Unlisted(address) => write!(f, "{address}: has a record, and is not in the list"),
        }
    }
}

/// The result of a verification.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Records.
    pub records: u64,
    /// Wallets.
    pub wallets: u64,
    /// Records that opened and fit.
    pub good: u64,
    /// The faults.
    pub faults: Vec<Fault>,
}

/// Opens every record of a side, and compares them with the other side's records and an independent
/// list of addresses, if given. A set without records has the fault [`Fault::Empty`]. `progress`
/// gets the number of records that are done.
///
/// # Errors
/// Fails when no record is encrypted to the key.
pub fn verify(
    key: &PrivateKey,
    records: &[RecoveryRecord],
    other: Option<&[RecoveryRecord]>,
    listed: Option<&BTreeSet<Address>>,
    mut progress: impl FnMut(u64),
) -> Result<Report, RecoveryError> {
    let mut report = Report { records: records.len() as u64, ..Report::default() };
    let mut strange = 0;
    for record in records {
        match checked(key, record) {
            Ok(()) => report.good += 1,
            Err(error) => {
                strange += u64::from(error == RecordError::OtherKey);
                report.faults.push(Fault::Record(record.wallet_id, record.key_version, error));
            }
        }
        progress(report.good + report.faults.len() as u64);
    }
    if strange == report.records && strange > 0 {
        return Err(RecoveryError::WrongKey(key.key.public().id()));
    }
    if records.is_empty() {
        report.faults.push(Fault::Empty);
    }
    report.faults.extend(duplicates(records));
    let wallets: BTreeSet<Uuid> = records.iter().map(|record| record.wallet_id).collect();
    report.wallets = wallets.len() as u64;
    if let Some(other) = other {
        report.faults.extend(pair_faults(records, other));
        let ids = |records: &[RecoveryRecord]| -> BTreeSet<String> {
            records.iter().flat_map(|it| &it.sealed).map(|it| it.key_id.clone()).collect()
        };
        let mut own = ids(records);
        own.insert(key.key.public().id());
        report.faults.extend(own.intersection(&ids(other)).cloned().map(Fault::SharedKey));
    }
    if let Some(listed) = listed {
        let found: BTreeSet<Address> = records.iter().map(|record| record.address).collect();
        report.faults.extend(listed.difference(&found).map(|address| Fault::Missing(*address)));
        report.faults.extend(found.difference(listed).map(|address| Fault::Unlisted(*address)));
    }
    Ok(report)
}

fn checked(key: &PrivateKey, record: &RecoveryRecord) -> Result<(), RecordError> {
    record.check()?;
    if record.side != key.side {
        return Err(RecordError::NotAPair);
    }
    record.open(&key.key).map(|_| ())
}

/// Returns the fault of each version that has more than one record.
fn duplicates(records: &[RecoveryRecord]) -> Vec<Fault> {
    let (mut known, mut reported) = (BTreeSet::new(), BTreeSet::new());
    let again = |record: &&RecoveryRecord| {
        let name = name(&record.key());
        !known.insert(name.clone()) && reported.insert(name)
    };
    let again = records.iter().filter(again);
    again.map(|record| Fault::Duplicate(record.wallet_id, record.key_version)).collect()
}

/// Returns the faults between two sides: pairs that do not fit, and wallets without a pair.
fn pair_faults(records: &[RecoveryRecord], other: &[RecoveryRecord]) -> Vec<Fault> {
    let others = by_version(other);
    let mut faults = Vec::new();
    let mut paired = BTreeSet::new();
    for record in records {
        let Some(counterpart) = others.get(&name(&record.key())) else { continue };
        match record.check_pair(counterpart) {
            Ok(()) => {
                paired.insert(record.wallet_id);
            }
            Err(error) => {
                faults.push(Fault::Pair(record.wallet_id, record.key_version, error));
            }
        }
    }
    let all = records.iter().chain(other).map(|record| record.wallet_id);
    let alone: BTreeSet<Uuid> = all.filter(|id| !paired.contains(id)).collect();
    faults.extend(alone.into_iter().map(Fault::NoPair));
    faults
}

type Name = (String, Uuid, u32);

fn name(key: &WalletKey) -> Name {
    (key.tenant.to_string(), key.wallet_id, key.key_version)
}

fn by_version(records: &[RecoveryRecord]) -> BTreeMap<Name, &RecoveryRecord> {
    records.iter().map(|record| (name(&record.key()), record)).collect()
}

/// A wallet: its tenant and its walletId.
pub(crate) type Wallet = (String, Uuid);

pub(crate) fn wallet_of(record: &RecoveryRecord) -> Wallet {
    (record.tenant.to_string(), record.wallet_id)
}

/// The records of a side that have a counterpart.
pub(crate) struct Pairs<'a> {
    /// Each wallet's records whose version the other side has too and that fit it, the newest
    /// first.
    pub(crate) wallets: BTreeMap<Wallet, Vec<&'a RecoveryRecord>>,
    /// The wallets without such a record, also those that only the other side knows.
    pub(crate) alone: Vec<Uuid>,
}

/// Finds the counterpart of each record.
pub(crate) fn pairs<'a>(records: &'a [RecoveryRecord], other: &[RecoveryRecord]) -> Pairs<'a> {
    let others = by_version(other);
    let mut wallets: BTreeMap<Wallet, Vec<&RecoveryRecord>> = BTreeMap::new();
    for record in records {
        let paired = wallets.entry(wallet_of(record)).or_default();
        let counterpart = others.get(&name(&record.key()));
        if counterpart.is_some_and(|other| record.check_pair(other).is_ok()) {
            paired.push(record);
        }
    }
    for record in other {
        wallets.entry(wallet_of(record)).or_default();
    }
    let alone = wallets.iter().filter(|(_, paired)| paired.is_empty());
    let alone = alone.map(|((_, wallet_id), _)| *wallet_id).collect();
    wallets.retain(|_, paired| !paired.is_empty());
    for paired in wallets.values_mut() {
        paired.sort_by_key(|record| std::cmp::Reverse(record.key_version));
    }
    Pairs { wallets, alone }
}
