//! A bounded cache of data keys, so that a key that is used often is unwrapped by KMS once.
//!
//! The cache holds plaintext data keys, never the secrets. A key leaves it after its time, at the
//! next access to the cache, and is overwritten. A process that is suspended keeps its memory, so
//! there a key can stay longer.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use zeroize::Zeroizing;

use super::{Context, Envelope, EnvelopeError, Sealed};
use crate::env::{ConfigError, Env};

/// Default time of a data key in the cache, in seconds.
const CACHE_SECONDS: u32 = 60;

/// Maximum time of a data key in the cache, in seconds.
const MAX_CACHE_SECONDS: u32 = 300;

/// Maximum number of data keys in a cache.
const MAX_KEYS: usize = 1_000;

/// Data keys that were unwrapped a short time ago. Clones share them.
#[derive(Clone)]
pub struct KeyCache {
    ttl_ms: u64,
    max: usize,
    keys: Arc<Mutex<HashMap<Name, Entry>>>,
}

/// The hash of a data key's context and of its wrapped form.
type Name = [u8; SHA256_OUTPUT_LEN];

struct Entry {
    key: Zeroizing<Vec<u8>>,
    until_ms: u64,
}

impl KeyCache {
    /// Makes a cache that holds each data key for a time in milliseconds; 0 disables it.
    #[must_use]
    pub fn new(ttl_ms: u64) -> Self {
        Self { ttl_ms, max: MAX_KEYS, keys: Arc::default() }
    }

    /// Makes a cache with the time of the variable `DATA_KEY_CACHE_SECONDS`: 0 to 300, by default
    /// 60.
    ///
    /// # Errors
    /// Fails when the variable is not a number in this range.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let seconds = env.number("DATA_KEY_CACHE_SECONDS", 0..=MAX_CACHE_SECONDS)?;
        Ok(Self::new(u64::from(seconds.unwrap_or(CACHE_SECONDS)) * 1_000))
    }

    /// Locks the keys, and drops those whose time is over. The end of a key that lies after a whole
    /// time from now comes from a clock that was set back.
    fn fresh(&self, now_ms: u64) -> MutexGuard<'_, HashMap<Name, Entry>> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let latest_ms = now_ms.saturating_add(self.ttl_ms);
        keys.retain(|_, entry| entry.until_ms > now_ms && entry.until_ms <= latest_ms);
        keys
    }

    fn get(&self, name: &Name, now_ms: u64) -> Option<Zeroizing<Vec<u8>>> {
        self.fresh(now_ms).get(name).map(|entry| entry.key.clone())
    }

    /// Adds a key. A full cache drops the key that would leave first.
    fn put(&self, name: Name, key: Zeroizing<Vec<u8>>, now_ms: u64) {
        if self.ttl_ms == 0 {
            return;
        }
        let mut keys = self.fresh(now_ms);
        if keys.len() >= self.max && !keys.contains_key(&name) {
            let first = keys.iter().min_by_key(|(_, entry)| entry.until_ms);
            if let Some(first) = first.map(|(name, _)| *name) {
                keys.remove(&first);
            }
        }
        keys.insert(name, Entry { key, until_ms: now_ms.saturating_add(self.ttl_ms) });
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache").field("ttl_ms", &self.ttl_ms).finish_non_exhaustive()
    }
}

impl Envelope {
    /// Opens a secret as [`Envelope::open`] does, without a call of KMS if the cache has its data
    /// key. The data key enters the cache only after it has opened the secret.
    ///
    /// # Errors
    /// As [`Envelope::open`].
    pub async fn open_cached(
        &self,
        cache: &KeyCache,
        context: &Context,
        sealed: &Sealed,
        now_ms: u64,
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let about = context.associated_data()?;
        let name = name(&about, &sealed.wrapped_key);
        if let Some(key) = cache.get(&name, now_ms) {
            return sealed.open_with(&key, about);
        }
        let key = self.unwrap_key(context, sealed).await?;
        let bytes = sealed.open_with(&key, about)?;
        cache.put(name, key, now_ms);
        Ok(bytes)
    }
}

/// The name binds the context, so that a cached key opens only what KMS would unwrap it for.
fn name(about: &[u8], wrapped_key: &[u8]) -> Name {
    let mut bytes = Vec::with_capacity(8 + about.len() + wrapped_key.len());
    bytes.extend_from_slice(&(about.len() as u64).to_be_bytes());
    bytes.extend_from_slice(about);
    bytes.extend_from_slice(wrapped_key);
    let mut name = [0; SHA256_OUTPUT_LEN];
    name.copy_from_slice(digest(&SHA256, &bytes).as_ref());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(vec![byte; 32])
    }

    fn cached(cache: &KeyCache, byte: u8, now_ms: u64) -> bool {
        cache.get(&[byte; 32], now_ms).is_some_and(|found| *found == *key(byte))
    }

    #[test]
    fn key_leaves_the_cache_after_its_time() {
        let cache = KeyCache::new(60_000);
        cache.put([1; 32], key(1), 1_000);
        assert!(cached(&cache, 1, 1_000) && cached(&cache, 1, 60_999));
        assert!(!cached(&cache, 1, 61_000));
        assert_eq!(cache.keys.lock().unwrap().len(), 0);
        cache.put([2; 32], key(2), 61_000);
        assert!(!cached(&cache, 1, 61_001) && cached(&cache, 2, 61_001));
    }

    #[test]
    fn clock_set_back_does_not_extend_a_keys_time() {
        let cache = KeyCache::new(60_000);
        cache.put([1; 32], key(1), 1_000_000);
        assert!(!cached(&cache, 1, 500_000));
        assert!(!cached(&cache, 1, 1_000_001));
    }

    #[test]
    fn full_cache_drops_the_oldest_key() {
        let cache = KeyCache { max: 2, ..KeyCache::new(60_000) };
        for byte in 1..=3 {
            cache.put([byte; 32], key(byte), 1_000 + u64::from(byte));
        }
        let there: Vec<_> = (1..=3).filter(|byte| cached(&cache, *byte, 2_000)).collect();
        assert_eq!(there, [2, 3]);
    }

    #[test]
    fn time_zero_disables_the_cache() {
        let cache = KeyCache::new(0);
        cache.put([1; 32], key(1), 1_000);
        assert!(!cached(&cache, 1, 1_000));
        assert_eq!(cache.keys.lock().unwrap().len(), 0);
    }

    #[test]
    fn cache_time_is_read_from_the_environment() {
        let read = |value: &'static str| {
            let variable = move |_: &str| Some(value.to_owned());
            KeyCache::from_env(&Env(&variable)).map(|cache| cache.ttl_ms)
        };
        assert_eq!(
            (read("").ok(), read("0").ok(), read("300").ok()),
            (Some(60_000), Some(0), Some(300_000))
        );
        assert!(read("301").is_err() && read("-1").is_err() && read("1.5").is_err());
    }

    #[test]
    fn key_name_depends_on_context_and_wrapped_key() {
        let names = [name(b"ab", b"c"), name(b"a", b"bc"), name(b"ab", b"d"), name(b"ac", b"c")];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn debug_output_contains_no_key() {
        let cache = KeyCache::new(60_000);
        cache.put([1; 32], key(77), 1_000);
        assert_eq!(format!("{cache:?}"), "KeyCache { ttl_ms: 60000, .. }");
    }
}
