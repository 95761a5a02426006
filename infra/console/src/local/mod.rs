//! The console next to the API of a local stack.

mod exchanges;
mod traffic;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{FromRef, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Json, Router};
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::intent::HyperliquidChain;
use domain::random::Random;
use hyperdex_listen::Peer;
use platform::aws::Aws;
use serde::Serialize;
use shared::access::{Access, Admitted, Presented, Requirement};
use shared::api::cors::Origins;
use shared::api::error::ApiError;
use shared::api::middleware::refusal;
use shared::exchanges::budget::BudgetConfig;
use shared::store::Store;
use shared::tenancy::Scope;
use url::Url;

use crate::assets;
use crate::defaults::{REFRESH_EVERY_MS, RENEW_WITHIN_MS};
use crate::error::ConsoleError;
use crate::guard::{self, Guard};
use crate::reads::audit::{self, Audit};
use crate::reads::decisions::{self, Decisions};
use crate::reads::payments::{self, Payments};
use crate::reads::{Reads, overview, schedule, search, wallets};
use exchanges::Exchanges;
pub use exchanges::Simulators;
use traffic::Traffic;

/// The tenant keys of the API that the console is next to.
pub trait TenantKeys: Send + Sync {
    /// Returns who sends a request with this key from this address, as the API's gateway knows it.
    ///
    /// # Errors
    /// Returns the API's error for a missing or invalid key.
    fn presented(&self, key: Option<&[u8]>, address: Option<IpAddr>)
    -> Result<Presented, ApiError>;

    /// Returns whether the API requires a key.
    ///
    /// # Errors
    /// Returns an error when the keys cannot be read.
    fn are_required(&self) -> Result<bool, ApiError>;
}

/// An exchange that the stack uses.
#[derive(Clone, Debug)]
pub struct ExchangeSettings {
    /// URL of the exchange.
    pub url: Url,
    /// Network for which requests are signed.
    pub chain: HyperliquidChain,
}

/// Settings of the stack that the console shows.
pub struct ConsoleSettings {
    /// AWS clients of the stack.
    pub aws: Aws,
    /// Wallets' table.
    pub wallets_table: &'static str,
    /// Cosigner's table.
    pub cosigner_table: &'static str,
    /// File with the public key of the audit log's seals.
    pub audit_public_key: PathBuf,
    /// Tenant keys of the API.
    pub keys: Arc<dyn TenantKeys>,
    /// What admits them, as in the API.
    pub access: Access,
    /// Aster.
    pub aster: ExchangeSettings,
    /// Hyperliquid.
    pub hyperliquid: ExchangeSettings,
    /// The stack's simulators.
    pub simulators: Simulators,
    /// Budget of requests to the exchanges.
    pub budget: BudgetConfig,
    /// Browser origins that may call the API.
    pub allowed_origins: Origins,
    /// Whether a registration with Hyperliquid returns the agent's private key.
    pub return_private_key: bool,
    /// Whether the simulators require a deposit before any action.
    pub require_deposit: bool,
    /// The clock.
    pub clock: Clock,
    /// Source of randomness.
    pub random: Random,
}

/// State of the console's reads.
#[derive(Clone)]
struct Console {
    reads: Reads,
    keys: Arc<dyn TenantKeys>,
    access: Access,
    exchanges: Arc<Exchanges>,
    traffic: Traffic,
    return_private_key: bool,
    require_deposit: bool,
    random: Random,
}

impl Console {
    fn presented(&self, request: &Request) -> Result<Presented, ApiError> {
        let key = request.headers().get("x-api-key").map(http::HeaderValue::as_bytes);
        let address = request.extensions().get::<Peer>().map(|peer| peer.0);
        self.keys.presented(key, address)
    }

    async fn admit(&self, presented: Result<Presented, ApiError>) -> Result<Admitted, ApiError> {
        let admitted = self.access.admit(&presented?, READS).await;
        admitted.map_err(|error| ApiError::access(&error))
    }
}

impl FromRef<Console> for Reads {
    fn from_ref(console: &Console) -> Self {
        console.reads.clone()
    }
}

/// Puts the console in front of the API, for browsers that show a page of this stack.
///
/// # Errors
/// Returns an error when a client cannot be created.
pub fn with_console(api: Router, settings: ConsoleSettings) -> Result<Router, ConsoleError> {
    let db = settings.aws.dynamodb();
    let store = Store::new(db.clone(), settings.wallets_table);
    let (clock, random) = (settings.clock.clone(), settings.random.clone());
    let public_key = Some(settings.audit_public_key.clone());
    let audit = Audit::new(db.clone(), settings.cosigner_table, public_key);
    let paid = Payments::new(db.clone(), settings.cosigner_table);
    let log = Decisions::new(db, settings.cosigner_table, clock.clone());
    let traffic = Traffic::new(settings.keys.clone(), settings.access.clone(), clock.clone());
    let console = Console {
        exchanges: Arc::new(Exchanges::new(&settings, &store)?),
        traffic: traffic.clone(),
        keys: settings.keys,
        access: settings.access,
        reads: Reads {
            store,
            decisions: Some(Arc::new(log)),
            audit: Some(Arc::new(audit)),
            payments: Some(Arc::new(paid)),
            counted: Arc::default(),
            clock: clock.clone(),
            renew_within_ms: RENEW_WITHIN_MS,
            refresh_every_ms: REFRESH_EVERY_MS,
        },
        return_private_key: settings.return_private_key,
        require_deposit: settings.require_deposit,
        random: random.clone(),
    };
    let data = Router::new()
        .route("/console/data/about", get(about))
        .route("/console/data/wallets", get(wallets::wallets))
        .route("/console/data/search", get(search::search))
        .route("/console/data/agents", get(exchanges::agents))
        .route("/console/data/schedule", get(schedule::schedule))
        .route("/console/data/decisions", get(decisions::decisions))
        .route("/console/data/exchanges", get(exchanges::exchanges))
        .route("/console/data/overview", get(overview::overview))
        .route("/console/data/metrics", get(traffic::metrics))
        .route("/console/data/audit", get(audit::audit))
        .route("/console/data/payments", get(payments::payments))
        .layer(from_fn_with_state(console.clone(), admit))
        .with_state(console);
    let guard = Guard { origins: settings.allowed_origins, clock, random };
    let guard = from_fn_with_state(guard, guard::pass);
    let pages = assets::router().merge(data).layer(from_fn(assets::headers));
    let api = api.layer(from_fn_with_state(traffic, traffic::record));
    Ok(pages.fallback_service(api).layer(guard))
}

/// What the console's reads require of a key, as the API's reads do.
const READS: Requirement = Requirement { scope: Scope::Read, while_suspended: true };

/// Admits a caller as the API does. These reads do not count against the key's limits.
async fn admit(State(console): State<Console>, mut request: Request, next: Next) -> Response {
    // A request's body cannot be shared between threads, so the request is not held meanwhile.
    let presented = console.presented(&request);
    let error = match console.admit(presented).await {
        Ok(admitted) => {
            request.extensions_mut().insert::<Tenant>(admitted.tenant);
            let mut response = next.run(request).await;
            match response.extensions_mut().remove::<ApiError>() {
                None => return response,
                Some(error) => error,
            }
        }
        Err(error) => error,
    };
    refusal(&error, &console.reads.clock, &console.random)
}

/// Description of the stack for the page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct About {
    /// Time of the stack, Unix milliseconds.
    now: u64,
    tenant: Tenant,
    /// Always false: the page has the buttons of all operations.
    read_only: bool,
    /// Always true: the stack counts requests.
    has_metrics: bool,
    /// Whether the API requires a tenant key.
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
    let keys_wanted = console.keys.are_required()?;
    Ok(Json(About {
        now: console.reads.clock.now_ms(),
        tenant,
        read_only: false,
        has_metrics: true,
        keys_wanted,
        returns_private_key: console.return_private_key,
        requires_deposit: console.require_deposit,
        renew_within_ms: console.reads.renew_within_ms,
        refresh_every_ms: console.reads.refresh_every_ms,
    }))
}
