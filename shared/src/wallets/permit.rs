//! Decides which uses of a wallet's share its state permits.

use domain::intent::Intent;

use super::SignError;
use crate::store::WalletRecord;

/// The purpose for which a call uses party 1's share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShareUse {
    /// Signs a message, a login, or the approval of an agent or a builder.
    Sign,
    /// Signs the removal of an agent on an exchange.
    Revoke,
    /// Refreshes the shares. Its signature has no meaning outside the protocol.
    Refresh,
}

impl ShareUse {
    /// Returns the use for signing an intent.
    #[must_use]
    pub const fn of(intent: &Intent) -> Self {
        match intent {
            Intent::AsterDeleteAgent(_) | Intent::HyperliquidRevokeAgent(_) => Self::Revoke,
            Intent::PersonalMessage(_)
            | Intent::AsterLogin(_)
            | Intent::AsterRegisterAgent(_)
            | Intent::HyperliquidApproveAgent(_)
            | Intent::HyperliquidApproveBuilder(_)
            | Intent::AsterApproveBuilder(_) => Self::Sign,
        }
    }
}

/// Checks whether a wallet's state permits a use of its share.
///
/// A wallet with `frozen` is never used: a run of the protocol has leaked, and another one could
/// leak more. An operator's freeze permits the uses that make a wallet safer: removing its trading
/// keys and refreshing its shares.
///
/// # Errors
/// [`SignError::Frozen`] or [`SignError::FrozenByOperator`].
pub const fn permit(wallet: &WalletRecord, share_use: ShareUse) -> Result<(), SignError> {
    if wallet.frozen {
        return Err(SignError::Frozen);
    }
    match share_use {
        ShareUse::Sign if wallet.operator_freeze.is_some() => Err(SignError::FrozenByOperator),
        ShareUse::Sign | ShareUse::Revoke | ShareUse::Refresh => Ok(()),
    }
}
