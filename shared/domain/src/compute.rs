//! Runs heavy computations without blocking waiting calls.

use std::sync::LazyLock;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;

/// The computation was stopped from outside.
#[derive(Debug, thiserror::Error)]
#[error("the computation did not finish")]
pub struct Stopped;

/// One computation per core, because more would only delay each other. A Lambda instance handles
/// one request at a time and never waits here.
static CORES: LazyLock<Semaphore> = LazyLock::new(one_per_core);

/// The same for computations of milliseconds, which do not wait for those of hundreds.
static CORES_FOR_SHORT: LazyLock<Semaphore> = LazyLock::new(one_per_core);

fn one_per_core() -> Semaphore {
    Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

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

/// Runs `work` that takes some milliseconds, in the order of requests. In a process that handles many
/// requests, other tasks continue meanwhile. In a Lambda instance it is a plain call.
pub async fn compute_briefly<T>(work: impl FnOnce() -> T) -> T {
    // Nothing closes the semaphore.
    let _core = CORES_FOR_SHORT.acquire().await;
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    async fn most_at_once() -> usize {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let work = || {
            let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
            MOST.fetch_max(running, Ordering::SeqCst);
            std::thread::yield_now();
            RUNNING.fetch_sub(1, Ordering::SeqCst);
        };
        let tasks: Vec<_> = (0..64).map(|_| tokio::spawn(compute_briefly(work))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        MOST.load(Ordering::SeqCst)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
    async fn at_most_one_short_computation_runs_on_each_core() {
        let cores = std::thread::available_parallelism().unwrap().get();
        assert!((1..=cores).contains(&most_at_once().await));
    }

    #[tokio::test]
    async fn short_computation_runs_on_a_single_thread() {
        let borrowed = vec![1, 2, 3];
        assert_eq!(compute_briefly(|| borrowed.iter().sum::<i32>()).await, 6);
    }
}
