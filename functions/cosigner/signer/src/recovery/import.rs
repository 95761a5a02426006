//! Restores party 2's shares from halves that the holder of the recovery key encrypted to a transport
//! key of this stack.
//!
//! A restored share is hollow: it signs only after a refresh. An import never replaces a share that
//! opens, and keeps the sealed bytes of one that does not.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use domain::ids::Tenant;
use platform::envelope::{Context, Purpose, Sealed};
use platform::items::{Item, StoreError, to_record};
use platform::metrics::{self, About, Metric};
use protocol::recovery::{OpeningKey, RecoveryRecord, Side};
use protocol::{
    Imported, MAX_HALVES, RecoveryAnswer, RecoveryCall, Refusal, TRANSPORT_LIFE_MS, Transport,
    TransportedHalf, WalletKey,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::audit::{Decision, Head, RequestContext, Step, hex};
use crate::party::{CallError, Cosigner, Failure};
use crate::store::{ShareItem, item_key, share_context, share_item};

/// The newest version that a record may have. A wallet that is refreshed each minute reaches it after
/// 30 years.
const MAX_VERSION: u32 = 1 << 24;

/// Returns the encryption context of a transport key.
fn transport_context(key_id: &str, created_at_ms: u64) -> Context {
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
        let context = transport_context(&key.public().id(), created_at_ms);
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
        let context = transport_context(&public_key.id(), *created_at_ms);
        let bytes = match self.envelope.open(&context, &sealed).await {
            Ok(bytes) => bytes,
            Err(error) if error.is_permanent() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
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
            Some(item) => match self.open_share(&key, item.clone()).await {
                Ok((share, _)) if record.is_of(&share) => return Ok(Imported::Present),
                // An earlier import of a wrong half.
                Ok((share, _)) if share.is_hollow() => Some(item),
                Ok(_) => return Ok(refused("a share of another key is stored")),
                Err(error) if is_lost(&error) => Some(item),
                // The share may be there: nothing is replaced because KMS fails.
                Err(error) => return Err(error),
            },
            None => {
                if let Some(cause) = self.against_new(&key, &record, &head).await? {
                    return Ok(refused(cause));
                }
                None
            }
        };
        self.store_hollow(&context, head, &record, known, &bytes).await
    }

    /// Returns what speaks against the import of a version that the table does not have.
    async fn against_new(
        &self,
        key: &WalletKey,
        record: &RecoveryRecord,
        head: &Head,
    ) -> Result<Option<&'static str>, CallError> {
        let version = key.key_version;
        if head.is_spent(version) || version > MAX_VERSION {
            return Ok(Some("the version was given up, or is out of range"));
        }
        let known = self.shares.versions(key).await?;
        if known.iter().any(|it| it.version >= version) {
            return Ok(Some("a newer version of the shares exists"));
        }
        let Some(older) = known.iter().rev().find(|it| it.live) else { return Ok(None) };
        let older = WalletKey { key_version: older.version, ..key.clone() };
        let (Some(item), _) = self.shares.share_and_head(&older).await? else { return Ok(None) };
        match self.open_share(&older, item).await {
            Ok((share, _)) if share.address() != record.address => {
                Ok(Some("the wallet has another address"))
            }
            Ok(_) => Ok(None),
            Err(error) if is_lost(&error) => Ok(None),
            Err(error) => Err(error),
        }
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
        let step = Step::Recover { exported: self.is_marked(key).await? };
        metrics::emit(&self.clock, About::SERVICE, &[(Metric::ShareRecovered, 1)]);
        let recorded = self.record_with(context, head, &decision, step, companion, &writes).await;
        match recorded {
            Ok(Some(_)) => Ok(Imported::Restored),
            Ok(None) => Ok(refused("the share has changed meanwhile: run the import again")),
            // Another import of this share came first.
            Err(CallError::Refused(Refusal::NoSession)) => Ok(Imported::Present),
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
        let nonce = known.sealed.as_ref().map_or(&[][..], Sealed::nonce);
        let replaced = Put::builder()
            .table_name(table)
            .set_item(Some(item))
            .condition_expression("sealed.#nonce = :known")
            .expression_attribute_names("#nonce", "n")
            .expression_attribute_values(":known", AttributeValue::B(Blob::new(nonce)))
            .build()
            .map_err(broken)?;
        let aside = item_key(key, format!("lost#{}#{}", key.key_version, hex(nonce)));
        let kept = Put::builder()
            .table_name(table)
            .set_item(Some(to_record(aside, known)?))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(broken)?;
        let write = |put| TransactWriteItem::builder().put(put).build();
        Ok(vec![write(replaced), write(kept)])
    }
}

/// Returns whether a stored share can never be opened again.
const fn is_lost(error: &CallError) -> bool {
    match error {
        CallError::Failed(Failure::Envelope(error)) => error.is_permanent(),
        CallError::Failed(Failure::Damaged(_)) => true,
        _ => false,
    }
}

fn refused(cause: &str) -> Imported {
    Imported::Refused(cause.to_owned())
}

fn damaged(error: impl std::fmt::Display) -> Failure {
    Failure::Damaged(error.to_string())
}
