//! Decimal numbers with a sign, for profits, fees and balances that an exchange states.

use std::cmp::Ordering;
use std::fmt;

use super::decimal::Decimal;

/// Maximum number of digits of a parsed number.
const MAX_DIGITS: usize = 38;

/// Maximum number of digits after the point. Exchanges print at most 20.
const MAX_PLACES: i32 = 36;

/// A decimal number with a sign. The form is canonical: zero has no sign, and equal values
/// are equal fields.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signed {
    is_negative: bool,
    magnitude: Decimal,
}

/// The text is not a number that an exchange may state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid number: expected a decimal number of at most 38 digits")]
pub struct SignedError;

impl Signed {
    /// Zero.
    pub const ZERO: Self = Self { is_negative: false, magnitude: Decimal::ZERO };

    /// Makes a number with a sign. Zero has none.
    #[must_use]
    pub const fn new(is_negative: bool, magnitude: Decimal) -> Self {
        Self { is_negative: is_negative && !magnitude.is_zero(), magnitude }
    }

    /// Parses a decimal number exactly. Unlike a caller's number it may have a sign, an exponent
    /// (`1.7E-4`) and up to 38 digits.
    ///
    /// # Errors
    /// Fails for any other text, and for a number with more than 36 places.
    pub fn parse(text: &str) -> Result<Self, SignedError> {
        read(text).ok_or(SignedError)
    }

    /// Returns the shortest plain text of the value, such as `-0.5`.
    #[must_use]
    pub fn text(self) -> String {
        let sign = if self.is_negative { "-" } else { "" };
        format!("{sign}{}", self.magnitude.text())
    }

    /// Returns the value without its sign.
    #[must_use]
    pub const fn magnitude(self) -> Decimal {
        self.magnitude
    }

    /// Returns whether the value is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.is_negative
    }

    /// Returns whether the value is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.magnitude.is_zero()
    }

    /// Returns the value, or zero if it is negative.
    #[must_use]
    pub const fn or_zero(self) -> Decimal {
        if self.is_negative { Decimal::ZERO } else { self.magnitude }
    }

    /// Returns the value with the other sign.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self::new(!self.is_negative, self.magnitude)
    }

    /// Returns the sum. `None` means that it has too many digits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.is_negative == other.is_negative {
            let sum = self.magnitude.checked_add(other.magnitude)?;
            return Some(Self::new(self.is_negative, sum));
        }
        let (larger, smaller) =
            if self.magnitude >= other.magnitude { (self, other) } else { (other, self) };
        let difference = larger.magnitude.checked_sub(smaller.magnitude)?;
        Some(Self::new(larger.is_negative, difference))
    }

    /// Returns the difference. `None` means that it has too many digits.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(other.negated())
    }
}

impl From<Decimal> for Signed {
    fn from(value: Decimal) -> Self {
        Self::new(false, value)
    }
}

impl Ord for Signed {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude.cmp(&other.magnitude),
            (true, true) => other.magnitude.cmp(&self.magnitude),
        }
    }
}

impl PartialOrd for Signed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn read(text: &str) -> Option<Signed> {
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (mantissa, ""),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() {
        return Some(Signed::ZERO);
    }
    let dropped = i32::try_from(digits.len() - kept.len()).ok()?;
    let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?.checked_sub(dropped)?;
    if kept.len() > MAX_DIGITS || scale > MAX_PLACES {
        return None;
    }
    let units: u128 = kept.parse().ok()?;
    let (units, scale) = match u8::try_from(scale) {
        Ok(scale) => (units, scale),
        Err(_) => (units.checked_mul(10_u128.checked_pow(scale.unsigned_abs())?)?, 0),
    };
    Some(Signed::new(is_negative, Decimal::new(units, scale)?))
}

/// Parses an exponent of at most two digits.
fn exponent_of(text: &str) -> Option<i32> {
    let (sign, digits) = match text.as_bytes() {
        [b'-', ..] => (-1, text.get(1..)?),
        [b'+', ..] => (1, text.get(1..)?),
        _ => (1, text),
    };
    let is_valid =
        (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_valid.then(|| digits.parse::<i32>().ok())?.map(|digits| sign * digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> String {
        Signed::parse(text).unwrap().text()
    }

    #[test]
    fn number_keeps_its_digits() {
        for (given, expected) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("-12.3400", "-12.34"),
            ("0.00000001", "0.00000001"),
            ("7.315999999999999", "7.315999999999999"),
            ("1.7E-4", "0.00017"),
            ("0E-8", "0"),
            ("-2.5e+3", "-2500"),
            ("1000000000000000000000", "1000000000000000000000"),
            ("99999999999999999999.123456789012345678", "99999999999999999999.123456789012345678"),
        ] {
            assert_eq!(text(given), expected);
        }
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for other in [
            "", "-", "+1", "1.", ".5", "1,5", "NaN", "inf", "1e", "1e100", "--1", "1 ", "0x1",
            "1e-37",
        ] {
            assert_eq!(Signed::parse(other), Err(SignedError), "{other}");
        }
    }

    proptest! {
        #[test]
        fn sum_agrees_with_integers(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000) {
            let of = |value: i64| Signed::parse(&value.to_string()).unwrap();
            prop_assert_eq!(of(a).checked_add(of(b)), Some(of(a + b)));
            prop_assert_eq!(of(a).checked_sub(of(b)), Some(of(a - b)));
            prop_assert_eq!(of(a).cmp(&of(b)), a.cmp(&b));
        }

        #[test]
        fn any_text_is_a_number_or_an_error(text in any::<String>()) {
            let _ = Signed::parse(&text);
        }
    }
}
