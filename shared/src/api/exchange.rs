//! The exchange that a path names, and what is said about those that are not served here.

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::MethodRouter;
use domain::clock::Clock;
use domain::ids::Exchange;
use http::request::Parts;
use platform::metrics::{self, About, Metric};
use tower::Layer;

use super::error::ApiError;
use super::layer::{Layered, layered};

const LIGHTER: &str = "Create an account on Lighter, deposit USDC there, generate an API key in its account settings, and keep apiKeyPrivateKey (hex), apiKeyIndex and accountIndex.";

/// The exchange in `/api/trading/{exchange}/apikey`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InPath(pub Exchange);

impl<S: Send + Sync> FromRequestParts<S> for InPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let name = parts.uri.path().split('/').nth(3).unwrap_or_default();
        let known = Exchange::ALL.into_iter().find(|exchange| exchange.as_str() == name);
        known.map(Self).ok_or_else(|| not_served(name))
    }
}

/// What to do about an exchange that wallets are not registered with here.
#[must_use]
pub fn not_served(name: &str) -> ApiError {
    let refused = |error: String| ApiError::new(400, "EXCHANGE_NOT_SUPPORTED", error);
    if name == "lighter" {
        return refused("Lighter API keys are not registered through HyperDEX".to_owned())
            .advise(LIGHTER);
    }
    // The name comes from the path: it is shown, but not at any length.
    let shown: String = name.chars().filter(|letter| !letter.is_control()).take(64).collect();
    let supported: Vec<&str> = Exchange::ALL.iter().map(|exchange| exchange.as_str()).collect();
    refused(format!("Unsupported exchange: {shown}"))
        .advise(format!("Supported exchanges: {}", supported.join(", ")))
}

/// The layer that counts registrations with an exchange in a metric: successes, and failures by the
/// error's code.
#[derive(Clone, Debug)]
pub struct RegistrationMetrics {
    exchange: Exchange,
    clock: Clock,
}

impl RegistrationMetrics {
    /// The layer for registrations with this exchange.
    #[must_use]
    pub const fn new(exchange: Exchange, clock: Clock) -> Self {
        Self { exchange, clock }
    }
}

impl<S> Layer<S> for RegistrationMetrics {
    type Service = Layered<Self, S>;

    fn layer(&self, routes: S) -> Self::Service {
        layered(self, |metrics, request, next| Box::pin(count(metrics, request, next)), routes)
    }
}

async fn count(
    State(RegistrationMetrics { exchange, clock }): State<RegistrationMetrics>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let about = About::exchange(exchange);
    match response.extensions().get::<ApiError>() {
        Some(error) => {
            let about = about.because(error.code);
            metrics::emit(&clock, about, &[(Metric::RegistrationFailures, 1)]);
        }
        None if response.status().is_success() => {
            metrics::emit(&clock, about, &[(Metric::Registrations, 1)]);
        }
        None => {}
    }
    response
}

/// The same routes for each exchange by name, because a path that is written out goes before one
/// with a parameter, and for every other name.
pub fn routes<S>(rest: &str, handlers: &MethodRouter<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let names = Exchange::ALL.iter().map(|exchange| exchange.as_str());
    names.chain(["{exchange}"]).fold(Router::new(), |router, name| {
        router.route(&format!("/api/trading/{name}/{rest}"), handlers.clone())
    })
}
