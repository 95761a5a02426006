//! Storage of trading ledgers: see [`Ledger`]. Orders are reserved together with the ledger; this
//! module takes nonces for calls that reserve nothing.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use domain::clock::Clock;
use platform::items::{Item, StoreError, from_item, unavailable};

use super::credentials::number;
use super::tenant_writes::attribute;
use super::{Store, TradingAccount};
use crate::trading::ledger::{Ledger, latest_nonce, next_nonce};

/// How often a nonce is tried that other calls take first.
const TRIES: usize = 10;

impl Store {
    /// Takes the next nonce of a wallet at an exchange for a call without a reservation, such as a
    /// cancellation. A reservation that was computed from the ledger before this call is refused
    /// after it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when other calls win repeatedly; otherwise when the table fails.
    pub async fn take_trading_nonce(
        &self,
        account: &TradingAccount,
        clock: &Clock,
    ) -> Result<u64, StoreError> {
        let mut last = 0;
        for _ in 0..TRIES {
            let now_us = clock.now_us();
            let nonce = next_nonce(account.exchange, last, now_us);
            let latest = latest_nonce(account.exchange, now_us);
            match self.take_nonce_above(account, nonce, latest).await? {
                None => return Ok(nonce),
                // This can also be the result of this call, if its response was lost. The nonce is
                // then left out, because it could be another caller's.
                Some(ledger) => last = ledger.nonce,
            }
        }
        Err(StoreError::Conflict)
    }

    /// Takes a nonce that is higher than the last one, or returns the ledger with a last one that is
    /// not lower. A last one above `latest` came from a wrong clock.
    async fn take_nonce_above(
        &self,
        account: &TradingAccount,
        nonce: u64,
        latest: u64,
    ) -> Result<Option<Ledger>, StoreError> {
        let empty = Ledger::default();
        let sent = self
            .db
            .update_item()
            .table_name(&self.table)
            .set_key(Some(account.ledger_key()))
            .update_expression(
                "SET nonce = :nonce, #schema = if_not_exists(#schema, :schema), \
                 slot = if_not_exists(slot, :slot), orders = if_not_exists(orders, :orders), \
                 reserved = if_not_exists(reserved, :reserved) ADD rev :one",
            )
            .condition_expression(
                "attribute_not_exists(nonce) OR nonce < :nonce OR nonce > :latest",
            )
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_values(":nonce", number(nonce))
            .expression_attribute_values(":latest", number(latest))
            .expression_attribute_values(":schema", number(empty.schema.into()))
            .expression_attribute_values(":slot", number(empty.slot))
            .expression_attribute_values(":orders", attribute(&empty.orders)?)
            .expression_attribute_values(":reserved", attribute(&empty.reserved)?)
            .expression_attribute_values(":one", number(1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    let item: Item = refused.item().cloned().unwrap_or_default();
                    from_item("ledger", item).map(Some)
                }
                _ => Err(unavailable(error)),
            },
        }
    }
}
