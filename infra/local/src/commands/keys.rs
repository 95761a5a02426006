//! `hyperdex keys`: tenant keys of the local stack or of a deployment.

use clap::Subcommand;
use domain::ids::Tenant;
use domain::time::rfc3339_seconds;
use hyperdex_console::operator::session::DeploymentArgs;
use shared::key_admin::KeyRequest;
use shared::tenancy::{Change, Cidr, KeyId, KeyLabel, KeyState, Scopes, TenantLimits};

use super::arguments::{Expiry, Output, Place, duration_ms, key_id, label, reason, scopes, tenant};
use super::reach::{CommandError, Reach};
use crate::admin::{AdminReply, AdminRequest, KeyLine};
use crate::data::existing;
use crate::error::StartError;
use crate::keys::{KeyFile, KeysError};

/// A command on tenant keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Create a key of a tenant, and print it once
    Add {
        /// The tenant; the local stack creates it if it does not exist
        #[arg(value_parser = tenant)]
        tenant: Tenant,
        /// A label for the key
        #[arg(long, value_parser = label, default_value = "default")]
        label: KeyLabel,
        /// Its scopes, else all but money and admin: read,wallets,sign,keys,trade,money,
        /// webhooks,admin
        #[arg(long, value_parser = scopes)]
        scopes: Option<Scopes>,
        /// Its expiry: a duration such as 90d, or an RFC 3339 time
        #[arg(long, value_parser = Expiry::parse)]
        expires: Option<Expiry>,
        /// A network that may use it, such as 203.0.113.0/24; repeatable
        #[arg(long)]
        network: Vec<Cidr>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        deployment: DeploymentArgs,
    },
    /// List keys, without their values
    List {
        /// The tenant, else all tenants
        #[arg(value_parser = tenant)]
        tenant: Option<Tenant>,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        deployment: DeploymentArgs,
    },
    /// Replace a key, and print the new one once
    Rotate {
        /// The key's id
        #[arg(value_parser = key_id)]
        key: KeyId,
        /// How long the replaced key still works; 0s revokes it
        #[arg(long, value_parser = duration_ms, default_value = "1h")]
        overlap: u64,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        deployment: DeploymentArgs,
    },
    /// Revoke a key for good
    Revoke {
        /// The key's id
        #[arg(value_parser = key_id)]
        key: KeyId,
        /// The reason, for the record: 1 to 200 characters
        #[arg(long, value_parser = reason)]
        reason: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the text of the command")]
        deployment: DeploymentArgs,
    },
    /// Revoke all keys of a tenant of the local stack
    Remove {
        /// The tenant; its wallets stay
        #[arg(value_parser = tenant)]
        name: Tenant,
        /// Allow removal of the last key, which disables authentication
        ///
        /// Without this flag, the command asks at the terminal.
        #[arg(long)]
        open_api: bool,
    },
}

impl KeysCommand {
    fn deployment(&self) -> DeploymentArgs {
        match self {
            Self::Add { deployment, .. }
            | Self::List { deployment, .. }
            | Self::Rotate { deployment, .. }
            | Self::Revoke { deployment, .. } => deployment.clone(),
            Self::Remove { .. } => DeploymentArgs::default(),
        }
    }
}

/// Runs a command. `asks` asks a person for confirmation; it is `None` without a terminal.
///
/// # Errors
/// Fails when a step of the command failed. A retry of the command completes it.
pub async fn run(
    command: &KeysCommand,
    place: &Place<'_>,
    asks: impl FnOnce(&str) -> Option<bool>,
    output: &impl Output,
) -> Result<(), CommandError> {
    let deployment = command.deployment();
    let creates = matches!(command, KeysCommand::Add { .. });
    if deployment.stack.is_none() && !creates {
        existing(place.data_dir)?;
    }
    let reach = Reach::find(&deployment, place).await?;
    let done = run_at(command, &reach, place, asks, output).await;
    reach.close().await;
    done
}

async fn run_at(
    command: &KeysCommand,
    reach: &Reach,
    place: &Place<'_>,
    asks: impl FnOnce(&str) -> Option<bool>,
    output: &impl Output,
) -> Result<(), CommandError> {
    let change = |reason: &str| Change {
        at_ms: place.clock.now_ms(),
        by: reach.by().to_owned(),
        reason: reason.to_owned(),
    };
    match command.clone() {
        KeysCommand::Add { tenant, label, scopes, expires, network, .. } => {
            if reach.is_local() {
                let (label, limits) = (KeyLabel::default(), TenantLimits::default());
                let change = change("");
                let tenant = tenant.clone();
                reach.ask(AdminRequest::AddTenant { tenant, label, limits, change }).await?;
            }
            let request = KeyRequest {
                tenant,
                label,
                scopes: scopes.unwrap_or(Scopes::usual()),
                expires_at_ms: expires.map(|expiry| expiry.at_ms(place.clock.now_ms())),
                cidrs: network,
                replaces: None,
                made_by: None,
            };
            let by = reach.by().to_owned();
            let request = AdminRequest::PrepareKey { request: Box::new(request), by };
            open(reach.ask(request).await?, reach, output).await
        }
        KeysCommand::List { tenant, .. } => list(tenant, reach, place, output).await,
        KeysCommand::Rotate { key, overlap, .. } => {
            let by = reach.by().to_owned();
            let request = AdminRequest::PrepareRotation { key_id: key.clone(), by };
            match reach.ask(request).await? {
                AdminReply::Replaced(known) => output.note(&format!(
                    "The key {known} replaces {key}; an earlier command has printed it."
                )),
                made => open(made, reach, output).await?,
            }
            let change = change("rotated");
            let retire =
                AdminRequest::RetireKey { key_id: key.clone(), overlap_ms: overlap, change };
            let AdminReply::Key(before) = reach.ask(retire).await? else {
                return Err(CommandError::Reply);
            };
            output.note(&match (before.state, before.expires_at_ms) {
                (KeyState::Active, Some(at_ms)) => {
                    format!("The key {key} works until {}.", rfc3339_seconds(at_ms))
                }
                _ => format!("The key {key} is revoked."),
            });
            Ok(())
        }
        KeysCommand::Revoke { key, reason, .. } => {
            let request = AdminRequest::RevokeKey { key_id: key, change: change(&reason) };
            let AdminReply::Key(record) = reach.ask(request).await? else {
                return Err(CommandError::Reply);
            };
            output.say(&format!("The key {} of {} is revoked.", record.key_id, record.tenant));
            if let Some(revoked) = &record.revoked {
                let at = rfc3339_seconds(revoked.at_ms);
                output.say(&format!("  {at} by {}: {}", revoked.by, revoked.reason));
            }
            output.note("API Gateway refuses it now, and every function within 30 seconds.");
            Ok(())
        }
        KeysCommand::Remove { name, open_api } => {
            remove(&name, open_api, (reach, place), asks, output).await
        }
    }
}

/// Prints a new key, and then attaches it. If the command dies in between, a retry prints another
/// key.
async fn open(made: AdminReply, reach: &Reach, output: &impl Output) -> Result<(), CommandError> {
    let AdminReply::Made { record, value } = made else { return Err(CommandError::Reply) };
    output.note(&format!(
        "The key {} ({}) of {} may: {}. It is printed once:",
        record.key_id, record.label, record.tenant, record.scopes
    ));
    output.say(&value);
    reach.ask(AdminRequest::OpenKey { key_id: record.key_id }).await?;
    output.note("It works now.");
    Ok(())
}

async fn list(
    tenant: Option<Tenant>,
    reach: &Reach,
    place: &Place<'_>,
    output: &impl Output,
) -> Result<(), CommandError> {
    let tenants = match &tenant {
        Some(tenant) => vec![tenant.clone()],
        None => {
            let AdminReply::Tenants(tenants) = reach.ask(AdminRequest::Tenants).await? else {
                return Err(CommandError::Reply);
            };
            tenants.into_iter().map(|record| record.tenant).collect()
        }
    };
    let mut shown = Vec::new();
    for tenant in tenants {
        let AdminReply::Keys(keys) = reach.ask(AdminRequest::Keys { tenant }).await? else {
            return Err(CommandError::Reply);
        };
        for key in keys {
            output.say(&line(&key));
            shown.push(key.record.key_id);
        }
    }
    if tenant.is_none() && reach.is_local() {
        // Keys of earlier versions have no record.
        for key in KeyFile::new(place.data_dir).list().map_err(StartError::from)? {
            if !shown.contains(&key.key_id) && !key.has_record && !key.disabled {
                let created = rfc3339_seconds(key.created_at_ms);
                output.say(&format!("{created}  {0}  no record  {0}", key.key_id));
            }
        }
    }
    Ok(())
}

/// Formats a key in one line.
pub(super) fn line(key: &KeyLine) -> String {
    let KeyLine { record, used_at_ms, usable } = key;
    let state = match record.state {
        KeyState::Revoked => "revoked",
        KeyState::Active if *usable => "active",
        KeyState::Active => "expired",
    };
    let created = rfc3339_seconds(record.created_at_ms);
    let expires = record.expires_at_ms.map(rfc3339_seconds);
    let expires = expires.map(|at| format!("  expires {at}")).unwrap_or_default();
    let used = used_at_ms.map(rfc3339_seconds);
    let used = used.map(|at| format!("  used {at}")).unwrap_or_default();
    let by = record.created_by.strip_prefix("key:");
    let by = by.map(|id| format!("  made by {id}")).unwrap_or_default();
    let (id, label, scopes) = (&record.key_id, &record.label, record.scopes);
    format!("{created}  {id}  {state:7}  {label}  {scopes}{expires}{used}{by}  {}", record.tenant)
}

/// Removes the keys of a tenant from the key file. A file without keys opens the API.
async fn remove(
    name: &Tenant,
    open_api: bool,
    (reach, place): (&Reach, &Place<'_>),
    asks: impl FnOnce(&str) -> Option<bool>,
    output: &impl Output,
) -> Result<(), CommandError> {
    let file = KeyFile::new(place.data_dir);
    let failed = |error: KeysError| CommandError::Start(error.into());
    let AdminReply::Keys(keys) = reach.ask(AdminRequest::Keys { tenant: name.clone() }).await?
    else {
        return Err(CommandError::Reply);
    };
    let of_tenant: Vec<KeyId> = keys.into_iter().map(|key| key.record.key_id).collect();
    let own = KeyId::from(name.clone());
    let entries = file.list().map_err(failed)?;
    let (ours, others): (Vec<_>, Vec<_>) = entries
        .into_iter()
        .partition(|entry| entry.key_id == own || of_tenant.contains(&entry.key_id));
    if ours.is_empty() {
        return Err(failed(KeysError::Unknown(own)));
    }
    if others.is_empty() && !open_api {
        let question = format!(
            "{name} has the last keys. Without them the API is open to everyone. Remove them?"
        );
        match asks(&question) {
            Some(true) => {}
            Some(false) => return Err(failed(KeysError::Declined)),
            None => return Err(failed(KeysError::Last(own))),
        }
    }
    let change = Change {
        at_ms: place.clock.now_ms(),
        by: reach.by().to_owned(),
        reason: "removed".to_owned(),
    };
    for entry in ours {
        // The next key of this name belongs to the same tenant.
        if entry.has_record {
            let (key_id, change) = (entry.key_id.clone(), change.clone());
            reach.ask(AdminRequest::RevokeKey { key_id, change }).await?;
        }
        file.remove(&entry.key_id, others.is_empty()).map_err(failed)?;
    }
    if others.is_empty() {
        output.say("That was the last key: the API is open now, to the tenant local.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::clock::Clock;
    use domain::random::Random;

    use super::*;

    struct Silent;

    impl Output for Silent {
        fn say(&self, _: &str) {}
        fn note(&self, _: &str) {}
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn last_key_is_removed_only_when_a_person_agrees() {
        let data = tempfile::tempdir().unwrap();
        let (clock, random) = (Clock::system(), Random::system());
        let (file, id) = (KeyFile::new(data.path()), "one".parse::<KeyId>().unwrap());
        file.add(&id, &clock, &random).unwrap();
        let place = Place { data_dir: data.path(), user: "test", clock, random };
        let name: Tenant = "one".parse().unwrap();
        let command = KeysCommand::Remove { name, open_api: false };
        let remove = async |says: Option<bool>| {
            let removed = run(&command, &place, |_| says, &Silent).await;
            removed.map_err(|error| error.to_string())
        };
        assert!(remove(None).await.unwrap_err().contains("--open-api"));
        assert_eq!(remove(Some(false)).await, Err("nothing was removed".to_owned()));
        assert_eq!(file.list().unwrap().len(), 1);
        assert_eq!(remove(Some(true)).await, Ok(()));
        assert!(file.list().unwrap().is_empty());
    }
}
