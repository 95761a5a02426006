//! Keys of approvers in files: P-256 in PKCS#8, as PEM, readable by their owner only.
//!
//! The service never reads such a file: an approver signs on its own machine. The one exception is
//! the local stack's own approver, whose key the stack makes at its first start.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The local stack's approver key in the data directory.
pub const APPROVER_KEY_FILE: &str = "approver-key.pem";

/// The id of the local stack's approver.
pub const LOCAL_APPROVER: &str = "local";

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The longest file that is read as a key, in bytes.
const MAX_FILE_BYTES: u64 = 16 * 1024;

/// Error of an approver's key.
#[derive(Debug, thiserror::Error)]
pub enum ApproverKeyError {
    /// The file cannot be read or written.
    #[error("cannot use the key file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Other users may read the file.
    #[error("the key file {} is readable by others: run chmod 600 on it", .0.display())]
    Exposed(PathBuf),
    /// The file holds no such key.
    #[error("the key file {} is invalid: expected a P-256 key in PKCS#8, as PEM", .0.display())]
    Malformed(PathBuf),
    /// The key could not be made, or did not sign.
    #[error("the cryptographic library failed")]
    Library,
}

/// An approver's private key. `Debug` shows the public half only.
pub struct ApproverKey(EcdsaKeyPair);

impl std::fmt::Debug for ApproverKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApproverKey({})", self.public_key())
    }
}

impl ApproverKey {
    /// Makes a key in a new file with mode 0600.
    ///
    /// # Errors
    /// Returns an error when the file exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self, ApproverKeyError> {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random())
            .map_err(|_| ApproverKeyError::Library)?;
        let write = || -> std::io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(pem(made.as_ref()).as_bytes())?;
            file.sync_all()?;
            File::open(directory_of(path))?.sync_all()
        };
        write().map_err(|source| ApproverKeyError::Io { path: path.to_owned(), source })?;
        Self::from_pkcs8(made.as_ref()).ok_or(ApproverKeyError::Library)
    }

    /// Opens a key file. Refuses one that other users may read.
    ///
    /// # Errors
    /// Returns an error when the file cannot be read, is readable by others, or has no such key.
    pub fn open(path: &Path) -> Result<Self, ApproverKeyError> {
        let failed = |source| ApproverKeyError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
            return Err(ApproverKeyError::Exposed(path.to_owned()));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(failed)?;
        let der = from_pem(&text).ok_or_else(|| ApproverKeyError::Malformed(path.to_owned()))?;
        Self::from_pkcs8(&der).ok_or_else(|| ApproverKeyError::Malformed(path.to_owned()))
    }

    /// Opens the key file of a data directory. Makes a missing one.
    ///
    /// # Errors
    /// Returns an error when the file cannot be used.
    pub(crate) fn of_directory(directory: &Path) -> Result<Self, ApproverKeyError> {
        let path = directory.join(APPROVER_KEY_FILE);
        if path.exists() { Self::open(&path) } else { Self::create(&path) }
    }

    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der).ok().map(Self)
    }

    /// Returns the public key: the uncompressed SEC1 point, 130 hex digits.
    #[must_use]
    pub fn public_key(&self) -> String {
        hex::encode(self.0.public_key().as_ref())
    }

    /// Signs a text with ECDSA and SHA-256, and returns the signature in DER.
    ///
    /// # Errors
    /// Returns an error when the library fails.
    pub fn sign(&self, text: &str) -> Result<Vec<u8>, ApproverKeyError> {
        let signature = self.0.sign(&random(), text.as_bytes());
        signature.map(|it| it.as_ref().to_vec()).map_err(|_| ApproverKeyError::Library)
    }
}

fn random() -> SystemRandom {
    SystemRandom::new()
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn pem(der: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(STANDARD.encode(der));
    // Allocated at full size, so that a growing string leaves no copies behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * encoded.len() + 128));
    text.push_str(BEGIN);
    for (index, letter) in encoded.chars().enumerate() {
        if index % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push('\n');
    text.push_str(END);
    text.push('\n');
    text
}

fn from_pem(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (_, rest) = text.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let mut encoded = Zeroizing::new(String::with_capacity(body.len()));
    encoded.extend(body.chars().filter(|letter| !letter.is_ascii_whitespace()));
    STANDARD.decode(encoded.as_bytes()).ok().map(Zeroizing::new)
}

/// Returns the uncompressed point of a P-256 public key in DER, as KMS returns it, in hex.
#[must_use]
pub fn point_of_der(der: &[u8]) -> Option<String> {
    /// The SubjectPublicKeyInfo of a P-256 key, up to its point (RFC 5480).
    const PREFIX: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let point = der.strip_prefix(&PREFIX)?;
    (point.len() == 65 && point[0] == 4).then(|| hex::encode(point))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;

    fn verifies(public_key: &str, text: &str, signature: &[u8]) -> bool {
        let point = hex::decode(public_key).unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
        key.verify(text.as_bytes(), signature).is_ok()
    }

    #[test]
    fn key_file_is_private_and_signs_after_reopening() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("alice.pem");
        let made = ApproverKey::create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let opened = ApproverKey::open(&path).unwrap();
        assert_eq!(opened.public_key(), made.public_key());
        assert_eq!((made.public_key().len(), &made.public_key()[..2]), (130, "04"));
        let signature = opened.sign("a text").unwrap();
        assert!(verifies(&made.public_key(), "a text", &signature));
        assert!(!verifies(&made.public_key(), "a texts", &signature));
        let secret = std::fs::read_to_string(&path).unwrap();
        assert!(!format!("{made:?}").contains(secret.lines().nth(1).unwrap()));
        // An existing key is never replaced.
        assert!(matches!(ApproverKey::create(&path), Err(ApproverKeyError::Io { .. })));
    }

    #[test]
    fn exposed_or_foreign_file_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("alice.pem");
        ApproverKey::create(&path).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            assert!(matches!(ApproverKey::open(&path), Err(ApproverKeyError::Exposed(_))));
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        for text in ["", "alice", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
        {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(ApproverKey::open(&path), Err(ApproverKeyError::Malformed(_))));
        }
    }

    #[test]
    fn directory_key_is_made_once() {
        let data = tempfile::tempdir().unwrap();
        let first = ApproverKey::of_directory(data.path()).unwrap().public_key();
        assert_eq!(ApproverKey::of_directory(data.path()).unwrap().public_key(), first);
    }

    #[test]
    fn point_is_read_from_the_der_of_a_public_key() {
        let data = tempfile::tempdir().unwrap();
        let key = ApproverKey::create(&data.path().join("key.pem")).unwrap();
        let der: PublicKeyX509Der<'_> = key.0.public_key().as_der().unwrap();
        assert_eq!(point_of_der(der.as_ref()), Some(key.public_key()));
        assert_eq!(point_of_der(&der.as_ref()[1..]), None);
    }

    /// OpenSSL signs with the same file, as the guide of payments describes.
    #[test]
    fn openssl_signature_of_key_file_verifies() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("alice.pem");
        let key = ApproverKey::create(&path).unwrap();
        let (text, signature) = (data.path().join("text"), data.path().join("signature"));
        std::fs::write(&text, "a text").unwrap();
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-sign"]).arg(&path).arg("-out").arg(&signature);
        assert!(openssl.arg(&text).status().unwrap().success());
        assert!(verifies(&key.public_key(), "a text", &std::fs::read(&signature).unwrap()));
    }
}
