//! Decimal numbers in units of 10^-8, in integer arithmetic. Independent of the product's decimals.

use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Number of units in one.
const ONE: i128 = 100_000_000;

/// Maximum number of digits before the point.
const WHOLE_DIGITS: usize = 15;

/// Number of digits after the point.
const PLACES: usize = 8;

/// A decimal number with 8 digits after the point.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Num(i128);

impl Num {
    pub(crate) const ZERO: Self = Self(0);
    pub(crate) const ONE: Self = Self(ONE);

    pub(crate) const fn whole(number: i128) -> Self {
        Self(number * ONE)
    }

    /// Returns a number of units of 10^-8.
    pub(crate) const fn units(units: i128) -> Self {
        Self(units)
    }

    /// Returns the number of units of 10^-8.
    pub(crate) const fn in_units(self) -> i128 {
        self.0
    }

    /// Returns 10^-places, the step of a number with so many places.
    pub(crate) const fn step(places: u8) -> Self {
        let mut units = ONE;
        let mut place = 0;
        while place < places {
            units /= 10;
            place += 1;
        }
        Self(units)
    }

    /// Parses a non-negative plain decimal. Trailing zeros may exceed the 8 places.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > WHOLE_DIGITS {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > PLACES {
            return None;
        }
        let padded = format!("{whole}{fraction:0<PLACES$}");
        padded.parse().ok().map(Self)
    }

    /// Parses a decimal with an optional minus sign.
    pub(crate) fn parse_signed(text: &str) -> Option<Self> {
        match text.strip_prefix('-') {
            Some(rest) => Self::parse(rest).map(Neg::neg),
            None => Self::parse(text),
        }
    }

    /// Returns the text without trailing zeros, such as `0.001` or `68123`.
    pub(crate) fn text(self) -> String {
        let text = self.fixed(PLACES);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// Returns the text with at least one place, such as `68123.0`: the form of Hyperliquid's
    /// responses.
    pub(crate) fn dotted(self) -> String {
        let text = self.text();
        if text.contains('.') { text } else { format!("{text}.0") }
    }

    /// Returns the text with exactly so many places: the form of Aster's responses. Cuts off
    /// further digits.
    pub(crate) fn fixed(self, places: usize) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, fraction) = (self.0.abs() / ONE, self.0.abs() % ONE);
        if places == 0 {
            return format!("{sign}{whole}");
        }
        let digits = format!("{fraction:08}");
        let cut = digits.get(..places).unwrap_or(&digits);
        format!("{sign}{whole}.{cut:0<places$}")
    }

    pub(crate) const fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn is_positive(self) -> bool {
        self.0 > 0
    }

    pub(crate) const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// Returns -1, 0 or 1.
    pub(crate) const fn sign(self) -> i128 {
        self.0.signum()
    }

    /// Multiplies. Rounds towards zero.
    pub(crate) const fn times(self, other: Self) -> Self {
        Self(self.0.saturating_mul(other.0) / ONE)
    }

    /// Divides. Rounds towards zero; zero if the divisor is zero.
    pub(crate) const fn over(self, other: Self) -> Self {
        if other.0 == 0 { Self(0) } else { Self(self.0.saturating_mul(ONE) / other.0) }
    }

    /// Multiplies by a fraction of integers.
    pub(crate) const fn ratio(self, numerator: i128, denominator: i128) -> Self {
        Self(self.0.saturating_mul(numerator) / denominator)
    }

    /// Returns whether the number is a multiple of a step. A step of zero permits every number.
    pub(crate) const fn is_multiple_of(self, step: Self) -> bool {
        step.0 == 0 || self.0 % step.0 == 0
    }

    /// Rounds down to a multiple of a step.
    pub(crate) const fn down_to(self, step: Self) -> Self {
        if step.0 == 0 { self } else { Self(self.0.div_euclid(step.0) * step.0) }
    }

    /// Rounds up to a multiple of a step.
    pub(crate) const fn up_to(self, step: Self) -> Self {
        if step.0 == 0 { self } else { Self(-((-self.0).div_euclid(step.0) * step.0)) }
    }

    /// Returns the smallest step that a price with 5 significant figures has: integers are always
    /// permitted.
    pub(crate) fn step_of_five_figures(self) -> Self {
        let whole = self.0.abs() / ONE;
        if whole >= 10_000 {
            return Self::ONE;
        }
        let mut step = ONE;
        let mut bound = 10_000 * ONE;
        while step > 1 && self.0.abs() * 10 < bound {
            step /= 10;
            bound /= 10;
        }
        // `bound` is the first number with one figure more than `step` permits.
        Self(if self.0.abs() >= bound { step } else { (step / 10).max(1) })
    }
}

impl Add for Num {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Num {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Num {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Num {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for Num {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl std::iter::Sum for Num {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Debug for Num {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl Serialize for Num {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_signed(&text).ok_or_else(|| de::Error::custom("not a decimal"))
    }
}
