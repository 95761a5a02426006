//! Used nonces of a signer, as both exchanges store them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Both exchanges store this many for each signer.
const KEPT: usize = 100;

/// The highest nonces that one signer has used.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct UsedNonces(BTreeSet<u64>);

impl UsedNonces {
    pub(crate) fn contains(&self, nonce: u64) -> bool {
        self.0.contains(&nonce)
    }

    /// Returns the smallest stored nonce.
    pub(crate) fn lowest(&self) -> Option<u64> {
        self.0.first().copied()
    }

    /// Returns whether the next nonce evicts the smallest.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() == KEPT
    }

    pub(crate) fn insert(&mut self, nonce: u64) {
        self.0.insert(nonce);
        if self.0.len() > KEPT {
            self.0.pop_first();
        }
    }
}
