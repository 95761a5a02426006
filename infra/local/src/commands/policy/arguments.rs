//! Arguments of `hyperdex policy`: the place of the policy, the change and the signer.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use domain::eth::Address;
use domain::ids::Tenant;
use domain::policy::{
    Amount, AssetId, AssetLimit, Authority, Cap, Change, Destination, Quorum, Venue, WalletExport,
};
use url::Url;
use uuid::Uuid;

use crate::commands::arguments::{Expiry, duration_ms, tenant};

/// The policy to act on: a running local stack's, or that of a deployment.
#[derive(Args, Clone, Debug)]
pub struct PlaceArgs {
    /// Tenant whose policy it is
    #[arg(long, value_parser = tenant, default_value = "local")]
    pub tenant: Tenant,
    /// URL of the API, called with the tenant key in HYPERDEX_API_KEY
    ///
    /// Without it and without --cosigner, the command acts on the local stack's data directory.
    #[arg(long, conflicts_with = "cosigner")]
    pub api_url: Option<Url>,
    /// Name or ARN of the cosigner's function, invoked with your AWS credentials
    ///
    /// Does not pass through the API. Your IAM principal needs lambda:InvokeFunction for the
    /// function's alias operator.
    #[arg(long)]
    pub cosigner: Option<String>,
    /// Profile in ~/.aws/config for --cosigner and --kms-key
    #[arg(long)]
    pub profile: Option<String>,
    /// AWS region for --cosigner and --kms-key
    #[arg(long)]
    pub region: Option<String>,
    /// An endpoint that replaces those of AWS
    #[arg(long)]
    pub endpoint_url: Option<Url>,
    /// The policy chain's id that you expect
    ///
    /// The command refuses to sign for another chain.
    #[arg(long)]
    pub chain_id: Option<String>,
}

/// The signer of a text. Without one, the command prints the text and signs nothing.
#[derive(Args, Clone, Debug)]
pub struct SignerArgs {
    /// The approver's key file, as `policy keygen` makes it
    #[arg(long, conflicts_with_all = ["kms_key", "signature"])]
    pub key: Option<PathBuf>,
    /// The approver's key in AWS KMS: an id, an alias or an ARN
    #[arg(long, conflicts_with = "signature")]
    pub kms_key: Option<String>,
    /// A signature made elsewhere, such as by OpenSSL: DER in hex or base64
    #[arg(long, requires = "approver")]
    pub signature: Option<String>,
    /// The approver's id; found by the public key when absent
    #[arg(long)]
    pub approver: Option<String>,
    /// The authority that signs
    #[arg(long, value_enum, default_value = "tenant")]
    pub quorum: QuorumArg,
    /// File for the text, to sign it elsewhere
    #[arg(long)]
    pub text_file: Option<PathBuf>,
    /// Sign without a question
    #[arg(long)]
    pub yes: bool,
}

/// The authority that signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum QuorumArg {
    /// The tenant's approvers.
    Tenant,
    /// The operator's approvers.
    Root,
}

impl From<QuorumArg> for Quorum {
    fn from(quorum: QuorumArg) -> Self {
        match quorum {
            QuorumArg::Tenant => Self::Tenant,
            QuorumArg::Root => Self::Root,
        }
    }
}

/// The kind of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ChangeKind {
    /// Replace the approvers: --authority
    SetAuthority,
    /// List a destination: --venue, --address, --asset, --label, --per-payment
    AddDestination,
    /// Remove a destination: --venue, --address
    RemoveDestination,
    /// Set the limits of an asset: --asset, --wallet, --total, --approve-above
    SetLimit,
    /// Remove the limits of an asset, which is then not paid: --asset
    RemoveLimit,
    /// Set the delay of changes that loosen the policy: --delay
    SetDelay,
    /// Stop all payments
    Freeze,
    /// Allow payments again
    Unfreeze,
    /// Allow the export of a wallet's key: --wallet-id, --address, --share-version, --recipient, --until
    ExportWallet,
    /// Allow payments after the table was restored: --head-hash, --quorum root
    Resume,
}

/// A change, typed by the person who signs it.
#[derive(Args, Clone, Debug)]
pub struct ChangeArgs {
    /// The kind of change
    #[arg(value_enum)]
    pub kind: ChangeKind,
    /// A file with the approvers: {"threshold":2,"approvers":[…]}
    #[arg(long)]
    pub authority: Option<PathBuf>,
    /// Venue: hyperliquid, aster, or evm: and a chain id
    #[arg(long)]
    pub venue: Option<Venue>,
    /// Address of the destination
    #[arg(long, value_parser = Address::parse_receiver)]
    pub address: Option<Address>,
    /// Asset, such as evm:56/USDT; repeatable for a destination
    #[arg(long)]
    pub asset: Vec<AssetId>,
    /// A name for the destination
    #[arg(long)]
    pub label: Option<String>,
    /// The most of one payment to the destination
    #[arg(long)]
    pub per_payment: Option<Amount>,
    /// Most of one wallet in 24 hours: an amount and a number of payments
    #[arg(long, value_name = "AMOUNT:PAYMENTS", value_parser = cap)]
    pub wallet: Option<Cap>,
    /// Most of all wallets in 24 hours: an amount and a number of payments
    #[arg(long, value_name = "AMOUNT:PAYMENTS", value_parser = cap)]
    pub total: Option<Cap>,
    /// Rolling sum above which a payment needs its own approvals
    #[arg(long)]
    pub approve_above: Option<Amount>,
    /// Delay: a duration such as 24h
    #[arg(long, value_parser = duration_ms)]
    pub delay: Option<u64>,
    /// The newest hash of the policy chain
    #[arg(long)]
    pub head_hash: Option<String>,
    /// Wallet whose key is exported
    #[arg(long)]
    pub wallet_id: Option<Uuid>,
    /// Version of the wallet's shares
    #[arg(long)]
    pub share_version: Option<u32>,
    /// Public key of the export's recipient, as `recovery recipient-key` prints it
    #[arg(long)]
    pub recipient: Option<String>,
    /// End of the permission to export, Unix seconds
    #[arg(long)]
    pub until: Option<u64>,
}

fn cap(text: &str) -> Result<Cap, &'static str> {
    let parts = text.split_once(':').and_then(|(amount, payments)| {
        Some(Cap { amount: amount.parse().ok()?, payments: payments.parse().ok()? })
    });
    parts.ok_or("expected an amount, a colon and a number of payments, such as 1000:20")
}

/// Until when approvals count: a duration or a time.
pub(super) fn expiry(text: &str) -> Result<Expiry, &'static str> {
    Expiry::parse(text)
}

/// Why the arguments make no change.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The kind of change needs this option.
    #[error("expected {0} for this kind of change")]
    Missing(&'static str),
    /// The kind of change has no such option.
    #[error("unexpected {0} for this kind of change")]
    Unexpected(&'static str),
    /// The file of the authority cannot be used.
    #[error("cannot use the file {}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: String,
    },
    /// The change is not valid.
    #[error(transparent)]
    Invalid(#[from] domain::policy::PolicyError),
}

impl ChangeArgs {
    /// Returns the change that the arguments describe.
    ///
    /// # Errors
    /// Names the option that is missing or unexpected, or the fault of the change.
    pub fn change(&self) -> Result<Change, ChangeError> {
        use ChangeKind::{
            AddDestination, ExportWallet, Freeze, RemoveDestination, RemoveLimit, Resume,
            SetAuthority, SetDelay, SetLimit, Unfreeze,
        };
        let missing = ChangeError::Missing;
        self.only(match self.kind {
            SetAuthority => &["--authority"],
            AddDestination => &["--venue", "--address", "--asset", "--label", "--per-payment"],
            RemoveDestination => &["--venue", "--address"],
            SetLimit => &["--asset", "--wallet", "--total", "--approve-above"],
            RemoveLimit => &["--asset"],
            SetDelay => &["--delay"],
            Freeze | Unfreeze => &[],
            Resume => &["--head-hash"],
            ExportWallet => {
                &["--wallet-id", "--address", "--share-version", "--recipient", "--until"]
            }
        })?;
        let venue = self.venue.ok_or_else(|| missing("--venue"));
        let address = self.address.ok_or_else(|| missing("--address"));
        let asset = match self.asset.as_slice() {
            [asset] => Ok(asset.clone()),
            _ => Err(missing("one --asset")),
        };
        let change = match self.kind {
            SetAuthority => Change::SetAuthority { authority: self.read_authority()? },
            AddDestination => Change::AddDestination {
                destination: Destination {
                    venue: venue?,
                    address: address?,
                    assets: self.asset.clone(),
                    label: self.label.clone().ok_or_else(|| missing("--label"))?,
                    per_payment: self.per_payment,
                },
            },
            RemoveDestination => Change::RemoveDestination { venue: venue?, address: address? },
            SetLimit => Change::SetLimit {
                limit: AssetLimit {
                    asset: asset?,
                    wallet: self.wallet.ok_or_else(|| missing("--wallet"))?,
                    tenant: self.total.ok_or_else(|| missing("--total"))?,
                    approve_above: self.approve_above,
                },
            },
            RemoveLimit => Change::RemoveLimit { asset: asset? },
            SetDelay => {
                let delay_ms = self.delay.ok_or_else(|| missing("--delay"))?;
                Change::SetDelay { seconds: delay_ms / 1_000 }
            }
            ExportWallet => Change::ExportWallet {
                export: WalletExport {
                    wallet_id: self.wallet_id.ok_or_else(|| missing("--wallet-id"))?,
                    address: address?,
                    share_version: self.share_version.ok_or_else(|| missing("--share-version"))?,
                    recipient: self.recipient.clone().ok_or_else(|| missing("--recipient"))?,
                    until_s: self.until.ok_or_else(|| missing("--until"))?,
                },
            },
            Freeze => Change::Freeze {},
            Unfreeze => Change::Unfreeze {},
            Resume => Change::Resume {
                head_hash: self.head_hash.clone().ok_or_else(|| missing("--head-hash"))?,
            },
        };
        change.check()?;
        Ok(change)
    }

    /// Refuses the options of another kind, so that no typed value is ignored.
    fn only(&self, options: &[&str]) -> Result<(), ChangeError> {
        let given = [
            ("--authority", self.authority.is_some()),
            ("--venue", self.venue.is_some()),
            ("--address", self.address.is_some()),
            ("--asset", !self.asset.is_empty()),
            ("--label", self.label.is_some()),
            ("--per-payment", self.per_payment.is_some()),
            ("--wallet", self.wallet.is_some()),
            ("--total", self.total.is_some()),
            ("--approve-above", self.approve_above.is_some()),
            ("--delay", self.delay.is_some()),
            ("--head-hash", self.head_hash.is_some()),
            ("--wallet-id", self.wallet_id.is_some()),
            ("--share-version", self.share_version.is_some()),
            ("--recipient", self.recipient.is_some()),
            ("--until", self.until.is_some()),
        ];
        let unexpected =
            given.into_iter().find(|(name, is_given)| *is_given && !options.contains(name));
        unexpected.map_or(Ok(()), |(name, _)| Err(ChangeError::Unexpected(name)))
    }

    fn read_authority(&self) -> Result<Authority, ChangeError> {
        let path = self.authority.as_ref().ok_or(ChangeError::Missing("--authority"))?;
        let failed = |cause: String| ChangeError::File { path: path.clone(), cause };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        change: ChangeArgs,
    }

    fn change(words: &str) -> Result<Change, ChangeError> {
        let words = std::iter::once("x").chain(words.split_whitespace());
        Line::try_parse_from(words).unwrap().change.change()
    }

    const TO: &str = "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7";

    #[test]
    fn typed_options_make_the_change() {
        let add = format!(
            "add-destination --venue evm:56 --address {TO} --asset evm:56/USDT --label Treasury \
             --per-payment 100"
        );
        let text = serde_json::to_value(change(&add).unwrap()).unwrap();
        assert_eq!(text["type"], "addDestination");
        assert_eq!(text["destination"]["address"], TO.to_lowercase());
        assert_eq!(text["destination"]["perPayment"], "100");
        let limit = "set-limit --asset hyperliquid/USDC --wallet 10.5:3 --total 100:20";
        let text = serde_json::to_value(change(limit).unwrap()).unwrap();
        assert_eq!(text["limit"]["wallet"]["payments"], 3);
        assert_eq!(text["limit"]["tenant"]["amount"], "100");
        assert_eq!(change("set-delay --delay 2h").unwrap(), Change::SetDelay { seconds: 7_200 });
        assert_eq!(change("freeze").unwrap(), Change::Freeze {});
    }

    #[test]
    fn missing_or_foreign_option_is_refused() {
        for words in [
            "add-destination --venue aster",
            "set-limit --asset aster/USDT --wallet 1:1",
            "set-limit --asset aster/USDT --asset aster/BTC --wallet 1:1 --total 1:1",
            "freeze --label x",
            "set-delay --delay 1h --venue aster",
            "resume --head-hash 00",
            "set-authority",
        ] {
            assert!(change(words).is_err(), "{words}");
        }
    }

    #[test]
    fn amount_with_a_suffix_is_refused() {
        for amount in ["1.0", "01", "1e3", "1 subaccount:0x00", "-1"] {
            let line = ["x", "set-limit", "--approve-above", amount];
            assert!(Line::try_parse_from(line).is_err(), "{amount}");
        }
    }
}
