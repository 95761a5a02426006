//! Errors of `hyperdex policy`.

use std::path::PathBuf;

use domain::eth::Address;
use domain::time::rfc3339_seconds;
use shared::mpc::CosignerError;
use uuid::Uuid;

use super::arguments::ChangeError;
use crate::approver::ApproverKeyError;
use crate::commands::reach::CommandError;
use crate::error::StartError;

/// Why a command on a payment policy failed.
#[derive(Debug, thiserror::Error)]
pub enum PolicyCommandError {
    /// The options make no change.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The approver's key cannot be used.
    #[error(transparent)]
    Key(#[from] ApproverKeyError),
    /// The approver's id is not one.
    #[error("invalid approver id: expected 1 to 32 characters of a-z 0-9 -")]
    Id,
    /// The local stack's data cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The local stack refused.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The cosigner refused, or did not respond.
    #[error(transparent)]
    Cosigner(#[from] CosignerError),
    /// AWS refused, or has no credentials.
    #[error("AWS: {0}")]
    Aws(String),
    /// The KMS key is not P-256.
    #[error("{0} is not a KMS key of the spec ECC_NIST_P256 that signs")]
    KmsKey(String),
    /// The tenant key is missing.
    #[error("expected a tenant key in the variable {0} for --api-url")]
    NoApiKey(&'static str),
    /// The API refused, or did not respond (status 0).
    #[error("the API refused: HTTP {status}: {text}")]
    Api {
        /// HTTP status.
        status: u16,
        /// Its text.
        text: String,
    },
    /// The response cannot be read.
    #[error("unexpected response: is the service of the same version?")]
    Response,
    /// The policy has no approvers.
    #[error("the policy has no approvers: the operator sets the first ones")]
    NoAuthority,
    /// The key is not one of the approvers'.
    #[error("your key is not one of the authority's; its public key is {0}")]
    NotAnApprover(String),
    /// The key belongs to another approver.
    #[error("your key is that of the approver {0}: correct --approver")]
    OtherApprover(String),
    /// Nothing signs.
    #[error("expected --key, --kms-key or --signature")]
    NoSigner,
    /// The pasted signature is not DER.
    #[error("invalid --signature: expected DER in hex or base64")]
    Signature,
    /// The chain is another one.
    #[error("the service's policy chain is {0}, not the one of --chain-id: nothing was signed")]
    OtherChain(String),
    /// The end of a permission to export has passed, or is too far away.
    #[error(
        "invalid --until: expected Unix seconds after {from_s} ({from}), when the change takes \
         effect, and at most {last_s} ({last}), 30 days later",
        from = rfc3339_seconds(from_s.saturating_mul(1_000)),
        last = rfc3339_seconds(last_s.saturating_mul(1_000))
    )]
    Until {
        /// The end of the delay, Unix seconds.
        from_s: u64,
        /// The latest end of the permission, Unix seconds.
        last_s: u64,
    },
    /// The tenant has no such wallet.
    #[error("the tenant has no wallet {0}: correct --wallet-id or --tenant; nothing was signed")]
    NoWallet(Uuid),
    /// The wallet has another address.
    #[error("the wallet has the address {0}: correct --address; nothing was signed")]
    OtherAddress(Address),
    /// The wallet's shares have another version.
    #[error(
        "the wallet's shares have the version {0}: correct --share-version; nothing was signed"
    )]
    OtherVersion(u32),
    /// No such pending change.
    #[error("no pending change has the number {0}")]
    NotPending(u64),
    /// The service's change differs from the typed one.
    #[error("change {sequence} is not the one that you describe; it is {change}")]
    OtherChange {
        /// Its number.
        sequence: u64,
        /// The service's change.
        change: String,
    },
    /// The user declined.
    #[error("nothing was signed")]
    Declined,
    /// The file for the text cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    TextFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The payment's file cannot be used.
    #[error("cannot use the payment {}: {cause}", path.display())]
    Payment {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: String,
    },
}
