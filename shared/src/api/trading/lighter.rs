//! Requests with the key of a Lighter account: where it is given, the layer that takes it out of the
//! request before a handler runs, and the handlers of stored keys and of public reads.

mod given;
mod handlers;
#[cfg(test)]
mod tests;

pub use given::{StoreLighterKey, two_lighter_keys};
pub use handlers::{
    KeyDeleted, LighterKeyData, delete_lighter_key, get_lighter_key, lighter_account_errors,
    lighter_balances, lighter_key_not_stored, lighter_positions, set_lighter_key,
};

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, WARNING};
use http::{HeaderName, HeaderValue, Uri};
use platform::env::ConfigError;
use tower::Layer;

use self::given::{Given, has_key};
use super::desk::{Desk, failed};
use super::error::{Action, no_credential};
use crate::api::error::ApiError;
use crate::api::layer::{Layered, layered};
use crate::api::wallet_names::HEADER;
use crate::caller::Caller;
use crate::exchanges::LighterConfig;
use crate::exchanges::budget::Spender;
use crate::exchanges::lighter::Credential;
use crate::orders::{CredentialGap, Trader, TraderParts};
use crate::runtime::Runtime;

/// The header that states since when the form with the key in the query is deprecated (RFC 9745).
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");

/// 2026-12-01, the first version with the other forms.
const DEPRECATED_SINCE: HeaderValue = HeaderValue::from_static("@1796083200");

const QUERY_WARNING: HeaderValue = HeaderValue::from_static(
    "299 - \"A key in the query is kept by proxies and logs. Use a header, or store the key.\"",
);

/// The layer that takes the key of a request out of its query, headers and body, and puts the orders
/// with that key in their place. A stored key is named by its account.
#[derive(Clone, Debug)]
pub struct LighterKeys {
    trader: Trader,
    in_query: bool,
}

impl LighterKeys {
    /// Makes the layer. `in_query` states whether the published form with the key in the query is
    /// accepted.
    #[must_use]
    pub const fn new(trader: Trader, in_query: bool) -> Self {
        Self { trader, in_query }
    }

    /// Makes the layer from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        let config = LighterConfig::from_env(&runtime.env)?;
        let parts = TraderParts::from_env(runtime, Spender::Caller)?;
        Ok(Self::new(Trader::lighter(parts, &config), config.keys_in_query))
    }

    /// Returns the orders without a key, as the state of the routes.
    #[must_use]
    pub fn trader(&self) -> Trader {
        self.trader.clone()
    }
}

impl<S> Layer<S> for LighterKeys {
    type Service = Layered<Self, S>;

    fn layer(&self, routes: S) -> Self::Service {
        layered(self, |keys, request, next| Box::pin(run(keys, request, next)), routes)
    }
}

async fn run(State(keys): State<LighterKeys>, request: Request, next: Next) -> Response {
    let (request, has_key_in_query) = match keys.with_key(request).await {
        Ok(ready) => ready,
        Err(error) => return without_store(error.into_response()),
    };
    let response = without_store(next.run(request).await);
    if has_key_in_query { deprecated(response) } else { response }
}

/// Runs a request that needs no key. A key in its query is refused or deprecated, as on the routes that
/// need one.
async fn without_key<T: IntoResponse>(
    trader: &Trader,
    uri: &Uri,
    work: impl Future<Output = Result<T, ApiError>> + Send,
) -> Response {
    if !has_key(uri) {
        return work.await.into_response();
    }
    if !trader.accepts_keys_in_query() {
        return without_store(key_in_query_refused().into_response());
    }
    without_store(deprecated(work.await.into_response()))
}

/// States in a response that the form with the key in the query is deprecated.
fn deprecated(mut response: Response) -> Response {
    response.headers_mut().insert(DEPRECATION, DEPRECATED_SINCE);
    response.headers_mut().insert(WARNING, QUERY_WARNING);
    response
}

/// Returns the error of a key in the query, if the deployment does not accept it.
#[must_use]
pub fn key_in_query_refused() -> ApiError {
    ApiError::bad_request("A key in the query is not accepted").advise(
        "Send X-LIGHTER-API-KEY-PRIVATE-KEY, X-LIGHTER-API-KEY-INDEX and X-LIGHTER-ACCOUNT-INDEX, or \
         store the key with PUT /api/trading/lighter/credentials.",
    )
}

/// Forbids every cache to keep a response.
fn without_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl LighterKeys {
    /// Returns the request without a key, and with the orders that sign with it, and whether a part of
    /// the key was in the query.
    async fn with_key(&self, request: Request) -> Result<(Request, bool), ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, &()).await?;
        let body = axum::body::to_bytes(Body::new(body), usize::MAX).await;
        let body = body.map_err(|_| ApiError::unreadable_body(http::StatusCode::BAD_REQUEST))?;
        let (given, body) = Given::take(&mut parts, &body)?;
        let has_key_in_query = given.has_key_in_query();
        if has_key_in_query && !self.in_query {
            return Err(key_in_query_refused());
        }
        let credential = self.credential(&caller, given).await?;
        let (trader, wallet) = self.trader.with_key(credential).ok_or_else(ApiError::no_route)?;
        let domain::ids::WalletRef::Wallet(account) = wallet else {
            return Err(ApiError::no_route());
        };
        // The handlers name the account as they name a wallet.
        if let Ok(value) = HeaderValue::try_from(account.to_string()) {
            parts.headers.insert(HEADER, value);
        }
        if parts.headers.contains_key(CONTENT_LENGTH) {
            parts.headers.insert(CONTENT_LENGTH, body.len().into());
        }
        parts.extensions.insert(Desk(trader));
        Ok((Request::from_parts(parts, Body::from(body)), has_key_in_query))
    }

    async fn credential(&self, caller: &Caller, given: Given) -> Result<Arc<Credential>, ApiError> {
        let exchange = self.trader.exchange();
        if let Some((key, account)) = given.without_slot()? {
            let found = self.trader.lighter_key_in_slot(&caller.tenant, key, account).await;
            return found.map_err(|error| failed(&self.trader, Action::Credentials, error));
        }
        if let Some(credential) = given.credential()? {
            return Ok(Arc::new(credential));
        }
        let missing = || no_credential(exchange, CredentialGap::Missing);
        let account = given.account()?.ok_or_else(missing)?;
        let stored = self.trader.open_lighter_key(&caller.tenant, account).await;
        stored
            .map_err(|error| failed(&self.trader, Action::Credentials, error))?
            .ok_or_else(missing)
    }
}
