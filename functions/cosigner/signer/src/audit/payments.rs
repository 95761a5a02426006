//! The signed payments of a verified chain, each with the policy that allowed it.

use std::collections::hash_map::Entry as Place;
use std::collections::{HashMap, HashSet};

use domain::eth::{Address, Signature};
use domain::money::{Chains, Form, Payment, PaymentId};
use protocol::{WalletKey, confirm_digest};

use super::verify::Fault;
use super::{AllowedPayment, Decision, Entry, Record, hex};

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

/// An export of this party's half, with the policy that allowed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExportedHalf {
    /// The partition of the wallet.
    pub partition: String,
    /// The record.
    pub seq: u64,
    /// Its time, Unix milliseconds.
    pub at_ms: u64,
    /// The wallet and the version of its shares.
    pub key: WalletKey,
    /// The change that allowed it.
    pub change: u64,
    /// The id of the recipient's key.
    pub recipient: String,
    /// The last record of the tenant's policy chain: its number and hash.
    pub policy: (u64, String),
}

impl std::fmt::Display for ExportedHalf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seq, key, change, recipient, policy: (policy_seq, hash), .. } = self;
        write!(
            f,
            "record {seq}: half of share version {} exported to key {recipient}, allowed by change \
             {change} under policy record {policy_seq} ({hash})",
            key.key_version,
        )
    }
}

/// The payments, exports and recoveries of a chain.
#[derive(Default)]
pub(super) struct Payments {
    pub(super) signed: Vec<SignedPayment>,
    pub(super) exported: Vec<ExportedHalf>,
    /// The records that restored a share.
    pub(super) recovered: Vec<u64>,
    pub(super) faults: Vec<(String, Fault)>,
}

/// A payment whose record has been read.
struct Known {
    /// The number of the record that allowed it.
    seq: u64,
    allowed: Box<AllowedPayment>,
    /// The digests that may be signed.
    digests: Vec<String>,
    signatures: Vec<Signature>,
}

/// Finds the signed payments of a chain's records, in their order. A signature without a record
/// that allowed its payment and its digest is a fault, and so is one that is not the wallet's.
pub(super) fn signed<'a>(partition: &str, records: impl Iterator<Item = &'a Record>) -> Payments {
    let mut found = Payments::default();
    let mut known: HashMap<PaymentId, Known> = HashMap::new();
    let (mut wallet, mut allowed) = (None, HashSet::new());
    for record in records {
        // An unreadable record is a fault of its own.
        let Ok(entry) = serde_json::from_str::<Entry>(&record.body) else { continue };
        let (seq, key) = (record.seq, entry.key());
        let mut fault = None;
        match entry.decision {
            Decision::KeyMade { address } => wallet = Some(address),
            // In a new table, the chain begins with it.
            Decision::ShareRecovered { address } => {
                found.recovered.push(seq);
                let is_other = wallet.replace(address).is_some_and(|known| known != address);
                fault = is_other.then_some(Fault::RecoveredOther(seq));
            }
            Decision::HalfExported { change, recipient, policy_seq, policy_hash } => {
                found.exported.push(ExportedHalf {
                    partition: partition.to_owned(),
                    seq,
                    at_ms: entry.at_ms,
                    key,
                    change,
                    recipient,
                    policy: (policy_seq, policy_hash),
                });
            }
            // Nothing else may be signed in the name of an intent or of a trial.
            Decision::Allowed { intent, digest } => {
                let is_its_own = digest == hex(&intent.digest());
                fault = (!is_its_own).then_some(Fault::SignedNotAllowed(seq));
                allowed.extend(is_its_own.then_some(digest));
            }
            Decision::TrialAllowed { digest } => {
                let is_its_own = trial_digest(&key, &entry.session).as_ref() == Some(&digest);
                fault = (!is_its_own).then_some(Fault::SignedNotAllowed(seq));
                allowed.extend(is_its_own.then_some(digest));
            }
            Decision::Signed { digest, signature }
            | Decision::SharesTried { digest, signature } => {
                let is_wallets = is_signed_by(wallet, &digest, signature);
                let is_valid = is_wallets && allowed.contains(&digest);
                fault = (!is_valid).then_some(Fault::SignedNotAllowed(seq));
            }
            Decision::PaymentAllowed(payment) => {
                let (id, digests) = (payment.id.clone(), vec![payment.digest.clone()]);
                let replaced = payment.replaces.as_ref().map(|id| known.get(id));
                let may_replace = |other: &Known| other.may_be_replaced_by(&payment.payment);
                let is_wrong = replaced.is_some_and(|other| !other.is_some_and(may_replace));
                match known.entry(id) {
                    // The first record stays.
                    Place::Occupied(_) => fault = Some(Fault::PaymentTwice(seq)),
                    Place::Vacant(_) if is_wrong => fault = Some(Fault::PaymentNotAllowed(seq)),
                    Place::Vacant(place) => {
                        let signatures = Vec::new();
                        place.insert(Known { seq, allowed: payment, digests, signatures });
                    }
                }
            }
            Decision::PaymentResumed { id, digest } => {
                if let Some(known) = known.get_mut(&id) {
                    known.digests.push(digest);
                }
            }
            Decision::PaymentSigned { id, digest, signature } => {
                let known = known.get_mut(&id);
                match known.and_then(|known| known.signed(wallet, &digest, signature)) {
                    Some(allowed) => found.signed.push(SignedPayment {
                        partition: partition.to_owned(),
                        seq,
                        allowed,
                    }),
                    None => fault = Some(Fault::PaymentNotAllowed(seq)),
                }
            }
            _ => {}
        }
        found.faults.extend(fault.map(|fault| (partition.to_owned(), fault)));
    }
    found
}

/// Returns the digest of a trial of new shares.
fn trial_digest(key: &WalletKey, session: &str) -> Option<String> {
    let session = hex::decode(session).ok()?.try_into().ok()?;
    Some(hex(&confirm_digest(key, session)))
}

/// Returns whether a signature of a digest is the wallet's.
fn is_signed_by(wallet: Option<Address>, digest: &str, signature: String) -> bool {
    let signature = Signature::try_from(signature).ok();
    let digest = hex::decode(digest).ok().and_then(|digest| digest.try_into().ok());
    let signer = signature.zip(digest).and_then(|(it, digest)| it.recover(&digest).ok());
    signer.is_some() && signer == wallet
}

impl Known {
    /// Returns whether a payment may take its account's nonce and count less: at most one of the two
    /// is mined.
    fn may_be_replaced_by(&self, payment: &Payment) -> bool {
        match (&self.allowed.payment, payment) {
            (Payment::EvmTokenTransfer(old), Payment::EvmTokenTransfer(new)) => {
                let is_same_nonce =
                    old.chain_id == new.chain_id && old.account_nonce == new.account_nonce;
                is_same_nonce && (new.is_cancellation() || new.is_same_but_for_gas(old))
            }
            _ => false,
        }
    }

    /// Checks the next signature of the payment. Returns `None` when it is not one.
    fn signed(
        &mut self,
        wallet: Option<Address>,
        digest: &str,
        signature: String,
    ) -> Option<(u64, Box<AllowedPayment>)> {
        let AllowedPayment { payment, nonces, networks, .. } = &*self.allowed;
        let is_next = self.signatures.len() < usize::from(payment.steps());
        if !is_next || !self.digests.iter().any(|known| known == digest) {
            return None;
        }
        let signature = Signature::try_from(signature).ok()?;
        let ([hyperliquid, aster], wallet) = ((*networks)?, wallet?);
        let chains = Chains { hyperliquid, aster };
        let form = Form { payment, wallet, chains, nonces: (*nonces)? };
        let made = form.digest(&self.signatures)?;
        if hex(&made) != digest || signature.recover(&made).ok()? != wallet {
            return None;
        }
        self.signatures.push(signature);
        Some((self.seq, self.allowed.clone()))
    }
}
