//! `hyperdex audit`: verifies an export, a live table, or the data of a local stack that is not
//! running.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use domain::clock::Clock;
use hyperdex_audit::{AuditError, Pins, Source, read_public_key, verify};
use hyperdex_local::StartError;
use hyperdex_local::data::with_tables;

use crate::terminal::{done, say};

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Verify every chain of the audit log
    ///
    /// Reads the local stack's data directory, unless --export or --endpoint names another source.
    Verify {
        /// Export of the cosigner's table in DynamoDB JSON
        ///
        /// One `{"Item":…}` in each line.
        #[arg(long, conflicts_with = "endpoint")]
        export: Option<PathBuf>,
        /// URL of the DynamoDB that has the table
        ///
        /// For example the DynamoDB of the running local stack.
        #[arg(long)]
        endpoint: Option<String>,
        /// Public key of the seals, in PEM or DER
        ///
        /// With it, the command verifies the seals, and compares the chains with them. The key of
        /// the local stack is audit-public-key.pem in its data directory.
        #[arg(long)]
        public_key: Option<PathBuf>,
        /// Id of the policy chains
        ///
        /// Each record of a policy must have it. `hyperdex policy show` prints it.
        #[arg(long)]
        chain_id: Option<String>,
        /// Public key of the root authority, in hex
        ///
        /// The records may name no other key of the root authority. Repeat the option for each key.
        #[arg(long = "root-key")]
        root_keys: Vec<String>,
        /// Public key of a tenant's first approver, in hex
        ///
        /// The policies may begin with no other key. Repeat the option for each key.
        #[arg(long = "first-key")]
        first_keys: Vec<String>,
        /// The shortest delay of the deployment, in seconds
        #[arg(long = "min-delay-seconds")]
        min_delay_s: Option<u64>,
        /// Name of the cosigner's table
        #[arg(long, default_value = hyperdex_local::COSIGNER_TABLE)]
        table: String,
    },
}

/// The audit log could not be verified.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Data(#[from] StartError),
}

impl AuditCommand {
    /// Runs the command. Without a source, it reads the data directory.
    pub(crate) async fn run(self, data_dir: &Path) -> ExitCode {
        let Self::Verify {
            export,
            endpoint,
            public_key,
            chain_id,
            root_keys,
            first_keys,
            min_delay_s,
            table,
        } = self;
        let pins = Pins { chain_id, root_keys, first_keys, min_delay_s };
        let source = match (export, endpoint) {
            (Some(export), _) => Some(Source::Export(export)),
            (None, Some(endpoint)) => Some(Source::Endpoint(endpoint)),
            (None, None) => None,
        };
        match verified(source, data_dir, &table, public_key.as_deref(), &pins).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => done(Err(error)),
        }
    }
}

/// Verifies the audit log of a source; without one, that of the data directory's tables.
async fn verified(
    source: Option<Source>,
    data_dir: &Path,
    table: &str,
    public_key: Option<&Path>,
    pins: &Pins,
) -> Result<bool, VerifyError> {
    let now_ms = Clock::system().now_ms();
    if let Some(source) = source {
        return Ok(verify(&source, table, public_key, pins, now_ms, say).await?);
    }
    // Report an unreadable key before opening the tables.
    public_key.map(read_public_key).transpose()?;
    let verified = with_tables(data_dir, async |endpoint| {
        let source = Source::Endpoint(endpoint.to_owned());
        verify(&source, table, public_key, pins, now_ms, say).await
    });
    Ok(verified.await??)
}
