//! `hyperdex keys`: makes, lists and removes API keys.

use std::path::Path;

use clap::Subcommand;
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::Random;
use domain::time::rfc3339_seconds;

use crate::data::existing;
use crate::error::StartError;
use crate::keys::{KeyFile, KeysError};

/// What to do with the keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key for the tenant NAME, and print it, this once. A running stack takes it at once.
    Add {
        /// 1 to 64 characters of A-Z a-z 0-9 _ -; the tenant.
        #[arg(value_parser = tenant)]
        name: Tenant,
    },
    /// Print the name of each key, and when it was made.
    List,
    /// Take a key away. Its tenant's wallets stay, for the next key of this name.
    Remove {
        /// The tenant.
        #[arg(value_parser = tenant)]
        name: Tenant,
        /// Remove also the last key, which opens the API to everyone. Without it, a terminal is
        /// asked.
        #[arg(long)]
        open_api: bool,
    },
}

fn tenant(text: &str) -> Result<Tenant, &'static str> {
    text.parse().map_err(|_| "expected 1 to 64 characters of A-Z a-z 0-9 _ -")
}

/// Does it with the key file of a data directory, and says what is to be said. `asks` puts a
/// question to a person, and returns whether the answer is yes; `None` where there is no person.
///
/// # Errors
/// When the file cannot be read or changed, or the name is not as the command expects it.
pub fn run(
    command: &KeysCommand,
    data_dir: &Path,
    asks: impl FnOnce(&str) -> Option<bool>,
    say: impl Fn(&str),
) -> Result<(), StartError> {
    let file = KeyFile::new(data_dir);
    match command {
        KeysCommand::Add { name } => {
            say(&file.add(name, &Clock::system(), &Random::system())?);
        }
        KeysCommand::List => {
            existing(data_dir)?;
            for key in file.list()? {
                say(&format!("{}  {}", rfc3339_seconds(key.created_at_ms), key.name));
            }
        }
        KeysCommand::Remove { name, open_api } => {
            existing(data_dir)?;
            if remove(&file, name, *open_api, asks)? == 0 {
                say("That was the last key: the API is open now, to the tenant local.");
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
    match file.remove(name, open_api) {
        Err(KeysError::Last(last)) => {
            let question = format!(
                "{last} is the last key. Without it the API is open to everyone. Remove it?"
            );
            match asks(&question) {
                Some(true) => file.remove(name, true),
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
    fn last_key_is_removed_only_when_a_person_agrees() {
        let data = tempfile::tempdir().unwrap();
        let (file, name) = (KeyFile::new(data.path()), "one".parse::<Tenant>().unwrap());
        file.add(&name, &Clock::system(), &Random::system()).unwrap();
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
