//! Recovery keys: a PEM file that a passphrase protects.
//!
//! The key is PKCS#8 under PBES2 (RFC 8018): PBKDF2 with HMAC-SHA-256, and AES-256 in CBC mode.
//! `openssl pkey -in FILE` opens it without this program. The text before it names side and public
//! key, which must fit the decrypted key, so that a changed file is found.

use std::fs;
use std::path::Path;

use domain::random::Random;
use protocol::recovery::{OpeningKey, RecoveryKey, SealingKey, Side};
use zeroize::Zeroizing;

use crate::error::RecoveryError;
use crate::new_file::NewFile;
use crate::pem;

const TITLE: &str = "HyperDEX Keys recovery key, version 1";
const PUBLIC: &str = "Public key: ";

/// The holder in the file of an export's recipient.
const RECIPIENT: &str = "recipient";

/// Fewest characters of a passphrase, without spaces at its ends.
const MIN_PASSPHRASE: usize = 12;

/// A private recovery key of one side. Hidden in `Debug`.
#[derive(Debug)]
pub struct PrivateKey {
    /// The side.
    pub side: Side,
    /// The key.
    pub key: OpeningKey,
}

impl PrivateKey {
    /// Returns the public key, as the deployment's parameter has it.
    #[must_use]
    pub const fn public(&self) -> RecoveryKey {
        RecoveryKey { side: self.side, key: *self.key.public() }
    }
}

/// Generates a recovery key, and writes it to a new file. Returns the public key.
///
/// # Errors
/// Fails when the passphrase is too short, or the file exists or cannot be written.
pub fn generate(
    side: Side,
    path: &Path,
    passphrase: &Zeroizing<String>,
    random: &Random,
) -> Result<RecoveryKey, RecoveryError> {
    let key = written(side.as_str(), path, passphrase, random)?;
    Ok(RecoveryKey { side, key })
}

/// Generates the key of an export's recipient, as [`generate`] does.
///
/// # Errors
/// As [`generate`].
pub fn generate_recipient(
    path: &Path,
    passphrase: &Zeroizing<String>,
    random: &Random,
) -> Result<SealingKey, RecoveryError> {
    written(RECIPIENT, path, passphrase, random)
}

fn written(
    holder: &str,
    path: &Path,
    passphrase: &Zeroizing<String>,
    random: &Random,
) -> Result<SealingKey, RecoveryError> {
    check_passphrase(passphrase)?;
    let file = NewFile::reserve(path)?;
    let key = OpeningKey::generate()?;
    let sealed = pem::seal(&key, passphrase, random)?;
    let text = format!("{TITLE}\n{PUBLIC}{holder}:{}\n{sealed}", key.public());
    file.write(text.as_bytes())?;
    Ok(*key.public())
}

/// Checks that a passphrase that will protect a key is long enough.
pub(crate) fn check_passphrase(passphrase: &Zeroizing<String>) -> Result<(), RecoveryError> {
    if passphrase.trim().chars().count() < MIN_PASSPHRASE {
        return Err(RecoveryError::WeakPassphrase(MIN_PASSPHRASE));
    }
    Ok(())
}

/// Opens a key file.
///
/// # Errors
/// Fails when the passphrase is wrong, or the file is not a key of this side.
pub fn open(
    path: &Path,
    passphrase: &Zeroizing<String>,
    side: Side,
) -> Result<PrivateKey, RecoveryError> {
    Ok(PrivateKey { side, key: opened(side.as_str(), path, passphrase)? })
}

/// Opens the key file of an export's recipient.
///
/// # Errors
/// As [`open`].
pub fn open_recipient(
    path: &Path,
    passphrase: &Zeroizing<String>,
) -> Result<OpeningKey, RecoveryError> {
    opened(RECIPIENT, path, passphrase)
}

fn opened(
    holder: &str,
    path: &Path,
    passphrase: &Zeroizing<String>,
) -> Result<OpeningKey, RecoveryError> {
    let text = fs::read_to_string(path).map_err(RecoveryError::io(path))?;
    let expected = || RecoveryError::file(path, "expected a recovery key of version 1");
    let mut lines = text.lines();
    let titled = lines.next() == Some(TITLE);
    let public = lines.next().and_then(|line| line.strip_prefix(PUBLIC));
    let (found, public) = public.and_then(|it| it.split_once(':')).ok_or_else(expected)?;
    let public: SealingKey = match public.parse() {
        Ok(public) if titled => public,
        _ => return Err(expected()),
    };
    if found != holder {
        let (wanted, found) = (holder.to_owned(), found.to_owned());
        return Err(RecoveryError::WrongHolder { path: path.to_owned(), wanted, found });
    }
    let sealed = pem::parse(&text).ok_or_else(expected)?;
    match sealed.open(passphrase)? {
        Some(key) if *key.public() == public => Ok(key),
        _ => Err(RecoveryError::Passphrase(path.to_owned())),
    }
}
