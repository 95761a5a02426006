//! Amounts of a token.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::PolicyError;

/// Places after the decimal point.
const PLACES: usize = 18;
/// Digits before the decimal point.
const DIGITS: usize = 20;
const ONE: u128 = 10_u128.pow(18);
/// The first number that has no text.
const END: u128 = 10_u128.pow(38);

const EXPECTED: PolicyError = PolicyError(
    "invalid amount: expected a decimal number such as 12.5, without sign, exponent or trailing zeros",
);

/// An amount of a token in units of 10^-18, whatever the token's own decimals are. It has exactly
/// one text, so that two readers of a signed text cannot disagree.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(u128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The largest amount.
    pub const MAX: Self = Self(END - 1);

    /// Makes the amount of this many units of 10^-18. Returns `None` above 20 digits before the
    /// decimal point.
    #[must_use]
    pub const fn of_units(units: u128) -> Option<Self> {
        if units < END { Some(Self(units)) } else { None }
    }

    /// Returns the number of units of 10^-18.
    #[must_use]
    pub const fn units(self) -> u128 {
        self.0
    }

    /// Parses the canonical decimal text.
    ///
    /// # Errors
    /// Fails for every other text, also when another parser would read the same number.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let (whole, fraction) = match text.split_once('.') {
            None => (text, None),
            Some((whole, fraction)) => (whole, Some(fraction)),
        };
        let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
        let is_whole = (1..=DIGITS).contains(&whole.len())
            && is_number(whole)
            && (whole == "0" || !whole.starts_with('0'));
        let is_fraction = fraction.is_none_or(|places| {
            (1..=PLACES).contains(&places.len()) && is_number(places) && !places.ends_with('0')
        });
        if !is_whole || !is_fraction {
            return Err(EXPECTED);
        }
        let units = format!("{whole}{:0<PLACES$}", fraction.unwrap_or_default());
        units.parse().map(Self).map_err(|_| EXPECTED)
    }

    /// Returns the sum. Returns `None` when it has no text.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::of_units)
    }

    /// Returns the difference, or nothing when `other` is more.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / ONE, self.0 % ONE);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let places = format!("{fraction:0PLACES$}");
        write!(f, "{whole}.{}", places.trim_end_matches('0'))
    }
}

impl FromStr for Amount {
    type Err = PolicyError;
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Amount {
    type Error = PolicyError;
    fn try_from(text: String) -> Result<Self, PolicyError> {
        Self::parse(&text)
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_amount_parses_to_its_units() {
        for (text, units) in [
            ("0", 0),
            ("1", ONE),
            ("12.5", 12 * ONE + ONE / 2),
            ("0.000000000000000001", 1),
            ("99999999999999999999.999999999999999999", END - 1),
        ] {
            assert_eq!(Amount::parse(text), Ok(Amount(units)), "{text}");
            assert_eq!(Amount(units).to_string(), text);
        }
    }

    #[test]
    fn other_texts_of_a_number_are_refused() {
        for text in [
            "",
            " 1",
            "1 ",
            "+1",
            "-1",
            "01",
            "00",
            "1.",
            ".5",
            "1.0",
            "1.50",
            "1e3",
            "1E3",
            "0x1",
            "1_000",
            "1,5",
            "1.2.3",
            "٣",
            "NaN",
            "inf",
            "1 subaccount:0x00",
            "100000000000000000000",
            "0.0000000000000000001",
        ] {
            assert_eq!(Amount::parse(text), Err(EXPECTED), "{text:?}");
            assert!(serde_json::from_value::<Amount>(text.into()).is_err(), "{text:?}");
        }
        assert!(serde_json::from_str::<Amount>("1").is_err(), "a JSON number is not an amount");
    }

    #[test]
    fn sum_without_a_text_is_none() {
        let most = Amount(END - 1);
        assert_eq!(most.checked_add(Amount(1)), None);
        assert_eq!(most.checked_add(Amount::ZERO), Some(most));
        assert_eq!(Amount::of_units(END), None);
        assert_eq!(Amount(1).saturating_sub(Amount(2)), Amount::ZERO);
    }

    proptest! {
        #[test]
        fn displayed_amount_parses_back(units in 0..END) {
            prop_assert_eq!(Amount::parse(&Amount(units).to_string()), Ok(Amount(units)));
        }

        #[test]
        fn parsed_text_is_the_only_one(text in "[0-9.]{1,12}") {
            if let Ok(amount) = Amount::parse(&text) {
                prop_assert_eq!(amount.to_string(), text);
            }
        }
    }
}
