//! The item of an exchange's budget: the weight spent in recent time slots, and the circuit.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use platform::items::{Item, StoreError, unavailable};

use super::{Store, key};

const BUDGET: &str = "budget";

/// Number of ten-second slots that count: a minute, and the current slot.
pub const SLOTS: usize = 7;

/// The content of the item.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BudgetState {
    /// The latest slot: Unix time in tens of seconds.
    pub slot: u64,
    /// The weight spent in all slots.
    pub used: u64,
    /// The weight spent in each slot; the index is the slot's number modulo their count.
    pub slots: [u64; SLOTS],
    /// Consecutive failures.
    pub failures: u32,
    /// Until when nothing is sent, Unix milliseconds.
    pub open_until_ms: u64,
    /// Whether the exchange requested this pause.
    pub limited: bool,
    /// Whether the edge in front of the exchange caused one of the consecutive failures.
    pub blocked: bool,
}

impl BudgetState {
    /// Returns the index of a slot.
    #[must_use]
    pub fn place(slot: u64) -> usize {
        usize::try_from(slot % SLOTS as u64).unwrap_or_default()
    }

    /// Returns the state at a later slot, without slots older than a minute. A slow clock changes
    /// nothing, but slots a minute in the future came from a wrong clock and are dropped.
    #[must_use]
    pub fn at(mut self, slot: u64) -> Self {
        if self.slot > slot.saturating_add(SLOTS as u64) {
            return Self { slot, used: 0, slots: [0; SLOTS], ..self };
        }
        for passed in (self.slot + 1..=slot).take(SLOTS) {
            self.slots[Self::place(passed)] = 0;
        }
        self.slot = self.slot.max(slot);
        self.used = self.slots.iter().sum();
        self
    }
}

impl From<&Item> for BudgetState {
    fn from(item: &Item) -> Self {
        let number = |name: &str| -> u64 {
            item.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or_default()
        };
        Self {
            slot: number("slotId"),
            used: number("used"),
            slots: std::array::from_fn(|place| number(&format!("s{place}"))),
            failures: u32::try_from(number("failures")).unwrap_or(u32::MAX),
            open_until_ms: number("openUntilMs"),
            limited: item.get("askedFor").and_then(|value| value.as_bool().ok()) == Some(&true),
            blocked: item.get("blocked").and_then(|value| value.as_bool().ok()) == Some(&true),
        }
    }
}

/// The ways to take weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spend {
    /// Adds to the latest slot, concurrently with other instances.
    Add {
        /// The latest slot.
        slot: u64,
        /// The weight to take.
        cost: u64,
        /// Maximum weight in use before it.
        max_used: u64,
    },
    /// Begins a new slot: replaces the known state, if it is unchanged.
    Roll {
        /// The known state.
        seen: BudgetState,
        /// The new state.
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
            Spend::Add { slot, cost, max_used } => {
                let place = BudgetState::place(slot);
                update
                    .update_expression(format!(
                        "SET used = used + :cost, s{place} = s{place} + :cost"
                    ))
                    .condition_expression(format!("slotId = :slot AND used <= :max AND {CLOSED}"))
                    .expression_attribute_values(":cost", number(cost))
                    .expression_attribute_values(":slot", number(slot))
                    .expression_attribute_values(":max", number(max_used))
            }
            Spend::Roll { seen, next } => {
                let slots: Vec<String> =
                    (0..SLOTS).map(|place| format!("s{place} = :s{place}")).collect();
                let held = if seen.slot == 0 {
                    "attribute_not_exists(slotId)".to_owned()
                } else {
                    "slotId = :seenSlot AND used = :seenUsed".to_owned()
                };
                let mut update = update
                    .update_expression(format!(
                        "SET slotId = :slot, used = :used, {}",
                        slots.join(", ")
                    ))
                    .condition_expression(format!("{held} AND {CLOSED}"))
                    .expression_attribute_values(":slot", number(next.slot))
                    .expression_attribute_values(":used", number(next.used));
                for (place, spent) in next.slots.into_iter().enumerate() {
                    update =
                        update.expression_attribute_values(format!(":s{place}"), number(spent));
                }
                if seen.slot != 0 {
                    update = update
                        .expression_attribute_values(":seenSlot", number(seen.slot))
                        .expression_attribute_values(":seenUsed", number(seen.used));
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

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_older_than_a_minute_are_dropped() {
        let mut state = BudgetState { slot: 100, ..BudgetState::default() };
        state.slots[BudgetState::place(100)] = 5;
        state.slots[BudgetState::place(97)] = 3;
        assert_eq!(state.at(100).used, 8);
        assert_eq!(state.at(103).used, 8);
        assert_eq!(state.at(104).used, 5);
        assert_eq!(state.at(106).used, 5);
        assert_eq!(state.at(107).used, 0);
        assert_eq!(state.at(5_000).used, 0);
        for behind in [99, 93] {
            assert_eq!(state.at(behind), state.at(100), "a slow clock changes nothing");
        }
        state.failures = 3;
        let corrected = BudgetState { slot: 92, failures: 3, ..BudgetState::default() };
        assert_eq!(state.at(92), corrected, "a clock that was fast does not lock the budget");
    }
}
