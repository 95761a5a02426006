//! `hyperdex audit verify`: verifies the chains of the cosigner's audit log.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::scan::ScanError;
use cosigner::audit::verify::{PolicyOrigin, Verifier, exported as parse};
use domain::policy::Authority;
use platform::aws::Aws;
use platform::items::Item;
use seal_audit::seal::Head;
use seal_audit::verify::{PublicKey, SealFault, SealVerifier};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The log could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file named by the caller cannot be used.
    #[error("cannot use {what} {}: {cause}", path.display())]
    File {
        /// Description of the file, such as "the public key".
        what: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        cause: String,
    },
    /// The table could not be read.
    #[error("cannot read the audit log: {}", chain(.0.as_ref()))]
    Table(#[source] Box<SdkError<ScanError>>),
}

/// Source of the log.
#[derive(Clone, Debug)]
pub enum Source {
    /// Export of the table, one item in each line.
    Export(PathBuf),
    /// URL of a DynamoDB that has the table, such as the running local stack's.
    Endpoint(String),
}

/// What the caller knows about the deployment. The records of policy chains state these, and cannot
/// prove them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pins {
    /// The policy chains' id.
    pub chain_id: Option<String>,
    /// The public keys of the root authority, in hex.
    pub root_keys: Vec<String>,
    /// The public keys that may begin a tenant's policy, in hex.
    pub first_keys: Vec<String>,
    /// The shortest delay, seconds.
    pub min_delay_s: Option<u64>,
}

impl Pins {
    /// Returns what differs from the caller's knowledge.
    fn wrong(&self, origin: &PolicyOrigin) -> Vec<&'static str> {
        let other = |authority: &Option<Authority>, pinned: &[String]| {
            let mut approvers = authority.iter().flat_map(|authority| &authority.approvers);
            !pinned.is_empty() && approvers.any(|it| !pinned.contains(&it.public_key))
        };
        let chain_id = self.chain_id.as_ref().is_some_and(|pinned| *pinned != origin.chain_id);
        let delay = self.min_delay_s.is_some_and(|least| origin.delays_s[1] < least);
        let all = [
            (chain_id, "the policy chain's id is another one"),
            (other(&origin.root, &self.root_keys), "the root authority has another key"),
            (other(&origin.first, &self.first_keys), "the first authority has another key"),
            (delay, "the shortest delay is below the given one"),
        ];
        all.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, text)| text).collect()
    }
}

fn described(origin: &PolicyOrigin) -> String {
    let keys = |authority: &Option<Authority>| {
        authority.as_ref().map_or_else(
            || "none".to_owned(),
            |authority| {
                let approvers = authority.approvers.iter();
                let keys = approvers.map(|it| format!("{} {}", it.id, it.public_key));
                format!("{} of [{}]", authority.threshold, keys.collect::<Vec<_>>().join(", "))
            },
        )
    };
    let [delay, least, root] = origin.delays_s;
    format!(
        "{}: policy chain {} from record {}: first authority {}, root authority {}, delays {delay} s, \
         at least {least} s, root {root} s",
        origin.partition,
        origin.chain_id,
        origin.seq,
        keys(&origin.first),
        keys(&origin.root),
    )
}

/// Verifies every chain and, with a public key, the seals. Prints each fault through `say`, and
/// returns true if there are none.
///
/// # Errors
/// Returns an error when the log cannot be read.
pub async fn verify(
    source: &Source,
    table: &str,
    public_key: Option<&Path>,
    pins: &Pins,
    now_ms: u64,
    say: impl Fn(&str),
) -> Result<bool, AuditError> {
    let public_key = public_key.map(read_public_key).transpose()?;
    let log = match source {
        Source::Export(file) => exported(file)?,
        Source::Endpoint(endpoint) => live(endpoint, table).await?,
    };
    let Log { mut records, seals, first_ms } = log;
    let mut sound = true;
    if let Some(key) = public_key {
        let mut proven = seals.finish(&key);
        let oldest_ms = first_ms.unwrap_or(now_ms);
        if proven.faults == [SealFault::None] && oldest_ms.saturating_add(SEALED_AFTER_MS) > now_ms
        {
            proven.faults.clear();
            say("no seals yet: the first one follows one day after the first record");
        }
        for fault in &proven.faults {
            say(&format!("seals: {fault}"));
        }
        sound = proven.faults.is_empty();
        proven.heads.iter().for_each(|Head(wallet, seq, hash)| records.sealed(wallet, *seq, hash));
        if let Some(time) = proven.covered_ms {
            records.all_sealed(time);
        }
        let last = proven.last_ms.map_or_else(|| "never".to_owned(), date);
        say(&format!(
            "{} seals with {} heads, latest {last}; {} faults",
            proven.seals,
            proven.heads.len(),
            proven.faults.len()
        ));
    } else {
        say("seals not verified: pass --public-key");
    }
    let report = records.finish();
    let mut faults = report.faults.len();
    for origin in &report.origins {
        say(&described(origin));
        for wrong in pins.wrong(origin) {
            faults += 1;
            say(&format!("{}: record {}: {wrong}", origin.partition, origin.seq));
        }
    }
    for payment in &report.payments {
        say(&format!("{}: {payment}", payment.partition));
    }
    for export in &report.exports {
        say(&format!("{}: {export}", export.partition));
    }
    for (partition, seq) in &report.recovered {
        say(&format!("{partition}: record {seq}: share restored from a recovery record"));
    }
    for (partition, fault) in &report.faults {
        say(&format!("{partition}: {fault}"));
    }
    say(&format!("{} records in {} chains, {} faults", report.records, report.chains, faults));
    Ok(sound && faults == 0)
}

/// A log whose oldest record is younger may have no seal: in AWS the job runs once a day.
const SEALED_AFTER_MS: u64 = 25 * 60 * 60 * 1_000;

/// Items of the log, of both kinds.
#[derive(Default)]
struct Log {
    records: Verifier,
    seals: SealVerifier,
    /// Time of the oldest record, Unix milliseconds.
    first_ms: Option<u64>,
}

impl Log {
    fn item(&mut self, item: Item) {
        self.seals.item(&item);
        if let Some(at_ms) = recorded_ms(&item) {
            self.first_ms = Some(self.first_ms.map_or(at_ms, |first| first.min(at_ms)));
        }
        self.records.item(item);
    }

    fn line(&mut self, line: &str) {
        match parse(line) {
            Ok(item) => self.item(item),
            // The record reader reports a malformed line.
            Err(_) => self.records.line(line),
        }
    }
}

/// Returns the time of a record, Unix milliseconds.
fn recorded_ms(item: &Item) -> Option<u64> {
    let body: Value = serde_json::from_str(item.get("body")?.as_s().ok()?).ok()?;
    body["atMs"].as_u64()
}

fn date(ms: u64) -> String {
    let time = i64::try_from(ms / 1_000).ok();
    let time = time.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{ms} ms"))
}

/// Reads the public key of the seals, in PEM or DER.
///
/// # Errors
/// Returns an error when the file cannot be read or is not such a key.
pub fn read_public_key(file: &Path) -> Result<PublicKey, AuditError> {
    let broken = |cause| AuditError::File { what: "the public key", path: file.to_owned(), cause };
    let bytes = std::fs::read(file).map_err(|error| broken(error.to_string()))?;
    PublicKey::parse(&bytes)
        .ok_or_else(|| broken("expected a P-256 public key in PEM or DER".to_owned()))
}

fn exported(file: &Path) -> Result<Log, AuditError> {
    let broken = |error: std::io::Error| AuditError::File {
        what: "the export",
        path: file.to_owned(),
        cause: error.to_string(),
    };
    let mut log = Log::default();
    for line in BufReader::new(std::fs::File::open(file).map_err(broken)?).lines() {
        let line = line.map_err(broken)?;
        if !line.trim().is_empty() {
            log.line(&line);
        }
    }
    Ok(log)
}

async fn live(endpoint: &str, table: &str) -> Result<Log, AuditError> {
    let client = Aws::local(endpoint, endpoint, endpoint).dynamodb();
    let mut log = Log::default();
    let mut from = None;
    loop {
        let page = client
            .scan()
            .table_name(table)
            .consistent_read(true)
            .set_exclusive_start_key(from)
            .send()
            .await
            .map_err(|error| AuditError::Table(Box::new(error)))?;
        for item in page.items.unwrap_or_default() {
            log.item(item);
        }
        match page.last_evaluated_key {
            Some(next) => from = Some(next),
            None => return Ok(log),
        }
    }
}

/// Formats an error with its causes in one line: `what: cause: cause`.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text.replace('\n', " ")
}
