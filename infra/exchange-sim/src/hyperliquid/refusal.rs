//! The exchange's own error texts.

use alloy_primitives::Address;

/// Reason for a refusal. The text is the response.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Unable to recover signer.")]
    Unrecoverable,
    /// Names the signer that was recovered. A wrong signature recovers to an unknown address.
    #[error("Must deposit before performing actions. User: {0:#x}")]
    MustDeposit(Address),
    #[error("User or API Wallet {0:#x} does not exist.")]
    UnknownSigner(Address),
    #[error("Invalid nonce: duplicate nonce {0}")]
    DuplicateNonce(u64),
    #[error("Invalid nonce: nonce too low {nonce} < {lowest}")]
    NonceTooLow { nonce: u64, lowest: u64 },
    /// The real text is not published.
    #[error("Invalid nonce: nonce too high {nonce} > {highest}")]
    NonceTooHigh { nonce: u64, highest: u64 },
    #[error("Vault may not perform this action.")]
    VaultMayNot,
    #[error("Vault not registered: {0:#x}")]
    UnknownVault(Address),
    #[error("Action already expired")]
    ActionExpired,
    #[error("User has pending agent removal")]
    PendingRemoval,
    /// The real text is not published.
    #[error("Extra agent name is too long.")]
    NameTooLong,
    /// Also for a date too far in the future.
    #[error("Agent valid_until already expired.")]
    ValidUntilExpired,
    #[error("Extra agent already used.")]
    AlreadyUsed,
    #[error("Extra agent does not exist")]
    NoSuchAgent,
    #[error("Too many extra agents for cumulative volume traded. Current limit is {0}")]
    TooManyAgents(usize),
    #[error("Sub-account {0} is not registered to {1:#x}")]
    UnknownSubAccount(String, Address),
    #[error("Action disabled when unified account is active")]
    UnifiedDisabled,
    #[error("Unified account only supports sending assets through spot")]
    UnifiedOnlySpot,
    #[error("Insufficient balance for withdrawal")]
    NoWithdrawal,
    #[error("Insufficient balance for token transfer")]
    NoTransfer,
    /// The balance covers the amount, but not the fee of an activation.
    #[error("Insufficient USDC or HYPE balance for token transfer gas")]
    NoFee,
    #[error("Invalid send")]
    InvalidSend,
    /// Of a trading action as a whole.
    #[error("{0}")]
    Other(String),
}
