//! API errors of refusals by an exchange.

use domain::ids::Exchange;

use super::error::{Action, no_credential, not_offered};
use crate::api::credential_error::busy;
use crate::api::error::{ApiError, REPEAT};
use crate::exchanges::budget::Busy;
use crate::exchanges::trade::{TradeCode, TradeRefusal};
use crate::orders::CredentialGap;

/// When a retry is worth it after a refusal about the moment, in seconds.
const TRY_LATER_S: u64 = 5;

/// The same after a nonce that was overtaken in each attempt, in seconds.
const OVERTAKEN_S: u64 = 1;

/// Returns the published code and text of a refusal that the caller can understand from the order
/// alone. `None` for every other meaning.
pub(super) const fn named(code: TradeCode) -> Option<(&'static str, &'static str)> {
    Some(match code {
        TradeCode::MarketUnknown => ("MARKET_UNKNOWN", "Unknown market"),
        TradeCode::TickSize => ("TICK_SIZE", "Price is not a multiple of the tick size"),
        TradeCode::LotSize => ("LOT_SIZE", "Quantity is not a multiple of the lot size"),
        TradeCode::BelowMinimum => ("BELOW_MINIMUM", "Order value is below the minimum"),
        TradeCode::PriceOutOfRange => ("PRICE_OUT_OF_RANGE", "Price is too far from the market"),
        TradeCode::WouldCross => ("WOULD_CROSS", "Post-only order would have matched at once"),
        TradeCode::WouldTrigger => ("WOULD_TRIGGER", "Order would trigger at once"),
        TradeCode::NoLiquidity => ("NO_LIQUIDITY", "No order to match with"),
        TradeCode::InsufficientFunds => ("INSUFFICIENT_FUNDS", "Not enough margin or balance"),
        TradeCode::ReduceOnlyRefused => {
            ("REDUCE_ONLY_REFUSED", "Reduce-only order would not reduce a position")
        }
        TradeCode::PositionSideMismatch => {
            ("POSITION_SIDE_MISMATCH", "positionSide does not fit the account's mode")
        }
        TradeCode::OpenInterestCap => {
            ("OPEN_INTEREST_CAP", "Open interest of the market is capped")
        }
        TradeCode::TooManyOrders => ("TOO_MANY_ORDERS", "Too many open orders"),
        TradeCode::LeverageOutOfRange => {
            ("LEVERAGE_OUT_OF_RANGE", "Leverage is not possible in this market")
        }
        TradeCode::MarginModeLocked => {
            ("MARGIN_MODE_LOCKED", "Margin mode cannot change in this market")
        }
        TradeCode::BuilderNotApproved | TradeCode::ClientIdTaken | TradeCode::OrderRejected => {
            ("ORDER_REJECTED", "Order was refused by the exchange")
        }
        TradeCode::AgentUnknown
        | TradeCode::DepositRequired
        | TradeCode::OrderNotOpen
        | TradeCode::NotOffered
        | TradeCode::RateLimited { .. }
        | TradeCode::Expired
        | TradeCode::NonceTooLow
        | TradeCode::SignatureFault
        | TradeCode::OurFault
        | TradeCode::RegionBlocked
        | TradeCode::SignerOutdated
        | TradeCode::TryLater => return None,
    })
}

/// Converts a refusal by an exchange: the caller can fix the reason, or retry, or the service has a
/// fault. The exchange executed nothing.
pub(super) fn refused(exchange: Exchange, action: Action, refusal: &TradeRefusal) -> ApiError {
    let TradeRefusal { code, text } = refusal;
    tracing::warn!(?code, %text, "exchange refused");
    let failed = action.failed();
    let error = match *code {
        TradeCode::AgentUnknown => no_credential(exchange, CredentialGap::AgentUnknown),
        TradeCode::DepositRequired => ApiError::new(422, "DEPOSIT_REQUIRED", failed)
            .advise("Deposit to the wallet's account on the exchange, then retry the call."),
        TradeCode::OrderNotOpen => ApiError::new(409, "ORDER_NOT_OPEN", "Order is no longer open")
            .advise("Read the order's status. Nothing was changed."),
        TradeCode::NotOffered => not_offered(exchange, "this order"),
        TradeCode::RateLimited { retry_after_s } => {
            return busy(failed, Busy::Limited { retry_after_s });
        }
        // Other orders of the slot were faster each time.
        TradeCode::NonceTooLow if exchange == Exchange::Lighter => {
            attempt_refused(failed).retry_after(OVERTAKEN_S)
        }
        TradeCode::Expired | TradeCode::NonceTooLow => attempt_refused(failed),
        TradeCode::TryLater => attempt_refused(failed).retry_after(TRY_LATER_S),
        TradeCode::RegionBlocked => region_blocked(),
        TradeCode::SignerOutdated => signer_outdated(failed),
        TradeCode::SignatureFault | TradeCode::OurFault => {
            return ApiError::internal(failed, text);
        }
        other => match named(other) {
            Some((code, error)) => ApiError::new(422, code, error)
                .advise(format!("Change the order. The exchange responded: {text}")),
            None => attempt_refused(failed),
        },
    };
    error.detail(|details| details.exchange_message = Some(text.clone()))
}

/// Makes the error of an exchange that serves nobody from a region.
fn region_blocked() -> ApiError {
    ApiError::new(403, "EXCHANGE_REGION_BLOCKED", "The exchange does not serve this region").advise(
        "The exchange excludes the region of this deployment. A retry does not help. Ask the operator, \
         who must observe the exchange's terms.",
    )
}

/// Makes the error of an exchange that requires another form of signatures.
fn signer_outdated(failed: &'static str) -> ApiError {
    ApiError::new(502, "EXCHANGE_UPGRADE_REQUIRED", failed).advise(
        "The exchange requires a newer form of signatures. Nothing was executed. The operator is \
         informed, and must update the service.",
    )
}

/// Makes the error of an attempt that arrived too late, or whose nonce was overtaken.
pub(super) fn attempt_refused(failed: &'static str) -> ApiError {
    ApiError::new(502, "EXCHANGE_REJECTED", failed)
        .advise(format!("The exchange refused this attempt. {REPEAT}"))
}
