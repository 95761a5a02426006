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
    /// There are no credentials for the deployment.
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
    /// The export is not allowed.
    #[error("the export is not allowed: {0}")]
    NotAllowed(String),
    /// The halves are for another transport key.
    #[error("the halves are encrypted to another transport key than that of the file")]
    OtherTransport,
    /// The reply belongs to another request.
    #[error("unexpected reply of the stack: is it of the same version?")]
    Reply,
}
