//! The console for the operator of a deployment: the same page on this machine's loopback, over the
//! deployment's tables and metrics, with the operator's own credentials. It only reads.
//!
//! This server has no route of the API, and no route that writes. The IAM policy in
//! `docs/guides/console.md` allows exactly the calls that are made here; a test compares the two.

mod aws;
mod deployment;
mod metrics;
pub mod session;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{FromRef, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Json, Router};
use clap::Args;
use domain::clock::Clock;
use domain::ids::{Exchange, Tenant};
use domain::random::Random;
use http::Uri;
use hyperdex_listen::{Stop, bind, serve_page, url};
use platform::aws::with_retries;
use serde::Serialize;
use shared::api::cors::Origins;
use shared::api::cursor::page_in_query;
use shared::api::error::ApiError;
use shared::api::middleware::refusal;
use shared::api::responses::WalletsBody;
use shared::exchanges::budget::{Budget, Spender};
use shared::store::Store;
use url::Url;
use zeroize::Zeroizing;

use crate::assets;
use crate::error::ConsoleError;
use crate::guard::{self, Guard};
use crate::reads::audit::{self, Audit};
use crate::reads::decisions::{self, Decisions};
use crate::reads::payments::{self, Payments};
use crate::reads::{Reads, overview, schedule, search, settings, wallets};
use crate::series::Metrics;
use aws::Account;
use deployment::Deployment;
use metrics::{Reader, Source};

/// Command-line arguments of the console over a deployment.
#[derive(Args, Clone, Debug)]
pub struct ConsoleOptions {
    /// Main CloudFormation stack of the deployment
    ///
    /// Its outputs name the tables.
    #[arg(long, required_unless_present = "wallets_table")]
    pub stack: Option<String>,
    /// Tenant: the id of its API key in the usage plan
    #[arg(long)]
    pub tenant: Tenant,
    /// Profile in ~/.aws/config; default: the AWS CLI's default
    #[arg(long)]
    pub profile: Option<String>,
    /// AWS region; default: the profile's region
    #[arg(long)]
    pub region: Option<String>,
    /// Cosigner's stack, if it is in another account
    #[arg(long, requires = "stack")]
    pub cosigner_stack: Option<String>,
    /// Profile of the cosigner's account
    #[arg(long)]
    pub cosigner_profile: Option<String>,
    /// Wallets' table, if you may not read CloudFormation
    #[arg(long)]
    pub wallets_table: Option<String>,
    /// Cosigner's table, if you may not read CloudFormation
    #[arg(long)]
    pub cosigner_table: Option<String>,
    /// Public key of the audit log's seals, in PEM or DER
    ///
    /// With it, "Verify the audit log" also verifies the seals.
    #[arg(long)]
    pub audit_public_key: Option<PathBuf>,
    /// Endpoint of AWS, such as a local stack's DynamoDB
    #[arg(long)]
    pub endpoint_url: Option<Url>,
    /// Port on loopback; 0 picks a free port
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

/// State of the operator's reads.
#[derive(Clone)]
struct Operator {
    reads: Reads,
    tenant: Tenant,
    deployment: Arc<Deployment>,
    region: String,
    metrics: Arc<Reader>,
    budgets: Arc<[(Exchange, Budget)]>,
    token: Arc<Zeroizing<String>>,
    random: Random,
}

impl FromRef<Operator> for Reads {
    fn from_ref(operator: &Operator) -> Self {
        operator.reads.clone()
    }
}

/// A running console.
#[derive(Debug)]
pub struct OperatorConsole {
    /// Address of the page, with the token that opens it.
    pub address: String,
    _stop: tokio::sync::watch::Sender<bool>,
}

impl Operator {
    async fn find(
        options: &ConsoleOptions,
        clock: Clock,
        random: Random,
    ) -> Result<Self, ConsoleError> {
        let failed = |error: &dyn std::error::Error| ConsoleError::Part {
            what: "the console",
            cause: error.to_string(),
        };
        let region = options.region.as_deref();
        let endpoint = options.endpoint_url.as_ref().map(Url::as_str);
        let open = |profile| Account::open(profile, region, endpoint, clock.clone());
        let main = open(options.profile.as_deref()).await.map_err(|error| failed(&error))?;
        let theirs = match options.cosigner_profile.as_deref() {
            Some(profile) => open(Some(profile)).await.map_err(|error| failed(&error))?,
            None => main.clone(),
        };
        let deployment = Deployment::find(options, &main, &theirs).await?;
        let db = aws_sdk_dynamodb::Client::new(&main.config);
        let store = Store::new(db, &deployment.wallets_table);
        let log = deployment.cosigner_table.as_ref().map(|table| {
            let db = aws_sdk_dynamodb::Client::new(&theirs.config);
            Arc::new(Decisions::new(db, table, clock.clone()))
        });
        let audit = deployment.cosigner_table.as_ref().map(|table| {
            let db = aws_sdk_dynamodb::Client::new(&theirs.config);
            Arc::new(Audit::new(db, table, options.audit_public_key.clone()))
        });
        let paid = deployment.cosigner_table.as_ref().map(|table| {
            let db = aws_sdk_dynamodb::Client::new(&theirs.config);
            Arc::new(Payments::new(db, table))
        });
        let budgets = Exchange::TRADED.map(|exchange| {
            let (clock, random) = (clock.clone(), random.clone());
            let config = &deployment.budget;
            (exchange, Budget::new(store.clone(), exchange, config, Spender::Caller, clock, random))
        });
        let token: [u8; 32] = random.bytes().map_err(|error| failed(&error))?;
        Ok(Self {
            reads: Reads {
                store,
                decisions: log,
                audit,
                payments: paid,
                counted: Arc::default(),
                clock: clock.clone(),
                renew_within_ms: deployment.renew_within_ms,
                refresh_every_ms: deployment.refresh_every_ms,
            },
            tenant: options.tenant.clone(),
            region: main.region().to_owned(),
            metrics: Arc::new(Reader::new(sources(options, &deployment, &main, &theirs), clock)),
            deployment: Arc::new(deployment),
            budgets: Arc::new(budgets),
            token: Arc::new(Zeroizing::new(hex::encode(token))),
            random,
        })
    }

    fn router(self) -> Router {
        let (clock, random) = (self.reads.clock.clone(), self.random.clone());
        let guard = Guard { origins: Origins::default(), clock, random };
        let data = Router::new()
            .route("/console/data/about", get(about))
            .route("/console/data/list", get(list))
            .route("/console/data/wallets", get(wallets::wallets))
            .route("/console/data/search", get(search::search))
            .route("/console/data/schedule", get(schedule::schedule))
            .route("/console/data/decisions", get(decisions::decisions))
            .route("/console/data/exchanges", get(exchanges))
            .route("/console/data/metrics", get(metrics))
            .route("/console/data/overview", get(overview::overview))
            .route("/console/data/audit", get(audit::audit))
            .route("/console/data/payments", get(payments::payments))
            .route("/console/data/policy", get(settings::policy))
            .route("/console/data/webhooks", get(settings::webhooks))
            .layer(from_fn_with_state(self.clone(), admit))
            .with_state(self);
        let pages = assets::router().merge(data).layer(from_fn(assets::headers));
        pages.layer(from_fn_with_state(guard, guard::pass))
    }
}

/// Returns the sources of the metrics, each with its account.
fn sources(
    options: &ConsoleOptions,
    deployment: &Deployment,
    main: &Account,
    theirs: &Account,
) -> Vec<Source> {
    let Some(stack) = &options.stack else { return Vec::new() };
    let mut first = Source {
        account: main.clone(),
        alarms: format!("{stack}-"),
        service: deployment.service.clone(),
        cosigner: deployment.cosigner.clone(),
    };
    let Some(other) = &options.cosigner_stack else { return vec![first] };
    let second = Source {
        account: theirs.clone(),
        alarms: format!("{other}-"),
        service: None,
        cosigner: first.cosigner.take(),
    };
    vec![first, second]
}

/// Finds a deployment's wallets' table, and the IAM principal whose credentials reach it.
///
/// # Errors
/// Returns an error when the deployment does not exist or AWS rejects the credentials.
pub async fn wallets_table(
    options: &ConsoleOptions,
    clock: Clock,
) -> Result<(Store, String), ConsoleError> {
    let failed = |error: aws::CallError| ConsoleError::Part {
        what: "the operator's session",
        cause: error.to_string(),
    };
    let (profile, region) = (options.profile.as_deref(), options.region.as_deref());
    let endpoint = options.endpoint_url.as_ref().map(Url::as_str);
    let account = Account::open(profile, region, endpoint, clock).await.map_err(failed)?;
    let deployment = Deployment::find(options, &account, &account).await?;
    let principal = account.principal().await.map_err(failed)?;
    // This client writes, so its retries must handle transaction conflicts.
    let config = with_retries(aws_sdk_dynamodb::config::Builder::from(&account.config));
    let db = aws_sdk_dynamodb::Client::from_conf(config.build());
    Ok((Store::new(db, &deployment.wallets_table), principal))
}

/// Finds the deployment, and serves the page.
///
/// # Errors
/// Returns an error when the deployment does not exist or AWS rejects the credentials.
pub async fn start(
    options: &ConsoleOptions,
    clock: Clock,
    random: Random,
) -> Result<OperatorConsole, ConsoleError> {
    let operator = Operator::find(options, clock, random).await?;
    let token = operator.token.clone();
    let listener = bind("the console", Ipv4Addr::LOCALHOST.into(), options.port).await?;
    let place = url(&listener);
    let (sender, stop) = Stop::new();
    let refusals = (operator.reads.clock.clone(), operator.random.clone());
    serve_page(listener, operator.router(), refusals, stop);
    // A browser does not send the fragment to any server. The page removes it from the address.
    Ok(OperatorConsole { address: format!("{place}/#token={}", token.as_str()), _stop: sender })
}

/// Admits requests that have the token. Other users of this machine can also reach its loopback.
async fn admit(State(operator): State<Operator>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get("x-api-key").map(http::HeaderValue::as_bytes);
    let open = "Open the address that `hyperdex console` printed";
    let error = match given {
        None => ApiError::new(401, "MISSING_TOKEN", "Missing token").advise(open),
        Some(given) => match verify_slices_are_equal(given, operator.token.as_bytes()) {
            Ok(()) => {
                request.extensions_mut().insert::<Tenant>(operator.tenant.clone());
                let mut response = next.run(request).await;
                match response.extensions_mut().remove::<ApiError>() {
                    None => return response,
                    Some(error) => error,
                }
            }
            Err(_) => ApiError::new(403, "INVALID_TOKEN", "Invalid token").advise(open),
        },
    };
    refusal(&error, &operator.reads.clock, &operator.random)
}

/// Description of the deployment for the page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct About {
    /// Time of this machine, Unix milliseconds.
    now: u64,
    tenant: Tenant,
    read_only: bool,
    /// Name of the deployment.
    stack: String,
    region: String,
    api: Option<String>,
    has_metrics: bool,
    renew_within_ms: u64,
    refresh_every_ms: u64,
}

async fn about(State(operator): State<Operator>) -> Json<About> {
    let (reads, deployment) = (&operator.reads, &operator.deployment);
    Json(About {
        now: reads.clock.now_ms(),
        tenant: operator.tenant.clone(),
        read_only: true,
        stack: deployment.name.clone(),
        region: operator.region.clone(),
        api: deployment.api.clone(),
        has_metrics: operator.metrics.has_any(),
        renew_within_ms: reads.renew_within_ms,
        refresh_every_ms: reads.refresh_every_ms,
    })
}

/// Returns a page of the tenant's wallets, as the API lists them.
async fn list(
    State(reads): State<Reads>,
    Extension(tenant): Extension<Tenant>,
    uri: Uri,
) -> Result<Json<WalletsBody>, ApiError> {
    let (from, limit) = page_in_query(&tenant, &uri)?;
    let (wallets, next) = reads.store.list(&tenant, from, limit).await?;
    Ok(Json(WalletsBody::new(&tenant, &wallets, next)))
}

async fn metrics(State(operator): State<Operator>) -> Result<Json<Metrics>, ApiError> {
    operator.metrics.read().await.map(Json)
}

#[derive(Serialize)]
struct States {
    /// Time of this machine, Unix milliseconds.
    now: u64,
    exchanges: Vec<ExchangeState>,
}

/// State of an exchange in the wallets' table. The console does not call the exchange: a call would
/// take from the budget, which is a write.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExchangeState {
    exchange: Exchange,
    weight_used: u64,
    weight_per_minute: u64,
    failures: u32,
    /// End of the pause, Unix milliseconds. A time in the past means that requests are sent.
    paused_until: u64,
    /// True if the exchange has asked for the pause.
    pause_asked_for: bool,
    /// True if the edge in front of the exchange blocks this address.
    pause_blocked: bool,
}

async fn exchanges(State(operator): State<Operator>) -> Result<Json<States>, ApiError> {
    let mut exchanges = Vec::new();
    for (exchange, budget) in operator.budgets.iter() {
        let state = budget.state().await?;
        exchanges.push(ExchangeState {
            exchange: *exchange,
            weight_used: state.used(),
            weight_per_minute: budget.per_minute(),
            failures: state.failures,
            paused_until: state.open_until_ms,
            pause_asked_for: state.limited,
            pause_blocked: state.blocked,
        });
    }
    Ok(Json(States { now: operator.reads.clock.now_ms(), exchanges }))
}
