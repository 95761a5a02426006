//! Orders on Lighter with a caller's key: transactions, questions, and their answers.
//!
//! | file | holds |
//! | --- | --- |
//! | `answer` | the meaning of codes |
//! | `keys` | the public keys of an account |
//! | `markets` | markets, and the exact integers of their orders |
//! | `read` | orders, and what has become of a transaction |
//! | `account` | positions, balances and leverage |
//!
//! A transaction is stored with its hash before it is sent. The exchange executes it once at most, and
//! not after its expiry. The hash names it in a question that needs no key.

pub mod account;
pub mod answer;
pub mod book;
mod keys;
pub mod markets;
pub mod read;

use std::sync::{Arc, Mutex, PoisonError};

use domain::clock::Clock;
use domain::eth::Address;
use domain::random::Random;
use lighter_signer::{Action, Attributes, SignError, Transaction};
use serde_json::Value;

use self::account::Account;
use self::answer::{found, sent, stated, unreadable};
use self::markets::{Market, Markets};
use self::read::Executed;
use super::{Credential, LighterConfig, PROFILE};
use crate::exchanges::account::{LeverageState, MarginMode};
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::http::{Answer, Http};
use crate::exchanges::trade::{ExchangeOrder, Found, Sent, TradeCode, TradeRefusal};
use crate::store::Submission;
use crate::trading::decimal::Decimal;

/// The time after which a transaction can no longer execute, in milliseconds.
pub const VALID_MS: u64 = 60_000;

/// The lifetime of a token, in seconds. Each question has its own.
const TOKEN_S: u64 = 120;

/// From this number on an index of an order is the exchange's own. Below it is the client's.
pub const FIRST_ORDER_INDEX: u64 = 1 << 48;

/// Maximum size of the list of markets, in bytes. It has about 300 markets with a chart each.
const MARKETS_BYTES: usize = 8 * 1024 * 1024;

/// Maximum size of a list of orders, in bytes. An account has at most 1,500 open ones.
const ORDERS_BYTES: usize = 4 * 1024 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";

/// A signed transaction: the exact bytes that are stored and sent, and the hash that names it.
pub struct SignedCall {
    /// The body of `POST /api/v1/sendTx`.
    pub body: String,
    /// 80 hex digits.
    pub hash: String,
    /// When it can no longer execute, Unix milliseconds.
    pub expires_at_ms: u64,
}

/// A client of Lighter's API. It sends each request once; it keeps no budget and no circuit.
#[derive(Clone, Debug)]
pub struct Client {
    reads: Http,
    sends: Http,
    chain_id: u32,
    keys_in_query: bool,
    clock: Clock,
    random: Random,
    credential: Option<Arc<Credential>>,
    account_index: Option<u64>,
    /// The markets that were read last, for the names of the markets of orders.
    markets: Arc<Mutex<Option<Arc<Markets>>>>,
}

impl Client {
    /// The path that receives transactions.
    pub const PATH: &str = "/api/v1/sendTx";

    /// Makes a client with these settings and no key. A call that changes something has a timeout of
    /// `order_timeout_ms`.
    #[must_use]
    pub fn new(
        config: &LighterConfig,
        order_timeout_ms: u64,
        clock: &Clock,
        random: &Random,
    ) -> Self {
        let reads = Http::new(&config.url, PROFILE.name, config.call_timeout_ms, clock.clone());
        Self {
            sends: reads.with_timeout(order_timeout_ms),
            reads,
            chain_id: config.chain_id,
            keys_in_query: config.keys_in_query,
            clock: clock.clone(),
            random: random.clone(),
            credential: None,
            account_index: None,
            markets: Arc::default(),
        }
    }

    /// Returns a client with the same connections that signs with a caller's key.
    #[must_use]
    pub fn with_credential(&self, credential: Arc<Credential>) -> Self {
        let account_index = Some(credential.account_index);
        Self { credential: Some(credential), account_index, ..self.clone() }
    }

    /// Returns a client with the same connections that asks about an account, and has no key.
    #[must_use]
    pub fn with_account(&self, index: u64) -> Self {
        Self { credential: None, account_index: Some(index), ..self.clone() }
    }

    /// Returns the account that this client trades or asks about.
    #[must_use]
    pub const fn account_index(&self) -> Option<u64> {
        self.account_index
    }

    /// Returns the key with which this client signs.
    #[must_use]
    pub fn credential(&self) -> Option<&Credential> {
        self.credential.as_deref()
    }

    /// Returns the key with which this client signs.
    #[must_use]
    pub fn shared_credential(&self) -> Option<Arc<Credential>> {
        self.credential.clone()
    }

    /// Returns the network, which every signature covers.
    #[must_use]
    pub const fn chain_id(&self) -> u32 {
        self.chain_id
    }

    /// Returns whether requests may give a key in the query.
    #[must_use]
    pub const fn keys_in_query(&self) -> bool {
        self.keys_in_query
    }

    /// Returns how far the local clock was ahead of the exchange's at its last response, in
    /// milliseconds.
    #[must_use]
    pub fn skew_ms(&self) -> i64 {
        self.reads.skew_ms()
    }

    /// Signs a transaction. Its nonce only has to be above the last one of the key: see
    /// `docs/decisions/0066-lighter.md`.
    ///
    /// # Errors
    /// Fails when the exchange would refuse the transaction, and when the signature does not verify.
    pub fn sign(
        &self,
        credential: &Credential,
        action: Action,
        nonce: u64,
    ) -> Result<SignedCall, SignError> {
        let now_ms = self.clock.now_ms();
        let expires_at_ms = now_ms + VALID_MS;
        let transaction = Transaction {
            account_index: credential.account_index,
            api_key_index: credential.api_key_index,
            nonce,
            expired_at_ms: expires_at_ms,
            action,
            attributes: Attributes::skip_nonce(),
        };
        let signed = transaction.sign(&credential.key, self.chain_id, now_ms, &self.random)?;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("tx_type", &signed.tx_type.to_string());
        form.append_pair("tx_info", &signed.tx_info);
        Ok(SignedCall { body: form.finish(), hash: signed.hash.to_string(), expires_at_ms })
    }

    /// Sends a signed transaction. A success means that the exchange has taken it, and has the hash
    /// that names it there.
    pub async fn send(&self, body: &str, hash: &str) -> Sent<String> {
        sent(self.sends.post(Self::PATH, FORM, body.to_owned()).await, hash)
    }

    /// Sends a stored transaction.
    pub async fn send_stored(&self, submission: &Submission) -> Sent<String> {
        let hash = submission.hash.as_deref().unwrap_or_default();
        self.send(&submission.body, hash).await
    }

    /// Asks what has become of a transaction. It needs no key.
    ///
    /// # Errors
    /// Fails when the exchange does not say it.
    pub async fn transaction(&self, hash: &str) -> Result<Executed, AskError> {
        let answer = self.get("tx", &[("by", "hash"), ("value", hash)]).await?;
        let Some(body) = found("a transaction", &answer)? else { return Ok(Executed::Absent) };
        read::executed(&body).ok_or_else(|| unreadable("a transaction", &answer))
    }

    /// Reads all markets.
    ///
    /// # Errors
    /// Fails when the exchange does not list them.
    pub async fn markets(&self) -> Result<Arc<Markets>, AskError> {
        let answer = self.reads.get_up_to(&path("orderBookDetails"), "", MARKETS_BYTES).await;
        let markets = Arc::new(Markets::parse(&answer.map_err(failed)?)?);
        *self.last_markets() = Some(markets.clone());
        Ok(markets)
    }

    /// Returns whether the markets were read before. Questions about orders read them otherwise.
    #[must_use]
    pub fn has_markets(&self) -> bool {
        self.last_markets().is_some()
    }

    fn last_markets(&self) -> std::sync::MutexGuard<'_, Option<Arc<Markets>>> {
        self.markets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the present price of a market.
    ///
    /// # Errors
    /// Fails when the exchange does not state it, with [`TradeCode::NoLiquidity`] if there is none.
    pub async fn price(&self, id: u16, name: &str) -> Result<Decimal, AskError> {
        let id = id.to_string();
        let answer = self.get("orderBookDetails", &[("market_id", &id)]).await?;
        let markets = Markets::parse(&answer)?;
        let price = markets.get(name).and_then(|market| market.price);
        let none = || TradeRefusal::new(TradeCode::NoLiquidity, "the market has no price");
        price.ok_or_else(|| AskError::Refused(none()))
    }

    /// Returns the leverage and the margin mode of a market for an account. A market that the account
    /// has not used has the default.
    ///
    /// # Errors
    /// Fails when the exchange does not state them.
    pub async fn leverage(&self, account: u64, name: &str) -> Result<LeverageState, AskError> {
        let stated = self.account(account).await?.leverages;
        if let Some((_, state)) = stated.into_iter().find(|(market, _)| market == name) {
            return Ok(state);
        }
        let markets = self.known_markets().await?;
        let leverage = markets.get(name).map(Market::default_leverage);
        let none = || TradeRefusal::new(TradeCode::MarketUnknown, "the market is not listed");
        let leverage = leverage.ok_or_else(|| AskError::Refused(none()))?;
        Ok(LeverageState { leverage, margin_mode: MarginMode::Cross })
    }

    /// Reads an account. It needs no key.
    ///
    /// # Errors
    /// Fails when the account does not exist, or the exchange does not state it.
    pub async fn account(&self, index: u64) -> Result<Account, AskError> {
        let index = index.to_string();
        let answer = self.get("account", &[("by", "index"), ("value", &index)]).await?;
        let body = stated("account not found", &answer)?;
        let read = account::account(&body, self.clock.now_ms());
        read.ok_or_else(|| unreadable("an account", &answer))
    }

    /// Returns the master account of an owner. `None` means that the owner has no account.
    ///
    /// # Errors
    /// Fails when the exchange does not state it.
    pub async fn account_of(&self, owner: Address) -> Result<Option<u64>, AskError> {
        let owner = owner.to_string();
        let answer = self.get("accountsByL1Address", &[("l1_address", &owner)]).await?;
        let body = match found("the accounts of an owner", &answer) {
            Ok(Some(body)) => body,
            Ok(None) => return Ok(None),
            Err(AskError::Refused(refusal)) if refusal.code == TradeCode::DepositRequired => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let listed = body.get("sub_accounts").and_then(Value::as_array);
        let first = listed.and_then(|listed| listed.first()?.get("index")?.as_u64());
        first.map(Some).ok_or_else(|| unreadable("the accounts of an owner", &answer))
    }

    /// Looks up an order: by the client's index, or by the exchange's among the open orders and the
    /// last ended ones.
    ///
    /// # Errors
    /// Fails when the exchange does not say whether it has the order.
    pub async fn look_up(&self, index: u64) -> Result<Found, AskError> {
        let of_list = |orders: Vec<ExchangeOrder>, is_it: &dyn Fn(&ExchangeOrder) -> bool| {
            orders.into_iter().find(|order| is_it(order)).map(|order| Found::Order(Box::new(order)))
        };
        let text = index.to_string();
        if index < FIRST_ORDER_INDEX {
            let pairs = [("client_order_indexes", text.as_str())];
            let newest = read::newest(self.orders("accountOrders", &pairs).await?, &text);
            let newest = newest.map(|order| Found::Order(Box::new(order)));
            return Ok(newest.unwrap_or(Found::Nothing));
        }
        let is_it = |order: &ExchangeOrder| order.order_id == text;
        if let Some(open) = of_list(self.open_orders(None).await?, &is_it) {
            return Ok(open);
        }
        let ended = self.orders("accountInactiveOrders", &[("limit", "100")]).await?;
        Ok(of_list(ended, &is_it).unwrap_or(Found::Nothing))
    }

    /// Reads the open orders of a market, or of all.
    ///
    /// # Errors
    /// Fails when the exchange does not list them. A list with a gap is an error.
    pub async fn open_orders(&self, market: Option<&str>) -> Result<Vec<ExchangeOrder>, AskError> {
        let id = match market {
            Some(name) => self.known_markets().await?.id_of(name).map(|id| id.to_string()),
            None => None,
        };
        let pairs: Vec<_> = id.iter().map(|id| ("market_id", id.as_str())).collect();
        self.orders("accountActiveOrders", &pairs).await
    }

    async fn known_markets(&self) -> Result<Arc<Markets>, AskError> {
        let known = self.last_markets().clone();
        match known {
            Some(known) => Ok(known),
            None => self.markets().await,
        }
    }

    /// Reads a list of orders of the credential's account, with a token that lives two minutes.
    async fn orders(
        &self,
        name: &'static str,
        pairs: &[(&str, &str)],
    ) -> Result<Vec<ExchangeOrder>, AskError> {
        let credential = self.credential().ok_or_else(no_key)?;
        let now_s = self.clock.now_ms() / 1_000;
        let sender = (credential.account_index, credential.api_key_index);
        let token = credential.key.auth_token(sender, now_s + TOKEN_S, now_s, &self.random);
        let token = token.map_err(|error| {
            tracing::error!(%error, "a token of Lighter was not signed");
            no_key()
        })?;
        let account = credential.account_index.to_string();
        let named = [("account_index", account.as_str())];
        let (path, query) = (path(name), query_of(named.iter().chain(pairs)));
        let answer = self.reads.get_authorized(&path, &query, token.as_str(), ORDERS_BYTES).await;
        let answer = answer.map_err(failed)?;
        let Some(body) = found("orders", &answer)? else { return Ok(Vec::new()) };
        let fault = || unreadable("orders", &answer);
        let listed = body.get("orders").and_then(Value::as_array).ok_or_else(fault)?;
        let read = |markets: &Markets| -> Option<Vec<ExchangeOrder>> {
            listed.iter().map(|value| read::order(value, markets)).collect()
        };
        if let Some(orders) = read(&*self.known_markets().await?) {
            return Ok(orders);
        }
        // A market can be newer than the list.
        read(&*self.markets().await?).ok_or_else(fault)
    }

    async fn get(&self, name: &str, pairs: &[(&str, &str)]) -> Result<Answer, AskError> {
        self.reads.get(&path(name), &query_of(pairs)).await.map_err(failed)
    }
}

/// Encodes a query.
fn query_of<'a>(pairs: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    query.finish()
}

fn path(name: &str) -> String {
    format!("/api/v1/{name}")
}

fn failed(error: crate::exchanges::http::SendError) -> AskError {
    AskError::Failed(error.into())
}

/// The error of a question that needs the caller's key.
fn no_key() -> AskError {
    AskError::Refused(TradeRefusal::new(TradeCode::AgentUnknown, "no key to ask with"))
}
