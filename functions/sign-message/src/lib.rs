//! `POST /api/wallets/{walletIdOrAddress}/sign`: signs a caller's message as EIP-191
//! `personal_sign`.

use axum::extract::State;
use axum::http::Uri;
use axum::routing::post;
use axum::{Json, Router};
use shared::api::access::Requires;
use shared::api::body::{JsonBody, PathName};
use shared::api::error::ApiError;
use shared::api::idempotency::Idempotency;
use shared::api::requests::SignMessage;
use shared::api::responses::SignedBody;
use shared::caller::{Caller, note_wallet};
use shared::tenancy::Scope;
use shared::wallets::Custody;

/// Returns the endpoint's routes.
pub fn router(custody: Custody) -> Router {
    Router::new()
        .route("/api/wallets/{wallet}/sign", post(sign_message))
        .with_state(custody.clone())
        .route_layer(Idempotency::new(custody))
        .route_layer(Requires::scope(Scope::Sign))
}

async fn sign_message(
    State(custody): State<Custody>,
    caller: Caller,
    PathName(name): PathName,
    uri: Uri,
    body: JsonBody,
) -> Result<Json<SignedBody>, ApiError> {
    let SignMessage { names, message } = SignMessage::read(&name, &uri, &body)?;
    let name = names.wallet(&custody.store, &caller.tenant).await?;
    let (wallet, signature) = custody.sign_message(&caller.tenant, &name, &message).await?;
    note_wallet(&wallet);
    Ok(Json(SignedBody::new(&wallet, message, &signature)))
}
