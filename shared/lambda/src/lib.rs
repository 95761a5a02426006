//! The entry point of every function: it starts the log, makes the clients once, and runs the
//! router or the job on the Lambda runtime. The tenant key and the request's id come from API
//! Gateway's event.

use std::pin::Pin;

use axum::http::HeaderValue;
use axum::{Extension, Router};
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::Random;
/// Why a function stopped.
pub use lambda_http::Error;
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Adapter, RequestExt};
use lambda_runtime::LambdaEvent;
use platform::env::{ConfigError, Env};
use platform::telemetry;
use serde_json::Value;
use shared::access::{Access, Presented, PresentedKey};
use shared::api::cors::{Cors, Origins};
use shared::api::middleware::{RequestId, with_middleware};
use shared::runtime::Runtime;
use tower::ServiceBuilder;

/// Serves one endpoint function. `routes` makes its router from the runtime, once. The records in
/// `WALLETS_TABLE` admit the tenant keys.
///
/// # Errors
/// Fails when a setting is missing from the environment, with its name, or when the runtime ends.
pub async fn run<E>(routes: impl FnOnce(&Runtime<'_>) -> Result<Router, E>) -> Result<(), Error>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let runtime = start();
    let routes = routes(&runtime)?.layer(Extension(Access::from_env(&runtime)?));
    serve(routes, runtime).await
}

/// Serves one endpoint function whose routes require no tenant key. `routes` makes its router from the
/// runtime, once.
///
/// # Errors
/// When the environment lacks a setting, by name, or the runtime ends.
pub async fn run_open(routes: impl FnOnce(&Runtime<'_>) -> Router) -> Result<(), Error> {
    let runtime = start();
    serve(routes(&runtime), runtime).await
}

async fn serve(routes: Router, runtime: Runtime<'_>) -> Result<(), Error> {
    let fallback = fallback_tenant(&runtime.env)?;
    let origins = allowed_origins(&runtime.env)?;
    let Runtime { clock, random, .. } = runtime;
    let routes = with_middleware(routes, clock.clone(), random.clone())
        .layer(Cors::new(origins, clock, random));
    let service = ServiceBuilder::new()
        .map_request(move |request: lambda_http::Request| identify(request, fallback.clone()))
        .map_response(|response: axum::response::Response| response)
        .service(routes.into_service::<lambda_http::Body>());
    let adapter = Adapter::from(service);
    lambda_runtime::run(ServiceBuilder::new().map_request(every_header).service(adapter)).await
}

/// Starts the log, and makes the runtime from the process's environment.
fn start() -> Runtime<'static> {
    let env = Env(&variable);
    telemetry::init_lambda(&env);
    platform::process::no_core_dumps();
    Runtime { env, clock: Clock::system(), random: Random::system() }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Removes single-value headers. API Gateway sends each header twice, with its last value and with
/// all values. The first would replace the second and hide a repeated header.
fn every_header(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV1(request) = &mut event.payload
        && !request.multi_value_headers.is_empty()
    {
        request.headers.clear();
    }
    event
}

/// A function that a schedule invokes.
pub trait Job {
    /// Why a run failed as a whole.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Runs once, and returns the result for the log.
    fn run(&self) -> impl Future<Output = Result<Value, Self::Error>> + Send;

    /// Runs once for this event. By default it ignores the event.
    fn run_for(&self, _event: &Value) -> impl Future<Output = Result<Value, Self::Error>> + Send {
        self.run()
    }
}

/// Serves one scheduled function. `job` makes it from the runtime, once.
///
/// # Errors
/// Fails when a setting is missing from the environment, with its name, or when the runtime ends.
pub async fn run_job<J, E>(job: impl FnOnce(&Runtime<'_>) -> Result<J, E>) -> Result<(), Error>
where
    J: Job + Sync,
    E: std::error::Error + Send + Sync + 'static,
{
    let job = &job(&start())?;
    let serve = move |event: LambdaEvent<Value>| async move {
        // Boxed, so that the caller's future does not grow with this one.
        let run: Pin<Box<dyn Future<Output = Result<Value, J::Error>> + Send + '_>> =
            Box::pin(job.run_for(&event.payload));
        let (done, calls) = telemetry::in_scope(event.context.request_id, run).await;
        match done {
            Ok(summary) => {
                tracing::info!(%summary, remoteCalls = calls.total(), %calls, "run");
                Ok(summary)
            }
            // A failed invocation is retried by Lambda, and then moved to the dead-letter queue.
            Err(error) => {
                tracing::error!(%error, "run failed");
                Err(Error::from("the run failed"))
            }
        }
    };
    lambda_runtime::run(lambda_runtime::service_fn(serve)).await
}

/// A function that a stream or a queue invokes.
pub trait Consumer {
    /// Processes a batch, and names its items to retry: `batchItemFailures`.
    fn consume(&self, event: &Value) -> impl Future<Output = Value> + Send;
}

/// Serves one function that a stream or a queue invokes. `consumer` makes it from the runtime,
/// once.
///
/// # Errors
/// Fails when a setting is missing from the environment, with its name, or when the runtime ends.
pub async fn run_consumer<C, E>(
    consumer: impl FnOnce(&Runtime<'_>) -> Result<C, E>,
) -> Result<(), Error>
where
    C: Consumer + Sync,
    E: std::error::Error + Send + Sync + 'static,
{
    let consumer = &consumer(&start())?;
    let serve = move |event: LambdaEvent<Value>| async move {
        if !event.payload["Records"].is_array() {
            // Not a batch: the sender receives an error, and nothing counts as processed.
            return Err(Error::from("the event has no Records"));
        }
        // Boxed, so that the caller's future does not grow with this one.
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

/// Reads `TENANT_WITHOUT_KEY`: the tenant of calls without a tenant key, for an emulator of API
/// Gateway that has no keys. Not set in the cloud.
fn fallback_tenant(env: &Env<'_>) -> Result<Option<Tenant>, ConfigError> {
    let parse = |text: String| {
        text.parse().map_err(|_| ConfigError::Invalid {
            name: "TENANT_WITHOUT_KEY",
            want: "1 to 64 characters of A-Z a-z 0-9 _ -",
        })
    };
    env.optional("TENANT_WITHOUT_KEY").map(parse).transpose()
}

/// Reads `ALLOWED_ORIGINS`: the origins that may call the API from a browser. Default: none.
fn allowed_origins(env: &Env<'_>) -> Result<Origins, ConfigError> {
    let text = env.optional("ALLOWED_ORIGINS").unwrap_or_default();
    Origins::parse(&text).ok_or(ConfigError::Invalid {
        name: "ALLOWED_ORIGINS",
        want: "origins with commas between them, such as https://tool.example.com",
    })
}

/// Adds the tenant key and the request's id for the middleware, and restores the path that the
/// routers expect. API Gateway has authenticated the key.
fn identify(mut request: lambda_http::Request, fallback: Option<Tenant>) -> lambda_http::Request {
    let mut presented = None;
    if let Some(RequestContext::ApiGatewayV1(context)) = request.request_context_ref() {
        let identity = &context.identity;
        let id = identity.api_key_id.as_deref().and_then(|id| id.parse().ok());
        let header = request.headers().get("x-api-key").map(HeaderValue::as_bytes);
        // API Gateway states the value that it has authenticated; an emulator may not.
        let value = identity.api_key.as_deref().map(str::as_bytes).or(header);
        let address = identity.source_ip.as_deref().and_then(|address| address.parse().ok());
        presented = id.map(|id| Presented::Key(PresentedKey::new(id, value, address)));
        let path = context.resource_path.as_deref().and_then(|resource| {
            let path = without_base_path(request.uri().path(), resource)?;
            let query = request.uri().query().map(|query| format!("?{query}"));
            format!("{path}{}", query.unwrap_or_default()).parse().ok()
        });
        if let Some(id) = context.request_id.clone() {
            request.extensions_mut().insert(RequestId(id));
        }
        if let Some(path) = path {
            *request.uri_mut() = path;
        }
    }
    if let Some(presented) = presented.or(fallback.map(Presented::Open)) {
        request.extensions_mut().insert::<Presented>(presented);
    }
    request
}

/// Removes the base path of a custom domain. The last segments of the path match the API's
/// resource, such as `/api/wallets/{wallet}`.
fn without_base_path<'a>(path: &'a str, resource: &str) -> Option<&'a str> {
    let named: Vec<&str> = resource.split('/').skip(1).collect();
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    let from = *slashes.get(slashes.len().checked_sub(named.len()).filter(|from| *from > 0)?)?;
    let fits = |(named, given): (&&str, &str)| named.starts_with('{') || *named == given;
    named.iter().zip(path[from + 1..].split('/')).all(fits).then_some(&path[from..])
}

#[cfg(test)]
mod tests {
    use super::without_base_path;

    #[test]
    fn base_path_of_custom_domain_is_removed() {
        let sign = "/api/wallets/{wallet}/sign";
        for (path, resource, rest) in [
            ("/keys/api/wallets", "/api/wallets", Some("/api/wallets")),
            ("/v1/keys/api/wallets", "/api/wallets", Some("/api/wallets")),
            ("/api/api/wallets/api/sign", sign, Some("/api/wallets/api/sign")),
            ("/keys/api/wallets/a%2Fb/sign", sign, Some("/api/wallets/a%2Fb/sign")),
            ("/api/wallets/a/sign", sign, None),
            ("/api/wallets/", "/api/wallets", None),
            ("/keys/api/other", "/api/wallets", None),
            ("/", "/api/wallets", None),
            ("", "/", None),
        ] {
            assert_eq!(without_base_path(path, resource), rest, "{path}");
        }
    }
}
