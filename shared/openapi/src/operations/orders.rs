//! The operations on orders of an exchange.

use domain::ids::Exchange;
use http::Method;
use shared::api::error::ApiError;
use shared::api::requests::{ModifyOrder, PlaceOrderRequest};
use shared::tenancy::Scope;
use utoipa::openapi::Required;

use super::Operation;
use super::exchanges::of;
use crate::errors::{self, trading};
use crate::parameters::{
    order_in_path, order_key, symbol_in_query, wallet_in_header, wallet_in_query,
};
use crate::tags::Tag;

/// Returns the operations on orders of an exchange.
pub(super) fn all(exchange: Exchange) -> [Operation; 6] {
    [
        place(exchange),
        modify(exchange),
        cancel(exchange),
        cancel_all(exchange),
        list(exchange),
        status(exchange),
    ]
}

/// Returns an operation on the orders of the wallet that the header, the query or the body names.
fn operation(method: Method, exchange: Exchange, rest: &str, id: String) -> Operation {
    let path = format!("/api/trading/{exchange}/orders{rest}");
    Operation::new(method, path, id, Tag::Orders)
        .takes(wallet_in_header())
        .takes(wallet_in_query(Required::False))
        .fails(trading::names())
}

fn place(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    operation(Method::POST, exchange, "", format!("place{name}Order"))
        .requires(Scope::Trade)
        .says(
            format!("Place an order on {name}, or a batch"),
            "The order is executed at most once. A retry with the same clientOrderId or \
             Idempotency-Key and the same orders returns the first result. If the outcome is not \
             known yet (504 ORDER_UNKNOWN), retry the call to resolve it; the service also resolves \
             it within 2 minutes. A batch is sent at once, and returns 200 if at least one order was \
             placed.",
        )
        .takes(order_key())
        .names_orders()
        .body::<PlaceOrderRequest>(Required::True)
        .answers(200, "The order, or the result of each order of a batch.", "OrderPlacing")
        .fails(trading::order_key())
        .fails(trading::place_request(exchange))
        .fails(trading::place(exchange))
}

fn modify(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    operation(Method::PUT, exchange, "/{orderId}", format!("modify{name}Order"))
        .requires(Scope::Trade)
        .says(
            format!("Modify an open order on {name}"),
            "Changes price and quantity of a limit order. A price that would match at once is \
             refused. On Hyperliquid the order has a new orderId afterwards.",
        )
        .takes(order_in_path())
        .body::<ModifyOrder>(Required::True)
        .answers(200, "The order after the change.", "OrderResponse")
        .fails(trading::named_order())
        .fails(trading::modify_request())
        .fails(trading::modify(exchange))
}

fn cancel(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    operation(Method::DELETE, exchange, "/{orderId}", format!("cancel{name}Order"))
        .requires(Scope::Trade)
        .while_suspended()
        .says(
            format!("Cancel an open order on {name}"),
            "An order that is not open any more returns 409 with its state in data.",
        )
        .takes(order_in_path())
        .takes(symbol_in_query(Required::False))
        .answers(200, "The order, which is cancelled.", "OrderResponse")
        .fails(trading::named_order())
        .fails(trading::symbol())
        .fails(trading::cancel_request())
        .fails(trading::cancel(exchange))
}

fn cancel_all(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    operation(Method::DELETE, exchange, "", format!("cancel{name}Orders"))
        .requires(Scope::Trade)
        .while_suspended()
        .says(
            format!("Cancel all open orders of a market on {name}"),
            "Returns the orders in their state after the cancellation. An order that has filled in \
             the meantime is FILLED.",
        )
        .takes(symbol_in_query(Required::True))
        .answers(200, "The orders that were open.", "OrdersCanceled")
        .fails(trading::symbol())
        .fails(trading::cancel_request())
        .fails(trading::cancel_all(exchange))
}

fn list(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    operation(Method::GET, exchange, "", format!("list{name}Orders"))
        .requires(Scope::Read)
        .while_suspended()
        .says(
            format!("List a wallet's open orders on {name}"),
            "Asks the exchange, so the list includes orders that others have placed with the \
             wallet.",
        )
        .takes(symbol_in_query(Required::False))
        .answers(200, "The open orders.", "OpenOrders")
        .fails(trading::symbol())
        .fails(trading::open_orders(exchange))
}

fn status(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    operation(Method::GET, exchange, "/{orderId}/status", format!("get{name}Order"))
        .requires(Scope::Read)
        .while_suspended()
        .says(
            format!("Get an order on {name}"),
            "Returns the order in its present state. Name it by the exchange's id or by its \
             clientOrderId.",
        )
        .takes(order_in_path())
        .takes(symbol_in_query(Required::False))
        .answers(200, "The order.", "OrderResponse")
        .fails(trading::named_order())
        .fails(trading::symbol())
        .fails(trading::status(exchange))
}

/// Returns the operations on orders of exchanges without support.
pub(super) fn elsewhere() -> [Operation; 6] {
    let orders = "/api/trading/{exchange}/orders";
    let order = "/api/trading/{exchange}/orders/{orderId}";
    let status = "/api/trading/{exchange}/orders/{orderId}/status";
    [
        (Method::POST, orders, "placeElsewhereOrder", "Place an order on another exchange"),
        (Method::PUT, order, "modifyElsewhereOrder", "Modify an order on another exchange"),
        (Method::DELETE, order, "cancelElsewhereOrder", "Cancel an order on another exchange"),
        (Method::DELETE, orders, "cancelElsewhereOrders", "Cancel orders on another exchange"),
        (Method::GET, orders, "listElsewhereOrders", "List open orders on another exchange"),
        (Method::GET, status, "getElsewhereOrder", "Get an order on another exchange"),
    ]
    .map(|(method, path, id, summary)| {
        let operation = guided(method, path.to_owned(), id, summary);
        if path == orders { operation } else { operation.takes(order_in_path()) }
    })
}

/// Returns an operation on an exchange without support.
pub(super) fn guided(
    method: Method,
    path: String,
    id: &'static str,
    summary: &'static str,
) -> Operation {
    let guided = "This call always fails with 400: the service supports no other exchange.";
    Operation::new(method, path, id, Tag::OtherExchanges)
        .requires(Scope::Read)
        .while_suspended()
        .says(summary, guided)
        .takes(crate::parameters::other_exchange())
        .fails(errors::exchange())
        .fails([ApiError::no_route()])
}
