//! Storage of a wallet's refresh: the attempt that may bring new shares into use, and the switch.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use domain::ids::Tenant;
use platform::items::{Item, StoreError, transaction_error, unavailable};
use uuid::Uuid;

use super::due::{Index, Page, shard_of};
use super::list::{SET_LISTED, list_too};
use super::{
    RECORD, RefreshState, SHARE, ShareRecord, Store, WalletRecord, key, to_item, wallet_key,
};

/// Identifies a wallet whose shares are due for a refresh.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgedWallet {
    /// The wallet's tenant.
    pub tenant: Tenant,
    /// The wallet.
    pub wallet_id: Uuid,
}

/// Condition: the record has the shares of this version in use, and its refresh is unchanged since
/// it was read.
const UNCHANGED: &str = "#version = :version AND #frozen = :false AND ";

fn number(value: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

fn record_key(wallet: &WalletRecord) -> Item {
    key(&wallet_key(&wallet.tenant, wallet.wallet_id), RECORD)
}

fn state(state: &RefreshState) -> Result<AttributeValue, StoreError> {
    let item: Item = serde_dynamo::to_item(state)
        .map_err(|error| StoreError::Damaged { what: "refresh", cause: error.to_string() })?;
    Ok(AttributeValue::M(item))
}

impl Store {
    /// Returns a page of the wallets in one shard whose shares' age starts before a time.
    ///
    /// # Errors
    /// Fails when the index cannot be read, or holds an invalid entry.
    pub async fn aged(
        &self,
        shard: u8,
        until_ms: u64,
        from: Option<Item>,
    ) -> Result<Page<AgedWallet>, StoreError> {
        let (items, next) =
            self.index_page(Index::Refresh, shard.to_string(), until_ms, from).await?;
        let wallet = |item: &Item| {
            let (tenant, id) = item.get("pk")?.as_s().ok()?.split_once("#W#")?;
            Some(AgedWallet { tenant: tenant.parse().ok()?, wallet_id: id.parse().ok()? })
        };
        let keys = items.iter().map(|item| {
            wallet(item).ok_or_else(|| StoreError::Damaged {
                what: "index entry",
                cause: "it names no wallet".to_owned(),
            })
        });
        Ok(Page { keys: keys.collect::<Result<_, _>>()?, next })
    }

    /// Writes the state of a wallet's refresh, if the stored one still equals that of `wallet`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another call came first, or the wallet is frozen.
    pub async fn set_refresh(
        &self,
        wallet: &WalletRecord,
        to: &RefreshState,
    ) -> Result<(), StoreError> {
        let update = self.update(wallet).update_expression("SET #refresh = :refresh");
        send(self.if_unchanged(update, wallet)?.expression_attribute_values(":refresh", state(to)?))
            .await
    }

    /// Brings new shares into use. Replaces the record and party 1's share in one transaction; the
    /// previous share is deleted by it. `recovery` writes the recovery record of the new one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a later refresh was begun, or the wallet is frozen.
    pub async fn switch_shares(
        &self,
        wallet: &WalletRecord,
        to: &RefreshState,
        share: &ShareRecord,
        recovery: Option<&TransactWriteItem>,
    ) -> Result<(), StoreError> {
        let broken =
            |error: aws_sdk_dynamodb::error::BuildError| StoreError::Unavailable(error.to_string());
        let partition = wallet_key(&wallet.tenant, wallet.wallet_id);
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(record_key(wallet)))
            // If this call does not finish it, the job finds it first, as the oldest of all.
            .update_expression(
                "SET #version = :new, #refresh = :refresh, #at = :oldest, #shard = :shard \
                 REMOVE #runs",
            )
            // The new share has all of its run slots.
            .expression_attribute_names("#runs", "runs")
            .condition_expression(format!("{UNCHANGED}#refresh.#to = :new"))
            .expression_attribute_names("#at", Index::Refresh.sort_key())
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":oldest", number(0_u64))
            .expression_attribute_values(":shard", shard_of(wallet.wallet_id))
            .expression_attribute_names("#version", "keyVersion")
            .expression_attribute_names("#frozen", "frozen")
            .expression_attribute_names("#refresh", "refresh")
            .expression_attribute_names("#to", "to")
            .expression_attribute_values(":version", number(wallet.key_version))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":new", number(to.to))
            .expression_attribute_values(":refresh", state(to)?)
            .build()
            .map_err(broken)?;
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(to_item(&partition, SHARE, share)?))
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "keyVersion")
            .expression_attribute_values(":version", number(wallet.key_version))
            .build()
            .map_err(broken)?;
        let written = self
            .db
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(update).build())
            .transact_items(TransactWriteItem::builder().put(put).build());
        let written = match recovery {
            Some(recovery) => written.transact_items(recovery.clone()),
            None => written,
        };
        written.send().await.map(|_| ()).map_err(transaction_error)
    }

    /// Replaces party 1's share by a restored one, because the stored one is missing, does not open,
    /// or was restored before and never refreshed. Its bytes are kept aside. The refresh job finds the
    /// wallet first.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another version or another share is in use, or the wallet is
    /// frozen.
    pub async fn replace_share(
        &self,
        wallet: &WalletRecord,
        (lost, share): (Option<&ShareRecord>, &ShareRecord),
    ) -> Result<(), StoreError> {
        let broken =
            |error: aws_sdk_dynamodb::error::BuildError| StoreError::Unavailable(error.to_string());
        let set = "SET #at = :oldest, #shard = :shard, #version = :restored";
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(record_key(wallet)))
            .update_expression(set)
            .condition_expression("#version = :version AND #frozen = :false")
            .expression_attribute_names("#at", Index::Refresh.sort_key())
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_names("#version", "keyVersion")
            .expression_attribute_names("#frozen", "frozen")
            .expression_attribute_values(":oldest", number(0_u64))
            .expression_attribute_values(":shard", shard_of(wallet.wallet_id))
            .expression_attribute_values(":version", number(wallet.key_version))
            .expression_attribute_values(":restored", number(share.key_version))
            .expression_attribute_values(":false", AttributeValue::Bool(false));
        if share.key_version != wallet.key_version {
            // The run slots are those of a version.
            update = update
                .update_expression(format!("{set} REMOVE #runs"))
                .expression_attribute_names("#runs", "runs");
        }
        let update = update.build().map_err(broken)?;
        let partition = wallet_key(&wallet.tenant, wallet.wallet_id);
        let put = |sort: &str, share: &ShareRecord| {
            let item = to_item(&partition, sort, share)?;
            Ok::<_, StoreError>(Put::builder().table_name(&self.table).set_item(Some(item)))
        };
        let new = "attribute_not_exists(pk)";
        let mut writes = vec![TransactWriteItem::builder().update(update).build()];
        let mut write = |put: PutBuilder| {
            let put = put.build().map_err(broken)?;
            writes.push(TransactWriteItem::builder().put(put).build());
            Ok::<_, StoreError>(())
        };
        match lost {
            None => write(put(SHARE, share)?.condition_expression(new))?,
            Some(lost) => {
                let nonce = AttributeValue::B(Blob::new(lost.sealed.nonce()));
                let replaced = put(SHARE, share)?.condition_expression("sealed.#nonce = :known");
                let replaced = replaced.expression_attribute_names("#nonce", "n");
                write(replaced.expression_attribute_values(":known", nonce))?;
                // Sorted after the share, so that no other read finds it.
                let nonce = hex::encode(lost.sealed.nonce());
                let aside = format!("{SHARE}#lost#{}#{nonce}", lost.key_version);
                write(put(&aside, lost)?.condition_expression(new))?;
            }
        }
        let written = self.db.transact_write_items().set_transact_items(Some(writes)).send().await;
        written.map(|_| ()).map_err(transaction_error)
    }

    /// Makes a wallet due for the refresh job at once, also after a failure.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its refresh has changed meanwhile.
    pub async fn make_due(&self, wallet: &WalletRecord) -> Result<(), StoreError> {
        let update = self
            .update(wallet)
            .expression_attribute_names("#at", Index::Refresh.sort_key())
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_names("#refresh", "refresh")
            .expression_attribute_values(":oldest", number(0_u64))
            .expression_attribute_values(":shard", shard_of(wallet.wallet_id));
        let update = match wallet.refresh {
            None => update
                .update_expression("SET #at = :oldest, #shard = :shard")
                .condition_expression("attribute_exists(pk) AND attribute_not_exists(#refresh)"),
            Some(known) => {
                let rested = RefreshState { rest_until_ms: 0, ..known };
                update
                    .update_expression("SET #at = :oldest, #shard = :shard, #refresh = :rested")
                    .condition_expression("attribute_exists(pk) AND #refresh = :known")
                    .expression_attribute_values(":known", state(&known)?)
                    .expression_attribute_values(":rested", state(&rested)?)
            }
        };
        send(update).await
    }

    /// Records that a refresh is complete, and the start of the new shares' age.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another call came first.
    pub async fn settle_refresh(
        &self,
        wallet: &WalletRecord,
        to: &RefreshState,
        shares_at_ms: u64,
    ) -> Result<(), StoreError> {
        let update = list_too(self.update(wallet), wallet)
            .update_expression(format!(
                "SET #refresh = :refresh, #at = :at, #shard = :shard, {SET_LISTED}"
            ))
            .expression_attribute_names("#at", Index::Refresh.sort_key())
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":at", number(shares_at_ms))
            .expression_attribute_values(":shard", shard_of(wallet.wallet_id));
        send(self.if_unchanged(update, wallet)?.expression_attribute_values(":refresh", state(to)?))
            .await
    }

    /// Adds a wallet of an earlier version to the indexes of the refresh job and of the list.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the index has it already.
    pub async fn note_age(
        &self,
        wallet: &WalletRecord,
        shares_at_ms: u64,
    ) -> Result<(), StoreError> {
        let update = list_too(self.update(wallet), wallet)
            .update_expression(format!("SET #at = :at, #shard = :shard, {SET_LISTED}"))
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(#at)")
            .expression_attribute_names("#at", Index::Refresh.sort_key())
            .expression_attribute_names("#shard", "shard")
            .expression_attribute_values(":at", number(shares_at_ms))
            .expression_attribute_values(":shard", shard_of(wallet.wallet_id));
        send(update).await
    }

    fn update(&self, wallet: &WalletRecord) -> UpdateItemFluentBuilder {
        self.db.update_item().table_name(&self.table).set_key(Some(record_key(wallet)))
    }

    fn if_unchanged(
        &self,
        update: UpdateItemFluentBuilder,
        wallet: &WalletRecord,
    ) -> Result<UpdateItemFluentBuilder, StoreError> {
        let update = update
            .expression_attribute_names("#version", "keyVersion")
            .expression_attribute_names("#frozen", "frozen")
            .expression_attribute_names("#refresh", "refresh")
            .expression_attribute_values(":version", number(wallet.key_version))
            .expression_attribute_values(":false", AttributeValue::Bool(false));
        Ok(match &wallet.refresh {
            None => {
                update.condition_expression(format!("{UNCHANGED}attribute_not_exists(#refresh)"))
            }
            Some(known) => update
                .condition_expression(format!("{UNCHANGED}#refresh = :known"))
                .expression_attribute_values(":known", state(known)?),
        })
    }
}

async fn send(update: UpdateItemFluentBuilder) -> Result<(), StoreError> {
    match update.send().await {
        Ok(_) => Ok(()),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Err(StoreError::Conflict),
            _ => Err(unavailable(error)),
        },
    }
}
