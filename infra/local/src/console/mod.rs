//! The console: a web page beside the API, and the few reads that it needs beyond the API.
//!
//! The page uses the API for every operation, with the key that its user has typed in. What the API
//! does not tell (decisions of the cosigner, the exchanges' state, when a job works on what) is read
//! here, by the same key and for its tenant alone. Each answer is a type of this folder that names
//! its fields; none of them is a secret.

mod assets;
mod decisions;
mod exchanges;
mod guard;
pub mod operator;
mod schedule;
mod search;
mod wallets;

use std::sync::Arc;

use axum::extract::{FromRef, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Json, Router};
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::Random;
use serde::Serialize;
use shared::api::error::ApiError;
use shared::api::middleware::refusal;
use shared::store::Store;

use crate::StartError;
use crate::jobs::{REFRESH_EVERY_MS, RENEW_WITHIN_MS};
use crate::keys::{KeyFile, Keyring, Known};
use crate::routes::Endpoints;
use crate::stack::{COSIGNER_TABLE, Options, WALLETS_TABLE};
use decisions::Decisions;
use exchanges::Exchanges;
pub(crate) use exchanges::Simulators;
use guard::Guard;

/// What is read from the tables, here and in the cloud.
#[derive(Clone)]
struct Reads {
    store: Store,
    /// `None` where nobody has said which the cosigner's table is.
    decisions: Option<Arc<Decisions>>,
    clock: Clock,
    renew_within_ms: u64,
    refresh_every_ms: u64,
}

/// What the console's reads need.
#[derive(Clone)]
struct Console {
    reads: Reads,
    keys: Arc<Keyring>,
    exchanges: Arc<Exchanges>,
    return_private_key: bool,
    require_deposit: bool,
    random: Random,
}

impl FromRef<Console> for Reads {
    fn from_ref(console: &Console) -> Self {
        console.reads.clone()
    }
}

/// The API with the console before it, for browsers that are on a page of this stack alone.
///
/// # Errors
/// When a client cannot be made.
pub(crate) fn with_console(
    api: Router,
    options: &Options,
    endpoints: &Endpoints,
    simulators: Simulators,
) -> Result<Router, StartError> {
    let db = options.aws(&endpoints.dynamodb, &endpoints.kms, &endpoints.lambda).dynamodb();
    let store = Store::new(db.clone(), WALLETS_TABLE);
    let console = Console {
        keys: Arc::new(Keyring::new(KeyFile::new(&options.data_dir))),
        exchanges: Arc::new(Exchanges::new(options, endpoints, &store, simulators)?),
        reads: Reads {
            store,
            decisions: Some(Arc::new(Decisions::new(db, COSIGNER_TABLE, options.clock.clone()))),
            clock: options.clock.clone(),
            renew_within_ms: RENEW_WITHIN_MS,
            refresh_every_ms: REFRESH_EVERY_MS,
        },
        return_private_key: options.return_private_key,
        require_deposit: options.require_deposit,
        random: options.random.clone(),
    };
    let data = Router::new()
        .route("/console/data/about", get(about))
        .route("/console/data/wallets", get(wallets::wallets))
        .route("/console/data/search", get(search::search))
        .route("/console/data/agents", get(exchanges::agents))
        .route("/console/data/schedule", get(schedule::schedule))
        .route("/console/data/decisions", get(decisions::decisions))
        .route("/console/data/exchanges", get(exchanges::exchanges))
        .layer(from_fn_with_state(console.clone(), admit))
        .with_state(console);
    let guard = Guard {
        origins: options.allowed_origins.clone(),
        clock: options.clock.clone(),
        random: options.random.clone(),
    };
    let guard = from_fn_with_state(guard, guard::pass);
    let pages = assets::router().merge(data).layer(from_fn(assets::headers));
    Ok(pages.fallback_service(api).layer(guard))
}

/// Lets in who the API lets in, as the same tenant. These reads do not count against its limits.
async fn admit(State(console): State<Console>, mut request: Request, next: Next) -> Response {
    let key = request.headers().get("x-api-key").map(http::HeaderValue::as_bytes);
    let error = match console.keys.who(key) {
        Ok(Known::Tenant(tenant)) => {
            request.extensions_mut().insert::<Tenant>(tenant);
            let mut response = next.run(request).await;
            match response.extensions_mut().remove::<ApiError>() {
                None => return response,
                Some(error) => error,
            }
        }
        Ok(Known::Missing) => ApiError::no_api_key(),
        Ok(Known::Invalid) => ApiError::invalid_api_key(),
        Err(error) => ApiError::internal("Internal error", &error),
    };
    refusal(&error, &console.reads.clock, &console.random)
}

/// What the page says about the stack.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct About {
    /// The stack's time, Unix milliseconds.
    now: u64,
    tenant: Tenant,
    /// Never here: the page has the buttons of all operations.
    read_only: bool,
    /// Whether the API wants a key.
    keys_wanted: bool,
    returns_private_key: bool,
    requires_deposit: bool,
    renew_within_ms: u64,
    refresh_every_ms: u64,
}

async fn about(
    State(console): State<Console>,
    Extension(tenant): Extension<Tenant>,
) -> Result<Json<About>, ApiError> {
    let anyone = console.keys.who(None);
    let anyone = anyone.map_err(|error| ApiError::internal("Internal error", &error))?;
    Ok(Json(About {
        now: console.reads.clock.now_ms(),
        tenant,
        read_only: false,
        keys_wanted: anyone == Known::Missing,
        returns_private_key: console.return_private_key,
        requires_deposit: console.require_deposit,
        renew_within_ms: console.reads.renew_within_ms,
        refresh_every_ms: console.reads.refresh_every_ms,
    }))
}

/// A text of the query: `?name=text`.
fn in_query(uri: &http::Uri, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut found = pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    found.next().filter(|value| !value.is_empty())
}
