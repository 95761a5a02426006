//! The calls on Lighter, where you bring the API key of an account.

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::send::Call;
use crate::{
    Answer, Balances, CanceledOrders, Client, Error, Leverage, MarginMode, NewOrder, OpenOrders,
    Order, Placed, Positions, Secret,
};

/// An API key of a Lighter account.
#[derive(Clone, Debug)]
pub struct LighterKey {
    /// The private key, 80 hex digits.
    pub private_key: Secret,
    /// The slot of the key, 0 to 254.
    pub api_key_index: u8,
    /// The account.
    pub account_index: u64,
}

/// The key with which a call acts.
#[derive(Clone, Copy, Debug)]
pub enum LighterAccess<'a> {
    /// The stored key of this account: see [`Client::set_lighter_credentials`].
    Stored(u64),
    /// This key, which is sent in headers.
    Given(&'a LighterKey),
}

/// An account in a read that needs no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LighterAccount<'a> {
    /// Its index.
    Index(u64),
    /// The master account of the owner with this address.
    Owner(&'a str),
}

/// A stored key, without the private key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredLighterKey {
    /// The account.
    pub account_index: u64,
    /// The slot of the key.
    pub api_key_index: u32,
    /// The public key, 80 hex digits.
    pub public_key: String,
    /// When it was stored, Unix milliseconds.
    pub stored_at: u64,
}

/// The account whose stored key was deleted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedLighterKey {
    /// The account.
    pub account_index: u64,
    /// Whether a key was stored before the call.
    pub deleted: bool,
}

impl LighterAccess<'_> {
    /// Returns the headers that state the key.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let account = match self {
            Self::Stored(account) => *account,
            Self::Given(key) => {
                // A text that cannot be a header cannot be a key: the service names the missing header.
                if let Ok(mut secret) = HeaderValue::from_str(key.private_key.expose()) {
                    secret.set_sensitive(true);
                    headers.insert("x-lighter-api-key-private-key", secret);
                }
                headers.insert("x-lighter-api-key-index", u16::from(key.api_key_index).into());
                key.account_index
            }
        };
        headers.insert("x-lighter-account-index", account.into());
        headers
    }
}

/// Returns the path of a call.
fn path<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    ["api", "trading", "lighter"].iter().chain(rest).copied().collect()
}

fn of_symbol(symbol: Option<&str>) -> Vec<(&'static str, &str)> {
    symbol.map(|symbol| ("symbol", symbol)).into_iter().collect()
}

impl Client {
    /// Places an order, with its attached orders in one group. `POST /api/trading/lighter/orders`.
    ///
    /// An order is executed at most once. If the outcome is not known
    /// ([`Code::OrderUnknown`](crate::Code::OrderUnknown)), call again with the same order, under the
    /// same key or with the same id: [`Self::with_key`].
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::ExchangeRegionBlocked`](crate::Code::ExchangeRegionBlocked).
    pub async fn place_lighter_order(
        &self,
        access: LighterAccess<'_>,
        order: &NewOrder,
    ) -> Result<Answer<Placed>, Error> {
        let path = path(&["orders"]);
        self.data(Call { headers: access.headers(), ..Call::post(&path, order) }).await
    }

    /// Changes price and quantity of a limit order without a fill. `PUT
    /// /api/trading/lighter/orders/{orderId}`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::OrderNotOpen`](crate::Code::OrderNotOpen).
    pub async fn modify_lighter_order(
        &self,
        access: LighterAccess<'_>,
        order: &str,
        (price, quantity): (&str, &str),
    ) -> Result<Answer<Order>, Error> {
        let body = json!({ "price": price, "quantity": quantity });
        let path = path(&["orders", order]);
        self.data(changing(Method::PUT, &path, Some(&body), access)).await
    }

    /// Cancels an open order, by its id at the exchange or its client id. `DELETE
    /// /api/trading/lighter/orders/{orderId}`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::OrderNotOpen`](crate::Code::OrderNotOpen), whose response has the order.
    pub async fn cancel_lighter_order(
        &self,
        access: LighterAccess<'_>,
        order: &str,
        symbol: Option<&str>,
    ) -> Result<Answer<Order>, Error> {
        let (path, query) = (path(&["orders", order]), of_symbol(symbol));
        self.data(Call { query: &query, ..changing(Method::DELETE, &path, None, access) }).await
    }

    /// Cancels all open orders of a market. `DELETE /api/trading/lighter/orders?symbol=`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn cancel_lighter_orders(
        &self,
        access: LighterAccess<'_>,
        symbol: &str,
    ) -> Result<Answer<CanceledOrders>, Error> {
        let (path, query) = (path(&["orders"]), of_symbol(Some(symbol)));
        self.data(Call { query: &query, ..changing(Method::DELETE, &path, None, access) }).await
    }

    /// Lists the open orders of an account. `GET /api/trading/lighter/orders`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn lighter_open_orders(
        &self,
        access: LighterAccess<'_>,
        symbol: Option<&str>,
    ) -> Result<Answer<OpenOrders>, Error> {
        let (path, query) = (path(&["orders"]), of_symbol(symbol));
        self.plain(Call { headers: access.headers(), ..Call::get(&path, &query) }).await
    }

    /// Returns an order in its present state, by its id at the exchange or its client id. `GET
    /// /api/trading/lighter/orders/{orderId}/status`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::OrderNotFound`](crate::Code::OrderNotFound).
    pub async fn lighter_order(
        &self,
        access: LighterAccess<'_>,
        order: &str,
        symbol: Option<&str>,
    ) -> Result<Answer<Order>, Error> {
        let (path, query) = (path(&["orders", order, "status"]), of_symbol(symbol));
        self.data(Call { headers: access.headers(), ..Call::get(&path, &query) }).await
    }

    /// Sets the leverage, the margin mode or both of a market. `POST
    /// /api/trading/lighter/leverage`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::PolicyRefused`](crate::Code::PolicyRefused).
    pub async fn set_lighter_leverage(
        &self,
        access: LighterAccess<'_>,
        symbol: &str,
        leverage: Option<u32>,
        margin_mode: Option<&MarginMode>,
    ) -> Result<Answer<Leverage>, Error> {
        let mut body = json!({ "symbol": symbol });
        if let Some(leverage) = leverage {
            body["leverage"] = leverage.into();
        }
        if let Some(mode) = margin_mode {
            body["marginMode"] = mode.0.as_str().into();
        }
        let path = path(&["leverage"]);
        self.data(changing(Method::POST, &path, Some(&body), access)).await
    }

    /// Lists the open positions of an account. `GET
    /// /api/trading/lighter/positions/{walletAddress}`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn lighter_positions(
        &self,
        account: LighterAccount<'_>,
        symbol: Option<&str>,
    ) -> Result<Answer<Positions>, Error> {
        let index;
        let name = match account {
            LighterAccount::Owner(address) => address,
            LighterAccount::Index(number) => {
                index = number.to_string();
                &index
            }
        };
        let (path, query) = (path(&["positions", name]), of_symbol(symbol));
        self.plain(Call::get(&path, &query)).await
    }

    /// Returns the balances of an account. `GET /api/trading/lighter/balances`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn lighter_balances(
        &self,
        account: LighterAccount<'_>,
    ) -> Result<Answer<Balances>, Error> {
        let index;
        let named = match account {
            LighterAccount::Owner(address) => ("walletAddress", address),
            LighterAccount::Index(number) => {
                index = number.to_string();
                ("accountIndex", index.as_str())
            }
        };
        self.data(Call::get(&path(&["balances"]), &[named])).await
    }

    /// Stores the key of an account, after Lighter has listed its public key. It replaces the
    /// account's present key. `PUT /api/trading/lighter/credentials`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::ApiKeyNotListed`](crate::Code::ApiKeyNotListed).
    pub async fn set_lighter_credentials(
        &self,
        key: &LighterKey,
    ) -> Result<Answer<StoredLighterKey>, Error> {
        let body = json!({
            "apiKeyPrivateKey": key.private_key.expose(),
            "apiKeyIndex": key.api_key_index,
            "accountIndex": key.account_index,
        });
        let path = path(&["credentials"]);
        let call = Call::get(&path, &[]);
        self.data(Call { method: Method::PUT, body: Some(body.to_string()), ..call }).await
    }

    /// Returns the stored key of an account, without the private key. `GET
    /// /api/trading/lighter/credentials`.
    ///
    /// # Errors
    /// Fails when the service does not return success;
    /// [`Code::ApiKeyNotFound`](crate::Code::ApiKeyNotFound).
    pub async fn lighter_credentials(
        &self,
        account_index: u64,
    ) -> Result<Answer<StoredLighterKey>, Error> {
        let account = account_index.to_string();
        let query = [("accountIndex", account.as_str())];
        self.data(Call::get(&path(&["credentials"]), &query)).await
    }

    /// Deletes the stored key of an account. Lighter keeps the key. `DELETE
    /// /api/trading/lighter/credentials`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn delete_lighter_credentials(
        &self,
        account_index: u64,
    ) -> Result<Answer<DeletedLighterKey>, Error> {
        let account = account_index.to_string();
        let (path, query) = (path(&["credentials"]), [("accountIndex", account.as_str())]);
        self.data(Call { method: Method::DELETE, ..Call::get(&path, &query) }).await
    }
}

/// Returns a call that can be sent again, and therefore takes no `Idempotency-Key`.
fn changing<'a>(
    method: Method,
    path: &'a [&'a str],
    body: Option<&Value>,
    access: LighterAccess<'_>,
) -> Call<'a> {
    let (body, headers) = (body.map(Value::to_string), access.headers());
    Call { method, body, headers, ..Call::get(path, &[]) }
}
