//! Counts the signatures that a tenant has begun, over all of its wallets. Conditional updates of
//! one item let any number of instances count at once.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::ids::Tenant;
use platform::items::{Item, StoreError, unavailable};
use protocol::Refusal;

use crate::party::CallError;
use crate::policy::Rate;
use crate::store::Shares;

/// Maximum number of attempts when other instances write first.
const TRIES: u32 = 6;

/// The content of the item.
#[derive(Clone, Copy, Default)]
struct Counts {
    minute: u64,
    minute_used: u64,
    day: u64,
    day_used: u64,
}

impl Counts {
    fn read(item: Option<&Item>) -> Self {
        let number = |name: &str| -> u64 {
            let value = item.and_then(|item| item.get(name)?.as_n().ok()?.parse().ok());
            value.unwrap_or_default()
        };
        Self {
            minute: number("minuteId"),
            minute_used: number("minuteUsed"),
            day: number("dayId"),
            day_used: number("dayUsed"),
        }
    }
}

impl Shares {
    /// Counts one signature of a tenant.
    ///
    /// # Errors
    /// Fails when the tenant has reached its limit, or the table fails.
    pub(crate) async fn count_tenant(
        &self,
        tenant: &Tenant,
        rate: Rate,
        now_ms: u64,
    ) -> Result<(), CallError> {
        if rate.per_minute == 0 && rate.per_day == 0 {
            return Ok(());
        }
        let (minute, day) = (now_ms / 60_000, now_ms / 86_400_000);
        // The update expects the minute and day that were read last. If they have changed, the
        // item is replaced on the condition that it is unchanged.
        let mut seen = Counts { minute, day, ..Counts::default() };
        for _ in 0..TRIES {
            let next = match self.count(tenant, rate, seen, (minute, day)).await? {
                Ok(()) => return Ok(()),
                Err(next) => next,
            };
            if next.minute == minute && rate.per_minute > 0 && next.minute_used >= rate.per_minute {
                return Err(refused("too many signatures with this tenant's wallets in a minute"));
            }
            if next.day == day && rate.per_day > 0 && next.day_used >= rate.per_day {
                return Err(refused("too many signatures with this tenant's wallets in a day"));
            }
            seen = next;
        }
        Err(Refusal::Busy.into())
    }

    async fn count(
        &self,
        tenant: &Tenant,
        rate: Rate,
        seen: Counts,
        (minute, day): (u64, u64),
    ) -> Result<Result<(), Counts>, StoreError> {
        let limit = |limit: u64| number(if limit == 0 { u64::MAX >> 1 } else { limit });
        let update = self
            .db
            .update_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(format!("{tenant}#rates")))
            .key("sk", AttributeValue::S("rates".to_owned()));
        let update = if (seen.minute, seen.day) == (minute, day) {
            update
                .update_expression("SET minuteUsed = minuteUsed + :one, dayUsed = dayUsed + :one")
                .condition_expression(
                    "minuteId = :minute AND dayId = :day \
                     AND minuteUsed < :perMinute AND dayUsed < :perDay",
                )
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":perMinute", limit(rate.per_minute))
                .expression_attribute_values(":perDay", limit(rate.per_day))
        } else {
            let day_used = if seen.day == day { seen.day_used + 1 } else { 1 };
            update
                .update_expression(
                    "SET minuteId = :minute, minuteUsed = :one, dayId = :day, dayUsed = :dayUsed",
                )
                .condition_expression(
                    "attribute_not_exists(pk) OR (minuteId = :seenMinute AND dayUsed = :seenUsed)",
                )
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":dayUsed", number(day_used))
                .expression_attribute_values(":seenMinute", number(seen.minute))
                .expression_attribute_values(":seenUsed", number(seen.day_used))
        };
        let counted = update
            .expression_attribute_values(":minute", number(minute))
            .expression_attribute_values(":day", number(day))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match counted {
            Ok(_) => Ok(Ok(())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(lost)) => {
                    Ok(Err(Counts::read(lost.item())))
                }
                _ => Err(unavailable(error)),
            },
        }
    }
}

fn refused(reason: &str) -> CallError {
    Refusal::Policy(reason.to_owned()).into()
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
