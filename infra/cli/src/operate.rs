//! Commands of an operator on a data directory and on the stack that uses it.

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
    /// Verify the data directory as a start does
    Doctor,
    /// Back up the data directory, also while the stack runs
    Backup {
        /// A file that does not exist yet: a tar archive. It holds the KMS keys.
        file: PathBuf,
    },
    /// Restore a backup into an empty data directory
    Restore {
        /// A file that `backup` has written.
        file: PathBuf,
        /// Move the data that is there aside first.
        #[arg(long)]
        overwrite: bool,
    },
    /// Run scheduled jobs of the running stack
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
        #[arg(value_enum)]
        job: JobName,
    },
}

#[derive(Subcommand)]
pub(crate) enum SimCommand {
    /// Credit a wallet's account, for --require-deposit
    Deposit {
        /// A userId, a walletId or an address.
        wallet: String,
        /// The tenant of the wallet.
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
    say(&format!("Backup of {} in {}, {bytes} bytes.", data_dir.display(), file.display()));
    say("It holds the KMS keys: keep it as secret as the data directory.");
    Ok(())
}

fn restore(data_dir: &Path, file: &Path, overwrite: bool) -> Result<(), BackupError> {
    let aside = backup::restore(data_dir, file, overwrite, &Clock::system())?;
    say(&format!("Restored {} from {}.", data_dir.display(), file.display()));
    if let Some(aside) = aside {
        say(&format!("The data that was there is in {}.", aside.display()));
    }
    Ok(())
}
