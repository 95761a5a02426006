//! API errors of operations on orders.

use domain::ids::Exchange;

use super::errors_of_accounts::{
    leverage_in_progress, leverage_unknown, no_position, position_side_required,
};
use super::errors_of_exchanges::{attempt_refused, named, refused};
use super::handlers::with_data;
use super::orders::OrderData;
use crate::api::credential_error::{blocked, busy};
use crate::api::error::{ApiError, REPEAT, frozen_by_operator};
use crate::exchanges::budget::Busy;
use crate::exchanges::profile::Profile;
use crate::exchanges::trade::TradeCode;
use crate::orders::{BrokenRule, CredentialGap, TradeError};
use crate::trading::ids::ClientOrderId;
use crate::trading::order::OrderFault;
use crate::trading::policy::{PolicyRefusal, PolicyRule};

/// The operation that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Placing an order or a batch.
    Place,
    /// Changing an order.
    Modify,
    /// Cancelling an order.
    Cancel,
    /// Cancelling all orders of a market.
    CancelAll,
    /// Listing open orders.
    OpenOrders,
    /// Reading one order.
    Status,
    /// Closing a position.
    Close,
    /// Closing all positions.
    CloseAll,
    /// Changing the leverage or the margin mode of a market.
    Leverage,
    /// Reading positions.
    Positions,
    /// Reading balances.
    Balances,
    /// Listing executions.
    Fills,
    /// Listing past orders.
    PastOrders,
    /// Storing, reading or deleting a key of Lighter.
    Credentials,
}

impl Action {
    /// All operations, in declaration order.
    pub const ALL: [Self; 14] = [
        Self::Place,
        Self::Modify,
        Self::Cancel,
        Self::CancelAll,
        Self::OpenOrders,
        Self::Status,
        Self::Close,
        Self::CloseAll,
        Self::Leverage,
        Self::Positions,
        Self::Balances,
        Self::Fills,
        Self::PastOrders,
        Self::Credentials,
    ];

    pub(super) const fn failed(self) -> &'static str {
        match self {
            Self::Place => "Failed to place order",
            Self::Modify => "Failed to modify order",
            Self::Cancel => "Failed to cancel order",
            Self::CancelAll => "Failed to cancel orders",
            Self::OpenOrders => "Failed to fetch open orders",
            Self::Status => "Failed to fetch order status",
            Self::Close => "Failed to close position",
            Self::CloseAll => "Failed to close positions",
            Self::Leverage => "Failed to set leverage",
            Self::Positions => "Failed to fetch open positions",
            Self::Balances => "Failed to fetch balances",
            Self::Fills => "Failed to fetch fills",
            Self::PastOrders => "Failed to fetch past orders",
            Self::Credentials => "Failed to check the credentials",
        }
    }

    /// Returns the error of a question that the exchange did not answer.
    const fn timed_out(self) -> &'static str {
        match self {
            Self::Place => "Failed to place order: timeout",
            Self::Modify => "Failed to modify order: timeout",
            Self::Cancel => "Failed to cancel order: timeout",
            Self::CancelAll => "Failed to cancel orders: timeout",
            Self::OpenOrders => "Failed to fetch open orders: timeout",
            Self::Status => "Failed to fetch order status: timeout",
            Self::Close => "Failed to close position: timeout",
            Self::CloseAll => "Failed to close positions: timeout",
            Self::Leverage => "Failed to set leverage: timeout",
            Self::Positions => "Failed to fetch open positions: timeout",
            Self::Balances => "Failed to fetch balances: timeout",
            Self::Fills => "Failed to fetch fills: timeout",
            Self::PastOrders => "Failed to fetch past orders: timeout",
            Self::Credentials => "Failed to check the credentials: timeout",
        }
    }

    /// Returns what an order that is not open shows about the operation.
    const fn not_done(self) -> &'static str {
        match self {
            Self::Modify => "Read data.status. Nothing was changed.",
            _ => "Read data.status. Nothing was cancelled.",
        }
    }
}

impl ApiError {
    /// Converts the error of an operation on orders of an exchange.
    #[must_use]
    pub fn trade(exchange: Exchange, action: Action, error: TradeError) -> Self {
        let failed = action.failed();
        match error {
            TradeError::WalletNotFound => Self::wallet_not_found(),
            TradeError::WalletFrozen => wallet_frozen(failed),
            TradeError::NoCredential(gap) => no_credential(exchange, gap),
            TradeError::CredentialV1 => v1(exchange),
            TradeError::Fault(fault) => Self::order_fault(fault, ""),
            TradeError::Rule(rule) => broken(exchange, *rule),
            TradeError::Policy(refusal) => policy_refused(refusal),
            TradeError::IdReused { client_order_id, is_exhausted } => {
                id_reused(&client_order_id, is_exhausted)
            }
            TradeError::InProgress { client_order_id, retry_after_s } => {
                in_progress(&client_order_id, retry_after_s)
            }
            TradeError::Unknown { client_order_ids, retry_after_s, cause } => {
                tracing::warn!(%cause, "the outcome of an order is unknown");
                unknown(&client_order_ids, retry_after_s)
            }
            TradeError::NotPlaced { client_order_id, cause } => {
                tracing::warn!(%cause, "an order was not placed");
                not_placed(failed, &client_order_id)
            }
            TradeError::Refused { client_order_id, refusal } => {
                let error = refused(exchange, action, &refusal);
                client_order_id.iter().fold(error, Self::of_order)
            }
            TradeError::OrderNotFound { order } => order_not_found(&order),
            TradeError::NoPosition { symbol } => no_position(symbol.as_deref()),
            TradeError::PositionSideRequired { symbol } => position_side_required(&symbol),
            TradeError::LeverageInProgress { retry_after_s } => leverage_in_progress(retry_after_s),
            TradeError::LeverageUnknown { cause } => {
                tracing::warn!(%cause, "the outcome of a change of leverage is unknown");
                leverage_unknown()
            }
            TradeError::NotOpen(view) => {
                let error = Self::new(409, "ORDER_NOT_OPEN", "Order is no longer open");
                with_data(error.advise(action.not_done()), &OrderData::from(*view))
            }
            TradeError::CancelUnknown { cause } => {
                tracing::warn!(%cause, "the outcome of a cancellation is unknown");
                cancel_unknown()
            }
            TradeError::SymbolRequired => symbol_required(),
            TradeError::SymbolMismatch { symbol } => {
                Self::bad_request(format!("symbol contradicts the order, which is of {symbol}"))
            }
            TradeError::KeyNotListed => key_not_listed(),
            TradeError::NoOrder => Self::missing("orders"),
            TradeError::Timeout(cause) => {
                tracing::warn!(%cause, "exchange did not respond");
                Self::new(504, "TIMEOUT", action.timed_out())
                    .advise("The exchange did not respond. Nothing was sent. Retry the call.")
            }
            TradeError::Unavailable(cause) => unavailable(failed, &cause),
            TradeError::NotSent(cause) => unavailable(failed, &cause),
            TradeError::Blocked(words) => {
                tracing::warn!(%words, "exchange blocked the call");
                blocked(failed)
            }
            TradeError::Busy(Busy::Store(cause)) | TradeError::Store(cause) => {
                Self::store(failed, &cause)
            }
            TradeError::Busy(cause) => busy(failed, cause),
            TradeError::Contention => contention(failed),
            TradeError::OutOfTime => Self::new(504, "TIMEOUT", action.timed_out())
                .advise("The call took too long. Nothing was sent. Retry the call."),
            TradeError::Envelope(_)
            | TradeError::Random(_)
            | TradeError::DamagedKey
            | TradeError::UnreadableKey(_)
            | TradeError::SignHyperliquid(_)
            | TradeError::SignAster(_)
            | TradeError::SignLighter(_)
            | TradeError::DamagedOrder(_) => Self::internal(failed, &error).advise(REPEAT),
        }
    }

    /// Converts a fault in the request for an order. `place` is the order's place in the body, as a
    /// prefix of its fields' names.
    #[must_use]
    pub(crate) fn order_fault(fault: OrderFault, place: &str) -> Self {
        match fault {
            OrderFault::Missing(field) => Self::missing(&format!("{place}{field}")),
            OrderFault::Invalid { field, expected } => {
                Self::bad_request(format!("{place}{field} {expected}"))
            }
            OrderFault::NotOffered { exchange, what, advice } => {
                not_offered(exchange, what).advise(advice)
            }
        }
    }

    /// Adds the id of the order.
    pub(super) fn of_order(self, id: &ClientOrderId) -> Self {
        self.detail(|details| details.client_order_id = Some(id.to_string()))
    }
}

fn wallet_frozen(failed: &'static str) -> ApiError {
    frozen_by_operator(failed).advise(
        "An operator has frozen this wallet. You can still read and cancel its orders. To place or \
         change orders, contact the operator.",
    )
}

fn v1(exchange: Exchange) -> ApiError {
    not_offered(exchange, "trading with an API key of V1").advise(
        "Delete the API key, and register the wallet again while the deployment uses agents (V3).",
    )
}

fn not_placed(failed: &'static str, id: &ClientOrderId) -> ApiError {
    ApiError::new(502, "EXCHANGE_UNAVAILABLE", failed)
        .advise(
            "The exchange did not execute the order, and cannot execute it any more. Retry the call \
             with the same body.",
        )
        .of_order(id)
}

fn key_not_listed() -> ApiError {
    ApiError::new(422, "API_KEY_NOT_LISTED", "Lighter does not list this API key").advise(
        "Check apiKeyPrivateKey, apiKeyIndex and accountIndex: the slot of the account has another \
         public key, or none.",
    )
}

fn cancel_unknown() -> ApiError {
    ApiError::new(504, "ORDER_UNKNOWN", "The outcome of the cancellation is not known yet")
        .advise("Retry the call; it cancels what is still open.")
        .retry_after(1)
}

fn symbol_required() -> ApiError {
    ApiError::missing("symbol").advise(
        "The exchange has too many markets of other deployers to list the orders of all. Name a \
         market in symbol.",
    )
}

fn contention(failed: &'static str) -> ApiError {
    tracing::warn!("too many requests change one ledger");
    ApiError::new(503, "STORE_BUSY", failed)
        .advise("Too many orders of this wallet at once. Nothing was sent. Retry the call.")
        .retry_after(1)
}

fn unavailable(failed: &'static str, cause: &dyn std::fmt::Display) -> ApiError {
    tracing::warn!(%cause, "exchange is down or its response was invalid");
    ApiError::new(502, "EXCHANGE_UNAVAILABLE", failed)
        .advise("The exchange is not available. Nothing was sent. Retry the call.")
}

pub(super) fn not_offered(exchange: Exchange, what: &str) -> ApiError {
    let name = Profile::of(exchange).name;
    ApiError::new(422, "NOT_OFFERED_BY_EXCHANGE", format!("{name} does not offer {what}"))
}

/// The contract fixes the text. A wallet without a usable key has none, whatever the reason.
pub(super) fn no_credential(exchange: Exchange, gap: CredentialGap) -> ApiError {
    let name = Profile::of(exchange).name;
    let error = format!("Missing or invalid credentials for {name}");
    ApiError::new(404, "API_KEY_NOT_FOUND", error).advise(match gap {
        CredentialGap::Missing | CredentialGap::AgentUnknown if exchange == Exchange::Lighter => {
            "Check apiKeyPrivateKey, apiKeyIndex and accountIndex, or store them with PUT \
             /api/trading/lighter/credentials."
        }
        CredentialGap::Missing => "Register the wallet with this exchange first.",
        CredentialGap::Pending => "Retry the registration; it resumes where it stopped.",
        CredentialGap::Expired => "The API key has expired. Rotate it, then retry the call.",
        CredentialGap::Revoking => {
            "The API key is being deleted. Retry the DELETE call, then register the wallet again."
        }
        CredentialGap::AgentUnknown => {
            "The exchange does not know the wallet's agent. Rotate the API key, then retry the call."
        }
    })
}

fn policy_refused(PolicyRefusal { rule, limit }: PolicyRefusal) -> ApiError {
    let advice = match rule {
        PolicyRule::OrderRate => {
            "Send fewer orders in a minute, or ask the holder of a key with the scope admin to \
             change the policy."
        }
        PolicyRule::PositionNotional => {
            "Reduce the order or the position, or ask the holder of a key with the scope admin to \
             change the policy."
        }
        PolicyRule::Builder | PolicyRule::BuilderFee => {
            "Ask the holder of a key with the scope admin to allow the builder and its fee. Orders \
             that only reduce a position carry no builder, and are placed."
        }
        PolicyRule::Symbol
        | PolicyRule::OrderNotional
        | PolicyRule::ReduceOnly
        | PolicyRule::Slippage
        | PolicyRule::Leverage => {
            "Change the order, or ask the holder of a key with the scope admin to change the policy."
        }
    };
    ApiError::new(422, "POLICY_REFUSED", "The trading policy does not allow this order")
        .advise(advice)
        .detail(|details| {
            details.reason = Some(rule.as_str());
            details.limit = Some(limit);
        })
}

fn id_reused(id: &ClientOrderId, is_exhausted: bool) -> ApiError {
    let advice = if is_exhausted {
        "The exchange has refused the order too often under this id. Use a new clientOrderId."
    } else {
        "Use a new clientOrderId for each new order. A retry must have the same orders in the same \
         sequence."
    };
    ApiError::new(422, "CLIENT_ORDER_ID_REUSED", "clientOrderId was used for another order")
        .advise(advice)
        .of_order(id)
}

fn in_progress(id: &ClientOrderId, retry_after_s: u64) -> ApiError {
    ApiError::new(409, "ORDER_IN_PROGRESS", "Order is being placed")
        .advise(
            "Another request is placing or changing the order. Retry the call after \
             retryAfterSeconds; the order is executed at most once.",
        )
        .retry_after(retry_after_s.max(1))
        .of_order(id)
}

fn unknown(ids: &[ClientOrderId], retry_after_s: u64) -> ApiError {
    let error = ApiError::new(504, "ORDER_UNKNOWN", "The outcome of the order is not known yet")
        .advise(
            "Retry the call with the same body and Idempotency-Key. Without a key, add the \
             clientOrderId of this response to the body. The order is executed at most once.",
        )
        .retry_after(retry_after_s.max(1));
    match ids {
        [id] => error.of_order(id),
        ids => with_data(error, &Ids { client_order_ids: ids }),
    }
}

/// The ids of a batch of unknown outcome.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Ids<'a> {
    client_order_ids: &'a [ClientOrderId],
}

fn order_not_found(order: &str) -> ApiError {
    ApiError::new(404, "ORDER_NOT_FOUND", format!("Order {order} not found in any market"))
        .advise("Check the order's id, the wallet, the exchange and the symbol.")
}

/// Converts a rule of a market that the service itself has checked.
fn broken(exchange: Exchange, rule: BrokenRule) -> ApiError {
    let BrokenRule { index, code, symbol, limit, advice } = rule;
    let error = match named(code) {
        _ if code == TradeCode::MarketUnknown => {
            ApiError::new(422, "MARKET_UNKNOWN", format!("Unknown market: {symbol}"))
        }
        _ if code == TradeCode::NotOffered => not_offered(exchange, "this order"),
        Some((status_code, error)) => ApiError::new(422, status_code, error),
        None => attempt_refused(Action::Place.failed()),
    };
    let advice =
        if index == 0 { advice } else { format!("orders[{index}] breaks the rule. {advice}") };
    let error = error.advise(advice);
    match limit {
        Some(limit) => error.detail(|details| details.limit = Some(limit)),
        None => error,
    }
}
