//! The size of a wallet's positions, for a limit of positions. Source: the info endpoint document.

use std::collections::HashMap;

use domain::eth::Address;
use serde::Deserialize;
use serde_json::json;

use super::markets::{Market, parsed};
use super::read::Question;
use crate::exchanges::LookupError;
use crate::exchanges::http::Answer;
use crate::trading::decimal::Decimal;

/// Maximum size of a response, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// What a wallet holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Positions {
    /// The value of each position without its direction, by the exchange's name of the market.
    Values(HashMap<String, Decimal>),
    /// The quantity of each spot token, by its name.
    Balances(HashMap<String, Decimal>),
}

impl Positions {
    /// Returns the value of what the wallet holds in a market. Spot tokens count at `price`, the middle
    /// of the book. `None` means that the value is unknown or has too many digits.
    #[must_use]
    pub fn value_of(&self, market: &Market, price: Option<Decimal>) -> Option<Decimal> {
        match self {
            Self::Values(values) => {
                Some(values.get(&market.name).copied().unwrap_or(Decimal::ZERO))
            }
            Self::Balances(balances) => {
                let pair = market.pair.as_deref().unwrap_or_default();
                let base = pair.split_once('/').map_or(pair, |(base, _)| base);
                let held = balances.get(base).copied().unwrap_or(Decimal::ZERO);
                if held.is_zero() { Some(held) } else { held.checked_mul(price?) }
            }
        }
    }
}

impl Question {
    /// Asks for the positions of a wallet on one DEX; see [`positions`].
    #[must_use]
    pub fn positions(wallet: Address, dex: &str) -> Self {
        let mut body = json!({ "type": "clearinghouseState", "user": wallet.to_lower_hex() });
        if !dex.is_empty() {
            body["dex"] = dex.into();
        }
        Self { body: body.to_string(), weight: 2, max_bytes: MAX_BYTES }
    }

    /// Asks for the spot balances of a wallet; see [`balances`].
    #[must_use]
    pub fn balances(wallet: Address) -> Self {
        let body = json!({ "type": "spotClearinghouseState", "user": wallet.to_lower_hex() });
        Self { body: body.to_string(), weight: 2, max_bytes: MAX_BYTES }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    asset_positions: Vec<AssetPosition>,
}

#[derive(Deserialize)]
struct AssetPosition {
    position: Position,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Position {
    coin: String,
    position_value: String,
}

/// Reads `clearinghouseState`.
///
/// # Errors
/// Fails when the response does not state the positions.
pub fn positions(answer: &Answer) -> Result<Positions, LookupError> {
    const WHAT: &str = "clearinghouseState";
    let state: State = parsed(WHAT, answer)?;
    let values = state.asset_positions.into_iter().map(|entry| {
        let Position { coin, position_value } = entry.position;
        let value = position_value.strip_prefix('-').unwrap_or(&position_value);
        Some((coin, Decimal::parse(value).ok()?))
    });
    let values = values.collect::<Option<_>>();
    values.map(Positions::Values).ok_or_else(|| LookupError::unreadable(WHAT, answer))
}

#[derive(Deserialize)]
struct SpotState {
    balances: Vec<Balance>,
}

#[derive(Deserialize)]
struct Balance {
    coin: String,
    total: String,
}

/// Reads `spotClearinghouseState`.
///
/// # Errors
/// Fails when the response does not state the balances.
pub fn balances(answer: &Answer) -> Result<Positions, LookupError> {
    const WHAT: &str = "spotClearinghouseState";
    let state: SpotState = parsed(WHAT, answer)?;
    let balances = state.balances.into_iter().map(|balance| {
        // A borrowed token has a negative balance, which adds to no position.
        let total = if balance.total.starts_with('-') { "0" } else { &balance.total };
        Some((balance.coin, Decimal::parse(total).ok()?))
    });
    let balances = balances.collect::<Option<_>>();
    balances.map(Positions::Balances).ok_or_else(|| LookupError::unreadable(WHAT, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(name: &str, pair: Option<&str>) -> Market {
        Market {
            name: name.to_owned(),
            pair: pair.map(str::to_owned),
            dex: String::new(),
            asset: 0,
            size_places: 2,
            price_places: 4,
            quote: 0,
        }
    }

    #[test]
    fn position_value_ignores_the_direction() {
        let body = r#"{"assetPositions":[
            {"type":"oneWay","position":{"coin":"BTC","szi":"-0.5","positionValue":"30000.5"}},
            {"type":"oneWay","position":{"coin":"ETH","szi":"1","positionValue":"-4000"}}]}"#;
        let positions = positions(&Answer::new(200, body)).unwrap();
        let value = |name| positions.value_of(&market(name, None), None).unwrap().text();
        assert_eq!([value("BTC"), value("ETH"), value("SOL")], ["30000.5", "4000", "0"]);
    }

    #[test]
    fn spot_balance_counts_at_the_price() {
        let body = r#"{"balances":[{"coin":"HYPE","token":150,"total":"2.5","hold":"0"},
            {"coin":"USDC","token":0,"total":"-3","hold":"0"}]}"#;
        let balances = balances(&Answer::new(200, body)).unwrap();
        let hype = market("@107", Some("HYPE/USDC"));
        let value = balances.value_of(&hype, Decimal::parse("40").ok());
        assert_eq!(value.unwrap().text(), "100");
    }

    #[test]
    fn spot_balance_without_a_price_has_no_known_value() {
        let body = r#"{"balances":[{"coin":"HYPE","token":150,"total":"2.5","hold":"0"},
            {"coin":"PURR","token":1,"total":"0.0","hold":"0"}]}"#;
        let balances = balances(&Answer::new(200, body)).unwrap();
        let value = |name, pair| balances.value_of(&market(name, Some(pair)), None);
        assert_eq!(value("@107", "HYPE/USDC"), None);
        assert_eq!(value("PURR/USDC", "PURR/USDC"), Some(Decimal::ZERO));
        assert_eq!(value("@9", "JEFF/USDC"), Some(Decimal::ZERO));
    }

    #[test]
    fn unreadable_positions_are_an_error() {
        for (status, body) in [(200, "{}"), (500, "[]"), (200, r#"{"assetPositions":[{}]}"#)] {
            assert!(positions(&Answer::new(status, body)).is_err());
            assert!(balances(&Answer::new(status, body)).is_err());
        }
    }
}
