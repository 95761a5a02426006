//! Keys of the API: a scalar, and its product with the generator.

use std::fmt;

use subtle::{ConstantTimeEq, ConstantTimeGreater};
use zeroize::{Zeroize, Zeroizing};

use crate::curve::Point;
use crate::extension::Fp5;
use crate::scalar::{BYTES, Scalar};

/// The text or number is not a secret key. The error never quotes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// The text has another length, or a character that is not a hex digit.
    #[error("invalid API key: expected 80 hex digits, with or without 0x")]
    Form,
    /// The number is 0, or at least the order of the group. Lighter's own signer accepts both.
    #[error("invalid API key: expected a number from 1 to the group's order less 1")]
    Range,
}

/// A secret key of an account's slot. It is erased on drop, and `Debug` shows nothing of it.
#[derive(Clone)]
pub struct SecretKey {
    scalar: Scalar,
    public: PublicKey,
}

impl SecretKey {
    /// Parses 80 hex digits of any letter case, with or without `0x`.
    ///
    /// # Errors
    /// Fails for another form, for 0, and for a number that is not below the group's order.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let mut bytes = Zeroizing::new([0; BYTES]);
        decode_hex(digits.as_bytes(), &mut bytes).then_some(()).ok_or(KeyError::Form)?;
        Self::from_bytes(&bytes)
    }

    /// Reads 40 bytes, little-endian.
    ///
    /// # Errors
    /// Fails for 0, and for a number that is not below the group's order.
    pub fn from_bytes(bytes: &[u8; BYTES]) -> Result<Self, KeyError> {
        let scalar = Scalar::parse(bytes).ok_or(KeyError::Range)?;
        if bool::from(scalar.is_zero()) {
            return Err(KeyError::Range);
        }
        Ok(Self::new(scalar))
    }

    pub(crate) fn new(scalar: Scalar) -> Self {
        let public = PublicKey::new(Point::generated(&scalar));
        Self { scalar, public }
    }

    /// Returns 40 bytes, little-endian, for storage under encryption.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; BYTES]> {
        Zeroizing::new(self.scalar.to_bytes())
    }

    /// Returns the public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) const fn scalar(&self) -> &Scalar {
        &self.scalar
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public)
    }
}

/// A public key. Its text is 80 hex digits, as in Lighter's list of keys.
#[derive(Clone, Copy)]
pub struct PublicKey {
    point: Point,
    encoded: Fp5,
}

impl PublicKey {
    pub(crate) fn new(point: Point) -> Self {
        Self { point, encoded: point.encode() }
    }

    /// Returns 40 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; BYTES] {
        self.encoded.to_bytes()
    }

    pub(crate) const fn point(&self) -> &Point {
        &self.point
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

impl Eq for PublicKey {}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// Decodes hex digits without a branch or a table that depends on a digit. Returns whether the
/// length fits and all characters are digits.
fn decode_hex(digits: &[u8], bytes: &mut [u8; BYTES]) -> bool {
    if digits.len() != 2 * BYTES {
        return false;
    }
    let mut invalid = 0_u8;
    for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = pair.map(digit_value);
        *byte = high.wrapping_shl(4) | (low & 15);
        invalid |= (high | low) & 0xf0;
    }
    let is_valid = bool::from(invalid.ct_eq(&0));
    if !is_valid {
        bytes.zeroize();
    }
    is_valid
}

/// Returns 0 to 15, or 255 for a character that is not a hex digit.
fn digit_value(character: u8) -> u8 {
    let in_range = |character: u8, first: u8, last: u8| {
        (!first.ct_gt(&character) & !character.ct_gt(&last)).unwrap_u8().wrapping_neg()
    };
    let lower = character | 0x20;
    let (is_digit, is_letter) = (in_range(character, b'0', b'9'), in_range(lower, b'a', b'f'));
    let value = (is_digit & character.wrapping_sub(b'0'))
        | (is_letter & lower.wrapping_sub(b'a').wrapping_add(10));
    value | !(is_digit | is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_decodes_as_in_the_hex_library() {
        for character in 0..=u8::MAX {
            let expected = char::from(character).to_digit(16);
            let expected = expected.map_or(255, |digit| u8::try_from(digit).unwrap());
            assert_eq!(digit_value(character), expected, "{character}");
        }
    }

    #[test]
    fn key_text_of_another_form_is_refused() {
        let digits = "1".repeat(79) + "0";
        for text in ["", "0x", "1", &digits[1..], &format!("{digits}0"), &format!("0x0x{digits}")] {
            assert_eq!(SecretKey::parse(text).err(), Some(KeyError::Form), "{text}");
        }
        for place in [0, 1, 40, 79] {
            let mut text = digits.clone();
            text.replace_range(place..=place, "g");
            assert_eq!(SecretKey::parse(&text).err(), Some(KeyError::Form));
        }
        let upper = format!("0x{}", digits.to_uppercase());
        let keys = [digits.as_str(), &upper].map(|text| SecretKey::parse(text).unwrap());
        assert_eq!(keys[0].public_key(), keys[1].public_key());
        assert_eq!(hex::encode(*keys[0].to_bytes()), digits);
    }

    #[test]
    fn key_of_zero_or_at_least_the_order_is_refused() {
        let order =
            "e1ff8b9496d90fe89ca024d7395c88e83906b8cfe6ffff7f16000000f1ffff7f07000080fdffff7f";
        let above = format!("e2{}", &order[2..]);
        for text in [&"0".repeat(80), order, &above, &"f".repeat(80)] {
            assert_eq!(SecretKey::parse(text).err(), Some(KeyError::Range), "{text}");
        }
        let largest = format!("e0{}", &order[2..]);
        for text in [largest, format!("01{}", "0".repeat(78))] {
            assert!(SecretKey::parse(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn debug_text_of_a_key_has_no_secret() {
        let text = "42".repeat(39) + "01";
        let key = SecretKey::parse(&text).unwrap();
        let shown = format!("{key:?} {:?} {:?}", key.public_key(), SecretKey::parse(&text[2..]));
        assert!(!shown.contains("4242") && shown.contains(&key.public_key().to_string()));
    }
}
