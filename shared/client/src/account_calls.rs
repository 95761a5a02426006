//! The calls about positions, balances, executions and leverage.

use crate::accounts::{
    AsterPosition, Balances, Close, Fills, Leverage, Listed, MarginMode, PastOrder, Positions,
};
use crate::send::Call;
use crate::{Answer, Client, Error, Exchange, NewOrder, Placed};
use reqwest::Method;

impl Client {
    /// Lists the open positions of a wallet at an exchange. `GET
    /// /api/trading/{exchange}/positions/{walletAddress}`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn positions(
        &self,
        exchange: &Exchange,
        wallet: &str,
        symbol: Option<&str>,
    ) -> Result<Answer<Positions>, Error> {
        let query: Vec<_> = symbol.map(|symbol| ("symbol", symbol)).into_iter().collect();
        let path = &["api", "trading", exchange.as_str(), "positions", wallet];
        self.plain(Call::get(path, &query)).await
    }

    /// Lists the open positions of a wallet at all exchanges. `GET
    /// /api/trading/positions/all/{walletAddress}`.
    ///
    /// # Errors
    /// Fails when no exchange could be asked; [`Positions::exchanges`] states which could not.
    pub async fn all_positions(&self, wallet: &str) -> Result<Answer<Positions>, Error> {
        self.plain(Call::get(&["api", "trading", "positions", "all", wallet], &[])).await
    }

    /// Returns the balances of a wallet. `GET /api/trading/{exchange}/balances`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn balances(
        &self,
        exchange: &Exchange,
        wallet: &str,
    ) -> Result<Answer<Balances>, Error> {
        let query = [("walletIdOrAddress", wallet)];
        self.data(Call::get(&["api", "trading", exchange.as_str(), "balances"], &query)).await
    }

    /// Lists a page of a wallet's executions. `from` is a time in Unix milliseconds, or the
    /// `next_from` of the previous page. `GET /api/trading/{exchange}/fills`.
    ///
    /// # Errors
    /// Fails when the service does not return success; on Aster without a symbol.
    pub async fn fills(
        &self,
        exchange: &Exchange,
        wallet: &str,
        symbol: Option<&str>,
        from: Option<&str>,
    ) -> Result<Answer<Fills>, Error> {
        let symbol = symbol.map(|symbol| ("symbol", symbol));
        let from = from.map(|from| ("from", from));
        let query: Vec<_> =
            [("walletIdOrAddress", wallet)].into_iter().chain(symbol).chain(from).collect();
        self.plain(Call::get(&["api", "trading", exchange.as_str(), "fills"], &query)).await
    }

    /// Sets the leverage, the margin mode or both of a market. `POST
    /// /api/trading/{exchange}/leverage`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::PolicyRefused`](crate::Code::PolicyRefused).
    pub async fn set_leverage(
        &self,
        exchange: &Exchange,
        wallet: &str,
        symbol: &str,
        leverage: Option<u32>,
        margin_mode: Option<&MarginMode>,
    ) -> Result<Answer<Leverage>, Error> {
        let mut body = serde_json::json!({ "walletIdOrAddress": wallet, "symbol": symbol });
        if let Some(leverage) = leverage {
            body["leverage"] = leverage.into();
        }
        if let Some(mode) = margin_mode {
            body["marginMode"] = mode.0.as_str().into();
        }
        let path = &["api", "trading", exchange.as_str(), "leverage"];
        let call = Call::get(path, &[]);
        self.data(Call { method: Method::POST, body: Some(body.to_string()), ..call }).await
    }

    /// Closes a position, a part of it, or all positions. `POST
    /// /api/trading/{exchange}/positions/close`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::PositionNotFound`](crate::Code::PositionNotFound).
    pub async fn close(
        &self,
        exchange: &Exchange,
        wallet: &str,
        close: &Close,
    ) -> Result<Answer<Placed>, Error> {
        let path = &["api", "trading", exchange.as_str(), "positions", "close"];
        self.data(Call::post(path, &close.body(Some(wallet)))).await
    }
}

/// The paths that name the wallet after the exchange. They serve the same operations.
impl Client {
    /// Places an order. `POST /api/aster/perp/{walletId}/order`.
    ///
    /// # Errors
    /// As [`Self::place`].
    pub async fn place_aster_perp_order(
        &self,
        wallet: &str,
        order: &NewOrder,
    ) -> Result<Answer<Placed>, Error> {
        self.data(Call::post(&["api", "aster", "perp", wallet, "order"], order)).await
    }

    /// Closes a position. `POST /api/aster/perp/{walletId}/close-position`.
    ///
    /// # Errors
    /// As [`Self::close`].
    pub async fn close_aster_perp_position(
        &self,
        wallet: &str,
        close: &Close,
    ) -> Result<Answer<Placed>, Error> {
        let path = &["api", "aster", "perp", wallet, "close-position"];
        self.data(Call::post(path, &close.body(None))).await
    }

    /// Returns the balances. `GET /api/aster/perp/{walletId}/account`.
    ///
    /// # Errors
    /// As [`Self::balances`].
    pub async fn aster_perp_account(&self, wallet: &str) -> Result<Answer<Balances>, Error> {
        self.data(Call::get(&["api", "aster", "perp", wallet, "account"], &[])).await
    }

    /// Lists the open positions in Aster's own fields. `GET /api/aster/perp/{walletId}/positions`.
    ///
    /// # Errors
    /// As [`Self::positions`].
    pub async fn aster_perp_positions(
        &self,
        wallet: &str,
        symbol: Option<&str>,
    ) -> Result<Answer<Listed<AsterPosition>>, Error> {
        let query: Vec<_> = symbol.map(|symbol| ("symbol", symbol)).into_iter().collect();
        self.plain(Call::get(&["api", "aster", "perp", wallet, "positions"], &query)).await
    }

    /// Closes a position. `POST /api/hyperliquid/{walletId}/positions/close/{symbol}`.
    ///
    /// # Errors
    /// As [`Self::close`].
    pub async fn close_hyperliquid_market(
        &self,
        wallet: &str,
        symbol: &str,
        close: &Close,
    ) -> Result<Answer<Placed>, Error> {
        let path = &["api", "hyperliquid", wallet, "positions", "close", symbol];
        let named = Close { symbol: Some(symbol.to_owned()), ..close.clone() };
        self.data(Call::post(path, &named.body(None))).await
    }

    /// Closes all positions. `POST /api/hyperliquid/{walletId}/positions/close-all`.
    ///
    /// # Errors
    /// As [`Self::close`].
    pub async fn close_hyperliquid_all(&self, wallet: &str) -> Result<Answer<Placed>, Error> {
        let path = &["api", "hyperliquid", wallet, "positions", "close-all"];
        self.data(Call::post(path, &serde_json::json!({}))).await
    }

    /// Lists the last orders in any state. `GET /api/hyperliquid/{walletId}/orders/historical`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn hyperliquid_past_orders(
        &self,
        wallet: &str,
    ) -> Result<Answer<Listed<PastOrder>>, Error> {
        self.plain(Call::get(&["api", "hyperliquid", wallet, "orders", "historical"], &[])).await
    }
}
