//! Builders: addresses that receive a fee for each order that carries them. Hyperliquid calls them
//! builders, Aster builder codes. A wallet approves a builder and its maximum fee.

use serde::{Deserialize, Serialize};

use crate::eth::Address;

/// A builder's fee in tenths of a basis point: 10 is 0.01 %. It is at least 1 and at most
/// [`BuilderFee::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct BuilderFee(u16);

/// The number is not a builder's fee.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid builder fee: expected 1 to 100 tenths of a basis point")]
pub struct BuilderFeeError;

impl BuilderFee {
    /// The maximum for perpetuals, which both exchanges define: 0.1 %.
    pub const MAX: u16 = 100;

    /// Returns the fee in tenths of a basis point.
    #[must_use]
    pub const fn tenths(self) -> u16 {
        self.0
    }

    /// Returns the fee as Hyperliquid's approval states it: `0.05%`.
    #[must_use]
    pub fn percent(self) -> String {
        format!("{}%", fraction(&format!("{:03}", self.0)))
    }

    /// Returns the fee as Aster states it: `0.0005`.
    #[must_use]
    pub fn rate(self) -> String {
        fraction(&format!("{:05}", self.0))
    }

    /// Parses a rate that Aster states. More than 5 places are rounded down. Returns `None` for a
    /// text that is not a plain decimal, and for a rate that no fee has.
    #[must_use]
    pub fn of_rate(text: &str) -> Option<Self> {
        let (whole, places) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(places) {
            return None;
        }
        let places: String = places.chars().chain("00000".chars()).take(5).collect();
        format!("{whole}{places}").parse::<u16>().ok()?.try_into().ok()
    }
}

/// Returns `0.` and these digits, without trailing zeros. A fee is below 1 % and is not 0.
fn fraction(digits: &str) -> String {
    format!("0.{}", digits.trim_end_matches('0'))
}

impl TryFrom<u16> for BuilderFee {
    type Error = BuilderFeeError;

    fn try_from(tenths: u16) -> Result<Self, BuilderFeeError> {
        if (1..=Self::MAX).contains(&tenths) { Ok(Self(tenths)) } else { Err(BuilderFeeError) }
    }
}

impl From<BuilderFee> for u16 {
    fn from(fee: BuilderFee) -> Self {
        fee.0
    }
}

/// A builder with a fee: the fee of orders, or the maximum that a wallet approved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Builder {
    /// The builder's address.
    pub address: Address,
    /// Its fee.
    pub fee: BuilderFee,
}

impl Builder {
    /// Returns whether a wallet that approved this builder pays the fee of another value.
    #[must_use]
    pub fn covers(&self, wanted: &Self) -> bool {
        self.address == wanted.address && self.fee >= wanted.fee
    }

    /// Returns the builder's name at Aster, which is unique for an account. It follows from the
    /// address, so that two builders never have one name.
    #[must_use]
    pub fn aster_name(&self) -> String {
        aster_name(self.address)
    }
}

pub(crate) fn aster_name(builder: Address) -> String {
    let digits: String = builder.to_lower_hex().chars().skip(2).take(8).collect();
    format!("hdx{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fee(tenths: u16) -> BuilderFee {
        BuilderFee::try_from(tenths).unwrap()
    }

    #[test]
    fn fee_has_the_text_of_each_exchange() {
        for (tenths, percent, rate) in [
            (1, "0.001%", "0.00001"),
            (10, "0.01%", "0.0001"),
            (50, "0.05%", "0.0005"),
            (60, "0.06%", "0.0006"),
            (100, "0.1%", "0.001"),
        ] {
            assert_eq!(
                (fee(tenths).percent().as_str(), fee(tenths).rate().as_str()),
                (percent, rate)
            );
        }
    }

    #[test]
    fn fee_outside_the_limits_does_not_parse() {
        for tenths in [0, 101, u16::MAX] {
            assert_eq!(BuilderFee::try_from(tenths), Err(BuilderFeeError));
            assert!(serde_json::from_value::<BuilderFee>(tenths.into()).is_err());
        }
    }

    #[test]
    fn stated_rate_is_read_back() {
        for tenths in 1..=BuilderFee::MAX {
            assert_eq!(BuilderFee::of_rate(&fee(tenths).rate()), Some(fee(tenths)));
        }
        assert_eq!(BuilderFee::of_rate("0.00100000"), Some(fee(100)));
        assert_eq!(BuilderFee::of_rate("0.000019"), Some(fee(1)));
        for text in ["", "0", "0.00000", "0.01", "1", "-0.001", "1E-5", ".001", "0,001", "65536"] {
            assert_eq!(BuilderFee::of_rate(text), None, "{text}");
        }
    }

    #[test]
    fn lower_fee_of_the_same_builder_is_covered() {
        let builder = |digit: &str, tenths| Builder {
            address: format!("0x{}", digit.repeat(40)).parse().unwrap(),
            fee: fee(tenths),
        };
        let approved = builder("a", 50);
        assert!(approved.covers(&builder("a", 50)) && approved.covers(&builder("a", 1)));
        assert!(!approved.covers(&builder("a", 51)) && !approved.covers(&builder("b", 1)));
        assert_eq!(approved.aster_name(), "hdxaaaaaaaa");
    }
}
