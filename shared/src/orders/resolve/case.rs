//! One attempt to find the outcome of orders: its input, its result, and how it can end early.

use crate::exchanges::LookupError;
use crate::exchanges::aster::trade::read::AskError;
use crate::orders::TradeError;
use crate::store::{OrderLost, OrderRecord, TradingAccount, TradingView};
use crate::trading::ids::OrderKey;

/// Orders with a submission under way.
#[derive(Clone, Debug)]
pub(in crate::orders) struct Case<'a> {
    pub(in crate::orders) account: &'a TradingAccount,
    pub(in crate::orders) view: &'a TradingView,
    /// The orders of the submission, the lead first.
    pub(in crate::orders) records: Vec<OrderRecord>,
    /// No question is begun after this time, Unix milliseconds.
    pub(in crate::orders) until_ms: u64,
    /// The longest wait for the last lookup, in milliseconds.
    pub(in crate::orders) max_wait_ms: u64,
}

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
    /// Room in the exchange's budget.
    Budget,
    /// No attempt can find the outcome without a new credential or an operator.
    Help,
}

impl Next {
    /// Returns the seconds after which another attempt is worth it.
    pub(in crate::orders) const fn wait_s(self, now_ms: u64) -> u64 {
        let at_ms = match self {
            Self::At(at_ms) => at_ms,
            Self::Later | Self::Budget | Self::Help => now_ms + UNCLEAR_WAIT_MS,
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
        let next = match &error {
            AskError::Failed(LookupError::Busy(_)) => Next::Budget,
            _ => Next::Later,
        };
        Self { cause: error.to_string(), next }
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
