//! One attempt to find the outcome of orders: its input, its result, and how it can end early.

use crate::exchanges::LookupError;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::budget::Busy;
use crate::orders::TradeError;
use crate::orders::finding::FindFault;
use crate::store::{OrderLost, OrderRecord, TradingAccount, TradingView};
use crate::trading::ids::OrderKey;

/// Orders with a submission under way.
#[derive(Clone, Debug)]
pub(in crate::orders) struct Case<'a> {
    pub(in crate::orders) account: &'a TradingAccount,
    pub(in crate::orders) view: &'a TradingView,
    /// The orders of the submission, the lead first.
    pub(in crate::orders) records: Vec<OrderRecord>,
    /// No question is begun from this time on, Unix milliseconds. One that was begun before ends
    /// [`GRACE_MS`] later at most.
    pub(in crate::orders) until_ms: u64,
    /// The longest wait for the last lookup, in milliseconds.
    pub(in crate::orders) max_wait_ms: u64,
}

/// How long a question may last beyond the time until which it may begin, in milliseconds.
pub(in crate::orders) const GRACE_MS: u64 = 5_000;

/// The longest wait of a request for the last lookup, in milliseconds.
pub(in crate::orders) const REQUEST_WAIT_MS: u64 = 1_500;

/// The result of one attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::orders) enum Resolution {
    /// Every outcome is known.
    Known(Vec<OrderRecord>),
    /// An outcome is open.
    Open {
        /// The orders, the lead first.
        records: Vec<OrderRecord>,
        /// The reason, for the log.
        cause: String,
        /// What the next attempt needs.
        next: Next,
    },
}

/// What the next attempt needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::orders) enum Next {
    /// An answer of the exchange.
    Later,
    /// Time: the last lookup may start at this one, Unix milliseconds.
    At(u64),
    /// Room in the exchange's budget, which no tenant finds now.
    Budget {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// Room in the tenant's part of the exchange's budget. Other tenants find room.
    TenantBudget {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// No attempt can find the outcome without a new credential or an operator.
    Help,
}

impl Next {
    /// Returns the seconds after which another attempt is worth it.
    pub(in crate::orders) const fn wait_s(self, now_ms: u64) -> u64 {
        let at_ms = match self {
            Self::At(at_ms) => at_ms,
            Self::Budget { retry_after_s } | Self::TenantBudget { retry_after_s } => {
                now_ms.saturating_add(retry_after_s.saturating_mul(1_000))
            }
            Self::Later | Self::Help => now_ms + UNCLEAR_WAIT_MS,
        };
        let wait_s = at_ms.saturating_sub(now_ms).div_ceil(1_000);
        if wait_s == 0 { 1 } else { wait_s }
    }
}

/// When another attempt is worth it after an exchange that gave no clear answer, in milliseconds.
const UNCLEAR_WAIT_MS: u64 = 2_000;

impl Resolution {
    /// Returns the orders, the lead first.
    pub(in crate::orders) fn records(self) -> Vec<OrderRecord> {
        match self {
            Self::Known(records) | Self::Open { records, .. } => records,
        }
    }
}

/// Why an attempt ended without an outcome.
pub(super) struct Stop {
    pub(super) cause: String,
    pub(super) next: Next,
}

impl Stop {
    pub(super) fn because(cause: &(impl ToString + ?Sized)) -> Self {
        Self { cause: cause.to_string(), next: Next::Later }
    }

    pub(super) fn unresolvable(cause: &str) -> Self {
        Self { cause: cause.to_owned(), next: Next::Help }
    }
}

impl From<AskError> for Stop {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Failed(LookupError::Busy(busy)) => busy.into(),
            error => Self::because(&error),
        }
    }
}

impl From<Busy> for Stop {
    fn from(busy: Busy) -> Self {
        let next = match busy {
            Busy::Limited { retry_after_s }
            | Busy::Down { retry_after_s }
            | Busy::Blocked { retry_after_s } => Next::Budget { retry_after_s },
            Busy::TenantLimited { retry_after_s } => Next::TenantBudget { retry_after_s },
            Busy::Store(_) => Next::Later,
        };
        Self { cause: busy.to_string(), next }
    }
}

/// Why an attempt failed, or lost against another one.
pub(super) enum Failed {
    Stop(Stop),
    Lost(OrderLost),
    Error(TradeError),
}

impl From<Stop> for Failed {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<AskError> for Failed {
    fn from(error: AskError) -> Self {
        Self::Stop(error.into())
    }
}

impl From<Busy> for Failed {
    fn from(busy: Busy) -> Self {
        Self::Stop(busy.into())
    }
}

impl From<FindFault> for Failed {
    fn from(fault: FindFault) -> Self {
        match fault {
            FindFault::Ask(error) => error.into(),
            pending @ FindFault::Pending => Self::Stop(Stop::because(&pending)),
            // Only an operator can tell what became of the order.
            other @ (FindFault::OtherOrder { .. } | FindFault::OtherHash) => {
                Self::Stop(Stop::unresolvable(&other.to_string()))
            }
        }
    }
}

impl From<OrderLost> for Failed {
    fn from(lost: OrderLost) -> Self {
        Self::Lost(lost)
    }
}

impl Case<'_> {
    pub(super) fn keys(&self) -> Vec<OrderKey> {
        let ids = self.records.iter().map(|record| &record.client_order_id);
        ids.map(|id| self.account.order_key(id)).collect()
    }

    pub(super) fn lead(&self) -> Result<&OrderRecord, TradeError> {
        self.records.first().ok_or(TradeError::DamagedOrder("no lead"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenant_without_budget_is_told_from_an_empty_budget() {
        let next = |busy: Busy| Stop::from(AskError::Failed(LookupError::Busy(busy))).next;
        let retry_after_s = 30;
        let tenant = next(Busy::TenantLimited { retry_after_s });
        assert_eq!(tenant, Next::TenantBudget { retry_after_s });
        for busy in [
            Busy::Limited { retry_after_s },
            Busy::Down { retry_after_s },
            Busy::Blocked { retry_after_s },
        ] {
            assert_eq!(next(busy), Next::Budget { retry_after_s });
        }
        assert_eq!(tenant.wait_s(1_000), 30);
        assert_eq!(Next::Later.wait_s(1_000), 2);
    }
}
