//! Decimal numbers for prices, quantities and limits. Trading code uses no binary fractions.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Maximum number of digits before the point of a parsed number.
pub const MAX_INTEGER_DIGITS: usize = 15;

/// Maximum number of digits after the point of a parsed number.
pub const MAX_PLACES: usize = 12;

/// Maximum scale of a number: products of three parsed numbers fit, and `10^MAX_SCALE` fits `u128`.
const MAX_SCALE: u8 = 36;

/// A decimal number that is not negative: `units / 10^scale`. The form is canonical: the scale is
/// the smallest that holds the value. Therefore equal values are equal fields.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal {
    units: u128,
    scale: u8,
}

/// The text is not a decimal number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "invalid number: expected at most 15 digits, then optionally a point and at most 12 digits, \
     without a sign or an exponent"
)]
pub struct DecimalError;

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { units: 0, scale: 0 };

    /// One.
    pub const ONE: Self = Self { units: 1, scale: 0 };

    /// Returns `units / 10^scale`, or `None` if the scale exceeds 36.
    #[must_use]
    pub const fn new(mut units: u128, mut scale: u8) -> Option<Self> {
        if scale > MAX_SCALE {
            return None;
        }
        while scale > 0 && units.is_multiple_of(10) {
            units /= 10;
            scale -= 1;
        }
        Some(Self { units, scale })
    }

    /// Parses `[0-9]{1,15}(\.[0-9]{1,12})?`.
    ///
    /// # Errors
    /// Fails for any other text: a sign, an exponent, a space, or more digits.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(DecimalError),
            None => (text, ""),
        };
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let is_valid = (1..=MAX_INTEGER_DIGITS).contains(&whole.len())
            && fraction.len() <= MAX_PLACES
            && is_digits(whole)
            && is_digits(fraction);
        if !is_valid {
            return Err(DecimalError);
        }
        let digits = whole.bytes().chain(fraction.bytes());
        let units = digits.fold(0_u128, |units, digit| units * 10 + u128::from(digit - b'0'));
        let scale = u8::try_from(fraction.len()).map_err(|_| DecimalError)?;
        Self::new(units, scale).ok_or(DecimalError)
    }

    /// Returns the shortest plain text of the value: `0.5`, never `.5`, `0.50` or `5e-1`.
    #[must_use]
    pub fn text(self) -> String {
        if self.scale == 0 {
            return self.units.to_string();
        }
        let places = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.units, width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        format!("{whole}.{fraction}")
    }

    /// Returns the number of digits after the point, without trailing zeros.
    #[must_use]
    pub const fn places(self) -> u8 {
        self.scale
    }

    /// Returns the number of significant digits, without leading and trailing zeros; 0 for zero.
    #[must_use]
    pub const fn significant(self) -> u32 {
        let mut units = self.units;
        while units != 0 && units.is_multiple_of(10) {
            units /= 10;
        }
        digits(units)
    }

    /// Returns the number of digits before the point. For a value below one it is minus the number
    /// of zeros directly after the point.
    #[must_use]
    pub const fn whole_digits(self) -> i32 {
        digits(self.units).cast_signed() - self.scale as i32
    }

    /// Returns whether the value is a whole number.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        self.scale == 0
    }

    /// Returns the value times `10^places` as a whole number. `None` means that the value has more
    /// places, or that the number is too large.
    #[must_use]
    pub fn units_of(self, places: u8) -> Option<u128> {
        if self.scale > places { None } else { self.units_at(places) }
    }

    /// Returns whether the value is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.units == 0
    }

    /// Returns the product. `None` means that it has too many digits. The product of two parsed
    /// numbers is then above 10^14, so a caller treats it as above every limit.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        Self::new(self.units.checked_mul(other.units)?, self.scale.checked_add(other.scale)?)
    }

    /// Returns the sum. `None` means that it has too many digits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Self::new(self.units_at(scale)?.checked_add(other.units_at(scale)?)?, scale)
    }

    /// Returns the difference. `None` means that it is negative or has too many digits.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Self::new(self.units_at(scale)?.checked_sub(other.units_at(scale)?)?, scale)
    }

    /// Returns the quotient, rounded half to even to `places` digits after the point. `None` for a
    /// divisor of zero, and if it has too many digits.
    #[must_use]
    pub fn checked_div(self, other: Self, places: u8) -> Option<Self> {
        let up = u32::from(places) + u32::from(other.scale);
        let (up, down) = match up.checked_sub(self.scale.into()) {
            Some(up) => (up, 0),
            None => (0, u32::from(self.scale) - up),
        };
        let units = self.units.checked_mul(10_u128.checked_pow(up)?)?;
        let divisor = other.units.checked_mul(10_u128.checked_pow(down)?)?;
        let (quotient, rest) = (units.checked_div(divisor)?, units.checked_rem(divisor)?);
        let half = rest.cmp(&(divisor - rest));
        let is_up = half.is_gt() || (half.is_eq() && !quotient.is_multiple_of(2));
        Self::new(quotient + u128::from(is_up), places)
    }

    /// Returns whether the distance to `origin` is a multiple of `step`. A step of zero means that
    /// the exchange has no such rule. A number with too many digits to compare is not a multiple.
    #[must_use]
    pub fn is_step_from(self, origin: Self, step: Self) -> bool {
        if step.is_zero() {
            return true;
        }
        let scale = self.scale.max(origin.scale).max(step.scale);
        let at = |value: Self| value.units_at(scale);
        match (at(self), at(origin), at(step)) {
            (Some(value), Some(origin), Some(step)) => value.abs_diff(origin).is_multiple_of(step),
            _ => false,
        }
    }

    /// Returns the value rounded half to even, once, at the coarser of two limits: `significant`
    /// digits, which must not be 0, and `places` digits after the point. Only the bound of a market
    /// order is rounded.
    #[must_use]
    pub fn rounded(self, significant: u32, places: u8) -> Self {
        let excess_figures = digits(self.units).saturating_sub(significant);
        let excess_places = u32::from(self.scale.saturating_sub(places));
        let dropped = excess_figures.max(excess_places);
        let Some(divisor) = 10_u128.checked_pow(dropped) else { return Self::ZERO };
        let (mut kept, rest) = (self.units / divisor, self.units % divisor);
        let half = divisor / 2;
        // A divisor of 1 leaves no rest.
        if rest > half || (rest == half && dropped > 0 && !kept.is_multiple_of(2)) {
            kept += 1;
        }
        // `dropped` exceeds the scale if it also rounds digits before the point.
        let scale = u32::from(self.scale);
        let shifted = kept * 10_u128.pow(dropped.saturating_sub(scale));
        let scale = u8::try_from(scale.saturating_sub(dropped)).unwrap_or(0);
        Self::new(shifted, scale).unwrap_or(Self::ZERO)
    }

    /// Returns the units of the value at a scale that is at least its own.
    fn units_at(self, scale: u8) -> Option<u128> {
        self.units.checked_mul(10_u128.checked_pow(u32::from(scale - self.scale))?)
    }
}

/// Returns the number of decimal digits; 0 for zero.
const fn digits(units: u128) -> u32 {
    match units.checked_ilog10() {
        Some(log) => log + 1,
        None => 0,
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        // Whole parts and fractions separately: `10^MAX_SCALE` fits `u128`, the units of a large
        // number at that scale do not.
        let split = |value: &Self| {
            let one = 10_u128.pow(u32::from(value.scale));
            let to_max = 10_u128.pow(u32::from(MAX_SCALE - value.scale));
            (value.units / one, (value.units % one) * to_max)
        };
        split(self).cmp(&split(other))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Decimal {
    type Error = DecimalError;
    fn try_from(text: String) -> Result<Self, DecimalError> {
        Self::parse(&text)
    }
}

impl From<Decimal> for String {
    fn from(value: Decimal) -> Self {
        value.text()
    }
}

#[cfg(test)]
mod tests;
