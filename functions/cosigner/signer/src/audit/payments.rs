//! The signed payments of a verified chain, each with the policy that allowed it.

use std::collections::HashMap;

use domain::money::PaymentId;

use super::verify::Fault;
use super::{AllowedPayment, Decision, Entry, Record};

/// A signature of a payment, with the record that allowed the payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedPayment {
    /// The partition of the wallet.
    pub partition: String,
    /// The record of the signature.
    pub seq: u64,
    /// The record that allowed the payment, and its content.
    pub allowed: (u64, Box<AllowedPayment>),
}

impl std::fmt::Display for SignedPayment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seq, allowed) = &self.allowed;
        let AllowedPayment { id, payment, policy_seq, policy_hash, .. } = &**allowed;
        write!(
            f,
            "record {}: payment {id}, {} of {}, allowed by record {seq} under policy record \
             {policy_seq} ({policy_hash})",
            self.seq,
            payment.name(),
            payment.amount(),
        )?;
        if let Some(change) = allowed.destination_change {
            write!(f, ", destination of change {change}")?;
        }
        if !allowed.limit_changes.is_empty() {
            let changes: Vec<String> = allowed.limit_changes.iter().map(u64::to_string).collect();
            write!(f, ", limits of change {}", changes.join(" and "))?;
        }
        if !allowed.approvers.is_empty() {
            write!(f, ", approved by {}", allowed.approvers.join(" and "))?;
        }
        Ok(())
    }
}

/// The payments of a chain.
#[derive(Default)]
pub(super) struct Payments {
    pub(super) signed: Vec<SignedPayment>,
    pub(super) faults: Vec<(String, Fault)>,
}

/// Finds the signed payments of a chain's records, in their order. A signature without a record
/// that allowed its payment and its digest is a fault.
pub(super) fn signed<'a>(partition: &str, records: impl Iterator<Item = &'a Record>) -> Payments {
    let mut found = Payments::default();
    let mut allowed: HashMap<PaymentId, (u64, Box<AllowedPayment>)> = HashMap::new();
    let mut digests: HashMap<PaymentId, Vec<String>> = HashMap::new();
    for record in records {
        // An unreadable record is a fault of its own.
        let Ok(entry) = serde_json::from_str::<Entry>(&record.body) else { continue };
        match entry.decision {
            Decision::PaymentAllowed(payment) => {
                digests.entry(payment.id.clone()).or_default().push(payment.digest.clone());
                allowed.insert(payment.id.clone(), (record.seq, payment));
            }
            Decision::PaymentResumed { id, digest } => digests.entry(id).or_default().push(digest),
            Decision::PaymentSigned { id, digest, .. } => match allowed.get(&id) {
                Some(known) if digests.get(&id).is_some_and(|known| known.contains(&digest)) => {
                    found.signed.push(SignedPayment {
                        partition: partition.to_owned(),
                        seq: record.seq,
                        allowed: known.clone(),
                    });
                }
                _ => {
                    let fault = Fault::PaymentNotAllowed(record.seq);
                    found.faults.push((partition.to_owned(), fault));
                }
            },
            _ => {}
        }
    }
    found
}
