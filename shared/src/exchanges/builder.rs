//! The deployment's builder at an exchange, and its approval by a wallet.

use domain::builder::{Builder, BuilderFee};
use domain::eth::Address;
use platform::env::{ConfigError, Env};

/// An approval of a builder by a wallet.
#[derive(Clone, Copy, Debug)]
pub struct BuilderApproval {
    /// The wallet.
    pub wallet: Address,
    /// The builder with its maximum fee.
    pub builder: Builder,
    /// Whether the exchange has an earlier approval of this builder.
    pub is_update: bool,
    /// In the exchange's unit; unique for the wallet.
    pub nonce: u64,
}

/// Reads a builder from the variables of its address and its fee in tenths of a basis point.
/// Returns `None` when neither is set.
///
/// # Errors
/// Returns an error that names the invalid or missing variable.
pub(super) fn builder_from_env(
    env: &Env<'_>,
    address: &'static str,
    fee: &'static str,
) -> Result<Option<Builder>, ConfigError> {
    let known = |text: &str| text.parse().ok().filter(|it| *it != Address::ZERO);
    let parsed = env.parsed(address, "0x and 40 hex digits, not all 0", known)?;
    let tenths = |text: &str| BuilderFee::try_from(text.parse::<u16>().ok()?).ok();
    let parsed_fee = env.parsed(fee, "a number from 1 to 100", tenths)?;
    match (parsed, parsed_fee) {
        (None, None) => Ok(None),
        (Some(address), Some(fee)) => Ok(Some(Builder { address, fee })),
        (Some(_), None) => Err(ConfigError::Missing(fee)),
        (None, Some(_)) => Err(ConfigError::Missing(address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "0x8c967E73E7B15087c42A10D344cFf4c96D877f1D";

    fn read(address: &str, fee: &str) -> Result<Option<Builder>, String> {
        let values = |name: &str| Some(if name == "ADDRESS" { address } else { fee }.to_owned());
        let read = builder_from_env(&Env(&values), "ADDRESS", "FEE");
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn builder_requires_address_and_fee() {
        assert_eq!(read("", ""), Ok(None));
        let builder = read(ADDRESS, "50").unwrap().unwrap();
        assert_eq!((builder.address.to_string().as_str(), builder.fee.tenths()), (ADDRESS, 50));
        assert_eq!(read(ADDRESS, "").unwrap_err(), "FEE is not set");
        assert_eq!(read("", "50").unwrap_err(), "ADDRESS is not set");
        for fee in ["0", "101", "-1", "0.5", "x"] {
            assert!(read(ADDRESS, fee).is_err(), "{fee}");
        }
        for address in ["0x", "0x0000000000000000000000000000000000000000", "user_1"] {
            assert!(read(address, "50").is_err(), "{address}");
        }
    }
}
