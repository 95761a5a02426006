//! The stored record of a payment.

use domain::money::{Nonces, Payment, PaymentId};
use domain::policy::{Amount, Venue};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A payment: what was asked for, the signed bytes, and their outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRecord {
    /// Schema number: 1.
    pub schema: u32,
    /// The payment's id, derived from the request's `Idempotency-Key`.
    pub id: PaymentId,
    /// Where the money moves.
    pub venue: Venue,
    /// The content of the request. Another request with the same key is refused.
    pub fingerprint: String,
    /// The payment as the cosigner gets it. It never changes, so that a repeat is the same payment.
    pub payment: Payment,
    /// The costs that were expected when the record was made.
    pub expected: ExpectedCosts,
    /// The state.
    pub state: PaymentState,
    /// A new random value for each write. A writer that names an old one is refused.
    pub revision: Uuid,
    /// Until when approvers may sign the payment's text, Unix seconds. The text contains it.
    pub approve_until_s: u64,
    /// When the record was made, Unix milliseconds.
    pub created_at_ms: u64,
    /// When the state last changed, Unix milliseconds.
    pub updated_at_ms: u64,
    /// End of the lease of the call at work, Unix milliseconds. Nothing is sent after it.
    pub lease_until_ms: u64,
    /// The signed bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<SignedPayment>,
    /// The exchange's id of the payment, if it stated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_id: Option<String>,
    /// The hash of the transaction on a chain, or on Hyperliquid's own chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<String>,
    /// The fee that was taken, as a decimal, if the exchange stated it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_taken: Option<String>,
    /// Why the payment was refused, or the last refusal by a chain's node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<PaymentRefusal>,
    /// When the job looks at the payment next, Unix milliseconds. `None` when nothing is to be found
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_check_ms: Option<u64>,
    /// Number of looks that found no outcome.
    #[serde(default)]
    pub checks: u32,
    /// Whether the final outcome of a counted payment is still to be reported to the cosigner.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreported: bool,
}

/// The state of a payment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentState {
    /// Nothing is signed as far as this record knows. A repeat of the request continues.
    Accepted,
    /// The bytes are stored. They may have been sent.
    Signed,
    /// The exchange or the chain's node has accepted the bytes.
    Sent,
    /// The exchange or the chain shows the payment as made. This state is final.
    Completed,
    /// The payment was not made and cannot be made any more. This state is final.
    Refused,
    /// The bytes were sent, and the response was lost.
    Unknown,
}

impl PaymentState {
    /// All states, in declaration order.
    pub const ALL: [Self; 6] =
        [Self::Accepted, Self::Signed, Self::Sent, Self::Completed, Self::Refused, Self::Unknown];

    /// Returns the stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Signed => "signed",
            Self::Sent => "sent",
            Self::Completed => "completed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the published word.
    #[must_use]
    pub const fn published(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Signed => "SIGNED",
            Self::Sent => "SENT",
            Self::Completed => "COMPLETED",
            Self::Refused => "REFUSED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Returns whether the state never changes again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Refused)
    }

    /// Returns whether signed bytes exist whose outcome is open.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Signed | Self::Sent | Self::Unknown)
    }

    /// Returns whether this state may follow another one.
    #[must_use]
    pub const fn may_follow(self, earlier: Self) -> bool {
        match earlier {
            Self::Accepted => matches!(self, Self::Accepted | Self::Signed),
            Self::Signed => !matches!(self, Self::Accepted),
            Self::Sent => matches!(self, Self::Sent | Self::Completed | Self::Refused),
            Self::Unknown => !matches!(self, Self::Accepted | Self::Signed),
            Self::Completed | Self::Refused => false,
        }
    }
}

/// The costs of a payment and the chain of its arrival, as planned.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpectedCosts {
    /// The fee with the activation of an account; of a transaction, the most that its gas costs.
    pub fee: Amount,
    /// The asset of the fee.
    pub fee_asset: String,
    /// The chain on which the money arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<u64>,
}

/// Signed bytes. They move money, and must not appear in a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedPayment {
    /// The nonces that the cosigner set.
    pub nonces: Nonces,
    /// The body to send; of a transaction, its bytes in hex with `0x`.
    pub body: String,
    /// When it was signed, Unix milliseconds.
    pub at_ms: u64,
    /// When the nonce was first known to be used, so that the bytes no longer execute, Unix
    /// milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced_at_ms: Option<u64>,
}

/// Omits the bytes, which move money until they are used.
impl std::fmt::Debug for SignedPayment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedPayment")
            .field("nonces", &self.nonces)
            .field("bytes", &self.body.len())
            .field("fenced_at_ms", &self.fenced_at_ms)
            .finish_non_exhaustive()
    }
}

/// Why a payment was not made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRefusal {
    /// The word for its meaning.
    pub code: String,
    /// The exchange's or the node's own text, bounded and without secrets.
    pub text: String,
    /// When it became known, Unix milliseconds.
    pub at_ms: u64,
}

impl PaymentRecord {
    /// Returns when the job handles it, Unix milliseconds. Only open payments and those with an outcome
    /// to report are due.
    #[must_use]
    pub fn due_at_ms(&self) -> Option<u64> {
        self.next_check_ms.filter(|_| self.state.is_open() || self.unreported)
    }

    /// Returns whether the cosigner lists the payment. It lists what it has counted and signed.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        self.signed.is_some() && !matches!(self.payment, Payment::HyperliquidMoveOwn(_))
    }

    /// Returns the nonce of a payment at Hyperliquid, in milliseconds.
    #[must_use]
    pub fn hyperliquid_nonce_ms(&self) -> Option<u64> {
        match self.signed.as_ref()?.nonces {
            Nonces::Hyperliquid(nonce_ms) => Some(nonce_ms),
            Nonces::Aster(..) | Nonces::Evm => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_have_no_successor() {
        for earlier in PaymentState::ALL {
            for later in PaymentState::ALL {
                if earlier.is_final() {
                    assert!(!later.may_follow(earlier), "{earlier:?} {later:?}");
                }
                // Nothing that was signed becomes unsigned.
                if earlier.is_open() {
                    assert!(!PaymentState::Accepted.may_follow(earlier), "{earlier:?}");
                }
            }
        }
        assert!(PaymentState::Signed.may_follow(PaymentState::Accepted));
        assert!(!PaymentState::Sent.may_follow(PaymentState::Accepted));
        // What the exchange has accepted is never doubtful again.
        assert!(!PaymentState::Unknown.may_follow(PaymentState::Sent));
    }

    #[test]
    fn stored_words_are_those_of_the_records() {
        for state in PaymentState::ALL {
            let stored = serde_json::to_value(state).unwrap();
            assert_eq!(stored, state.as_str());
            assert_eq!(state.as_str().to_uppercase(), state.published());
        }
    }
}
