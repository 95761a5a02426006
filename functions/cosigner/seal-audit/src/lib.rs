//! The scheduled job that signs the heads of the audit log's chains each day. Its KMS key has no
//! other use. Without that key, nobody can cut off or rewrite sealed records unnoticed, the
//! cosigner included.
//!
//! A run signs the heads that have moved since the day before the last run began. The sparse index
//! `heads` lists them, so the cost of a run depends on changes and not on the table's size. The
//! heads are signed in pages called seals. A seal holds the hash of the seal before it and the
//! place where the next one resumes. A run that died is therefore resumed by the next run, and
//! only one run writes each seal.

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
use platform::recovery::{RecoverySetting, RecoveryTable};
use serde_json::{Value, json};

pub use error::SealError;
use seal::{Place, Seal, Sealed};
use store::Seals;
pub use store::{INDEX, heads_of, seals_in};

/// Maximum duration of a run: the function's timeout less the time for one page.
pub const RUN_TIME: Duration = Duration::from_secs(240);

/// Heads in one seal. DynamoDB limits an item to 400 KB, and a head takes up to 250 bytes.
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
    /// The cosigner's recovery records, if there is a recovery key.
    records: Option<RecoveryTable>,
}

/// Result of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SealRun {
    /// Seals written.
    pub seals: u64,
    /// Heads in those seals.
    pub heads: u64,
    /// Whether heads remain to be sealed.
    pub more: bool,
}

/// Makes the job with clients from the environment: `COSIGNER_TABLE`, `AUDIT_KEY_ID`,
/// `SEALS_TABLE` (optional; see [`SealAudit::with_newest`]), and with a recovery key
/// `RECOVERY_TABLE`, whose last verification the job measures.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn job_from_env(env: &Env<'_>, clock: Clock) -> Result<SealAudit, ConfigError> {
    let aws = Aws::from_env(env)?;
    let (table, key) = (env.required("COSIGNER_TABLE")?, env.required("AUDIT_KEY_ID")?);
    let job = SealAudit::new(&aws, &table, &key, clock).with_newest(env.optional("SEALS_TABLE"));
    let setting = RecoverySetting::from_env(env).filter(|it| !it.public_keys.is_empty());
    let records = setting.map(|it| RecoveryTable::new(aws.dynamodb(), &it.table));
    Ok(SealAudit { records, ..job })
}

impl SealAudit {
    /// Makes the job with these clients.
    #[must_use]
    pub fn new(aws: &Aws, table: &str, key_id: &str, clock: Clock) -> Self {
        Self {
            seals: Seals::new(aws.dynamodb(), table),
            kms: aws.kms(),
            key_id: key_id.to_owned(),
            clock,
            run_time: RUN_TIME,
            page: PAGE,
            records: None,
        }
    }

    /// Sets the table that keeps the newest seal outside the cosigner's table, so that a cosigner's
    /// table that was restored to an older moment is detected.
    #[must_use]
    pub fn with_newest(mut self, table: Option<String>) -> Self {
        self.seals.newest = table;
        self
    }

    /// Sets the heads per seal and the maximum duration of a run.
    #[must_use]
    pub const fn with_limits(mut self, page: usize, run_time: Duration) -> Self {
        (self.page, self.run_time) = (page, run_time);
        self
    }

    /// Seals the heads that are due today, and first those that an unfinished run has left.
    ///
    /// # Errors
    /// Fails when the table or KMS fails.
    pub async fn seal(&self) -> Result<SealRun, SealError> {
        let started_ms = self.clock.now_ms();
        let run_ms = u64::try_from(self.run_time.as_millis()).unwrap_or(u64::MAX);
        let mut run = SealRun::default();
        let mut last = self.seals.last().await?;
        loop {
            let Some(begun) = next(last.as_ref(), self.clock.now_ms() / DAY_MS) else {
                // Also for the seal of a run that died before this write.
                if let Some((sealed, _)) = &last {
                    self.seals.keep_newest(sealed).await?;
                }
                metrics::emit(&self.clock, About::SERVICE, &[(Metric::AuditSealed, 1)]);
                return Ok(run);
            };
            // At least one seal: a run that always starts late would otherwise seal nothing.
            if run.seals > 0 && self.clock.now_ms().saturating_sub(started_ms) > run_ms {
                run.more = true;
                return Ok(run);
            }
            let (heads, next) = self.seals.heads(&begun.place, begun.from_day, self.page).await?;
            let seal = Seal { at_ms: self.clock.now_ms(), heads, next, ..begun.seal };
            let count = seal.heads.len() as u64;
            let sealed = self.sign(&seal).await?;
            // Another run may have written this seal, or the response to this write was lost.
            // Only the stored seal counts.
            if self.seals.put_new(&sealed).await? {
                (run.seals, run.heads) = (run.seals + 1, run.heads + count);
                last = Some((sealed, seal));
            } else {
                last = self.seals.last().await?;
            }
        }
    }

    /// Runs once, and returns the fields of the run's log line: `{"seals", "heads", "more"}`.
    ///
    /// # Errors
    /// As [`SealAudit::seal`].
    pub async fn run(&self) -> Result<Value, SealError> {
        let run = self.seal().await?;
        if let Some(records) = &self.records {
            records.measure_verification(&self.clock).await;
        }
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

/// A seal in preparation.
struct Begun {
    seal: Seal,
    place: Place,
    from_day: u64,
}

/// Returns the seal that follows the last one; `None` when today is already sealed.
fn next(last: Option<&(Sealed, Seal)>, today: u64) -> Option<Begun> {
    let (number, prev) =
        last.map_or((1, seal::GENESIS), |(sealed, _)| (sealed.number + 1, sealed.hash.as_str()));
    let (day, from_day, place) = match last.map(|(_, seal)| seal) {
        None => (today, 0, Place::default()),
        // The last run is unfinished: resume it.
        Some(Seal { day, from_day, next: Some(place), .. }) => (*day, *from_day, place.clone()),
        Some(seal) if seal.day >= today => return None,
        // The index lags behind the table by a moment, so the query starts one day earlier.
        Some(seal) => (today, seal.day.saturating_sub(1), Place::default()),
    };
    let prev = prev.to_owned();
    let seal = Seal { number, prev, day, from_day, at_ms: 0, heads: Vec::new(), next: None };
    Some(Begun { seal, place, from_day })
}
