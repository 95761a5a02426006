//! Encrypted private keys: `ENCRYPTED PRIVATE KEY` of RFC 7468, PBES2 of RFC 8018. One form is
//! written and read.

use std::num::NonZeroU32;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::random::Random;
use protocol::recovery::OpeningKey;
use zeroize::Zeroizing;

use crate::error::RecoveryError;

const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";

/// Iterations of PBKDF2. OWASP asks for 600,000.
const ITERATIONS: u32 = 1_000_000;

/// The most iterations that opening accepts, about ten seconds.
const MAX_ITERATIONS: u32 = 20_000_000;

const SALT: usize = 16;
const IV: usize = 16;

/// PBES2, and PBKDF2, HMAC-SHA-256 with its parameter NULL, AES-256-CBC: object identifiers in DER.
const PBES2: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
const HMAC_SHA256: &[u8] = &[0x30, 12, 0x06, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9, 5, 0];
const AES_256_CBC: &[u8] = &[0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];

const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 4;
const INTEGER: u8 = 2;

/// A private key under a passphrase.
pub(crate) struct Sealed {
    salt: [u8; SALT],
    iterations: NonZeroU32,
    iv: [u8; IV],
    ciphertext: Vec<u8>,
}

fn failed<E>(_: E) -> RecoveryError {
    RecoveryError::Cryptography
}

fn derived(
    passphrase: &Zeroizing<String>,
    salt: &[u8],
    iterations: NonZeroU32,
) -> Result<UnboundCipherKey, RecoveryError> {
    let mut key = Zeroizing::new([0; 32]);
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, iterations, salt, passphrase.as_bytes(), &mut *key);
    UnboundCipherKey::new(&AES_256, &*key).map_err(failed)
}

/// Returns the PEM text of a key under a passphrase.
///
/// # Errors
/// Fails when the cryptography library or the random number generator fails.
pub(crate) fn seal(
    key: &OpeningKey,
    passphrase: &Zeroizing<String>,
    random: &Random,
) -> Result<String, RecoveryError> {
    let key = PrivateKey::from_private_key(&ECDH_P256, key.expose()).map_err(failed)?;
    let plain: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
    // Allocated with room for the padding, so that a growing vector leaves no copies behind.
    let mut ciphertext = Vec::with_capacity(plain.as_ref().len() + IV);
    ciphertext.extend_from_slice(plain.as_ref());
    let salt: [u8; SALT] = random.bytes()?;
    let iterations = NonZeroU32::new(ITERATIONS).ok_or(RecoveryError::Cryptography)?;
    let cipher = derived(passphrase, &salt, iterations)?;
    let context = PaddedBlockEncryptingKey::cbc_pkcs7(cipher).map_err(failed)?;
    let DecryptionContext::Iv128(iv) = context.encrypt(&mut ciphertext).map_err(failed)? else {
        return Err(RecoveryError::Cryptography);
    };
    let mut octets = [0; IV];
    octets.copy_from_slice(iv.as_ref());
    let der = Sealed { salt, iterations, iv: octets, ciphertext }.to_der();
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|it| str::from_utf8(it).ok()).collect();
    Ok(format!("{BEGIN}\n{}\n{END}\n", lines.join("\n")))
}

/// Finds and parses the key in a text. Returns `None` for another form.
pub(crate) fn parse(text: &str) -> Option<Sealed> {
    let (_, rest) = text.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let body: String = body.split_whitespace().collect();
    Sealed::from_der(&STANDARD.decode(body).ok()?)
}

impl Sealed {
    /// Decrypts the key. Returns `None` when the passphrase is wrong.
    ///
    /// # Errors
    /// Fails when the cryptography library fails.
    pub(crate) fn open(
        &self,
        passphrase: &Zeroizing<String>,
    ) -> Result<Option<OpeningKey>, RecoveryError> {
        let cipher = derived(passphrase, &self.salt, self.iterations)?;
        let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(cipher).map_err(failed)?;
        let context = DecryptionContext::Iv128(FixedLength::from(self.iv));
        let mut bytes = Zeroizing::new(self.ciphertext.clone());
        let Ok(plain) = cipher.decrypt(&mut bytes, context) else { return Ok(None) };
        let Ok(key) = PrivateKey::from_private_key_der(&ECDH_P256, plain) else { return Ok(None) };
        let private: EcPrivateKeyBin<'_> = key.as_be_bytes().map_err(failed)?;
        Ok(OpeningKey::from_bytes(private.as_ref()).ok())
    }

    fn to_der(&self) -> Vec<u8> {
        // In DER an integer has no needless leading zero; here it is positive.
        let iterations = self.iterations.get().to_be_bytes();
        let first = iterations.iter().position(|byte| *byte != 0).unwrap_or_default();
        let padded = if iterations[first] < 0x80 { first } else { first.saturating_sub(1) };
        let parameters = [
            element(OCTETS, &self.salt),
            element(INTEGER, &iterations[padded..]),
            HMAC_SHA256.to_vec(),
        ];
        let derivation = [PBKDF2.to_vec(), element(SEQUENCE, &parameters.concat())];
        let scheme = [AES_256_CBC.to_vec(), element(OCTETS, &self.iv)];
        let both = [element(SEQUENCE, &derivation.concat()), element(SEQUENCE, &scheme.concat())];
        let algorithm = [PBES2.to_vec(), element(SEQUENCE, &both.concat())];
        let all = [element(SEQUENCE, &algorithm.concat()), element(OCTETS, &self.ciphertext)];
        element(SEQUENCE, &all.concat())
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        let (all, []) = taken(SEQUENCE, der)? else { return None };
        let (algorithm, rest) = taken(SEQUENCE, all)?;
        let (ciphertext, []) = taken(OCTETS, rest)? else { return None };
        let (both, []) = taken(SEQUENCE, algorithm.strip_prefix(PBES2)?)? else { return None };
        let (derivation, rest) = taken(SEQUENCE, both)?;
        let (scheme, []) = taken(SEQUENCE, rest)? else { return None };
        let (iv, []) = taken(OCTETS, scheme.strip_prefix(AES_256_CBC)?)? else { return None };
        let parameters = taken(SEQUENCE, derivation.strip_prefix(PBKDF2)?)?.0;
        let (salt, rest) = taken(OCTETS, parameters)?;
        let (iterations, rest) = taken(INTEGER, rest)?;
        if rest != HMAC_SHA256 {
            return None;
        }
        let iterations = iterations.iter().try_fold(0_u32, |number, byte| {
            number.checked_mul(256)?.checked_add(u32::from(*byte))
        })?;
        Some(Self {
            salt: salt.try_into().ok()?,
            iterations: NonZeroU32::new(iterations).filter(|it| it.get() <= MAX_ITERATIONS)?,
            iv: iv.try_into().ok()?,
            ciphertext: ciphertext.to_vec(),
        })
    }
}

/// Returns a DER element.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match content.len() {
        short @ 0..=127 => element.push(short as u8),
        long => {
            let bytes = long.to_be_bytes();
            let used = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
            element.push(0x80 | (bytes.len() - used) as u8);
            element.extend_from_slice(&bytes[used..]);
        }
    }
    element.extend_from_slice(content);
    element
}

/// Takes an element with this tag. Returns its content and the rest.
fn taken(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = der.strip_prefix(&[tag])?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=127 => (usize::from(short), rest),
        0x81 => rest.split_first().map(|(byte, rest)| (usize::from(*byte), rest))?,
        0x82 => {
            let (bytes, rest) = rest.split_at_checked(2)?;
            (usize::from(bytes[0]) * 256 + usize::from(bytes[1]), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}
