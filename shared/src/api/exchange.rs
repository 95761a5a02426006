//! The exchange in a path, and the guidance for exchanges without registration.

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

const LIGHTER: &str = "Create an account on Lighter, deposit USDC there, generate an API key in its account settings, and keep apiKeyPrivateKey (hex), apiKeyIndex and accountIndex. Then trade with them: POST /api/trading/lighter/orders, or store them with PUT /api/trading/lighter/credentials.";

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

/// Returns the guidance for an exchange with which this service does not register wallets.
#[must_use]
pub fn not_served(name: &str) -> ApiError {
    let refused = |error: String| ApiError::new(400, "EXCHANGE_NOT_SUPPORTED", error);
    if name == "lighter" {
        return refused("Lighter API keys are not registered through HyperDEX".to_owned())
            .advise(LIGHTER);
    }
    // The name comes from the path, so it is shown with a limited length.
    let shown: String = name.chars().filter(|letter| !letter.is_control()).take(64).collect();
    let supported: Vec<&str> = Exchange::ALL.iter().map(|exchange| exchange.as_str()).collect();
    refused(format!("Unsupported exchange: {shown}"))
        .advise(format!("Supported exchanges: {}", supported.join(", ")))
}

/// Returns the error of a call that Lighter's routes do not have.
#[must_use]
pub fn not_offered_on_lighter() -> ApiError {
    ApiError::new(422, "NOT_OFFERED_BY_EXCHANGE", "Lighter does not have this call here").advise(
        "To close a position, place a reduce-only order with POST /api/trading/lighter/orders. Read \
         fills at Lighter itself.",
    )
}

/// The layer that counts registrations with an exchange in metrics: successes, and failures by
/// error code.
#[derive(Clone, Debug)]
pub struct RegistrationMetrics {
    exchange: Exchange,
    clock: Clock,
}

impl RegistrationMetrics {
    /// Makes the layer for registrations with this exchange.
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

/// Returns the routes for each exchange by name, and for every other name. A literal path takes
/// precedence over one with a parameter.
pub fn routes<S>(rest: &str, handlers: &MethodRouter<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let names = Exchange::ALL.iter().map(|exchange| exchange.as_str());
    names.chain(["{exchange}"]).fold(Router::new(), |router, name| {
        router.route(&format!("/api/trading/{name}/{rest}"), handlers.clone())
    })
}
