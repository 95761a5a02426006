//! Encrypts party 2's half of one wallet's key to the recipient that an approved change of the
//! tenant's policy names.

use aws_sdk_dynamodb::types::TransactWriteItem;
use platform::metrics::{self, About, Metric};
use protocol::recovery::{RecoveryKeys, RecoveryRecord, SealingKey, Side, Subject};
use protocol::{RecoveryAnswer, Refusal, WalletKey};

use super::Mark;
use crate::audit::{Decision, RequestContext, Step};
use crate::party::{CallError, Cosigner, Failure};
use crate::policy_chain::{ExportFault, View};
use crate::sign::usable;

/// How often the policy may change between read and write.
const TRIES: u32 = 4;

impl Cosigner {
    /// Exports this party's half. The policy decides, and the transaction that records the export
    /// requires that the policy is unchanged. A repeat encrypts the same half to the same key.
    pub(crate) async fn export_half(
        &self,
        context: &RequestContext,
        key: WalletKey,
        (change, named): (u64, SealingKey),
    ) -> Result<RecoveryAnswer, CallError> {
        let context = RequestContext { key, ..context.clone() };
        let key = &context.key;
        for _ in 0..TRIES {
            let policy = [View::key(&key.tenant)];
            let (item, head, mut items) = self.shares.share_head_and(key, &policy).await?;
            let Some(item) = item else {
                return Ok(RecoveryAnswer::NotAllowed(ExportFault::NoShare.to_string()));
            };
            usable(&item, &head)?;
            let view = self.policy_view(&key.tenant, items.pop().flatten()).await?;
            let (share, _) = self.open_share(key, item).await?;
            let now_ms = self.clock.now_ms();
            let recipient = match view.export(change, key, share.address(), now_ms) {
                Ok(recipient) => Ok(recipient.parse::<SealingKey>().map_err(damaged)?),
                Err(cause) => Err(cause),
            };
            let recipient = match recipient.and_then(|it| same(it, named)) {
                Ok(recipient) => recipient,
                Err(cause) => {
                    let refused = Decision::CallRefused { call: "Export".to_owned() };
                    let recorded = self.record(&context, head, &refused, Step::Refuse, None).await;
                    return match recorded {
                        Ok(_) | Err(CallError::Refused(Refusal::Busy)) => {
                            Ok(RecoveryAnswer::NotAllowed(cause.to_string()))
                        }
                        Err(error) => Err(error),
                    };
                }
            };
            let subject = Subject {
                deployment: "export".to_owned(),
                key: key.clone(),
                user_id: None,
                created_at_ms: now_ms,
            };
            let keys = RecoveryKeys::only(recipient);
            let record = RecoveryRecord::seal(&keys, Side::Cosigner, subject, &share)?;
            let exported = Decision::HalfExported {
                change,
                recipient: recipient.id(),
                policy_seq: view.seq,
                policy_hash: view.hash.clone(),
            };
            let check = view.unchanged(&self.shares.table)?;
            let mark = Mark { at_ms: now_ms, change, recipient: recipient.id() };
            let mut writes = vec![TransactWriteItem::builder().condition_check(check).build()];
            writes.extend(self.mark_write(key, &mark)?);
            let step = Step::Export;
            // Before the write: an alarm without an export is better than an export without one.
            metrics::emit(&self.clock, About::SERVICE, &[(Metric::HalfExported, 1)]);
            if self.record_with(&context, head, &exported, step, None, &writes).await?.is_some() {
                tracing::warn!(walletId = %key.wallet_id, change, "half exported");
                return Ok(RecoveryAnswer::Exported(Box::new(record)));
            }
        }
        Err(Refusal::Busy.into())
    }
}

fn same(allowed: SealingKey, named: SealingKey) -> Result<SealingKey, ExportFault> {
    if allowed == named { Ok(allowed) } else { Err(ExportFault::OtherRecipient) }
}

fn damaged(error: impl std::fmt::Display) -> Failure {
    Failure::Damaged(error.to_string())
}
