//! `hyperdex wallets freeze|unfreeze`: an operator's freeze of a wallet, on the local stack or a
//! deployment. The commands write the wallets' table directly, with the operator's own AWS
//! credentials. A tenant key cannot do this. `docs/guides/operations.md` has the IAM policy.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use domain::clock::Clock;
use domain::ids::{Tenant, WalletRef};
use domain::time::rfc3339_seconds;
use hyperdex_cloud::names::WALLETS_TABLE;
use hyperdex_console::ConsoleError;
use hyperdex_console::operator::{ConsoleOptions, wallets_table};
use platform::aws::Aws;
use shared::store::{
    OperateError, Operated, OperatorAction, OperatorActionKind, Store, WalletRecord,
};
use url::Url;

use crate::data::with_tables;
use crate::error::StartError;

/// An operator's action on a wallet.
#[derive(Clone, Debug, Subcommand)]
pub enum WalletsCommand {
    /// Stop a wallet from signing, except to delete trading keys
    Freeze(OperateArgs),
    /// Lift an operator's freeze
    Unfreeze(OperateArgs),
}

/// Arguments: the wallet, the reason and the place.
#[derive(Args, Clone, Debug)]
pub struct OperateArgs {
    /// Wallet: a userId, a walletId or an address
    pub name: WalletRef,
    /// Reason for the wallet's record: 1 to 200 characters
    #[arg(long, value_parser = reason)]
    pub reason: String,
    /// Tenant; required for a deployment, default `local`
    #[arg(long)]
    pub tenant: Option<Tenant>,
    /// Main CloudFormation stack of the deployment
    #[arg(long)]
    pub stack: Option<String>,
    /// Wallets' table of the deployment, without CloudFormation
    #[arg(long)]
    pub wallets_table: Option<String>,
    /// Profile in ~/.aws/config; default: the AWS CLI's default
    #[arg(long)]
    pub profile: Option<String>,
    /// AWS region; default: the profile's region
    #[arg(long)]
    pub region: Option<String>,
    /// DynamoDB of the running local stack, as printed at start
    #[arg(long)]
    pub endpoint_url: Option<Url>,
}

fn reason(text: &str) -> Result<String, &'static str> {
    OperatorAction::check_reason(text).map(|()| text.trim().to_owned())
}

/// Error of an operator's action.
#[derive(Debug, thiserror::Error)]
pub enum WalletsError {
    /// The arguments name only a part of a deployment.
    #[error("expected --stack or --wallets-table with --profile or --region")]
    NoDeployment,
    /// The arguments name a deployment without a tenant.
    #[error("expected --tenant: the id of the tenant's API key in the usage plan")]
    NoTenant,
    /// The directory has no data of a local stack.
    #[error(
        "{} has no data of a local stack; pass its --data-dir, or --stack for a deployment",
        .0.display()
    )]
    NoData(PathBuf),
    /// The local stack is running, so its table is behind its own endpoint.
    #[error(
        "a local stack is running on {}; pass its DynamoDB URL, which it printed at start, as \
         --endpoint-url",
        .0.display()
    )]
    Running(PathBuf),
    /// The deployment was not found, or AWS rejected the credentials.
    #[error("cannot reach the deployment: {0}")]
    Deployment(String),
    /// The table cannot be read or written.
    #[error("cannot read or write the wallets' table: {0}")]
    Table(String),
    /// The local stack's data cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The action was refused.
    #[error(transparent)]
    Operate(OperateError),
}

impl From<OperateError> for WalletsError {
    fn from(error: OperateError) -> Self {
        match error {
            OperateError::Store(error) => Self::Table(for_people(&error.to_string()).to_owned()),
            other => Self::Operate(other),
        }
    }
}

/// Removes the debug output that the SDK appends to an error's chain.
fn for_people(text: &str) -> &str {
    let kinds = ["Construction", "Dispatch", "Timeout", "Response", "Service"];
    let starts = kinds.iter().filter_map(|kind| {
        text.find(&format!(" ({kind}Failure(")).or_else(|| text.find(&format!(" ({kind}Error(")))
    });
    &text[..starts.min().unwrap_or(text.len())]
}

/// Runs the command, and prints the result. `user` is the username on this machine, which acts on
/// a local stack.
///
/// # Errors
/// Returns an error when the wallet does not exist, the action is refused, or the table cannot be
/// reached.
pub async fn run(
    command: &WalletsCommand,
    data_dir: &Path,
    user: &str,
    clock: Clock,
    say: impl Fn(&str),
) -> Result<(), WalletsError> {
    let (args, kind) = match command {
        WalletsCommand::Freeze(args) => (args, OperatorActionKind::Freeze),
        WalletsCommand::Unfreeze(args) => (args, OperatorActionKind::Unfreeze),
    };
    let action = |by: String| OperatorAction {
        action: kind,
        at_ms: clock.now_ms(),
        by,
        reason: args.reason.clone(),
    };
    let operated = if args.stack.is_some() || args.wallets_table.is_some() {
        let tenant = args.tenant.clone().ok_or(WalletsError::NoTenant)?;
        let options = args.deployment(&tenant);
        let found = wallets_table(&options, clock.clone()).await;
        let (store, by) = found.map_err(|error| match error {
            ConsoleError::Part { cause, .. } => WalletsError::Deployment(cause),
            other => StartError::from(other).into(),
        })?;
        store.operate(&tenant, &args.name, &action(by)).await?
    } else if args.profile.is_some() || args.region.is_some() {
        return Err(WalletsError::NoDeployment);
    } else {
        let tenant = args.tenant.clone().unwrap_or_else(Tenant::local);
        let action = action(format!("local:{user}"));
        match &args.endpoint_url {
            Some(endpoint) => {
                store_at(endpoint.as_str()).operate(&tenant, &args.name, &action).await?
            }
            None => stored(data_dir, &tenant, &args.name, &action).await?,
        }
    };
    report(kind, &operated, say);
    Ok(())
}

impl OperateArgs {
    fn deployment(&self, tenant: &Tenant) -> ConsoleOptions {
        ConsoleOptions {
            stack: self.stack.clone(),
            tenant: tenant.clone(),
            profile: self.profile.clone(),
            region: self.region.clone(),
            cosigner_stack: None,
            cosigner_profile: None,
            wallets_table: self.wallets_table.clone(),
            cosigner_table: None,
            audit_public_key: None,
            endpoint_url: self.endpoint_url.clone(),
            port: 0,
        }
    }
}

fn store_at(endpoint: &str) -> Store {
    Store::new(Aws::local(endpoint, endpoint, endpoint).dynamodb(), WALLETS_TABLE)
}

/// Acts on the data of a local stack that is not running.
async fn stored(
    directory: &Path,
    tenant: &Tenant,
    name: &WalletRef,
    action: &OperatorAction,
) -> Result<Operated, WalletsError> {
    let operated = with_tables(directory, async |endpoint| {
        store_at(endpoint).operate(tenant, name, action).await
    });
    match operated.await {
        Err(StartError::NoData(directory)) => Err(WalletsError::NoData(directory)),
        Err(StartError::InUse(directory)) => Err(WalletsError::Running(directory)),
        operated => Ok(operated??),
    }
}

fn report(kind: OperatorActionKind, operated: &Operated, say: impl Fn(&str)) {
    let (wallet, changed) = match operated {
        Operated::Changed(wallet) => (wallet, true),
        Operated::Unchanged(wallet) => (wallet, false),
    };
    let name = named(wallet);
    match (kind, changed) {
        (OperatorActionKind::Freeze, true) => {
            say(&format!("{name} is frozen."));
            say("Signing, registration and rotation return 422 WALLET_FROZEN. Deleting trading");
            say("keys still works. A signature in progress may still complete.");
        }
        (OperatorActionKind::Freeze, false) => say(&format!("{name} is already frozen.")),
        (OperatorActionKind::Unfreeze, true) => say(&format!("{name} can sign again.")),
        (OperatorActionKind::Unfreeze, false) => {
            say(&format!("{name} is not frozen by an operator."));
        }
    }
    if let Some(last) = wallet.operator_actions.last() {
        say("");
        say(&format!("  by      {}", last.by));
        say(&format!("  at      {}", rfc3339_seconds(last.at_ms)));
        say(&format!("  reason  {}", last.reason));
    }
    if wallet.frozen {
        say("");
        say("The wallet is also barred permanently: a protocol run with the cosigner failed.");
    }
}

fn named(wallet: &WalletRecord) -> String {
    format!("The wallet of {} ({}, {})", wallet.user_id, wallet.wallet_id, wallet.address)
}
