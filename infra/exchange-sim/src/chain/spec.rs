//! The simulated chains: tokens, and contracts of the exchanges, with their real addresses.

use alloy_primitives::{Address, U256, address};

use crate::market::Num;

/// A token of a chain.
pub(super) struct Token {
    pub(super) symbol: &'static str,
    pub(super) address: Address,
    pub(super) decimals: u8,
}

/// What a contract does with a transfer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Hyperliquid's Bridge2: a transfer of USDC credits the sender.
    Bridge,
    /// Aster's vault.
    Vault,
    /// Hyperliquid's CoreDepositWallet on HyperEVM: only its functions credit.
    CoreDeposit,
}

/// A chain.
pub(super) struct Spec {
    pub(super) id: u64,
    /// The chain's own coin, with 18 decimals.
    pub(super) coin: &'static str,
    /// Base fee at the start, in wei.
    pub(super) base_fee: u128,
    /// Suggested priority fee, in wei.
    pub(super) tip: u128,
    /// Gas of a transaction for the data that another chain stores.
    pub(super) l1_gas: u64,
    /// Whether a fee below the base fee is refused at once. Elsewhere the transaction waits.
    pub(super) refuses_low_fees: bool,
    /// Duration of a block in milliseconds.
    pub(super) block_ms: u64,
    pub(super) tokens: &'static [Token],
    pub(super) contracts: &'static [(Address, Role)],
}

/// Aster's placeholder for the chain's own coin.
pub(super) const NATIVE: Address = address!("fdAE1bA7C826aBDc4c99903c8056f82a1A04a615");

const GWEI: u128 = 1_000_000_000;

const fn token(symbol: &'static str, address: Address, decimals: u8) -> Token {
    Token { symbol, address, decimals }
}

pub(super) static SPECS: [Spec; 7] = [
    Spec {
        id: 1,
        coin: "ETH",
        base_fee: 2 * GWEI,
        tip: GWEI / 10,
        l1_gas: 0,
        refuses_low_fees: false,
        block_ms: 12_000,
        tokens: &[
            token("USDT", address!("dAC17F958D2ee523a2206206994597C13D831ec7"), 6),
            token("USDC", address!("A0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"), 6),
        ],
        contracts: &[(address!("604DD02d620633Ae427888d41bfd15e38483736E"), Role::Vault)],
    },
    Spec {
        id: 56,
        coin: "BNB",
        base_fee: 0,
        tip: GWEI / 10,
        l1_gas: 0,
        refuses_low_fees: false,
        block_ms: 750,
        tokens: &[
            token("USDT", address!("55d398326f99059fF775485246999027B3197955"), 18),
            token("USDC", address!("8AC76a51cc950d9822D68b83fE1Ad97B32Cd580d"), 18),
        ],
        contracts: &[(address!("128463A60784c4D3f46c23Af3f65Ed859Ba87974"), Role::Vault)],
    },
    Spec {
        id: 998,
        coin: "HYPE",
        base_fee: GWEI / 10,
        tip: 0,
        l1_gas: 0,
        refuses_low_fees: false,
        block_ms: 1_000,
        tokens: &[token("USDC", address!("2B3370eE501B4a559b57D449569354196457D8Ab"), 6)],
        contracts: &[(address!("0B80659a4076E9E93C7DbE0f10675A16a3e5C206"), Role::CoreDeposit)],
    },
    Spec {
        id: 999,
        coin: "HYPE",
        base_fee: GWEI / 10,
        tip: 0,
        l1_gas: 0,
        refuses_low_fees: false,
        block_ms: 1_000,
        tokens: &[token("USDC", address!("b88339CB7199b77E23DB6E890353E22632Ba630f"), 6)],
        contracts: &[(address!("6B9E773128f453f5c2C60935Ee2DE2CBc5390A24"), Role::CoreDeposit)],
    },
    Spec {
        id: 8_453,
        coin: "ETH",
        base_fee: GWEI / 100,
        tip: GWEI / 1_000,
        l1_gas: 0,
        refuses_low_fees: false,
        block_ms: 2_000,
        tokens: &[token("USDC", address!("833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"), 6)],
        contracts: &[],
    },
    Spec {
        id: 42_161,
        coin: "ETH",
        base_fee: GWEI / 50,
        tip: 0,
        l1_gas: 7_000,
        refuses_low_fees: true,
        block_ms: 250,
        tokens: &[
            token("USDC", address!("af88d065e77c8cC2239327C5EDb3A432268e5831"), 6),
            token("USDT", address!("Fd086bC7CD5C481DCC9C85ebE478A1C0b69FCbb9"), 6),
        ],
        contracts: &[
            (address!("2df1c51e09aecf9cacb7bc98cb1742757f163df7"), Role::Bridge),
            (address!("9E36CB86a159d479cEd94Fa05036f235Ac40E1d5"), Role::Vault),
        ],
    },
    Spec {
        id: 421_614,
        coin: "ETH",
        base_fee: GWEI / 50,
        tip: 0,
        l1_gas: 7_000,
        refuses_low_fees: true,
        block_ms: 250,
        // Not Circle's token: the bridge of the test network has its own.
        tokens: &[token("USDC", address!("1baAbB04529D43a73232B713C0FE471f7c7334d5"), 6)],
        contracts: &[(address!("08cfc1B6b2dCF36A1480b99353A354AA8AC56f89"), Role::Bridge)],
    },
];

/// Returns a simulated chain.
pub(super) fn spec(id: u64) -> Option<&'static Spec> {
    SPECS.iter().find(|spec| spec.id == id)
}

/// What a balance is of.
#[derive(Clone, Copy)]
pub(super) enum Asset {
    Coin,
    Token(Address),
}

impl Spec {
    pub(super) fn token(&self, address: Address) -> Option<&'static Token> {
        self.tokens.iter().find(|token| token.address == address)
    }

    pub(super) fn role(&self, address: Address) -> Option<Role> {
        self.contracts.iter().find(|(known, _)| *known == address).map(|(_, role)| *role)
    }

    /// Returns the asset of a symbol, and its decimals. `native` is the chain's own coin.
    pub(super) fn asset(&self, symbol: &str) -> Option<(Asset, u8)> {
        if symbol == "native" || symbol == self.coin {
            return Some((Asset::Coin, 18));
        }
        let token = self.tokens.iter().find(|token| token.symbol == symbol)?;
        Some((Asset::Token(token.address), token.decimals))
    }
}

/// Decimals of [`Num`].
const PLACES: u8 = 8;

fn ten_to(places: u8) -> U256 {
    U256::from(10).pow(U256::from(places))
}

/// Returns an amount in a token's units. Cuts off what the token cannot hold.
pub(super) fn to_units(amount: Num, decimals: u8) -> U256 {
    let amount = U256::try_from(amount.in_units()).unwrap_or_default();
    match decimals.checked_sub(PLACES) {
        Some(more) => amount * ten_to(more),
        None => amount / ten_to(PLACES - decimals),
    }
}

/// Returns an amount of a token's units. Cuts off what a [`Num`] cannot hold.
pub(super) fn from_units(units: U256, decimals: u8) -> Num {
    let amount = match decimals.checked_sub(PLACES) {
        Some(more) => units / ten_to(more),
        None => units.saturating_mul(ten_to(PLACES - decimals)),
    };
    Num::units(i128::try_from(amount).unwrap_or(i128::MAX))
}

/// Returns an amount of a token's units as an exact decimal.
pub(super) fn text(units: U256, decimals: u8) -> String {
    let (whole, fraction) = units.div_rem(ten_to(decimals));
    let fraction = format!("{fraction:0>width$}", width = usize::from(decimals));
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
}

/// Parses a decimal with at most a token's digits.
pub(super) fn parse(text: &str, decimals: u8) -> Option<U256> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
    let width = usize::from(decimals);
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > width {
        return None;
    }
    U256::from_str_radix(&format!("{whole}{fraction:0<width$}"), 10).ok()
}

/// Returns whether a chain is simulated and has an asset.
pub(crate) fn has_asset(chain_id: u64, asset: &str) -> bool {
    spec(chain_id).is_some_and(|spec| spec.asset(asset).is_some())
}
