//! The recovery record of one share of one party.

use dkls23_k256::elliptic_curve::sec1::ToSec1Point;
use domain::eth::Address;
use domain::ids::{Tenant, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::half::{self, Half, HalfError};
use super::hpke::{Encrypted, HpkeError, OpeningKey, SealingKey};
use super::keys::{RecoveryKeys, Side, base64};
use crate::key::WalletKey;
use crate::share::{Hollow, KeyShare};

/// The schema number that this version writes, and the only one.
pub const RECORD_SCHEMA: u32 = 1;

/// The labels of what is encrypted, so that one ciphertext is never accepted as the other.
const RECORD: &str = "hyperdex/recovery/record/1";
const TRANSPORT: &str = "hyperdex/recovery/transport/1";

/// Why a record cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    /// Another version of the program wrote it.
    #[error("unknown schema {0} of a recovery record: expected 1")]
    Schema(u32),
    /// Its parts contradict each other.
    #[error("the record's public key does not belong to its address")]
    Address,
    /// It has no ciphertext for this key.
    #[error("the record is not encrypted to this recovery key")]
    OtherKey,
    /// The ciphertext does not open.
    #[error(transparent)]
    Hpke(#[from] HpkeError),
    /// A number or point is invalid.
    #[error(transparent)]
    Half(#[from] HalfError),
    /// The encrypted half is another one than the record states.
    #[error("the encrypted half does not fit the record's point")]
    Scalar,
    /// The records are of different wallets, versions, keys or of the same side.
    #[error("the two records are not both sides of the same wallet and version")]
    NotAPair,
    /// Both records are consistent, but do not give the wallet's key together.
    #[error("the points of both sides do not give the wallet's public key")]
    Points,
}

/// What a record is about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The deployment's name.
    pub deployment: String,
    /// The wallet and the version of its share.
    pub key: WalletKey,
    /// The wallet's user; only the endpoint side knows it.
    pub user_id: Option<UserId>,
    /// Creation of the wallet or of the share, Unix milliseconds.
    pub created_at_ms: u64,
}

/// A party's half of one version of a wallet's shares, encrypted, with all that a recovery needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryRecord {
    /// Schema number: 1.
    pub schema: u32,
    /// The deployment that wrote it.
    pub deployment: String,
    /// The party.
    pub side: Side,
    /// The wallet's tenant.
    pub tenant: Tenant,
    /// The wallet.
    pub wallet_id: Uuid,
    /// The version of the share.
    pub key_version: u32,
    /// The wallet's address.
    pub address: Address,
    /// The wallet's user, in a record of the endpoint side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Creation of the wallet (endpoint) or of the share (cosigner), Unix milliseconds.
    pub created_at_ms: u64,
    /// The wallet's public key, compressed.
    #[serde(with = "base64")]
    public_key: Vec<u8>,
    /// The public point of the half, compressed.
    #[serde(with = "base64")]
    point: Vec<u8>,
    /// The library's session id of the share.
    #[serde(with = "base64")]
    session_id: Vec<u8>,
    /// The library's chain code of the share.
    #[serde(with = "base64")]
    chain_code: Vec<u8>,
    /// The half, encrypted to each recovery key.
    pub sealed: Vec<Encrypted>,
}

impl RecoveryRecord {
    /// Encrypts the half of a share to every recovery key of its side.
    ///
    /// # Errors
    /// Fails when the cryptography library fails.
    pub fn seal(
        keys: &RecoveryKeys,
        side: Side,
        subject: Subject,
        share: &KeyShare,
    ) -> Result<Self, RecordError> {
        let half = Half::of(share);
        let party = share.party();
        let mut record = Self {
            schema: RECORD_SCHEMA,
            deployment: subject.deployment,
            side,
            tenant: subject.key.tenant,
            wallet_id: subject.key.wallet_id,
            key_version: subject.key.key_version,
            address: share.address(),
            user_id: subject.user_id,
            created_at_ms: subject.created_at_ms,
            public_key: half::compressed(party.pk),
            point: half.point(),
            session_id: party.session_id.clone(),
            chain_code: party.derivation_data.chain_code.to_vec(),
            sealed: Vec::new(),
        };
        let sealed = keys.as_slice().iter().map(|key| record.seal_to(key, RECORD, &half));
        record.sealed = sealed.collect::<Result<_, _>>()?;
        Ok(record)
    }

    /// Returns the wallet and version.
    #[must_use]
    pub fn key(&self) -> WalletKey {
        WalletKey {
            tenant: self.tenant.clone(),
            wallet_id: self.wallet_id,
            key_version: self.key_version,
        }
    }

    /// Returns whether a share contains the half of this record.
    #[must_use]
    pub fn is_of(&self, share: &KeyShare) -> bool {
        Half::of(share).point() == self.point && share.address() == self.address
    }

    /// Returns the wallet's public key, uncompressed, in hex.
    ///
    /// # Errors
    /// Fails when the record has none.
    pub fn public_key_hex(&self) -> Result<String, RecordError> {
        let point = half::parsed(&self.public_key)?;
        Ok(hex::encode(point.to_sec1_point(false).as_bytes()))
    }

    /// Checks the record's public parts, without a key.
    ///
    /// # Errors
    /// Fails when they contradict each other.
    pub fn check(&self) -> Result<(), RecordError> {
        if self.schema != RECORD_SCHEMA {
            return Err(RecordError::Schema(self.schema));
        }
        half::parsed(&self.point)?;
        let public = half::parsed(&self.public_key)?;
        if half::address_of(&public) != Some(self.address) || self.chain_code.len() != 32 {
            return Err(RecordError::Address);
        }
        Ok(())
    }

    /// Checks that this record and another one are both sides of the same share version, and give
    /// the wallet's public key together. Needs no key.
    ///
    /// # Errors
    /// Fails when they are not.
    pub fn check_pair(&self, other: &Self) -> Result<(), RecordError> {
        self.check()?;
        other.check()?;
        let same = self.key() == other.key()
            && self.public_key == other.public_key
            && self.session_id == other.session_id
            && self.chain_code == other.chain_code;
        let (one, two) = match (self.side, other.side) {
            (Side::Endpoint, Side::Cosigner) => (self, other),
            (Side::Cosigner, Side::Endpoint) => (other, self),
            _ => return Err(RecordError::NotAPair),
        };
        if !same {
            return Err(RecordError::NotAPair);
        }
        if half::fit(&one.point, &two.point, &self.public_key)? {
            Ok(())
        } else {
            Err(RecordError::Points)
        }
    }

    /// Decrypts the half with a recovery key, and checks it against the record.
    ///
    /// # Errors
    /// Fails when the record is for another key, was changed, or its half does not fit.
    pub fn open(&self, key: &OpeningKey) -> Result<Half, RecordError> {
        let id = key.public().id();
        let sealed = self.sealed.iter().find(|it| it.key_id == id).ok_or(RecordError::OtherKey)?;
        self.open_with(key, RECORD, sealed)
    }

    /// Encrypts the half to the transport key of a new stack, for this record only.
    ///
    /// # Errors
    /// Fails when the cryptography library fails.
    pub fn seal_for(&self, half: &Half, to: &SealingKey) -> Result<Encrypted, RecordError> {
        Ok(self.seal_to(to, TRANSPORT, half)?)
    }

    /// Opens what [`Self::seal_for`] made, and checks it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_transported(
        &self,
        key: &OpeningKey,
        sealed: &Encrypted,
    ) -> Result<Half, RecordError> {
        self.open_with(key, TRANSPORT, sealed)
    }

    /// Makes the hollow share that restores this side.
    ///
    /// # Errors
    /// Fails when the record is damaged, or the half is not its own.
    pub fn hollow(&self, half: &Half) -> Result<KeyShare, RecordError> {
        self.check()?;
        if half.point() != self.point {
            return Err(RecordError::Scalar);
        }
        let mut chain_code = [0; 32];
        chain_code.copy_from_slice(&self.chain_code);
        let hollow = Hollow {
            party: self.side.party(),
            session_id: self.session_id.clone(),
            poly_point: half.scalar(),
            pk: half::parsed(&self.public_key)?,
            chain_code,
        };
        Ok(KeyShare::hollow(&hollow, self.key_version).ok_or(HalfError::Number)?)
    }

    fn seal_to(&self, key: &SealingKey, label: &str, half: &Half) -> Result<Encrypted, HpkeError> {
        let (info, aad) = self.context(label)?;
        key.seal(&info, &aad, half.to_bytes().as_slice())
    }

    fn open_with(
        &self,
        key: &OpeningKey,
        label: &str,
        sealed: &Encrypted,
    ) -> Result<Half, RecordError> {
        self.check()?;
        let (info, aad) = self.context(label)?;
        let half = Half::from_bytes(&key.open(&info, &aad, sealed)?)?;
        if half.point() == self.point { Ok(half) } else { Err(RecordError::Scalar) }
    }

    /// Returns HPKE's `info` (who and which) and `aad` (all other fields), each with lengths, so
    /// that different records differ.
    fn context(&self, label: &str) -> Result<(Vec<u8>, Vec<u8>), HpkeError> {
        let info = (
            label,
            &self.deployment,
            &self.tenant,
            self.wallet_id,
            self.side.party(),
            self.key_version,
            self.address,
        );
        let aad = (
            self.schema,
            &self.public_key,
            &self.point,
            &self.session_id,
            &self.chain_code,
            &self.user_id,
            self.created_at_ms,
        );
        let encoded =
            postcard::to_stdvec(&info).and_then(|it| Ok((it, postcard::to_stdvec(&aad)?)));
        encoded.map_err(|_| HpkeError::Failed)
    }
}
