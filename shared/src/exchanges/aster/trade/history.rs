//! The executions of an account. Source: the futures API V3 document.

use serde_json::Value;

use super::account::{list, number};
use super::params::Params;
use super::read::{AskError, position_side, side};
use crate::exchanges::account::{Fill, FillPage};
use crate::exchanges::http::Answer;
use crate::exchanges::trade::shown;

/// Maximum number of executions in a response.
pub const MAX_TRADES: usize = 1_000;

/// Maximum length of a window, in milliseconds: seven days.
pub const MAX_WINDOW_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// A window of time with both ends, Unix milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// The first millisecond.
    pub from_ms: u64,
    /// The last millisecond.
    pub to_ms: u64,
}

impl Window {
    /// Returns the longest window that starts at a time and ends at the present at the latest.
    #[must_use]
    pub fn starting(from_ms: u64, now_ms: u64) -> Self {
        let longest = from_ms.saturating_add(MAX_WINDOW_MS - 1);
        Self { from_ms, to_ms: longest.min(now_ms).max(from_ms) }
    }

    /// Returns the first half; `None` for a single millisecond.
    #[must_use]
    pub const fn first_half(self) -> Option<Self> {
        match self.to_ms.checked_sub(self.from_ms) {
            None | Some(0) => None,
            Some(length) => Some(Self { to_ms: self.from_ms + length / 2, ..self }),
        }
    }

    /// Returns the parameters that ask for the executions of a market in the window.
    #[must_use]
    pub fn params(self, symbol: &str) -> Params {
        Params::new(vec![
            ("symbol", symbol.to_owned()),
            ("startTime", self.from_ms.to_string()),
            ("endTime", self.to_ms.to_string()),
            ("limit", MAX_TRADES.to_string()),
        ])
    }

    /// Returns the page of the executions in this window. The next one starts after it.
    #[must_use]
    pub fn page(self, mut fills: Vec<Fill>, now_ms: u64) -> FillPage {
        fills.sort_by_key(|fill| (fill.at_ms, fill.id));
        let next_ms = (self.to_ms < now_ms).then(|| self.to_ms.saturating_add(1));
        FillPage { fills, next_ms }
    }
}

/// Interprets `userTrades` of a market in a window.
///
/// # Errors
/// Fails when the response is not such a list, or is about another market or time.
pub fn trades(answer: &Answer, symbol: &str, window: Window) -> Result<Vec<Fill>, AskError> {
    list("trades", answer, |row| {
        let fill = trade(row)?;
        let is_asked =
            fill.symbol == symbol && (window.from_ms..=window.to_ms).contains(&fill.at_ms);
        is_asked.then_some(fill)
    })
}

fn trade(row: &Value) -> Option<Fill> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let id = |name: &str| row.get(name).and_then(Value::as_u64);
    Some(Fill {
        id: id("id")?,
        order_id: id("orderId")?.to_string(),
        client_id: text("clientOrderId").map(shown),
        symbol: shown(text("symbol")?),
        side: side(text("side")?)?,
        position_side: position_side(text("positionSide")?)?,
        price: number(row, "price")?.or_zero(),
        quantity: number(row, "qty")?.magnitude(),
        fee: number(row, "commission")?,
        fee_asset: shown(text("commissionAsset")?),
        builder_fee: None,
        realized_pnl: number(row, "realizedPnl")?,
        is_maker: row.get("maker")?.as_bool()?,
        is_liquidation: false,
        at_ms: id("time")?,
    })
}

#[cfg(test)]
mod tests;
