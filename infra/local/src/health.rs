//! `GET /api/health` on this machine: also whether the data directory can be written and its keys
//! open what they sealed. In the cloud these are KMS's and DynamoDB's, and have alarms.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use shared::api::error::ApiError;
use shared::api::shell::refusal;
use shared::clock::Clock;
use shared::random::Random;
use winterbaume_kms::KmsService;

use crate::data::identity::Identity;
use crate::data::{DATABASE, KMS_KEYS, QUEUE};
use crate::keys::KeyFile;
use crate::kms;
use crate::stack::Options;

/// The file that is written to see whether the disk takes anything.
const PROBE: &str = "health.probe";
/// As much as SQLite writes for a wallet.
const PROBE_BYTES: usize = 64 * 1024;
/// The bytes that must be free on the data directory's disk.
pub const MIN_FREE: u64 = 16 * 1024 * 1024;
/// A result holds for so long, in milliseconds: nobody needs a key to ask.
const FRESH_MS: u64 = 2_000;

/// What was found at a time.
#[derive(Clone)]
struct Looked {
    at_ms: u64,
    trouble: Option<String>,
}

/// What health depends on.
#[derive(Clone)]
pub(crate) struct Health {
    data_dir: PathBuf,
    identity: Identity,
    service: Arc<KmsService>,
    cosigner_down: Arc<AtomicBool>,
    last: Arc<Mutex<Option<Looked>>>,
    clock: Clock,
    random: Random,
}

impl Health {
    pub(crate) fn new(options: &Options, identity: Identity, service: Arc<KmsService>) -> Self {
        Self {
            data_dir: options.data_dir.clone(),
            identity,
            service,
            cosigner_down: Arc::default(),
            last: Arc::default(),
            clock: options.clock.clone(),
            random: options.random.clone(),
        }
    }

    /// Set while the cosigner's process does not run.
    pub(crate) fn cosigner_down(&self) -> Arc<AtomicBool> {
        self.cosigner_down.clone()
    }

    /// The routes, with health answered for this machine.
    pub(crate) fn before(self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(self, pass))
    }

    /// What is wrong, if anything is.
    async fn trouble(&self) -> Option<String> {
        if self.cosigner_down.load(Ordering::SeqCst) {
            return Some("the cosigner's process is not running".to_owned());
        }
        let now_ms = self.clock.now_ms();
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(last) = last.filter(|last| now_ms.abs_diff(last.at_ms) < FRESH_MS) {
            return last.trouble;
        }
        let trouble = self.look().await;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Looked { at_ms: now_ms, trouble: trouble.clone() });
        trouble
    }

    async fn look(&self) -> Option<String> {
        let directory = self.data_dir.clone();
        let disk = tokio::task::spawn_blocking(move || disk_trouble(&directory)).await;
        if let Some(trouble) = disk.unwrap_or_else(|error| Some(error.to_string())) {
            return Some(trouble);
        }
        // As it is in memory, and as the next start will read it.
        let read = kms::open(&self.data_dir.join(KMS_KEYS)).await;
        let Ok(read) = read else { return Some(format!("{KMS_KEYS} cannot be read")) };
        for service in [&self.service, &read] {
            for (alias, canary) in &self.identity.canaries {
                if !kms::opens(service, alias, canary, &self.identity.id).await {
                    return Some(format!("the KMS key {alias} does not open what it sealed"));
                }
            }
        }
        let keys = KeyFile::new(&self.data_dir).list();
        keys.is_err().then(|| "the file of the API keys cannot be read".to_owned())
    }
}

/// Returns what is wrong with the files and the disk of a running stack.
fn disk_trouble(directory: &Path) -> Option<String> {
    let lost = [DATABASE, QUEUE].into_iter().find(|file| !directory.join(file).exists());
    lost.map(|file| format!("{file} is missing")).or_else(|| write_trouble(directory))
}

/// Returns why the disk does not take what the stack writes.
pub(crate) fn write_trouble(directory: &Path) -> Option<String> {
    let probe = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(directory.join(PROBE))?;
        file.write_all(&[0; PROBE_BYTES])?;
        file.sync_all()?;
        std::fs::remove_file(directory.join(PROBE))
    };
    if let Err(error) = probe() {
        return Some(format!("the data directory cannot be written: {error}"));
    }
    let free = rustix::fs::statvfs(directory).ok()?;
    let free = free.f_bavail.saturating_mul(free.f_frsize);
    (free < MIN_FREE).then(|| {
        format!("the disk of the data directory is full: {} MiB are free", free / (1024 * 1024))
    })
}

async fn pass(State(health): State<Health>, request: Request, next: Next) -> Response {
    if request.uri().path() != "/api/health" {
        return next.run(request).await;
    }
    match health.trouble().await {
        None => next.run(request).await,
        Some(trouble) => {
            tracing::error!(%trouble, "unhealthy");
            refusal(&ApiError::unhealthy(trouble), &health.clock, &health.random)
        }
    }
}
