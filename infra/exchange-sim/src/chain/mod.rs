//! Stand-in for the JSON-RPC endpoints of EVM chains. It takes raw transactions, verifies signature,
//! chain id, nonce, gas and funds with code that the service does not use, and keeps the balances of
//! coins and tokens.
//!
//! A node of chain 56 is at the path `/56`, and so on for 1, 998, 999, 8453, 42161 and 421614. The
//! tokens and the exchanges' contracts have their real addresses. Withdrawals of the simulated
//! exchanges pay out here, and transfers to the exchanges' contracts are credited there. Each
//! exchange has a function `connect` for that.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alloy_primitives::{Address, B256, U256, keccak256};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};

use crate::edge::{Call, Edge, MAX_BODY_BYTES, Reply};
use crate::faults::Fault;
use crate::market::Payout;
use crate::requests::{self, Limit};
use crate::{Now, lock};

mod contracts;
mod rpc;
mod spec;
mod state;
mod steer;
mod transaction;

pub(crate) use spec::has_asset;
use spec::{Spec, to_units};
use state::{ChainState, State as Book};
pub(crate) use state::{Deposit, Venue};

/// Ids of the simulated chains.
pub const CHAIN_IDS: [u64; 7] = [1, 56, 998, 999, 8_453, 42_161, 421_614];

/// No limit of requests is simulated.
const LIMIT: Limit = Limit { name: "rpc", per_minute: u32::MAX };

/// Simulated chains. Clones share their state.
#[derive(Clone)]
pub struct Chains(Arc<Inner>);

struct Inner {
    now: Now,
    edge: Edge,
    book: Mutex<Book>,
    /// Let the exchanges pay and find deposits.
    hooks: Mutex<Vec<Arc<dyn Fn() + Send + Sync>>>,
}

/// A transaction of an account, as the chain has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainTransaction {
    /// Hash.
    pub hash: B256,
    /// Nonce of the account.
    pub nonce: u64,
    /// Receiver: the token's contract for a transfer of tokens.
    pub to: Address,
    /// Coins in wei.
    pub value: U256,
    /// Data of the call.
    pub data: Vec<u8>,
    /// Whether it succeeded; `None` while it waits.
    pub success: Option<bool>,
}

impl Chains {
    /// Returns chains without accounts.
    #[must_use]
    pub fn new(now: Now) -> Self {
        let edge = Edge::new(Arc::clone(&now), || {
            Reply::json(false, http::StatusCode::TOO_MANY_REQUESTS, &Value::Null)
        });
        let (book, hooks) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { now, edge, book, hooks }))
    }

    /// Returns the JSON-RPC endpoints, and the steering.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/{chain}", post(node))
            .with_state(self.clone())
            .merge(steer::router(self.clone()))
    }

    /// Returns the state as JSON, for [`Chains::restore`].
    ///
    /// # Errors
    ///
    /// Returns an error when the state cannot be written as JSON.
    pub fn snapshot(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&*lock(&self.0.book))
    }

    /// Replaces the state with that of a snapshot.
    ///
    /// # Errors
    ///
    /// Returns an error, and changes nothing, when the JSON is not a snapshot.
    pub fn restore(&self, snapshot: &[u8]) -> serde_json::Result<()> {
        *lock(&self.0.book) = serde_json::from_slice(snapshot)?;
        Ok(())
    }

    /// Makes the next request with this path (`/56`) or method (`eth_sendRawTransaction`) fail.
    /// Faults of one target queue up.
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

    /// Makes a payment of an exchange, once for each id, and returns the transaction's hash. The
    /// chain has no transaction of that hash: only the balance changes.
    pub(crate) fn pay(&self, id: &str, payout: &Payout) -> String {
        let mut book = lock(&self.0.book);
        if let Some(hash) = book.payouts.get(id) {
            return hash.to_string();
        }
        let hash = keccak256(format!("payout {id}"));
        book.payouts.insert(id.to_owned(), hash);
        let spec = spec::spec(payout.chain_id);
        if let Some((spec, (asset, decimals))) =
            spec.and_then(|spec| Some((spec, spec.asset(&payout.asset)?)))
        {
            let units = to_units(payout.amount, decimals);
            book.chains.entry(spec.id).or_default().mint(asset, payout.to, units);
        }
        hash.to_string()
    }

    /// Returns all deposits for an exchange.
    pub(crate) fn deposits(&self, venue: Venue) -> Vec<Deposit> {
        let book = lock(&self.0.book);
        book.deposits.iter().filter(|deposit| deposit.venue == venue).cloned().collect()
    }

    /// Adds a function that runs before each request.
    pub(crate) fn on_use(&self, hook: impl Fn() + Send + Sync + 'static) {
        lock(&self.0.hooks).push(Arc::new(hook));
    }

    /// Lets the exchanges make the payments that are due, and find deposits.
    fn settle(&self) {
        let hooks = lock(&self.0.hooks).clone();
        for hook in hooks {
            hook();
        }
    }

    /// Changes a chain, and then mines what can be mined.
    fn change<T>(&self, spec: &'static Spec, change: impl FnOnce(&mut ChainState) -> T) -> T {
        let now = (self.0.now)();
        let mut book = lock(&self.0.book);
        let Book { chains, deposits, .. } = &mut *book;
        let chain = chains.entry(spec.id).or_default();
        let result = change(chain);
        if !chain.is_manual {
            chain.mine(spec, now, deposits);
        }
        result
    }
}

async fn node(State(chains): State<Chains>, Path(id): Path<String>, request: Request) -> Response {
    let body = to_bytes(request.into_body(), MAX_BODY_BYTES).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let kind = rpc::kind(&body);
    let call = Call { path: format!("/{id}"), kind, weight: 0, limit: LIMIT };
    let (node, spec) = (chains.clone(), id.parse().ok().and_then(spec::spec));
    let apply = move |_| match spec {
        Some(spec) => rpc::answer(&node, spec, &body),
        None => {
            let body = json!({"error": "this chain is not simulated"});
            Reply::json(false, http::StatusCode::NOT_FOUND, &body)
        }
    };
    chains.settle();
    chains.0.edge.pass(call, apply).await
}
