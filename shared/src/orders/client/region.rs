//! The region block of an exchange. A process remembers it for a second, so that a block costs no more
//! than one request per second, and calls succeed soon after it ends. It is neither a failure nor a block by the edge,
//! so it does not open the circuit.

use std::sync::{Mutex, PoisonError};

use crate::exchanges::trade::{TradeCode, TradeRefusal};

/// How long a block is remembered, in milliseconds.
const REMEMBERED_MS: u64 = 1_000;

/// The last region block, with the exchange's text and the time until which it is remembered.
#[derive(Debug, Default)]
pub(super) struct RegionBlock(Mutex<Option<(u64, String)>>);

impl RegionBlock {
    /// Remembers a block.
    pub(super) fn note(&self, text: &str, now_ms: u64) {
        let until_ms = now_ms.saturating_add(REMEMBERED_MS);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((until_ms, text.to_owned()));
    }

    /// Returns the refusal, while it is remembered.
    pub(super) fn at(&self, now_ms: u64) -> Option<TradeRefusal> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (_, text) = last.filter(|(until_ms, _)| now_ms < *until_ms)?;
        Some(TradeRefusal { code: TradeCode::RegionBlocked, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_is_remembered_for_a_second() {
        let block = RegionBlock::default();
        assert_eq!(block.at(0), None);
        block.note("restricted jurisdiction", 1_000);
        let refusal = block.at(1_000 + REMEMBERED_MS - 1).unwrap();
        assert_eq!(refusal.code, TradeCode::RegionBlocked);
        assert_eq!(refusal.text, "restricted jurisdiction");
        assert_eq!(block.at(1_000 + REMEMBERED_MS), None);
    }
}
