//! `identity.json`: whose files these are.

use std::collections::BTreeMap;
use std::path::Path;

use domain::clock::Clock;
use domain::random::Random;
use hyperdex_cloud::engines::TableIds;
use hyperdex_cloud::error::CloudError;
use hyperdex_cloud::files::{broken, write};
use serde::{Deserialize, Serialize};

/// The file's name in the data directory.
pub(crate) const FILE: &str = "identity.json";

const SCHEMA: u32 = 1;

/// What is wrong with a file of the directory.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// It has no bytes.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// It cannot be read as what it is.
    #[error("{file} is corrupt ({cause})")]
    Corrupt {
        /// The file.
        file: &'static str,
        /// Why; holds no content of the file.
        cause: String,
    },
    /// It is a file of another data directory.
    #[error("{0} belongs to other data")]
    Foreign(&'static str),
}

/// The identity of a data directory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Identity {
    schema: u32,
    /// A random UUID; the SQLite files hold it as well.
    pub(crate) id: String,
    /// Unix milliseconds.
    pub(crate) created_at_ms: u64,
    /// Whether every file was made. Until then no wallet can exist.
    pub(crate) complete: bool,
    /// Whether API keys were ever made: then a missing key file must not open the API.
    pub(crate) keys: bool,
    /// The id, sealed under each KMS key, in base64, by the key's alias.
    pub(crate) canaries: BTreeMap<String, String>,
    /// SHA-256 of the audit key's public half, in hex.
    pub(crate) audit_key: String,
    /// The tables in an external DynamoDB; `None` when the directory has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tables: Option<TableIds>,
}

impl Identity {
    /// The identity of a directory that is about to be filled.
    pub(crate) fn draw(random: &Random, clock: &Clock) -> Result<Self, CloudError> {
        let id = random.uuid().map_err(|error| CloudError::Part {
            what: "the data directory's identity",
            cause: error.to_string(),
        })?;
        Ok(Self {
            schema: SCHEMA,
            id: id.to_string(),
            created_at_ms: clock.now_ms(),
            complete: false,
            keys: false,
            canaries: BTreeMap::new(),
            audit_key: String::new(),
            tables: None,
        })
    }

    /// The identity of a directory, if it has one.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, Fault> {
        let corrupt = |cause: String| Fault::Corrupt { file: FILE, cause };
        match std::fs::read(directory.join(FILE)) {
            Ok(bytes) if bytes.is_empty() => Err(Fault::Empty(FILE)),
            Ok(bytes) => {
                let identity: Self =
                    serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
                if identity.schema != SCHEMA {
                    return Err(corrupt(format!("schema {} is unknown", identity.schema)));
                }
                Ok(Some(identity))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(corrupt(error.to_string())),
        }
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), CloudError> {
        let file = directory.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|error| broken(&file, &error))?;
        write(&file, &text)
    }
}

/// Notes that the directory has API keys. A directory without an identity gets the note with it.
pub(crate) fn note_keys(directory: &Path) -> Result<(), String> {
    match Identity::read(directory) {
        Ok(Some(identity)) if !identity.keys => {
            let noted = Identity { keys: true, ..identity };
            noted.write(directory).map_err(|error| error.to_string())
        }
        Ok(_) => Ok(()),
        Err(fault) => Err(fault.to_string()),
    }
}

/// Whether the directory has had API keys.
pub(crate) fn has_keys(directory: &Path) -> Result<bool, String> {
    match Identity::read(directory) {
        Ok(identity) => Ok(identity.is_some_and(|identity| identity.keys)),
        Err(fault) => Err(fault.to_string()),
    }
}
