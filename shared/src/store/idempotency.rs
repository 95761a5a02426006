//! Requests with an `Idempotency-Key`: the attempt at work, the outcome and the response.
//!
//! Each key of a tenant has one item. An attempt holds a lease on the request; after the
//! lease, the next attempt takes over. The outcome is written here in the same transaction as the
//! change, so that the next attempt finds it.

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use domain::ids::{Exchange, Tenant};
use platform::envelope::{Context, Purpose, Sealed};
use platform::items::{Item, StoreError, from_item, transaction_error, unavailable};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::credentials::{credential_item, number, sort_key};
use super::{CredentialRecord, Outcome, Store, WalletRecord, key, to_item, wallet_key};

/// Time for which a response that holds a secret is returned again, in milliseconds.
pub const SECRET_MS: u64 = 10 * 60 * 1_000;

/// Returns whether a secret that a response has shown at a time is no longer shown, both in Unix
/// milliseconds.
#[must_use]
pub const fn is_hidden(shown_from_ms: u64, now_ms: u64) -> bool {
    now_ms > shown_from_ms.saturating_add(SECRET_MS)
}

const REQUEST: &str = "idempotency";

/// Identifies a request, and one attempt at it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestMark {
    /// SHA-256 of the client's key, in hex.
    pub key: String,
    /// Drawn for the first attempt, and shared by all attempts.
    pub operation: Uuid,
    /// Drawn for this attempt.
    pub attempt: Uuid,
}

impl RequestMark {
    /// Returns the encryption context of a response with a secret. It belongs to no wallet, so the
    /// operation's id takes the wallet's place.
    #[must_use]
    pub fn context(&self, tenant: &Tenant) -> Context {
        Context {
            tenant: tenant.clone(),
            wallet_id: self.operation,
            purpose: Purpose::Answer,
            exchange: None,
            version: self.key.clone(),
        }
    }
}

/// A stored response.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// The body, if it has no secret.
    pub body: Option<String>,
    /// The sealed body, if it has a secret.
    pub sealed: Option<Sealed>,
    /// Time of the first return, Unix milliseconds. `None` when an earlier version stored it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
}

/// A request with an `Idempotency-Key`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRecord {
    /// Schema number: 1.
    pub schema: u32,
    /// SHA-256 of method, path, query and body, in hex.
    pub fingerprint: String,
    /// See [`RequestMark`].
    pub operation: Uuid,
    /// The last attempt.
    pub attempt: Uuid,
    /// End of that attempt's lease, Unix milliseconds; 0 when no attempt is at work.
    pub lease_until_ms: u64,
    /// Expiry of the key, Unix milliseconds.
    pub ends_at_ms: u64,
    /// Time from which the table may delete it, Unix seconds. DynamoDB deletes late.
    pub expires_at_s: u64,
    /// The outcome, until there is a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<StoredAnswer>,
}

/// The write to a credential that ends an operation.
#[derive(Debug)]
pub enum CredentialChange<'a> {
    /// Replaces it with this record.
    Replace(&'a CredentialRecord),
    /// Deletes it.
    Delete(Exchange),
}

/// Returns the SHA-256 of these parts, each with its length, in hex.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> String {
    let mut whole = Vec::new();
    for part in parts {
        whole.extend_from_slice(&part.len().to_be_bytes());
        whole.extend_from_slice(part);
    }
    hex::encode(digest(&SHA256, &whole))
}

fn item_key(tenant: &Tenant, hash: &str) -> Item {
    key(&format!("{tenant}#I#{hash}"), REQUEST)
}

fn text(id: Uuid) -> AttributeValue {
    AttributeValue::S(id.to_string())
}

fn broken(error: &aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

impl Store {
    /// Records that a request is being processed. If its key is known, returns the known request.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn begin_request(
        &self,
        tenant: &Tenant,
        hash: &str,
        request: &RequestRecord,
        now_ms: u64,
    ) -> Result<Option<RequestRecord>, StoreError> {
        let partition = format!("{tenant}#I#{hash}");
        let put = self
            .db
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(&partition, REQUEST, request)?))
            .condition_expression("attribute_not_exists(pk) OR #ends <= :now")
            .expression_attribute_names("#ends", "endsAtMs")
            .expression_attribute_values(":now", number(now_ms))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = put else { return Ok(None) };
        let Some(PutItemError::ConditionalCheckFailedException(met)) = error.as_service_error()
        else {
            return Err(unavailable(error));
        };
        let known = match met.item() {
            Some(item) => Some(from_item("request", item.clone())?),
            None => self.request(tenant, hash).await?,
        };
        let known: RequestRecord = known.ok_or(StoreError::Conflict)?;
        // The SDK's own retry after a lost response finds what it wrote.
        Ok((known.attempt != request.attempt).then_some(known))
    }

    async fn request(
        &self,
        tenant: &Tenant,
        hash: &str,
    ) -> Result<Option<RequestRecord>, StoreError> {
        let output = self
            .db
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item_key(tenant, hash)))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        output.item.map(|item| from_item("request", item)).transpose()
    }

    /// Takes over a request that no attempt is processing, and returns its new state. An outcome
    /// that no caller has seen counts as shown from now on.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another attempt came first.
    pub async fn take_request_over(
        &self,
        tenant: &Tenant,
        mark: &RequestMark,
        known: &RequestRecord,
        (now_ms, lease_until_ms): (u64, u64),
    ) -> Result<RequestRecord, StoreError> {
        let mut update = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item_key(tenant, &mark.key)))
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_names("#lease", "leaseUntilMs")
            .expression_attribute_values(":own", text(mark.attempt))
            .expression_attribute_values(":known", text(known.attempt))
            .expression_attribute_values(":lease", number(lease_until_ms))
            .return_values(ReturnValue::AllNew);
        let (mut set, mut condition) =
            ("SET #attempt = :own, #lease = :lease", "#attempt = :known OR #attempt = :own");
        if known.outcome.as_ref().is_some_and(|outcome| outcome.shown_from_ms.is_none()) {
            set = "SET #attempt = :own, #lease = :lease, #outcome.#shown = :now";
            condition = "(#attempt = :known OR #attempt = :own) AND attribute_exists(#outcome)";
            update = update
                .expression_attribute_names("#outcome", "outcome")
                .expression_attribute_names("#shown", "shownFromMs")
                .expression_attribute_values(":now", number(now_ms));
        }
        let update = update.update_expression(set).condition_expression(condition);
        let update = update.send().await.map_err(update_error)?;
        from_item("request", update.attributes.unwrap_or_default())
    }

    /// Stores the response to a request. Without a response, ends the lease, so that the next
    /// attempt can resume at once.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another attempt has taken over.
    pub async fn end_request(
        &self,
        tenant: &Tenant,
        mark: &RequestMark,
        answer: Option<&StoredAnswer>,
    ) -> Result<(), StoreError> {
        let mut update = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item_key(tenant, &mark.key)))
            .condition_expression("#attempt = :own")
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_names("#lease", "leaseUntilMs")
            .expression_attribute_values(":own", text(mark.attempt))
            .expression_attribute_values(":nobody", number(0));
        if let Some(answer) = answer {
            let answer = serde_dynamo::to_attribute_value(answer).map_err(|error| {
                StoreError::Damaged { what: "answer", cause: error.to_string() }
            })?;
            update = update
                .update_expression("SET #lease = :nobody, #answer = :answer REMOVE #outcome")
                .expression_attribute_names("#answer", "answer")
                .expression_attribute_names("#outcome", "outcome")
                .expression_attribute_values(":answer", answer);
        } else {
            update = update.update_expression("SET #lease = :nobody");
        }
        update.send().await.map(|_| ()).map_err(update_error)
    }

    /// Ends an operation on a credential at a known revision, and records the outcome for its
    /// request, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the credential has another revision, or another attempt at
    /// the request is at work.
    pub async fn end(
        &self,
        wallet: &WalletRecord,
        change: CredentialChange<'_>,
        known: Uuid,
        noted: Option<(&RequestMark, &Outcome)>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        if let Some((mark, outcome)) = noted {
            let items = vec![
                self.change_item(wallet, &change, known)?,
                self.note(wallet, mark, outcome, now_ms)?,
            ];
            // The SDK draws a token, so its own retries count as one request.
            let sent = self.db.transact_write_items().set_transact_items(Some(items)).send().await;
            let Err(error) = sent else { return Ok(()) };
            let codes = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled
                    .cancellation_reasons()
                    .iter()
                    .map(|reason| reason.code().unwrap_or_default().to_owned())
                    .collect(),
                _ => Vec::new(),
            };
            if !matches!(codes.as_slice(), [credential, request]
                if credential == "None" && request == "ConditionalCheckFailed")
            {
                return Err(transaction_error(error));
            }
            let request = self.request(&wallet.tenant, &mark.key).await?;
            if request.is_some_and(|request| request.operation == mark.operation) {
                return Err(StoreError::Conflict);
            }
            // The request is a day old and was deleted, so its outcome is no longer required.
        }
        match change {
            CredentialChange::Replace(record) => self.replace(wallet, record, known).await,
            CredentialChange::Delete(exchange) => self.delete(wallet, exchange, known).await,
        }
    }

    fn change_item(
        &self,
        wallet: &WalletRecord,
        change: &CredentialChange<'_>,
        known: Uuid,
    ) -> Result<TransactWriteItem, StoreError> {
        Ok(match change {
            CredentialChange::Replace(record) => {
                let put = Put::builder()
                    .table_name(&self.table)
                    .set_item(Some(credential_item(wallet, record)?))
                    .condition_expression("revision = :expected")
                    .expression_attribute_values(":expected", text(known))
                    .build()
                    .map_err(|error| broken(&error))?;
                TransactWriteItem::builder().put(put).build()
            }
            CredentialChange::Delete(exchange) => {
                let partition = wallet_key(&wallet.tenant, wallet.wallet_id);
                let delete = Delete::builder()
                    .table_name(&self.table)
                    .set_key(Some(key(&partition, &sort_key(*exchange))))
                    .condition_expression("attribute_not_exists(pk) OR revision = :expected")
                    .expression_attribute_values(":expected", text(known))
                    .build()
                    .map_err(|error| broken(&error))?;
                TransactWriteItem::builder().delete(delete).build()
            }
        })
    }

    /// Builds the update that records an outcome. An overtaken attempt records nothing while the
    /// other one is at work.
    fn note(
        &self,
        wallet: &WalletRecord,
        mark: &RequestMark,
        outcome: &Outcome,
        now_ms: u64,
    ) -> Result<TransactWriteItem, StoreError> {
        let outcome = serde_dynamo::to_attribute_value(outcome)
            .map_err(|error| StoreError::Damaged { what: "outcome", cause: error.to_string() })?;
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(item_key(&wallet.tenant, &mark.key)))
            .update_expression("SET #outcome = :outcome")
            .condition_expression("#operation = :operation AND (#attempt = :own OR #lease <= :now)")
            .expression_attribute_names("#outcome", "outcome")
            .expression_attribute_names("#operation", "operation")
            .expression_attribute_names("#attempt", "attempt")
            .expression_attribute_names("#lease", "leaseUntilMs")
            .expression_attribute_values(":outcome", outcome)
            .expression_attribute_values(":operation", text(mark.operation))
            .expression_attribute_values(":own", text(mark.attempt))
            .expression_attribute_values(":now", number(now_ms))
            .build()
            .map_err(|error| broken(&error))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

fn update_error(error: aws_sdk_dynamodb::error::SdkError<UpdateItemError>) -> StoreError {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(_)) => StoreError::Conflict,
        _ => unavailable(error),
    }
}
