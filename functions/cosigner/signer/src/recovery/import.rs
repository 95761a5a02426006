//! Restores party 2's shares from halves that the holder of the recovery key encrypted to a transport
//! key of this stack.
//!
//! A restored share is hollow: it signs only after a refresh. An import never replaces a share that
//! opens, and keeps the sealed bytes of one that does not.

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use domain::ids::Tenant;
use platform::envelope::{Context, Purpose, Sealed};
use platform::items::{Item, StoreError, to_record};
use protocol::recovery::{OpeningKey, RecoveryRecord, Side};
use protocol::{
    Imported, MAX_HALVES, RecoveryAnswer, RecoveryCall, Refusal, TRANSPORT_LIFE_MS, Transport,
    TransportedHalf, WalletKey,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::audit::{Decision, Head, RequestContext, Step};
use crate::party::{CallError, Cosigner, Failure};
use crate::store::{ShareItem, item_key, share_context, share_item};

/// Returns the encryption context of a transport key.
fn transport_context(key_id: String, created_at_ms: u64) -> Context {
    Context {
        tenant: Tenant::local(),
        wallet_id: Uuid::nil(),
        purpose: Purpose::RecoveryTransport,
        exchange: None,
        version: format!("{key_id}/{created_at_ms}"),
    }
}

impl Cosigner {
    /// Handles a call of a recovery.
    pub(crate) async fn recovery_call(
        &self,
        context: &RequestContext,
        call: RecoveryCall,
    ) -> Result<RecoveryAnswer, CallError> {
        match call {
            RecoveryCall::Begin => self.begin_recovery().await.map(RecoveryAnswer::Begun),
            RecoveryCall::Export { key, change, recipient, .. } => {
                self.export_half(context, key, (change, recipient)).await
            }
            RecoveryCall::Import { transport, halves } => {
                if halves.len() > MAX_HALVES {
                    return Err(Refusal::Malformed.into());
                }
                let Some(key) = self.transport_key(&transport).await? else {
                    return Ok(RecoveryAnswer::UnknownTransport);
                };
                let mut done = Vec::with_capacity(halves.len());
                for half in halves {
                    done.push(self.import(context, &key, half).await?);
                }
                Ok(RecoveryAnswer::Imported(done))
            }
        }
    }

    async fn begin_recovery(&self) -> Result<Transport, CallError> {
        let key = OpeningKey::generate().map_err(damaged)?;
        let created_at_ms = self.clock.now_ms();
        let context = transport_context(key.public().id(), created_at_ms);
        let sealed = self.envelope.seal(context, key.expose()).await?;
        Ok(Transport {
            side: Side::Cosigner,
            public_key: *key.public(),
            sealed: serde_json::to_string(&sealed).map_err(damaged)?,
            created_at_ms,
        })
    }

    /// Opens the private part of a transport key; `None` when it is not of this stack, or expired.
    async fn transport_key(&self, transport: &Transport) -> Result<Option<OpeningKey>, Failure> {
        let Transport { side, public_key, sealed, created_at_ms } = transport;
        let expired = self.clock.now_ms() > created_at_ms.saturating_add(TRANSPORT_LIFE_MS);
        let Ok(sealed) = serde_json::from_str::<Sealed>(sealed) else { return Ok(None) };
        if expired || *side != Side::Cosigner {
            return Ok(None);
        }
        let context = transport_context(public_key.id(), *created_at_ms);
        let Ok(bytes) = self.envelope.open(&context, &sealed).await else { return Ok(None) };
        let key =
            OpeningKey::from_bytes(&bytes).map_err(|error| Failure::Damaged(error.to_string()))?;
        Ok((key.public() == public_key).then_some(key))
    }

    async fn import(
        &self,
        context: &RequestContext,
        transport: &OpeningKey,
        TransportedHalf { record, half }: TransportedHalf,
    ) -> Result<Imported, CallError> {
        let key = record.key();
        let share = match record.open_transported(transport, &half) {
            _ if record.side != Side::Cosigner => {
                return Ok(refused("the half is of the other side"));
            }
            Ok(half) => record.hollow(&half),
            Err(error) => Err(error),
        };
        let bytes: Zeroizing<Vec<u8>> = match share {
            Ok(share) => share.to_bytes(),
            Err(error) => return Ok(refused(&error.to_string())),
        };
        let context = RequestContext { key: key.clone(), ..context.clone() };
        let (item, head) = self.shares.share_and_head(&key).await?;
        if head.barred || item.as_ref().is_some_and(|item| item.barred) {
            return Ok(refused("the key is barred from signing"));
        }
        let known = match item {
            Some(item) if item.sealed.is_none() => {
                return Ok(refused("these shares were retired: a newer version is in use"));
            }
            Some(item) => {
                if self.open_share(&key, item.clone()).await.is_ok() {
                    return Ok(Imported::Present);
                }
                Some(item)
            }
            None => None,
        };
        self.store_hollow(&context, head, &record, known, &bytes).await
    }

    /// Stores the hollow share with a record of the audit log, in one transaction.
    async fn store_hollow(
        &self,
        context: &RequestContext,
        head: Head,
        record: &RecoveryRecord,
        known: Option<ShareItem>,
        share: &[u8],
    ) -> Result<Imported, CallError> {
        let key = &context.key;
        let sealed = self.envelope.seal(share_context(key), share).await?;
        let item = share_item(key, None, self.clock.now_ms(), sealed)?;
        let decision = Decision::ShareRecovered { address: record.address };
        let (companion, writes) = match known {
            None => (Some(item), Vec::new()),
            Some(known) => (None, self.replacing(key, item, &known)?),
        };
        let recorded =
            self.record_with(context, head, &decision, Step::Recover, companion, &writes).await;
        match recorded {
            Ok(Some(_)) => Ok(Imported::Restored),
            // Another import of this share came first.
            Ok(None) | Err(CallError::Refused(Refusal::NoSession)) => Ok(Imported::Present),
            Err(error) => Err(error),
        }
    }

    /// Returns the writes that replace a share that does not open, and keep its sealed bytes.
    fn replacing(
        &self,
        key: &WalletKey,
        item: Item,
        known: &ShareItem,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let table = &self.shares.table;
        let broken =
            |error: aws_sdk_dynamodb::error::BuildError| StoreError::Unavailable(error.to_string());
        let replaced = Put::builder()
            .table_name(table)
            .set_item(Some(item))
            .condition_expression("attribute_exists(sealed) AND createdAtMs = :known")
            .expression_attribute_values(
                ":known",
                AttributeValue::N(known.created_at_ms.to_string()),
            )
            .build()
            .map_err(broken)?;
        let aside = item_key(key, format!("lost#{}#{}", key.key_version, known.created_at_ms));
        let kept = Put::builder()
            .table_name(table)
            .set_item(Some(to_record(aside, known)?))
            .build()
            .map_err(broken)?;
        let write = |put| TransactWriteItem::builder().put(put).build();
        Ok(vec![write(replaced), write(kept)])
    }
}

fn refused(cause: &str) -> Imported {
    Imported::Refused(cause.to_owned())
}

fn damaged(error: impl std::fmt::Display) -> Failure {
    Failure::Damaged(error.to_string())
}
