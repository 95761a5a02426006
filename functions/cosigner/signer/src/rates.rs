//! Counts the signatures of each kind separately, so that none of them uses up another's limit.
//! Removals of agents and refreshes of shares make a wallet safe again, so they must not wait for
//! messages and approvals.
//!
//! A wallet's counts are in its head. A tenant's counts are over all of its wallets. Conditional
//! updates of one item for each kind let any number of instances count at once.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::ids::Tenant;
use domain::intent::Intent;
use platform::items::{Item, StoreError, unavailable};
use protocol::Refusal;

use crate::head::Head;
use crate::party::CallError;
use crate::policy::Rate;
use crate::store::Shares;

/// A minute and a day in milliseconds.
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// A kind of signature that has counts and limits of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Messages.
    Message,
    /// Approvals of agents and builders, and logins.
    Approval,
    /// Removals of agents.
    Removal,
    /// Refreshes of shares, and their trials.
    Refresh,
    /// Payments.
    Payment,
    /// Preparations of payments, which sign nothing. They count for the tenant only.
    Preparation,
}

impl Kind {
    /// Returns the kind of an intent's signature.
    pub(crate) const fn of(intent: &Intent) -> Self {
        match intent {
            Intent::PersonalMessage(_) => Self::Message,
            Intent::AsterLogin(_)
            | Intent::AsterRegisterAgent(_)
            | Intent::HyperliquidApproveAgent(_)
            | Intent::HyperliquidApproveBuilder(_)
            | Intent::AsterApproveBuilder(_) => Self::Approval,
            Intent::AsterDeleteAgent(_) | Intent::HyperliquidRevokeAgent(_) => Self::Removal,
        }
    }

    /// Returns the sort key of a tenant's counts. Earlier versions counted every signature as a
    /// message.
    const fn sort_key(self) -> &'static str {
        match self {
            Self::Message => "rates",
            Self::Approval => "rates#approvals",
            Self::Removal => "rates#removals",
            Self::Refresh => "rates#refreshes",
            Self::Payment => "rates#payments",
            Self::Preparation => "rates#preparations",
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Self::Message => "messages",
            Self::Approval => "approvals",
            Self::Removal => "removals",
            Self::Refresh => "refreshes",
            Self::Payment => "payments",
            Self::Preparation => "preparations",
        }
    }

    /// Returns the refusal of one signature too many until the end of a `period`.
    fn refused(self, whose: &str, (period_ms, period): (u64, &str), now_ms: u64) -> Refusal {
        Refusal::Rate {
            reason: format!("too many {} with this {whose} in a {period}", self.plural()),
            retry_after_s: (period_ms - now_ms % period_ms).div_ceil(1_000),
        }
    }
}

const MINUTE: (u64, &str) = (MINUTE_MS, "minute");
const DAY: (u64, &str) = (DAY_MS, "day");

impl Head {
    /// The head after one more signature that begins now.
    ///
    /// # Errors
    /// When the wallet has had as many of this kind as it may.
    pub(crate) fn count(&mut self, kind: Kind, rate: Rate, now_ms: u64) -> Result<(), Refusal> {
        let (minute, day) = (now_ms / MINUTE_MS, now_ms / DAY_MS);
        if self.minute != minute {
            (self.minute, self.minute_used, self.minute_others) = (minute, 0, [0; 3]);
            self.minute_payments = 0;
        }
        if self.day != day {
            (self.day, self.day_used, self.day_others) = (day, 0, [0; 3]);
            self.day_payments = 0;
        }
        let (of_minute, of_day) = match kind {
            Kind::Message => (&mut self.minute_used, &mut self.day_used),
            Kind::Approval => (&mut self.minute_others[0], &mut self.day_others[0]),
            Kind::Removal => (&mut self.minute_others[1], &mut self.day_others[1]),
            Kind::Refresh => (&mut self.minute_others[2], &mut self.day_others[2]),
            Kind::Payment => (&mut self.minute_payments, &mut self.day_payments),
            Kind::Preparation => return Ok(()),
        };
        let full = |used: u64, limit: u64| limit > 0 && used >= limit;
        if full(*of_minute, rate.per_minute) {
            return Err(kind.refused("wallet", MINUTE, now_ms));
        }
        if full(*of_day, rate.per_day) {
            return Err(kind.refused("wallet", DAY, now_ms));
        }
        *of_minute += 1;
        *of_day += 1;
        Ok(())
    }
}

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
    /// Fails when the tenant has reached its limit for this kind, or the table fails.
    pub(crate) async fn count_tenant(
        &self,
        tenant: &Tenant,
        kind: Kind,
        rate: Rate,
        now_ms: u64,
    ) -> Result<(), CallError> {
        if rate.per_minute == 0 && rate.per_day == 0 {
            return Ok(());
        }
        let (minute, day) = (now_ms / MINUTE_MS, now_ms / DAY_MS);
        // The update expects the minute and day that were read last. If they have changed, the
        // item is replaced on the condition that it is unchanged.
        let mut seen = Counts { minute, day, ..Counts::default() };
        for _ in 0..TRIES {
            let next = match self.count((tenant, kind), rate, seen, (minute, day)).await? {
                Ok(()) => return Ok(()),
                Err(next) => next,
            };
            if next.minute == minute && rate.per_minute > 0 && next.minute_used >= rate.per_minute {
                return Err(kind.refused("tenant's wallets", MINUTE, now_ms).into());
            }
            if next.day == day && rate.per_day > 0 && next.day_used >= rate.per_day {
                return Err(kind.refused("tenant's wallets", DAY, now_ms).into());
            }
            seen = next;
        }
        Err(Refusal::Busy.into())
    }

    async fn count(
        &self,
        (tenant, kind): (&Tenant, Kind),
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
            .key("sk", AttributeValue::S(kind.sort_key().to_owned()));
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

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_790_000_000_000;

    #[test]
    fn messages_use_up_no_other_kind() {
        let rate = Rate { per_minute: 2, per_day: 3 };
        let mut head = Head::default();
        for kind in [Kind::Message, Kind::Approval, Kind::Removal, Kind::Refresh, Kind::Payment] {
            for _ in 0..2 {
                head.count(kind, rate, NOW_MS).unwrap();
            }
            let refused = head.count(kind, rate, NOW_MS).unwrap_err();
            let Refusal::Rate { reason, retry_after_s } = refused else { unreachable!() };
            assert_eq!(reason, format!("too many {} with this wallet in a minute", kind.plural()));
            assert_eq!(retry_after_s, 60 - NOW_MS / 1_000 % 60);
        }
        let later_ms = NOW_MS + MINUTE_MS;
        head.count(Kind::Message, rate, later_ms).unwrap();
        let Err(Refusal::Rate { retry_after_s, .. }) = head.count(Kind::Message, rate, later_ms)
        else {
            unreachable!("the day is used up")
        };
        assert_eq!(retry_after_s, 86_400 - later_ms / 1_000 % 86_400);
        assert_eq!(head.count(Kind::Removal, rate, later_ms), Ok(()));
    }

    #[test]
    fn counts_of_an_earlier_head_are_those_of_messages() {
        let mut old = serde_json::to_value(Head::default()).unwrap();
        for name in ["minuteOthers", "dayOthers"] {
            assert!(old.get(name).is_none(), "an unused count is not stored");
        }
        old["minute"] = (NOW_MS / MINUTE_MS).into();
        old["minuteUsed"] = 2.into();
        let mut head: Head = serde_json::from_value(old).unwrap();
        let rate = Rate { per_minute: 2, per_day: 0 };
        assert!(head.count(Kind::Message, rate, NOW_MS).is_err());
        assert_eq!(head.count(Kind::Approval, rate, NOW_MS), Ok(()));
        let stored = serde_json::to_value(&head).unwrap();
        assert_eq!(serde_json::from_value::<Head>(stored).unwrap(), head);
    }
}
