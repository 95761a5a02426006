//! Approvers and authorities.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::PolicyError;
use crate::eth::PublicKey;

/// The most approvers of an authority.
const MAX_APPROVERS: usize = 16;

/// A P-256 key that signs changes and large payments. It is outside the service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approver {
    /// Its name within the authority: 1 to 32 characters of `[a-z0-9-]`.
    pub id: String,
    /// The uncompressed point: 65 bytes in lower-case hex, without `0x`.
    pub public_key: String,
    /// Set for a WebAuthn credential, which then signs only as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webauthn: Option<WebAuthnOrigin>,
}

/// The page that may use a WebAuthn credential.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebAuthnOrigin {
    /// The page's origin, such as `https://keys.example.com`.
    pub origin: String,
    /// The relying party's id, such as `example.com`.
    pub rp_id: String,
}

impl Approver {
    /// Returns the bytes of the public key.
    ///
    /// # Errors
    /// Fails when it is not an uncompressed point in lower-case hex.
    pub fn key(&self) -> Result<Vec<u8>, PolicyError> {
        let expected =
            PolicyError("invalid public key: expected a P-256 point, 65 bytes in lower-case hex");
        let bytes = hex::decode(&self.public_key).map_err(|_| expected)?;
        let key = PublicKey::from_sec1(&bytes).map_err(|_| expected)?;
        // One spelling, so that a key cannot be listed twice.
        if key.to_hex() == self.public_key { Ok(bytes) } else { Err(expected) }
    }

    fn check(&self) -> Result<(), PolicyError> {
        let is_id = (1..=32).contains(&self.id.len())
            && self.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_id {
            return Err(PolicyError("invalid approver: expected an id of 1 to 32 of a-z 0-9 -"));
        }
        self.key()?;
        let is_name = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        match &self.webauthn {
            Some(page) if !is_name(&page.origin, 256) || !is_name(&page.rp_id, 253) => {
                Err(PolicyError("invalid WebAuthn origin: expected an origin and a domain"))
            }
            _ => Ok(()),
        }
    }
}

/// Approvers, and how many of them must sign.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authority {
    /// The number of approvers that must sign.
    pub threshold: u8,
    /// 1 to 16 approvers with different ids and keys.
    pub approvers: Vec<Approver>,
}

impl Authority {
    /// Returns the approver of this name.
    #[must_use]
    pub fn approver(&self, id: &str) -> Option<&Approver> {
        self.approvers.iter().find(|approver| approver.id == id)
    }

    /// Returns whether this key is one of its approvers'.
    #[must_use]
    pub fn has_key(&self, public_key: &str) -> bool {
        self.approvers.iter().any(|approver| approver.public_key == public_key)
    }

    /// Checks the numbers, names and keys.
    ///
    /// # Errors
    /// Returns the first fault.
    pub fn check(&self) -> Result<(), PolicyError> {
        let count = self.approvers.len();
        if !(1..=MAX_APPROVERS).contains(&count) {
            return Err(PolicyError("invalid authority: expected 1 to 16 approvers"));
        }
        if !(1..=count).contains(&usize::from(self.threshold)) {
            return Err(PolicyError("invalid threshold: expected 1 to the number of approvers"));
        }
        self.approvers.iter().try_for_each(Approver::check)?;
        let ids: BTreeSet<&str> = self.approvers.iter().map(|known| known.id.as_str()).collect();
        let keys: BTreeSet<&str> =
            self.approvers.iter().map(|known| known.public_key.as_str()).collect();
        if ids.len() < count || keys.len() < count {
            return Err(PolicyError("invalid authority: each id and key may be listed once"));
        }
        Ok(())
    }
}
