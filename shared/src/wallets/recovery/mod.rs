//! Party 1's recovery records. Each is written in the transaction that stores its share, and
//! deleted after the cosigner retired its own share of that version. `import` restores shares from
//! records.

mod export;
mod import;

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::ids::UserId;
use platform::env::{ConfigError, Env};
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};
use platform::recovery::{RecoverySetting, RecoveryTable};
use protocol::recovery::{RecordError, RecoveryKeys, RecoveryRecord, Side, Subject};
use protocol::{KeyShare, WalletKey};

pub use import::ImportError;

use super::Custody;
use crate::store::WalletRecord;

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
        if custody.recovery.as_ref().is_some_and(|recovery| recovery.keys.is_empty()) {
            tracing::warn!(
                "no recovery key: the loss of the wallets' table or key ends all wallets"
            );
            metrics::emit(&custody.clock, About::SERVICE, &[(Metric::RecoveryKeyMissing, 1)]);
        }
        Ok(custody)
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
