//! The item of an exchange's budget: the weight spent in recent time slots, and the circuit.
//!
//! The attributes `slotId`, `used` and `s0` to `s6` hold the common pool. Earlier versions write
//! them too. The map `byTenant` holds the rest: the slot that it is valid for (`slotId`), a count of
//! its writes (`takes`), the pools of removals (`r`) and of jobs (`j`), and each tenant's part of a
//! pool. A name in the map is a sum; the same name with `_` and a place is the weight of one slot.

mod state;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use platform::items::{StoreError, unavailable};

pub use state::{BudgetState, Pool, SLOTS, Spent};

use super::{Store, key};

const BUDGET: &str = "budget";
const BY_TENANT: &str = "byTenant";

/// The ways to take weight.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Spend {
    /// Adds to the latest slot, concurrently with other instances.
    Add {
        /// The latest slot.
        slot: u64,
        /// The weight that is taken.
        cost: u64,
        /// The pool that it is taken from.
        pool: Pool,
        /// The name of the tenant's part of the pool.
        part: String,
        /// The most that may be used of the pool before it.
        max_used: u64,
        /// The most that may be used of the tenant's part before it.
        max_part: u64,
    },
    /// In a slot that nothing was taken from: the known state is replaced, if it still holds.
    Roll {
        /// The known state.
        seen: BudgetState,
        /// The state that replaces it.
        next: BudgetState,
    },
}

const CLOSED: &str = "(attribute_not_exists(openUntilMs) OR openUntilMs <= :nowMs)";

impl Store {
    /// Takes weight if enough is left and the circuit is closed. The outer result is the table's.
    /// The inner one is the state after the write, or why nothing was taken.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn spend(
        &self,
        partition: &str,
        now_ms: u64,
        spend: Spend,
    ) -> Result<Result<BudgetState, BudgetState>, StoreError> {
        let update = self.budget(partition).expression_attribute_values(":nowMs", number(now_ms));
        let update = match spend {
            Spend::Add { slot, cost, pool, part, max_used, max_part } => {
                let place = BudgetState::place(slot);
                let mut set = vec![
                    add_to(&format!("{BY_TENANT}.{part}")),
                    add_to(&format!("{BY_TENANT}.{part}_{place}")),
                    format!("{BY_TENANT}.takes = {BY_TENANT}.takes + :one"),
                ];
                let total = if pool == Pool::Common {
                    set.push(format!("used = used + :cost, s{place} = s{place} + :cost"));
                    "used <= :maxUsed".to_owned()
                } else {
                    let total = format!("{BY_TENANT}.{}", pool.letter());
                    set.extend([add_to(&total), add_to(&format!("{total}_{place}"))]);
                    at_most(&total, ":maxUsed")
                };
                let within = at_most(&format!("{BY_TENANT}.{part}"), ":maxPart");
                update
                    .update_expression(format!("SET {}", set.join(", ")))
                    .condition_expression(format!(
                        "slotId = :slot AND {BY_TENANT}.slotId = :slot AND {total} AND {within} \
                         AND {CLOSED}"
                    ))
                    .expression_attribute_values(":cost", number(cost))
                    .expression_attribute_values(":none", number(0))
                    .expression_attribute_values(":one", number(1))
                    .expression_attribute_values(":slot", number(slot))
                    .expression_attribute_values(":maxUsed", number(max_used))
                    .expression_attribute_values(":maxPart", number(max_part))
            }
            Spend::Roll { seen, next } => {
                let slots: Vec<String> =
                    (0..SLOTS).map(|place| format!("s{place} = :s{place}")).collect();
                let mut held = if seen.slot == 0 {
                    "attribute_not_exists(slotId)".to_owned()
                } else {
                    "slotId = :seenSlot AND used = :seenUsed".to_owned()
                };
                held += &match seen.takes {
                    None => format!(" AND attribute_not_exists({BY_TENANT})"),
                    Some(_) => format!(" AND {BY_TENANT}.takes = :seenTakes"),
                };
                let mut update = update
                    .update_expression(format!(
                        "SET slotId = :slot, used = :used, {BY_TENANT} = :byTenant, {}",
                        slots.join(", ")
                    ))
                    .condition_expression(format!("{held} AND {CLOSED}"))
                    .expression_attribute_values(":slot", number(next.slot))
                    .expression_attribute_values(":used", number(next.common.used))
                    .expression_attribute_values(":byTenant", next.map());
                for (place, spent) in next.common.slots.into_iter().enumerate() {
                    update =
                        update.expression_attribute_values(format!(":s{place}"), number(spent));
                }
                if seen.slot != 0 {
                    update = update
                        .expression_attribute_values(":seenSlot", number(seen.slot))
                        .expression_attribute_values(":seenUsed", number(seen.common.used));
                }
                if let Some(takes) = seen.takes {
                    update = update.expression_attribute_values(":seenTakes", number(takes));
                }
                update
            }
        };
        let spent = update
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match spent {
            Ok(output) => Ok(Ok(output.attributes().map(BudgetState::from).unwrap_or_default())),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    Ok(Err(refused.item().map(BudgetState::from).unwrap_or_default()))
                }
                _ => Err(unavailable(error)),
            },
        }
    }

    /// Reads the item; a missing item means that nothing was spent.
    ///
    /// # Errors
    /// Fails when the table cannot be read.
    pub async fn budget_state(&self, partition: &str) -> Result<BudgetState, StoreError> {
        let read = self.db.get_item().table_name(&self.table).set_key(Some(key(partition, BUDGET)));
        let output = read.consistent_read(true).send().await.map_err(unavailable)?;
        Ok(output.item().map(BudgetState::from).unwrap_or_default())
    }

    /// Counts a failure, and returns the number of consecutive failures.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn count_failure(&self, partition: &str, blocked: bool) -> Result<u32, StoreError> {
        let update = self.budget(partition);
        let update = if blocked {
            update
                .update_expression("SET blocked = :yes ADD failures :one")
                .expression_attribute_values(":yes", AttributeValue::Bool(true))
        } else {
            update.update_expression("ADD failures :one")
        };
        let output = update
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(unavailable)?;
        Ok(output.attributes().map(BudgetState::from).unwrap_or_default().failures)
    }

    /// Pauses all calls until a time. An earlier pause that ends later stays, so a short pause
    /// does not end a ban.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn open_circuit(
        &self,
        partition: &str,
        until_ms: u64,
        limited: bool,
    ) -> Result<(), StoreError> {
        let update = self.budget(partition);
        let update = update
            .update_expression("SET openUntilMs = :until, askedFor = :limited")
            .condition_expression("attribute_not_exists(openUntilMs) OR openUntilMs < :until")
            .expression_attribute_values(":until", number(until_ms))
            .expression_attribute_values(":limited", AttributeValue::Bool(limited));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(unavailable(error)),
            },
        }
    }

    /// Resets the failures.
    ///
    /// # Errors
    /// Fails when the table cannot be written.
    pub async fn close_circuit(&self, partition: &str) -> Result<(), StoreError> {
        let update =
            self.budget(partition).update_expression("SET failures = :none REMOVE blocked");
        let update = update.expression_attribute_values(":none", number(0));
        update.send().await.map_err(unavailable)?;
        Ok(())
    }

    fn budget(&self, partition: &str) -> UpdateItemFluentBuilder {
        self.db.update_item().table_name(&self.table).set_key(Some(key(partition, BUDGET)))
    }
}

/// The update that adds `:cost` to an attribute that may be absent.
fn add_to(path: &str) -> String {
    format!("{path} = if_not_exists({path}, :none) + :cost")
}

/// The condition that an attribute that may be absent is at most a value.
fn at_most(path: &str, value: &str) -> String {
    format!("(attribute_not_exists({path}) OR {path} <= {value})")
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
