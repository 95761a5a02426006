//! The tenant's list of counted payments. A freeze cannot recall a signed payment, so the list shows
//! what may still be executed, and what an endpoint reported about it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::Tenant;
use platform::aws::Lazy;
use platform::items::{Item, StoreError, unavailable};
use protocol::{
    MAX_REFERENCE, OpenPayment, OpenPayments, OutcomeReport, PaymentRefusal, Refusal,
    SettlePayment, WalletKey,
};

use super::record::{
    OPEN, Open, Report, Withdrawal, damaged, open_key, read_open, tenant_partition, withdrawal_key,
};
use crate::audit::RequestContext;
use crate::party::{CallError, Cosigner};
use crate::store::{Shares, tenant_key};

/// Maximum number of payments of a page. DynamoDB reads at most 100 items by their keys at once.
const MOST: u8 = 100;

/// The longest start of a page, in characters: a time, a wallet and a payment's id.
const MAX_FROM: usize = 160;

impl Cosigner {
    /// Notes the outcome of a signed payment, as an endpoint reports it. A compromised endpoint could
    /// report anything, so the report changes nothing else: the payment stays in the list for as long
    /// as before, and its amounts stay counted. The first report stays.
    pub(crate) async fn settle_payment(
        &self,
        context: &RequestContext,
        message: SettlePayment,
    ) -> Result<(), CallError> {
        let SettlePayment { id, outcome, reference } = message;
        let is_text = |text: &String| {
            text.len() <= MAX_REFERENCE && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !reference.as_ref().is_none_or(is_text) {
            return Err(Refusal::Malformed.into());
        }
        let key = &context.key;
        let known = Withdrawal::read(self.shares.get(withdrawal_key(key, &id)).await?)?;
        let signed = known.filter(Withdrawal::is_signed);
        let Some(counted_at_ms) = signed.and_then(|signed| signed.counted_at_ms) else {
            return Err(Refusal::from(PaymentRefusal::NotSigned).into());
        };
        let by = context.alias.clone().unwrap_or_default();
        let report = Report { outcome, reference, at_ms: self.clock.now_ms(), by };
        let report = serde_dynamo::to_attribute_value(&report)
            .map_err(|error| StoreError::Damaged { what: "report", cause: error.to_string() })?;
        let updated = self
            .shares
            .db
            .update_item()
            .table_name(&self.shares.table)
            .set_key(Some(open_key(key, &id, counted_at_ms)))
            .update_expression("SET report = :report")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(report)")
            .expression_attribute_values(":report", report)
            .send()
            .await;
        match updated {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                // It is not listed, or was reported before.
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(unavailable(error).into()),
            },
        }
    }

    /// Lists a page of the tenant's counted payments, the newest first.
    pub(crate) async fn list_payments(
        &self,
        context: &RequestContext,
        from: Option<String>,
    ) -> Result<OpenPayments, CallError> {
        let is_start = |from: &String| from.len() <= MAX_FROM && from.is_ascii();
        if !from.as_ref().is_none_or(is_start) {
            return Err(Refusal::Malformed.into());
        }
        Ok(self.shares.counted(&context.key.tenant, from, MOST).await?)
    }
}

/// Returns a page of at most 100 of a tenant's counted payments in this table, as the cosigner lists
/// them.
///
/// # Errors
/// Fails when the table cannot be read, or an item cannot be parsed.
pub async fn counted_payments(
    db: &Lazy<Client>,
    table: &str,
    tenant: &Tenant,
    from: Option<String>,
    limit: u8,
) -> Result<OpenPayments, StoreError> {
    Shares::new(db.clone(), table).counted(tenant, from, limit.clamp(1, MOST)).await
}

impl Shares {
    async fn counted(
        &self,
        tenant: &Tenant,
        from: Option<String>,
        limit: u8,
    ) -> Result<OpenPayments, StoreError> {
        let start = from.map(|from| tenant_key(tenant, format!("{OPEN}{from}")));
        let output = self
            .db
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :open)")
            .expression_attribute_values(":pk", tenant_partition(tenant))
            .expression_attribute_values(":open", AttributeValue::S(OPEN.to_owned()))
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(limit.into())
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(unavailable)?;
        let next = output.last_evaluated_key.as_ref().and_then(start_of);
        let items = output.items.unwrap_or_default().into_iter().map(read_open);
        let open = items.collect::<Result<Vec<Open>, _>>()?;
        let keys: Vec<Item> = open.iter().map(|item| signed_key(tenant, item)).collect();
        // An empty batch is refused.
        let stored = if keys.is_empty() { Vec::new() } else { self.get_all(&keys).await? };
        let payments = open.into_iter().zip(stored).map(|(item, stored)| listed(item, stored));
        Ok(OpenPayments { payments: payments.collect::<Result<_, _>>()?, next })
    }
}

/// Returns the key of the item with a listed payment's signatures.
fn signed_key(tenant: &Tenant, item: &Open) -> Item {
    let (tenant, wallet_id) = (tenant.clone(), item.wallet_id);
    withdrawal_key(&WalletKey { tenant, wallet_id, key_version: 0 }, &item.id)
}

fn listed(item: Open, stored: Option<Item>) -> Result<OpenPayment, StoreError> {
    let stored = Withdrawal::read(stored)?;
    Ok(OpenPayment {
        wallet_id: item.wallet_id,
        id: item.id,
        payment: serde_json::from_str(&item.payment).map_err(damaged)?,
        counted_at_ms: item.counted_at_ms,
        valid_until_ms: item.valid_until_ms,
        is_signed: stored.is_some_and(|stored| stored.is_signed()),
        report: item.report.map(|Report { outcome, reference, at_ms, by }| OutcomeReport {
            outcome,
            reference,
            at_ms,
            by,
        }),
    })
}

/// Returns where the next page begins: the sort key without what all have in common.
fn start_of(key: &Item) -> Option<String> {
    key.get("sk")?.as_s().ok()?.strip_prefix(OPEN).map(str::to_owned)
}
