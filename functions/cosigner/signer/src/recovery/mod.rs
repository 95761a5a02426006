//! The cosigner's recovery records. Each is written in the transaction that stores its share, and
//! deleted after the share is retired. `import` restores shares from records.

mod export;
mod import;

use aws_sdk_dynamodb::types::TransactWriteItem;
use platform::env::{ConfigError, Env};
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};
use platform::recovery::{RecoverySetting, RecoveryTable};
use protocol::recovery::{RecoveryKeys, RecoveryRecord, Side, Subject};
use protocol::{KeyShare, WalletKey};
use serde::{Deserialize, Serialize};

use crate::party::{Cosigner, Failure};
use crate::records::Recovery;

/// The mark of an exported key.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    /// Unix milliseconds.
    at_ms: u64,
    /// The number of the change that allowed the export.
    change: u64,
    /// The id of the recipient's key.
    recipient: String,
}

impl Cosigner {
    /// Sets the recovery keys, the table of the records, and the name of the deployment. Without a
    /// key, shares get no records.
    #[must_use]
    pub fn with_recovery(mut self, keys: RecoveryKeys, table: &str, deployment: &str) -> Self {
        let table = RecoveryTable::new(self.shares.db.clone(), table);
        self.recovery = Some(Recovery { keys, table, deployment: deployment.to_owned() });
        self
    }

    /// Sets the recovery keys of the environment, and says so if there is none.
    pub(crate) fn with_recovery_from_env(self, env: &Env<'_>) -> Result<Self, ConfigError> {
        let cosigner = match RecoverySetting::from_env(env) {
            None => self,
            Some(RecoverySetting { table, public_keys, deployment }) => {
                let keys = RecoveryKeys::parse(&public_keys, Side::Cosigner).map_err(|_| {
                    let want = "at most two recovery keys of the cosigner, separated by a comma";
                    ConfigError::Invalid { name: "RECOVERY_PUBLIC_KEY", want }
                })?;
                self.with_recovery(keys, &table, &deployment)
            }
        };
        let is_missing = !cosigner.has_recovery_key();
        if is_missing {
            tracing::warn!(
                "no recovery key: the loss of the cosigner's table or key ends all wallets"
            );
        }
        let missing = (Metric::RecoveryKeyMissing, u64::from(is_missing));
        metrics::emit(&cosigner.clock, About::SERVICE, &[missing]);
        Ok(cosigner)
    }

    /// Returns whether new shares get recovery records.
    #[must_use]
    pub fn has_recovery_key(&self) -> bool {
        self.recovery.as_ref().is_some_and(|recovery| !recovery.keys.is_empty())
    }

    /// Returns the write of a share's record; none without a recovery key.
    pub(crate) fn recovery_write(
        &self,
        key: &WalletKey,
        share: &KeyShare,
    ) -> Result<Vec<TransactWriteItem>, Failure> {
        let Some(recovery) = self.recovery.as_ref().filter(|it| !it.keys.is_empty()) else {
            return Ok(Vec::new());
        };
        let subject = Subject {
            deployment: recovery.deployment.clone(),
            key: key.clone(),
            user_id: None,
            created_at_ms: self.clock.now_ms(),
        };
        let record = RecoveryRecord::seal(&recovery.keys, Side::Cosigner, subject, share)?;
        let write = recovery.table.put((&key.tenant, key.wallet_id), key.key_version, &record)?;
        Ok(vec![write])
    }

    /// Returns the write that marks a key as exported in the recovery table, which outlives the
    /// cosigner's own.
    fn mark_write(&self, key: &WalletKey, mark: &Mark) -> Result<Vec<TransactWriteItem>, Failure> {
        let Some(recovery) = &self.recovery else { return Ok(Vec::new()) };
        Ok(vec![recovery.table.put_mark((&key.tenant, key.wallet_id), mark)?])
    }

    /// Returns whether the recovery table marks a key as exported.
    async fn is_marked(&self, key: &WalletKey) -> Result<bool, StoreError> {
        let Some(recovery) = &self.recovery else { return Ok(false) };
        let mark = recovery.table.mark::<Mark>(&key.tenant, key.wallet_id).await?;
        Ok(mark.is_some())
    }

    /// Deletes the records of versions that party 1 never relied on.
    pub(crate) async fn drop_records(
        &self,
        key: &WalletKey,
        versions: impl Iterator<Item = u32> + Send,
    ) -> Result<(), StoreError> {
        let Some(recovery) = &self.recovery else { return Ok(()) };
        for version in versions {
            recovery.table.delete(&key.tenant, key.wallet_id, version).await?;
        }
        Ok(())
    }

    /// Deletes the records of retired versions, if both parties have a record of the shares in use.
    /// An old pair is as good as a new one, so otherwise the old records stay. Returns whether this
    /// party has a record of the shares in use.
    pub(crate) async fn retire_records(
        &self,
        key: &WalletKey,
        retired: &[u32],
        party_1_has_one: bool,
    ) -> Result<bool, StoreError> {
        // Without a key, new shares have no record, and the records of old shares stay.
        let Some(recovery) = self.recovery.as_ref().filter(|it| !it.keys.is_empty()) else {
            return Ok(false);
        };
        let known = recovery.table.versions(&key.tenant, key.wallet_id).await?;
        if !known.contains(&key.key_version) {
            return Ok(false);
        }
        if party_1_has_one {
            // A retry finds no live shares any more, but possibly their records.
            let older =
                known.into_iter().filter(|it| *it < key.key_version || retired.contains(it));
            self.drop_records(key, older).await?;
        }
        Ok(true)
    }
}
