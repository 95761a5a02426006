//! Operator's commands on a data directory and on the stack that uses it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use domain::clock::Clock;
use domain::ids::Tenant;
use hyperdex_local::control::{self, Deposit};
use hyperdex_local::data::backup::{self, BackupError};
use hyperdex_local::data::doctor;
use hyperdex_local::jobs::JobName;

use crate::terminal::{done, say};

#[derive(Subcommand)]
pub(crate) enum OperateCommand {
    /// Verify the data directory without starting the stack
    Doctor,
    /// Back up the data directory, even while the stack runs
    Backup {
        /// New file for the tar archive, which contains the KMS keys
        file: PathBuf,
    },
    /// Restore a backup into an empty data directory
    Restore {
        /// Backup file
        file: PathBuf,
        /// Move existing data aside first
        #[arg(long)]
        overwrite: bool,
    },
    /// Run a scheduled job of the running stack
    Jobs {
        #[command(subcommand)]
        command: JobsCommand,
    },
    /// Act on the running stack's simulated exchanges
    Sim {
        #[command(subcommand)]
        command: SimCommand,
    },
}

#[derive(Subcommand)]
pub(crate) enum JobsCommand {
    /// Run a job now and print its summary
    Run {
        /// Job to run
        #[arg(value_enum)]
        job: JobName,
    },
}

#[derive(Subcommand)]
pub(crate) enum SimCommand {
    /// Credit a wallet's account, for use with --require-deposit
    Deposit {
        /// A userId, a walletId or an address
        wallet: String,
        /// Tenant of the wallet
        #[arg(long, default_value = "local")]
        tenant: Tenant,
    },
}

impl OperateCommand {
    /// Runs the command on a data directory.
    pub(crate) async fn run(self, data_dir: &Path) -> ExitCode {
        match self {
            Self::Doctor => match doctor::run(data_dir, &Clock::system(), say) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => done(Err(error)),
            },
            Self::Backup { file } => done(back_up(data_dir, &file)),
            Self::Restore { file, overwrite } => done(restore(data_dir, &file, overwrite)),
            Self::Jobs { command: JobsCommand::Run { job } } => {
                let ran = control::run_job_now(data_dir, job).await;
                done(ran.map(|summary| say(&summary.to_string())))
            }
            Self::Sim { command: SimCommand::Deposit { wallet, tenant } } => {
                let credited = control::deposit_now(data_dir, &Deposit { tenant, wallet }).await;
                done(credited.map(|credited| say(&credited.to_string())))
            }
        }
    }
}

fn back_up(data_dir: &Path, file: &Path) -> Result<(), BackupError> {
    let bytes = backup::backup(data_dir, file, &Clock::system())?;
    say(&format!(
        "Wrote a backup of {} to {} ({bytes} bytes).",
        data_dir.display(),
        file.display()
    ));
    say("It contains the KMS keys: protect it like the data directory.");
    Ok(())
}

fn restore(data_dir: &Path, file: &Path, overwrite: bool) -> Result<(), BackupError> {
    let aside = backup::restore(data_dir, file, overwrite, &Clock::system())?;
    say(&format!("Restored {} from {}.", data_dir.display(), file.display()));
    if let Some(aside) = aside {
        say(&format!("The previous data is in {}.", aside.display()));
    }
    Ok(())
}
