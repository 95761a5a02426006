//! Tenant keys of the local stack: a file in the data directory with the hash of each key. It
//! replaces API Gateway's list of keys. The records of the keys are in the wallets' table.
//!
//! A key has 256 random bits, so the file's plain SHA-256 of it cannot be inverted. A running stack
//! reads the file again after a change.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use domain::clock::Clock;
use domain::random::Random;
use serde::{Deserialize, Serialize};
use shared::tenancy::{KeyId, needs_record};
use zeroize::Zeroizing;

use crate::identity;

/// Name of the file in the data directory.
pub const KEYS_FILE: &str = "keys.json";

/// A file of schema 1 has no key with a record.
const SCHEMA: u32 = 2;

/// SHA-256 of a key.
pub(crate) type Hash = [u8; 32];

/// Error of reading or changing the key file.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be used.
    #[error("cannot use the key file {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Cause, without any key.
        cause: String,
    },
    /// There were tenant keys, and the file is missing.
    #[error(
        "the key file {} is missing: put it back, or restore a backup with `hyperdex restore FILE`",
        .0.display()
    )]
    Gone(PathBuf),
    /// A key with this name exists.
    #[error("a key named {0} exists: remove it first")]
    Exists(KeyId),
    /// This is the last key. Without it the API requires no key.
    #[error(
        "{0} is the last key: without it the API is open to everyone; pass --open-api to remove it"
    )]
    Last(KeyId),
    /// The user declined.
    #[error("nothing was removed")]
    Declined,
    /// No key has this name.
    #[error("no key named {0}")]
    Unknown(KeyId),
    /// The system returned no random bytes.
    #[error(transparent)]
    Random(#[from] domain::random::RandomError),
}

/// A key's entry in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyEntry {
    /// Id of the key. A key without a record is a tenant of this name.
    #[serde(rename = "name")]
    pub key_id: KeyId,
    /// Creation time, Unix milliseconds.
    pub created_at_ms: u64,
    #[serde(with = "as_hex")]
    pub(crate) sha256: Hash,
    /// Whether it was made together with a record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_record: bool,
    /// True if it is refused. It stays in the file, because a file without keys opens the API.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

mod as_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(hash: &super::Hash, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(hash))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(of: D) -> Result<super::Hash, D::Error> {
        let text = String::deserialize(of)?;
        let mut hash = super::Hash::default();
        // The error must not show the content.
        hex::decode_to_slice(text, &mut hash).map_err(|_| D::Error::custom("not a SHA-256"))?;
        Ok(hash)
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    schema: u32,
    keys: Vec<KeyEntry>,
}

/// The key file of a data directory.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// Returns the key file of this data directory, which may not exist yet.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join(KEYS_FILE) }
    }

    /// Lists every entry.
    ///
    /// # Errors
    /// Returns an error when the file exists and cannot be read.
    pub fn list(&self) -> Result<Vec<KeyEntry>, KeysError> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // Without this check, a lost file would open the API.
                return match identity::has_keys(self.directory()) {
                    Ok(false) => Ok(Vec::new()),
                    Ok(true) => Err(KeysError::Gone(self.path.clone())),
                    Err(cause) => Err(self.broken(&cause)),
                };
            }
            Err(error) => return Err(self.broken(&error)),
        };
        let entries: Entries =
            serde_json::from_slice(&text).map_err(|error| self.broken(&error))?;
        if !(1..=SCHEMA).contains(&entries.schema) {
            return Err(self.broken(&"unknown schema"));
        }
        Ok(entries.keys)
    }

    /// Creates a key without a record, which is a tenant of this name, and returns the key. It cannot
    /// be read again.
    ///
    /// # Errors
    /// Returns an error when a key with this name exists or the file cannot be written.
    pub fn add(
        &self,
        name: &KeyId,
        clock: &Clock,
        random: &Random,
    ) -> Result<Zeroizing<String>, KeysError> {
        let secret = Zeroizing::new(random.bytes::<32>()?);
        let key = Zeroizing::new(format!("hdx_{}", *Zeroizing::new(hex::encode(*secret))));
        self.put(name, &key, clock)?;
        Ok(key)
    }

    /// Stores a key under an id, as API Gateway does. The caller writes the key's record first. The
    /// value is one of [`draw_key_value`](shared::tenancy::draw_key_value).
    ///
    /// # Errors
    /// Returns an error when a key with this id exists or the file cannot be written.
    pub fn issue(&self, id: &KeyId, value: &str, clock: &Clock) -> Result<(), KeysError> {
        self.put(id, value, clock)
    }

    fn put(&self, id: &KeyId, value: &str, clock: &Clock) -> Result<(), KeysError> {
        let _lock = self.lock()?;
        let mut keys = self.list()?;
        if keys.iter().any(|key| key.key_id == *id) {
            return Err(KeysError::Exists(id.clone()));
        }
        keys.push(KeyEntry {
            key_id: id.clone(),
            created_at_ms: clock.now_ms(),
            sha256: hash(value.as_bytes()),
            has_record: needs_record(value.as_bytes()),
            disabled: false,
        });
        self.write(keys)
    }

    /// Disables a key. Returns true if the file has it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn disable(&self, id: &KeyId) -> Result<bool, KeysError> {
        let _lock = self.lock()?;
        let mut keys = self.list()?;
        let Some(key) = keys.iter_mut().find(|key| key.key_id == *id) else { return Ok(false) };
        if !key.disabled {
            key.disabled = true;
            self.write(keys)?;
        }
        Ok(true)
    }

    /// Removes a key, and returns the number of keys left. Removes the last key only if `may_open`
    /// is true, because that opens the API.
    ///
    /// # Errors
    /// Returns an error when no key has this id, it is the last one, or the file cannot be
    /// written.
    pub fn remove(&self, name: &KeyId, may_open: bool) -> Result<usize, KeysError> {
        let _lock = self.lock()?;
        let mut keys = self.list()?;
        let before = keys.len();
        keys.retain(|key| key.key_id != *name);
        let left = keys.len();
        if left == before {
            return Err(KeysError::Unknown(name.clone()));
        }
        if left == 0 && !may_open {
            return Err(KeysError::Last(name.clone()));
        }
        self.write(keys)?;
        Ok(left)
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    fn broken(&self, cause: &dyn std::fmt::Display) -> KeysError {
        KeysError::File { path: self.path.clone(), cause: cause.to_string() }
    }

    /// Takes the lock for writers of the file. A running stack holds another lock, so this works
    /// meanwhile.
    pub(crate) fn lock(&self) -> Result<File, KeysError> {
        let locked = || {
            DirBuilder::new().recursive(true).mode(0o700).create(self.directory())?;
            let lock = File::create(self.directory().join("keys.lock"))?;
            lock.lock()?;
            Ok(lock)
        };
        locked().map_err(|error: std::io::Error| self.broken(&error))
    }

    /// Writes the file atomically and durably.
    fn write(&self, keys: Vec<KeyEntry>) -> Result<(), KeysError> {
        // An earlier version reads the file until it has a key that the version would misread.
        let is_new = |key: &KeyEntry| key.has_record || key.disabled;
        let schema = if keys.iter().any(is_new) { SCHEMA } else { 1 };
        let text = serde_json::to_vec_pretty(&Entries { schema, keys });
        let text = text.map_err(|error| self.broken(&error))?;
        let write = || {
            // A temporary file has mode 0600.
            let mut temporary = tempfile::NamedTempFile::new_in(self.directory())?;
            temporary.write_all(&text)?;
            temporary.as_file().sync_all()?;
            temporary.persist(&self.path).map_err(|error| error.error)?;
            File::open(self.directory())?.sync_all()
        };
        write().map_err(|error: std::io::Error| self.broken(&error))?;
        identity::note_keys(self.directory()).map_err(|cause| self.broken(&cause))
    }

    /// Returns metadata that changes with the file. `None`: the file does not exist.
    pub(crate) fn stamp(&self) -> Result<Option<Stamp>, KeysError> {
        match std::fs::metadata(&self.path) {
            Ok(of) => Ok(Some(Stamp([
                of.ino(),
                of.len(),
                of.mtime().cast_unsigned(),
                of.mtime_nsec().cast_unsigned(),
                of.ctime().cast_unsigned(),
                of.ctime_nsec().cast_unsigned(),
            ]))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.broken(&error)),
        }
    }
}

/// Returns the hash of a key.
pub(crate) fn hash(key: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest(&SHA256, key).as_ref());
    hash
}

/// Metadata that changes with the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp([u64; 6]);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn name(text: &str) -> KeyId {
        text.parse().unwrap()
    }

    fn file() -> (tempfile::TempDir, KeyFile) {
        let data = tempfile::tempdir().unwrap();
        let file = KeyFile::new(&data.path().join("new"));
        (data, file)
    }

    fn add(file: &KeyFile, who: &str) -> Result<Zeroizing<String>, KeysError> {
        file.add(&name(who), &Clock::system(), &Random::system())
    }

    #[test]
    fn key_file_holds_hashes_and_is_private() {
        let (_data, file) = file();
        let key = add(&file, "one").unwrap();
        assert_eq!((&key[..4], key.len()), ("hdx_", 68));
        assert_ne!(key, add(&file, "two").unwrap());
        let text = std::fs::read_to_string(&file.path).unwrap();
        assert!(!text.contains(&key[4..]) && text.contains("\"one\""), "{text}");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file.path), mode(file.directory())), (0o600, 0o700));
        // What it is a hash of: checked by another hand.
        assert_eq!(
            hex::encode(hash(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn second_key_of_same_name_is_refused() {
        let (_data, file) = file();
        assert!(matches!(file.remove(&name("one"), false), Err(KeysError::Unknown(_))));
        add(&file, "one").unwrap();
        assert!(matches!(add(&file, "one"), Err(KeysError::Exists(_))));
        add(&file, "two").unwrap();
        let names = file.list().unwrap().into_iter().map(|entry| entry.key_id);
        assert_eq!(names.collect::<Vec<_>>(), [name("one"), name("two")]);
        assert_eq!(file.remove(&name("one"), false).unwrap(), 1);
        assert_eq!(file.list().unwrap().len(), 1);
    }

    #[test]
    fn concurrent_key_additions_are_all_stored() {
        let (_data, file) = file();
        std::thread::scope(|scope| {
            for index in 0..8 {
                let file = &file;
                scope.spawn(move || add(file, &format!("tenant-{index}")).unwrap());
            }
        });
        assert_eq!(file.list().unwrap().len(), 8);
    }
}
