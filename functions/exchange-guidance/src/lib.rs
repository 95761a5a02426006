//! `POST /api/trading/{exchange}/apikey` for exchanges that wallets are not registered with here:
//! says what to do instead.

use axum::Router;
use axum::extract::Path;
use axum::routing::post;
use shared::api::error::ApiError;
use shared::api::ids::Exchange;
use shared::api::shell::Caller;

const LIGHTER: &str = "Create an account on Lighter, deposit USDC there, generate an API key in its account settings, and keep apiKeyPrivateKey (hex), apiKeyIndex and accountIndex.";

/// The endpoint's routes.
pub fn router() -> Router {
    Router::new().route("/api/trading/{exchange}/apikey", post(guide))
}

async fn guide(_caller: Caller, Path(exchange): Path<String>) -> ApiError {
    if exchange == "lighter" {
        return ApiError::new(
            400,
            "EXCHANGE_NOT_SUPPORTED",
            "Lighter API keys are not registered through HyperDEX",
        )
        .advise(LIGHTER);
    }
    // The name comes from the path: it is shown, but not at any length.
    let shown: String = exchange.chars().filter(|letter| !letter.is_control()).take(64).collect();
    let supported: Vec<&str> = Exchange::ALL.iter().map(|exchange| exchange.as_str()).collect();
    ApiError::new(400, "EXCHANGE_NOT_SUPPORTED", format!("Unsupported exchange: {shown}"))
        .advise(format!("Supported exchanges: {}", supported.join(", ")))
}
