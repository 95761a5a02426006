//! The past of an account: its executions and its orders. Sources: the info endpoint document and
//! the official Python SDK.

use domain::eth::Address;
use serde::Deserialize;
use serde_json::{Value, json};

use super::markets::parsed;
use super::read::{Question, SideWord, Tracked};
use crate::exchanges::LookupError;
use crate::exchanges::account::{Fill, FillPage};
use crate::exchanges::http::Answer;
use crate::exchanges::trade::{ExchangeOrder, shown};
use crate::trading::decimal::Decimal;
use crate::trading::order::PositionSide;
use crate::trading::signed::Signed;

/// Maximum number of executions in a response.
pub const MAX_FILLS: usize = 2_000;

/// Entries of a response that add one to its weight.
pub const ENTRIES_PER_WEIGHT: usize = 20;

/// Maximum size of a response with 2,000 entries, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

impl Question {
    /// Asks for the executions of a wallet from a time on, the oldest first; see [`fills`].
    #[must_use]
    pub fn fills(wallet: Address, from_ms: u64) -> Self {
        let user = wallet.to_lower_hex();
        let body = json!({ "type": "userFillsByTime", "user": user, "startTime": from_ms });
        Self { body: body.to_string(), weight: 20, max_bytes: MAX_BYTES }
    }

    /// Asks for the last 2,000 orders of a wallet; see [`orders`].
    #[must_use]
    pub fn historical_orders(wallet: Address) -> Self {
        let body = json!({ "type": "historicalOrders", "user": wallet.to_lower_hex() });
        Self { body: body.to_string(), weight: 20, max_bytes: MAX_BYTES }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireFill {
    coin: String,
    px: String,
    sz: String,
    side: SideWord,
    time: u64,
    closed_pnl: String,
    oid: u64,
    crossed: bool,
    fee: String,
    fee_token: String,
    tid: u64,
    #[serde(default)]
    cloid: Option<String>,
    #[serde(default)]
    builder_fee: Option<String>,
    #[serde(default)]
    liquidation: Option<Value>,
}

/// Reads `userFillsByTime` from a time on: the executions, and where the next page starts.
///
/// A full response can end within a millisecond, and ids do not increase within one. Its last
/// millisecond is therefore left to the next page, unless it is the only one.
///
/// # Errors
/// Fails when the response is not a list of executions from this time on.
pub fn fills(answer: &Answer, from_ms: u64) -> Result<FillPage, LookupError> {
    const WHAT: &str = "userFillsByTime";
    let wire: Vec<WireFill> = parsed(WHAT, answer)?;
    let is_full = wire.len() >= MAX_FILLS;
    let fills = wire.into_iter().map(WireFill::read).collect::<Option<Vec<_>>>();
    let fills = fills.filter(|fills| fills.iter().all(|fill| fill.at_ms >= from_ms));
    let mut fills = fills.ok_or_else(|| LookupError::unreadable(WHAT, answer))?;
    fills.sort_by_key(|fill| (fill.at_ms, fill.id));
    let (first_ms, last_ms) = match fills.as_slice() {
        [first, .., last] if is_full => (first.at_ms, last.at_ms),
        _ => return Ok(FillPage { fills, next_ms: None }),
    };
    if first_ms == last_ms {
        return Ok(FillPage { fills, next_ms: Some(last_ms.saturating_add(1)) });
    }
    fills.retain(|fill| fill.at_ms < last_ms);
    Ok(FillPage { fills, next_ms: Some(last_ms) })
}

impl WireFill {
    fn read(self) -> Option<Fill> {
        let unsigned = |text: &str| Decimal::parse(text).ok();
        Some(Fill {
            id: self.tid,
            order_id: self.oid.to_string(),
            client_id: self.cloid.map(|cloid| shown(&cloid)),
            symbol: shown(&self.coin),
            side: self.side.into(),
            position_side: PositionSide::Both,
            price: unsigned(&self.px)?,
            quantity: unsigned(&self.sz)?,
            fee: Signed::parse(&self.fee).ok()?,
            fee_asset: shown(&self.fee_token),
            builder_fee: match self.builder_fee {
                Some(fee) => Some(Signed::parse(&fee).ok()?.or_zero()),
                None => None,
            },
            realized_pnl: Signed::parse(&self.closed_pnl).ok()?,
            is_maker: !self.crossed,
            is_liquidation: self.liquidation.is_some_and(|it| !it.is_null()),
            at_ms: self.time,
        })
    }
}

/// Reads `historicalOrders`, the newest first.
///
/// # Errors
/// Fails when the response is not a list of orders.
pub fn orders(answer: &Answer) -> Result<Vec<ExchangeOrder>, LookupError> {
    const WHAT: &str = "historicalOrders";
    let tracked: Vec<Tracked> = parsed(WHAT, answer)?;
    let orders = tracked.into_iter().map(Tracked::read).collect::<Option<Vec<_>>>();
    let mut orders = orders.ok_or_else(|| LookupError::unreadable(WHAT, answer))?;
    // Stable: the exchange's own sequence decides between orders of one millisecond.
    orders.sort_by_key(|order| std::cmp::Reverse(order.at_ms));
    Ok(orders)
}

#[cfg(test)]
mod tests;
