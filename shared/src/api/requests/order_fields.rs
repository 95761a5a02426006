//! The JSON form of orders, for its schema. `orders.rs` parses it.

use utoipa::ToSchema;

use crate::schema;

/// A take profit or a stop loss that is attached to an order.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attached {
    /// The mark price that triggers it.
    #[schema(value_type = schema::DecimalText)]
    pub trigger_price: (),
    /// The limit. Absent: it becomes a market order.
    #[schema(value_type = Option<schema::DecimalText>)]
    pub price: (),
}

/// An order.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewOrder {
    /// The market.
    #[schema(value_type = schema::SymbolName)]
    pub symbol: (),
    /// The direction.
    #[schema(value_type = schema::OrderSideName)]
    pub side: (),
    /// The kind.
    #[schema(value_type = schema::OrderTypeName, rename = "type")]
    pub order_type: (),
    /// The quantity in the market's base unit. On Hyperliquid, 0 with reduceOnly closes the whole
    /// position.
    #[schema(value_type = schema::DecimalText)]
    pub quantity: (),
    /// The limit, for LIMIT and STOP_LIMIT.
    #[schema(value_type = Option<schema::DecimalText>)]
    pub price: (),
    /// The price that triggers the order, for STOP_MARKET, TAKE_PROFIT_MARKET and STOP_LIMIT.
    #[schema(value_type = Option<schema::DecimalText>)]
    pub trigger_price: (),
    /// Another name of triggerPrice.
    #[schema(value_type = Option<schema::DecimalText>)]
    pub stop_price: (),
    /// For LIMIT and STOP_LIMIT. Absent: GTC.
    #[schema(value_type = Option<schema::TimeInForceName>)]
    pub time_in_force: (),
    /// Whether the order may only reduce a position.
    #[schema(value_type = Option<bool>)]
    pub reduce_only: (),
    /// Absent: BOTH.
    #[schema(value_type = Option<schema::PositionSideName>)]
    pub position_side: (),
    /// Absent: derived from the header Idempotency-Key, or drawn.
    #[schema(value_type = Option<schema::ClientOrderIdText>)]
    pub client_order_id: (),
    /// A take profit. Only on Hyperliquid, for a single order.
    #[schema(value_type = Option<Attached>)]
    pub take_profit: (),
    /// A stop loss. Only on Hyperliquid, for a single order.
    #[schema(value_type = Option<Attached>)]
    pub stop_loss: (),
    /// The maximum slippage of a MARKET order on Hyperliquid, as a fraction: 0.01 is 1 percent.
    /// Absent: 0.05.
    #[schema(value_type = Option<schema::DecimalText>)]
    pub slippage: (),
}

/// The orders of one wallet that are sent to the exchange together: at most 5 on Aster and 20 on
/// Hyperliquid.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlaceOrders {
    /// The wallet, unless the header x-wallet-id or the query names it.
    #[schema(value_type = Option<schema::WalletName>)]
    pub wallet_id_or_address: (),
    /// The orders.
    #[schema(value_type = Vec<NewOrder>, min_items = 1, max_items = 20)]
    pub orders: (),
}
