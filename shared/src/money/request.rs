//! What a caller asks for.

use domain::eth::Address;
use domain::money::{AccountType, Dex, HyperliquidToken};
use domain::policy::{Amount, Approval, Venue, canonical_json};
use serde::Serialize;

use crate::store::hash;

/// A withdrawal from Hyperliquid.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WithdrawHyperliquid {
    /// The receiver on the chain.
    pub destination: Address,
    /// USDC, before the fee.
    pub amount: Amount,
    /// The chain.
    pub chain_id: u64,
    /// The balance to take the money from, if the caller names it.
    pub source: Option<AccountType>,
}

/// A transfer at Hyperliquid: to another account, or between the wallet's own balances.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HyperliquidMove {
    /// The receiving account. `None` means the wallet's own.
    pub destination: Option<Address>,
    /// The token; USDC if the caller names none.
    pub token: Option<HyperliquidToken>,
    /// Amount of the token.
    pub amount: Amount,
    /// The balance to take it from, if the caller names it.
    pub from: Option<Dex>,
    /// The balance to add it to, if the caller names it.
    pub to: Option<Dex>,
}

/// A withdrawal from Aster to the wallet's own address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WithdrawAster {
    /// The receiver, if the caller names it. It must be the wallet.
    pub receiver: Option<Address>,
    /// The chain.
    pub chain_id: u64,
    /// The asset.
    pub asset: String,
    /// Amount, with the fee.
    pub amount: Amount,
    /// The account that pays.
    pub account_type: AccountType,
}

/// The gas of a transaction. What the caller does not name is read from the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Gas {
    /// Maximum gas.
    pub limit: Option<u64>,
    /// Maximum price in wei for each unit of gas.
    pub max_fee: Option<u64>,
    /// Maximum tip in wei for each unit of gas.
    pub max_priority_fee: Option<u64>,
    /// The account's nonce.
    pub account_nonce: Option<u64>,
}

/// A transfer on an EVM chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct EvmTransfer {
    /// The chain.
    pub chain_id: u64,
    /// The token's symbol, or `native`.
    pub asset: String,
    /// The receiver.
    pub destination: Address,
    /// Amount of the token.
    pub amount: Amount,
    /// The gas.
    pub gas: Gas,
}

/// What a caller asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub enum Wanted {
    /// A withdrawal from Hyperliquid.
    WithdrawHyperliquid(WithdrawHyperliquid),
    /// A transfer at Hyperliquid.
    MoveHyperliquid(HyperliquidMove),
    /// A withdrawal from Aster.
    WithdrawAster(WithdrawAster),
    /// A transfer on a chain.
    Transfer(EvmTransfer),
}

impl Wanted {
    /// Returns where the money moves.
    #[must_use]
    pub const fn venue(&self) -> Venue {
        match self {
            Self::WithdrawHyperliquid(_) | Self::MoveHyperliquid(_) => Venue::Hyperliquid,
            Self::WithdrawAster(_) => Venue::Aster,
            Self::Transfer(transfer) => Venue::Evm(transfer.chain_id),
        }
    }

    /// Returns the fingerprint of the content. Approvals are not part of it, because they come later.
    ///
    /// # Errors
    /// Never: every field has a JSON form.
    pub fn fingerprint(&self) -> Result<String, serde_json::Error> {
        Ok(hash(&[canonical_json(self)?.as_bytes()]))
    }
}

/// A request for a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaymentRequest {
    /// The payment.
    pub wanted: Wanted,
    /// Signatures of approvers over the payment's text.
    pub approvals: Vec<Approval>,
    /// The `Idempotency-Key`.
    pub key: Option<String>,
    /// Whether the payment is only to be quoted.
    pub dry_run: bool,
}
