//! Why a command of a recovery failed.

use std::path::PathBuf;

use hyperdex_recovery::error::RecoveryError;

use crate::commands::reach::CommandError;
use crate::error::StartError;
use crate::recoverer::RecovererError;

/// Why a command of a recovery failed.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryCommandError {
    /// A file, key or record cannot be used.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The stack cannot be reached or refused.
    #[error(transparent)]
    Stack(#[from] CommandError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The deployment failed.
    #[error(transparent)]
    Deployment(#[from] RecovererError),
    /// The deployment cannot be reached with these credentials.
    #[error("cannot reach the deployment: {0}")]
    Aws(String),
    /// The passphrase cannot be read.
    #[error("the passphrase file {}: {source}", path.display())]
    Passphrase {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Two passphrases of one command are to come from standard input.
    #[error("{0} cannot both read standard input: name a file for one of them")]
    TwoFromStdin(String),
    /// The program has no terminal to ask for a passphrase.
    #[error("no terminal to ask for the passphrase: name its file with {option}")]
    NoTerminal {
        /// The option that names a file.
        option: &'static str,
    },
    /// The terminal failed.
    #[error("cannot read the passphrase from the terminal: {source}. Name its file with {option}.")]
    Prompt {
        /// The option that names a file.
        option: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The two entries of a new passphrase differ.
    #[error("the two entries of the passphrase differ")]
    DifferentEntries,
    /// The list of wallets is malformed.
    #[error("{}, line {line}: expected an address", path.display())]
    WalletList {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// The stack does not know the transport key.
    #[error("the transport key is not of this stack, or has expired: run `recovery begin` again")]
    UnknownTransport,
    /// The verification is of a time to come. It would silence the alarm until then.
    #[error(
        "the verification is dated {0}, ahead of the stack's clock: correct the clock of the machine \
         that verified, and verify again"
    )]
    ReportAhead(String),
    /// The file has nothing to restore.
    #[error("{} has no halves: run `recovery open` again with the right records", .0.display())]
    NoHalves(PathBuf),
    /// The user ended the prompt for a passphrase.
    #[error("interrupted")]
    Interrupted,
    /// The export is not allowed.
    #[error("the export is not allowed: {0}")]
    NotAllowed(String),
    /// The cosigner's half is given to a run that has no use for it.
    #[error("--released is for --side endpoint only: the cosigner's side makes that file")]
    Released,
    /// The halves are for another transport key.
    #[error("the halves are encrypted to another transport key than that of the file")]
    OtherTransport,
    /// The reply belongs to another request.
    #[error("unexpected reply of the stack: is it of the same version?")]
    Reply,
}
