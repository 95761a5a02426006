//! The stored record of an order.

use domain::eth::Address;
use domain::ids::Exchange;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::trading::ids::ClientOrderId;
use crate::trading::order::{Fingerprint, OrderRequest};

/// How long a record stays after its last outcome, in milliseconds. Until then its id names this
/// order only.
pub const ORDER_KEPT_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// An order: the request, the signed bytes that were or will be sent, and their outcome. It is
/// written before the exchange receives anything.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRecord {
    /// Schema number: 1.
    pub schema: u32,
    /// The exchange.
    pub exchange: Exchange,
    /// The wallet.
    pub wallet_id: Uuid,
    /// The caller's id. The record's key is a part of its hash.
    pub client_order_id: ClientOrderId,
    /// The content of the order.
    pub fingerprint: Fingerprint,
    /// The content of everything that was sent with the order: see [`Fingerprint::of_unit`].
    pub unit: Fingerprint,
    /// Number of the last signature. Each new signature has the next number.
    pub generation: u8,
    /// Number of the signature under which the exchange has the order. It differs from
    /// `generation` while a change is under way and after a change that failed.
    #[serde(default)]
    pub placed_generation: u8,
    /// A new random value for each write. A writer that names an old one is refused.
    pub revision: Uuid,
    /// The state of the submission that places the order.
    pub state: OrderState,
    /// The order as the caller requested it, with the price and quantity of the last change.
    pub request: OrderRequest,
    /// The exchange's market.
    pub symbol: StoredSymbol,
    /// The order whose record has the submission, for the other orders of a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<ClientOrderId>,
    /// The bytes that place the order. `None` for the other orders of a batch, and for an order
    /// that this service did not place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<Submission>,
    /// What was filled before the exchange replaced the order for a change, as a decimal. `None`
    /// if it never did: Hyperliquid replaces an order, and Aster changes it in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<String>,
    /// The last change, under way or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The outcome, when it is known. A change that was made replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<StoredOutcome>,
    /// Whether the order was sent with the quantity zero, which closes the whole position. The
    /// request then has the size of the position at that time, or zero if the order waits for a
    /// trigger.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// Whether the ledger has a reservation for it.
    #[serde(default)]
    pub reserved: bool,
    /// When the record was made, Unix milliseconds. It is a part of the id at the exchange, and
    /// does not change with later signatures.
    pub created_at_ms: u64,
    /// End of the lease of the call at work, Unix milliseconds. Nothing is sent after it. From
    /// then on, the job resolves the order.
    pub lease_until_ms: u64,
    /// When the record may be dropped, Unix seconds. `None` while an outcome is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_s: Option<u64>,
}

/// The state of a submission.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderState {
    /// The bytes are stored, and may have been sent.
    Sending,
    /// The bytes were sent, and the response was lost.
    Unknown,
    /// The exchange accepted the order. This state is final.
    Placed,
    /// The exchange refused the order.
    Refused,
    /// The exchange did not execute the bytes and cannot execute them later.
    Dead,
}

impl OrderState {
    /// Returns the stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Placed => "placed",
            Self::Refused => "refused",
            Self::Dead => "dead",
        }
    }

    /// Returns whether the outcome is open.
    #[must_use]
    pub const fn is_unresolved(self) -> bool {
        matches!(self, Self::Sending | Self::Unknown)
    }
}

/// A market at the exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredSymbol {
    /// The exchange's name.
    pub name: String,
    /// The asset's number on Hyperliquid, the market's on Lighter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<u32>,
    /// The DEX on Hyperliquid; empty for the main one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dex: Option<String>,
}

/// Signed bytes that place or change orders. They execute at most once and for a short time, and
/// must not appear in a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// What the bytes do.
    pub kind: SubmissionKind,
    /// The agent that signed. On Lighter the first 20 bytes of the API key's public key.
    pub agent: Address,
    /// The nonce, in the exchange's unit.
    pub nonce: u64,
    /// The HTTP method.
    pub method: SentMethod,
    /// The path at the exchange.
    pub path: String,
    /// The exact body, with the signature.
    pub body: String,
    /// When the exchange refuses the bytes by itself, Unix milliseconds.
    pub expires_at_ms: u64,
    /// When the bytes can certainly no longer execute, Unix milliseconds: the expiry and a margin.
    pub final_at_ms: u64,
    /// The orders of a batch in their sequence, including the lead. Empty for a single order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<ClientOrderId>,
    /// Whether the nonce is known to be used, so that the bytes can no longer execute.
    #[serde(default)]
    pub fenced: bool,
    /// The hash that names the transaction at Lighter, 80 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The hash that Lighter stated when it took the transaction, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated_hash: Option<String>,
}

impl Submission {
    /// Returns the hash by which Lighter finds the transaction.
    #[must_use]
    pub fn lookup_hash(&self) -> &str {
        self.stated_hash.as_deref().or(self.hash.as_deref()).unwrap_or_default()
    }
}

/// Omits the bytes, which can place the order until they expire.
impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Submission")
            .field("kind", &self.kind)
            .field("agent", &self.agent)
            .field("nonce", &self.nonce)
            .field("bytes", &self.body.len())
            .field("final_at_ms", &self.final_at_ms)
            .field("members", &self.members)
            .field("fenced", &self.fenced)
            .finish_non_exhaustive()
    }
}

/// What signed bytes do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubmissionKind {
    /// Places the orders.
    Place,
    /// Changes an order.
    Modify,
}

/// The HTTP method with which signed bytes are sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SentMethod {
    /// `POST`
    Post,
    /// `PUT`
    Put,
}

/// A change of an order's price and quantity.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The bytes.
    pub submission: Submission,
    /// The new price, as the caller wrote it.
    pub price: String,
    /// The new quantity, as the caller wrote it. It includes what was filled before.
    pub quantity: String,
    /// What was filled when the change was signed, as a decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filled: Option<String>,
    /// The state of the submission.
    pub state: OrderState,
    /// Number of its signature.
    pub generation: u8,
    /// Why the exchange refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<StoredRefusal>,
}

/// The outcome of an order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StoredOutcome {
    /// The exchange accepted it.
    Placed {
        /// The exchange's id, if it stated one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<String>,
        /// The exchange's own word for the status.
        exchange_status: String,
        /// The filled quantity.
        filled: String,
        /// The average price of the filled part.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        average_price: Option<String>,
        /// The price at the exchange, if it differs from the request's: a market order's bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exchange_price: Option<String>,
        /// When the outcome became known, Unix milliseconds.
        at_ms: u64,
        /// The attached orders.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        legs: Vec<StoredLeg>,
    },
    /// The exchange refused it.
    Refused(StoredRefusal),
}

/// A refusal by the exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredRefusal {
    /// The word for its meaning.
    pub code: String,
    /// The exchange's own text, bounded and without secrets.
    pub text: String,
    /// When it became known, Unix milliseconds.
    pub at_ms: u64,
}

/// An attached order of a placed order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredLeg {
    /// Which one.
    pub kind: LegKind,
    /// The exchange's id, if it stated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The exchange's own word for the status.
    pub exchange_status: String,
}

/// The kind of an attached order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LegKind {
    /// Take profit.
    TakeProfit,
    /// Stop loss.
    StopLoss,
}

impl OrderRecord {
    /// Returns the submission under way of a single order or of the lead of a batch: the one that
    /// places it or the one that changes it. `None` when no outcome of its own is open.
    #[must_use]
    pub fn unresolved(&self) -> Option<&Submission> {
        if self.state.is_unresolved() {
            return self.submission.as_ref();
        }
        let change = self.change.as_ref().filter(|change| change.state.is_unresolved());
        change.map(|change| &change.submission)
    }

    /// Returns whether every outcome is known.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        !self.state.is_unresolved()
            && self.change.as_ref().is_none_or(|change| !change.state.is_unresolved())
    }

    /// Returns whether the record has expired. Its id then names a new order, even if the table
    /// still has the record.
    #[must_use]
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at_s.is_some_and(|at_s| at_s <= now_ms / 1_000)
    }

    /// Returns when the job handles it, Unix milliseconds. Only records with a submission under
    /// way are due.
    #[must_use]
    pub fn due_at_ms(&self) -> Option<u64> {
        self.unresolved().map(|_| self.lease_until_ms)
    }

    /// Returns the record with the outcome of the submission that places it. `outcome` replaces
    /// the earlier one if it is given.
    #[must_use]
    pub fn settled(
        &self,
        state: OrderState,
        outcome: Option<StoredOutcome>,
        revision: Uuid,
        now_ms: u64,
    ) -> Self {
        let mut next = Self { state, revision, ..self.clone() };
        next.outcome = outcome.or(next.outcome);
        if state == OrderState::Placed {
            next.placed_generation = next.generation;
        }
        next.rested(now_ms)
    }

    /// Returns the record with the outcome of the change under way. A change that was made
    /// replaces the price and the quantity. `outcome` replaces the earlier one if it is given: also
    /// for a change that was not made because the order had ended.
    #[must_use]
    pub fn change_settled(
        &self,
        state: OrderState,
        outcome: Option<StoredOutcome>,
        refusal: Option<StoredRefusal>,
        revision: Uuid,
        now_ms: u64,
    ) -> Self {
        let mut next = Self { revision, ..self.clone() };
        next.outcome = outcome.or(next.outcome);
        if let Some(change) = &mut next.change {
            change.state = state;
            change.refusal = refusal;
            if state == OrderState::Placed {
                // Aster keeps the id of a changed order; Hyperliquid gives the new order a new one.
                if next.exchange == Exchange::Hyperliquid {
                    next.placed_generation = change.generation;
                }
                next.request.price = change.price.parse().ok().or(next.request.price);
                if let Ok(quantity) = change.quantity.parse() {
                    next.request.quantity = quantity;
                    next.whole = false;
                }
            }
        }
        next.rested(now_ms)
    }

    /// Ends the lease, and starts the time after which a record at rest is dropped.
    fn rested(mut self, now_ms: u64) -> Self {
        self.lease_until_ms = now_ms;
        let is_at_rest = self.is_at_rest();
        self.expires_at_s = is_at_rest.then(|| now_ms.saturating_add(ORDER_KEPT_MS) / 1_000);
        self
    }
}
