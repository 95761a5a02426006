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
    /// Whether the service answers. `GET /api/health`.
    ///
    /// # Errors
    /// When there is no good answer, as with every call.
    pub async fn health(&self) -> Result<Answer<Health>, Error> {
        self.plain(Call { open: true, ..Call::get(&["api", "health"], &[]) }).await
    }

    /// The service's OpenAPI document. `GET /api/openapi.json`.
    ///
    /// # Errors
    /// When there is no good answer.
    pub async fn openapi(&self) -> Result<Answer<Value>, Error> {
        self.plain(Call { open: true, ..Call::get(&["api", "openapi.json"], &[]) }).await
    }

    /// A user's wallet: a new one (201), or the one that there is (200). `POST /api/wallets`.
    ///
    /// # Errors
    /// When there is no good answer.
    pub async fn create_wallet(&self, user_id: &str) -> Result<Answer<Wallet>, Error> {
        self.plain(Call::post(&["api", "wallets"], &json!({ "userId": user_id }))).await
    }

    /// A wallet by its userId, walletId or address. `GET /api/wallets/{walletIdOrAddress}`.
    ///
    /// # Errors
    /// When there is no good answer; [`Code::WalletNotFound`].
    pub async fn wallet(&self, name: &str) -> Result<Answer<Wallet>, Error> {
        self.plain(Call::get(&["api", "wallets", name], &[])).await
    }

    /// A page of the key's wallets, of 1 to 100, from a cursor on. `GET /api/wallets`.
    ///
    /// # Errors
    /// When there is no good answer.
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

    /// All of the key's wallets, by pages of this size.
    #[must_use]
    pub fn all_wallets(&self, limit: u8) -> Wallets<'_> {
        Wallets::new(self, limit)
    }

    /// Signs a text as EIP-191 has it. `POST /api/wallets/{walletIdOrAddress}/sign`.
    ///
    /// # Errors
    /// When there is no good answer.
    pub async fn sign(&self, name: &str, message: &str) -> Result<Answer<Signed>, Error> {
        let body = json!({ "message": message });
        self.plain(Call::post(&["api", "wallets", name, "sign"], &body)).await
    }

    /// Registers a wallet with Aster. `POST /api/trading/aster/apikey`.
    ///
    /// # Errors
    /// When there is no good answer; [`Code::ApiKeyExists`], [`Code::DepositRequired`].
    pub async fn register_aster(
        &self,
        request: impl Into<RegisterApiKey>,
    ) -> Result<Answer<AsterKey>, Error> {
        self.data(Call::post(&["api", "trading", "aster", "apikey"], &request.into())).await
    }

    /// Registers a wallet with Hyperliquid. `POST /api/trading/hyperliquid/apikey`.
    ///
    /// # Errors
    /// When there is no good answer; [`Code::ApiKeyExists`], [`Code::DepositRequired`],
    /// [`Code::NoAgentSlot`].
    pub async fn register_hyperliquid(
        &self,
        request: impl Into<RegisterApiKey>,
    ) -> Result<Answer<HyperliquidKey>, Error> {
        self.data(Call::post(&["api", "trading", "hyperliquid", "apikey"], &request.into())).await
    }

    /// What is known of a wallet's API key. `GET /api/trading/{exchange}/apikey`.
    ///
    /// # Errors
    /// When there is no good answer; [`Code::ApiKeyNotFound`].
    pub async fn api_key(&self, exchange: &Exchange, name: &str) -> Result<Answer<ApiKey>, Error> {
        let query = [("walletIdOrAddress", name)];
        self.data(Call::get(&["api", "trading", exchange.as_str(), "apikey"], &query)).await
    }

    /// A new key with Aster in the place of the old one. `POST /api/trading/aster/apikey/rotate`.
    ///
    /// # Errors
    /// When there is no good answer; [`Code::ApiKeyNotFound`].
    pub async fn rotate_aster(&self, name: &str) -> Result<Answer<AsterRotation>, Error> {
        let body = json!({ "walletIdOrAddress": name });
        self.data(Call::post(&["api", "trading", "aster", "apikey", "rotate"], &body)).await
    }

    /// A new key with Hyperliquid in the place of the old one.
    /// `POST /api/trading/hyperliquid/apikey/rotate`.
    ///
    /// # Errors
    /// When there is no good answer; [`Code::ApiKeyNotFound`].
    pub async fn rotate_hyperliquid(
        &self,
        name: &str,
    ) -> Result<Answer<HyperliquidRotation>, Error> {
        let body = json!({ "walletIdOrAddress": name });
        self.data(Call::post(&["api", "trading", "hyperliquid", "apikey", "rotate"], &body)).await
    }

    /// Takes a wallet's API key away on the exchange, then here.
    /// `DELETE /api/trading/{exchange}/apikey`.
    ///
    /// # Errors
    /// When there is no good answer; [`Code::ApiKeyNotFound`].
    pub async fn delete_api_key(
        &self,
        exchange: &Exchange,
        request: impl Into<DeleteApiKey>,
    ) -> Result<Answer<Revoked>, Error> {
        let DeleteApiKey { wallet_id_or_address, removed_on_exchange } = request.into();
        // Not everything on the way lets the body of a DELETE pass: it has one only where it must.
        let body = json!({ "removedOnExchange": true });
        let query = [("walletIdOrAddress", wallet_id_or_address.as_str())];
        self.data(Call {
            method: Method::DELETE,
            path: &["api", "trading", exchange.as_str(), "apikey"],
            query: &query,
            body: removed_on_exchange.then(|| body.to_string()),
            keyed: true,
            open: false,
        })
        .await
    }

    /// Lists a wallet's agents on the exchange. `GET /api/trading/{exchange}/agents`.
    ///
    /// # Errors
    /// When there is no good answer; [`Code::AgentListUnavailable`].
    pub async fn agents(&self, exchange: &Exchange, name: &str) -> Result<Answer<Agents>, Error> {
        let query = [("walletIdOrAddress", name)];
        self.data(Call::get(&["api", "trading", exchange.as_str(), "agents"], &query)).await
    }

    /// Removes an agent that no API key uses, by its name or address.
    /// `DELETE /api/trading/{exchange}/agents/{agentName}`.
    ///
    /// # Errors
    /// When there is no good answer; [`Code::AgentNotFound`], [`Code::AgentInUse`],
    /// [`Code::AgentNotOurs`].
    pub async fn delete_agent(
        &self,
        exchange: &Exchange,
        name: &str,
        agent: &str,
    ) -> Result<Answer<Revoked>, Error> {
        self.data(Call {
            method: Method::DELETE,
            path: &["api", "trading", exchange.as_str(), "agents", agent],
            query: &[("walletIdOrAddress", name)],
            body: None,
            keyed: true,
            open: false,
        })
        .await
    }

    /// What the API says of an exchange whose keys are not made there, such as Lighter: what to do
    /// instead. `GET`, `POST` and `DELETE /api/trading/{exchange}/apikey`, `POST …/rotate`,
    /// `GET …/agents`, `DELETE …/agents/{agentName}`.
    ///
    /// # Errors
    /// When there is no such answer; also when wallets are registered with this exchange.
    pub async fn guidance(&self, exchange: &str, asked: Elsewhere) -> Result<Guidance, Error> {
        if Exchange::KNOWN.iter().any(|known| known.as_str() == exchange) {
            let kind = ErrorKind::Invalid("wallets are registered with this exchange");
            return Err(Error::new(kind, None, 0));
        }
        let (method, rest, keyed): (_, &[&str], _) = match asked {
            Elsewhere::Describe => (Method::GET, &["apikey"], false),
            Elsewhere::Register => (Method::POST, &["apikey"], false),
            Elsewhere::Delete => (Method::DELETE, &["apikey"], true),
            Elsewhere::Rotate => (Method::POST, &["apikey", "rotate"], true),
            Elsewhere::ListAgents => (Method::GET, &["agents"], false),
            Elsewhere::DeleteAgent => (Method::DELETE, &["agents", "agent"], true),
        };
        let path = [&["api", "trading", exchange], rest].concat();
        let path = &path[..];
        let call = Call { method, path, query: &[], body: None, keyed, open: false };
        let error = match self.plain::<Value>(call).await {
            Ok(_) => Error::new(ErrorKind::Unreadable("a good answer".to_owned()), None, 1),
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
