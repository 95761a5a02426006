//! Positions, balances, executions and leverage.

use serde::{Deserialize, Serialize};

use crate::Exchange;
use crate::orders::{PositionSide, Problem, Side, TimeInForce};

/// The direction of a position.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Direction(pub String);

/// How a market's margin is kept: `CROSS` or `ISOLATED`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MarginMode(pub String);

impl MarginMode {
    /// Returns the mode in which all positions share the account's margin.
    #[must_use]
    pub fn cross() -> Self {
        Self("CROSS".to_owned())
    }

    /// Returns the mode in which the position has margin of its own.
    #[must_use]
    pub fn isolated() -> Self {
        Self("ISOLATED".to_owned())
    }
}

/// An open position.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// The exchange's name of the market.
    pub symbol: String,
    /// The exchange.
    pub exchange: Exchange,
    /// `LONG` or `SHORT`.
    pub direction: Direction,
    /// The size, without its direction.
    pub size: String,
    /// The average price of entry.
    pub entry_price: String,
    /// The mark price.
    pub mark_price: String,
    /// The price of liquidation. `None`: the account can bear any price.
    pub liquidation_price: Option<String>,
    /// The profit at the mark price.
    pub unrealized_pnl: String,
    /// The profit in percent of the margin at entry.
    pub unrealized_pnl_percent: String,
    /// The leverage of the market.
    pub leverage: u32,
    /// The margin that the position uses.
    pub collateral: String,
    /// The margin that the position uses.
    pub margin: String,
    /// How the margin is kept.
    pub margin_mode: MarginMode,
    /// The position in hedge mode.
    pub position_side: PositionSide,
    /// The value at the mark price.
    pub notional: String,
    /// When the position changed last, Unix milliseconds.
    pub timestamp: u64,
    /// The wallet's address.
    pub wallet_address: String,
}

/// The open positions of a wallet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Positions {
    /// The wallet's address.
    pub wallet_address: String,
    /// The positions.
    pub positions: Vec<Position>,
    /// Number of the positions.
    pub total_positions: u64,
    /// Whether the positions of each exchange were read, if all exchanges were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchanges: Option<Vec<ExchangeRead>>,
    /// The service's time in Unix milliseconds.
    pub timestamp: u64,
}

/// Whether the positions at one exchange were read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExchangeRead {
    /// The exchange.
    pub exchange: Exchange,
    /// Whether the list has its positions.
    pub success: bool,
    /// The error; empty if the positions were read.
    #[serde(flatten)]
    pub problem: Problem,
}

/// The balances of a wallet at an exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Balances {
    /// Always true.
    pub success: bool,
    /// The exchange.
    pub exchange: Exchange,
    /// The wallet's address.
    pub address: String,
    /// The balance of each asset.
    pub balances: Vec<Balance>,
    /// What can be withdrawn of the perpetuals' account.
    pub withdrawable: String,
    /// The value of the perpetuals' account with unrealized profits.
    pub account_value: String,
    /// How the account keeps its funds.
    pub account_mode: String,
    /// The parts of the account that the exchange did not state: `SPOT` on Aster. Their rows are
    /// missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// The balance of one asset.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Balance {
    /// The asset.
    pub asset: String,
    /// The free part.
    pub free: String,
    /// The part that orders and positions use.
    pub locked: String,
    /// The whole balance.
    pub total: String,
    /// The balance of the cross margin without unrealized profits.
    pub cross_wallet_balance: String,
    /// The unrealized profit of the cross positions.
    pub cross_un_pnl: String,
    /// What can be withdrawn.
    pub max_withdraw_amount: String,
    /// `PERPS` or `SPOT`.
    pub account_type: String,
    /// The DEX of another deployer on Hyperliquid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dex: Option<String>,
}

/// A page of executions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fills {
    /// The page.
    pub data: FillPage,
    /// Number of the executions.
    pub count: u64,
    /// The service's time in Unix milliseconds.
    pub timestamp: u64,
}

/// The executions of a page, the oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FillPage {
    /// The executions.
    pub fills: Vec<Fill>,
    /// Where the next page starts. `None`: no more are known now.
    pub next_from: Option<String>,
}

/// An execution of an order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fill {
    /// The exchange's id of the execution.
    pub fill_id: String,
    /// The exchange's id of the order.
    pub order_id: String,
    /// Your id of the order, or the client's id that the exchange states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_order_id: Option<String>,
    /// The exchange's name of the market.
    pub symbol: String,
    /// The direction.
    pub side: Side,
    /// The position that the order changed.
    pub position_side: PositionSide,
    /// The price.
    pub price: String,
    /// The quantity.
    pub quantity: String,
    /// The fee. A rebate is negative.
    pub fee: String,
    /// The asset of the fee.
    pub fee_asset: String,
    /// The part of the fee that the builder receives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder_fee: Option<String>,
    /// The realized profit.
    pub realized_pnl: String,
    /// `MAKER` or `TAKER`.
    pub liquidity: String,
    /// Whether the execution liquidated a position.
    pub liquidation: bool,
    /// The exchange.
    pub exchange: Exchange,
    /// When, Unix milliseconds.
    pub timestamp: u64,
}

/// The leverage and the margin mode of a market.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leverage {
    /// The market as the request named it.
    pub symbol: String,
    /// The exchange.
    pub exchange: Exchange,
    /// The leverage.
    pub leverage: u32,
    /// How the margin is kept.
    pub margin_mode: MarginMode,
}

/// A request to close a position. Without a quantity it closes the whole position, and without a
/// price at the market's price.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Close {
    /// The market. `None` closes all positions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// The part to close.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// The limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// How long an order with a limit rests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_in_force: Option<TimeInForce>,
    /// The opposite of the position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// The position in hedge mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position_side: Option<PositionSide>,
    /// The maximum slippage of a market order on Hyperliquid, as a fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slippage: Option<String>,
    /// Your id of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_order_id: Option<String>,
}

impl Close {
    /// Returns the request that closes a whole position at the market's price.
    #[must_use]
    pub fn whole(symbol: &str) -> Self {
        Self { symbol: Some(symbol.to_owned()), ..Self::default() }
    }

    /// Returns the request that closes a part of a position at the market's price.
    #[must_use]
    pub fn part(symbol: &str, quantity: &str) -> Self {
        Self { quantity: Some(quantity.to_owned()), ..Self::whole(symbol) }
    }

    /// Returns the request that closes all positions at the market's price.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    pub(crate) fn body(&self, wallet: Option<&str>) -> serde_json::Value {
        let mut body = serde_json::to_value(self).unwrap_or_default();
        if self.symbol.is_none() {
            body["all"] = true.into();
        }
        if self.price.is_some() {
            body["type"] = "LIMIT".into();
        }
        if let Some(wallet) = wallet {
            body["walletIdOrAddress"] = wallet.into();
        }
        body
    }
}

/// A position in Aster's own fields.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AsterPosition {
    /// The market.
    pub symbol: String,
    /// The size; negative for a short position.
    pub position_amt: String,
    /// The average price of entry.
    pub entry_price: String,
    /// The mark price.
    pub mark_price: String,
    /// The profit at the mark price.
    pub un_realized_profit: String,
    /// The price of liquidation, or 0.
    pub liquidation_price: String,
    /// The leverage, as text.
    pub leverage: String,
    /// `cross` or `isolated`.
    pub margin_type: String,
    /// The position in hedge mode.
    pub position_side: PositionSide,
    /// The value at the mark price; negative for a short position.
    pub notional: String,
    /// When the position changed last, Unix milliseconds.
    pub update_time: u64,
}

/// An order of the past.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PastOrder {
    /// The exchange's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The market.
    pub symbol: String,
    /// The direction.
    pub side: Side,
    /// `Limit`, `Market`, or another word.
    #[serde(rename = "type")]
    pub order_type: String,
    /// The limit.
    pub price: String,
    /// The original quantity.
    pub quantity: String,
    /// When the exchange accepted or last changed the order, Unix milliseconds.
    pub timestamp: u64,
    /// The state.
    pub status: crate::OrderStatus,
    /// The exchange's own word for the state.
    pub exchange_status: String,
    /// The filled quantity.
    pub filled_quantity: String,
    /// Your id of the order, or the client's id that the exchange states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_order_id: Option<String>,
}

/// A list with its length.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listed<T> {
    /// The entries.
    pub data: Vec<T>,
    /// Number of the entries.
    pub count: u64,
    /// The service's time in Unix milliseconds.
    pub timestamp: u64,
}
