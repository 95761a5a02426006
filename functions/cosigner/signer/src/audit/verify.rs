//! Verifying the audit log, from the table or from an export of it: gaps, edits, reorderings and
//! cut ends are found and named.

use std::collections::BTreeMap;
use std::ops::Range;

use platform::items::{Item, from_item};
use serde::Deserialize;

use super::append::head_of;
use super::{Entry, GENESIS, Head, Record, link};

/// What is wrong with a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Records are missing: the first and the last of them.
    Gap(u64, u64),
    /// The record does not say what was hashed.
    Edited(u64),
    /// The record follows another than the one before it.
    Reordered(u64),
    /// The chain ends before its head does: the last record, and the head's.
    CutOff(u64, u64),
    /// The chain goes on after its head, or ends in another record.
    HeadDiffers(u64),
    /// There are records, and no head.
    NoHead,
    /// A seal has the chain up to this record, and there is nothing of it.
    Gone(u64),
    /// A seal has the record, and it is not there.
    SealedMissing(u64),
    /// A seal has another record in this place.
    Rewritten(u64),
    /// The record is older than seals that do not have it: it was put in later.
    NotSealed(u64),
    /// The item cannot be read.
    Unreadable(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gap(first, last) if first == last => write!(f, "record {first} is missing"),
            Self::Gap(first, last) => write!(f, "records {first} to {last} are missing"),
            Self::Edited(seq) => write!(f, "record {seq} was edited: its hash is another"),
            Self::Reordered(seq) => {
                write!(f, "record {seq} does not follow the record before it")
            }
            Self::CutOff(last, head) => {
                write!(f, "the chain is cut off after record {last}: its head is at {head}")
            }
            Self::HeadDiffers(seq) => write!(f, "the head is not that of record {seq}"),
            Self::NoHead => f.write_str("there are records, and no head"),
            Self::Gone(seq) => {
                write!(f, "the whole chain is gone; it was sealed up to record {seq}")
            }
            Self::SealedMissing(seq) => write!(f, "record {seq} was sealed, and is missing"),
            Self::Rewritten(seq) => write!(f, "record {seq} is not the one that was sealed"),
            Self::NotSealed(seq) => {
                write!(f, "record {seq} is older than seals that do not have it")
            }
            Self::Unreadable(cause) => write!(f, "an item cannot be read: {cause}"),
        }
    }
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Wallets with a chain.
    pub chains: u64,
    /// Records in them.
    pub records: u64,
    /// What is wrong, with the wallet's partition.
    pub faults: Vec<(String, Fault)>,
}

/// Collects the items of the cosigner's table, in any order, and verifies the chains among them.
#[derive(Debug, Default)]
pub struct Verifier {
    chains: BTreeMap<String, Chain>,
    unreadable: Vec<(String, Fault)>,
    /// Whatever was recorded in this time has been sealed.
    sealed_ms: Option<Range<u64>>,
}

#[derive(Debug, Default)]
struct Chain {
    head: Option<Head>,
    records: BTreeMap<u64, Record>,
    /// The hashes of records that are in verified seals.
    sealed: BTreeMap<u64, String>,
}

/// One line of a table export in DynamoDB's JSON.
#[derive(Deserialize)]
struct Exported {
    #[serde(rename = "Item")]
    item: serde_dynamo::Item,
}

/// Reads one line of an export: `{"Item":{…}}`.
///
/// # Errors
/// When it is none.
pub fn exported(line: &str) -> Result<Item, Fault> {
    match serde_json::from_str::<Exported>(line) {
        Ok(exported) => Ok(exported.item.into()),
        Err(error) => Err(Fault::Unreadable(format!("not a line of an export: {error}"))),
    }
}

impl Verifier {
    /// Takes one line of an export: `{"Item":{…}}`.
    pub fn line(&mut self, line: &str) {
        match exported(line) {
            Ok(item) => self.item(item),
            Err(fault) => self.unreadable.push((String::new(), fault)),
        }
    }

    /// Takes one item of the table; what is no audit item is left aside.
    pub fn item(&mut self, item: Item) {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        let (Some(partition), Some(sort)) = (text("pk"), text("sk")) else { return };
        if sort != "audit" && !sort.starts_with("audit#") {
            return;
        }
        let chain = self.chains.entry(partition.clone()).or_default();
        let read = if sort == "audit" {
            head_of(item).map_err(|error| error.to_string()).map(|head| {
                chain.head = Some(head);
            })
        } else {
            from_item::<Record>("record", item)
                .map_err(|error| error.to_string())
                .and_then(|record| chain.take(record))
        };
        if let Err(cause) = read {
            self.unreadable.push((partition, Fault::Unreadable(cause)));
        }
    }

    /// Takes a head from a seal whose signature was verified.
    pub fn sealed(&mut self, partition: &str, seq: u64, hash: &str) {
        let chain = self.chains.entry(partition.to_owned()).or_default();
        chain.sealed.insert(seq, hash.to_owned());
    }

    /// Whatever was recorded in this time, Unix milliseconds, has to be in a seal.
    pub fn all_sealed(&mut self, time: Range<u64>) {
        self.sealed_ms = Some(time);
    }

    /// What is wrong with the chains.
    #[must_use]
    pub fn finish(self) -> Report {
        let mut report = Report { faults: self.unreadable, ..Report::default() };
        for (partition, chain) in self.chains {
            report.chains += u64::from(!chain.records.is_empty() || chain.head.is_some());
            report.records += chain.records.len() as u64;
            let mut faults = chain.faults(&partition);
            faults.extend(chain.against_seals(self.sealed_ms.as_ref()));
            report.faults.extend(faults.into_iter().map(|fault| (partition.clone(), fault)));
        }
        report
    }
}

impl Chain {
    /// Takes a record. The first has the number 1, and no two have the same: one could hide the
    /// other.
    fn take(&mut self, record: Record) -> Result<(), String> {
        let seq = record.seq;
        if seq == 0 || seq == u64::MAX {
            return Err(format!("no record has the number {seq}"));
        }
        match self.records.insert(seq, record) {
            Some(_) => Err(format!("two records have the number {seq}")),
            None => Ok(()),
        }
    }

    fn faults(&self, partition: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let (mut seq, mut hash) = (0, GENESIS);
        for record in self.records.values() {
            let is_next = record.seq == seq + 1;
            if !is_next {
                faults.push(Fault::Gap(seq + 1, record.seq - 1));
            }
            if link(&record.prev, &record.body) != record.hash || !says_where(record, partition) {
                faults.push(Fault::Edited(record.seq));
            } else if is_next && record.prev != hash {
                faults.push(Fault::Reordered(record.seq));
            }
            (seq, hash) = (record.seq, &record.hash);
        }
        match &self.head {
            None if self.records.is_empty() => {}
            None => faults.push(Fault::NoHead),
            Some(head) if head.seq > seq => faults.push(Fault::CutOff(seq, head.seq)),
            Some(head) if head.seq < seq || head.hash != hash => {
                faults.push(Fault::HeadDiffers(seq));
            }
            Some(_) => {}
        }
        faults
    }
}

impl Chain {
    /// What the seals have, and this has not; or the other way round.
    fn against_seals(&self, sealed_ms: Option<&Range<u64>>) -> Vec<Fault> {
        let last = self.sealed.last_key_value().map_or(0, |(seq, _)| *seq);
        if last > 0 && self.records.is_empty() && self.head.is_none() {
            return vec![Fault::Gone(last)];
        }
        let mut faults = Vec::new();
        for (seq, hash) in &self.sealed {
            match self.records.get(seq) {
                None => faults.push(Fault::SealedMissing(*seq)),
                Some(record) if record.hash != *hash => faults.push(Fault::Rewritten(*seq)),
                Some(_) => {}
            }
        }
        let Some(sealed_ms) = sealed_ms else { return faults };
        let left_out = self.records.range(last.saturating_add(1)..).find(|(_, record)| {
            serde_json::from_str::<Entry>(&record.body)
                .is_ok_and(|entry| sealed_ms.contains(&entry.at_ms))
        });
        faults.extend(left_out.map(|(seq, _)| Fault::NotSealed(*seq)));
        faults
    }
}

/// Whether a record says that it is where it is: of this wallet, and at this place.
fn says_where(record: &Record, partition: &str) -> bool {
    serde_json::from_str::<Entry>(&record.body).is_ok_and(|entry| {
        entry.seq == record.seq && format!("{}#W#{}", entry.tenant, entry.wallet_id) == partition
    })
}
