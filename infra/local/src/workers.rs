//! Threads for the functions that compute signatures and keys.
//!
//! In AWS each call has an instance with a processor of its own, so a lookup never waits for a
//! signature. On one machine, all functions share its processors. The functions that compute therefore
//! run on threads of their own with a lower priority than the rest of the stack.

use std::num::NonZero;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use platform::telemetry;
use shared::api::error::ApiError;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;
use tracing::Instrument;

/// What the threads add to their nice value, 0 to 19.
const NICE: i32 = 10;

/// The stack of a thread that handles requests. In a development build, the futures of a request need
/// more than the 2 MB that a thread has by default. No part of the heap has this size, so a search of
/// the memory can tell the stacks.
pub const STACK_BYTES: usize = 17 << 20;

/// Makes the threads, which end with the returned runtime.
///
/// # Errors
/// Fails when the operating system permits no more threads.
pub fn workers(threads: NonZero<usize>) -> std::io::Result<Runtime> {
    let mut workers = Builder::new_multi_thread();
    workers.worker_threads(threads.get()).thread_name("signers").on_thread_start(yield_to_others);
    workers.thread_stack_size(STACK_BYTES).enable_all().build()
}

/// Lowers the priority of this thread, and of the threads that it starts.
pub fn yield_to_others() {
    // On other systems the value is that of the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::warn!(%error, "the priority of a thread could not be lowered");
    }
}

/// Runs the requests of these routes on the threads, if there are any.
pub(crate) fn on(workers: Option<&Handle>, routes: Router) -> Router {
    match workers {
        Some(workers) => routes.layer(from_fn_with_state(workers.clone(), run)),
        None => routes,
    }
}

async fn run(State(workers): State<Handle>, request: Request, next: Next) -> Response {
    // A request whose client has gone ends, as on the caller's own thread.
    let mut work = JoinSet::new();
    work.spawn_on(telemetry::carried(next.run(request)).in_current_span(), &workers);
    match work.join_next().await {
        Some(Ok(response)) => response,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        _ => ApiError::internal("Internal error", &"the stack is stopping").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;

    async fn respond(workers: &Handle, routes: Router) -> Response {
        let request = Request::get("/").body(Body::empty()).unwrap();
        on(Some(workers), routes).oneshot(request).await.unwrap()
    }

    /// A runtime cannot end inside another one.
    fn with_workers<T>(work: impl AsyncFnOnce(Handle) -> T) -> T {
        let workers = workers(NonZero::<usize>::MIN).unwrap();
        let here = Builder::new_current_thread().build().unwrap();
        here.block_on(work(workers.handle().clone()))
    }

    #[test]
    fn request_runs_on_another_thread_in_the_scope_of_its_caller() {
        let here = std::thread::current().id();
        let handler = get(move || async move {
            telemetry::count_call("KMS", "Decrypt");
            assert_ne!(std::thread::current().id(), here);
            telemetry::request_id()
        });
        with_workers(async |workers| {
            let work = respond(&workers, Router::new().route("/", handler));
            let (response, calls) = telemetry::in_scope("id-1".to_owned(), work).await;
            let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
            assert_eq!(&body[..], b"id-1");
            assert_eq!(calls.to_string(), "KMS.Decrypt:1");
        });
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn priority_of_the_threads_is_lower() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let handler = get(move || async move { priority().to_string() });
        let own = priority();
        with_workers(async |workers| {
            let response = respond(&workers, Router::new().route("/", handler)).await;
            let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
            let theirs: i32 = std::str::from_utf8(&body).unwrap().parse().unwrap();
            assert_eq!(theirs, (own + NICE).min(19));
        });
        assert_eq!(priority(), own);
    }

    #[test]
    fn panic_reaches_the_middleware() {
        async fn fails() -> StatusCode {
            panic!("a handler's fault")
        }
        with_workers(async |workers| {
            let routes = Router::new().route("/", get(fails));
            let ended = tokio::spawn(async move { respond(&workers, routes).await }).await;
            assert!(ended.unwrap_err().is_panic());
        });
    }
}
