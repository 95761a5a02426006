//! `hyperdex keys`: makes, lists and removes API keys.

use std::path::Path;

use clap::Subcommand;
use shared::api::ids::Tenant;
use shared::api::responses::rfc3339_seconds;
use shared::clock::Clock;
use shared::random::Random;

use super::{KeyFile, KeysError};

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
    },
}

fn tenant(text: &str) -> Result<Tenant, &'static str> {
    text.parse().map_err(|_| "1 to 64 characters of A-Z a-z 0-9 _ - are wanted")
}

/// Does it with the key file of a data directory, and says what is to be said.
///
/// # Errors
/// When the file cannot be read or changed, or the name is not as the command wants it.
pub fn run(command: &KeysCommand, data_dir: &Path, say: impl Fn(&str)) -> Result<(), KeysError> {
    let file = KeyFile::new(data_dir);
    match command {
        KeysCommand::Add { name } => {
            say(&file.add(name, &Clock::system(), &Random::system())?);
        }
        KeysCommand::List => {
            for key in file.list()? {
                say(&format!("{}  {}", rfc3339_seconds(key.created_at_ms), key.name));
            }
        }
        KeysCommand::Remove { name } => {
            if file.remove(name)? == 0 {
                say("That was the last key: the stack is open now, to the tenant local.");
            }
        }
    }
    Ok(())
}
