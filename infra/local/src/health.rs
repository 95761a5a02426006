//! `GET /api/health` on this machine. It also checks that the data directory can be written and
//! that the KMS keys decrypt what they sealed. In AWS, KMS and DynamoDB have alarms for these
//! faults.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use domain::clock::Clock;
use domain::random::Random;
use hyperdex_cloud::engines::Engines;
use hyperdex_cloud::kms::{self, Kms};
use platform::aws::Aws;
use shared::api::error::ApiError;
use shared::api::middleware::refusal;

use crate::data::{KMS_KEYS, sqlite_files, write_trouble};
use crate::identity::Identity;
use crate::keys::KeyFile;
use crate::options::Options;

/// How long a result is cached, in milliseconds, because anyone can call this endpoint.
const FRESH_MS: u64 = 2_000;

/// A result with its time.
#[derive(Clone)]
struct Looked {
    at_ms: u64,
    trouble: Option<String>,
}

/// The KMS keys that seal data.
#[derive(Clone)]
pub(crate) enum SealingKeys {
    /// The embedded KMS.
    Own(Arc<Kms>),
    /// An external KMS.
    External(Engines, Box<Aws>),
}

/// State of the health check.
#[derive(Clone)]
pub(crate) struct Health {
    data_dir: PathBuf,
    identity: Identity,
    keys: SealingKeys,
    cosigner_down: Arc<AtomicBool>,
    last: Arc<Mutex<Option<Looked>>>,
    clock: Clock,
    random: Random,
}

impl Health {
    pub(crate) fn new(options: &Options, identity: Identity, keys: SealingKeys) -> Self {
        Self {
            data_dir: options.data_dir.clone(),
            identity,
            keys,
            cosigner_down: Arc::default(),
            last: Arc::default(),
            clock: options.clock.clone(),
            random: options.random.clone(),
        }
    }

    /// Returns the flag that is set while the cosigner's process is not running.
    pub(crate) fn cosigner_down(&self) -> Arc<AtomicBool> {
        self.cosigner_down.clone()
    }

    /// Puts this machine's health check in front of the routes.
    pub(crate) fn before(self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(self, pass))
    }

    /// Returns the fault, if there is one.
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
        let external = matches!(self.keys, SealingKeys::External(..));
        let disk = tokio::task::spawn_blocking(move || disk_trouble(&directory, external)).await;
        if let Some(trouble) = disk.unwrap_or_else(|error| Some(error.to_string())) {
            return Some(trouble);
        }
        let trouble = match &self.keys {
            SealingKeys::Own(service) => self.own_keys_trouble(service),
            SealingKeys::External(engines, aws) => self.engine_trouble(engines, aws).await,
        };
        if trouble.is_some() {
            return trouble;
        }
        let keys = KeyFile::new(&self.data_dir).list();
        keys.is_err().then(|| "the file of tenant keys cannot be read".to_owned())
    }

    async fn engine_trouble(&self, engines: &Engines, aws: &Aws) -> Option<String> {
        for (key, canary) in &self.identity.canaries {
            match engines.opens(aws, key, canary, &self.identity.id).await {
                Ok(true) => {}
                Ok(false) => {
                    return Some(format!("the KMS key {key} does not open what it sealed"));
                }
                Err(error) => return Some(error.to_string()),
            }
        }
        None
    }

    fn own_keys_trouble(&self, service: &Kms) -> Option<String> {
        // Checks the keys in memory, and those that the next start will read.
        let read = Kms::open(self.data_dir.join(KMS_KEYS), &self.clock, &self.random);
        let Ok((read, _)) = read else { return Some(format!("{KMS_KEYS} cannot be read")) };
        for service in [service, &read] {
            for (alias, canary) in &self.identity.canaries {
                if !kms::opens(service, alias, canary, &self.identity.id) {
                    return Some(format!("the KMS key {alias} does not open what it sealed"));
                }
            }
        }
        None
    }
}

/// Returns the fault of a running stack's files or disk.
fn disk_trouble(directory: &Path, external: bool) -> Option<String> {
    let lost = sqlite_files(external).iter().find(|file| !directory.join(file).exists());
    lost.map(|file| format!("{file} is missing")).or_else(|| write_trouble(directory))
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
