//! Verifying the audit log, from the table or from an export of it: gaps, edits, reorderings and
//! cut ends are found and named.

use std::collections::BTreeMap;

use serde::Deserialize;
use shared::store::{Item, from_item};

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
}

#[derive(Debug, Default)]
struct Chain {
    head: Option<Head>,
    records: BTreeMap<u64, Record>,
}

/// One line of a table export in DynamoDB's JSON.
#[derive(Deserialize)]
struct Exported {
    #[serde(rename = "Item")]
    item: serde_dynamo::Item,
}

impl Verifier {
    /// Takes one line of an export: `{"Item":{…}}`.
    pub fn line(&mut self, line: &str) {
        match serde_json::from_str::<Exported>(line) {
            Ok(exported) => self.item(exported.item.into()),
            Err(error) => {
                let fault = Fault::Unreadable(format!("not a line of an export: {error}"));
                self.unreadable.push((String::new(), fault));
            }
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
            from_item("head", item).map(|head| chain.head = Some(head))
        } else {
            from_item::<Record>("record", item).map(|record| {
                chain.records.insert(record.seq, record);
            })
        };
        if let Err(error) = read {
            self.unreadable.push((partition, Fault::Unreadable(error.to_string())));
        }
    }

    /// What is wrong with the chains.
    #[must_use]
    pub fn finish(self) -> Report {
        let mut report = Report { faults: self.unreadable, ..Report::default() };
        for (partition, chain) in self.chains {
            report.chains += 1;
            report.records += chain.records.len() as u64;
            let faults = chain.faults(&partition);
            report.faults.extend(faults.into_iter().map(|fault| (partition.clone(), fault)));
        }
        report
    }
}

impl Chain {
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

/// Whether a record says that it is where it is: of this wallet, and at this place.
fn says_where(record: &Record, partition: &str) -> bool {
    serde_json::from_str::<Entry>(&record.body).is_ok_and(|entry| {
        entry.seq == record.seq && format!("{}#W#{}", entry.tenant, entry.wallet_id) == partition
    })
}
