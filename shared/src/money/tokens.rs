//! The tokens of the chains. The cosigner's policy document has its own table and refuses a token
//! whose contract or decimals differ from it. Sources: the token contracts of Tether and Circle.

use domain::eth::Address;
use domain::money::EvmToken;

/// A token of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    /// The chain.
    pub chain_id: u64,
    /// The symbol.
    pub symbol: &'static str,
    /// The contract.
    pub contract: &'static str,
    /// The decimals.
    pub decimals: u8,
}

const fn token(chain_id: u64, symbol: &'static str, contract: &'static str, decimals: u8) -> Token {
    Token { chain_id, symbol, contract, decimals }
}

/// The tokens. USDT has 18 decimals on BSC and 6 on the other chains.
pub const TOKENS: [Token; 8] = [
    token(1, "USDT", "0xdac17f958d2ee523a2206206994597c13d831ec7", 6),
    token(1, "USDC", "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", 6),
    token(56, "USDT", "0x55d398326f99059ff775485246999027b3197955", 18),
    token(56, "USDC", "0x8ac76a51cc950d9822d68b83fe1ad97b32cd580d", 18),
    token(8_453, "USDC", "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", 6),
    token(42_161, "USDT", "0xfd086bc7cd5c481dcc9c85ebe478a1c0b69fcbb9", 6),
    token(42_161, "USDC", "0xaf88d065e77c8cc2239327c5edb3a432268e5831", 6),
    token(421_614, "USDC", "0x1baabb04529d43a73232b713c0fe471f7c7334d5", 6),
];

/// The symbol of a chain's own coin.
pub const NATIVE: &str = "native";

/// Returns a token of a chain, or its own coin.
#[must_use]
pub fn token_of(chain_id: u64, symbol: &str) -> Option<EvmToken> {
    if symbol == NATIVE {
        return Some(EvmToken::Native);
    }
    let is_it = |token: &&Token| token.chain_id == chain_id && token.symbol == symbol;
    let token = TOKENS.iter().find(is_it)?;
    let contract: Address = token.contract.parse().ok()?;
    Some(EvmToken::Erc20 { symbol: token.symbol.to_owned(), contract, decimals: token.decimals })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_has_a_valid_contract() {
        for token in TOKENS {
            assert!(token_of(token.chain_id, token.symbol).is_some(), "{token:?}");
        }
        assert_eq!(token_of(56, NATIVE), Some(EvmToken::Native));
        for (chain_id, symbol) in [(56, "usdt"), (57, "USDT"), (1, "USDT ")] {
            assert_eq!(token_of(chain_id, symbol), None, "{chain_id} {symbol}");
        }
    }
}
