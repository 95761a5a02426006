//! The calls about orders, in every way.

pub(crate) mod accounts;
pub(crate) mod lighter;
pub(crate) mod payments;

use hyperdex_client::{
    Attached, Client, Error, Exchange, NewOrder, PositionSide, Side, TimeInForce,
};
use serde_json::Value;

use crate::{USER, data, plain};

/// Returns an order with every field that it can have.
fn full_order() -> NewOrder {
    let attached =
        || Attached { trigger_price: "60000".to_owned(), price: Some("59000".to_owned()) };
    NewOrder {
        trigger_price: Some("50000".to_owned()),
        time_in_force: Some(TimeInForce::PostOnly),
        reduce_only: true,
        position_side: Some(PositionSide::Both),
        take_profit: Some(attached()),
        stop_loss: Some(Attached { price: None, ..attached() }),
        slippage: Some("0.01".to_owned()),
        ..NewOrder::limit("BTC", Side::Buy, "0.001", "49850.00").with_id("bot-17")
    }
}

pub(crate) async fn placed(client: &Client, exchange: &Exchange) -> Vec<Result<Value, Error>> {
    let orders = [NewOrder::market("BTC", Side::Sell, "1"), full_order()];
    vec![
        client.place(exchange, USER, &orders[0]).await.map(data),
        client.place(exchange, USER, &orders[1]).await.map(data),
        client.place(exchange, USER, &orders[..]).await.map(data),
    ]
}

pub(crate) async fn modified(client: &Client, exchange: &Exchange) -> Vec<Result<Value, Error>> {
    let change = ("49850", "1");
    vec![
        client.modify_order(exchange, USER, "12345", change, None).await.map(data),
        client.modify_order(exchange, USER, "bot-17", change, Some("BTC")).await.map(data),
    ]
}

pub(crate) async fn cancelled(client: &Client, exchange: &Exchange) -> Vec<Result<Value, Error>> {
    vec![
        client.cancel_order(exchange, USER, "12345", None).await.map(data),
        client.cancel_order(exchange, USER, "bot-17", Some("BTC")).await.map(data),
    ]
}

pub(crate) async fn listed(client: &Client, exchange: &Exchange) -> Vec<Result<Value, Error>> {
    vec![
        client.open_orders(exchange, USER, None).await.map(plain),
        client.open_orders(exchange, USER, Some("BTC")).await.map(plain),
    ]
}

pub(crate) async fn read(client: &Client, exchange: &Exchange) -> Vec<Result<Value, Error>> {
    vec![
        client.order(exchange, USER, "12345", None).await.map(data),
        client.order(exchange, USER, "bot-17", Some("BTC")).await.map(data),
    ]
}
