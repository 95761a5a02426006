//! A webhook's signing secret, and signatures according to the Standard Webhooks specification
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use std::fmt;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::random::{Random, RandomError};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const PREFIX: &str = "whsec_";

/// The specification requires 24 to 64 bytes.
const BYTES: usize = 32;

/// The stored bytes are not a secret.
#[derive(Debug, thiserror::Error)]
#[error("the stored secret is damaged")]
pub struct SecretError;

/// A signing secret.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; BYTES]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Draws a new secret.
    ///
    /// # Errors
    /// Fails when the random number generator fails.
    pub fn draw(random: &Random) -> Result<Self, RandomError> {
        let mut bytes = [0; BYTES];
        random.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Parses a stored secret.
    ///
    /// # Errors
    /// Fails when the length is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        Ok(Self(bytes.try_into().map_err(|_| SecretError)?))
    }

    /// Returns its bytes, to seal them.
    #[must_use]
    pub const fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text shown to the tenant once: `whsec_` and base64.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(STANDARD.encode(self.0));
        Zeroizing::new(format!("{PREFIX}{}", *encoded))
    }

    /// Returns the header `webhook-signature` of a message sent at a time in Unix seconds.
    #[must_use]
    pub fn signature(&self, id: &str, at_s: u64, body: &str) -> String {
        let key = Key::new(HMAC_SHA256, &self.0);
        let signed = sign(&key, format!("{id}.{at_s}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(signed.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with another implementation, Python's hmac. tests/e2e compares signatures with the
    /// specification's own library.
    #[test]
    fn signature_equals_pythons_hmac() {
        let secret = Secret::from_bytes(&[7; 32]).unwrap();
        let text = secret.to_text();
        assert_eq!(*text, "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        let signed = secret.signature("evt_1", 1_700_000_000, r#"{"type":"x"}"#);
        assert_eq!(signed, "v1,5ckNRk1h3WGpbNU+itO3ZK7pWn9/ezhJJT42lkWUwqo=");
        assert_eq!(format!("{secret:?}"), "Secret");
        assert!(Secret::from_bytes(&[7; 31]).is_err());
    }
}
