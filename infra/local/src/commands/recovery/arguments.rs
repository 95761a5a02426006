//! Arguments that several commands of a recovery share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use domain::eth::Address;
use domain::ids::{IdError, Tenant, WalletRef};
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

/// A wallet's name. An address in mixed case must have its checksum (EIP-55).
pub(super) fn wallet(text: &str) -> Result<WalletRef, String> {
    let wallet: WalletRef = text.parse().map_err(|error: IdError| error.to_string())?;
    if matches!(wallet, WalletRef::Address(_)) {
        Address::parse_receiver(text).map_err(|error| error.to_string())?;
    }
    Ok(wallet)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallet_address_with_a_wrong_checksum_is_refused() {
        const ADDRESS: &str = "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7";
        let lower = ADDRESS.to_lowercase();
        for good in [ADDRESS, lower.as_str(), "user_123", "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a"] {
            assert!(wallet(good).is_ok(), "{good}");
        }
        assert!(wallet(&ADDRESS.replace("aAAa", "AAAa")).is_err());
        assert!(wallet("0x1 2").is_err());
    }
}
