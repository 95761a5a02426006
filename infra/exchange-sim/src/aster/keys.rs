//! The API V1: issued nonces, and the keys of each account.

use std::{collections::HashMap, fmt};

use alloy_primitives::Address;
use aws_lc_rs::rand;

use super::refusal::Refusal;

/// A strict guess: the lifetime of a nonce is not documented.
const NONCE_LIFE_MS: u64 = 60_000;

/// A key of the API V1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V1Key {
    /// Unique for the account.
    pub desc: String,
    /// Value of `X-MBX-APIKEY` in a call.
    pub api_key: String,
    /// Secret that signs calls.
    pub api_secret: ApiSecret,
    /// As sent, comma-separated; not enforced.
    pub ip_whitelist: String,
}

/// A secret that can be compared, and whose `Debug` output is redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiSecret(String);

impl ApiSecret {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for ApiSecret {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiSecret(..)")
    }
}

/// State of the API V1.
#[derive(Default)]
pub(super) struct Keys {
    /// Nonce and its expiry, one for each account.
    nonces: HashMap<Address, (u64, u64)>,
    next_nonce: Option<u64>,
    keys: HashMap<Address, Vec<V1Key>>,
}

impl Keys {
    /// Issues a nonce, which replaces the account's last.
    pub(super) fn issue_nonce(&mut self, account: Address, now: u64) -> Result<u64, Refusal> {
        let nonce = match self.next_nonce.take() {
            Some(nonce) => nonce,
            // Six digits, as in the documents.
            None => 100_000 + u64::from(u32::from_le_bytes(random()?)) % 900_000,
        };
        self.nonces.insert(account, (nonce, now + NONCE_LIFE_MS));
        Ok(nonce)
    }

    /// Takes the account's nonce.
    ///
    /// # Errors
    ///
    /// Returns [`Refusal::Nonce`] if there is none or it is too old.
    pub(super) fn spend_nonce(&mut self, account: Address, now: u64) -> Result<u64, Refusal> {
        let (nonce, until) = self.nonces.remove(&account).ok_or(Refusal::Nonce)?;
        if now < until { Ok(nonce) } else { Err(Refusal::Nonce) }
    }

    /// Creates a key.
    ///
    /// # Errors
    ///
    /// Returns an error if the account has a key with this `desc`.
    pub(super) fn create(
        &mut self,
        account: Address,
        desc: &str,
        ip_whitelist: &str,
    ) -> Result<V1Key, Refusal> {
        let key = V1Key {
            desc: desc.to_owned(),
            api_key: hex::encode(random::<32>()?),
            api_secret: ApiSecret(hex::encode(random::<32>()?)),
            ip_whitelist: ip_whitelist.to_owned(),
        };
        self.insert(account, key.clone())?;
        Ok(key)
    }

    /// Adds a key that was created elsewhere. Returns whether `desc` and key were free.
    pub(super) fn add(
        &mut self,
        account: Address,
        desc: &str,
        api_key: &str,
        api_secret: &str,
    ) -> bool {
        let key = V1Key {
            desc: desc.to_owned(),
            api_key: api_key.to_owned(),
            api_secret: ApiSecret(api_secret.to_owned()),
            ip_whitelist: String::new(),
        };
        self.find(api_key).is_none() && self.insert(account, key).is_ok()
    }

    /// Removes a key. Returns whether it existed.
    pub(super) fn remove(&mut self, account: Address, api_key: &str) -> bool {
        let keys = self.keys.entry(account).or_default();
        let before = keys.len();
        keys.retain(|key| key.api_key != api_key);
        keys.len() < before
    }

    fn insert(&mut self, account: Address, key: V1Key) -> Result<(), Refusal> {
        let keys = self.keys.entry(account).or_default();
        if keys.iter().any(|known| known.desc == key.desc) {
            return Err(Refusal::Desc);
        }
        keys.push(key);
        Ok(())
    }

    pub(super) fn find(&self, api_key: &str) -> Option<(Address, &V1Key)> {
        self.keys.iter().find_map(|(account, keys)| {
            let key = keys.iter().find(|key| key.api_key == api_key)?;
            Some((*account, key))
        })
    }

    pub(super) fn of(&self, account: Address) -> Vec<V1Key> {
        self.keys.get(&account).cloned().unwrap_or_default()
    }

    pub(super) fn set_next_nonce(&mut self, nonce: u64) {
        self.next_nonce = Some(nonce);
    }
}

fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| Refusal::Unknown)?;
    Ok(bytes)
}
