//! `hyperdex tenants`: tenants of the local stack or of a deployment.

use clap::{Args, Subcommand};
use domain::ids::Tenant;
use domain::time::rfc3339_seconds;
use hyperdex_console::operator::session::DeploymentArgs;
use shared::credentials::{ContainCursor, Contained};
use shared::store::TenantRecord;
use shared::tenancy::{Change, KeyId, KeyLabel, TenantLimits, TenantState};

use super::arguments::{Output, Place, key_id, label, reason, tenant};
use super::keys::line;
use super::reach::{CommandError, Reach};
use crate::admin::{AdminReply, AdminRequest, is_active};
use crate::control::{ControlError, is_running};

/// The exit code when trading keys remain that another run may remove.
pub const REMAIN: u8 = 3;

/// The exit code when only a person at the exchange can remove the remaining trading keys.
pub const BY_HAND: u8 = 4;

/// A command on tenants.
#[derive(Clone, Debug, Subcommand)]
pub enum TenantsCommand {
    /// Create a tenant
    Add {
        /// 1 to 64 characters of A-Z a-z 0-9 _ -
        #[arg(value_parser = tenant)]
        name: Tenant,
        /// A label
        #[arg(long, value_parser = label)]
        label: Option<KeyLabel>,
        /// Its limit of wallets, else the deployment's default
        #[arg(long)]
        max_wallets: Option<u64>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        deployment: DeploymentArgs,
    },
    /// List the tenants that have a record
    List {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        deployment: DeploymentArgs,
    },
    /// Show a tenant and its keys
    Show(NamedArgs),
    /// Let a tenant read and revoke only
    Suspend(StateArgs),
    /// Lift a suspension
    Resume(StateArgs),
    /// Set a tenant's limits
    Limit {
        /// The tenant
        #[arg(value_parser = tenant)]
        name: Tenant,
        /// The number of wallets that it may have; without it, the deployment's default
        #[arg(long)]
        max_wallets: Option<u64>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        deployment: DeploymentArgs,
    },
    /// Give a key that has no record a tenant of its own name
    Adopt {
        /// The id of the key, which is its tenant's name
        #[arg(value_parser = key_id)]
        key: KeyId,
        /// A label for the tenant
        #[arg(long, value_parser = label)]
        label: Option<KeyLabel>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        deployment: DeploymentArgs,
    },
    /// Remove all trading keys of a tenant from the exchanges
    RevokeTradingKeys(ContainArgs),
}

/// A tenant and its deployment.
#[derive(Args, Clone, Debug)]
pub struct NamedArgs {
    /// The tenant
    #[arg(value_parser = tenant)]
    pub name: Tenant,
    #[command(flatten)]
    deployment: DeploymentArgs,
}

/// A change of a tenant's state.
#[derive(Args, Clone, Debug)]
pub struct StateArgs {
    /// The tenant
    #[arg(value_parser = tenant)]
    pub name: Tenant,
    /// The reason, for the record: 1 to 200 characters
    #[arg(long, value_parser = reason)]
    pub reason: String,
    #[command(flatten)]
    deployment: DeploymentArgs,
}

/// A removal of trading keys.
#[derive(Args, Clone, Debug)]
pub struct ContainArgs {
    /// The tenant
    #[arg(value_parser = tenant)]
    pub name: Tenant,
    /// Resume where an interrupted command stopped: the cursor that it printed
    #[arg(long)]
    pub cursor: Option<ContainCursor>,
    /// End after one run instead of waiting for the exchanges' budgets
    #[arg(long)]
    pub once: bool,
    #[command(flatten)]
    deployment: DeploymentArgs,
}

impl TenantsCommand {
    const fn deployment(&self) -> &DeploymentArgs {
        match self {
            Self::Add { deployment, .. }
            | Self::List { deployment }
            | Self::Limit { deployment, .. }
            | Self::Adopt { deployment, .. }
            | Self::Show(NamedArgs { deployment, .. })
            | Self::Suspend(StateArgs { deployment, .. })
            | Self::Resume(StateArgs { deployment, .. })
            | Self::RevokeTradingKeys(ContainArgs { deployment, .. }) => deployment,
        }
    }
}

/// Runs a command. Returns the exit code.
///
/// # Errors
/// Fails when a step of the command failed. A retry of the command completes it.
pub async fn run(
    command: &TenantsCommand,
    place: &Place<'_>,
    output: &impl Output,
) -> Result<u8, CommandError> {
    let deployment = command.deployment();
    let contains = matches!(command, TenantsCommand::RevokeTradingKeys(_));
    // A stack that the command starts has simulators, but the keys may be at real exchanges.
    if contains && deployment.stack.is_none() && !is_running(place.data_dir) {
        return Err(ControlError::NotRunning(place.data_dir.to_owned()).into());
    }
    let reach = Reach::find(deployment, place).await?;
    let done = run_at(command, &reach, place, output).await;
    reach.close().await;
    done
}

async fn run_at(
    command: &TenantsCommand,
    reach: &Reach,
    place: &Place<'_>,
    output: &impl Output,
) -> Result<u8, CommandError> {
    let change = |reason: &str| Change {
        at_ms: place.clock.now_ms(),
        by: reach.by().to_owned(),
        reason: reason.to_owned(),
    };
    let request = match command.clone() {
        TenantsCommand::Add { name, label, max_wallets, .. } => AdminRequest::AddTenant {
            tenant: name,
            label: label.unwrap_or_default(),
            limits: TenantLimits { wallets: max_wallets },
            change: change(""),
        },
        TenantsCommand::List { .. } => AdminRequest::Tenants,
        TenantsCommand::Show(NamedArgs { name, .. }) => AdminRequest::Tenant { tenant: name },
        TenantsCommand::Suspend(StateArgs { name, reason, .. }) => AdminRequest::SetState {
            tenant: name,
            state: TenantState::Suspended,
            change: change(&reason),
        },
        TenantsCommand::Resume(StateArgs { name, reason, .. }) => AdminRequest::SetState {
            tenant: name,
            state: TenantState::Active,
            change: change(&reason),
        },
        TenantsCommand::Limit { name, max_wallets, .. } => {
            AdminRequest::SetLimits { tenant: name, limits: TenantLimits { wallets: max_wallets } }
        }
        TenantsCommand::Adopt { key, label, .. } => AdminRequest::Adopt {
            key_id: key,
            label: label.unwrap_or_default(),
            change: change(""),
        },
        TenantsCommand::RevokeTradingKeys(args) => {
            return contain(&args, reach, place, output).await;
        }
    };
    match (reach.ask(request).await?, command) {
        (AdminReply::Tenants(tenants), _) => {
            for tenant in tenants {
                let created = rfc3339_seconds(tenant.created_at_ms);
                let (state, label) = (tenant.state.as_str(), &tenant.label);
                output.say(&format!("{created}  {state:9}  {}  {label}", tenant.tenant));
            }
        }
        (AdminReply::Tenant(tenant), TenantsCommand::Show(_)) => {
            show(&tenant, output);
            let tenant = tenant.tenant;
            let AdminReply::Keys(keys) = reach.ask(AdminRequest::Keys { tenant }).await? else {
                return Err(CommandError::Reply);
            };
            for key in keys {
                output.say(&format!("  {}", line(&key)));
            }
        }
        (AdminReply::Tenant(tenant), _) => show(&tenant, output),
        _ => return Err(CommandError::Reply),
    }
    Ok(0)
}

fn show(tenant: &TenantRecord, output: &impl Output) {
    output.say(&format!("{} is {}.", tenant.tenant, tenant.state.as_str()));
    if !tenant.label.is_empty() {
        output.say(&format!("  label    {}", tenant.label));
    }
    let created = rfc3339_seconds(tenant.created_at_ms);
    output.say(&format!("  created  {created} by {}", tenant.created_by));
    if let Some(wallets) = tenant.limits.wallets {
        output.say(&format!("  wallets  at most {wallets}"));
    }
    if let Some(change) = &tenant.state_change {
        let at = rfc3339_seconds(change.at_ms);
        output.say(&format!("  {:7}  {at} by {}: {}", "changed", change.by, change.reason));
    }
    if tenant.state == TenantState::Suspended {
        output.note("Its keys can read and revoke; they cannot sign, register or trade.");
    }
}

/// Repeats runs until no run can remove more, and prints the result of each.
async fn contain(
    args: &ContainArgs,
    reach: &Reach,
    place: &Place<'_>,
    output: &impl Output,
) -> Result<u8, CommandError> {
    let tenant = &args.name;
    match reach.ask(AdminRequest::Tenant { tenant: tenant.clone() }).await {
        Ok(AdminReply::Tenant(record)) if is_active(&record) => output.note(&format!(
            "{tenant} is not suspended: its keys can register new trading keys meanwhile."
        )),
        _ => {}
    }
    let mut total = Contained::default();
    let mut cursor = args.cursor;
    loop {
        let request = AdminRequest::Contain { tenant: tenant.clone(), cursor };
        let AdminReply::Contained(run) = reach.ask(request).await? else {
            return Err(CommandError::Reply);
        };
        total.wallets += run.wallets;
        total.revoked += run.revoked;
        total.removed += run.removed;
        total.failed += run.failed;
        total.manual += run.manual;
        output.say(&format!(
            "{} wallets, {} trading keys revoked, {} leftover agents removed, {} failed, {} to \
             remove by hand",
            total.wallets, total.revoked, total.removed, total.failed, total.manual
        ));
        for one in &run.not_removed {
            output.say(&format!("  {} {}: {}", one.wallet_id, one.exchange, one.reason));
        }
        let Some(next) = run.next else { break };
        output.note(&format!("cursor {next}"));
        cursor = Some(next.parse().map_err(|_| CommandError::Reply)?);
        if args.once {
            output.note("More wallets remain. Run the command again with this --cursor.");
            return Ok(REMAIN);
        }
        if let Some(seconds) = run.retry_after_seconds {
            output.note(&format!("An exchange's budget is used up: next run in {seconds} s."));
            place.clock.sleep_ms(seconds.saturating_mul(1_000)).await;
        }
    }
    Ok(if total.failed > 0 {
        output.note("Trading keys remain. Run the command again.");
        REMAIN
    } else if total.manual > 0 {
        output.note("Remove the named agents at the exchanges.");
        BY_HAND
    } else {
        output.say(&format!("No trading key of {tenant} remains."));
        0
    })
}
