//! The nonces of one call, in the exchange's unit. The table records a nonce before it is used.

use std::collections::VecDeque;

use super::{CredentialError, Registrar};
use crate::exchanges::ExchangeClient;
use crate::store::{NewNonces, WalletRecord};

/// The nonces of one call.
pub(super) struct Nonces {
    /// Reserved together with the lease, and unused.
    reserved: VecDeque<u64>,
    /// The wallet's last known nonce; 0 when unknown.
    last: u64,
}

impl Nonces {
    /// Chooses `count` nonces after the wallet's last one. They are reserved once the table has
    /// stored the [`NewNonces`].
    pub(super) fn reserve(client: &ExchangeClient, last: u64, count: u64) -> (Self, NewNonces) {
        let (first, latest) = after(client, last);
        let reserved = (first..first + count).collect();
        (Self { reserved, last: 0 }, NewNonces { first, last: first + count - 1, latest })
    }

    /// Makes the nonces of a call without a lease. `last` is the wallet's last nonce.
    pub(super) const fn without_lease(last: u64) -> Self {
        Self { reserved: VecDeque::new(), last }
    }

    /// Returns a nonce that no other call uses for this wallet: a fresh reserved one, or one that
    /// is taken in the table now.
    pub(super) async fn next(
        &mut self,
        registrar: &Registrar,
        wallet: &WalletRecord,
    ) -> Result<u64, CredentialError> {
        let client = &registrar.client;
        while let Some(nonce) = self.reserved.pop_front() {
            if client.nonce_now().saturating_sub(nonce) <= client.nonce_fresh_for() {
                return Ok(nonce);
            }
        }
        let (proposed, latest) = after(client, self.last);
        let store = &registrar.custody.store;
        Ok(store.take_nonce(wallet, client.exchange(), proposed, latest).await?)
    }
}

/// Returns the first nonce to take after the last one, and the latest plausible one. A later last
/// nonce came from a wrong clock and is ignored.
fn after(client: &ExchangeClient, last: u64) -> (u64, u64) {
    let (now, latest) = (client.nonce_now(), client.latest_nonce());
    let first = if last > latest { now } else { now.max(last.saturating_add(1)) };
    (first, latest)
}
