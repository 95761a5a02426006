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

    /// Returns a shorter window with the same start after a full response; `None` for a single
    /// millisecond. If the exchange lists the oldest, the next response holds all. If it lists
    /// others, each window but the first is at most half as long as the one before.
    #[must_use]
    pub fn shortened(self, listed: &[Fill], is_first: bool) -> Option<Self> {
        let half_ms = match self.to_ms.checked_sub(self.from_ms) {
            None | Some(0) => return None,
            Some(length_ms) => self.from_ms + length_ms / 2,
        };
        let mut times: Vec<u64> = listed.iter().map(|fill| fill.at_ms).collect();
        times.sort_unstable();
        let to_ms = match (times.first(), times.get(times.len() / 2)) {
            (Some(&first_ms), _) if is_first && first_ms > half_ms => first_ms - 1,
            (_, Some(&middle_ms)) => middle_ms.clamp(self.from_ms, half_ms),
            _ => half_ms,
        };
        Some(Self { to_ms, ..self })
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

/// Returns the parameters that ask for the executions of a market from an id on, in the sequence of
/// their ids.
#[must_use]
pub fn params_from(symbol: &str, from_id: u64) -> Params {
    Params::new(vec![
        ("symbol", symbol.to_owned()),
        ("fromId", from_id.to_string()),
        ("limit", MAX_TRADES.to_string()),
    ])
}

/// Interprets `userTrades` of a market in a window.
///
/// # Errors
/// Fails when the response is not such a list, or is about another market or time.
pub fn trades(answer: &Answer, symbol: &str, window: Window) -> Result<Vec<Fill>, AskError> {
    listed(answer, symbol, |fill| (window.from_ms..=window.to_ms).contains(&fill.at_ms))
}

/// Interprets `userTrades` of a market from an id on.
///
/// # Errors
/// Fails when the response is not such a list, or is about another market or earlier ids.
pub fn trades_from(answer: &Answer, symbol: &str, from_id: u64) -> Result<Vec<Fill>, AskError> {
    listed(answer, symbol, |fill| fill.id >= from_id)
}

fn listed(
    answer: &Answer,
    symbol: &str,
    is_asked: impl Fn(&Fill) -> bool,
) -> Result<Vec<Fill>, AskError> {
    list("trades", answer, |row| {
        let fill = trade(row)?;
        (fill.symbol == symbol && is_asked(&fill)).then_some(fill)
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
