//! Recovery keys: a file that a passphrase protects, in the format of `age`.
//!
//! `age --decrypt` opens the file without this program. The content is JSON with the private key in
//! hex.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use age::secrecy::SecretString;
use protocol::recovery::{OpeningKey, RecoveryKey, Side};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::RecoveryError;

const FORMAT: &str = "hyperdex-recovery-key";
const VERSION: u32 = 1;

/// Fewest characters of a passphrase.
const MIN_PASSPHRASE: usize = 12;

/// The work of the passphrase's key derivation, as a power of two: 2^18 needs 256 MB and about a
/// second.
pub const WORK: u8 = 18;

/// The most work that opening accepts.
const MAX_WORK: u8 = 22;

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

/// The content of a key file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Content {
    format: String,
    version: u32,
    side: Side,
    private_key: Zeroizing<String>,
}

/// Generates a recovery key, and writes it to a new file. Returns the public key.
///
/// # Errors
/// Fails when the passphrase is too short, or the file exists or cannot be written.
pub fn generate(
    side: Side,
    path: &Path,
    passphrase: &Zeroizing<String>,
    work: u8,
) -> Result<RecoveryKey, RecoveryError> {
    if passphrase.chars().count() < MIN_PASSPHRASE {
        return Err(RecoveryError::WeakPassphrase(MIN_PASSPHRASE));
    }
    let key = PrivateKey { side, key: OpeningKey::generate()? };
    let content = Content {
        format: FORMAT.to_owned(),
        version: VERSION,
        side,
        private_key: Zeroizing::new(hex::encode(key.key.expose())),
    };
    let text = serde_json::to_vec(&content).map(Zeroizing::new);
    let text = text.map_err(|error| RecoveryError::file(path, error.to_string()))?;
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase.to_string()));
    recipient.set_work_factor(work);
    let sealed = age::encrypt_and_armor(&recipient, &text);
    let sealed = sealed.map_err(|error| RecoveryError::file(path, error.to_string()))?;
    write_new(path, sealed.as_bytes())?;
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
    let sealed = fs::read(path).map_err(RecoveryError::io(path))?;
    let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.to_string()));
    identity.set_max_work_factor(MAX_WORK);
    let opened = age::decrypt(&identity, &sealed).map(Zeroizing::new);
    let opened = opened.map_err(|error| match error {
        age::DecryptError::InvalidHeader | age::DecryptError::Io(_) => {
            RecoveryError::file(path, "expected a recovery key in the format of age")
        }
        _ => RecoveryError::Passphrase(path.to_owned()),
    })?;
    let content: Content = serde_json::from_slice(&opened)
        .map_err(|_| RecoveryError::file(path, "expected a recovery key of this program"))?;
    if content.format != FORMAT || content.version != VERSION {
        return Err(RecoveryError::file(path, "expected a recovery key of version 1"));
    }
    if content.side != side {
        return Err(RecoveryError::WrongSide { wanted: side, found: content.side });
    }
    let bytes = hex::decode(content.private_key.as_bytes()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| RecoveryError::file(path, "expected a private key in hex"))?;
    Ok(PrivateKey { side, key: OpeningKey::from_bytes(&bytes)? })
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
