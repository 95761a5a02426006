//! `POST /api/wallets`: creates a user's wallet by distributed key generation.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use platform::env::ConfigError;
use shared::api::access::Requires;
use shared::api::body::JsonBody;
use shared::api::error::ApiError;
use shared::api::idempotency::Idempotency;
use shared::api::requests::CreateWallet;
use shared::api::responses::WalletBody;
use shared::caller::{Caller, note_wallet};
use shared::runtime::Runtime;
use shared::tenancy::Scope;
use shared::wallets::{Created, Custody};

/// Returns the endpoint's routes.
pub fn router(custody: Custody) -> Router {
    Router::new()
        .route("/api/wallets", post(create_wallet))
        .with_state(custody.clone())
        .route_layer(Idempotency::new(custody))
        .route_layer(Requires::scope(Scope::Wallets))
}

/// The endpoint's routes, with clients and the quota from the environment.
///
/// # Errors
/// Names the variable that is missing.
pub fn router_from_env(runtime: &Runtime<'_>) -> Result<Router, ConfigError> {
    let custody = Custody::from_env(runtime)?.with_quota_from_env(&runtime.env)?;
    Ok(router(custody.with_recovery_from_env(&runtime.env)?))
}

/// Responds with `201` if this call made the wallet, and `200` if it existed.
async fn create_wallet(
    State(custody): State<Custody>,
    caller: Caller,
    body: JsonBody,
) -> Result<(StatusCode, Json<WalletBody>), ApiError> {
    let CreateWallet { user_id } = CreateWallet::read(&body)?;
    let (status, wallet) = match custody.create(&caller, &user_id).await? {
        Created::New(wallet) => (StatusCode::CREATED, wallet),
        Created::Existing(wallet) => (StatusCode::OK, wallet),
    };
    note_wallet(&wallet);
    Ok((status, Json(WalletBody::from(&wallet))))
}
