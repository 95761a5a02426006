//! The size of a wallet's positions, for a limit of positions. Source: the info endpoint document.

use std::collections::HashMap;

use domain::eth::Address;
use serde_json::json;

use super::account::{PerpsAccount, SpotBalance};
use super::markets::Market;
use super::read::Question;
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
    /// Asks for the positions of a wallet on one DEX; see [`super::account::perps`].
    #[must_use]
    pub fn positions(wallet: Address, dex: &str) -> Self {
        let mut body = json!({ "type": "clearinghouseState", "user": wallet.to_lower_hex() });
        if !dex.is_empty() {
            body["dex"] = dex.into();
        }
        Self { body: body.to_string(), weight: 2, max_bytes: MAX_BYTES }
    }

    /// Asks for the spot balances of a wallet; see [`super::account::spot`].
    #[must_use]
    pub fn balances(wallet: Address) -> Self {
        let body = json!({ "type": "spotClearinghouseState", "user": wallet.to_lower_hex() });
        Self { body: body.to_string(), weight: 2, max_bytes: MAX_BYTES }
    }
}

impl From<PerpsAccount> for Positions {
    fn from(account: PerpsAccount) -> Self {
        let positions = account.positions.into_iter();
        Self::Values(positions.map(|position| (position.symbol, position.notional)).collect())
    }
}

impl From<Vec<SpotBalance>> for Positions {
    /// A borrowed token has a negative balance, which adds to no position.
    fn from(balances: Vec<SpotBalance>) -> Self {
        let balances = balances.into_iter();
        Self::Balances(balances.map(|balance| (balance.coin, balance.total.or_zero())).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::exchanges::http::Answer;
    use crate::exchanges::hyperliquid::trade::account;

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

    fn perps(positions: &Value) -> Positions {
        let summary = json!({ "accountValue": "0.0" });
        let state = json!({
            "marginSummary": summary, "crossMarginSummary": summary, "withdrawable": "0.0",
            "assetPositions": positions, "time": 1,
        });
        account::perps(&Answer::new(200, state.to_string())).unwrap().into()
    }

    fn position(coin: &str, size: &str, value: &str) -> Value {
        json!({ "type": "oneWay", "position": {
            "coin": coin, "szi": size, "positionValue": value, "entryPx": "1.0",
            "leverage": { "type": "cross", "value": 20 }, "unrealizedPnl": "0.0",
            "liquidationPx": null, "marginUsed": "0.0",
        } })
    }

    fn spot(body: &str) -> Positions {
        account::spot(&Answer::new(200, body)).unwrap().into()
    }

    #[test]
    fn position_value_ignores_the_direction() {
        let held = json!([position("BTC", "-0.5", "30000.5"), position("ETH", "1", "-4000")]);
        let positions = perps(&held);
        let value = |name| positions.value_of(&market(name, None), None).unwrap().text();
        assert_eq!([value("BTC"), value("ETH"), value("SOL")], ["30000.5", "4000", "0"]);
    }

    #[test]
    fn spot_balance_counts_at_the_price() {
        let balances = spot(
            r#"{"balances":[{"coin":"HYPE","token":150,"total":"2.5","hold":"0"},
            {"coin":"USDC","token":0,"total":"-3","hold":"0"}]}"#,
        );
        let hype = market("@107", Some("HYPE/USDC"));
        let value = balances.value_of(&hype, Decimal::parse("40").ok());
        assert_eq!(value.unwrap().text(), "100");
        let borrowed = balances.value_of(&market("USDC/X", Some("USDC/X")), None);
        assert_eq!(borrowed, Some(Decimal::ZERO));
    }

    #[test]
    fn spot_balance_without_a_price_has_no_known_value() {
        let balances = spot(
            r#"{"balances":[{"coin":"HYPE","token":150,"total":"2.5","hold":"0"},
            {"coin":"PURR","token":1,"total":"0.0","hold":"0"}]}"#,
        );
        let value = |name, pair| balances.value_of(&market(name, Some(pair)), None);
        assert_eq!(value("@107", "HYPE/USDC"), None);
        assert_eq!(value("PURR/USDC", "PURR/USDC"), Some(Decimal::ZERO));
        assert_eq!(value("@9", "JEFF/USDC"), Some(Decimal::ZERO));
    }
}
