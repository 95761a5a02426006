//! Response bodies of positions and past orders. The fields of the published
//! contract are fixed.

use domain::eth::Address;
use domain::ids::Exchange;
use serde::Serialize;
use utoipa::ToSchema;

use super::desk::stated;
use crate::api::error::ApiError;
use crate::exchanges::account::{AccountPosition, MarginMode};
use crate::orders::{OrderView, PositionsView};
use crate::schema;
use crate::trading::decimal::Decimal;
use crate::trading::signed::Signed;

/// An open position.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = Position)]
pub(super) struct PositionData {
    /// The exchange's name of the market.
    symbol: String,
    #[schema(value_type = schema::ExchangeName)]
    exchange: &'static str,
    #[schema(value_type = schema::DirectionName)]
    direction: &'static str,
    /// The size, without its direction.
    #[schema(value_type = schema::NumberText)]
    size: String,
    /// The average price of entry.
    #[schema(value_type = schema::NumberText)]
    entry_price: String,
    #[schema(value_type = schema::NumberText)]
    mark_price: String,
    /// null: the account can bear any price.
    #[schema(value_type = Option<schema::NumberText>, required)]
    liquidation_price: Option<String>,
    #[schema(value_type = schema::SignedText)]
    unrealized_pnl: String,
    /// The profit in percent of the margin at entry.
    #[schema(value_type = schema::SignedText)]
    unrealized_pnl_percent: String,
    /// The leverage of the market, as a number.
    leverage: u32,
    /// The margin that the position uses.
    #[schema(value_type = schema::NumberText)]
    collateral: String,
    /// The margin that the position uses.
    #[schema(value_type = schema::NumberText)]
    margin: String,
    #[schema(value_type = schema::MarginModeName)]
    margin_mode: &'static str,
    /// BOTH in one-way mode; LONG or SHORT in hedge mode on Aster.
    #[schema(value_type = schema::PositionSideName)]
    position_side: &'static str,
    /// The value at the mark price.
    #[schema(value_type = schema::NumberText)]
    notional: String,
    /// When the position changed last, or when the exchange stated it, Unix milliseconds.
    #[schema(value_type = schema::UnixMs)]
    timestamp: u64,
    /// The wallet's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    wallet_address: String,
}

impl PositionData {
    fn of(exchange: Exchange, wallet: Address, position: &AccountPosition) -> Self {
        let margin = position.margin.text();
        Self {
            symbol: position.symbol.clone(),
            exchange: exchange.as_str(),
            direction: position.direction.as_str(),
            size: position.size.text(),
            entry_price: position.entry_price.text(),
            mark_price: position.mark_price.text(),
            liquidation_price: position.liquidation_price.map(Decimal::text),
            unrealized_pnl: position.unrealized_pnl.text(),
            unrealized_pnl_percent: position.pnl_percent().unwrap_or(Signed::ZERO).text(),
            leverage: position.leverage,
            collateral: margin.clone(),
            margin,
            margin_mode: position.margin_mode.as_str(),
            position_side: position.position_side.as_str(),
            notional: position.notional.text(),
            timestamp: position.at_ms,
            wallet_address: wallet.to_string(),
        }
    }
}

/// `GET /api/trading/{exchange}/positions/{walletAddress}`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct PositionsBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    /// The wallet's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    wallet_address: String,
    /// The positions. A market without a position is left out.
    positions: Vec<PositionData>,
    /// Number of the positions.
    total_positions: usize,
    #[schema(value_type = schema::UnixMs)]
    timestamp: u64,
}

impl PositionsBody {
    /// Returns the body of the positions at one exchange.
    #[must_use]
    pub fn new(exchange: Exchange, view: &PositionsView, now_ms: u64) -> Self {
        let positions = positions(exchange, view);
        Self {
            success: true,
            wallet_address: view.wallet.to_string(),
            total_positions: positions.len(),
            positions,
            timestamp: now_ms,
        }
    }
}

fn positions(exchange: Exchange, view: &PositionsView) -> Vec<PositionData> {
    view.positions.iter().map(|it| PositionData::of(exchange, view.wallet, it)).collect()
}

/// Whether the positions at one exchange were read.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExchangeRead)]
pub(super) struct ExchangeRead {
    #[schema(value_type = schema::ExchangeName)]
    exchange: &'static str,
    /// Whether the positions include those at this exchange.
    success: bool,
    /// The code of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Code, required = false)]
    code: Option<&'static str>,
    /// The problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    error: Option<String>,
    /// The action to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    message: Option<String>,
}

impl ExchangeRead {
    fn of(exchange: Exchange, error: Option<&ApiError>) -> Self {
        let (exchange, success) = (exchange.as_str(), error.is_none());
        let (code, error, message) = stated(error);
        Self { exchange, success, code, error, message }
    }
}

/// `GET /api/trading/positions/all/{walletAddress}`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct AllPositionsBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    /// The wallet's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    wallet_address: String,
    /// The positions at the exchanges that were read.
    positions: Vec<PositionData>,
    /// Number of the positions.
    total_positions: usize,
    /// Whether the positions of each exchange were read.
    exchanges: Vec<ExchangeRead>,
    #[schema(value_type = schema::UnixMs)]
    timestamp: u64,
}

impl AllPositionsBody {
    /// Returns the body of the positions at all exchanges, of which at least one was read.
    ///
    /// # Errors
    /// The first error when none was read.
    pub(super) fn new(
        reads: Vec<(Exchange, Result<PositionsView, ApiError>)>,
        now_ms: u64,
    ) -> Result<Self, ApiError> {
        let (mut found, mut wallet, mut first) = (Vec::new(), None, None);
        let mut exchanges = Vec::with_capacity(reads.len());
        for (exchange, read) in reads {
            exchanges.push(ExchangeRead::of(exchange, read.as_ref().err()));
            match read {
                Ok(view) => {
                    found.extend(positions(exchange, &view));
                    wallet = Some(view.wallet);
                }
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        let (Some(wallet), total_positions) = (wallet, found.len()) else {
            return Err(first.unwrap_or_else(ApiError::wallet_not_found));
        };
        Ok(Self {
            success: true,
            wallet_address: wallet.to_string(),
            positions: found,
            total_positions,
            exchanges,
            timestamp: now_ms,
        })
    }
}

/// A position in Aster's own fields.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = AsterPosition)]
pub(super) struct AsterPositionData {
    symbol: String,
    /// The size; negative for a short position.
    #[schema(value_type = schema::SignedText)]
    position_amt: String,
    #[schema(value_type = schema::NumberText)]
    entry_price: String,
    #[schema(value_type = schema::NumberText)]
    mark_price: String,
    #[schema(value_type = schema::SignedText)]
    un_realized_profit: String,
    /// 0: the account can bear any price.
    #[schema(value_type = schema::NumberText)]
    liquidation_price: String,
    /// The leverage, as Aster writes it: as text.
    leverage: String,
    /// `cross` or `isolated`.
    margin_type: &'static str,
    #[schema(value_type = schema::PositionSideName)]
    position_side: &'static str,
    /// The value at the mark price; negative for a short position.
    #[schema(value_type = schema::SignedText)]
    notional: String,
    #[schema(value_type = schema::UnixMs)]
    update_time: u64,
}

impl From<AccountPosition> for AsterPositionData {
    fn from(position: AccountPosition) -> Self {
        let size = position.signed_size();
        Self {
            position_amt: size.text(),
            notional: Signed::new(size.is_negative(), position.notional).text(),
            symbol: position.symbol,
            entry_price: position.entry_price.text(),
            mark_price: position.mark_price.text(),
            un_realized_profit: position.unrealized_pnl.text(),
            liquidation_price: position.liquidation_price.unwrap_or(Decimal::ZERO).text(),
            leverage: position.leverage.to_string(),
            margin_type: match position.margin_mode {
                MarginMode::Cross => "cross",
                MarginMode::Isolated => "isolated",
            },
            position_side: position.position_side.as_str(),
            update_time: position.at_ms,
        }
    }
}

/// `GET /api/aster/perp/{walletId}/positions`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct AsterPositionsBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    data: Vec<AsterPositionData>,
    /// Number of the positions.
    count: usize,
    #[schema(value_type = schema::UnixMs)]
    timestamp: u64,
}

impl AsterPositionsBody {
    /// Returns the body of the positions on Aster.
    #[must_use]
    pub fn new(view: PositionsView, now_ms: u64) -> Self {
        let data: Vec<_> = view.positions.into_iter().map(AsterPositionData::from).collect();
        Self { success: true, count: data.len(), data, timestamp: now_ms }
    }
}

/// `GET /api/hyperliquid/{walletId}/orders/historical`.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct PastOrdersBody {
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    data: Vec<PastOrderData>,
    /// Number of the orders.
    count: usize,
    #[schema(value_type = schema::UnixMs)]
    timestamp: u64,
}

impl PastOrdersBody {
    /// Returns the body of past orders.
    #[must_use]
    pub fn new(orders: Vec<OrderView>, now_ms: u64) -> Self {
        let data: Vec<_> = orders.into_iter().map(PastOrderData::from).collect();
        Self { success: true, count: data.len(), data, timestamp: now_ms }
    }
}

/// An order of the past. The first seven fields are the published ones.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = PastOrder)]
pub(super) struct PastOrderData {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    order_id: Option<String>,
    symbol: String,
    #[schema(value_type = schema::OrderSideName)]
    side: &'static str,
    /// `Limit`, `Market`, or another word for the type.
    #[serde(rename = "type")]
    order_type: String,
    #[schema(value_type = schema::NumberText)]
    price: String,
    #[schema(value_type = schema::NumberText)]
    quantity: String,
    #[schema(value_type = schema::UnixMs)]
    timestamp: u64,
    #[schema(value_type = schema::OrderStatusName)]
    status: &'static str,
    /// The exchange's own word for the status.
    exchange_status: String,
    #[schema(value_type = schema::NumberText)]
    filled_quantity: String,
    /// Your id of the order, or the client's id that the exchange states.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    client_order_id: Option<String>,
}

impl From<OrderView> for PastOrderData {
    fn from(view: OrderView) -> Self {
        let order_type = match view.order_type.as_str() {
            "LIMIT" => "Limit".to_owned(),
            "MARKET" => "Market".to_owned(),
            _ => view.order_type,
        };
        Self {
            order_id: view.order_id,
            symbol: view.symbol,
            side: view.side.as_str(),
            order_type,
            price: view.price,
            quantity: view.quantity,
            timestamp: view.at_ms,
            status: view.status.as_str(),
            exchange_status: view.exchange_status,
            filled_quantity: view.filled_quantity,
            client_order_id: view.client_order_id,
        }
    }
}
