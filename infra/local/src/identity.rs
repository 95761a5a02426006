//! `identity.json`: identifies the files of a data directory.

use std::collections::BTreeMap;
use std::path::Path;

use domain::clock::Clock;
use domain::random::Random;
use hyperdex_cloud::engines::TableIds;
use hyperdex_cloud::error::CloudError;
use hyperdex_cloud::files::{broken, write};
use serde::{Deserialize, Serialize};

/// Name of the file in the data directory.
pub(crate) const FILE: &str = "identity.json";

const SCHEMA: u32 = 1;

/// Fault of a file in the directory.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file does not exist.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The file has no content.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// The file cannot be parsed.
    #[error("{file} is corrupt ({cause})")]
    Corrupt {
        /// Name of the file.
        file: &'static str,
        /// Cause, without content of the file.
        cause: String,
    },
    /// The file belongs to another data directory.
    #[error("{0} belongs to another data directory")]
    Foreign(&'static str),
}

/// Identity of a data directory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Identity {
    schema: u32,
    /// A random UUID. The SQLite files contain it as well.
    pub(crate) id: String,
    /// Unix milliseconds.
    pub(crate) created_at_ms: u64,
    /// Whether every file was created. Until then there can be no wallet.
    pub(crate) complete: bool,
    /// Whether a tenant key was ever created. If so, a missing key file must not open the API.
    pub(crate) keys: bool,
    /// The id, sealed under each KMS key, in base64, by the key's alias.
    pub(crate) canaries: BTreeMap<String, String>,
    /// SHA-256 of the audit key's public half, in hex.
    pub(crate) audit_key: String,
    /// Identities of the tables in an external DynamoDB. `None` when the directory has its own
    /// tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tables: Option<TableIds>,
}

impl Identity {
    /// Returns a new identity for an empty directory.
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

    /// Reads the identity of a directory, if it has one.
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

    /// Writes the identity atomically.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), CloudError> {
        let file = directory.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|error| broken(&file, &error))?;
        write(&file, &text)
    }
}

/// Records that the directory has tenant keys. A directory without an identity records it later,
/// with its identity.
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

/// Returns whether the directory has ever had tenant keys.
pub(crate) fn has_keys(directory: &Path) -> Result<bool, String> {
    match Identity::read(directory) {
        Ok(identity) => Ok(identity.is_some_and(|identity| identity.keys)),
        Err(fault) => Err(fault.to_string()),
    }
}
