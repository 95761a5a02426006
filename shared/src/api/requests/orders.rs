//! Requests for orders on an exchange.

use domain::ids::Exchange;
use http::{HeaderMap, Uri};
use utoipa::ToSchema;

use super::order_fields::{Attached, NewOrder, PlaceOrders};
use super::order_schemas::PlaceOrder;
use crate::api::body::{JsonBody, bad_id};
use crate::api::error::ApiError;
use crate::api::wallet_names::{WalletNames, queried};
use crate::orders::OrderToPlace;
use crate::schema;
use crate::trading::ids::{ClientOrderId, OrderName};
use crate::trading::order::{
    Amount, AttachedFields, ChangeFields, ChangeRequest, OrderFields, SymbolText, max_batch,
};

/// `POST /api/trading/{exchange}/orders`: one order, or a batch in `orders`.
#[derive(Debug)]
pub struct PlaceOrderRequest {
    /// The wallet.
    pub names: WalletNames,
    /// The orders.
    pub orders: Vec<OrderToPlace>,
    /// Whether the request has the form of a batch, which the response repeats.
    pub is_batch: bool,
}

impl PlaceOrderRequest {
    /// Parses and checks a request for orders on an exchange.
    ///
    /// # Errors
    /// 400, naming the field, and 422 for an order that the exchange does not offer.
    pub fn read(
        exchange: Exchange,
        headers: &HeaderMap,
        uri: &Uri,
        body: &JsonBody,
    ) -> Result<Self, ApiError> {
        Self::read_at(exchange, None, headers, uri, body)
    }

    /// Parses and checks a request whose path names the wallet.
    ///
    /// # Errors
    /// As [`PlaceOrderRequest::read`].
    pub fn read_at(
        exchange: Exchange,
        wallet: Option<&str>,
        headers: &HeaderMap,
        uri: &Uri,
        body: &JsonBody,
    ) -> Result<Self, ApiError> {
        let is_batch = body.has("orders");
        if is_batch {
            body.only::<PlaceOrders>()?;
        } else {
            body.only::<PlaceOrder>()?;
        }
        let names = WalletNames::of_request(wallet, headers, uri, Some(body))?;
        let orders = if is_batch { batch(exchange, body)? } else { vec![order(exchange, body)?] };
        Ok(Self { names, orders, is_batch })
    }
}

fn batch(exchange: Exchange, body: &JsonBody) -> Result<Vec<OrderToPlace>, ApiError> {
    let objects = body.objects("orders")?;
    let most = max_batch(exchange);
    if !(1..=most).contains(&objects.len()) {
        let error = match most {
            1 => "orders must have one order".to_owned(),
            most => format!("orders must have 1 to {most} orders"),
        };
        return Err(ApiError::bad_request(error));
    }
    let read = |object: &JsonBody| {
        object.only_nested::<NewOrder>()?;
        order(exchange, object)
    };
    let orders: Vec<OrderToPlace> = objects.iter().map(read).collect::<Result<_, _>>()?;
    let mut ids: Vec<&ClientOrderId> =
        orders.iter().filter_map(|order| order.client_order_id.as_ref()).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        let error = "clientOrderId must differ for each order of a batch";
        return Err(ApiError::bad_request(error));
    }
    Ok(orders)
}

fn order(exchange: Exchange, body: &JsonBody) -> Result<OrderToPlace, ApiError> {
    let (take_profit, stop_loss) = (body.object("takeProfit")?, body.object("stopLoss")?);
    let fields = OrderFields {
        symbol: body.optional("symbol")?,
        side: body.optional("side")?,
        order_type: body.optional("type")?,
        quantity: body.optional("quantity")?,
        price: body.optional("price")?,
        trigger_price: body.optional("triggerPrice")?,
        stop_price: body.optional("stopPrice")?,
        time_in_force: body.optional("timeInForce")?,
        reduce_only: body.flag("reduceOnly", false)?,
        position_side: body.optional("positionSide")?,
        take_profit: take_profit.as_ref().map(attached).transpose()?,
        stop_loss: stop_loss.as_ref().map(attached).transpose()?,
        slippage: body.optional("slippage")?,
    };
    let client_order_id = body.optional("clientOrderId")?;
    let client_order_id = client_order_id.map(|text| text.parse().map_err(bad_id)).transpose()?;
    let request =
        fields.check(exchange).map_err(|fault| ApiError::order_fault(fault, &body.named("")))?;
    Ok(OrderToPlace { client_order_id, request })
}

fn attached(body: &JsonBody) -> Result<AttachedFields<'_>, ApiError> {
    body.only_nested::<Attached>()?;
    Ok(AttachedFields {
        trigger_price: body.optional("triggerPrice")?,
        price: body.optional("price")?,
    })
}

/// `PUT /api/trading/{exchange}/orders/{orderId}`.
#[derive(ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModifyOrder {
    /// The wallet, unless the header x-wallet-id or the query names it.
    #[schema(value_type = Option<schema::WalletName>)]
    pub wallet_id_or_address: WalletNames,
    /// The new limit.
    #[schema(value_type = schema::DecimalText)]
    pub price: Amount,
    /// The new quantity, including the part that is filled.
    #[schema(value_type = schema::DecimalText)]
    pub quantity: Amount,
    /// The market. Required on Aster for an order that was not placed through this service.
    #[schema(value_type = Option<schema::SymbolName>)]
    pub symbol: Option<SymbolText>,
}

impl ModifyOrder {
    /// Parses and checks a request.
    ///
    /// # Errors
    /// 400, naming the field, the parameter or the header.
    pub fn read(headers: &HeaderMap, uri: &Uri, body: &JsonBody) -> Result<Self, ApiError> {
        body.only::<Self>()?;
        let wallet_id_or_address = WalletNames::in_request(headers, uri, Some(body))?;
        let fields =
            ChangeFields { price: body.optional("price")?, quantity: body.optional("quantity")? };
        let ChangeRequest { price, quantity } =
            fields.check().map_err(|fault| ApiError::order_fault(fault, ""))?;
        let symbol = body.optional("symbol")?.map(symbol).transpose()?;
        Ok(Self { wallet_id_or_address, price, quantity, symbol })
    }
}

/// `DELETE /api/trading/{exchange}/orders/{orderId}` and `…/orders?symbol=`. The body may only
/// repeat the wallet's name.
#[derive(ToSchema, Debug)]
#[serde(deny_unknown_fields)]
pub struct CancelOrders {
    /// The wallet, named by the header, the query or the body.
    #[schema(ignore)]
    pub names: WalletNames,
    /// The market, in the query.
    #[schema(ignore)]
    pub symbol: Option<SymbolText>,
}

impl CancelOrders {
    /// Parses and checks a request.
    ///
    /// # Errors
    /// 400, naming the field, the parameter or the header.
    pub fn read(headers: &HeaderMap, uri: &Uri, body: &JsonBody) -> Result<Self, ApiError> {
        body.only_with_wallet::<Self>()?;
        let names = WalletNames::in_request(headers, uri, Some(body))?;
        Ok(Self { names, symbol: symbol_in_query(uri)? })
    }
}

/// Parses the wallet and the market of a request without a body.
///
/// # Errors
/// 400, naming the parameter or the header.
pub fn orders_in_query(
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<(WalletNames, Option<SymbolText>), ApiError> {
    Ok((WalletNames::in_request(headers, uri, None)?, symbol_in_query(uri)?))
}

/// Parses the wallet of a request without a body, whose path may name it.
///
/// # Errors
/// 400, naming the parameter or the header.
pub fn orders_of_wallet(
    path: Option<&str>,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<WalletNames, ApiError> {
    WalletNames::of_request(path, headers, uri, None)
}

/// Parses the name of an order in a path: the exchange's id or a `clientOrderId`.
///
/// # Errors
/// 400 for any other form.
pub fn order_name(text: &str) -> Result<OrderName, ApiError> {
    text.parse().map_err(|_| {
        ApiError::bad_request(
            "orderId must be a number below 2^64, or a clientOrderId of 1 to 36 characters of \
             A-Z a-z 0-9 . _ -",
        )
    })
}

/// Parses the market in a query.
///
/// # Errors
/// 400, naming the parameter.
pub(in crate::api) fn symbol_in_query(uri: &Uri) -> Result<Option<SymbolText>, ApiError> {
    queried(uri, "symbol")?.as_deref().map(symbol).transpose()
}

pub(super) fn symbol(text: &str) -> Result<SymbolText, ApiError> {
    if text.is_empty() {
        return Err(ApiError::missing("symbol"));
    }
    text.parse().map_err(|error: crate::trading::order::SymbolError| {
        ApiError::bad_request(error.to_string())
    })
}
