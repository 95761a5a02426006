//! The tokens that count as dollars. The limits of a trading policy are in dollars, and the value of
//! an order is in its market's quote asset.

/// Dollar tokens in which the exchanges quote or settle markets. The markets of a name that is
/// missing here require a policy that names them.
const DOLLARS: [&str; 12] = [
    "USDC", "USDT", "USDT0", "USDH", "USDE", "USD1", "USDF", "FDUSD", "FEUSD", "USDHL", "USDXL",
    "USD",
];

/// Returns whether one unit of a token is one dollar.
#[must_use]
pub fn is_dollar(token: &str) -> bool {
    DOLLARS.iter().any(|dollar| token.eq_ignore_ascii_case(dollar))
}

/// Returns whether the name of a market, such as `BTCUSDT`, ends in a dollar token.
#[must_use]
pub fn ends_in_dollars(market: &str) -> bool {
    DOLLARS.iter().any(|dollar| market.ends_with(dollar))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dollar_tokens_are_dollars() {
        assert!(["USDC", "USDT", "usdt0", "USDe", "USD1"].into_iter().all(is_dollar));
        assert!(!["HYPE", "BTC", "BNB", "UBTC", "EURC", "", "USDCX"].into_iter().any(is_dollar));
        assert!(ends_in_dollars("BTCUSDT") && !ends_in_dollars("ETHBTC"));
    }
}
