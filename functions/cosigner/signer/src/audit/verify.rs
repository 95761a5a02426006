//! Verification of the audit log, from the table or from an export. Finds and names gaps, edits,
//! reorderings and cut ends.

use std::collections::BTreeMap;
use std::ops::Range;

use domain::ids::Tenant;
use platform::items::{Item, from_item};
use serde::Deserialize;

use super::append::head_of;
use super::covers::{covers, covers_export};
use super::payments;
pub use super::payments::{ExportedHalf, SignedPayment};
use super::{Entry, GENESIS, Head, Record, link};
pub use crate::policy_chain::PolicyOrigin;
use crate::policy_chain::{self, History, replay};

/// A fault in a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Records are missing: the first and the last missing number.
    Gap(u64, u64),
    /// The record's content does not match its hash.
    Edited(u64),
    /// The record does not follow the record before it.
    Reordered(u64),
    /// The chain ends before its head: the last record, and the head's number.
    CutOff(u64, u64),
    /// The chain continues after its head, or ends in a different record.
    HeadDiffers(u64),
    /// Records exist without a head.
    NoHead,
    /// A seal covers the chain up to this record, but no item of it exists.
    Gone(u64),
    /// A seal contains the record, but the record is missing.
    SealedMissing(u64),
    /// A seal contains a different record at this position.
    Rewritten(u64),
    /// The record is older than seals that do not contain it: it was inserted later.
    NotSealed(u64),
    /// The rules of the policy chain do not allow the record; 0 for the head.
    PolicyRefused(u64, String),
    /// A payment's record names a policy that the tenant's policy chain does not confirm.
    PaymentPolicy(u64, String),
    /// A payment was signed without a record that allows this digest.
    PaymentNotAllowed(u64),
    /// A payment was allowed a second time, and would have other content or be counted elsewhere.
    PaymentTwice(u64),
    /// An intent was signed without a record that allows this digest.
    SignedNotAllowed(u64),
    /// A share of another address was restored.
    RecoveredOther(u64),
    /// An export's record names a policy that the tenant's policy chain does not confirm.
    ExportPolicy(u64, String),
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
            Self::Rewritten(seq) => write!(f, "record {seq} differs from the sealed record"),
            Self::NotSealed(seq) => {
                write!(f, "record {seq} is older than seals that do not have it")
            }
            Self::PolicyRefused(0, cause) => f.write_str(cause),
            Self::PolicyRefused(seq, cause) => {
                write!(f, "policy record {seq} is not allowed: {cause}")
            }
            Self::PaymentPolicy(seq, cause) => {
                write!(f, "record {seq} allows a payment under another policy: {cause}")
            }
            Self::PaymentNotAllowed(seq) => {
                write!(f, "record {seq} signs a payment that no record before it allows")
            }
            Self::PaymentTwice(seq) => write!(f, "record {seq} allows a payment a second time"),
            Self::SignedNotAllowed(seq) => {
                write!(f, "record {seq} signs a digest that no record before it allows")
            }
            Self::RecoveredOther(seq) => {
                write!(f, "record {seq} restores a share of another address")
            }
            Self::ExportPolicy(seq, cause) => {
                write!(f, "record {seq} exports a half without permission: {cause}")
            }
            Self::Unreadable(cause) => write!(f, "an item cannot be read: {cause}"),
        }
    }
}

/// Result of the verification.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Number of chains, one for each wallet and one for each tenant's policy.
    pub chains: u64,
    /// Number of records.
    pub records: u64,
    /// The faults found, each with the partition of the wallet or policy.
    pub faults: Vec<(String, Fault)>,
    /// The signed payments, each with the policy that allowed it.
    pub payments: Vec<SignedPayment>,
    /// The exported halves, each with the policy that allowed it.
    pub exports: Vec<ExportedHalf>,
    /// The records that restored a share, each with the partition of the wallet. Compare them with the
    /// recoveries that took place: a chain can begin with one.
    pub recovered: Vec<(String, u64)>,
    /// What the policy chains state about their deployment. Records cannot prove it: compare it with
    /// the deployment's own settings.
    pub origins: Vec<PolicyOrigin>,
}

/// Collects the items of the cosigner's table in any order, and verifies their chains.
#[derive(Debug, Default)]
pub struct Verifier {
    chains: BTreeMap<String, Chain>,
    unreadable: Vec<(String, Fault)>,
    /// All records of this time range must be sealed.
    sealed_ms: Option<Range<u64>>,
}

#[derive(Debug, Default)]
struct Chain {
    head: Option<Head>,
    /// The head of a policy chain, with its state.
    policy: Option<policy_chain::Chain>,
    records: BTreeMap<u64, Record>,
    /// Hashes of records in verified seals.
    sealed: BTreeMap<u64, String>,
}

/// One line of a table export in DynamoDB's JSON.
#[derive(Deserialize)]
struct Exported {
    #[serde(rename = "Item")]
    item: serde_dynamo::Item,
}

/// Parses one line of an export: `{"Item":{…}}`.
///
/// # Errors
/// Fails when the line has a different form.
pub fn exported(line: &str) -> Result<Item, Fault> {
    match serde_json::from_str::<Exported>(line) {
        Ok(exported) => Ok(exported.item.into()),
        Err(error) => Err(Fault::Unreadable(format!("not a line of an export: {error}"))),
    }
}

impl Verifier {
    /// Adds one line of an export: `{"Item":{…}}`.
    pub fn line(&mut self, line: &str) {
        match exported(line) {
            Ok(item) => self.item(item),
            Err(fault) => self.unreadable.push((String::new(), fault)),
        }
    }

    /// Adds one item of the table. Ignores items that do not belong to the audit log.
    pub fn item(&mut self, item: Item) {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        let (Some(partition), Some(sort)) = (text("pk"), text("sk")) else { return };
        let (head, records) =
            if is_policy(&partition) { ("head", "change#") } else { ("audit", "audit#") };
        if sort != head && !sort.starts_with(records) {
            return;
        }
        let chain = self.chains.entry(partition.clone()).or_default();
        let read = if sort == "head" {
            policy_chain::head_of(item).map_err(|error| error.to_string()).map(|policy| {
                let (seq, hash) = (policy.seq, policy.hash.clone());
                chain.head = Some(Head { seq, hash, ..Head::default() });
                chain.policy = Some(policy);
            })
        } else if sort == "audit" {
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

    /// Adds a head from a seal whose signature verified.
    pub fn sealed(&mut self, partition: &str, seq: u64, hash: &str) {
        let chain = self.chains.entry(partition.to_owned()).or_default();
        chain.sealed.insert(seq, hash.to_owned());
    }

    /// Requires that every record of this time range, in Unix milliseconds, is in a seal.
    pub fn all_sealed(&mut self, time: Range<u64>) {
        self.sealed_ms = Some(time);
    }

    /// Verifies the chains, and reports their faults.
    #[must_use]
    pub fn finish(self) -> Report {
        let mut report = Report { faults: self.unreadable, ..Report::default() };
        let mut policies: BTreeMap<String, History> = BTreeMap::new();
        let mut allowed_ms: Vec<Option<u64>> = Vec::new();
        for (partition, chain) in self.chains {
            report.chains += u64::from(!chain.records.is_empty() || chain.head.is_some());
            report.records += chain.records.len() as u64;
            let payments = payments::signed(&partition, chain.records.values());
            let at_ms = |payment: &SignedPayment| chain.at_ms(payment.allowed.0);
            allowed_ms.extend(payments.signed.iter().map(at_ms));
            report.payments.extend(payments.signed);
            report.exports.extend(payments.exported);
            let recovered = payments.recovered.into_iter().map(|seq| (partition.clone(), seq));
            report.recovered.extend(recovered);
            report.faults.extend(payments.faults);
            let mut faults = chain.faults(&partition);
            if is_policy(&partition) && faults.is_empty() {
                match replay(chain.records.values(), chain.policy.as_ref()) {
                    Ok((history, mut origins)) => {
                        origins.iter_mut().for_each(|it| it.partition.clone_from(&partition));
                        report.origins.extend(origins);
                        policies.insert(partition.clone(), history);
                    }
                    Err((seq, cause)) => faults.push(Fault::PolicyRefused(seq, cause)),
                }
            }
            faults.extend(chain.against_seals(self.sealed_ms.as_ref()));
            report.faults.extend(faults.into_iter().map(|fault| (partition.clone(), fault)));
        }
        let history_of = |partition: &str| {
            let tenant = partition.split('#').next().unwrap_or_default();
            policies.get(&format!("{tenant}#P"))
        };
        for export in &report.exports {
            if let Err(cause) = covers_export(history_of(&export.partition), export) {
                let fault = Fault::ExportPolicy(export.seq, cause);
                report.faults.push((export.partition.clone(), fault));
            }
        }
        for (payment, at_ms) in report.payments.iter().zip(allowed_ms) {
            let SignedPayment { partition, allowed: (seq, allowed), .. } = payment;
            let history = history_of(partition);
            if let Err(cause) = covers(history, allowed, at_ms.unwrap_or_default()) {
                report.faults.push((partition.clone(), Fault::PaymentPolicy(*seq, cause)));
            }
        }
        report
    }
}

impl Chain {
    /// Adds a record. Numbers start at 1 and are unique: a duplicate could hide another record.
    fn take(&mut self, record: Record) -> Result<(), String> {
        let seq = record.seq;
        if seq == 0 || seq == u64::MAX {
            return Err(format!("invalid record number {seq}"));
        }
        match self.records.insert(seq, record) {
            Some(_) => Err(format!("two records have the number {seq}")),
            None => Ok(()),
        }
    }

    /// Returns the time of a record, Unix milliseconds.
    fn at_ms(&self, seq: u64) -> Option<u64> {
        let record = self.records.get(&seq)?;
        serde_json::from_str::<Where>(&record.body).ok().map(|at| at.at_ms)
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
    /// Compares the chain with the seals in both directions.
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
            serde_json::from_str::<Where>(&record.body)
                .is_ok_and(|entry| sealed_ms.contains(&entry.at_ms))
        });
        faults.extend(left_out.map(|(seq, _)| Fault::NotSealed(*seq)));
        faults
    }
}

/// Returns whether a partition is that of a tenant's policy chain.
fn is_policy(partition: &str) -> bool {
    partition.ends_with("#P")
}

/// The position that a record's content names.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Where {
    seq: u64,
    at_ms: u64,
    tenant: Tenant,
}

/// Returns whether a record's content names this chain and this position.
fn says_where(record: &Record, partition: &str) -> bool {
    if is_policy(partition) {
        return serde_json::from_str::<Where>(&record.body)
            .is_ok_and(|at| at.seq == record.seq && format!("{}#P", at.tenant) == partition);
    }
    serde_json::from_str::<Entry>(&record.body).is_ok_and(|entry| {
        entry.seq == record.seq && format!("{}#W#{}", entry.tenant, entry.wallet_id) == partition
    })
}
