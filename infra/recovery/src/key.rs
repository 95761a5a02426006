//! Recovery keys: a PEM file that a passphrase protects.
//!
//! The key is PKCS#8 under PBES2 (RFC 8018): PBKDF2 with HMAC-SHA-256, and AES-256 in CBC mode.
//! `openssl pkey -in FILE` opens it without this program. The text before it names side and public
//! key, which must fit the decrypted key, so that a changed file is found.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use domain::random::Random;
use protocol::recovery::{OpeningKey, RecoveryKey, Side};
use zeroize::Zeroizing;

use crate::error::RecoveryError;
use crate::pem;

const TITLE: &str = "HyperDEX Keys recovery key, version 1";
const PUBLIC: &str = "Public key: ";

/// Fewest characters of a passphrase.
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
    if passphrase.chars().count() < MIN_PASSPHRASE {
        return Err(RecoveryError::WeakPassphrase(MIN_PASSPHRASE));
    }
    let key = PrivateKey { side, key: OpeningKey::generate()? };
    let sealed = pem::seal(&key.key, passphrase, random)?;
    let text = format!("{TITLE}\n{PUBLIC}{}\n{sealed}", key.public());
    write_new(path, text.as_bytes())?;
    Ok(key.public())
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
    let text = fs::read_to_string(path).map_err(RecoveryError::io(path))?;
    let expected = || RecoveryError::file(path, "expected a recovery key of version 1");
    let mut lines = text.lines();
    let titled = lines.next() == Some(TITLE);
    let public = lines.next().and_then(|line| line.strip_prefix(PUBLIC));
    let public: RecoveryKey = match public {
        Some(public) if titled => public.parse().map_err(|_| expected())?,
        _ => return Err(expected()),
    };
    if public.side != side {
        return Err(RecoveryError::WrongSide { wanted: side, found: public.side });
    }
    let sealed = pem::parse(&text).ok_or_else(expected)?;
    let opened = sealed.open(passphrase)?;
    match opened {
        Some(key) if *key.public() == public.key => Ok(PrivateKey { side, key }),
        _ => Err(RecoveryError::Passphrase(path.to_owned())),
    }
}

/// Writes a new file that only its owner can read. Never overwrites.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<(), RecoveryError> {
    let mut file = create_new(path)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(RecoveryError::io(path))
}

pub(crate) fn create_new(path: &Path) -> Result<File, RecoveryError> {
    use std::os::unix::fs::OpenOptionsExt;
    let opened = File::options().write(true).create_new(true).mode(0o600).open(path);
    opened.map_err(RecoveryError::io(path))
}
