//! Signatures in the exchanges' formats, and their signers.
//!
//! `v` must be 27 or 28. A high `s` is accepted: no source says that the exchanges refuse it.

use alloy_primitives::{Address, B256, Signature};

use crate::parse_hex_number;

/// Parses `r` and `s` as `0x` hex. Leading zeros may be missing, as some SDKs drop them.
#[must_use]
pub fn from_parts(r: &str, s: &str, v: u64) -> Option<Signature> {
    Some(Signature::new(parse_hex_number(r)?, parse_hex_number(s)?, parity(v)?))
}

/// Parses `0x` and the 65 bytes of `r`, `s` and `v`.
#[must_use]
pub fn from_hex(text: &str) -> Option<Signature> {
    let mut bytes = [0; 65];
    hex::decode_to_slice(text.strip_prefix("0x")?, &mut bytes).ok()?;
    let [scalars @ .., v] = bytes;
    Some(Signature::from_bytes_and_parity(&scalars, parity(v.into())?))
}

/// Returns the address whose key made the signature, if any key can have made it.
#[must_use]
pub fn recover(digest: &B256, signature: &Signature) -> Option<Address> {
    signature.recover_address_from_prehash(digest).ok()
}

fn parity(v: u64) -> Option<bool> {
    match v {
        27 => Some(false),
        28 => Some(true),
        _ => None,
    }
}
