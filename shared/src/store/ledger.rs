//! Storage of trading ledgers: see [`Ledger`]. Orders are reserved together with the ledger; this
//! module takes nonces for calls that reserve nothing.

use domain::clock::Clock;
use platform::items::StoreError;

use super::{Store, TradingAccount};
#[cfg(doc)]
use crate::trading::ledger::Ledger;

impl Store {
    /// Takes the next nonce of a wallet at an exchange for a call without a reservation, such as a
    /// cancellation. A reservation that was computed from the ledger of before is refused
    /// afterwards.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when other calls win repeatedly; otherwise when the table fails.
    pub async fn take_trading_nonce(
        &self,
        account: &TradingAccount,
        clock: &Clock,
    ) -> Result<u64, StoreError>;
}
