//! Names of tokens, balances and system addresses.

use alloy_primitives::Address;

use super::super::{Chain, refusal::Refusal, trade::markets};
use crate::market::{Mode, Num};

/// Places of an amount of USDC for perpetuals.
const USD_PLACES: u8 = 6;

/// Token of perpetuals.
pub(super) const USDC: &str = "USDC";

/// Fee of a withdrawal over the bridge, and of the activation of an account.
pub(super) const ONE_USDC: Num = Num::ONE;

/// A token of a request.
#[derive(Clone, Copy)]
pub(super) struct Token {
    pub(super) name: &'static str,
    places: u8,
}

/// Reads a token such as `USDC:0x6d1e…`.
pub(super) fn token(text: &str, chain: Chain) -> Result<Token, Refusal> {
    let (name, id) = text.split_once(':').ok_or(Refusal::InvalidSend)?;
    let found = markets::token(name).filter(|found| markets::token_id(found.0, chain) == id);
    let (name, _, _, places) = found.ok_or(Refusal::InvalidSend)?;
    Ok(Token { name, places })
}

impl Token {
    pub(super) const fn usdc() -> Self {
        Self { name: USDC, places: 8 }
    }

    /// Reads an amount of the token in a pocket.
    pub(super) fn amount(&self, text: &str, pocket: &str) -> Result<Num, Refusal> {
        let is_perp = pocket.starts_with("perp:");
        read(text, if is_perp { USD_PLACES } else { self.places })
    }
}

/// Reads an amount of USDC for perpetuals.
pub(super) fn usd(text: &str) -> Result<Num, Refusal> {
    read(text, USD_PLACES)
}

fn read(text: &str, places: u8) -> Result<Num, Refusal> {
    let amount = Num::parse(text).ok_or(Refusal::InvalidSend)?;
    let valid = amount.is_positive() && amount.is_multiple_of(Num::step(places));
    valid.then_some(amount).ok_or(Refusal::InvalidSend)
}

/// Returns the pocket of a DEX's name: `""`, `spot`, or that of a HIP-3 DEX.
pub(super) fn pocket(dex: &str, token: &Token) -> Result<String, Refusal> {
    match dex {
        "spot" => Ok(format!("spot:{}", token.name)),
        // The collateral of perpetuals is USDC.
        _ if token.name != USDC => Err(Refusal::InvalidSend),
        _ if dex.is_empty() || markets::DEXS.contains(&dex) => Ok(format!("perp:{dex}")),
        _ => Err(Refusal::InvalidSend),
    }
}

/// Returns the pocket that pays withdrawals and sends of USDC for perpetuals.
pub(super) const fn usd_pocket(mode: Mode) -> &'static str {
    if mode.is_unified() { "spot:USDC" } else { "perp:" }
}

/// Returns the token that leaves for HyperEVM when it is sent to this address.
pub(super) fn system_token(address: Address) -> Option<&'static str> {
    if address == Address::repeat_byte(0x22) {
        return Some("HYPE");
    }
    let [0x20, zeros @ .., a, b, c, d] = address.into_array() else { return None };
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    // The address of an unknown token takes money as well.
    let index = u32::from_be_bytes([a, b, c, d]);
    Some(markets::token_of_index(index).unwrap_or_default())
}

/// Returns the address of the system that takes USDC out of the exchange.
pub(super) fn usdc_system() -> Address {
    let mut bytes = [0; 20];
    bytes[0] = 0x20;
    Address::from(bytes)
}
