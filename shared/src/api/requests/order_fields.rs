//! The JSON form of a request for orders, for its schema. `orders.rs` parses it.

#![expect(dead_code, reason = "the types describe JSON, and no code makes values of them")]

use std::borrow::Cow;

use utoipa::openapi::schema::OneOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::PlaceOrderRequest;
use crate::schema;

/// A take profit or a stop loss that is attached to an order.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attached {
    /// The mark price that triggers it.
    trigger_price: schema::DecimalText,
    /// The limit. Absent: it becomes a market order.
    price: Option<schema::DecimalText>,
}

/// An order.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewOrder {
    symbol: schema::SymbolName,
    side: schema::OrderSideName,
    #[schema(rename = "type")]
    order_type: schema::OrderTypeName,
    /// The quantity in the market's base unit. On Hyperliquid, 0 with reduceOnly closes the whole
    /// position.
    quantity: schema::DecimalText,
    /// The limit, for LIMIT and STOP_LIMIT.
    price: Option<schema::DecimalText>,
    /// The price that triggers the order, for STOP_MARKET, TAKE_PROFIT_MARKET and STOP_LIMIT.
    trigger_price: Option<schema::DecimalText>,
    /// Another name of triggerPrice.
    stop_price: Option<schema::DecimalText>,
    /// For LIMIT and STOP_LIMIT. Absent: GTC.
    time_in_force: Option<schema::TimeInForceName>,
    /// Whether the order may only reduce a position.
    reduce_only: Option<bool>,
    /// Absent: BOTH.
    position_side: Option<schema::PositionSideName>,
    /// Absent: derived from the header Idempotency-Key, or drawn.
    client_order_id: Option<schema::ClientOrderIdText>,
    /// A take profit. Only on Hyperliquid, for a single order.
    take_profit: Option<Attached>,
    /// A stop loss. Only on Hyperliquid, for a single order.
    stop_loss: Option<Attached>,
    /// The maximum slippage of a MARKET order on Hyperliquid, as a fraction: 0.01 is 1 percent.
    /// Absent: 0.05.
    slippage: Option<schema::DecimalText>,
}

/// A request for one order: the fields of the order, and the wallet.
pub struct PlaceOrder;

impl PartialSchema for PlaceOrder {
    fn schema() -> RefOr<Schema> {
        let mut schema = NewOrder::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.description = Some("An order of one wallet.".to_owned());
            object.properties.insert("walletIdOrAddress".to_owned(), name_of_wallet());
        }
        schema
    }
}

impl ToSchema for PlaceOrder {
    fn name() -> Cow<'static, str> {
        "PlaceOrder".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        NewOrder::schemas(schemas);
    }
}

/// Several orders of one wallet, sent to the exchange together: at most 5 on Aster and 20 on
/// Hyperliquid.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlaceOrders {
    /// The wallet, unless the header x-wallet-id or the query names it.
    wallet_id_or_address: Option<schema::WalletName>,
    #[schema(min_items = 1, max_items = 20)]
    orders: Vec<NewOrder>,
}

/// Returns the schema of the field that names the wallet.
fn name_of_wallet() -> RefOr<Schema> {
    match PlaceOrders::schema() {
        RefOr::T(Schema::Object(mut object)) => {
            object.properties.remove("walletIdOrAddress").unwrap_or_else(schema::WalletName::schema)
        }
        other => other,
    }
}

impl PartialSchema for PlaceOrderRequest {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(Ref::from_schema_name("PlaceOrder"))
            .item(Ref::from_schema_name("PlaceOrders"))
            .description(Some("One order, or a batch of orders."))
            .build()
            .into()
    }
}

impl ToSchema for PlaceOrderRequest {
    fn name() -> Cow<'static, str> {
        "PlaceOrderRequest".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("PlaceOrder".to_owned(), PlaceOrder::schema()));
        schemas.push(("PlaceOrders".to_owned(), PlaceOrders::schema()));
        PlaceOrder::schemas(schemas);
        PlaceOrders::schemas(schemas);
    }
}
