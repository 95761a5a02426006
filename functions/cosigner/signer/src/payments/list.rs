//! The tenant's list of counted payments. A freeze cannot recall a signed payment, so the list shows
//! what may still be executed.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::money::PaymentId;
use platform::items::unavailable;
use protocol::OpenPayment;

use super::record::{
    KEPT_S, OPEN, Withdrawal, damaged, number, open_key, read_open, tenant_partition,
    withdrawal_key,
};
use crate::audit::RequestContext;
use crate::party::{CallError, Cosigner};

/// Maximum number of listed payments.
const MOST: i32 = 100;

impl Cosigner {
    /// Marks a payment as settled, as an endpoint reports it. The payment stays in the list for a
    /// week, because a compromised endpoint could report anything. Counted amounts stay counted.
    pub(crate) async fn settle_payment(
        &self,
        context: &RequestContext,
        id: &PaymentId,
    ) -> Result<(), CallError> {
        let key = &context.key;
        let known = Withdrawal::read(self.shares.get(withdrawal_key(key, id)).await?)?;
        let Some(counted_at_ms) = known.and_then(|known| known.counted_at_ms) else {
            return Ok(());
        };
        let now_ms = self.clock.now_ms();
        let updated = self
            .shares
            .db
            .update_item()
            .table_name(&self.shares.table)
            .set_key(Some(open_key(key, id, counted_at_ms)))
            .update_expression("SET settledAtMs = :now, expiresAtS = :end")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(settledAtMs)")
            .expression_attribute_values(":now", number(now_ms))
            .expression_attribute_values(":end", number(now_ms / 1_000 + KEPT_S))
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

    /// Lists the tenant's counted payments, the newest first.
    pub(crate) async fn list_payments(
        &self,
        context: &RequestContext,
    ) -> Result<Vec<OpenPayment>, CallError> {
        let output = self
            .shares
            .db
            .query()
            .table_name(&self.shares.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :open)")
            .expression_attribute_values(":pk", tenant_partition(&context.key.tenant))
            .expression_attribute_values(":open", AttributeValue::S(OPEN.to_owned()))
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(MOST)
            .send()
            .await
            .map_err(unavailable)?;
        let mut open = Vec::new();
        for item in output.items.unwrap_or_default() {
            let item = read_open(item)?;
            open.push(OpenPayment {
                wallet_id: item.wallet_id,
                id: item.id,
                payment: serde_json::from_str(&item.payment).map_err(damaged)?,
                counted_at_ms: item.counted_at_ms,
                valid_until_ms: item.valid_until_ms,
                settled_at_ms: item.settled_at_ms,
            });
        }
        Ok(open)
    }
}
