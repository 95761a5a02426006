//! The calls about orders and trading policies.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::send::Call;
use crate::{
    Answer, CanceledOrders, Client, Error, ErrorKind, Exchange, NewOrder, OpenOrders, Order,
    OrderBatch, Placed, Placement,
};

/// Limits of a tenant or a wallet. An absent field has the tenant's value, then the default.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TradingLimits {
    /// The markets that may be traded, by the exchange's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbols: Option<Vec<String>>,
    /// Maximum notional of an order, in dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_order_notional: Option<String>,
    /// Maximum notional of a position with the orders that can add to it, in dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_position_notional: Option<String>,
    /// Maximum leverage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_leverage: Option<u32>,
    /// Maximum number of orders in a minute; 0 stops trading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders_per_minute: Option<u32>,
    /// Whether orders may only reduce positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce_only: Option<bool>,
    /// Maximum slippage of a market order, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_slippage: Option<String>,
    /// The builders that orders may carry. An empty list allows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builders: Option<Vec<String>>,
    /// Maximum fee of a builder, in tenths of a basis point; 0 allows no builder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_builder_fee: Option<u16>,
}

/// Looser limits that are not in effect yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PendingLimits {
    /// The limits.
    pub policy: TradingLimits,
    /// When they take effect, Unix milliseconds.
    pub from: u64,
}

/// The trading policy of a tenant, and of the wallet that the request named.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TradingPolicy {
    /// The tenant's limits.
    pub policy: TradingLimits,
    /// The wallet's override.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet: Option<TradingLimits>,
    /// The limits in effect.
    pub effective: TradingLimits,
    /// Looser limits that are not in effect yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingLimits>,
}

/// The body of a request for orders.
#[derive(Serialize)]
#[serde(untagged)]
enum PlaceBody<'a> {
    One {
        #[serde(rename = "walletIdOrAddress")]
        wallet: &'a str,
        #[serde(flatten)]
        order: &'a NewOrder,
    },
    Batch {
        #[serde(rename = "walletIdOrAddress")]
        wallet: &'a str,
        orders: &'a [NewOrder],
    },
}

/// Returns the error of a single order for a batch, or of a batch for a single order.
fn unexpected() -> Error {
    let kind = ErrorKind::Unreadable("the response has another form than the request".to_owned());
    Error::new(kind, None, 1)
}

impl Client {
    /// Places one order or a batch. `POST /api/trading/{exchange}/orders`.
    ///
    /// An order is executed at most once. If the outcome is not known
    /// ([`Code::OrderUnknown`](crate::Code::OrderUnknown)), call again with the same orders, under
    /// the same key or with the same ids: [`Self::with_key`].
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::OrderRejected`](crate::Code::OrderRejected),
    /// [`Code::InsufficientFunds`](crate::Code::InsufficientFunds).
    pub async fn place(
        &self,
        exchange: &Exchange,
        wallet: &str,
        orders: impl Into<Placement<'_>>,
    ) -> Result<Answer<Placed>, Error> {
        let body = match orders.into() {
            Placement::One(order) => PlaceBody::One { wallet, order },
            Placement::Batch(orders) => PlaceBody::Batch { wallet, orders },
        };
        self.data(Call::post(&["api", "trading", exchange.as_str(), "orders"], &body)).await
    }

    /// Places an order. `POST /api/trading/{exchange}/orders`.
    ///
    /// # Errors
    /// As [`Self::place`].
    pub async fn place_order(
        &self,
        exchange: &Exchange,
        wallet: &str,
        order: &NewOrder,
    ) -> Result<Answer<Order>, Error> {
        let answer = self.place(exchange, wallet, order).await?;
        let one = answer.map(|placed| match placed {
            Placed::One(order) => Some(*order),
            Placed::Batch(_) => None,
        });
        one.ok_or_else(unexpected)
    }

    /// Places a batch: at most 5 orders on Aster and 20 on Hyperliquid. `POST
    /// /api/trading/{exchange}/orders`.
    ///
    /// # Errors
    /// As [`Self::place`]; fails if no order was placed.
    pub async fn place_orders(
        &self,
        exchange: &Exchange,
        wallet: &str,
        orders: &[NewOrder],
    ) -> Result<Answer<OrderBatch>, Error> {
        let answer = self.place(exchange, wallet, orders).await?;
        let batch = answer.map(|placed| match placed {
            Placed::Batch(batch) => Some(batch),
            Placed::One(_) => None,
        });
        batch.ok_or_else(unexpected)
    }

    /// Changes price and quantity of an open limit order. `symbol` is required on Aster for an order
    /// that was not placed through the service. `PUT /api/trading/{exchange}/orders/{orderId}`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::OrderNotOpen`](crate::Code::OrderNotOpen).
    pub async fn modify_order(
        &self,
        exchange: &Exchange,
        wallet: &str,
        order: &str,
        (price, quantity): (&str, &str),
        symbol: Option<&str>,
    ) -> Result<Answer<Order>, Error> {
        let mut body = json!({ "walletIdOrAddress": wallet, "price": price, "quantity": quantity });
        if let Some(symbol) = symbol {
            body["symbol"] = Value::from(symbol);
        }
        let path = &["api", "trading", exchange.as_str(), "orders", order];
        let call = Call::get(path, &[]);
        self.data(Call { method: Method::PUT, body: Some(body.to_string()), ..call }).await
    }

    /// Cancels an open order, by its id at the exchange or its client id. `DELETE
    /// /api/trading/{exchange}/orders/{orderId}`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::OrderNotOpen`](crate::Code::OrderNotOpen), whose response has the order.
    pub async fn cancel_order(
        &self,
        exchange: &Exchange,
        wallet: &str,
        order: &str,
        symbol: Option<&str>,
    ) -> Result<Answer<Order>, Error> {
        let query = of_wallet(wallet, symbol);
        let path = &["api", "trading", exchange.as_str(), "orders", order];
        self.data(Call { method: Method::DELETE, ..Call::get(path, &query) }).await
    }

    /// Cancels all open orders of a market. `DELETE /api/trading/{exchange}/orders?symbol=`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn cancel_orders(
        &self,
        exchange: &Exchange,
        wallet: &str,
        symbol: &str,
    ) -> Result<Answer<CanceledOrders>, Error> {
        let query = of_wallet(wallet, Some(symbol));
        let path = &["api", "trading", exchange.as_str(), "orders"];
        self.data(Call { method: Method::DELETE, ..Call::get(path, &query) }).await
    }

    /// Lists the open orders of a wallet. `GET /api/trading/{exchange}/orders`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn open_orders(
        &self,
        exchange: &Exchange,
        wallet: &str,
        symbol: Option<&str>,
    ) -> Result<Answer<OpenOrders>, Error> {
        let query = of_wallet(wallet, symbol);
        self.plain(Call::get(&["api", "trading", exchange.as_str(), "orders"], &query)).await
    }

    /// Returns an order in its present state, by its id at the exchange or its client id. `GET
    /// /api/trading/{exchange}/orders/{orderId}/status`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::OrderNotFound`](crate::Code::OrderNotFound).
    pub async fn order(
        &self,
        exchange: &Exchange,
        wallet: &str,
        order: &str,
        symbol: Option<&str>,
    ) -> Result<Answer<Order>, Error> {
        let query = of_wallet(wallet, symbol);
        let path = &["api", "trading", exchange.as_str(), "orders", order, "status"];
        self.data(Call::get(path, &query)).await
    }

    /// Returns the trading policy of the tenant, and of a wallet if one is named. `GET
    /// /api/trading/policy`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn trading_policy(
        &self,
        wallet: Option<&str>,
    ) -> Result<Answer<TradingPolicy>, Error> {
        let query: Vec<_> = wallet.map(|name| ("walletIdOrAddress", name)).into_iter().collect();
        self.data(Call::get(&["api", "trading", "policy"], &query)).await
    }

    /// Replaces the trading policy of the tenant, or the override of a wallet. A change that loosens
    /// a limit requires the scope `admin`, and takes effect after a delay. `PUT
    /// /api/trading/policy`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::ScopeMissing`](crate::Code::ScopeMissing).
    pub async fn set_trading_policy(
        &self,
        wallet: Option<&str>,
        limits: &TradingLimits,
    ) -> Result<Answer<TradingPolicy>, Error> {
        let query: Vec<_> = wallet.map(|name| ("walletIdOrAddress", name)).into_iter().collect();
        let call = Call::get(&["api", "trading", "policy"], &query);
        let body = serde_json::to_string(limits).ok();
        self.data(Call { method: Method::PUT, body, ..call }).await
    }
}

/// Returns the query of a call about a wallet's orders.
fn of_wallet<'a>(wallet: &'a str, symbol: Option<&'a str>) -> Vec<(&'static str, &'a str)> {
    let symbol = symbol.map(|symbol| ("symbol", symbol));
    [("walletIdOrAddress", wallet)].into_iter().chain(symbol).collect()
}
