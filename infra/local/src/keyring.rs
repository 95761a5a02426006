//! The tenant keys of a running stack. Finds the id of a request's key.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use domain::ids::Tenant;
use hyperdex_console::TenantKeys;
use shared::access::{Presented, PresentedKey};
use shared::api::error::ApiError;
use shared::tenancy::KeyId;

use crate::keys::{Hash, KeyFile, KeysError, Stamp, hash};

/// Result of the lookup of a request's key.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Known {
    /// The stack has no keys.
    Open,
    /// The key with this id.
    Key(KeyId),
    /// The stack requires a key, and the request has none.
    Missing,
    /// The stack requires a key, and no tenant has this one.
    Invalid,
}

/// The tenant keys of a running stack.
#[derive(Debug)]
pub(crate) struct Keyring {
    file: KeyFile,
    read: Mutex<ReadKeys>,
}

#[derive(Debug, Default)]
struct ReadKeys {
    stamp: Option<Stamp>,
    /// Returns the keys that are not disabled.
    ids: HashMap<Hash, KeyId>,
    /// Returns true if the file has no keys, not even disabled ones.
    open: bool,
}

impl Keyring {
    pub(crate) fn new(file: KeyFile) -> Self {
        Self { file, read: Mutex::default() }
    }

    /// Finds the tenant of a key by the key's hash, so that the duration reveals nothing about any
    /// key. Each call runs `stat` on the file and reads the file again after a change. While the
    /// file does not exist, each call reads the directory's identity, which says whether the file
    /// is required.
    ///
    /// # Errors
    /// Returns an error when the file exists and cannot be read. All requests are then refused.
    fn who(&self, key: Option<&[u8]>) -> Result<Known, KeysError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken before the read, so that the next call sees any later change.
        let stamp = self.file.stamp()?;
        if stamp.is_none() || stamp != read.stamp {
            let keys = self.file.list()?;
            let open = keys.is_empty();
            let enabled = keys.into_iter().filter(|entry| !entry.disabled);
            let ids = enabled.map(|entry| (entry.sha256, entry.key_id)).collect();
            *read = ReadKeys { stamp, ids, open };
        }
        let keys = &read.ids;
        Ok(match key {
            _ if read.open => Known::Open,
            None | Some([]) => Known::Missing,
            Some(key) => keys.get(&hash(key)).cloned().map_or(Known::Invalid, Known::Key),
        })
    }
}

impl TenantKeys for Keyring {
    fn presented(
        &self,
        key: Option<&[u8]>,
        address: Option<IpAddr>,
    ) -> Result<Presented, ApiError> {
        let known = self.who(key);
        match known.map_err(|error| ApiError::internal("Internal error", &error))? {
            Known::Open => Ok(Presented::Open(Tenant::local())),
            Known::Key(id) => Ok(Presented::Key(PresentedKey::new(id, key, address))),
            Known::Missing => Err(ApiError::no_api_key()),
            Known::Invalid => Err(ApiError::invalid_api_key()),
        }
    }

    fn are_required(&self) -> Result<bool, ApiError> {
        let anyone = self.who(None);
        let anyone = anyone.map_err(|error| ApiError::internal("Internal error", &error))?;
        Ok(anyone == Known::Missing)
    }
}

#[cfg(test)]
mod tests {
    use domain::clock::Clock;
    use domain::random::Random;
    use zeroize::Zeroizing;

    use super::*;
    use crate::keys::KEYS_FILE;

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
    fn running_stack_sees_key_changes() {
        let (_data, file) = file();
        let ring = Keyring::new(file.clone());
        let local = Known::Open;
        for any in [None, Some(b"any".as_slice())] {
            assert_eq!(ring.who(any).unwrap(), local);
        }
        let one = add(&file, "one").unwrap();
        assert_eq!(ring.who(None).unwrap(), Known::Missing);
        assert_eq!(ring.who(Some(b"")).unwrap(), Known::Missing);
        assert_eq!(ring.who(Some(b"any")).unwrap(), Known::Invalid);
        assert_eq!(ring.who(Some(one.to_uppercase().as_bytes())).unwrap(), Known::Invalid);
        assert_eq!(ring.who(Some(one.as_bytes())).unwrap(), Known::Key(name("one")));
        let two = add(&file, "two").unwrap();
        assert_eq!(ring.who(Some(two.as_bytes())).unwrap(), Known::Key(name("two")));
        file.remove(&name("one"), false).unwrap();
        assert_eq!(ring.who(Some(one.as_bytes())).unwrap(), Known::Invalid);
        assert!(matches!(file.remove(&name("two"), false), Err(KeysError::Last(_))));
        assert_eq!(ring.who(None).unwrap(), Known::Missing);
        file.remove(&name("two"), true).unwrap();
        assert_eq!(ring.who(None).unwrap(), local);
    }

    #[test]
    fn broken_key_file_rejects_all_calls() {
        let (data, file) = file();
        let path = data.path().join("new").join(KEYS_FILE);
        add(&file, "one").unwrap();
        let ring = Keyring::new(file.clone());
        for text in ["", "{", "[]", r#"{"schema":3,"keys":[]}"#, r#"{"schema":1}"#] {
            std::fs::write(&path, text).unwrap();
            assert!(ring.who(None).is_err(), "{text}");
            assert!(ring.who(Some(b"any")).is_err(), "{text}");
            assert!(add(&file, "two").is_err(), "{text}");
        }
    }
}
