//! `hyperdex keys`: creates, lists and removes tenant keys.

use std::path::Path;

use clap::Subcommand;
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::Random;
use domain::time::rfc3339_seconds;
use shared::tenancy::KeyId;

use crate::data::existing;
use crate::error::StartError;
use crate::keys::{KeyFile, KeysError};

/// Commands for tenant keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Create a tenant key and print it once
    ///
    /// The tenant is NAME. A running stack accepts the key immediately.
    Add {
        /// Tenant: 1 to 64 characters of A-Z a-z 0-9 _ -
        #[arg(value_parser = tenant)]
        name: Tenant,
    },
    /// List the tenants with keys and their creation times
    List,
    /// Remove a tenant key
    ///
    /// The tenant's wallets stay. A new key of the same name gives access to them.
    Remove {
        /// Tenant of the key
        #[arg(value_parser = tenant)]
        name: Tenant,
        /// Allow removal of the last key, which disables authentication
        ///
        /// Without this flag, the command asks at the terminal.
        #[arg(long)]
        open_api: bool,
    },
}

fn tenant(text: &str) -> Result<Tenant, &'static str> {
    text.parse().map_err(|_| "expected 1 to 64 characters of A-Z a-z 0-9 _ -")
}

/// Runs a command on the key file of a data directory, and prints through `say`. `asks` asks the
/// user, and returns true for yes, or `None` without a terminal.
///
/// # Errors
/// Returns an error when the file cannot be read or changed, or the name is unexpected.
pub fn run(
    command: &KeysCommand,
    data_dir: &Path,
    asks: impl FnOnce(&str) -> Option<bool>,
    say: impl Fn(&str),
) -> Result<(), StartError> {
    let file = KeyFile::new(data_dir);
    match command {
        KeysCommand::Add { name } => {
            say(&file.add(&name.clone().into(), &Clock::system(), &Random::system())?);
        }
        KeysCommand::List => {
            existing(data_dir)?;
            for key in file.list()? {
                say(&format!("{}  {}", rfc3339_seconds(key.created_at_ms), key.key_id));
            }
        }
        KeysCommand::Remove { name, open_api } => {
            existing(data_dir)?;
            if remove(&file, name, *open_api, asks)? == 0 {
                say("Removed the last key. The API is now open: every caller is the tenant local.");
            }
        }
    }
    Ok(())
}

fn remove(
    file: &KeyFile,
    name: &Tenant,
    open_api: bool,
    asks: impl FnOnce(&str) -> Option<bool>,
) -> Result<usize, KeysError> {
    let id = KeyId::from(name.clone());
    match file.remove(&id, open_api) {
        Err(KeysError::Last(last)) => {
            let question = format!(
                "{last} is the last key. Removing it opens the API to everyone. Remove it?"
            );
            match asks(&question) {
                Some(true) => file.remove(&id, true),
                Some(false) => Err(KeysError::Declined),
                None => Err(KeysError::Last(last)),
            }
        }
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_key_is_removed_only_after_confirmation() {
        let data = tempfile::tempdir().unwrap();
        let (file, name) = (KeyFile::new(data.path()), "one".parse::<Tenant>().unwrap());
        file.add(&name.clone().into(), &Clock::system(), &Random::system()).unwrap();
        let command = KeysCommand::Remove { name, open_api: false };
        let remove = |says: Option<bool>| {
            run(&command, data.path(), |_| says, |_| {}).map_err(|error| error.to_string())
        };
        assert!(remove(None).unwrap_err().contains("--open-api"));
        assert_eq!(remove(Some(false)), Err("nothing was removed".to_owned()));
        assert_eq!(file.list().unwrap().len(), 1);
        assert_eq!(remove(Some(true)), Ok(()));
        assert!(file.list().unwrap().is_empty());
    }
}
