//! Aster's V3 futures API, as far as agents go: registering, managing and listing them, and one
//! read (`balance`) that an agent signs. And the legacy API V1, as far as its keys go ([`v1`]):
//! `getNonce`, `createApiKey`, and one read that such a key signs.

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
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Now,
    edge::{Call, Edge, MAX_BODY_BYTES, Reply},
    faults::Fault,
    lock,
    requests::{self, Limit},
};

mod accounts;
mod keys;
mod manage;
mod parameters;
mod reads;
mod refusal;
mod register;
pub mod signing;
pub mod v1;

use accounts::Accounts;
use keys::Keys;
pub use keys::{ApiSecret, V1Key};
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
    /// `getNonce` and `createApiKey` a minute, which have a limit of their own; both together is a
    /// guess, on the strict side
    pub v1_requests_per_minute: u32,
    /// Whether the API V1 refuses to give out keys, as it does in reality
    pub v1_closed: bool,
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
        }
    }
}

/// A key that may act for an account
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    keys: Mutex<Keys>,
}

/// The host of an endpoint, which has a limit of its own
#[derive(Clone, Copy)]
enum Host {
    /// `fapi`
    Futures,
    /// `sapi`, as far as keys of the API V1 go
    Spot,
}

/// One endpoint
struct Route {
    method: MethodFilter,
    host: Host,
    path: &'static str,
    kind: &'static str,
    weight: u32,
    answer: fn(&Exchange, &Parameters) -> Result<Value, Refusal>,
}

/// The weights of the agents' routes but the first are not published.
static ROUTES: [Route; 10] = [
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/registerAndApproveAgent",
        kind: "registerAndApproveAgent",
        weight: 50,
        answer: register::register_and_approve,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/approveAgent",
        kind: "approveAgent",
        weight: 1,
        answer: manage::approve,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Futures,
        path: "/fapi/v3/updateAgent",
        kind: "updateAgent",
        weight: 1,
        answer: manage::update,
    },
    Route {
        method: MethodFilter::DELETE,
        host: Host::Futures,
        path: "/fapi/v3/agent",
        kind: "deleteAgent",
        weight: 1,
        answer: manage::delete,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/agent",
        kind: "listAgents",
        weight: 1,
        answer: reads::agents,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/balance",
        kind: "balance",
        weight: 5,
        answer: reads::balance,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v3/time",
        kind: "time",
        weight: 1,
        answer: reads::time,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Spot,
        path: "/api/v1/getNonce",
        kind: "getNonce",
        weight: 1,
        answer: v1::get_nonce,
    },
    Route {
        method: MethodFilter::POST,
        host: Host::Spot,
        path: "/api/v1/createApiKey",
        kind: "createApiKey",
        weight: 1,
        answer: v1::create_api_key,
    },
    Route {
        method: MethodFilter::GET,
        host: Host::Futures,
        path: "/fapi/v2/balance",
        kind: "v1Balance",
        weight: 5,
        answer: v1::balance,
    },
];

impl Exchange {
    /// An exchange without accounts, with the default rules
    #[must_use]
    pub fn new(network: Network, now: Now) -> Self {
        let edge = Edge::new(Arc::clone(&now), too_many_requests);
        let (rules, accounts, keys) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { network, now, edge, rules, accounts, keys }))
    }

    /// Accounts, agents and nonces as JSON, for [`Exchange::restore`]. The keys of the API V1 are
    /// not in it, because their secrets would be.
    ///
    /// # Errors
    ///
    /// When they cannot be written as JSON.
    pub fn snapshot(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&*lock(&self.0.accounts))
    }

    /// Replaces accounts, agents and nonces by those of a snapshot
    ///
    /// # Errors
    ///
    /// When it is not a snapshot. Nothing has changed then.
    pub fn restore(&self, snapshot: &[u8]) -> serde_json::Result<()> {
        *lock(&self.0.accounts) = serde_json::from_slice(snapshot)?;
        Ok(())
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

    /// Adds an agent that may trade and not withdraw, as if the account's owner had done so
    /// elsewhere; the account exists from now on. Neither slots nor the shortest life are enforced.
    /// Tells whether name and address were free.
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

    /// Removes an agent, as if the account's owner had done so elsewhere. Tells whether there was
    /// such an agent.
    pub fn remove_agent(&self, user: Address, address: Address) -> bool {
        lock(&self.0.accounts).remove(user, address).is_ok()
    }

    /// Makes the next request fail that has this path (`/fapi/v3/agent`) or kind
    /// (`registerAndApproveAgent`, `approveAgent`, `updateAgent`, `deleteAgent`, `listAgents`,
    /// `balance`, `time`, `getNonce`, `createApiKey`, `v1Balance`). Faults of one target queue up.
    pub fn fail_next(&self, target: &str, fault: Fault) {
        self.0.edge.fail_next(target, fault);
    }

    /// Forgets the faults that nothing has met yet, and says how many
    #[must_use]
    pub fn clear_faults(&self) -> usize {
        self.0.edge.clear_faults()
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
        let limit = route.host.limit(&self.rules());
        let call =
            Call { path: route.path.to_owned(), kind: route.kind, weight: route.weight, limit };
        let mut response = self.0.edge.pass(call, apply).await;
        let used = HeaderValue::from(self.0.edge.used_weight(limit.name));
        response.headers_mut().insert("x-mbx-used-weight-1m", used);
        response
    }
}

impl Host {
    fn limit(self, rules: &Rules) -> Limit {
        match self {
            Self::Futures => Limit { name: "weight", per_minute: rules.weight_per_minute },
            Self::Spot => Limit { name: "keys", per_minute: rules.v1_requests_per_minute },
        }
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

/// The answer to every change
fn success() -> Value {
    json!({"code": 200, "msg": "success"})
}
