//! Arguments that several commands of a recovery share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use domain::ids::Tenant;
use hyperdex_recovery::key::{self, PrivateKey};
use protocol::recovery::{SealingKey, Side};
use url::Url;
use uuid::Uuid;

use super::RecoveryCommandError;
use super::passphrase::Passphrase;

/// A side, as an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum SideArg {
    /// Party 1: the endpoint functions
    Endpoint,
    /// Party 2: the cosigner
    Cosigner,
}

impl From<SideArg> for Side {
    fn from(side: SideArg) -> Self {
        match side {
            SideArg::Endpoint => Self::Endpoint,
            SideArg::Cosigner => Self::Cosigner,
        }
    }
}

/// A private recovery key.
#[derive(Args, Clone, Debug)]
pub struct KeyArgs {
    /// Side of the key
    #[arg(long, value_enum)]
    pub side: SideArg,
    /// Key file of `recovery keygen`
    #[arg(long)]
    pub key: PathBuf,
    /// File with its passphrase; - is stdin; default: a prompt
    #[arg(long)]
    pub passphrase_file: Option<PathBuf>,
}

impl KeyArgs {
    pub(super) fn open(&self) -> Result<PrivateKey, RecoveryCommandError> {
        let file = self.passphrase_file.as_deref();
        let passphrase = Passphrase::new(file, "--passphrase-file", &self.key).read()?;
        Ok(key::open(&self.key, &passphrase, self.side.into())?)
    }
}

/// The deployment; without these arguments the local stack.
#[derive(Args, Clone, Debug)]
pub struct PlaceArgs {
    /// Recovery table of the side in a deployment
    #[arg(long)]
    pub recovery_table: Option<String>,
    /// Wallets' table, for the endpoint side of a deployment
    #[arg(long, requires = "recovery_table")]
    pub wallets_table: Option<String>,
    /// KMS key A, for the endpoint side of a deployment
    #[arg(long, requires = "recovery_table")]
    pub kms_key: Option<String>,
    /// Function of the cosigner, for its side of a deployment
    #[arg(long, requires = "recovery_table")]
    pub cosigner: Option<String>,
    /// Profile in ~/.aws/config; default: the AWS CLI's default
    #[arg(long, requires = "recovery_table")]
    pub profile: Option<String>,
    /// AWS region; default: the profile's region
    #[arg(long, requires = "recovery_table")]
    pub region: Option<String>,
    /// Endpoint of an emulator of AWS
    #[arg(long, requires = "recovery_table")]
    pub endpoint_url: Option<Url>,
}

/// The export of one wallet.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// Tenant of the wallet
    #[arg(long, default_value = "local")]
    pub tenant: Tenant,
    /// The wallet
    #[arg(long)]
    pub wallet_id: Uuid,
    /// Version of its shares, as in the policy's change
    #[arg(long)]
    pub share_version: u32,
    /// Number of the change that allows it
    #[arg(long)]
    pub change: u64,
    /// Public key of the recipient, as in the policy's change
    #[arg(long)]
    pub recipient: SealingKey,
    /// Side that you can reach; default: both
    ///
    /// With two accounts, the cosigner's operator comes first, and hands its file to the endpoint
    /// side's.
    #[arg(long, value_enum)]
    pub side: Option<SideArg>,
    /// File of `export-wallet --side cosigner`
    #[arg(long, requires = "side", required_if_eq("side", "endpoint"))]
    pub released: Option<PathBuf>,
    /// New file for both halves, or for the cosigner's half
    #[arg(long)]
    pub out: PathBuf,
    #[command(flatten)]
    pub place: PlaceArgs,
}
