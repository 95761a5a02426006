//! Keys of the local KMS. Each has its current material and all earlier ones. A ciphertext names
//! the material that made it. Nothing here deletes material.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use domain::random::Random;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::KmsError;

/// First byte of a ciphertext that names its material. Ciphertexts of earlier versions start with a
/// digit of the key's id.
const VERSIONED: u8 = 2;
/// Length of a key's id, a UUID in text.
const KEY_ID_BYTES: usize = 36;
const MATERIAL_ID_BYTES: usize = 32;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + MATERIAL_ID_BYTES;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The key and value pairs that a ciphertext is bound to.
pub(super) type Context = BTreeMap<String, String>;

/// Type of a rotation in `ListKeyRotations`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum RotationType {
    Automatic,
    OnDemand,
}

/// One material of a key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Material {
    /// 32 bytes of AES-256, in hex.
    key: Zeroizing<String>,
    /// Unix milliseconds.
    pub(super) created_at_ms: u64,
    /// `None` for the first material.
    pub(super) rotation: Option<RotationType>,
}

/// Schedule of automatic rotation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Schedule {
    pub(super) period_days: u64,
    /// Unix milliseconds.
    pub(super) next_at_ms: u64,
}

impl Schedule {
    pub(super) const fn from(period_days: u64, now_ms: u64) -> Self {
        Self { period_days, next_at_ms: now_ms + period_days * DAY_MS }
    }
}

/// A symmetric key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) description: String,
    /// Unix milliseconds.
    pub(super) created_at_ms: u64,
    pub(super) schedule: Option<Schedule>,
    /// Oldest first; never empty. The last one encrypts.
    pub(super) materials: Vec<Material>,
    /// Whether the first material decrypts ciphertexts without a material id, of versions without
    /// rotation.
    pub(super) opens_unversioned: bool,
}

impl Material {
    pub(super) fn draw(
        random: &Random,
        now_ms: u64,
        rotation: Option<RotationType>,
    ) -> Result<Self, KmsError> {
        let bytes = Zeroizing::new(random.bytes::<32>().map_err(|_| KmsError::Internal)?);
        Ok(Self::new(&bytes, now_ms, rotation))
    }

    pub(super) fn new(bytes: &[u8; 32], now_ms: u64, rotation: Option<RotationType>) -> Self {
        Self { key: Zeroizing::new(hex::encode(bytes)), created_at_ms: now_ms, rotation }
    }

    /// Returns whether the key is valid. Files are checked when they are read.
    pub(super) fn is_whole(&self) -> bool {
        self.bytes().is_some()
    }

    fn bytes(&self) -> Option<Zeroizing<[u8; 32]>> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(self.key.as_bytes(), bytes.as_mut_slice()).ok()?;
        Some(bytes)
    }

    /// Returns the material's id. It is derived from the bytes, so materials of earlier files have
    /// one.
    pub(super) fn id(&self, key_id: &str) -> [u8; MATERIAL_ID_BYTES] {
        let mut text = Zeroizing::new(b"hyperdex local KMS material\0".to_vec());
        text.extend_from_slice(key_id.as_bytes());
        text.extend_from_slice(self.key.as_bytes());
        let mut id = [0; MATERIAL_ID_BYTES];
        id.copy_from_slice(digest(&SHA256, &text).as_ref());
        id
    }

    fn cipher(&self) -> Result<LessSafeKey, KmsError> {
        let bytes = self.bytes().ok_or(KmsError::Internal)?;
        let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice());
        key.map(LessSafeKey::new).map_err(|_| KmsError::Internal)
    }
}

impl Key {
    /// Returns the material that encrypts.
    pub(super) fn current(&self) -> Result<&Material, KmsError> {
        self.materials.last().ok_or(KmsError::Internal)
    }

    /// Returns whether the schedule requires a rotation.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.schedule.is_some_and(|schedule| schedule.next_at_ms <= now_ms)
    }

    /// Moves the schedule to a time after the present.
    pub(super) fn schedule_next(&mut self, now_ms: u64) {
        if let Some(schedule) = &mut self.schedule {
            let period_ms = schedule.period_days.max(1) * DAY_MS;
            let passed = now_ms.saturating_sub(schedule.next_at_ms) / period_ms + 1;
            schedule.next_at_ms += passed * period_ms;
        }
    }

    pub(super) fn seal(
        &self,
        context: &Context,
        plaintext: &[u8],
        random: &Random,
    ) -> Result<Vec<u8>, KmsError> {
        let material = self.current()?;
        let mut blob = vec![VERSIONED];
        blob.extend_from_slice(self.id.as_bytes());
        blob.extend_from_slice(&material.id(&self.id));
        let aad = bound(&blob, context)?;
        let nonce: [u8; NONCE_LEN] = random.bytes().map_err(|_| KmsError::Internal)?;
        blob.extend_from_slice(&nonce);
        let mut sealed = plaintext.to_vec();
        material
            .cipher()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut sealed,
            )
            .map_err(|_| KmsError::Internal)?;
        blob.extend_from_slice(&sealed);
        Ok(blob)
    }

    /// Decrypts a ciphertext of this key, and returns the material's id with the plaintext.
    ///
    /// # Errors
    /// Returns [`KmsError::InvalidCiphertext`] when the key does not have the named material, or
    /// the ciphertext was made with another context.
    pub(super) fn open(
        &self,
        context: &Context,
        blob: &[u8],
    ) -> Result<([u8; MATERIAL_ID_BYTES], Zeroizing<Vec<u8>>), KmsError> {
        let header = if blob.first() == Some(&VERSIONED) { HEADER_BYTES } else { KEY_ID_BYTES };
        let (head, rest) = blob.split_at_checked(header).ok_or(KmsError::InvalidCiphertext)?;
        let (nonce, sealed) =
            rest.split_first_chunk::<NONCE_LEN>().ok_or(KmsError::InvalidCiphertext)?;
        let (material, aad) = if header == HEADER_BYTES {
            let named = &head[1 + KEY_ID_BYTES..];
            let material = self.materials.iter().find(|material| material.id(&self.id) == *named);
            (material, bound(head, context)?)
        } else {
            let first = self.materials.first().filter(|_| self.opens_unversioned);
            (first, unversioned(context))
        };
        let material = material.ok_or(KmsError::InvalidCiphertext)?;
        let mut plaintext = Zeroizing::new(sealed.to_vec());
        let opened = material
            .cipher()?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut plaintext)
            .map_err(|_| KmsError::InvalidCiphertext)?
            .len();
        plaintext.truncate(opened);
        Ok((material.id(&self.id), plaintext))
    }
}

/// Returns the data that the tag covers in addition to the plaintext: the header and the context,
/// in one unambiguous encoding.
fn bound(header: &[u8], context: &Context) -> Result<Vec<u8>, KmsError> {
    let mut aad = header.to_vec();
    aad.extend_from_slice(&serde_json::to_vec(context).map_err(|_| KmsError::Internal)?);
    Ok(aad)
}

/// Returns the same data for versions without rotation.
fn unversioned(context: &Context) -> Vec<u8> {
    let pairs: Vec<_> = context.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(",").into_bytes()
}

/// Returns the id of the key that a ciphertext names.
pub fn key_of(blob: &[u8]) -> Option<String> {
    let from = usize::from(blob.first() == Some(&VERSIONED));
    let id = std::str::from_utf8(blob.get(from..from + KEY_ID_BYTES)?).ok()?;
    Some(id.trim_end_matches('\0').to_owned())
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Material({:?} at {})", self.rotation, self.created_at_ms)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, {} materials)", self.id, self.materials.len())
    }
}
