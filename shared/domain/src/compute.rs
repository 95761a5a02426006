//! Runs heavy computations without blocking waiting calls.

use std::sync::LazyLock;

use tokio::sync::Semaphore;

/// The computation was stopped from outside.
#[derive(Debug, thiserror::Error)]
#[error("the computation did not finish")]
pub struct Stopped;

/// One computation per core, because more would only delay each other. A Lambda instance handles
/// one request at a time and never waits here.
static CORES: LazyLock<Semaphore> = LazyLock::new(|| {
    Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
});

/// Runs `work` on its own thread, in the order of requests.
///
/// # Errors
/// Fails when `work` panicked or the program ends.
pub async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Stopped> {
    let _core = CORES.acquire().await.map_err(|_| Stopped)?;
    tokio::task::spawn_blocking(work).await.map_err(|_| Stopped)
}
