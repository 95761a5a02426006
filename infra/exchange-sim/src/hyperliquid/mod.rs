//! Hyperliquid: the parts of `POST /exchange` and `POST /info` that concern API wallets ("agents")
//! and trading.
//!
//! Actions: `approveAgent`, `approveBuilderFee`, and those that move money: `withdraw3`, `usdSend`,
//! `spotSend`, `sendAsset`, `sendToEvmWithData` and `usdClassTransfer` (signed by the account's own
//! key); `noop`, `order`, `cancel`, `cancelByCloid`, `modify`, `batchModify`, `updateLeverage` and
//! `updateIsolatedMargin` (signed by an agent or the account). Other trading actions have their signature checked, and are refused.
//! Every other action gets the response for an unknown one.

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
    routing::post,
};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Now,
    chain::Chains,
    edge::{Call, Edge, MAX_BODY_BYTES, Moment, Reply},
    faults::Fault,
    journal, lock,
    market::Engine,
    requests::{self, Limit},
    steer,
};

mod actions;
mod book;
pub mod builders;
mod info;
pub mod money;
mod refusal;
pub mod signing;
mod trade;
mod wire;

use book::{Approval, Book, Change};
use money::MoneyRules;
use wire::Malformed;

/// Network. It is part of the signed data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Chain {
    /// `api.hyperliquid.xyz`
    Mainnet,
    /// `api.hyperliquid-testnet.xyz`
    Testnet,
}

/// Rules that tests can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether an account must have deposited before it may approve an agent.
    ///
    /// Without it every address has an account. An approval with wrong typed data is then accepted
    /// for the unknown address that its signature recovers to. Only the other network's chain is
    /// refused in both cases.
    pub require_deposit: bool,
    /// Maximum number of named agents of one account. On the real exchange it grows with the traded
    /// volume.
    pub max_named_agents: usize,
    /// Weight per minute. The real exchange counts by IP address, the simulator counts all callers
    /// together.
    pub weight_per_minute: u32,
    /// Rules of payments.
    pub money: MoneyRules,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            require_deposit: false,
            max_named_agents: 3,
            weight_per_minute: 1_200,
            money: MoneyRules::default(),
        }
    }
}

/// An API wallet that may act for an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Without the ` valid_until` suffix; empty for the unnamed agent.
    pub name: String,
    /// Address of the key.
    pub address: Address,
    /// Milliseconds. The agent is removed at this time.
    pub valid_until: u64,
}

/// A simulated Hyperliquid. Clones share its state.
#[derive(Clone)]
pub struct Exchange(Arc<Inner>);

struct Inner {
    chain: Chain,
    now: Now,
    edge: Edge,
    rules: Mutex<Rules>,
    book: Mutex<Book>,
    engine: Mutex<Engine>,
    chains: Mutex<Option<Chains>>,
}

impl Exchange {
    /// Returns an exchange without accounts, with the default rules.
    #[must_use]
    pub fn new(chain: Chain, now: Now) -> Self {
        let edge = Edge::new(Arc::clone(&now), too_many_requests);
        let (rules, book) = (Mutex::default(), Mutex::default());
        let engine = Mutex::new(trade::markets::engine());
        let chains = Mutex::default();
        Self(Arc::new(Inner { chain, now, edge, rules, book, engine, chains }))
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

    /// Returns accounts, agents and nonces as JSON, for [`Exchange::restore`].
    ///
    /// # Errors
    ///
    /// Returns an error when the state cannot be written as JSON.
    pub fn snapshot(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&*lock(&self.0.book))
    }

    /// Replaces accounts, agents and nonces with those of a snapshot.
    ///
    /// # Errors
    ///
    /// Returns an error, and changes nothing, when the JSON is not a snapshot.
    pub fn restore(&self, snapshot: &[u8]) -> serde_json::Result<()> {
        *lock(&self.0.book) = serde_json::from_slice(snapshot)?;
        Ok(())
    }

    /// Returns the HTTP API.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/exchange", post(exchange))
            .route("/info", post(info))
            .with_state(self.clone())
            .merge(steer::router(self.clone()))
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

    /// Sets whether an account must have deposited before it may approve an agent.
    pub fn require_deposit(&self, required: bool) {
        lock(&self.0.rules).require_deposit = required;
    }

    /// Credits an account with its first deposit: 10,000 dollars for perpetuals, and as spot.
    pub fn deposit(&self, account: Address) {
        lock(&self.0.book).deposit(account);
        let mut engine = lock(&self.0.engine);
        trade::fund(&mut engine, account);
        engine.commit((self.0.now)());
    }

    /// Returns the live agents of an account, named and unnamed.
    #[must_use]
    pub fn agents_of(&self, master: Address) -> Vec<Agent> {
        lock(&self.0.book).agents_of(master, (self.0.now)())
    }

    /// Adds an agent (an empty name: the unnamed one), as if the account's owner had done so
    /// elsewhere. Creates a missing account, and does not enforce slots. Replaces an agent of the
    /// same name, with the usual consequences. Returns whether the address was free.
    pub fn add_agent(
        &self,
        account: Address,
        name: &str,
        address: Address,
        valid_until: u64,
    ) -> bool {
        let change = Change::Approve(Approval { name, address, valid_until });
        lock(&self.0.book).apply(account, change, usize::MAX, (self.0.now)()).is_ok()
    }

    /// Removes an agent, as if the account's owner had done so elsewhere. For some seconds no other
    /// agent can be approved. Returns whether the agent existed.
    pub fn remove_agent(&self, account: Address, address: Address) -> bool {
        let now = (self.0.now)();
        let mut book = lock(&self.0.book);
        let agents = book.agents_of(account, now);
        agents.into_iter().find(|agent| agent.address == address).is_some_and(|agent| {
            let change = Change::Remove { name: &agent.name };
            book.apply(account, change, usize::MAX, now).is_ok()
        })
    }

    /// Makes the next request with this path (`/exchange`) or kind (`approveAgent`, `noop`,
    /// `order`, `orderStatus`, `userRole`: any action or read) fail. Faults of one target queue up.
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

    async fn pass(
        &self,
        path: &str,
        kind: &'static str,
        weight: u32,
        apply: impl Fn(Moment) -> Reply + Send + Sync + 'static,
    ) -> Response {
        let limit = Limit { name: "weight", per_minute: self.rules().weight_per_minute };
        let call = Call { path: path.to_owned(), kind, weight, limit };
        self.settle();
        self.0.edge.pass(call, apply).await
    }
}

async fn exchange(State(exchange): State<Exchange>, request: Request) -> Response {
    match read(request).await.and_then(|body| wire::envelope(&body)) {
        Ok(envelope) => {
            let (kind, weight) = (envelope.action.kind(), envelope.action.weight());
            let sender = exchange.clone();
            let apply = move |at: Moment| match actions::execute(&sender, &envelope, at.now) {
                Ok(response) => ok(&json!({"status": "ok", "response": response})),
                Err(refusal) => {
                    let body = json!({"status": "err", "response": refusal.to_string()});
                    // An error also has status 200.
                    Reply::json(false, StatusCode::OK, &body)
                }
            };
            exchange.pass("/exchange", kind, weight, apply).await
        }
        Err(malformed) => {
            exchange.pass("/exchange", "malformed", 1, move |_| malformed.into()).await
        }
    }
}

async fn info(State(exchange): State<Exchange>, request: Request) -> Response {
    match read(request).await.and_then(|body| wire::info(&body)) {
        Ok(query) => {
            let (kind, weight) = (query.kind(), query.weight());
            let reader = exchange.clone();
            let apply = move |at: Moment| ok(&info::answer(&reader, &query, at));
            exchange.pass("/info", kind, weight, apply).await
        }
        Err(malformed) => exchange.pass("/info", "malformed", 20, move |_| malformed.into()).await,
    }
}

async fn read(request: Request) -> Result<Vec<u8>, Malformed> {
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        return Err(Malformed::NotJson);
    }
    let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| Malformed::Shape)?;
    Ok(body.into())
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("application/json"))
}

fn ok(body: &Value) -> Reply {
    Reply::json(true, StatusCode::OK, body)
}

fn too_many_requests() -> Reply {
    Reply::json(false, StatusCode::TOO_MANY_REQUESTS, &Value::Null)
}
