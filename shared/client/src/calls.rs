//! A method for each operation of the API.

use reqwest::Method;
use serde_json::{Value, json};

use crate::send::Call;
use crate::{
    Agents, Answer, ApiKey, AsterKey, AsterRotation, Client, Code, DeleteApiKey, Elsewhere, Error,
    ErrorKind, Exchange, Guidance, Health, HyperliquidKey, HyperliquidRotation, RegisterApiKey,
    Revoked, Signed, Wallet, Wallets, WalletsPage,
};

impl Client {
    /// Checks the service's health. `GET /api/health`.
    ///
    /// # Errors
    /// Fails when the service does not return success, as with every call.
    pub async fn health(&self) -> Result<Answer<Health>, Error> {
        self.plain(Call { open: true, ..Call::get(&["api", "health"], &[]) }).await
    }

    /// Returns the service's OpenAPI document. `GET /api/openapi.json`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn openapi(&self) -> Result<Answer<Value>, Error> {
        self.plain(Call { open: true, ..Call::get(&["api", "openapi.json"], &[]) }).await
    }

    /// Creates a user's wallet (201), or returns the existing one (200). `POST /api/wallets`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn create_wallet(&self, user_id: &str) -> Result<Answer<Wallet>, Error> {
        self.plain(Call::post(&["api", "wallets"], &json!({ "userId": user_id }))).await
    }

    /// Returns a wallet by its userId, walletId or address. `GET
    /// /api/wallets/{walletIdOrAddress}`.
    ///
    /// # Errors
    /// Fails when the service does not return success; [`Code::WalletNotFound`].
    pub async fn wallet(&self, name: &str) -> Result<Answer<Wallet>, Error> {
        self.plain(Call::get(&["api", "wallets", name], &[])).await
    }

    /// Lists a page of 1 to 100 of the tenant's wallets from a cursor on. `GET /api/wallets`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn list_wallets(
        &self,
        limit: Option<u8>,
        cursor: Option<&str>,
    ) -> Result<Answer<WalletsPage>, Error> {
        let limit = limit.map(|limit| limit.to_string());
        let limit = limit.iter().map(|limit| ("limit", limit.as_str()));
        let query: Vec<_> = limit.chain(cursor.map(|cursor| ("cursor", cursor))).collect();
        self.plain(Call::get(&["api", "wallets"], &query)).await
    }

    /// Returns all of the tenant's wallets, fetched in pages of this size.
    #[must_use]
    pub fn all_wallets(&self, limit: u8) -> Wallets<'_> {
        Wallets::new(self, limit)
    }

    /// Signs a text as an EIP-191 personal message. `POST /api/wallets/{walletIdOrAddress}/sign`.
    ///
    /// # Errors
    /// Fails when the service does not return success.
    pub async fn sign(&self, name: &str, message: &str) -> Result<Answer<Signed>, Error> {
        let body = json!({ "message": message });
        self.plain(Call::post(&["api", "wallets", name, "sign"], &body)).await
    }

    /// Registers a wallet with Aster. `POST /api/trading/aster/apikey`.
    ///
    /// # Errors
    /// Fails when the service does not return success; [`Code::ApiKeyExists`],
    /// [`Code::DepositRequired`].
    pub async fn register_aster(
        &self,
        request: impl Into<RegisterApiKey>,
    ) -> Result<Answer<AsterKey>, Error> {
        self.data(Call::post(&["api", "trading", "aster", "apikey"], &request.into())).await
    }

    /// Registers a wallet with Hyperliquid. `POST /api/trading/hyperliquid/apikey`.
    ///
    /// # Errors
    /// Fails when the service does not return success; [`Code::ApiKeyExists`],
    /// [`Code::DepositRequired`], [`Code::NoAgentSlot`].
    pub async fn register_hyperliquid(
        &self,
        request: impl Into<RegisterApiKey>,
    ) -> Result<Answer<HyperliquidKey>, Error> {
        self.data(Call::post(&["api", "trading", "hyperliquid", "apikey"], &request.into())).await
    }

    /// Returns a wallet's credential. `GET /api/trading/{exchange}/apikey`.
    ///
    /// # Errors
    /// Fails when the service does not return success; [`Code::ApiKeyNotFound`].
    pub async fn api_key(&self, exchange: &Exchange, name: &str) -> Result<Answer<ApiKey>, Error> {
        let query = [("walletIdOrAddress", name)];
        self.data(Call::get(&["api", "trading", exchange.as_str(), "apikey"], &query)).await
    }

    /// Rotates a wallet's trading key at Aster. `POST /api/trading/aster/apikey/rotate`.
    ///
    /// # Errors
    /// Fails when the service does not return success; [`Code::ApiKeyNotFound`].
    pub async fn rotate_aster(&self, name: &str) -> Result<Answer<AsterRotation>, Error> {
        let body = json!({ "walletIdOrAddress": name });
        self.data(Call::post(&["api", "trading", "aster", "apikey", "rotate"], &body)).await
    }

    /// Rotates a wallet's trading key at Hyperliquid. `POST
    /// /api/trading/hyperliquid/apikey/rotate`.
    ///
    /// # Errors
    /// Fails when the service does not return success; [`Code::ApiKeyNotFound`].
    pub async fn rotate_hyperliquid(
        &self,
        name: &str,
    ) -> Result<Answer<HyperliquidRotation>, Error> {
        let body = json!({ "walletIdOrAddress": name });
        self.data(Call::post(&["api", "trading", "hyperliquid", "apikey", "rotate"], &body)).await
    }

    /// Revokes a wallet's trading key on the exchange, then deletes its credential. `DELETE
    /// /api/trading/{exchange}/apikey`.
    ///
    /// # Errors
    /// Fails when the service does not return success; [`Code::ApiKeyNotFound`].
    pub async fn delete_api_key(
        &self,
        exchange: &Exchange,
        request: impl Into<DeleteApiKey>,
    ) -> Result<Answer<Revoked>, Error> {
        let DeleteApiKey { wallet_id_or_address, removed_on_exchange } = request.into();
        // Some proxies drop the body of a DELETE, so it has one only when necessary.
        let body = json!({ "removedOnExchange": true });
        let query = [("walletIdOrAddress", wallet_id_or_address.as_str())];
        let path = &["api", "trading", exchange.as_str(), "apikey"];
        let (method, body) = (Method::DELETE, removed_on_exchange.then(|| body.to_string()));
        self.data(Call { method, body, keyed: true, ..Call::get(path, &query) }).await
    }

    /// Lists a wallet's agents on the exchange. `GET /api/trading/{exchange}/agents`.
    ///
    /// # Errors
    /// Fails when the service does not return success; [`Code::AgentListUnavailable`].
    pub async fn agents(&self, exchange: &Exchange, name: &str) -> Result<Answer<Agents>, Error> {
        let query = [("walletIdOrAddress", name)];
        self.data(Call::get(&["api", "trading", exchange.as_str(), "agents"], &query)).await
    }

    /// Removes an agent that no credential uses, by its name or address. `DELETE
    /// /api/trading/{exchange}/agents/{agentName}`.
    ///
    /// # Errors
    /// Fails when the service does not return success; [`Code::AgentNotFound`],
    /// [`Code::AgentInUse`], [`Code::AgentNotOurs`].
    pub async fn delete_agent(
        &self,
        exchange: &Exchange,
        name: &str,
        agent: &str,
    ) -> Result<Answer<Revoked>, Error> {
        let path = &["api", "trading", exchange.as_str(), "agents", agent];
        let (method, query) = (Method::DELETE, [("walletIdOrAddress", name)]);
        self.data(Call { method, keyed: true, ..Call::get(path, &query) }).await
    }

    /// Returns the API's guidance about an exchange whose keys it does not make, such as Lighter.
    /// `GET`, `POST` and `DELETE /api/trading/{exchange}/apikey`, `POST …/rotate`, `GET …/agents`,
    /// `DELETE …/agents/{agentName}`, and the calls about orders and accounts.
    ///
    /// # Errors
    /// Fails when the service returns no guidance, and when wallets are registered with this
    /// exchange.
    pub async fn guidance(&self, exchange: &str, asked: Elsewhere) -> Result<Guidance, Error> {
        if Exchange::KNOWN.iter().any(|known| known.as_str() == exchange) {
            let kind = ErrorKind::Invalid("this exchange is supported: call its own method");
            return Err(Error::new(kind, None, 0));
        }
        let (method, rest, keyed): (_, &[&str], _) = match asked {
            Elsewhere::Describe => (Method::GET, &["apikey"], false),
            Elsewhere::Register => (Method::POST, &["apikey"], false),
            Elsewhere::Delete => (Method::DELETE, &["apikey"], true),
            Elsewhere::Rotate => (Method::POST, &["apikey", "rotate"], true),
            Elsewhere::ListAgents => (Method::GET, &["agents"], false),
            Elsewhere::DeleteAgent => (Method::DELETE, &["agents", "agent"], true),
            Elsewhere::PlaceOrder => (Method::POST, &["orders"], false),
            Elsewhere::ModifyOrder => (Method::PUT, &["orders", "order"], false),
            Elsewhere::CancelOrder => (Method::DELETE, &["orders", "order"], false),
            Elsewhere::CancelOrders => (Method::DELETE, &["orders"], false),
            Elsewhere::ListOrders => (Method::GET, &["orders"], false),
            Elsewhere::GetOrder => (Method::GET, &["orders", "order", "status"], false),
            Elsewhere::ListPositions => (Method::GET, &["positions", "wallet"], false),
            Elsewhere::ClosePosition => (Method::POST, &["positions", "close"], false),
            Elsewhere::GetBalances => (Method::GET, &["balances"], false),
            Elsewhere::ListFills => (Method::GET, &["fills"], false),
            Elsewhere::SetLeverage => (Method::POST, &["leverage"], false),
            Elsewhere::Deposit => (Method::POST, &["deposit"], false),
            Elsewhere::Withdraw => (Method::POST, &["withdraw"], false),
            Elsewhere::Transfer => (Method::POST, &["transfer"], false),
            Elsewhere::GetTransfer => (Method::GET, &["transfers", "transfer"], false),
        };
        // The function that gives guidance about Lighter takes no key.
        let keyed = keyed && exchange != Exchange::Lighter.as_str();
        let path = [&["api", "trading", exchange], rest].concat();
        let path = &path[..];
        let call = Call { method, keyed, ..Call::get(path, &[]) };
        let error = match self.plain::<Value>(call).await {
            Ok(_) => {
                Error::new(ErrorKind::Unreadable("success without guidance".to_owned()), None, 1)
            }
            Err(error) => error,
        };
        match error.refusal() {
            Some(refusal) if refusal.code == Code::ExchangeNotSupported => {
                Ok(Guidance { error: refusal.error.clone(), message: refusal.message.clone() })
            }
            _ => Err(error),
        }
    }
}
