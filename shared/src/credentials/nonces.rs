//! The nonces of one call, in the exchange's unit. A nonce is taken in the table before it is used.

use std::collections::VecDeque;

use super::{CredentialError, Registrar};
use crate::exchanges::ExchangeClient;
use crate::store::{NewNonces, WalletRecord};

/// The nonces of one call.
pub(super) struct Nonces {
    /// Taken together with the lease, and unused.
    reserved: VecDeque<u64>,
    /// The wallet's last nonce, as far as it is known; 0 otherwise.
    last: u64,
}

impl Nonces {
    /// Chooses `count` nonces after the wallet's last one. They are reserved once the table has
    /// taken the [`NewNonces`].
    pub(super) fn reserve(client: &ExchangeClient, last: u64, count: u64) -> (Self, NewNonces) {
        let (first, latest) = after(client, last);
        let reserved = (first..first + count).collect();
        (Self { reserved, last: 0 }, NewNonces { first, last: first + count - 1, latest })
    }

    /// Returns the nonces of a call without a lease. `last`: the wallet's last one.
    pub(super) const fn without_lease(last: u64) -> Self {
        Self { reserved: VecDeque::new(), last }
    }

    /// Returns a nonce that no other call uses for this wallet: a fresh reserved one, or else one
    /// that the table takes now.
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

/// Returns the first nonce to take after the last one, and the latest plausible one. A last nonce
/// beyond that was made by a wrong clock, and is not a bound.
fn after(client: &ExchangeClient, last: u64) -> (u64, u64) {
    let (now, latest) = (client.nonce_now(), client.latest_nonce());
    let first = if last > latest { now } else { now.max(last.saturating_add(1)) };
    (first, latest)
}
