//! Starts the functions in this process from an environment, as their `main` does.

use axum::{Extension, Router};
use cosigner::Cosigner;
use deliver_webhook::DeliverWebhook;
use domain::clock::Clock;
use domain::random::Random;
use http_body_util::BodyExt;
use platform::env::Env;
use publish_events::PublishEvents;
use reconcile_apikeys::ReconcileApiKeys;
use refresh_shares::RefreshShares;
use renew_apikeys::RenewApiKeys;
use seal_audit::SealAudit;
use serde_json::Value;
use shared::access::Access;
use shared::runtime::Runtime;
use shared::store::Store;
use shared::wallets::Custody;
use tower::ServiceExt;

/// A running function.
pub(crate) enum Started {
    /// The routes of an endpoint.
    Endpoint(Router),
    /// A function that a schedule invokes.
    Job(Box<Job>),
    /// The function that the table's stream invokes.
    Publisher(Box<PublishEvents>),
    /// The function that the queue invokes.
    Deliverer(Box<DeliverWebhook>),
    /// The cosigner.
    Cosigner(Box<Cosigner>),
}

/// A function that a schedule invokes.
#[expect(clippy::large_enum_variant, reason = "made once for each function")]
pub(crate) enum Job {
    /// The renewal job.
    Renew(RenewApiKeys),
    /// The reconciliation job.
    Reconcile(ReconcileApiKeys),
    /// The refresh job.
    Refresh(RefreshShares),
    /// The job that seals the audit log.
    Seal(SealAudit),
    /// The job that resolves orders on Aster.
    ResolveAster(resolve_orders_aster::ResolveOrders),
    /// The job that resolves orders on Hyperliquid.
    ResolveHyperliquid(resolve_orders_hyperliquid::ResolveOrders),
    /// The job that resolves orders on Lighter.
    ResolveLighter(resolve_orders_lighter::ResolveOrders),
}

impl Job {
    /// Runs the job once.
    pub(crate) async fn run(&self) -> Result<Value, Box<dyn std::error::Error>> {
        Ok(match self {
            Self::Renew(job) => lambda_entry::Job::run(job).await?,
            Self::Reconcile(job) => lambda_entry::Job::run(job).await?,
            Self::Refresh(job) => lambda_entry::Job::run(job).await?,
            Self::Seal(job) => job.run().await?,
            Self::ResolveAster(job) => lambda_entry::Job::run(job).await?,
            Self::ResolveHyperliquid(job) => lambda_entry::Job::run(job).await?,
            Self::ResolveLighter(job) => lambda_entry::Job::run(job).await?,
        })
    }
}

impl Job {
    /// Runs it once for an event.
    pub(crate) async fn run_for(&self, event: &Value) -> Result<Value, Box<dyn std::error::Error>> {
        Ok(match self {
            Self::Renew(job) => lambda_entry::Job::run_for(job, event).await?,
            Self::Refresh(job) => lambda_entry::Job::run_for(job, event).await?,
            Self::Reconcile(_)
            | Self::Seal(_)
            | Self::ResolveAster(_)
            | Self::ResolveHyperliquid(_)
            | Self::ResolveLighter(_) => self.run().await?,
        })
    }
}

/// The routes of an endpoint with what `lambda_entry::run` adds.
fn keyed<E: ToString>(router: Result<Router, E>, runtime: &Runtime<'_>) -> Result<Started, String> {
    let router = router.map_err(|error| error.to_string())?;
    let access = Access::from_env(runtime).map_err(|error| error.to_string())?;
    Ok(Started::Endpoint(router.layer(Extension(access))))
}

/// Starts the function of a package.
pub(crate) fn start(package: &str, env: &Env<'_>, clock: Clock) -> Result<Started, String> {
    let runtime = &Runtime { env: *env, clock, random: Random::system() };
    match package {
        "cosigner" => {
            let Runtime { clock, random, .. } = runtime.clone();
            let cosigner = Cosigner::from_env(env, clock, random);
            cosigner.map(|it| Started::Cosigner(Box::new(it))).map_err(|error| error.to_string())
        }
        "create-wallet" => keyed(create_wallet::router_from_env(runtime), runtime),
        "sign-message" => keyed(Custody::from_env(runtime).map(sign_message::router), runtime),
        "get-wallet" => keyed(Store::from_env(env).map(get_wallet::router), runtime),
        "list-wallets" => keyed(Store::from_env(env).map(list_wallets::router), runtime),
        "health" => Ok(Started::Endpoint(health::router_from_env(runtime))),
        "exchange-guidance" => keyed(exchange_guidance::router_from_env(runtime), runtime),
        "register-aster" => keyed(register_aster::router_from_env(runtime), runtime),
        "register-hyperliquid" => keyed(register_hyperliquid::router_from_env(runtime), runtime),
        "get-apikey" => keyed(get_apikey::router_from_env(runtime), runtime),
        "delete-apikey" => keyed(delete_apikey::router_from_env(runtime), runtime),
        "list-agents" => keyed(list_agents::router_from_env(runtime), runtime),
        "delete-agent" => keyed(delete_agent::router_from_env(runtime), runtime),
        "rotate-apikey" => keyed(rotate_apikey::router_from_env(runtime), runtime),
        "create-webhook" => keyed(create_webhook::router_from_env(runtime), runtime),
        "list-webhooks" => keyed(Store::from_env(env).map(list_webhooks::router), runtime),
        "list-deliveries" => keyed(list_deliveries::router_from_env(runtime), runtime),
        "update-webhook" => keyed(update_webhook::router_from_env(runtime), runtime),
        "test-webhook" => keyed(test_webhook::router_from_env(runtime), runtime),
        "delete-webhook" => keyed(delete_webhook::router_from_env(runtime), runtime),
        "replay-webhook" => keyed(replay_webhook::router_from_env(runtime), runtime),
        "list-tenant-keys" => keyed(list_tenant_keys::router_from_env(runtime), runtime),
        "create-tenant-key" => keyed(create_tenant_key::router_from_env(runtime), runtime),
        "rotate-tenant-key" => keyed(rotate_tenant_key::router_from_env(runtime), runtime),
        "revoke-tenant-key" => keyed(revoke_tenant_key::router_from_env(runtime), runtime),
        "place-order-aster" => keyed(place_order_aster::router_from_env(runtime), runtime),
        "place-order-hyperliquid" => {
            keyed(place_order_hyperliquid::router_from_env(runtime), runtime)
        }
        "modify-order-aster" => keyed(modify_order_aster::router_from_env(runtime), runtime),
        "modify-order-hyperliquid" => {
            keyed(modify_order_hyperliquid::router_from_env(runtime), runtime)
        }
        "cancel-orders-aster" => keyed(cancel_orders_aster::router_from_env(runtime), runtime),
        "cancel-orders-hyperliquid" => {
            keyed(cancel_orders_hyperliquid::router_from_env(runtime), runtime)
        }
        "get-orders-aster" => keyed(get_orders_aster::router_from_env(runtime), runtime),
        "get-orders-hyperliquid" => {
            keyed(get_orders_hyperliquid::router_from_env(runtime), runtime)
        }
        "close-position-aster" => keyed(close_position_aster::router_from_env(runtime), runtime),
        "close-position-hyperliquid" => {
            keyed(close_position_hyperliquid::router_from_env(runtime), runtime)
        }
        "get-balances-aster" => keyed(get_balances_aster::router_from_env(runtime), runtime),
        "get-balances-hyperliquid" => {
            keyed(get_balances_hyperliquid::router_from_env(runtime), runtime)
        }
        "get-fills-aster" => keyed(get_fills_aster::router_from_env(runtime), runtime),
        "get-fills-hyperliquid" => keyed(get_fills_hyperliquid::router_from_env(runtime), runtime),
        "get-positions-aster" => keyed(get_positions_aster::router_from_env(runtime), runtime),
        "get-positions-hyperliquid" => {
            keyed(get_positions_hyperliquid::router_from_env(runtime), runtime)
        }
        "set-leverage-aster" => keyed(set_leverage_aster::router_from_env(runtime), runtime),
        "set-leverage-hyperliquid" => {
            keyed(set_leverage_hyperliquid::router_from_env(runtime), runtime)
        }
        "place-order-lighter" => keyed(place_order_lighter::router_from_env(runtime), runtime),
        "modify-order-lighter" => keyed(modify_order_lighter::router_from_env(runtime), runtime),
        "cancel-orders-lighter" => keyed(cancel_orders_lighter::router_from_env(runtime), runtime),
        "get-orders-lighter" => keyed(get_orders_lighter::router_from_env(runtime), runtime),
        "get-positions-lighter" => keyed(get_positions_lighter::router_from_env(runtime), runtime),
        "get-balances-lighter" => keyed(get_balances_lighter::router_from_env(runtime), runtime),
        "set-leverage-lighter" => keyed(set_leverage_lighter::router_from_env(runtime), runtime),
        "set-credentials-lighter" => {
            keyed(set_credentials_lighter::router_from_env(runtime), runtime)
        }
        "get-credentials-lighter" => {
            keyed(get_credentials_lighter::router_from_env(runtime), runtime)
        }
        "delete-credentials-lighter" => {
            keyed(delete_credentials_lighter::router_from_env(runtime), runtime)
        }
        "get-positions-all" => keyed(get_positions_all::router_from_env(runtime), runtime),
        "get-trading-policy" => keyed(get_trading_policy::router_from_env(runtime), runtime),
        "withdraw-aster" => keyed(withdraw_aster::router_from_env(runtime), runtime),
        "withdraw-hyperliquid" => keyed(withdraw_hyperliquid::router_from_env(runtime), runtime),
        "transfer-hyperliquid" => keyed(transfer_hyperliquid::router_from_env(runtime), runtime),
        "send-tokens" => keyed(send_tokens::router_from_env(runtime), runtime),
        "get-transfer-aster" => keyed(get_transfer_aster::router_from_env(runtime), runtime),
        "get-transfer-hyperliquid" => {
            keyed(get_transfer_hyperliquid::router_from_env(runtime), runtime)
        }
        "get-token-transfer" => keyed(get_token_transfer::router_from_env(runtime), runtime),
        "set-trading-policy" => keyed(set_trading_policy::router_from_env(runtime), runtime),
        "get-policy" => keyed(get_policy::router_from_env(runtime), runtime),
        "propose-policy-change" => keyed(propose_policy_change::router_from_env(runtime), runtime),
        "approve-policy-change" => keyed(approve_policy_change::router_from_env(runtime), runtime),
        "cancel-policy-change" => keyed(cancel_policy_change::router_from_env(runtime), runtime),
        "publish-events" => {
            let started = publish_events::consumer_from_env(runtime);
            let started = started.map(|it| Started::Publisher(Box::new(it)));
            started.map_err(|error| error.to_string())
        }
        "deliver-webhook" => {
            let started = deliver_webhook::consumer_from_env(runtime);
            let started = started.map(|it| Started::Deliverer(Box::new(it)));
            started.map_err(|error| error.to_string())
        }
        "renew-apikeys" => {
            let job = renew_apikeys::job_from_env(runtime).map(Job::Renew);
            job.map(|job| Started::Job(Box::new(job))).map_err(|error| error.to_string())
        }
        "reconcile-apikeys" => {
            let job = reconcile_apikeys::job_from_env(runtime).map(Job::Reconcile);
            job.map(|job| Started::Job(Box::new(job))).map_err(|error| error.to_string())
        }
        "refresh-shares" => {
            let job = refresh_shares::job_from_env(runtime).map(Job::Refresh);
            job.map(|job| Started::Job(Box::new(job))).map_err(|error| error.to_string())
        }
        "resolve-orders-aster" => {
            let job = resolve_orders_aster::job_from_env(runtime).map(Job::ResolveAster);
            job.map(|job| Started::Job(Box::new(job))).map_err(|error| error.to_string())
        }
        "resolve-orders-hyperliquid" => {
            let job =
                resolve_orders_hyperliquid::job_from_env(runtime).map(Job::ResolveHyperliquid);
            job.map(|job| Started::Job(Box::new(job))).map_err(|error| error.to_string())
        }
        "resolve-orders-lighter" => {
            let job = resolve_orders_lighter::job_from_env(runtime).map(Job::ResolveLighter);
            job.map(|job| Started::Job(Box::new(job))).map_err(|error| error.to_string())
        }
        "seal-audit" => {
            let job = seal_audit::job_from_env(env, runtime.clock.clone()).map(Job::Seal);
            job.map(|job| Started::Job(Box::new(job))).map_err(|error| error.to_string())
        }
        other => panic!("add the start of functions/{other} to this file"),
    }
}

/// Returns an endpoint's routes, from the environment of Lambda and of the template.
pub(crate) fn endpoint(package: &str, env: &Env<'_>, clock: Clock) -> Router {
    match start(package, env, clock) {
        Ok(Started::Endpoint(router)) => router,
        Ok(_) => panic!("{package} is not an endpoint"),
        Err(error) => panic!("{package}: {error}"),
    }
}

/// Returns the variables that Lambda itself sets. `who` replaces the role's access key, so the
/// signature of a call identifies its function.
pub(crate) fn set_by_lambda<'a>(name: &str, who: &'a str) -> Option<&'a str> {
    match name {
        "AWS_ACCESS_KEY_ID" => Some(who),
        "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN" => Some("test"),
        "AWS_REGION" => Some(template::cloudformation::REGION),
        _ => None,
    }
}

#[tokio::test]
async fn health_with_one_key_for_both_sides_shows_false() {
    for (cosigner, shown) in
        [("cosigner:04bb", true), ("cosigner:04aa", false), ("external", true), ("", false)]
    {
        let read = |name: &str| match name {
            "RECOVERY_PUBLIC_KEY" => Some("endpoint:04AA".to_owned()),
            "COSIGNER_RECOVERY_PUBLIC_KEY" => Some(cosigner.to_owned()),
            _ => None,
        };
        let Ok(Started::Endpoint(router)) = start("health", &Env(&read), Clock::system()) else {
            panic!("health did not start");
        };
        let request = http::Request::get("/api/health").body(axum::body::Body::empty());
        let response = router.oneshot(request.unwrap()).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["recoveryKey"], shown, "{cosigner}");
    }
}
