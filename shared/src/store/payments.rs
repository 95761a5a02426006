//! Storage of payments. A payment's record is written before the cosigner hears of it, and its signed
//! bytes before the exchange or the chain does. Every write names the revision that it replaces.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#M#walletId#place` | `payment#` and the payment's id | [`PaymentRecord`], kept |
//! | `tenant#M#walletId#place` | `claim#` and the exchange's id | the payment that an entry of the exchange's history belongs to |
//!
//! The place is `aster`, `hyperliquid` or `evm`. A payment that is open, or whose outcome is to be
//! reported, is in the index `due`, with shards of its place: `pa0` to `pa15`, `ph0` to `ph15`, `pe0`
//! to `pe15`.

mod record;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use domain::ids::Tenant;
use domain::money::PaymentId;
use domain::policy::Venue;
use platform::items::{
    Item, SHARDS, StoreError, from_item, put_error, transaction_error, unavailable,
};
use uuid::Uuid;

pub use record::{ExpectedCosts, PaymentRecord, PaymentRefusal, PaymentState, SignedPayment};

use super::{Index, Page, Store, hash, key, to_item};

const PAYMENT: &str = "payment#";
const CLAIM: &str = "claim#";

/// Where a payment moves money.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PaymentPlace {
    /// Aster.
    Aster,
    /// Hyperliquid.
    Hyperliquid,
    /// An EVM chain.
    Evm,
}

impl PaymentPlace {
    /// Returns the place of a venue.
    #[must_use]
    pub const fn of(venue: Venue) -> Self {
        match venue {
            Venue::Aster => Self::Aster,
            Venue::Hyperliquid => Self::Hyperliquid,
            Venue::Evm(_) => Self::Evm,
        }
    }

    /// Returns the word in keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aster => "aster",
            Self::Hyperliquid => "hyperliquid",
            Self::Evm => "evm",
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Aster => 'a',
            Self::Hyperliquid => 'h',
            Self::Evm => 'e',
        }
    }
}

/// A wallet's payments at one place.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PaymentAccount {
    /// The wallet's tenant.
    pub tenant: Tenant,
    /// The wallet.
    pub wallet_id: Uuid,
    /// The place.
    pub place: PaymentPlace,
}

impl PaymentAccount {
    fn partition(&self) -> String {
        format!("{}#M#{}#{}", self.tenant, self.wallet_id, self.place.as_str())
    }

    fn payment_key(&self, id: &PaymentId) -> Item {
        key(&self.partition(), &format!("{PAYMENT}{id}"))
    }
}

/// A payment whose outcome is open, or to be reported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DuePayment {
    /// The wallet and the place.
    pub account: PaymentAccount,
    /// The payment.
    pub id: PaymentId,
    /// When it is to be looked at, Unix milliseconds.
    pub at_ms: u64,
}

impl Store {
    /// Reads a payment.
    ///
    /// # Errors
    /// Fails when the table cannot be read, or the item cannot be parsed.
    pub async fn payment(
        &self,
        account: &PaymentAccount,
        id: &PaymentId,
    ) -> Result<Option<PaymentRecord>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.table)
            .set_key(Some(account.payment_key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        output.item.map(|item| from_item("payment", item)).transpose()
    }

    /// Stores a payment. `seen` is the revision that it replaces; `None` means that the payment is
    /// new.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the present record has another revision; otherwise when the
    /// table fails.
    pub async fn put_payment(
        &self,
        account: &PaymentAccount,
        record: &PaymentRecord,
        seen: Option<Uuid>,
    ) -> Result<(), StoreError> {
        let put = self.db.put_item().table_name(&self.table);
        let put = put.set_item(Some(payment_item(account, record)?));
        // A retry of the SDK after a lost response finds its own revision, which is not a conflict.
        let put = match seen {
            None => put.condition_expression(NEW),
            Some(seen) => {
                put.condition_expression(SEEN).expression_attribute_values(":seen", text(seen))
            }
        };
        put.expression_attribute_values(":own", text(record.revision))
            .send()
            .await
            .map_err(put_error)?;
        Ok(())
    }

    /// Stores a payment with the entry of the exchange's history that belongs to it, in one
    /// transaction. An entry belongs to one payment only.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the record has another revision, or the entry belongs to another
    /// payment; otherwise when the table fails.
    pub async fn claim_payment(
        &self,
        account: &PaymentAccount,
        record: &PaymentRecord,
        seen: Uuid,
        entry: &str,
    ) -> Result<(), StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(payment_item(account, record)?))
            .condition_expression(SEEN)
            .expression_attribute_values(":seen", text(seen))
            .expression_attribute_values(":own", text(record.revision));
        let id = AttributeValue::S(record.id.to_string());
        let mut item = claim_key(account, entry);
        item.insert("paymentId".to_owned(), id.clone());
        let claim = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR paymentId = :id")
            .expression_attribute_values(":id", id);
        let writes = [put, claim].map(|put| {
            let put = put.build().map_err(|error| StoreError::Unavailable(error.to_string()))?;
            Ok::<_, StoreError>(TransactWriteItem::builder().put(put).build())
        });
        let writes = writes.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.db
            .transact_write_items()
            .set_transact_items(Some(writes))
            .send()
            .await
            .map_err(transaction_error)?;
        Ok(())
    }

    /// Returns the payment that an entry of the exchange's history belongs to, if one claims it.
    ///
    /// # Errors
    /// Fails when the table cannot be read, or the item names no payment.
    pub async fn claim_of(
        &self,
        account: &PaymentAccount,
        entry: &str,
    ) -> Result<Option<PaymentId>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.table)
            .set_key(Some(claim_key(account, entry)))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        let Some(item) = output.item else { return Ok(None) };
        let id = item.get("paymentId").and_then(|value| value.as_s().ok());
        let id = id.and_then(|text| text.parse().ok());
        id.map(Some).ok_or_else(|| StoreError::Damaged {
            what: "claim",
            cause: "it names no payment".to_owned(),
        })
    }

    /// Drops a payment of which nothing was signed, so that its id can be used again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the present record has another revision; otherwise when the
    /// table fails.
    pub async fn drop_payment(
        &self,
        account: &PaymentAccount,
        record: &PaymentRecord,
    ) -> Result<(), StoreError> {
        let deleted = self
            .db
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(account.payment_key(&record.id)))
            .condition_expression("revision = :seen AND #state = :accepted")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":seen", text(record.revision))
            .expression_attribute_values(
                ":accepted",
                AttributeValue::S(PaymentState::Accepted.as_str().to_owned()),
            )
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => {
                    Err(StoreError::Conflict)
                }
                _ => Err(unavailable(error)),
            },
        }
    }

    /// Returns a page of the open payments of a place in one shard (below [`SHARDS`]) that are due at
    /// `until_ms`, the longest overdue first. The index can lag behind the records.
    ///
    /// # Errors
    /// Fails when the index cannot be read, or holds an invalid entry.
    pub async fn due_payments(
        &self,
        place: PaymentPlace,
        shard: u8,
        until_ms: u64,
        from: Option<Item>,
    ) -> Result<Page<DuePayment>, StoreError> {
        let shard = shard_name(place, shard);
        let (items, next) = self.index_page(Index::Due, shard, until_ms, from).await?;
        let keys = items.iter().map(|item| {
            due_payment(item).ok_or_else(|| StoreError::Damaged {
                what: "index entry",
                cause: "it names no payment".to_owned(),
            })
        });
        Ok(Page { keys: keys.collect::<Result<_, _>>()?, next })
    }
}

/// The condition of a new record.
const NEW: &str = "attribute_not_exists(pk) OR revision = :own";

/// The condition of a record that replaces another one.
const SEEN: &str = "revision = :seen OR revision = :own";

fn text(id: Uuid) -> AttributeValue {
    AttributeValue::S(id.to_string())
}

/// The exchange's id is hashed, because its form is not the service's.
fn claim_key(account: &PaymentAccount, entry: &str) -> Item {
    key(&account.partition(), &format!("{CLAIM}{}", hash(&[entry.as_bytes()])))
}

/// Returns a payment's item with the attributes of the index.
fn payment_item(account: &PaymentAccount, record: &PaymentRecord) -> Result<Item, StoreError> {
    let mut item = to_item(&account.partition(), &format!("{PAYMENT}{}", record.id), record)?;
    if let Some(at_ms) = record.due_at_ms() {
        let shard = record.revision.as_bytes()[15] % SHARDS;
        item.insert("shard".to_owned(), AttributeValue::S(shard_name(account.place, shard)));
        item.insert(Index::Due.sort_key().to_owned(), AttributeValue::N(at_ms.to_string()));
    }
    Ok(item)
}

/// Returns the index partition of a place's payments. Neither credentials nor orders have such names.
fn shard_name(place: PaymentPlace, shard: u8) -> String {
    format!("p{}{shard}", place.letter())
}

/// Parses `tenant#M#walletId#place` and `payment#id`.
fn due_payment(item: &Item) -> Option<DuePayment> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    let (tenant, account) = text("pk")?.split_once("#M#")?;
    let (wallet_id, place) = account.split_once('#')?;
    let places = [PaymentPlace::Aster, PaymentPlace::Hyperliquid, PaymentPlace::Evm];
    let account = PaymentAccount {
        tenant: tenant.parse().ok()?,
        wallet_id: wallet_id.parse().ok()?,
        place: places.into_iter().find(|known| known.as_str() == place)?,
    };
    Some(DuePayment {
        account,
        id: text("sk")?.strip_prefix(PAYMENT)?.parse().ok()?,
        at_ms: item.get(Index::Due.sort_key())?.as_n().ok()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_entry_names_its_payment() {
        const WALLET: &str = "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a";
        let entry = |pk: &str, sk: &str| {
            Item::from([
                ("pk".to_owned(), AttributeValue::S(pk.to_owned())),
                ("sk".to_owned(), AttributeValue::S(sk.to_owned())),
                ("dueAtMs".to_owned(), AttributeValue::N("7".to_owned())),
            ])
        };
        let pk = format!("acme#M#{WALLET}#evm");
        let due = due_payment(&entry(&pk, "payment#p-1")).unwrap();
        assert_eq!((due.account.partition(), due.at_ms, due.id.as_str()), (pk.clone(), 7, "p-1"));
        for (pk, sk) in [
            (format!("acme#O#{WALLET}#aster"), "payment#p-1"),
            (format!("acme#M#{WALLET}#lighter"), "payment#p-1"),
            (format!("acme#M#{WALLET}"), "payment#p-1"),
            (pk.clone(), "claim#x"),
            (pk, "payment#"),
        ] {
            assert_eq!(due_payment(&entry(&pk, sk)), None, "{pk} {sk}");
        }
    }

    #[test]
    fn shards_of_payments_are_not_those_of_orders() {
        let names: Vec<_> = [PaymentPlace::Aster, PaymentPlace::Hyperliquid, PaymentPlace::Evm]
            .into_iter()
            .map(|place| shard_name(place, 15))
            .collect();
        assert_eq!(names, ["pa15", "ph15", "pe15"]);
    }
}
