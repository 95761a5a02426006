//! Ethereum's primitives: addresses, digests, signatures and single-key signing.
//!
//! Only this module uses `ethers-core`; its digests are checked against `alloy` in
//! `shared/tests/`.

use std::fmt;
use std::str::FromStr;

use ethers_core::abi::{Token, encode};
use ethers_core::k256::ecdsa::SigningKey;
use ethers_core::types::transaction::eip712::EIP712Domain;
use ethers_core::types::{H160, H256, RecoveryMessage, U256};
use ethers_core::utils;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::random::{Random, RandomError};

/// A 32-byte hash that is signed.
pub type Digest = [u8; 32];

/// An Ethereum address. Shown in EIP-55 checksum form, stored in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address([u8; 20]);

/// The text is not an address.
#[derive(Debug, thiserror::Error)]
#[error("invalid address: expected 0x and 40 hex digits")]
pub struct AddressError;

impl Address {
    /// The zero address, which revokes an agent on Hyperliquid.
    pub const ZERO: Self = Self([0; 20]);

    /// Returns the 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Returns the address in lower case, with `0x`.
    #[must_use]
    pub fn to_lower_hex(&self) -> String {
        format!("0x{}", hex::encode(self.0))
    }

    /// Returns the address of an uncompressed SEC1 public key.
    #[must_use]
    pub fn of_public_key(key: &PublicKey) -> Self {
        Self(utils::raw_public_key_to_address(&key.0[1..]).0)
    }
}

/// Why a text is not an address that money may go to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReceiverError {
    /// The text has another form.
    #[error("invalid address: expected 0x and 40 hex digits")]
    Form,
    /// The letters contradict the checksum, so a digit is probably wrong.
    #[error("invalid address: its letter case contradicts the checksum of EIP-55")]
    Checksum,
}

impl Address {
    /// Parses an address that money goes to. Mixed letter case must be the checksum of EIP-55.
    ///
    /// # Errors
    /// Fails when the form or the checksum is wrong.
    pub fn parse_receiver(text: &str) -> Result<Self, ReceiverError> {
        let address: Self = text.parse().map_err(|_| ReceiverError::Form)?;
        let is_upper = |letter: u8| letter.is_ascii_uppercase();
        let digits = text.as_bytes().get(2..).unwrap_or_default();
        let is_mixed =
            digits.iter().copied().any(is_upper) && digits.iter().any(u8::is_ascii_lowercase);
        if is_mixed && address.to_string() != text {
            return Err(ReceiverError::Checksum);
        }
        Ok(address)
    }
}

/// Deserialises an address that money goes to, as [`Address::parse_receiver`] does.
///
/// # Errors
/// Fails when the form or the checksum is wrong.
pub fn receiver<'de, D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
    Address::parse_receiver(&String::deserialize(from)?).map_err(D::Error::custom)
}

impl FromStr for Address {
    type Err = AddressError;

    /// Accepts any letter case, and ignores the checksum.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let digits = text.strip_prefix("0x").ok_or(AddressError)?;
        let mut bytes = [0; 20];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| AddressError)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_lower_hex()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&utils::to_checksum(&H160(self.0), None))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A public key as an uncompressed SEC1 point: 65 bytes, the first of them 4.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 65]);

/// The bytes are not an uncompressed SEC1 point.
#[derive(Debug, thiserror::Error)]
#[error("invalid public key: expected an uncompressed SEC1 point")]
pub struct PublicKeyError;

impl PublicKey {
    /// Parses 65 bytes, the first of them 4.
    ///
    /// # Errors
    /// Fails when the length or the first byte differs.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        match <[u8; 65]>::try_from(bytes) {
            Ok(key) if key[0] == 4 => Ok(Self(key)),
            _ => Err(PublicKeyError),
        }
    }

    /// Returns the key as 130 hex digits, without `0x`.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// An ECDSA signature as Ethereum writes it; `v` is 27 or 28, `s` is low.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signature {
    /// The x coordinate of the nonce point, big endian.
    pub r: [u8; 32],
    /// The second half, big endian.
    pub s: [u8; 32],
    /// 27 plus the recovery id.
    pub v: u8,
}

impl TryFrom<String> for Signature {
    type Error = RecoverError;

    /// Parses the text of [`Signature::to_hex`].
    fn try_from(text: String) -> Result<Self, RecoverError> {
        let digits = text.strip_prefix("0x").ok_or(RecoverError)?;
        let mut bytes = [0; 65];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| RecoverError)?;
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r.copy_from_slice(&bytes[..32]);
        s.copy_from_slice(&bytes[32..64]);
        let v = bytes[64];
        if matches!(v, 27 | 28) { Ok(Self { r, s, v }) } else { Err(RecoverError) }
    }
}

impl From<Signature> for String {
    fn from(signature: Signature) -> Self {
        signature.to_hex()
    }
}

/// No address can be recovered from the signature.
#[derive(Debug, thiserror::Error)]
#[error("invalid signature: no signer can be recovered")]
pub struct RecoverError;

impl Signature {
    /// Returns `r`, `s` and `v`: 65 bytes in hex, with `0x`.
    #[must_use]
    pub fn to_hex(&self) -> String {
        format!("0x{}{}{:02x}", hex::encode(self.r), hex::encode(self.s), self.v)
    }

    /// Returns the address whose key signed `digest`.
    ///
    /// # Errors
    /// Fails when the signature is not valid for any key.
    pub fn recover(&self, digest: &Digest) -> Result<Address, RecoverError> {
        let signature = ethers_core::types::Signature {
            r: U256::from_big_endian(&self.r),
            s: U256::from_big_endian(&self.s),
            v: u64::from(self.v),
        };
        let address =
            signature.recover(RecoveryMessage::Hash(H256(*digest))).map_err(|_| RecoverError)?;
        Ok(Address(address.0))
    }
}

/// A private key of an agent (API wallet). It may only trade; it is made by the service and
/// approved by a wallet. It is never a wallet's key. The bytes stay in one place, so moving the
/// value copies no secret.
pub struct AgentKey(Box<Zeroizing<[u8; 32]>>);

/// The bytes are not a secp256k1 private key.
#[derive(Debug, thiserror::Error)]
#[error("invalid private key: expected a secp256k1 key of 32 bytes")]
pub struct AgentKeyError;

impl AgentKey {
    /// Generates a key.
    ///
    /// # Errors
    /// Fails when the random number generator fails.
    pub fn generate(random: &Random) -> Result<Self, RandomError> {
        loop {
            let mut bytes = Box::new(Zeroizing::new([0; 32]));
            random.fill(bytes.as_mut_slice())?;
            // Zero and numbers above the group's order are redrawn, about one in 2^128.
            if SigningKey::from_slice(bytes.as_slice()).is_ok() {
                return Ok(Self(bytes));
            }
        }
    }

    /// Makes the key of these 32 bytes.
    ///
    /// # Errors
    /// Fails when they are not a key of the curve.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AgentKeyError> {
        SigningKey::from_slice(bytes).map_err(|_| AgentKeyError)?;
        let mut key = Box::new(Zeroizing::new([0; 32]));
        key.copy_from_slice(bytes);
        Ok(Self(key))
    }

    fn signing_key(&self) -> SigningKey {
        #[expect(clippy::expect_used, reason = "both constructors have checked the bytes")]
        SigningKey::from_slice(self.0.as_slice()).expect("a checked key")
    }

    /// Returns the agent's address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address(utils::secret_key_to_address(&self.signing_key()).0)
    }

    /// Returns the secret bytes, to seal them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the secret in hex with `0x`, for the response that returns it to the caller.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        let mut digits = hex::encode(self.0.as_slice());
        let text = Zeroizing::new(format!("0x{digits}"));
        digits.zeroize();
        text
    }

    /// Signs a digest deterministically (RFC 6979) with a low `s`.
    ///
    /// # Errors
    /// Fails only if the arithmetic yields zero, which has negligible probability.
    pub fn sign(&self, digest: &Digest) -> Result<Signature, AgentKeyError> {
        let (signature, id) =
            self.signing_key().sign_prehash_recoverable(digest).map_err(|_| AgentKeyError)?;
        let (r, s) = signature.split_bytes();
        Ok(Signature { r: r.into(), s: s.into(), v: 27 + id.to_byte() })
    }
}

impl fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentKey({})", self.address())
    }
}

/// Returns the Keccak-256 hash.
#[must_use]
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    utils::keccak256(bytes)
}

/// Returns the digest of an EIP-191 `personal_sign`.
#[must_use]
pub fn personal_digest(message: &str) -> Digest {
    utils::hash_message(message).0
}

/// An EIP-712 domain whose verifying contract is the zero address, as both exchanges use.
#[derive(Clone, Copy, Debug)]
pub struct Domain {
    /// The domain's name.
    pub name: &'static str,
    /// The domain's chain id; both exchanges read it from the request.
    pub chain_id: u64,
}

/// A value of an EIP-712 struct, of the types that the exchanges use.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// `string`
    Text(&'a str),
    /// `uint64` or `uint256`
    Uint(u64),
    /// `bool`
    Bool(bool),
    /// `address`
    Address(Address),
    /// `bytes32`
    Bytes32([u8; 32]),
}

impl Field<'_> {
    fn token(self) -> Token {
        match self {
            Self::Text(text) => Token::FixedBytes(utils::keccak256(text).to_vec()),
            Self::Uint(value) => Token::Uint(value.into()),
            Self::Bool(value) => Token::Bool(value),
            Self::Address(address) => Token::Address(H160(address.0)),
            Self::Bytes32(bytes) => Token::FixedBytes(bytes.to_vec()),
        }
    }
}

/// Returns the EIP-712 digest of one flat struct. `encode_type` is the type's full text,
/// `Name(type field,…)`, and `fields` has its values in that order.
#[must_use]
pub fn typed_digest(domain: Domain, encode_type: &str, fields: &[Field<'_>]) -> Digest {
    let separator = EIP712Domain {
        name: Some(domain.name.to_owned()),
        version: Some("1".to_owned()),
        chain_id: Some(domain.chain_id.into()),
        verifying_contract: Some(H160::zero()),
        salt: None,
    }
    .separator();
    let mut tokens = vec![Token::FixedBytes(utils::keccak256(encode_type).to_vec())];
    tokens.extend(fields.iter().map(|field| field.token()));
    let struct_hash = utils::keccak256(encode(&tokens));
    utils::keccak256([&[0x19, 0x01], separator.as_slice(), struct_hash.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receiver_in_mixed_case_needs_its_checksum() {
        // The first address of EIP-55.
        let text = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        let wrong = text.replace("aAeb", "aaeb");
        let address: Address = text.parse().unwrap();
        let upper = format!("0x{}", text[2..].to_uppercase());
        for good in [text, &text.to_lowercase(), &upper] {
            assert_eq!(Address::parse_receiver(good), Ok(address), "{good}");
        }
        assert_eq!(Address::parse_receiver(&wrong), Err(ReceiverError::Checksum));
        assert_eq!(Address::parse_receiver("0x5a"), Err(ReceiverError::Form));
        assert_eq!(wrong.parse::<Address>().unwrap(), address);
    }
}
