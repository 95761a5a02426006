//! What API Gateway does in the cloud before a function is called: it knows a tenant by its key,
//! and keeps it to its limits.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use shared::api::error::ApiError;
use shared::api::ids::Tenant;
use shared::api::shell::refusal;
use shared::clock::Clock;
use shared::random::Random;

use crate::keys::{KeyFile, Keyring, Known};
use crate::limits::Limiter;
use crate::stack::Options;

#[derive(Clone)]
struct Gateway {
    keys: Arc<Keyring>,
    limiter: Option<Arc<Limiter>>,
    clock: Clock,
    random: Random,
}

/// Puts the gateway before all routes. Health alone is open.
pub(crate) fn gateway(routes: Router, options: &Options) -> Router {
    let gateway = Gateway {
        keys: Arc::new(Keyring::new(KeyFile::new(&options.data_dir))),
        limiter: options.limits.map(|limits| Arc::new(Limiter::new(limits))),
        clock: options.clock.clone(),
        random: options.random.clone(),
    };
    routes.layer(from_fn_with_state(gateway, pass))
}

async fn pass(State(gateway): State<Gateway>, mut request: Request, next: Next) -> Response {
    if request.uri().path() == "/api/health" {
        return next.run(request).await;
    }
    match gateway.admit(&request) {
        Ok(tenant) => {
            request.extensions_mut().insert::<Tenant>(tenant);
            next.run(request).await
        }
        Err(error) => refusal(&error, &gateway.clock, &gateway.random),
    }
}

impl Gateway {
    fn admit(&self, request: &Request) -> Result<Tenant, ApiError> {
        let key = request.headers().get("x-api-key").map(http::HeaderValue::as_bytes);
        let known = self.keys.who(key);
        let tenant = match known.map_err(|error| ApiError::internal("Internal error", &error))? {
            Known::Tenant(tenant) => tenant,
            Known::Missing => return Err(ApiError::no_api_key()),
            Known::Invalid => return Err(ApiError::invalid_api_key()),
        };
        if let Some(limiter) = &self.limiter {
            limiter.take(&tenant, self.clock.now_us())?;
        }
        Ok(tenant)
    }
}
