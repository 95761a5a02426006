//! What every function's `main` does: logs, clients once, then its router behind the Lambda
//! runtime, with the tenant and the request's id taken from API Gateway's event; or its job.

use std::pin::Pin;

use axum::Router;
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use lambda_runtime::LambdaEvent;
use serde_json::Value;

/// Why a function stops.
pub use lambda_http::Error;
use shared::api::ids::Tenant;
use shared::api::shell::{RequestId, shell};
use shared::clock::Clock;
use shared::config::{ConfigError, Env};
use shared::random::Random;
use shared::telemetry;
use tower::{ServiceBuilder, ServiceExt};

/// Serves one endpoint function: `routes` makes its router from the environment, once.
///
/// # Errors
/// When the environment lacks a setting, by name, or the runtime ends.
pub async fn run<E>(
    routes: impl FnOnce(&Env<'_>, Clock, Random) -> Result<Router, E>,
) -> Result<(), Error>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let env = |name: &str| std::env::var(name).ok();
    let env = Env(&env);
    telemetry::init_lambda(&env);
    shared::process::no_core_dumps();
    let fallback = fallback_tenant(&env)?;
    let (clock, random) = (Clock::system(), Random::system());
    let routes = routes(&env, clock.clone(), random.clone())?;
    let service = ServiceBuilder::new()
        .map_request(move |request: lambda_http::Request| identify(request, fallback.clone()))
        .service(shell(routes, clock, random).into_service::<lambda_http::Body>());
    lambda_http::run(service.map_response(|response: axum::response::Response| response)).await
}

/// What a schedule runs.
pub trait Job {
    /// Why a run failed as a whole.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Runs it once, and says what it did.
    fn run(&self) -> impl Future<Output = Result<Value, Self::Error>> + Send;

    /// Runs it once for this event. A job that looks at none does what is due, whatever it holds.
    fn run_for(&self, _event: &Value) -> impl Future<Output = Result<Value, Self::Error>> + Send {
        self.run()
    }
}

/// Serves one scheduled function: `job` makes it from the environment, once.
///
/// # Errors
/// When the environment lacks a setting, by name, or the runtime ends.
pub async fn run_job<J, E>(
    job: impl FnOnce(&Env<'_>, Clock, Random) -> Result<J, E>,
) -> Result<(), Error>
where
    J: Job + Sync,
    E: std::error::Error + Send + Sync + 'static,
{
    let env = |name: &str| std::env::var(name).ok();
    let env = Env(&env);
    telemetry::init_lambda(&env);
    shared::process::no_core_dumps();
    let job = &job(&env, Clock::system(), Random::system())?;
    let serve = move |event: LambdaEvent<Value>| async move {
        // Boxed, so that the type of what awaits this does not grow with what is in here.
        let run: Pin<Box<dyn Future<Output = Result<Value, J::Error>> + Send + '_>> =
            Box::pin(job.run_for(&event.payload));
        let (done, calls) = telemetry::in_scope(event.context.request_id, run).await;
        match done {
            Ok(summary) => {
                tracing::info!(%summary, remoteCalls = calls.total(), %calls, "run");
                Ok(summary)
            }
            // The invocation fails, so that it is repeated, and then left in the dead-letter queue.
            Err(error) => {
                tracing::error!(%error, "run failed");
                Err(Error::from("the run failed"))
            }
        }
    };
    lambda_runtime::run(lambda_runtime::service_fn(serve)).await
}

/// What a stream or a queue invokes.
pub trait Consumer {
    /// Takes a batch, and names what of it is to come again: `batchItemFailures`.
    fn consume(&self, event: &Value) -> impl Future<Output = Value> + Send;
}

/// Serves one function that a stream or a queue invokes: `consumer` makes it from the environment,
/// once.
///
/// # Errors
/// When the environment lacks a setting, by name, or the runtime ends.
pub async fn run_consumer<C, E>(
    consumer: impl FnOnce(&Env<'_>, Clock, Random) -> Result<C, E>,
) -> Result<(), Error>
where
    C: Consumer + Sync,
    E: std::error::Error + Send + Sync + 'static,
{
    let env = |name: &str| std::env::var(name).ok();
    let env = Env(&env);
    telemetry::init_lambda(&env);
    shared::process::no_core_dumps();
    let consumer = &consumer(&env, Clock::system(), Random::system())?;
    let serve = move |event: LambdaEvent<Value>| async move {
        if !event.payload["Records"].is_array() {
            // No batch: whoever sent it is told, and nothing is taken for done.
            return Err(Error::from("the event has no Records"));
        }
        // Boxed, so that the type of what awaits this does not grow with what is in here.
        let run: Pin<Box<dyn Future<Output = Value> + Send + '_>> =
            Box::pin(consumer.consume(&event.payload));
        let (done, calls) = telemetry::in_scope(event.context.request_id, run).await;
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        tracing::info!(
            records = count(&event.payload["Records"]),
            failed = count(&done["batchItemFailures"]),
            remoteCalls = calls.total(),
            %calls,
            "batch"
        );
        Ok(done)
    };
    lambda_runtime::run(lambda_runtime::service_fn(serve)).await
}

/// `TENANT_WITHOUT_KEY`: the tenant of calls that carry no API key, for an emulator of API Gateway
/// that has no keys. Not set in the cloud.
fn fallback_tenant(env: &Env<'_>) -> Result<Option<Tenant>, ConfigError> {
    let parse = |text: String| {
        text.parse().map_err(|_| ConfigError::Invalid {
            name: "TENANT_WITHOUT_KEY",
            want: "1 to 64 characters of A-Z a-z 0-9 _ -",
        })
    };
    env.optional("TENANT_WITHOUT_KEY").map(parse).transpose()
}

/// Puts the tenant and the request's id where the shell finds them. API Gateway has checked the
/// key; its id is the tenant.
fn identify(mut request: lambda_http::Request, fallback: Option<Tenant>) -> lambda_http::Request {
    let mut tenant = None;
    if let Some(RequestContext::ApiGatewayV1(context)) = request.request_context_ref() {
        tenant = context.identity.api_key_id.as_deref().and_then(|id| id.parse().ok());
        if let Some(id) = context.request_id.clone() {
            request.extensions_mut().insert(RequestId(id));
        }
    }
    if let Some(tenant) = tenant.or(fallback) {
        request.extensions_mut().insert::<Tenant>(tenant);
    }
    request
}
