//! A keystore file: Web3 Secret Storage, version 3, which wallets and libraries of Ethereum read.
//! PBKDF2 with HMAC-SHA-256, AES-128-CTR, and Keccak-256 as its MAC.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_128, DecryptionContext, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::pbkdf2;
use domain::eth::{Address, keccak256};
use domain::random::Random;
use serde_json::json;
use zeroize::Zeroizing;

use crate::error::RecoveryError;
use crate::key::check_passphrase;

/// Iterations of PBKDF2, the number that wallets write.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(262_144).unwrap();

/// Returns the text of a keystore.
///
/// # Errors
/// Fails when the passphrase is too short, or the cryptography library or the random number
/// generator fails.
pub fn seal(
    key: &[u8; 32],
    address: Address,
    passphrase: &Zeroizing<String>,
    random: &Random,
) -> Result<String, RecoveryError> {
    check_passphrase(passphrase)?;
    let salt: [u8; 32] = random.bytes()?;
    let mut derived = Zeroizing::new([0; 32]);
    let secret = passphrase.as_bytes();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, secret, &mut *derived);
    let failed = |_| RecoveryError::Cryptography;
    let cipher = UnboundCipherKey::new(&AES_128, &derived[..16]).map_err(failed)?;
    let mut ciphertext = *key;
    let context = EncryptingKey::ctr(cipher).and_then(|key| key.encrypt(&mut ciphertext));
    let DecryptionContext::Iv128(iv) = context.map_err(failed)? else {
        return Err(RecoveryError::Cryptography);
    };
    let mut maced = Zeroizing::new([0; 48]);
    maced[..16].copy_from_slice(&derived[16..]);
    maced[16..].copy_from_slice(&ciphertext);
    let store = json!({
        "version": 3,
        "id": random.uuid()?,
        "address": hex::encode(address.as_bytes()),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": hex::encode(iv.as_ref()) },
            "ciphertext": hex::encode(ciphertext),
            "kdf": "pbkdf2",
            "kdfparams": {
                "c": ITERATIONS,
                "dklen": 32,
                "prf": "hmac-sha256",
                "salt": hex::encode(salt),
            },
            "mac": hex::encode(keccak256(&*maced)),
        },
    });
    Ok(format!("{store:#}\n"))
}
