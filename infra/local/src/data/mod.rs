//! The data directory: its files, and the checks that they belong together.
//!
//! The first start gives a directory an identity. The identity's file contains the directory's id
//! sealed under each KMS key (the canaries). The SQLite files contain the id as well. Every start
//! verifies all of it before it changes anything, because a stack that starts with other files
//! would give users other addresses, or open the API.

pub(crate) mod archive;
pub mod backup;
mod disk;
pub mod doctor;
mod external;
pub(crate) mod recovery_keys;
mod sqlite;
mod tables;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::clock::Clock;
use domain::random::Random;
use hyperdex_cloud::dynamodb::sdk_error;
use hyperdex_cloud::files::broken;
use hyperdex_cloud::kms::{self, Kms};
use hyperdex_cloud::names::{COSIGNER_KEY, COSIGNER_TABLE, WALLETS_KEY, WALLETS_TABLE};
use platform::aws::Aws;

use crate::error::{Damaged, StartError};
use crate::identity::{self, Fault, Identity};
use crate::keys::{KEYS_FILE, KeyFile};
pub use disk::MIN_FREE;
pub(crate) use disk::write_trouble;
pub(crate) use external::sqlite_files;
pub use tables::with_tables;

/// Both tables.
pub(crate) const DATABASE: &str = "dynamodb.sqlite";
/// The queue of webhook deliveries.
pub(crate) const QUEUE: &str = "queue.sqlite";
/// The KMS keys.
pub(crate) const KMS_KEYS: &str = "kms.json";
/// The key that signs the audit log's heads.
pub(crate) const AUDIT_KEY_FILE: &str = "audit-key.der";
/// Lock of the stack that uses the directory.
const LOCK: &str = "lock";
/// Aliases of the KMS keys that seal data.
const SEALING_KEYS: [&str; 2] = [WALLETS_KEY, COSIGNER_KEY];

/// State of a directory.
#[derive(Debug)]
enum Found {
    /// Empty: no data was ever stored in it.
    New(Identity),
    /// Written by an earlier version, without an identity.
    Earlier(Identity),
    /// It has an identity, and its own complete SQLite files.
    Known(Identity),
}

/// A data directory in use or under inspection.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    found: Found,
}

impl Directory {
    /// Verifies everything about an existing directory that does not require its keys. Changes
    /// nothing.
    pub(crate) fn look(path: &Path, random: &Random, clock: &Clock) -> Result<Self, StartError> {
        let directory =
            Self { path: path.to_owned(), found: Found::New(Identity::draw(random, clock)?) };
        let found = match Identity::read(path).map_err(|fault| directory.damaged(fault))? {
            Some(identity) if identity.complete => {
                directory.check_known(&identity)?;
                Found::Known(identity)
            }
            // The first start did not complete, so neither the API nor a wallet existed.
            Some(identity) => Found::New(identity),
            None => directory.look_without_identity()?,
        };
        Ok(Self { found, ..directory })
    }

    fn check_known(&self, identity: &Identity) -> Result<(), StartError> {
        let external = identity.tables.is_some();
        if !external {
            self.is_there(KMS_KEYS)?;
            self.is_there(AUDIT_KEY_FILE)?;
        }
        if identity.keys {
            self.is_there(KEYS_FILE)?;
        }
        for file in sqlite_files(external) {
            self.is_there(file)?;
            let id = sqlite::check(&self.path.join(file), file);
            let id = id.map_err(|fault| self.damaged(fault))?;
            if id.as_deref() != Some(identity.id.as_str()) {
                return Err(self.damaged(Fault::Foreign(file)));
            }
        }
        Ok(())
    }

    fn look_without_identity(&self) -> Result<Found, StartError> {
        let Found::New(drawn) = &self.found else {
            return Err(self.damaged(Fault::Missing(identity::FILE)));
        };
        let there = |file: &&&str| self.path.join(file).exists();
        let files = [DATABASE, KMS_KEYS];
        if files.iter().filter(there).count() == 0 {
            return Ok(Found::New(drawn.clone()));
        }
        for file in files {
            self.is_there(file)?;
        }
        for file in [DATABASE, QUEUE] {
            if file == QUEUE && !self.path.join(QUEUE).exists() {
                // Earlier versions had no webhooks and no such file.
                continue;
            }
            let id = sqlite::check(&self.path.join(file), file);
            if id.map_err(|fault| self.damaged(fault))?.is_some() {
                return Err(self.damaged(Fault::Missing(identity::FILE)));
            }
        }
        Ok(Found::Earlier(drawn.clone()))
    }

    fn is_there(&self, file: &'static str) -> Result<(), StartError> {
        match std::fs::metadata(self.path.join(file)) {
            Ok(metadata) if metadata.len() == 0 => Err(self.damaged(Fault::Empty(file))),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(self.damaged(Fault::Missing(file)))
            }
            Err(error) => Err(broken(&self.path.join(file), &error).into()),
        }
    }

    fn damaged(&self, fault: Fault) -> StartError {
        Damaged { directory: self.path.clone(), fault }.into()
    }

    /// Returns whether KMS keys may be created. They may not if data was sealed with others.
    pub(crate) const fn may_make_keys(&self) -> bool {
        matches!(self.found, Found::New(_))
    }

    /// Returns the identity of a directory that has one.
    pub(crate) const fn known(&self) -> Option<&Identity> {
        match &self.found {
            Found::Known(identity) => Some(identity),
            Found::New(_) | Found::Earlier(_) => None,
        }
    }

    /// Records that the start is about to create the files of a new directory. If it crashes, the
    /// next start does not report missing files.
    pub(crate) fn begin(&self) -> Result<(), StartError> {
        match &self.found {
            Found::New(identity) => Ok(identity.write(&self.path)?),
            Found::Earlier(_) | Found::Known(_) => Ok(()),
        }
    }

    /// Verifies that the KMS keys are those that sealed the directory's data.
    pub(crate) fn check_keys(&self, service: &Kms) -> Result<(), StartError> {
        let Some(identity) = self.known() else { return Ok(()) };
        for alias in SEALING_KEYS {
            let canary = identity.canaries.get(alias).map(String::as_str).unwrap_or_default();
            if !kms::opens(service, alias, canary, &identity.id) {
                return Err(self.damaged(Fault::Foreign(KMS_KEYS)));
            }
        }
        Ok(())
    }

    /// Verifies the key that signs the audit log's heads, by its public half.
    pub(crate) fn check_audit_key(&self, public: &[u8]) -> Result<(), StartError> {
        match self.known() {
            Some(identity) if identity.audit_key != fingerprint(public) => {
                Err(self.damaged(Fault::Foreign(AUDIT_KEY_FILE)))
            }
            _ => Ok(()),
        }
    }

    /// Gives a directory its identity, after all its files are created. Adopts a directory of an
    /// earlier version only if its keys sealed its data.
    pub(crate) async fn settle(
        &self,
        service: &Kms,
        aws: &Aws,
        public: &[u8],
    ) -> Result<Identity, StartError> {
        let keys = KeyFile::new(&self.path);
        // `keys add` may run concurrently, and records in the identity that there are keys.
        let _lock = keys.lock()?;
        let mut identity = match &self.found {
            Found::Known(identity) => {
                let current = Identity::read(&self.path).map_err(|fault| self.damaged(fault))?;
                let mut identity = current.unwrap_or_else(|| identity.clone());
                let before = identity.clone();
                identity.keys |= self.path.join(KEYS_FILE).exists();
                // After a rotation, a key file from before the rotation is incomplete.
                if !Self::canaries_are_current(service, &identity) {
                    identity.canaries = self.canaries(service, &identity.id)?;
                }
                if identity != before {
                    identity.write(&self.path)?;
                }
                return Ok(identity);
            }
            Found::New(identity) => identity.clone(),
            Found::Earlier(identity) => {
                self.check_sealed(service, aws).await?;
                identity.clone()
            }
        };
        for file in [DATABASE, QUEUE] {
            let path = self.path.join(file);
            sqlite::mark(&path, &identity.id).map_err(|error| broken(&path, &error))?;
        }
        identity.canaries = self.canaries(service, &identity.id)?;
        identity.audit_key = fingerprint(public);
        identity.keys = self.path.join(KEYS_FILE).exists();
        identity.complete = true;
        identity.write(&self.path)?;
        Ok(identity)
    }

    /// Returns the directory's id, sealed under each KMS key.
    fn canaries(&self, service: &Kms, id: &str) -> Result<BTreeMap<String, String>, StartError> {
        let seal = |alias: &str| {
            let canary = kms::seal(service, alias, id);
            let canary = canary.ok_or_else(|| self.damaged(Fault::Foreign(KMS_KEYS)))?;
            Ok((alias.to_owned(), canary))
        };
        SEALING_KEYS.into_iter().map(seal).collect()
    }

    /// Returns whether every canary was sealed with its key's current material.
    fn canaries_are_current(service: &Kms, identity: &Identity) -> bool {
        SEALING_KEYS.iter().all(|alias| {
            let canary = identity.canaries.get(*alias);
            canary.is_some_and(|canary| kms::is_current(service, alias, canary))
        })
    }

    /// Compares the KMS key of each table's first sealed item with the current one.
    async fn check_sealed(&self, service: &Kms, aws: &Aws) -> Result<(), StartError> {
        for (table, alias) in [(WALLETS_TABLE, WALLETS_KEY), (COSIGNER_TABLE, COSIGNER_KEY)] {
            let key = kms::key_id(service, alias);
            let Some(wrapped) = first_wrapped_key(aws, table).await? else { continue };
            if key.is_none() || kms::key_of(&wrapped) != key {
                return Err(self.damaged(Fault::Foreign(KMS_KEYS)));
            }
        }
        Ok(())
    }
}

/// Returns the first data key of a table's items that KMS has wrapped.
async fn first_wrapped_key(aws: &Aws, table: &str) -> Result<Option<Vec<u8>>, StartError> {
    let client = aws.dynamodb();
    let mut from = None;
    loop {
        let page = client
            .scan()
            .table_name(table)
            .filter_expression("#sealed.#format = :one")
            .expression_attribute_names("#sealed", "sealed")
            .expression_attribute_names("#format", "f")
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .set_exclusive_start_key(from)
            .send()
            .await
            .map_err(sdk_error)?;
        let wrapped = page.items.unwrap_or_default().into_iter().find_map(|item| {
            let sealed = item.get("sealed")?.as_m().ok()?;
            Some(sealed.get("k")?.as_b().ok()?.as_ref().to_vec())
        });
        match (wrapped, page.last_evaluated_key) {
            (Some(wrapped), _) => return Ok(Some(wrapped)),
            (None, None) => return Ok(None),
            (None, next) => from = next,
        }
    }
}

fn fingerprint(public: &[u8]) -> String {
    hex::encode(digest(&SHA256, public).as_ref())
}

/// Creates the data directory, readable by its owner only, and takes its lock.
pub(crate) fn prepare(directory: &Path) -> Result<File, StartError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| broken(directory, &error))?;
    lock(directory)
}

/// Takes the lock of an existing directory. The file contains the process id.
pub(crate) fn lock(directory: &Path) -> Result<File, StartError> {
    let failed = |error: std::io::Error| StartError::from(broken(directory, &error));
    let path = directory.join(LOCK);
    // Not truncated: it may contain the id of the process that holds the lock.
    let options = File::options().write(true).create(true).truncate(false).open(path);
    let mut lock = options.map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StartError::InUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(failed)?;
    Ok(lock)
}

/// Refuses a directory without data of a local stack, for commands that only read.
///
/// # Errors
/// Returns an error that names the directory.
pub fn existing(directory: &Path) -> Result<(), StartError> {
    let known = [identity::FILE, DATABASE, KEYS_FILE];
    if known.iter().any(|file| directory.join(file).exists()) {
        Ok(())
    } else {
        Err(StartError::NoData(directory.to_owned()))
    }
}
