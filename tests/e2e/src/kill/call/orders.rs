//! Calls that place, change, cancel, read and resolve orders.

use domain::ids::Exchange;
use http::Method;
use serde_json::{Value, json};

use super::{Call, What};

impl Call {
    /// Places an order or a batch: `order` is the body without the wallet's name.
    #[must_use]
    pub fn place(exchange: Exchange, user: &str, order: &Value) -> Self {
        let mut body = order.clone();
        body["walletIdOrAddress"] = user.into();
        Self::request(Method::POST, format!("/api/trading/{exchange}/orders"), Some(body), user)
    }

    /// Makes a call on Lighter with the stored key of an account. `rest` is the path after the
    /// exchange's name, with a query or without.
    #[must_use]
    pub fn lighter(method: Method, account: u64, rest: &str, body: Option<Value>) -> Self {
        let joined = if rest.contains('?') { '&' } else { '?' };
        let path = format!("/api/trading/lighter/{rest}{joined}accountIndex={account}");
        Self::request(method, path, body, &account.to_string())
    }

    /// Closes a position, a part of it, or all positions.
    #[must_use]
    pub fn close(exchange: Exchange, user: &str, close: &Value) -> Self {
        let mut body = close.clone();
        body["walletIdOrAddress"] = user.into();
        let path = format!("/api/trading/{exchange}/positions/close");
        Self::request(Method::POST, path, Some(body), user)
    }

    /// Sets the leverage of a market.
    #[must_use]
    pub fn leverage(exchange: Exchange, user: &str, symbol: &str, leverage: usize) -> Self {
        let body = json!({ "walletIdOrAddress": user, "symbol": symbol, "leverage": leverage });
        let path = format!("/api/trading/{exchange}/leverage");
        Self::request(Method::POST, path, Some(body), user)
    }

    /// Changes the price and the quantity of an order.
    #[must_use]
    pub fn modify(
        exchange: Exchange,
        user: &str,
        (id, symbol): (&str, &str),
        (price, quantity): (&str, &str),
    ) -> Self {
        let body = json!({
            "walletIdOrAddress": user, "symbol": symbol, "price": price, "quantity": quantity,
        });
        let path = format!("/api/trading/{exchange}/orders/{id}");
        Self::request(Method::PUT, path, Some(body), user)
    }

    /// Cancels an order.
    #[must_use]
    pub fn cancel(exchange: Exchange, user: &str, id: &str, symbol: &str) -> Self {
        let query = format!("walletIdOrAddress={user}&symbol={symbol}");
        let path = format!("/api/trading/{exchange}/orders/{id}?{query}");
        Self::request(Method::DELETE, path, None, user)
    }

    /// Cancels all orders of a market.
    #[must_use]
    pub fn cancel_all(exchange: Exchange, user: &str, symbol: &str) -> Self {
        let query = format!("walletIdOrAddress={user}&symbol={symbol}");
        let path = format!("/api/trading/{exchange}/orders?{query}");
        Self::request(Method::DELETE, path, None, user)
    }

    /// Lists the open orders of a market.
    #[must_use]
    pub fn open_orders(exchange: Exchange, user: &str, symbol: &str) -> Self {
        let query = format!("walletIdOrAddress={user}&symbol={symbol}");
        let path = format!("/api/trading/{exchange}/orders?{query}");
        Self::request(Method::GET, path, None, user)
    }

    /// Reads an order.
    #[must_use]
    pub fn order_status(exchange: Exchange, user: &str, id: &str, symbol: &str) -> Self {
        let query = format!("walletIdOrAddress={user}&symbol={symbol}");
        let path = format!("/api/trading/{exchange}/orders/{id}/status?{query}");
        Self::request(Method::GET, path, None, user)
    }

    /// Runs the job that resolves the orders of an exchange.
    #[must_use]
    pub fn resolution(exchange: Exchange, user: &str) -> Self {
        let what = What::Resolution(exchange);
        Self { what, user: user.to_owned(), key: None, tenant_key: None }
    }
}
