//! Payments: the closed list of what moves money out of a wallet or between its own balances.
//!
//! A [`Payment`] holds typed fields and no nonce. The cosigner sets the nonces from its own clock, and
//! both parties derive the same digests and the same bytes to send from a [`Form`].

mod aster;
mod evm;
mod form;
mod hyperliquid;
mod rlp;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::eth::Address;
use crate::policy::Amount;
pub use aster::{AccountType, AsterWithdraw};
pub use evm::{EvmFee, EvmToken, EvmTokenTransfer, Transaction};
pub use form::{Chains, Form, Nonces, Sent};
pub use hyperliquid::{
    Dex, HyperliquidMoveOwn, HyperliquidSendAsset, HyperliquidToken, HyperliquidWithdraw, Route,
};

/// The id of a payment: 1 to 64 characters of `[A-Za-z0-9._-]`. The endpoint derives it from the
/// tenant, the wallet and the `Idempotency-Key`. One id always means the same bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PaymentId(String);

/// Why a payment is not well formed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct PaymentError(&'static str);

type Checked = Result<(), PaymentError>;

fn require(holds: bool, otherwise: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(PaymentError(otherwise)) }
}

impl FromStr for PaymentId {
    type Err = PaymentError;

    fn from_str(text: &str) -> Result<Self, PaymentError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        require(fits, "invalid payment id: expected 1 to 64 characters of A-Z a-z 0-9 . _ -")?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for PaymentId {
    type Error = PaymentError;

    fn try_from(text: String) -> Result<Self, PaymentError> {
        text.parse()
    }
}

impl From<PaymentId> for String {
    fn from(id: PaymentId) -> Self {
        id.0
    }
}

impl PaymentId {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The closed list of payments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Payment {
    /// Withdraws USDC from Hyperliquid to an address on an EVM chain.
    HyperliquidWithdraw(HyperliquidWithdraw),
    /// Sends a token to another Hyperliquid account. Immediate and final.
    HyperliquidSendAsset(HyperliquidSendAsset),
    /// Moves a token between the wallet's own balances at Hyperliquid.
    HyperliquidMoveOwn(HyperliquidMoveOwn),
    /// Withdraws from Aster to the wallet's own address on an EVM chain.
    AsterWithdraw(AsterWithdraw),
    /// Transfers a token or the native coin on an EVM chain.
    EvmTokenTransfer(EvmTokenTransfer),
}

impl Payment {
    /// The names of all payments.
    pub const NAMES: [&'static str; 5] = [
        "HyperliquidWithdraw",
        "HyperliquidSendAsset",
        "HyperliquidMoveOwn",
        "AsterWithdraw",
        "EvmTokenTransfer",
    ];

    /// Returns the payment's name in logs, records and rights.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::HyperliquidWithdraw(_) => "HyperliquidWithdraw",
            Self::HyperliquidSendAsset(_) => "HyperliquidSendAsset",
            Self::HyperliquidMoveOwn(_) => "HyperliquidMoveOwn",
            Self::AsterWithdraw(_) => "AsterWithdraw",
            Self::EvmTokenTransfer(_) => "EvmTokenTransfer",
        }
    }

    /// Returns the amount in tokens.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        match self {
            Self::HyperliquidWithdraw(payment) => payment.amount,
            Self::HyperliquidSendAsset(payment) => payment.amount,
            Self::HyperliquidMoveOwn(payment) => payment.amount,
            Self::AsterWithdraw(payment) => payment.amount,
            Self::EvmTokenTransfer(payment) => payment.amount,
        }
    }

    /// Returns the number of signatures that it needs.
    #[must_use]
    pub const fn steps(&self) -> u8 {
        match self {
            Self::AsterWithdraw(_) => 2,
            Self::HyperliquidWithdraw(_)
            | Self::HyperliquidSendAsset(_)
            | Self::HyperliquidMoveOwn(_)
            | Self::EvmTokenTransfer(_) => 1,
        }
    }

    /// Returns whether it only uses up the nonce of an account on a chain.
    #[must_use]
    pub fn is_cancellation(&self) -> bool {
        matches!(self, Self::EvmTokenTransfer(transfer) if transfer.is_cancellation())
    }

    /// Checks the rules that depend neither on a deployment nor on a tenant's policy.
    ///
    /// # Errors
    /// Names the broken rule.
    pub fn check(&self, wallet: Address) -> Result<(), PaymentError> {
        let is_amount = self.amount().units() > 0 || self.is_cancellation();
        require(is_amount, "the amount is zero")?;
        match self {
            Self::HyperliquidWithdraw(payment) => payment.check(),
            Self::HyperliquidSendAsset(payment) => payment.check(wallet),
            Self::HyperliquidMoveOwn(payment) => payment.check(),
            Self::AsterWithdraw(payment) => payment.check(),
            Self::EvmTokenTransfer(payment) => payment.check(wallet),
        }
    }
}

/// Returns whether an address is one of Hyperliquid's system addresses. A transfer to one leaves
/// HyperCore for HyperEVM: `0x20…` with a token's index, `0x2222…2222` for HYPE.
#[must_use]
pub fn is_system_address(address: Address) -> bool {
    let bytes = address.as_bytes();
    let indexed = bytes[0] == 0x20 && bytes[1..12].iter().all(|byte| *byte == 0);
    indexed || bytes.iter().all(|byte| *byte == 0x22)
}

fn check_destination(destination: Address) -> Checked {
    require(destination != Address::ZERO, "the destination is the zero address")?;
    require(!is_system_address(destination), "the destination is a system address of Hyperliquid")
}

/// Checks that an amount has at most this many decimal places.
fn check_places(amount: Amount, places: u8) -> Checked {
    units(amount, places).map(|_| ())
}

/// Returns an amount in the smallest units of a token with this many decimal places.
///
/// # Errors
/// Fails when the amount has more places, or the token more than 18.
pub fn units(amount: Amount, places: u8) -> Result<u128, PaymentError> {
    let spare = 18_u32.checked_sub(u32::from(places));
    let spare = spare.ok_or(PaymentError("tokens with more than 18 decimals are not supported"))?;
    let unit = 10_u128.pow(spare);
    require(
        amount.units().is_multiple_of(unit),
        "the amount has more decimal places than the token",
    )?;
    Ok(amount.units() / unit)
}
