//! The scheduled job that signs the ends of the audit log's chains, each day, with a KMS key that
//! is good for nothing else. What it has signed cannot be cut off or rewritten unnoticed, by
//! nobody who has not that key: the cosigner itself included.
//!
//! A run signs the heads that have moved since the day before the last run began; they are found in
//! the sparse index `heads`, so a run costs what has moved and not what exists. The heads are
//! signed in pages, the seals. A seal holds the hash of the one before it and where the next one
//! goes on, so a run that died is resumed by the next one, and only one run writes each seal.

mod error;
pub mod seal;
mod store;
pub mod verify;

use std::time::Duration;

use aws_sdk_kms::error::DisplayErrorContext;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use domain::clock::Clock;
use platform::aws::{Aws, Lazy};
use platform::env::{ConfigError, Env};
use platform::metrics::{self, About, Metric};
use serde_json::{Value, json};

pub use error::SealError;
use seal::{Place, Seal, Sealed};
use store::Seals;
pub use store::{INDEX, heads_of};

/// How long a run lasts at most: the function's own time, less one page.
pub const RUN_TIME: Duration = Duration::from_secs(240);

/// The heads of one seal: 400 KB is the most that an item holds, and a head takes up to 250 bytes.
const PAGE: usize = 1_000;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The job.
#[derive(Clone, Debug)]
pub struct SealAudit {
    seals: Seals,
    kms: Lazy<aws_sdk_kms::Client>,
    key_id: String,
    clock: Clock,
    run_time: Duration,
    page: usize,
}

/// What a run has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SealRun {
    /// Seals that it wrote.
    pub seals: u64,
    /// Heads in them.
    pub heads: u64,
    /// There is more to do.
    pub more: bool,
}

/// The job, with clients from the environment: `COSIGNER_TABLE` and `AUDIT_KEY_ID`.
///
/// # Errors
/// Names the variable that is missing.
pub fn job_from_env(env: &Env<'_>, clock: Clock) -> Result<SealAudit, ConfigError> {
    let aws = Aws::from_env(env)?;
    let (table, key) = (env.required("COSIGNER_TABLE")?, env.required("AUDIT_KEY_ID")?);
    Ok(SealAudit::new(&aws, &table, &key, clock))
}

impl SealAudit {
    /// The job over these clients.
    #[must_use]
    pub fn new(aws: &Aws, table: &str, key_id: &str, clock: Clock) -> Self {
        Self {
            seals: Seals::new(aws.dynamodb(), table),
            kms: aws.kms(),
            key_id: key_id.to_owned(),
            clock,
            run_time: RUN_TIME,
            page: PAGE,
        }
    }

    /// The same with other pages and another time for a run.
    #[must_use]
    pub const fn with_limits(mut self, page: usize, run_time: Duration) -> Self {
        (self.page, self.run_time) = (page, run_time);
        self
    }

    /// Seals what has to be sealed today, and what an earlier run has left.
    ///
    /// # Errors
    /// When the table or KMS failed.
    pub async fn seal(&self) -> Result<SealRun, SealError> {
        let started_ms = self.clock.now_ms();
        let run_ms = u64::try_from(self.run_time.as_millis()).unwrap_or(u64::MAX);
        let mut run = SealRun::default();
        let mut last = self.seals.last().await?;
        loop {
            let Some(begun) = next(last.as_ref(), self.clock.now_ms() / DAY_MS) else {
                metrics::emit(&self.clock, About::SERVICE, &[(Metric::AuditSealed, 1)]);
                return Ok(run);
            };
            // At least one: a run that is always late would seal nothing.
            if run.seals > 0 && self.clock.now_ms().saturating_sub(started_ms) > run_ms {
                run.more = true;
                return Ok(run);
            }
            let (heads, next) = self.seals.heads(&begun.place, begun.from_day, self.page).await?;
            let seal = Seal { at_ms: self.clock.now_ms(), heads, next, ..begun.seal };
            let count = seal.heads.len() as u64;
            let sealed = self.sign(&seal).await?;
            // Another run was faster, or our own answer was lost: what is there counts.
            if self.seals.put_new(&sealed).await? {
                (run.seals, run.heads) = (run.seals + 1, run.heads + count);
                last = Some((sealed, seal));
            } else {
                last = self.seals.last().await?;
            }
        }
    }

    /// Runs once, and returns what a run's log line says: `{"seals", "heads", "more"}`.
    ///
    /// # Errors
    /// As [`SealAudit::seal`].
    pub async fn run(&self) -> Result<Value, SealError> {
        let run = self.seal().await?;
        Ok(json!({ "seals": run.seals, "heads": run.heads, "more": run.more }))
    }

    async fn sign(&self, seal: &Seal) -> Result<Sealed, SealError> {
        let mut sealed =
            Sealed::unsigned(seal).map_err(|error| SealError::Damaged(error.to_string()))?;
        let signed = self
            .kms
            .sign()
            .key_id(&self.key_id)
            .message(Blob::new(sealed.statement()))
            .message_type(MessageType::Raw)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await
            .map_err(|error| SealError::Kms(DisplayErrorContext(error).to_string()))?;
        let signature =
            signed.signature.ok_or_else(|| SealError::Kms("it gave no signature".to_owned()))?;
        sealed.signature = hex::encode(signature);
        Ok(sealed)
    }
}

/// A seal that is to be made.
struct Begun {
    seal: Seal,
    place: Place,
    from_day: u64,
}

/// What follows the last seal. `None`: today is sealed.
fn next(last: Option<&(Sealed, Seal)>, today: u64) -> Option<Begun> {
    let (number, prev) =
        last.map_or((1, seal::GENESIS), |(sealed, _)| (sealed.number + 1, sealed.hash.as_str()));
    let (day, from_day, place) = match last.map(|(_, seal)| seal) {
        None => (today, 0, Place::default()),
        // Of that run something is left.
        Some(Seal { day, from_day, next: Some(place), .. }) => (*day, *from_day, place.clone()),
        Some(seal) if seal.day >= today => return None,
        // The index follows the table by a moment, so one day more is looked at.
        Some(seal) => (today, seal.day.saturating_sub(1), Place::default()),
    };
    let prev = prev.to_owned();
    let seal = Seal { number, prev, day, from_day, at_ms: 0, heads: Vec::new(), next: None };
    Some(Begun { seal, place, from_day })
}
