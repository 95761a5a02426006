//! Storage of wallets: found by any name, created with all names at once.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use domain::eth::Address;
use domain::ids::{Exchange, Tenant, UserId, WalletRef};
use futures_util::future::BoxFuture;
use platform::items::{Item, SCHEMA, StoreError, from_item, transaction_error, unavailable};
use uuid::Uuid;

use super::due::shard_of;
use super::list::list_attributes;
use super::quota::{CountedIn, creation_token};
use super::{
    CREDENTIAL, CredentialRecord, ExportMark, NONCES, NONCES_OF, Nonces, POINTER, RECORD, SHARE,
    ShareRecord, Store, WalletRecord, key, to_item, wallet_key,
};

const NEW: &str = "attribute_not_exists(pk)";

/// A wallet with all items that affect decisions about it.
#[derive(Clone, Debug)]
pub struct WalletView {
    /// The wallet.
    pub wallet: WalletRecord,
    /// The last nonces used.
    pub nonces: Nonces,
    credentials: Vec<CredentialRecord>,
}

impl WalletView {
    /// Returns the credential for this exchange.
    #[must_use]
    pub fn credential(&self, exchange: Exchange) -> Option<&CredentialRecord> {
        self.credentials.iter().find(|credential| credential.exchange == exchange)
    }
}

/// What became of a new wallet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewWallet {
    /// It is stored.
    Stored,
    /// The user has a wallet already.
    Exists,
    /// The shard that it was to be counted in has no room.
    ShardFull,
}

/// Returns which of a creation's writes did not meet their conditions.
fn failed_conditions(error: &SdkError<TransactWriteItemsError>) -> Vec<bool> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return Vec::new();
    };
    let reasons = cancelled.cancellation_reasons().iter();
    reasons.map(|reason| reason.code() == Some("ConditionalCheckFailed")).collect()
}

impl Store {
    /// Returns the user of a tenant's wallet, which never changes.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn user_of(
        &self,
        tenant: &Tenant,
        wallet_id: Uuid,
    ) -> Result<Option<UserId>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(&wallet_key(tenant, wallet_id), RECORD)))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        let wallet = output.item.map(|item| from_item::<WalletRecord>("wallet", item));
        Ok(wallet.transpose()?.map(|wallet| wallet.user_id))
    }

    /// Finds a tenant's wallet by any of its names. Makes one read for a wallet id, and two for
    /// another name. All reads are strongly consistent.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub fn find<'a>(
        &'a self,
        tenant: &'a Tenant,
        name: &'a WalletRef,
    ) -> BoxFuture<'a, Result<Option<WalletView>, StoreError>> {
        Box::pin(async move {
            match self.resolve(tenant, name).await? {
                Some(id) => self.view(tenant, id).await,
                None => Ok(None),
            }
        })
    }

    /// Finds a wallet with party 1's share in the same read, for calls that are unlikely to be
    /// refused.
    ///
    /// # Errors
    /// Fails when the table cannot be read, or the share is missing; such a wallet is damaged.
    pub async fn find_with_share(
        &self,
        tenant: &Tenant,
        name: &WalletRef,
    ) -> Result<Option<(WalletView, ShareRecord)>, StoreError> {
        let Some(id) = self.resolve(tenant, name).await? else { return Ok(None) };
        // The share sorts last among these items.
        let mut items = self.items(tenant, id, "pk = :pk AND sk <= :share").await?;
        let share = items.pop_if(|item| sort_key(item) == Some(SHARE));
        let Some(view) = view(items)? else { return Ok(None) };
        Ok(Some((view, share_in(share)?)))
    }

    /// Returns the id of the wallet with this name, without a read when the name is an id. The
    /// wallet of an id may not exist.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn resolve(
        &self,
        tenant: &Tenant,
        name: &WalletRef,
    ) -> Result<Option<Uuid>, StoreError> {
        match name {
            WalletRef::Wallet(id) => Ok(Some(*id)),
            WalletRef::User(user) => self.pointer(&user_key(tenant, user)).await,
            WalletRef::Address(address) => self.pointer(&address_key(tenant, *address)).await,
        }
    }

    async fn pointer(&self, partition: &str) -> Result<Option<Uuid>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(partition, POINTER)))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        let Some(item) = output.item else {
            return Ok(None);
        };
        let id = item.get("walletId").and_then(|value| value.as_s().ok());
        let id = id.and_then(|text| text.parse().ok());
        id.map(Some).ok_or_else(|| StoreError::Damaged {
            what: "pointer",
            cause: "no wallet id".to_owned(),
        })
    }

    async fn view(&self, tenant: &Tenant, id: Uuid) -> Result<Option<WalletView>, StoreError> {
        view(self.items(tenant, id, "pk = :pk AND sk < :share").await?)
    }

    /// Returns a wallet's items, in the order of their sort keys.
    async fn items(
        &self,
        tenant: &Tenant,
        id: Uuid,
        condition: &str,
    ) -> Result<Vec<Item>, StoreError> {
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression(condition)
            .expression_attribute_values(":pk", AttributeValue::S(wallet_key(tenant, id)))
            .expression_attribute_values(":share", AttributeValue::S(SHARE.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        Ok(output.items.unwrap_or_default())
    }

    /// Stores a new wallet, its share and all its names, and counts it, in one transaction.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn create(
        &self,
        wallet: &WalletRecord,
        share: &ShareRecord,
        counted: CountedIn,
    ) -> Result<NewWallet, StoreError> {
        self.create_with(wallet, share, counted, None).await
    }

    /// As [`Self::create`], with the write of the share's recovery record in the same transaction.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_with(
        &self,
        wallet: &WalletRecord,
        share: &ShareRecord,
        counted: CountedIn,
        recovery: Option<&TransactWriteItem>,
    ) -> Result<NewWallet, StoreError> {
        let partition = wallet_key(&wallet.tenant, wallet.wallet_id);
        let pointer = |partition: &str| {
            let mut item = key(partition, POINTER);
            item.insert("walletId".to_owned(), AttributeValue::S(wallet.wallet_id.to_string()));
            item.insert("schema".to_owned(), AttributeValue::N(SCHEMA.to_string()));
            item
        };
        let mut record = to_item(&partition, RECORD, wallet)?;
        record.insert("shard".to_owned(), shard_of(wallet.wallet_id));
        record.extend(list_attributes(wallet).map(|(name, value)| (name.to_owned(), value)));
        let items = [
            pointer(&user_key(&wallet.tenant, &wallet.user_id)),
            pointer(&address_key(&wallet.tenant, wallet.address)),
            record,
            to_item(&partition, SHARE, share)?,
        ];
        let puts = items.into_iter().map(|item| self.put_new(item));
        let writes = puts.chain([self.count_wallet(&wallet.tenant, counted)]);
        let writes = writes.chain(recovery.cloned().map(Ok));
        let written = self
            .db
            .transact_write_items()
            .set_transact_items(Some(writes.collect::<Result<_, _>>()?))
            // The same request, sent again after a lost response, succeeds again.
            .client_request_token(creation_token(wallet.wallet_id, counted, share))
            .send()
            .await;
        let Err(error) = written else { return Ok(NewWallet::Stored) };
        let failed = failed_conditions(&error);
        match transaction_error(error) {
            StoreError::Conflict if failed.starts_with(&[false, false, false, false, true]) => {
                Ok(NewWallet::ShardFull)
            }
            StoreError::Conflict => Ok(NewWallet::Exists),
            failed => Err(failed),
        }
    }

    fn put_new(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(NEW)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Returns party 1's sealed share of a wallet's key.
    ///
    /// # Errors
    /// Fails when it is missing; a wallet without its share is damaged.
    pub async fn share(&self, wallet: &WalletRecord) -> Result<ShareRecord, StoreError> {
        self.share_of(&wallet.tenant, wallet.wallet_id).await
    }

    /// Returns party 1's sealed share as stored; `None` when it is missing.
    ///
    /// # Errors
    /// Fails when it cannot be read.
    pub async fn stored_share(
        &self,
        wallet: &WalletRecord,
    ) -> Result<Option<ShareRecord>, StoreError> {
        let item = self.share_item(&wallet.tenant, wallet.wallet_id).await?;
        item.map(|item| from_item("share", item)).transpose()
    }

    async fn share_of(&self, tenant: &Tenant, id: Uuid) -> Result<ShareRecord, StoreError> {
        share_in(self.share_item(tenant, id).await?)
    }

    async fn share_item(&self, tenant: &Tenant, id: Uuid) -> Result<Option<Item>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(&wallet_key(tenant, id), SHARE)))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        Ok(output.item)
    }

    /// Marks a wallet as exported, permanently. `kept` is written in the same transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another version of the shares is in use.
    pub async fn mark_exported(
        &self,
        wallet: &WalletRecord,
        mark: &ExportMark,
        kept: Option<TransactWriteItem>,
    ) -> Result<(), StoreError> {
        let mark: Item = serde_dynamo::to_item(mark)
            .map_err(|error| StoreError::Damaged { what: "export", cause: error.to_string() })?;
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key(&wallet_key(&wallet.tenant, wallet.wallet_id), RECORD)))
            .update_expression("SET exported = :mark")
            .condition_expression("keyVersion = :version")
            .expression_attribute_values(":mark", AttributeValue::M(mark))
            .expression_attribute_values(
                ":version",
                AttributeValue::N(wallet.key_version.to_string()),
            )
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let marked = TransactWriteItem::builder().update(update).build();
        let written = self.db.transact_write_items().transact_items(marked);
        let written = kept.into_iter().fold(written, |written, item| written.transact_items(item));
        written.send().await.map(|_| ()).map_err(transaction_error)
    }

    /// Bars a wallet from signing.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn freeze(&self, wallet: &WalletRecord) -> Result<(), StoreError> {
        self.db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&wallet_key(&wallet.tenant, wallet.wallet_id), RECORD)))
            .update_expression("SET frozen = :true")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .send()
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

fn sort_key(item: &Item) -> Option<&str> {
    item.get("sk").and_then(|value| value.as_s().ok()).map(String::as_str)
}

/// Picks the items that affect decisions out of a wallet's items.
fn view(items: Vec<Item>) -> Result<Option<WalletView>, StoreError> {
    let mut wallet = None;
    let mut nonces = Nonces::default();
    let mut credentials = Vec::new();
    for item in items {
        match sort_key(&item) {
            Some(RECORD) => wallet = Some(from_item("wallet", item)?),
            Some(sort) if sort == NONCES || sort.starts_with(NONCES_OF) => {
                nonces = nonces.max(from_item("nonces", item)?);
            }
            Some(sort) if sort.starts_with(CREDENTIAL) => {
                credentials.push(from_item("credential", item)?);
            }
            _ => {}
        }
    }
    Ok(wallet.map(|wallet| WalletView { wallet, nonces, credentials }))
}

fn share_in(item: Option<Item>) -> Result<ShareRecord, StoreError> {
    let item = item
        .ok_or_else(|| StoreError::Damaged { what: "share", cause: "it is missing".to_owned() })?;
    from_item("share", item)
}

fn user_key(tenant: &Tenant, user: &UserId) -> String {
    format!("{tenant}#U#{user}")
}

fn address_key(tenant: &Tenant, address: Address) -> String {
    format!("{tenant}#A#{}", address.to_lower_hex())
}
