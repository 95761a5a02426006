//! The errors of trading.

use domain::eth::AgentKeyError;
use domain::random::RandomError;
use platform::envelope::EnvelopeError;
use platform::items::StoreError;

use super::OrderView;
use crate::exchanges::LookupError;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::budget::Busy;
use crate::exchanges::http::TransportError;
use crate::exchanges::trade::{TradeCode, TradeRefusal};
use crate::exchanges::{aster, hyperliquid};
use crate::trading::ids::ClientOrderId;
use crate::trading::order::OrderFault;
use crate::trading::policy::PolicyRefusal;

/// Why an operation on orders failed. The comment of each variant names its published code.
#[derive(Debug, thiserror::Error)]
pub enum TradeError {
    /// The tenant has no such wallet. 404 `WALLET_NOT_FOUND`.
    #[error("wallet not found")]
    WalletNotFound,
    /// An operator has frozen the wallet: orders are neither placed nor changed. 422
    /// `WALLET_FROZEN`.
    #[error("an operator has frozen the wallet")]
    WalletFrozen,
    /// The wallet has no usable credential. 404 `API_KEY_NOT_FOUND`.
    #[error("no usable credential: {0:?}")]
    NoCredential(CredentialGap),
    /// The wallet's credential is a key of Aster's V1, which does not trade. 422
    /// `NOT_OFFERED_BY_EXCHANGE`.
    #[error("a key of Aster's V1 does not trade")]
    CredentialV1,
    /// The request is invalid, or the exchange does not offer it. 400 `INVALID_REQUEST` or 422
    /// `NOT_OFFERED_BY_EXCHANGE`.
    #[error(transparent)]
    Fault(#[from] OrderFault),
    /// The order breaks a rule of the market; nothing was signed. The code says which: 422
    /// `MARKET_UNKNOWN`, `TICK_SIZE`, `LOT_SIZE`, `BELOW_MINIMUM`, `PRICE_OUT_OF_RANGE`,
    /// `WOULD_CROSS` or `NOT_OFFERED_BY_EXCHANGE`.
    #[error(transparent)]
    Rule(Box<BrokenRule>),
    /// The trading policy refuses the order; nothing was signed. 422 `POLICY_REFUSED`.
    #[error(transparent)]
    Policy(#[from] PolicyRefusal),
    /// The id was used for another order, or in another batch. 422 `CLIENT_ORDER_ID_REUSED`.
    #[error("{client_order_id} was used for another order")]
    IdReused {
        /// The id.
        client_order_id: ClientOrderId,
        /// Whether the order has been signed so often that its id has no further generation.
        is_exhausted: bool,
    },
    /// Another request is placing or changing the order. 409 `ORDER_IN_PROGRESS`.
    #[error("another request is placing or changing {client_order_id}")]
    InProgress {
        /// The id of the order.
        client_order_id: ClientOrderId,
        /// Seconds until a repeat takes over at the latest.
        retry_after_s: u64,
    },
    /// The exchange may have executed the order, or may still do so. A repeat of the same request
    /// resolves it. 504 `ORDER_UNKNOWN`.
    #[error("the outcome of {} is unknown: {cause}", .client_order_ids.iter().map(ClientOrderId::as_str).collect::<Vec<_>>().join(", "))]
    Unknown {
        /// The ids of the orders.
        client_order_ids: Vec<ClientOrderId>,
        /// Seconds after which a repeat is likely to find the outcome.
        retry_after_s: u64,
        /// The last problem, for the log.
        cause: String,
    },
    /// The order is known not to be executed, now and later. A repeat of the same request signs it
    /// again. 502 `EXCHANGE_UNAVAILABLE`.
    #[error("{client_order_id} was not placed: {cause}")]
    NotPlaced {
        /// The id of the order.
        client_order_id: ClientOrderId,
        /// The problem, for the log.
        cause: String,
    },
    /// The exchange refused the order. The code of the refusal says which published code:
    /// `TradeCode::OrderRejected` is 422 `ORDER_REJECTED` with the exchange's text.
    #[error("the exchange refused: {}", .refusal.text)]
    Refused {
        /// The id of the order, if it has one of this service.
        client_order_id: Option<ClientOrderId>,
        /// The refusal.
        refusal: TradeRefusal,
    },
    /// The wallet has no such position; nothing was sent. 404 `POSITION_NOT_FOUND`.
    #[error("the wallet has no position to close")]
    NoPosition {
        /// The market as the caller named it. `None` means all markets.
        symbol: Option<String>,
    },
    /// The market has a long and a short position, and the request names neither; nothing was sent.
    /// 400 `INVALID_REQUEST`.
    #[error("the market {symbol} has two positions")]
    PositionSideRequired {
        /// The market as the caller named it.
        symbol: String,
    },
    /// Another request is changing the leverage of the market, or a value to sign depends on a change
    /// whose outcome is not certain yet. Nothing was sent. 409 `LEVERAGE_IN_PROGRESS`.
    #[error("another request is changing the leverage")]
    LeverageInProgress {
        /// Seconds until a repeat takes over at the latest.
        retry_after_s: u64,
    },
    /// The exchange may have changed the leverage or the margin mode, or may still do so. A repeat
    /// sets it. 504 `LEVERAGE_UNKNOWN`.
    #[error("the outcome of a change of leverage is unknown: {cause}")]
    LeverageUnknown {
        /// The problem, for the log.
        cause: String,
    },
    /// The exchange has no such order. 404 `ORDER_NOT_FOUND`.
    #[error("order {order} not found")]
    OrderNotFound {
        /// The caller's name of the order.
        order: String,
    },
    /// The order is not open any more. 409 `ORDER_NOT_OPEN` with the order as `data`.
    #[error("the order is not open")]
    NotOpen(Box<OrderView>),
    /// Some orders of a market could not be cancelled, and their state is unknown. 504
    /// `ORDER_UNKNOWN`.
    #[error("the outcome of a cancellation is unknown: {cause}")]
    CancelUnknown {
        /// The problem, for the log.
        cause: String,
    },
    /// The orders of too many markets would have to be asked for. 400 `INVALID_REQUEST`: name a
    /// symbol.
    #[error("the exchange has too many DEXs to list the open orders of all")]
    SymbolRequired,
    /// The symbol contradicts the order. 400 `INVALID_REQUEST`.
    #[error("the order belongs to the market {symbol}")]
    SymbolMismatch {
        /// The market of the order.
        symbol: String,
    },
    /// The exchange did not respond to a question. 504 `TIMEOUT`.
    #[error("the exchange did not respond: {0}")]
    Timeout(#[source] LookupError),
    /// The exchange is unavailable; nothing was sent. 502 `EXCHANGE_UNAVAILABLE`.
    #[error("the exchange is not available: {0}")]
    Unavailable(#[source] LookupError),
    /// No connection to the exchange; nothing was sent. 502 `EXCHANGE_UNAVAILABLE`.
    #[error("the exchange is not available: {0}")]
    NotSent(#[source] TransportError),
    /// The edge in front of the exchange blocks calls. 502 `EXCHANGE_BLOCKED`.
    #[error("the exchange's edge blocked the call: {0}")]
    Blocked(String),
    /// Nothing may be sent to the exchange now. 429 `EXCHANGE_RATE_LIMIT`, or 502.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// Too many requests change the wallet's ledger at once; nothing was sent. 503 `STORE_BUSY`.
    #[error("too many requests change the wallet's ledger")]
    Contention,
    /// Too little time is left to send, for example because the exchange's reads were slow. Nothing
    /// was sent, and nothing will be. 504 `TIMEOUT`.
    #[error("too little time is left to send")]
    OutOfTime,
    /// The table failed.
    #[error(transparent)]
    Store(StoreError),
    /// The agent's key could not be opened. 500 `INTERNAL`.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The random number generator failed. 500 `INTERNAL`.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The stored agent key does not belong to the credential's agent. 500 `INTERNAL`.
    #[error("the stored agent key is damaged")]
    DamagedKey,
    /// The stored agent key is not a private key. 500 `INTERNAL`.
    #[error("the stored agent key is damaged")]
    UnreadableKey(#[source] AgentKeyError),
    /// An action for Hyperliquid was not signed. 500 `INTERNAL`.
    #[error(transparent)]
    SignHyperliquid(#[from] hyperliquid::trade::SignFault),
    /// A call of Aster was not signed. 500 `INTERNAL`.
    #[error(transparent)]
    SignAster(#[from] aster::trade::sign::SignFault),
    /// Lighter does not list the public key of a key in the named slot of the account. 422
    /// `API_KEY_NOT_LISTED`.
    #[error("the slot of the account has another public key")]
    KeyNotListed,
    /// A transaction of Lighter was not signed. 500 `INTERNAL`.
    #[error(transparent)]
    SignLighter(#[from] lighter_signer::SignError),
    /// A stored order contradicts itself. 500 `INTERNAL`.
    #[error("a stored order contradicts itself: {0}")]
    DamagedOrder(&'static str),
    /// The request has no order. 400 `INVALID_REQUEST`.
    #[error("the request has no order")]
    NoOrder,
}

/// Why a wallet has no usable credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CredentialGap {
    /// It has none.
    Missing,
    /// Its registration is not complete.
    Pending,
    /// It has expired.
    Expired,
    /// It is being deleted.
    Revoking,
    /// The exchange does not know its agent.
    AgentUnknown,
}

/// A rule of a market that an order breaks. Nothing was signed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the order breaks a rule of {symbol}: {code:?}")]
pub struct BrokenRule {
    /// The order's index in its request.
    pub index: usize,
    /// The rule.
    pub code: TradeCode,
    /// The market as the caller named it.
    pub symbol: String,
    /// The step, bound or minimum that the order must meet.
    pub limit: Option<String>,
    /// The action to take, as a sentence.
    pub advice: String,
}

impl From<BrokenRule> for TradeError {
    fn from(rule: BrokenRule) -> Self {
        Self::Rule(Box::new(rule))
    }
}

impl From<AskError> for TradeError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(refusal) => match refusal.code {
                TradeCode::AgentUnknown => Self::NoCredential(CredentialGap::AgentUnknown),
                TradeCode::RateLimited { retry_after_s } => {
                    Self::Busy(Busy::Limited { retry_after_s })
                }
                _ => Self::Refused { client_order_id: None, refusal },
            },
            AskError::Failed(failed) => failed.into(),
        }
    }
}

impl From<StoreError> for TradeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<LookupError> for TradeError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::RateLimited { retry_after_s } => {
                Self::Busy(Busy::Limited { retry_after_s })
            }
            LookupError::Busy(busy) => Self::Busy(busy),
            LookupError::Blocked(words) => Self::Blocked(words),
            LookupError::NoAnswer(_) => Self::Timeout(error),
            LookupError::NotSent(_)
            | LookupError::Unreadable { .. }
            | LookupError::Unsigned(_)
            | LookupError::Foreign
            | LookupError::NonceRejected => Self::Unavailable(error),
        }
    }
}
