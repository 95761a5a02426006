//! Money of the simulated Hyperliquid: withdrawals, sends, moves between an account's own balances,
//! deposits, and the ledger. The account's own key signs every action.

use alloy_primitives::Address;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Chain, Exchange,
    actions::use_nonce,
    book::{Book, Role},
    refusal::Refusal,
    trade,
};
use crate::lock;
use crate::market::Engine;

mod apply;
mod pockets;
mod reads;
mod settle;

use apply::Payer;
pub(super) use reads::{check, ledger, routing};

/// The bridge from which withdrawals are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `withdraw3`.
    Bridge,
    /// `sendToEvmWithData`.
    Cctp,
}

impl Route {
    const fn word(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Cctp => "cctp",
        }
    }
}

/// Rules of payments that tests can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyRules {
    /// What `usdcRouting` states. Both routes work, whatever it states.
    pub route: Route,
    /// Time between a withdrawal and its payment on the chain, in milliseconds.
    pub payout_delay_ms: u64,
}

impl Default for MoneyRules {
    fn default() -> Self {
        Self { route: Route::Cctp, payout_delay_ms: 5_000 }
    }
}

/// An action that moves money, without the fields that all of them have.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub(super) enum Money {
    Withdraw3 {
        destination: String,
        amount: String,
        time: u64,
    },
    UsdSend {
        destination: String,
        amount: String,
        time: u64,
    },
    SpotSend {
        destination: String,
        token: String,
        amount: String,
        time: u64,
    },
    SendAsset {
        destination: String,
        source_dex: String,
        destination_dex: String,
        token: String,
        amount: String,
        from_sub_account: String,
        nonce: u64,
    },
    SendToEvmWithData {
        token: String,
        amount: String,
        source_dex: String,
        destination_recipient: String,
        address_encoding: String,
        destination_chain_id: u32,
        gas_limit: u64,
        data: String,
        nonce: u64,
    },
    UsdClassTransfer {
        amount: String,
        to_perp: bool,
        nonce: u64,
    },
}

impl Money {
    /// Reads an action, or returns `None` if a field is missing, unknown or of another type.
    pub(super) fn read(action: &Value) -> Option<Self> {
        let mut fields = action.as_object()?.clone();
        fields.remove("hyperliquidChain")?;
        fields.remove("signatureChainId")?;
        serde_json::from_value(Value::Object(fields)).ok()
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Withdraw3 { .. } => "withdraw3",
            Self::UsdSend { .. } => "usdSend",
            Self::SpotSend { .. } => "spotSend",
            Self::SendAsset { .. } => "sendAsset",
            Self::SendToEvmWithData { .. } => "sendToEvmWithData",
            Self::UsdClassTransfer { .. } => "usdClassTransfer",
        }
    }

    /// Returns the signed nonce. Some actions call it `time`.
    pub(super) const fn nonce(&self) -> u64 {
        match self {
            Self::Withdraw3 { time, .. }
            | Self::UsdSend { time, .. }
            | Self::SpotSend { time, .. } => *time,
            Self::SendAsset { nonce, .. }
            | Self::SendToEvmWithData { nonce, .. }
            | Self::UsdClassTransfer { nonce, .. } => *nonce,
        }
    }
}

/// Executes an action of an account.
///
/// # Errors
///
/// Returns the exchange's own error text.
pub(super) fn execute(
    exchange: &Exchange,
    (sender, now): (Address, u64),
    money: &Money,
    (hash, in_vault): (String, bool),
) -> Result<(), Refusal> {
    let rules = exchange.rules();
    let mut book = lock(&exchange.0.book);
    let mut engine = lock(&exchange.0.engine);
    let exists = match book.role(sender, now) {
        Role::User => true,
        // An agent has no account of its own.
        Role::Agent(_) => false,
        // A wrong signature recovers to an address without an account.
        Role::Missing => engine.account(sender).is_some(),
    };
    if !exists || (rules.require_deposit && !book.has_deposited(sender)) {
        return Err(Refusal::MustDeposit(sender));
    }
    // The nonce is used even if the action fails: a client must not rely on the opposite.
    use_nonce(&mut book, sender, money.nonce(), now)?;
    if in_vault {
        return Err(Refusal::VaultMayNot);
    }
    trade::fund(&mut engine, sender);
    let chain = exchange.0.chain;
    let delay_ms = rules.money.payout_delay_ms;
    let mut payer =
        Payer { engine: &mut engine, book: &mut book, chain, account: sender, hash, now, delay_ms };
    let result = payer.apply(money);
    engine.commit(now);
    result
}

/// Returns whether an address has an account.
fn exists(book: &mut Book, engine: &Engine, address: Address, now: u64) -> bool {
    book.role(address, now) == Role::User || engine.account(address).is_some()
}

/// Returns the id of the Arbitrum chain with the bridge.
const fn bridge_chain(chain: Chain) -> u64 {
    match chain {
        Chain::Mainnet => 42_161,
        Chain::Testnet => 421_614,
    }
}

/// Returns the id of the chain HyperEVM.
const fn hyperevm(chain: Chain) -> u64 {
    match chain {
        Chain::Mainnet => 999,
        Chain::Testnet => 998,
    }
}
