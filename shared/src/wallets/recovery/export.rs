//! Encrypts party 1's half of one wallet's key to the recipient of an export that the cosigner has
//! released, and marks the wallet.

use domain::ids::WalletRef;
use protocol::recovery::{RecoveryKeys, RecoveryRecord, SealingKey, Side, Subject};
use protocol::{RecoveryAnswer, WalletKey};

use super::ImportError;
use crate::store::ExportMark;
use crate::wallets::{Custody, ShareUse};

impl Custody {
    /// Exports this party's half to the recipient of the cosigner's half. The wallet is marked
    /// before the half leaves.
    pub(super) async fn export_half(
        &self,
        key: &WalletKey,
        (change, recipient): (u64, SealingKey),
        released: &RecoveryRecord,
    ) -> Result<RecoveryAnswer, ImportError> {
        let refused = |cause: &str| Ok(RecoveryAnswer::NotAllowed(cause.to_owned()));
        let name = WalletRef::Wallet(key.wallet_id);
        let Some(view) = self.store.find(&key.tenant, &name).await? else {
            return refused("the wallet does not exist");
        };
        let wallet = view.wallet;
        if wallet.key_version != key.key_version {
            return refused("another version of the shares is in use");
        }
        let Ok(share) = self.share_for(&wallet, ShareUse::Sign).await else {
            return refused("the share does not open");
        };
        let subject = Subject {
            deployment: "export".to_owned(),
            key: key.clone(),
            user_id: Some(wallet.user_id.clone()),
            created_at_ms: wallet.created_at_ms,
        };
        let keys = RecoveryKeys::only(recipient);
        let record = RecoveryRecord::seal(&keys, Side::Endpoint, subject, &share);
        let record = record.map_err(super::failed)?;
        let is_released = released.sealed.iter().any(|half| half.key_id == recipient.id());
        if !is_released || record.check_pair(released).is_err() {
            return refused("the cosigner's half does not fit the wallet's");
        }
        let mark = ExportMark { at_ms: self.clock.now_ms(), change, recipient: recipient.id() };
        let kept = self.mark_write(&wallet, &mark)?;
        self.store.mark_exported(&wallet, &mark, kept).await?;
        tracing::warn!(walletId = %key.wallet_id, change, "half exported");
        Ok(RecoveryAnswer::Exported(Box::new(record)))
    }
}
