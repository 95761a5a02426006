//! Verification of seals with the public key alone.

use std::collections::BTreeMap;
use std::ops::Range;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::items::{Item, from_item};

use crate::seal::{GENESIS, Head, Seal, Sealed, hash};
use crate::store::PARTITION;

/// Maximum time between a record and the seal that contains it: a day, plus a tolerance of a day.
const SLACK_MS: u64 = 2 * 24 * 60 * 60 * 1_000;

/// The public key that verifies seals.
#[derive(Clone, Debug)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Parses a `SubjectPublicKeyInfo` in DER or PEM. Returns `None` when it is neither.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let der = match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN PUBLIC KEY-----") => {
                let (_, rest) = text.split_once("-----BEGIN PUBLIC KEY-----")?;
                let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
                let body: String = body.split_whitespace().collect();
                STANDARD.decode(body).ok()?
            }
            _ => bytes.to_vec(),
        };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &der).parse().ok().map(|_| Self(der))
    }

    fn signed(&self, sealed: &Sealed) -> bool {
        let Ok(signature) = hex::decode(&sealed.signature) else { return false };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0)
            .verify(sealed.statement().as_bytes(), &signature)
            .is_ok()
    }
}

/// A fault in the seals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SealFault {
    /// No seals exist.
    None,
    /// Seals are missing: the first and the last missing number.
    Missing(u64, u64),
    /// The signature does not verify with the key.
    Signature(u64),
    /// The seal's content does not match its hash.
    Edited(u64),
    /// The seal does not follow the seal before it.
    Reordered(u64),
    /// The item cannot be read.
    Unreadable(String),
}

impl std::fmt::Display for SealFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("there are no seals"),
            Self::Missing(first, last) if first == last => write!(f, "seal {first} is missing"),
            Self::Missing(first, last) => write!(f, "seals {first} to {last} are missing"),
            Self::Signature(number) => {
                write!(f, "seal {number} does not have the signature of this key")
            }
            Self::Edited(number) => write!(f, "seal {number} was edited: its hash is another"),
            Self::Reordered(number) => {
                write!(f, "seal {number} does not follow the seal before it")
            }
            Self::Unreadable(cause) => write!(f, "a seal cannot be read: {cause}"),
        }
    }
}

/// Result of the verification.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Proven {
    /// Seals whose signature verified.
    pub seals: u64,
    /// Creation time of the last verified seal, Unix milliseconds.
    pub last_ms: Option<u64>,
    /// The heads in those seals.
    pub heads: Vec<Head>,
    /// The time range, in Unix milliseconds, whose records must all be in the seals. `None` after
    /// faults, or without a complete run.
    pub covered_ms: Option<Range<u64>>,
    /// The faults found.
    pub faults: Vec<SealFault>,
}

/// Collects the seals among a table's items, and verifies them.
#[derive(Debug, Default)]
pub struct SealVerifier {
    seals: BTreeMap<u64, Sealed>,
    unreadable: Vec<SealFault>,
}

impl SealVerifier {
    /// Adds one item of the table. Ignores items that are not seals.
    pub fn item(&mut self, item: &Item) {
        if item.get("pk").and_then(|value| value.as_s().ok()).is_none_or(|pk| pk != PARTITION) {
            return;
        }
        match from_item::<Sealed>("seal", item.clone()) {
            Ok(sealed) if sealed.number == 0 || sealed.number == u64::MAX => {
                let cause = format!("invalid seal number {}", sealed.number);
                self.unreadable.push(SealFault::Unreadable(cause));
            }
            Ok(sealed) => {
                let number = sealed.number;
                if self.seals.insert(number, sealed).is_some() {
                    let cause = format!("two seals have the number {number}");
                    self.unreadable.push(SealFault::Unreadable(cause));
                }
            }
            Err(error) => self.unreadable.push(SealFault::Unreadable(error.to_string())),
        }
    }

    /// Verifies the seals with the key. A faulty seal proves nothing.
    #[must_use]
    pub fn finish(self, key: &PublicKey) -> Proven {
        let mut proven = Proven { faults: self.unreadable, ..Proven::default() };
        let (mut number, mut before) = (0, GENESIS);
        let (mut first_ms, mut until_ms) = (None, None);
        // When the run of the current seals began.
        let mut begun_ms = None;
        for sealed in self.seals.values() {
            if sealed.number != number + 1 {
                proven.faults.push(SealFault::Missing(number + 1, sealed.number - 1));
                begun_ms = None;
            }
            let follows = (sealed.number == number + 1).then_some(before);
            (number, before) = (sealed.number, &sealed.hash);
            let seal = match read(sealed, follows, key) {
                Ok(seal) => seal,
                Err(fault) => {
                    proven.faults.push(fault);
                    begun_ms = None;
                    continue;
                }
            };
            proven.seals += 1;
            proven.last_ms = Some(seal.at_ms);
            first_ms = first_ms.or(Some(seal.at_ms));
            let began = *begun_ms.get_or_insert(seal.at_ms);
            if seal.next.is_none() {
                until_ms = Some(began.saturating_sub(SLACK_MS));
                begun_ms = None;
            }
            proven.heads.extend(seal.heads);
        }
        if self.seals.is_empty() {
            proven.faults.push(SealFault::None);
        }
        if proven.faults.is_empty() {
            proven.covered_ms = first_ms.zip(until_ms).map(|(first, until)| first..until);
        }
        proven
    }
}

/// Parses a seal after checking its signature and its predecessor. `before` is `None` when the
/// seal before it is missing.
fn read(sealed: &Sealed, before: Option<&str>, key: &PublicKey) -> Result<Seal, SealFault> {
    let number = sealed.number;
    if hash(&sealed.body) != sealed.hash {
        return Err(SealFault::Edited(number));
    }
    if !key.signed(sealed) {
        return Err(SealFault::Signature(number));
    }
    let seal: Seal = serde_json::from_str(&sealed.body)
        .map_err(|error| SealFault::Unreadable(error.to_string()))?;
    if seal.number != number {
        return Err(SealFault::Edited(number));
    }
    if before.is_some_and(|before| seal.prev != before) {
        return Err(SealFault::Reordered(number));
    }
    Ok(seal)
}
