//! Venues and assets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::PolicyError;

/// The system that moves the money: an exchange's ledger, or a chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Venue {
    /// Hyperliquid.
    Hyperliquid,
    /// Aster.
    Aster,
    /// The EVM chain with this id.
    Evm(u64),
}

const VENUE: PolicyError =
    PolicyError("invalid venue: expected hyperliquid, aster or evm: and a chain id");

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hyperliquid => f.write_str("hyperliquid"),
            Self::Aster => f.write_str("aster"),
            Self::Evm(chain_id) => write!(f, "evm:{chain_id}"),
        }
    }
}

impl FromStr for Venue {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        match text {
            "hyperliquid" => Ok(Self::Hyperliquid),
            "aster" => Ok(Self::Aster),
            _ => {
                let digits = text.strip_prefix("evm:").ok_or(VENUE)?;
                let chain_id = digits.parse().map_err(|_| VENUE)?;
                // Refuses `+1`, `01` and 0.
                let venue = Self::Evm(chain_id);
                if chain_id > 0 && venue.to_string() == text { Ok(venue) } else { Err(VENUE) }
            }
        }
    }
}

impl TryFrom<String> for Venue {
    type Error = PolicyError;
    fn try_from(text: String) -> Result<Self, PolicyError> {
        text.parse()
    }
}

impl From<Venue> for String {
    fn from(venue: Venue) -> Self {
        venue.to_string()
    }
}

/// A token at a venue, such as `hyperliquid/USDC` or `evm:56/native`. Limits count by asset.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AssetId {
    venue: Venue,
    symbol: String,
}

const ASSET: PolicyError = PolicyError(
    "invalid asset: expected a venue, / and a symbol of 1 to 40 characters of A-Z a-z 0-9 . : _ -",
);

impl AssetId {
    /// Makes the asset with this symbol.
    ///
    /// # Errors
    /// Fails when the symbol is not 1 to 40 characters of `[A-Za-z0-9.:_-]`.
    pub fn new(venue: Venue, symbol: &str) -> Result<Self, PolicyError> {
        let fits = (1..=40).contains(&symbol.len())
            && symbol.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:_-".contains(&byte));
        if fits { Ok(Self { venue, symbol: symbol.to_owned() }) } else { Err(ASSET) }
    }

    /// Returns the venue.
    #[must_use]
    pub const fn venue(&self) -> Venue {
        self.venue
    }

    /// Returns the symbol; `native` is a chain's own coin.
    #[must_use]
    pub fn symbol(&self) -> &str {
        &self.symbol
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.venue, self.symbol)
    }
}

impl FromStr for AssetId {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let (venue, symbol) = text.split_once('/').ok_or(ASSET)?;
        Self::new(venue.parse()?, symbol)
    }
}

impl TryFrom<String> for AssetId {
    type Error = PolicyError;
    fn try_from(text: String) -> Result<Self, PolicyError> {
        text.parse()
    }
}

impl From<AssetId> for String {
    fn from(asset: AssetId) -> Self {
        asset.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asset_text_parses_back() {
        for text in [
            "hyperliquid/USDC",
            "hyperliquid/PURR:0xc1fb",
            "aster/USDT",
            "evm:56/native",
            "evm:1/A.b-c_d",
        ] {
            let asset: AssetId = text.parse().unwrap();
            assert_eq!(asset.to_string(), text);
            assert_eq!(serde_json::to_string(&asset).unwrap(), format!("\"{text}\""));
        }
    }

    #[test]
    fn other_spelling_of_an_asset_is_refused() {
        for text in [
            "",
            "USDC",
            "hyperliquid",
            "hyperliquid/",
            "Hyperliquid/USDC",
            "evm:/USDT",
            "evm:0/USDT",
            "evm:056/USDT",
            "evm:+56/USDT",
            "evm:56 /USDT",
            "aster/US DT",
            "aster/US/DT",
            "aster/US\n",
            "aster/USDТ",
        ] {
            assert!(text.parse::<AssetId>().is_err(), "{text:?}");
        }
        assert!(AssetId::new(Venue::Aster, &"A".repeat(41)).is_err());
    }
}
