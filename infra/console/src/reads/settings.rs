//! `GET /console/data/policy?wallet=…` and `GET /console/data/webhooks`: what the API returns, for the
//! console over a deployment, which has no API.

use axum::extract::State;
use axum::{Extension, Json};
use domain::ids::{Tenant, WalletRef};
use http::Uri;
use serde::Serialize;
use shared::api::error::ApiError;
use shared::api::trading::PolicyData;
use shared::api::webhooks::WebhooksBody;

use super::{Reads, in_query};

#[derive(Serialize)]
pub(crate) struct Policy {
    /// Time of this machine, Unix milliseconds.
    now: u64,
    data: PolicyData,
}

/// Returns the trading policy of the tenant, or of a wallet.
pub(crate) async fn policy(
    State(reads): State<Reads>,
    Extension(tenant): Extension<Tenant>,
    uri: Uri,
) -> Result<Json<Policy>, ApiError> {
    let wallet = in_query(&uri, "wallet").map(|wallet| wallet.parse::<WalletRef>());
    let wallet = wallet.transpose().map_err(|error| ApiError::bad_request(error.to_string()))?;
    let wallet_id = match wallet {
        Some(name) => {
            let found = reads.store.find(&tenant, &name).await?;
            Some(found.ok_or_else(ApiError::wallet_not_found)?.wallet.wallet_id)
        }
        None => None,
    };
    let policies = reads.store.trading_policies(&tenant, wallet_id, &reads.clock).await?;
    let policies = policies.ok_or_else(ApiError::wallet_not_found)?;
    let now = reads.clock.now_ms();
    Ok(Json(Policy { now, data: PolicyData::new(&policies, wallet_id, now) }))
}

/// Returns the tenant's webhooks, without secrets.
pub(crate) async fn webhooks(
    State(reads): State<Reads>,
    Extension(tenant): Extension<Tenant>,
) -> Result<Json<WebhooksBody>, ApiError> {
    Ok(Json(WebhooksBody::new(&reads.store.webhooks(&tenant).await?)))
}
