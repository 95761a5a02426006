//! A data directory whose tables and keys are in external engines. It stores the tables' identities
//! and the keys' canaries, so that a start refuses other engines.

use std::collections::BTreeMap;

use hyperdex_cloud::engines::{Engines, TableIds};
use hyperdex_cloud::files::broken;
use platform::aws::Aws;

use super::{DATABASE, Directory, Found, KEYS_FILE, QUEUE, fingerprint, sqlite};
use crate::error::StartError;
use crate::identity::Identity;
use crate::keys::KeyFile;

impl Directory {
    /// Returns whether the tables and keys are in external engines.
    pub(crate) fn is_external(&self) -> bool {
        self.known().is_some_and(|identity| identity.tables.is_some())
    }

    /// Refuses external engines if the directory has tables and keys of its own, and embedded ones
    /// if it has not.
    pub(crate) fn check_kind(&self, external: bool) -> Result<(), StartError> {
        let own = match &self.found {
            Found::New(_) => return Ok(()),
            Found::Earlier(_) => true,
            Found::Known(identity) => identity.tables.is_none(),
        };
        match (own, external) {
            (true, true) => Err(self.other_engines(
                "its tables and keys are in its own files; leave --dynamodb-url and --kms-url out",
            )),
            (false, false) => Err(self.other_engines(
                "its tables and keys are in external engines; pass --dynamodb-url and --kms-url",
            )),
            _ => Ok(()),
        }
    }

    fn other_engines(&self, cause: &'static str) -> StartError {
        StartError::Engines { directory: self.path.clone(), cause }
    }

    /// Verifies that the engines hold the directory's tables and keys.
    pub(crate) async fn check_engines(
        &self,
        engines: &Engines,
        aws: &Aws,
    ) -> Result<(), StartError> {
        let Some(identity) = self.known() else { return Ok(()) };
        if identity.tables.as_ref() != Some(&TableIds::read(aws).await?) {
            return Err(self.other_engines(
                "the DynamoDB at --dynamodb-url does not have its tables; pass the former URL",
            ));
        }
        for key in engines.sealing_keys() {
            let canary = identity.canaries.get(key).map(String::as_str).unwrap_or_default();
            if !engines.opens(aws, key, canary, &identity.id).await? {
                return Err(self.other_engines(
                    "the KMS at --kms-url does not open what it sealed; pass the former URL and \
                     key ids",
                ));
            }
        }
        Ok(())
    }

    /// Gives a directory its identity, after the engines have all tables and keys.
    pub(crate) async fn settle_engines(
        &self,
        engines: &Engines,
        aws: &Aws,
        public: &[u8],
    ) -> Result<Identity, StartError> {
        let keys = KeyFile::new(&self.path);
        // `keys add` may run concurrently, and records in the identity that there are keys.
        let _lock = keys.lock()?;
        let current = Identity::read(&self.path).map_err(|fault| self.damaged(fault))?;
        let (Found::New(found) | Found::Earlier(found) | Found::Known(found)) = &self.found;
        let mut identity = current.unwrap_or_else(|| found.clone());
        let queue = self.path.join(QUEUE);
        sqlite::mark(&queue, &identity.id).map_err(|error| broken(&queue, &error))?;
        let mut canaries = BTreeMap::new();
        for key in engines.sealing_keys() {
            canaries.insert(key.to_owned(), engines.seal(aws, key, &identity.id).await?);
        }
        identity.canaries = canaries;
        identity.tables = Some(TableIds::read(aws).await?);
        identity.audit_key = fingerprint(public);
        identity.keys |= self.path.join(KEYS_FILE).exists();
        identity.complete = true;
        identity.write(&self.path)?;
        Ok(identity)
    }
}

/// Returns the SQLite files of a directory.
pub(crate) const fn sqlite_files(external: bool) -> &'static [&'static str] {
    if external { &[QUEUE] } else { &[DATABASE, QUEUE] }
}
