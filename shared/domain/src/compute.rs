//! Heavy arithmetic, kept from holding up the calls that wait.

use std::sync::LazyLock;

use tokio::sync::Semaphore;

/// The computation was stopped from outside.
#[derive(Debug, thiserror::Error)]
#[error("the computation did not finish")]
pub struct Stopped;

/// As many at once as there are cores: more would only make each of them late. A Lambda instance
/// has one request at a time and never waits here.
static CORES: LazyLock<Semaphore> = LazyLock::new(|| {
    Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
});

/// Runs `work` on a thread of its own, in order of asking.
///
/// # Errors
/// When it panicked, or the program ends.
pub async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Stopped> {
    let _core = CORES.acquire().await.map_err(|_| Stopped)?;
    tokio::task::spawn_blocking(work).await.map_err(|_| Stopped)
}
