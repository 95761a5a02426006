//! Response bodies of executions and leverage.

use domain::ids::Exchange;
use serde::Serialize;
use utoipa::ToSchema;

use crate::orders::{FillView, FillsView, LeverageView};
use crate::schema;
use crate::trading::decimal::Decimal;

/// An execution of an order.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = Fill)]
struct FillData {
    /// The exchange's id of the execution.
    fill_id: String,
    /// The exchange's id of the order.
    order_id: String,
    /// Your id of the order, or the client's id that the exchange states.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    client_order_id: Option<String>,
    /// The exchange's name of the market.
    symbol: String,
    #[schema(value_type = schema::OrderSideName)]
    side: &'static str,
    #[schema(value_type = schema::PositionSideName)]
    position_side: &'static str,
    #[schema(value_type = schema::NumberText)]
    price: String,
    #[schema(value_type = schema::NumberText)]
    quantity: String,
    /// A rebate is negative.
    #[schema(value_type = schema::SignedText)]
    fee: String,
    fee_asset: String,
    /// The part of the fee that the builder receives.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::NumberText, required = false)]
    builder_fee: Option<String>,
    #[schema(value_type = schema::SignedText)]
    realized_pnl: String,
    /// MAKER if the order rested before, otherwise TAKER.
    liquidity: &'static str,
    /// Whether the execution liquidated a position.
    liquidation: bool,
    #[schema(value_type = schema::ExchangeName)]
    exchange: &'static str,
    #[schema(value_type = schema::UnixMs)]
    timestamp: u64,
}

impl FillData {
    fn of(exchange: Exchange, view: FillView) -> Self {
        let FillView { fill, client_order_id } = view;
        Self {
            fill_id: fill.id.to_string(),
            order_id: fill.order_id,
            client_order_id,
            symbol: fill.symbol,
            side: fill.side.as_str(),
            position_side: fill.position_side.as_str(),
            price: fill.price.text(),
            quantity: fill.quantity.text(),
            fee: fill.fee.text(),
            fee_asset: fill.fee_asset,
            builder_fee: fill.builder_fee.map(Decimal::text),
            realized_pnl: fill.realized_pnl.text(),
            liquidity: if fill.is_maker { "MAKER" } else { "TAKER" },
            liquidation: fill.is_liquidation,
            exchange: exchange.as_str(),
            timestamp: fill.at_ms,
        }
    }
}

/// A page of executions.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = FillPage)]
struct FillsData {
    /// The executions, the oldest first.
    fills: Vec<FillData>,
    /// Pass it as from to get the next page. null: no more are known now.
    #[schema(value_type = Option<schema::FillCursorText>, required)]
    next_from: Option<String>,
}

/// `GET /api/trading/{exchange}/fills`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct FillsBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    data: FillsData,
    /// Number of the executions. A page may be empty although more follow.
    count: usize,
    #[schema(value_type = schema::UnixMs)]
    timestamp: u64,
}

impl FillsBody {
    /// Returns the body of a page.
    #[must_use]
    pub fn new(exchange: Exchange, view: FillsView, now_ms: u64) -> Self {
        let FillsView { fills, next_ms } = view;
        let fills: Vec<_> = fills.into_iter().map(|it| FillData::of(exchange, it)).collect();
        let (count, next_from) = (fills.len(), next_ms.map(|next_ms| next_ms.to_string()));
        Self { success: true, data: FillsData { fills, next_from }, count, timestamp: now_ms }
    }
}

/// The leverage and the margin mode of a market.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = Leverage)]
pub struct LeverageData {
    /// The market as you named it.
    symbol: String,
    #[schema(value_type = schema::ExchangeName)]
    exchange: &'static str,
    /// The leverage, as a number.
    leverage: u32,
    #[schema(value_type = schema::MarginModeName)]
    margin_mode: &'static str,
}

impl LeverageData {
    /// Returns the data of a market.
    #[must_use]
    pub fn new(exchange: Exchange, view: LeverageView) -> Self {
        let LeverageView { symbol, state } = view;
        Self {
            symbol,
            exchange: exchange.as_str(),
            leverage: state.leverage,
            margin_mode: state.margin_mode.as_str(),
        }
    }
}
