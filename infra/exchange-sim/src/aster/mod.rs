//! Aster's V3 futures API: registering, managing and listing agents, and trading with them
//! (orders, changes, cancels, reads). Also the key endpoints of the legacy API V1 ([`v1`]):
//! `getNonce`, `createApiKey`, and one read that such a key signs. The account's own key withdraws.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use alloy_primitives::Address;
use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    response::Response,
    routing::{MethodRouter, on},
};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Now,
    chain::Chains,
    edge::{Call, Edge, MAX_BODY_BYTES, Moment, Reply},
    faults::Fault,
    journal, lock,
    market::Engine,
    requests, steer,
};

mod accounts;
mod builders;
mod keys;
mod manage;
pub mod money;
mod parameters;
mod reads;
mod refusal;
mod register;
mod routes;
pub mod signing;
mod trade;
pub mod v1;

use accounts::Accounts;
use keys::Keys;
pub use keys::{ApiSecret, V1Key};
use money::MoneyRules;
use parameters::Parameters;
use refusal::Refusal;
use routes::{ROUTES, Route};

/// Network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// `fapi.asterdex.com`
    Mainnet,
    /// `fapi.asterdex-testnet.com`
    Testnet,
}

/// What the exchange's success means for a `noop`. The exchange documents only that it may not
/// succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Noop {
    /// The nonce was free and is used now. A used nonce is refused.
    #[default]
    Proof,
    /// The request was received. A nonce that an order has used is accepted as well, as if the order
    /// had been ahead in a queue, or had been evicted from the newest 100. Afterwards the nonce is
    /// used in either case.
    Acknowledgement,
}

/// Rules that tests can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether trading and account reads require a first deposit. Managing agents does not.
    pub require_deposit: bool,
    /// Maximum number of agents of one account. Aster does not publish its limit.
    pub max_agents: usize,
    /// Permitted values of `signatureChainId`. Aster also has 101, for Solana keys.
    pub signature_chain_ids: Vec<u64>,
    /// Weight per minute. The real exchange counts by IP address, the simulator counts all callers
    /// together.
    pub weight_per_minute: u32,
    /// Requests per minute to `getNonce` and `createApiKey`, which have their own limit. Counting
    /// both together is a strict guess.
    pub v1_requests_per_minute: u32,
    /// Whether the API V1 refuses to create keys, as the real one does.
    pub v1_closed: bool,
    /// The meaning of a successful `noop`.
    pub noop: Noop,
    /// By how much reads of orders, fills and accounts lag, in milliseconds; at most two minutes.
    pub reads_lag_ms: u64,
    /// Rules of payments.
    pub money: MoneyRules,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            require_deposit: false,
            max_agents: 20,
            signature_chain_ids: vec![56],
            weight_per_minute: 2_400,
            v1_requests_per_minute: 60,
            v1_closed: false,
            noop: Noop::Proof,
            reads_lag_ms: 0,
            money: MoneyRules::default(),
        }
    }
}

/// A key that may act for an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Unique for the account.
    pub name: String,
    /// Address of the key.
    pub address: Address,
    /// Milliseconds. From then on the key cannot authenticate, but keeps its name and slot.
    pub expired: u64,
    /// Permission.
    pub can_spot_trade: bool,
    /// Permission.
    pub can_perp_trade: bool,
    /// Permission.
    pub can_withdraw: bool,
    /// As sent; not enforced.
    pub ip_whitelist: String,
}

/// A simulated Aster. Clones share its state.
#[derive(Clone)]
pub struct Exchange(Arc<Inner>);

struct Inner {
    network: Network,
    now: Now,
    edge: Edge,
    rules: Mutex<Rules>,
    accounts: Mutex<Accounts>,
    keys: Mutex<Keys>,
    engine: Mutex<Engine>,
    chains: Mutex<Option<Chains>>,
}

impl Exchange {
    /// Returns an exchange without accounts, with the default rules.
    #[must_use]
    pub fn new(network: Network, now: Now) -> Self {
        let edge = Edge::new(Arc::clone(&now), too_many_requests);
        let (rules, accounts, keys) = (Mutex::default(), Mutex::default(), Mutex::default());
        let engine = Mutex::new(trade::markets::engine());
        let chains = Mutex::default();
        Self(Arc::new(Inner { network, now, edge, rules, accounts, keys, engine, chains }))
    }

    /// Takes the changes of the market since the last call, as lines for
    /// [`Exchange::restore_market`]. Write [`Exchange::snapshot`] first: an order must not be
    /// remembered without its nonce's use.
    #[must_use]
    pub fn take_changes(&self) -> String {
        journal::lines(lock(&self.0.engine).take_entries())
    }

    /// Returns whether the market has changed since [`Exchange::take_changes`].
    #[must_use]
    pub fn has_changes(&self) -> bool {
        lock(&self.0.engine).has_entries()
    }

    /// Returns the whole state of the market, as lines for [`Exchange::restore_market`].
    #[must_use]
    pub fn market_snapshot(&self) -> String {
        journal::lines(lock(&self.0.engine).all_entries())
    }

    /// Applies the lines of a market's journal.
    ///
    /// # Errors
    ///
    /// Returns the number of the first line that is not an entry, and stops there.
    pub fn restore_market(&self, lines: &str) -> Result<(), journal::BadLine> {
        journal::restore(&mut lock(&self.0.engine), lines)
    }

    /// Returns accounts, agents and nonces as JSON, for [`Exchange::restore`]. Keys of the API V1
    /// are left out, because the JSON would contain their secrets.
    ///
    /// # Errors
    ///
    /// Returns an error when the state cannot be written as JSON.
    pub fn snapshot(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&*lock(&self.0.accounts))
    }

    /// Replaces accounts, agents and nonces with those of a snapshot.
    ///
    /// # Errors
    ///
    /// Returns an error, and changes nothing, when the JSON is not a snapshot.
    pub fn restore(&self, snapshot: &[u8]) -> serde_json::Result<()> {
        *lock(&self.0.accounts) = serde_json::from_slice(snapshot)?;
        Ok(())
    }

    /// Returns the HTTP API.
    pub fn router(&self) -> Router {
        let add =
            |router: Router<Self>, route: &'static Route| router.route(route.path, handler(route));
        let api = ROUTES.iter().fold(Router::new(), add).with_state(self.clone());
        api.merge(money::router(self.clone())).merge(steer::router(self.clone()))
    }

    /// Returns the current rules.
    #[must_use]
    pub fn rules(&self) -> Rules {
        lock(&self.0.rules).clone()
    }

    /// Replaces the rules.
    pub fn set_rules(&self, rules: Rules) {
        *lock(&self.0.rules) = rules;
    }

    /// Sets whether trading and account reads require a first deposit.
    pub fn require_deposit(&self, required: bool) {
        lock(&self.0.rules).require_deposit = required;
    }

    /// Credits an account with its first deposit, 10,000 USDT, which also creates the account.
    pub fn deposit(&self, account: Address) {
        lock(&self.0.accounts).deposit(account);
        let mut engine = lock(&self.0.engine);
        trade::fund(&mut engine, account);
        engine.commit((self.0.now)());
    }

    /// Returns the agents of an account, including expired ones.
    #[must_use]
    pub fn agents_of(&self, user: Address) -> Vec<Agent> {
        lock(&self.0.accounts).agents_of(user)
    }

    /// Adds an agent that may trade but not withdraw, as if the account's owner had done so
    /// elsewhere. Creates a missing account. Does not enforce slots or the minimum lifetime.
    /// Returns whether name and address were free.
    pub fn add_agent(&self, user: Address, name: &str, address: Address, expired: u64) -> bool {
        let agent = Agent {
            name: name.to_owned(),
            address,
            expired,
            can_spot_trade: true,
            can_perp_trade: true,
            can_withdraw: false,
            ip_whitelist: String::new(),
        };
        lock(&self.0.accounts).insert(user, agent, usize::MAX).is_ok()
    }

    /// Removes an agent, as if the account's owner had done so elsewhere. Returns whether the agent
    /// existed.
    pub fn remove_agent(&self, user: Address, address: Address) -> bool {
        lock(&self.0.accounts).remove(user, address).is_ok()
    }

    /// Makes the next request with this path (`/fapi/v3/agent`) or kind (`registerAndApproveAgent`,
    /// `approveAgent`, `updateAgent`, `deleteAgent`, `listAgents`, `balance`, `time`, `getNonce`,
    /// `createApiKey`, `v1Balance`, `placeOrder`, `placeOrders`, `modifyOrder`, `cancelOrder`,
    /// `cancelAllOrders`, `noop`, `orderStatus`, `openOrders`, `exchangeInfo`, `premiumIndex` and
    /// others) fail. Faults of one target queue up.
    pub fn fail_next(&self, target: &str, fault: Fault) {
        self.0.edge.fail_next(target, fault);
    }

    /// Removes the faults that have not applied yet, and returns their number.
    #[must_use]
    pub fn clear_faults(&self) -> usize {
        self.0.edge.clear_faults()
    }

    /// Sets a delay before every request is processed.
    pub fn set_latency(&self, latency: Duration) {
        self.0.edge.set_latency(latency);
    }

    /// Returns the requests so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<requests::Request> {
        self.0.edge.requests()
    }

    async fn serve(&self, route: &Route, request: Request) -> Response {
        let parameters = read(request).await;
        let weight = parameters.as_ref().map_or(route.weight, |read| route.weight(read));
        let limit = route.host.limit(&self.rules());
        let call = Call { path: route.path.to_owned(), kind: route.kind, weight, limit };
        let (exchange, answer) = (self.clone(), route.answer);
        let apply = move |at: Moment| {
            let at = at.lagging(exchange.rules().reads_lag_ms);
            let read = parameters.clone().map(|read| read.arriving(at));
            match read.and_then(|read| answer(&exchange, &read)) {
                Ok(body) => Reply::json(true, StatusCode::OK, &body),
                Err(refusal) => {
                    error(StatusCode::BAD_REQUEST, refusal.code(), &refusal.to_string())
                }
            }
        };
        self.settle();
        let mut response = self.0.edge.pass(call, apply).await;
        let used = HeaderValue::from(self.0.edge.used_weight(limit.name));
        response.headers_mut().insert("x-mbx-used-weight-1m", used);
        response
    }
}

fn handler(route: &'static Route) -> MethodRouter<Exchange> {
    on(route.method, move |State(exchange): State<Exchange>, request: Request| async move {
        exchange.serve(route, request).await
    })
}

/// Reads parameters from the query and a form body. Any other body has none.
async fn read(request: Request) -> Result<Parameters, Refusal> {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let is_form =
        content_type.is_some_and(|it| it.starts_with("application/x-www-form-urlencoded"));
    let body = if is_form { to_bytes(body, MAX_BODY_BYTES).await.ok() } else { None };
    let body = body.and_then(|bytes| String::from_utf8(bytes.into()).ok());
    let api_key = head.headers.get("x-mbx-apikey").and_then(|it| it.to_str().ok());
    let query = head.uri.query().unwrap_or_default();
    Parameters::parse(query, &body.unwrap_or_default(), api_key.map(str::to_owned))
}

fn error(status: StatusCode, code: i32, message: &str) -> Reply {
    Reply::json(false, status, &json!({"code": code, "msg": message}))
}

fn too_many_requests() -> Reply {
    error(StatusCode::TOO_MANY_REQUESTS, -1003, "Too many requests")
}

/// Returns the response to every change.
fn success() -> Value {
    json!({"code": 200, "msg": "success"})
}
