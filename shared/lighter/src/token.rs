//! Tokens for the reads that need one: `{deadline}:{account}:{slot}:{signature}`.

use std::fmt;

use domain::random::Random;
use zeroize::Zeroizing;

use crate::field::Gl;
use crate::fields::{TransactionError, check_sender};
use crate::key::SecretKey;
use crate::poseidon2::hash_to_five;
use crate::signature::{Hash, SignError};

/// The longest time that Lighter accepts a token in advance, in seconds: 8 hours.
pub const MAX_LIFETIME_S: u64 = 8 * 60 * 60;

/// A token, for the header `Authorization`. It gives access to the account's reads until its
/// deadline, so it is erased on drop, and `Debug` shows nothing of it.
pub struct AuthToken(Zeroizing<String>);

impl AuthToken {
    /// Returns the header's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthToken(..)")
    }
}

impl SecretKey {
    /// Returns a token of an account and slot that is valid until `deadline_s`. Both times are
    /// seconds since the Unix epoch.
    ///
    /// # Errors
    /// Fails for a deadline in the past or beyond [`MAX_LIFETIME_S`], for an account or slot that
    /// Lighter does not have, and when signing fails.
    pub fn auth_token(
        &self,
        (account_index, api_key_index): (u64, u8),
        deadline_s: u64,
        now_s: u64,
        random: &Random,
    ) -> Result<AuthToken, SignError> {
        check_sender(account_index, api_key_index)?;
        if deadline_s <= now_s || deadline_s - now_s > MAX_LIFETIME_S {
            let expected = "a time in the next 8 hours";
            return Err(TransactionError::new("deadline", expected).into());
        }
        let message = message(deadline_s, account_index, api_key_index);
        let signature = self.sign(&message_hash(&message), random)?;
        let signature = Zeroizing::new(hex::encode(signature.to_bytes()));
        Ok(AuthToken(Zeroizing::new(format!("{message}:{}", *signature))))
    }
}

pub(crate) fn message(deadline_s: u64, account_index: u64, api_key_index: u8) -> String {
    format!("{deadline_s}:{account_index}:{api_key_index}")
}

/// Hashes a text of digits and colons: 8 bytes for each element, the last one padded with zeros.
pub(crate) fn message_hash(message: &str) -> Hash {
    let elements: Vec<Gl> = message
        .as_bytes()
        .chunks(8)
        .map(|chunk| {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            Gl(u64::from_le_bytes(bytes))
        })
        .collect();
    Hash(hash_to_five(&elements))
}
