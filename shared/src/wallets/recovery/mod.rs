//! Party 1's recovery records. Each is written in the transaction that stores its share, and
//! deleted after the cosigner retired its own share of that version. `import` restores shares from
//! records.

mod export;
mod import;

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::ids::{Tenant, UserId, WalletRef};
use platform::env::{ConfigError, Env};
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};
use platform::recovery::{RecoverySetting, RecoveryTable};
use protocol::recovery::{RecordError, RecoveryKeys, RecoveryRecord, Side, Subject};
use protocol::{KeyShare, WalletKey};
use uuid::Uuid;

pub use import::ImportError;

use super::Custody;
use crate::store::{ExportMark, WalletRecord};

/// How often a request for a refresh reads the wallet again.
const ATTEMPTS: usize = 4;

/// The result of a request for a refresh.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefreshRequested {
    /// The next run of the refresh job handles the wallet.
    Noted,
    /// The tenant has no such wallet.
    NotFound,
}

/// Party 1's recovery keys, and the table of its records.
#[derive(Clone, Debug)]
pub(super) struct Recovery {
    keys: RecoveryKeys,
    table: RecoveryTable,
    deployment: String,
}

fn failed(error: RecordError) -> StoreError {
    StoreError::Damaged { what: "recovery record", cause: error.to_string() }
}

impl Custody {
    /// Sets the recovery keys, the table of the records, and the name of the deployment. Without a
    /// key, shares get no records.
    #[must_use]
    pub fn with_recovery(mut self, keys: RecoveryKeys, table: &str, deployment: &str) -> Self {
        let table = RecoveryTable::new(self.store.client(), table);
        self.recovery = Some(Recovery { keys, table, deployment: deployment.to_owned() });
        self
    }

    /// Returns custody with the recovery keys of the environment, for a function that makes shares.
    /// Without a key, the function says so.
    ///
    /// # Errors
    /// Fails when a setting is missing or invalid.
    pub fn with_recovery_from_env(self, env: &Env<'_>) -> Result<Self, ConfigError> {
        let custody = match RecoverySetting::from_env(env) {
            None => self,
            Some(RecoverySetting { table, public_keys, deployment }) => {
                let keys = RecoveryKeys::parse(&public_keys, Side::Endpoint).map_err(|_| {
                    let want =
                        "at most two recovery keys of the endpoint side, with a comma between";
                    ConfigError::Invalid { name: "RECOVERY_PUBLIC_KEY", want }
                })?;
                self.with_recovery(keys, &table, &deployment)
            }
        };
        let is_missing = custody.recovery.as_ref().is_none_or(|recovery| recovery.keys.is_empty());
        if is_missing {
            tracing::warn!(
                "no recovery key: the loss of the wallets' table or key ends all wallets"
            );
        }
        let missing = (Metric::RecoveryKeyMissing, u64::from(is_missing));
        metrics::emit(&custody.clock, About::SERVICE, &[missing]);
        Ok(custody)
    }

    /// Makes a wallet due for the refresh job at once, whatever the age of its shares, and also if its
    /// last refresh failed. For wallets whose other share was restored: nothing in the wallets' table
    /// shows that.
    ///
    /// # Errors
    /// Fails when the table fails, or other calls change the wallet all the time.
    pub async fn request_refresh(
        &self,
        tenant: &Tenant,
        wallet_id: Uuid,
    ) -> Result<RefreshRequested, StoreError> {
        for _ in 0..ATTEMPTS {
            let view = self.store.find(tenant, &WalletRef::Wallet(wallet_id)).await?;
            let Some(view) = view else { return Ok(RefreshRequested::NotFound) };
            match self.store.make_due(&view.wallet).await {
                Ok(()) => return Ok(RefreshRequested::Noted),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict)
    }

    /// Reports the age of the last verification of the records, if there is a recovery key.
    pub async fn measure_verification(&self) {
        if let Some(recovery) = self.recovery.as_ref().filter(|it| !it.keys.is_empty()) {
            recovery.table.measure_verification(&self.clock).await;
        }
    }

    /// Returns the write of a share's record; `None` without a recovery key.
    pub(super) fn recovery_write(
        &self,
        key: &WalletKey,
        (user, created_at_ms): (&UserId, u64),
        share: &KeyShare,
    ) -> Result<Option<TransactWriteItem>, StoreError> {
        let Some(recovery) = self.recovery.as_ref().filter(|it| !it.keys.is_empty()) else {
            return Ok(None);
        };
        let subject = Subject {
            deployment: recovery.deployment.clone(),
            key: key.clone(),
            user_id: Some(user.clone()),
            created_at_ms,
        };
        let record = RecoveryRecord::seal(&recovery.keys, Side::Endpoint, subject, share);
        let record = record.map_err(failed)?;
        let of = (&key.tenant, key.wallet_id);
        Ok(Some(recovery.table.put(of, key.key_version, &record)?))
    }

    /// Returns the write that marks a wallet as exported in the recovery table, which outlives the
    /// wallets' table.
    fn mark_write(
        &self,
        wallet: &WalletRecord,
        mark: &ExportMark,
    ) -> Result<Option<TransactWriteItem>, StoreError> {
        let Some(recovery) = &self.recovery else { return Ok(None) };
        recovery.table.put_mark((&wallet.tenant, wallet.wallet_id), mark).map(Some)
    }

    /// Returns the mark of an exported wallet in the recovery table.
    async fn export_mark(
        &self,
        tenant: &Tenant,
        wallet_id: Uuid,
    ) -> Result<Option<ExportMark>, StoreError> {
        match &self.recovery {
            Some(recovery) => recovery.table.mark(tenant, wallet_id).await,
            None => Ok(None),
        }
    }

    /// Returns the versions of a wallet's shares that have a record.
    pub(super) async fn recorded(&self, wallet: &WalletRecord) -> Result<Vec<u32>, StoreError> {
        // Without a key, new shares have no record, and the records of old shares stay.
        match self.recovery.as_ref().filter(|it| !it.keys.is_empty()) {
            None => Ok(Vec::new()),
            Some(recovery) => recovery.table.versions(&wallet.tenant, wallet.wallet_id).await,
        }
    }

    /// Deletes the records of versions before the one in use. Both parties have a record of that
    /// one.
    pub(super) async fn drop_older(
        &self,
        wallet: &WalletRecord,
        recorded: &[u32],
    ) -> Result<(), StoreError> {
        let Some(recovery) = &self.recovery else { return Ok(()) };
        for version in recorded.iter().filter(|version| **version < wallet.key_version) {
            recovery.table.delete(&wallet.tenant, wallet.wallet_id, *version).await?;
        }
        Ok(())
    }
}
