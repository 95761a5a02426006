//! Turns of a wallet's reservations within a process, so that its requests do not refuse each
//! other's ledger. Correctness does not depend on them: the table's conditions decide.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

use crate::trading::ledger::Ledger;

/// Maximum number of wallets that a process remembers.
const MAX_WALLETS: usize = 1_024;

/// The last ledger that this process wrote for a wallet.
type Slot = Arc<tokio::sync::Mutex<Option<Ledger>>>;

/// The turn of one request. It holds the last ledger that this process wrote.
pub(super) type Turn = OwnedMutexGuard<Option<Ledger>>;

/// The turns of all wallets at one exchange.
#[derive(Clone, Debug, Default)]
pub(super) struct Sequencer(Arc<Mutex<HashMap<Uuid, Slot>>>);

impl Sequencer {
    /// Waits for the turn of a wallet.
    pub(super) async fn turn(&self, wallet_id: Uuid) -> Turn {
        self.slot(wallet_id).lock_owned().await
    }

    /// Returns the slot of a wallet. A full map drops the slots that nobody uses.
    fn slot(&self, wallet_id: Uuid) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_WALLETS && !slots.contains_key(&wallet_id) {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
            if slots.len() >= MAX_WALLETS {
                return Slot::default();
            }
        }
        slots.entry(wallet_id).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turn_of_a_wallet_waits_for_the_previous_one() {
        let sequencer = Sequencer::default();
        let wallet = Uuid::from_u128(1);
        let mut first = sequencer.turn(wallet).await;
        *first = Some(Ledger::default());
        let waiting = sequencer.turn(wallet);
        let other = sequencer.turn(Uuid::from_u128(2)).await;
        assert!(other.is_none());
        let mut waiting = Box::pin(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(first);
        assert_eq!(*waiting.await, Some(Ledger::default()));
    }

    #[tokio::test]
    async fn full_map_keeps_the_wallets_in_use() {
        let sequencer = Sequencer::default();
        let used = sequencer.turn(Uuid::from_u128(0)).await;
        for wallet in 1..=u128::try_from(MAX_WALLETS).unwrap() {
            drop(sequencer.turn(Uuid::from_u128(wallet)).await);
        }
        let mut again = Box::pin(sequencer.turn(Uuid::from_u128(0)));
        assert!(futures_util::poll!(&mut again).is_pending());
        drop(used);
        drop(again.await);
        assert!(sequencer.0.lock().unwrap().len() <= MAX_WALLETS);
    }
}
