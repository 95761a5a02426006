//! API errors of positions and leverage.

use crate::api::error::ApiError;

pub(super) fn no_position(symbol: Option<&str>) -> ApiError {
    let error = symbol.map_or_else(
        || "No open position".to_owned(),
        |symbol| format!("No open position to close in {symbol}"),
    );
    ApiError::new(404, "POSITION_NOT_FOUND", error)
        .advise("Read the positions. Check the symbol, the side and the positionSide.")
}

pub(super) fn position_side_required(symbol: &str) -> ApiError {
    ApiError::missing("positionSide")
        .advise(format!("{symbol} has a long and a short position. Name LONG or SHORT."))
}

pub(super) fn leverage_in_progress(retry_after_s: u64) -> ApiError {
    ApiError::new(409, "LEVERAGE_IN_PROGRESS", "Leverage is being changed")
        .advise(
            "Another request is changing the market, or the outcome of an earlier change is not certain \
             yet. Retry the call after retryAfterSeconds.",
        )
        .retry_after(retry_after_s.max(1))
}

pub(super) fn leverage_unknown() -> ApiError {
    ApiError::new(504, "LEVERAGE_UNKNOWN", "The outcome of the change is not known yet")
        .advise("Retry the call; it sets the same values.")
        .retry_after(1)
}
