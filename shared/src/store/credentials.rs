//! Storage of credentials. Every write names the revision that it replaces.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use domain::ids::Exchange;
use platform::items::{Item, SCHEMA, StoreError, put_error, transaction_error, unavailable};
use uuid::Uuid;

use super::due::index_attributes;
use super::{
    CREDENTIAL, CredentialRecord, NONCES_OF, Store, WalletRecord, key, to_item, wallet_key,
};

/// The precondition of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// No credential for this exchange.
    Absent,
    /// The credential at this revision.
    Revision(Uuid),
}

impl Expect {
    const fn condition(self) -> &'static str {
        match self {
            Self::Absent => "attribute_not_exists(pk)",
            Self::Revision(_) => "revision = :expected",
        }
    }

    fn value(self) -> Option<AttributeValue> {
        match self {
            Self::Absent => None,
            Self::Revision(revision) => Some(AttributeValue::S(revision.to_string())),
        }
    }
}

/// Nonces taken together, in the exchange's unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewNonces {
    /// The first one.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// The latest plausible last nonce. A later one came from a wrong clock and is ignored.
    pub latest: u64,
}

pub(super) fn sort_key(exchange: Exchange) -> String {
    format!("{CREDENTIAL}{exchange}")
}

/// Returns the key of an exchange's nonces. Each exchange has its own item, so that calls for two
/// exchanges do not conflict.
fn nonces_key(wallet: &WalletRecord, exchange: Exchange) -> Item {
    let partition = wallet_key(&wallet.tenant, wallet.wallet_id);
    key(&partition, &format!("{NONCES_OF}{exchange}"))
}

pub(super) fn credential_item(
    wallet: &WalletRecord,
    credential: &CredentialRecord,
) -> Result<Item, StoreError> {
    let partition = wallet_key(&wallet.tenant, wallet.wallet_id);
    let mut item = to_item(&partition, &sort_key(credential.exchange), credential)?;
    // An absent number keeps the item out of an index; DynamoDB would refuse a null.
    item.remove("checkAtMs");
    item.extend(index_attributes(wallet.wallet_id, credential));
    Ok(item)
}

impl Store {
    /// Writes a credential and takes nonces for its exchange in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the credential is not as expected, or the nonces are not
    /// above the last one.
    pub async fn put_with_nonce(
        &self,
        wallet: &WalletRecord,
        credential: &CredentialRecord,
        expect: Expect,
        nonces: NewNonces,
    ) -> Result<(), StoreError> {
        let broken =
            |error: aws_sdk_dynamodb::error::BuildError| StoreError::Unavailable(error.to_string());
        let mut put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(credential_item(wallet, credential)?))
            .condition_expression(expect.condition());
        if let Some(value) = expect.value() {
            put = put.expression_attribute_values(":expected", value);
        }
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(nonces_key(wallet, credential.exchange)))
            .update_expression(TAKE_NONCE)
            .condition_expression(NONCE_IS_NEW)
            .expression_attribute_names("#exchange", credential.exchange.as_str())
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_values(":nonce", number(nonces.last))
            .expression_attribute_values(":first", number(nonces.first))
            .expression_attribute_values(":latest", number(nonces.latest))
            .expression_attribute_values(":schema", number(SCHEMA.into()));
        let items = vec![
            TransactWriteItem::builder().put(put.build().map_err(broken)?).build(),
            TransactWriteItem::builder().update(update.build().map_err(broken)?).build(),
        ];
        self.db
            .transact_write_items()
            .set_transact_items(Some(items))
            .client_request_token(credential.revision.to_string())
            .send()
            .await
            .map_err(transaction_error)?;
        Ok(())
    }

    /// Takes one more nonce of a wallet on an exchange: `proposed`, or the last nonce plus one if
    /// that is higher. A last nonce after `latest` is ignored. If the exchange's item does not
    /// exist yet, `proposed` must be above the nonces in the item of both exchanges.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn take_nonce(
        &self,
        wallet: &WalletRecord,
        exchange: Exchange,
        proposed: u64,
        latest: u64,
    ) -> Result<u64, StoreError> {
        let mut nonce = proposed;
        // Only another caller that wins five times in a row can exhaust the attempts.
        for _ in 0..5 {
            let taken = self
                .db
                .update_item()
                .table_name(&self.table)
                .set_key(Some(nonces_key(wallet, exchange)))
                .update_expression(TAKE_NONCE)
                .condition_expression(NONCE_IS_NEW)
                .expression_attribute_names("#exchange", exchange.as_str())
                .expression_attribute_names("#schema", "schema")
                .expression_attribute_values(":nonce", number(nonce))
                .expression_attribute_values(":first", number(nonce))
                .expression_attribute_values(":latest", number(latest))
                .expression_attribute_values(":schema", number(SCHEMA.into()))
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                )
                .send()
                .await;
            match taken {
                Ok(_) => return Ok(nonce),
                Err(error) => match error.as_service_error() {
                    Some(UpdateItemError::ConditionalCheckFailedException(lost)) => {
                        let last = lost.item().and_then(|item| item.get(exchange.as_str()));
                        let last = last.and_then(|last| last.as_n().ok()?.parse::<u64>().ok());
                        nonce = last.map_or(nonce, |last| nonce.max(last)).saturating_add(1);
                    }
                    _ => return Err(unavailable(error)),
                },
            }
        }
        Err(StoreError::Conflict)
    }

    /// Replaces a credential at a known revision.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has another revision, or no longer exists.
    pub async fn replace(
        &self,
        wallet: &WalletRecord,
        credential: &CredentialRecord,
        known: Uuid,
    ) -> Result<(), StoreError> {
        // An SDK retry after a lost response finds its own revision, which is not a conflict.
        self.db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(credential_item(wallet, credential)?))
            .condition_expression("revision = :expected OR revision = :own")
            .expression_attribute_values(":expected", AttributeValue::S(known.to_string()))
            .expression_attribute_values(":own", AttributeValue::S(credential.revision.to_string()))
            .send()
            .await
            .map_err(put_error)?;
        Ok(())
    }

    /// Deletes a credential at a known revision. Succeeds when it no longer exists.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has another revision.
    pub async fn delete(
        &self,
        wallet: &WalletRecord,
        exchange: Exchange,
        known: Uuid,
    ) -> Result<(), StoreError> {
        let partition = wallet_key(&wallet.tenant, wallet.wallet_id);
        let result = self
            .db
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key(&partition, &sort_key(exchange))))
            .condition_expression("attribute_not_exists(pk) OR revision = :expected")
            .expression_attribute_values(":expected", AttributeValue::S(known.to_string()))
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), DeleteItemError::ConditionalCheckFailedException(_)) =>
            {
                Err(StoreError::Conflict)
            }
            Err(error) => Err(unavailable(error)),
        }
    }
}

const TAKE_NONCE: &str = "SET #exchange = :nonce, #schema = :schema";
const NONCE_IS_NEW: &str =
    "attribute_not_exists(#exchange) OR #exchange < :first OR #exchange > :latest";

pub(super) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
