//! Party 1's recovery records. Each is written in the transaction that stores its share, and
//! deleted after the cosigner retired its own share of that version.

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::ids::UserId;
use platform::env::{ConfigError, Env};
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};
use platform::recovery::{RecoverySetting, RecoveryTable};
use protocol::recovery::{
    RecordError, RecoveryKeyError, RecoveryKeys, RecoveryRecord, Side, Subject,
};
use protocol::{KeyShare, WalletKey};

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
    /// Sets the recovery keys. Without one, shares get no records.
    ///
    /// # Errors
    /// Fails when the setting holds other texts than recovery keys of the endpoint side.
    pub fn with_recovery(
        mut self,
        setting: Option<RecoverySetting>,
    ) -> Result<Self, RecoveryKeyError> {
        self.recovery = match setting {
            None => None,
            Some(setting) => Some(Recovery {
                keys: RecoveryKeys::parse(&setting.public_keys, Side::Endpoint)?,
                table: RecoveryTable::new(self.store.client(), &setting.table),
                deployment: setting.deployment,
            }),
        };
        Ok(self)
    }

    /// Returns custody with the recovery keys of the environment. A function that makes shares and
    /// has no key says so.
    ///
    /// # Errors
    /// Fails when a setting is missing or invalid.
    pub(super) fn with_recovery_from_env(self, env: &Env<'_>) -> Result<Self, ConfigError> {
        let custody = self.with_recovery(RecoverySetting::from_env(env)?).map_err(|_| {
            let want = "at most two recovery keys of the endpoint side, separated by a comma";
            ConfigError::Invalid { name: "RECOVERY_PUBLIC_KEY", want }
        })?;
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
        match &self.recovery {
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
