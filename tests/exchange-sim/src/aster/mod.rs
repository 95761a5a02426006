//! Aster's V3 futures API, as far as agents go: registering, managing and listing them, and one
//! read (`balance`) that an agent signs.

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
    routing::{MethodFilter, MethodRouter, on},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    Now,
    edge::{Call, Edge, MAX_BODY_BYTES, Reply},
    faults::Fault,
    lock, requests,
};

mod accounts;
mod manage;
mod parameters;
mod reads;
mod refusal;
mod register;
pub mod signing;

use accounts::Accounts;
use parameters::Parameters;
use refusal::Refusal;

/// Which of the two networks
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// `fapi.asterdex.com`
    Mainnet,
    /// `fapi.asterdex-testnet.com`
    Testnet,
}

/// The rules that tests may bend
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether trading and account reads need a first deposit; agents are managed without
    pub require_deposit: bool,
    /// Agents of one account. Aster does not publish its number.
    pub max_agents: usize,
    /// What `signatureChainId` may be; Aster also knows 101, for Solana's keys
    pub signature_chain_ids: Vec<u64>,
    /// Weight a minute; on the real exchange for each IP address, here for all callers together
    pub weight_per_minute: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            require_deposit: false,
            max_agents: 20,
            signature_chain_ids: vec![56],
            weight_per_minute: 2_400,
        }
    }
}

/// A key that may act for an account
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Unique for the account
    pub name: String,
    /// The key's address
    pub address: Address,
    /// Milliseconds; the key authenticates nothing from then on, but keeps its name and slot
    pub expired: u64,
    /// Permission
    pub can_spot_trade: bool,
    /// Permission
    pub can_perp_trade: bool,
    /// Permission
    pub can_withdraw: bool,
    /// As sent; not enforced
    pub ip_whitelist: String,
}

/// An Aster of its own; clones share it
#[derive(Clone)]
pub struct Exchange(Arc<Inner>);

struct Inner {
    network: Network,
    now: Now,
    edge: Edge,
    rules: Mutex<Rules>,
    accounts: Mutex<Accounts>,
}

/// One endpoint
struct Route {
    method: MethodFilter,
    path: &'static str,
    kind: &'static str,
    weight: u32,
    answer: fn(&Exchange, &Parameters) -> Result<Value, Refusal>,
}

/// The weights of the agents' routes but the first are not published.
static ROUTES: [Route; 7] = [
    Route {
        method: MethodFilter::POST,
        path: "/fapi/v3/registerAndApproveAgent",
        kind: "registerAndApproveAgent",
        weight: 50,
        answer: register::register_and_approve,
    },
    Route {
        method: MethodFilter::POST,
        path: "/fapi/v3/approveAgent",
        kind: "approveAgent",
        weight: 1,
        answer: manage::approve,
    },
    Route {
        method: MethodFilter::POST,
        path: "/fapi/v3/updateAgent",
        kind: "updateAgent",
        weight: 1,
        answer: manage::update,
    },
    Route {
        method: MethodFilter::DELETE,
        path: "/fapi/v3/agent",
        kind: "deleteAgent",
        weight: 1,
        answer: manage::delete,
    },
    Route {
        method: MethodFilter::GET,
        path: "/fapi/v3/agent",
        kind: "listAgents",
        weight: 1,
        answer: reads::agents,
    },
    Route {
        method: MethodFilter::GET,
        path: "/fapi/v3/balance",
        kind: "balance",
        weight: 5,
        answer: reads::balance,
    },
    Route {
        method: MethodFilter::GET,
        path: "/fapi/v3/time",
        kind: "time",
        weight: 1,
        answer: reads::time,
    },
];

impl Exchange {
    /// An exchange without accounts, with the default rules
    #[must_use]
    pub fn new(network: Network, now: Now) -> Self {
        let edge = Edge::new(Arc::clone(&now), too_many_requests);
        let (rules, accounts) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { network, now, edge, rules, accounts }))
    }

    /// The HTTP API
    pub fn router(&self) -> Router {
        let add =
            |router: Router<Self>, route: &'static Route| router.route(route.path, handler(route));
        ROUTES.iter().fold(Router::new(), add).with_state(self.clone())
    }

    /// The rules in force
    #[must_use]
    pub fn rules(&self) -> Rules {
        lock(&self.0.rules).clone()
    }

    /// Puts other rules in force
    pub fn set_rules(&self, rules: Rules) {
        *lock(&self.0.rules) = rules;
    }

    /// Whether trading and account reads need a first deposit
    pub fn require_deposit(&self, required: bool) {
        lock(&self.0.rules).require_deposit = required;
    }

    /// Credits an account with its first deposit, which also creates it
    pub fn deposit(&self, account: Address) {
        lock(&self.0.accounts).deposit(account);
    }

    /// The agents of an account, expired ones among them
    #[must_use]
    pub fn agents_of(&self, user: Address) -> Vec<Agent> {
        lock(&self.0.accounts).agents_of(user)
    }

    /// Makes the next request fail that has this path (`/fapi/v3/agent`) or kind
    /// (`registerAndApproveAgent`, `approveAgent`, `updateAgent`, `deleteAgent`, `listAgents`,
    /// `balance`, `time`). Faults of one target queue up.
    pub fn fail_next(&self, target: &str, fault: Fault) {
        self.0.edge.fail_next(target, fault);
    }

    /// How long every request waits before it is looked at
    pub fn set_latency(&self, latency: Duration) {
        self.0.edge.set_latency(latency);
    }

    /// The requests so far, oldest first
    #[must_use]
    pub fn requests(&self) -> Vec<requests::Request> {
        self.0.edge.requests()
    }

    async fn serve(&self, route: &Route, request: Request) -> Response {
        let parameters = read(request).await;
        let apply = || match parameters.and_then(|read| (route.answer)(self, &read)) {
            Ok(body) => Reply::json(true, StatusCode::OK, &body),
            Err(refusal) => error(StatusCode::BAD_REQUEST, refusal.code(), &refusal.to_string()),
        };
        let call = Call { path: route.path.to_owned(), kind: route.kind, weight: route.weight };
        let limit = self.rules().weight_per_minute;
        let mut response = self.0.edge.pass(call, limit, apply).await;
        let used = HeaderValue::from(self.0.edge.used_weight());
        response.headers_mut().insert("x-mbx-used-weight-1m", used);
        response
    }
}

fn handler(route: &'static Route) -> MethodRouter<Exchange> {
    on(route.method, move |State(exchange): State<Exchange>, request: Request| async move {
        exchange.serve(route, request).await
    })
}

/// Parameters count in the query and in a form body; a body that is no form has none
async fn read(request: Request) -> Result<Parameters, Refusal> {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let is_form =
        content_type.is_some_and(|it| it.starts_with("application/x-www-form-urlencoded"));
    let body = if is_form { to_bytes(body, MAX_BODY_BYTES).await.ok() } else { None };
    let body = body.and_then(|bytes| String::from_utf8(bytes.into()).ok());
    Parameters::parse(head.uri.query().unwrap_or_default(), &body.unwrap_or_default())
}

fn error(status: StatusCode, code: i32, message: &str) -> Reply {
    Reply::json(false, status, &json!({"code": code, "msg": message}))
}

fn too_many_requests() -> Reply {
    error(StatusCode::TOO_MANY_REQUESTS, -1003, "Too many requests")
}

/// The answer to every change
fn success() -> Value {
    json!({"code": 200, "msg": "success"})
}
