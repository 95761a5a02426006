//! The tasks of API Gateway in AWS: authenticates the tenant key, and enforces the key's limits. The
//! function finds the key's record by its id.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::any;
use domain::clock::Clock;
use domain::random::Random;
use http::header::CONNECTION;
use http::{HeaderValue, Method, StatusCode};
use hyperdex_console::TenantKeys;
use hyperdex_listen::{Peer, whole};
use shared::access::Presented;
use shared::api::error::ApiError;
use shared::api::middleware::{OPEN_PATHS, refusal};
use tower::ServiceExt;
use tracing::subscriber::{NoSubscriber, with_default};

use crate::keyring::Keyring;
use crate::keys::KeyFile;
use crate::limits::Limiter;
use crate::options::Options;

#[derive(Clone)]
struct Gateway {
    keys: Arc<Keyring>,
    limiter: Option<Arc<Limiter>>,
    body_time: Duration,
    clock: Clock,
    random: Random,
}

/// Puts the gateway in front of all routes except those without authentication.
pub(crate) fn gateway(routes: Router, options: &Options) -> Router {
    let gateway = Gateway {
        keys: Arc::new(Keyring::new(KeyFile::new(&options.data_dir))),
        limiter: options.limits.map(|limits| Arc::new(Limiter::new(limits))),
        body_time: options.clients.body,
        clock: options.clock.clone(),
        random: options.random.clone(),
    };
    routes.layer(from_fn_with_state(gateway, pass))
}

/// Matches every path of the API.
static KNOWN: LazyLock<Router> = LazyLock::new(|| {
    // The document creates each error for its example, and a logged example would trigger alarms.
    let paths = with_default(NoSubscriber::default(), openapi::paths);
    paths.into_iter().fold(Router::new(), |router, path| {
        router.route(&path, any(|| async { StatusCode::NO_CONTENT }))
    })
});

#[derive(Clone)]
struct Origin {
    clock: Clock,
    random: Random,
}

/// Returns 404 for an unknown path to `HEAD` and `OPTIONS`, which most known paths refuse. API
/// Gateway also checks the path first.
pub(crate) fn known_paths(routes: Router, options: &Options) -> Router {
    let (clock, random) = (options.clock.clone(), options.random.clone());
    routes.layer(from_fn_with_state(Origin { clock, random }, look_up))
}

async fn look_up(State(origin): State<Origin>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::HEAD | Method::OPTIONS) {
        let mut asked = Request::new(Body::empty());
        *asked.uri_mut() = request.uri().clone();
        let matched = KNOWN.clone().oneshot(asked).await;
        if matched.is_ok_and(|matched| matched.status() == StatusCode::NOT_FOUND) {
            return refusal(&ApiError::no_route(), &origin.clock, &origin.random);
        }
    }
    next.run(request).await
}

async fn pass(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    if OPEN_PATHS.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let has_body = !request.body().is_end_stream();
    match gateway.admit(request).await {
        Ok(request) => next.run(request).await,
        Err(error) => {
            let mut response = refusal(&error, &gateway.clock, &gateway.random);
            if has_body {
                // The rest of an unread body must not be parsed as the next request, so close the
                // connection.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    }
}

impl Gateway {
    /// Returns the whole request with its tenant.
    async fn admit(&self, request: Request) -> Result<Request, ApiError> {
        let presented = self.who(&request)?;
        let mut request = whole(request, self.body_time).await?;
        request.extensions_mut().insert::<Presented>(presented);
        Ok(request)
    }

    fn who(&self, request: &Request) -> Result<Presented, ApiError> {
        let key = request.headers().get("x-api-key").map(HeaderValue::as_bytes);
        let address = request.extensions().get::<Peer>().map(|peer| peer.0);
        let presented = self.keys.presented(key, address)?;
        if let Some(limiter) = &self.limiter {
            limiter.take(&presented.key_id(), self.clock.now_us())?;
        }
        Ok(presented)
    }
}
