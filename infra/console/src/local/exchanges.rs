//! `GET /console/data/exchanges`: whether the exchanges respond, and the budgets left.
//! `GET /console/data/agents?wallet=…`: the agents of a wallet on the simulators.

use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use domain::clock::Clock;
use domain::ids::{Exchange, Tenant, WalletRef};
use exchange_sim::{aster, hyperliquid};
use http::Uri;
use serde::Serialize;
use shared::api::error::ApiError;
use shared::exchanges::budget::{Budget, Claim, Spender};
use shared::http_client::client_builder;
use shared::store::Store;
use tokio::sync::Mutex;
use url::Url;

use super::{Console, ConsoleSettings, ExchangeSettings};
use crate::error::ConsoleError;
use crate::reads::in_query;

/// How long a response of an exchange is cached, in milliseconds.
const FRESH_MS: u64 = 10_000;
const PATIENCE: Duration = Duration::from_secs(3);
/// Number of a simulator's requests that are shown.
const REQUESTS: usize = 8;

/// The stack's simulators. `None` for an exchange that is not simulated.
#[derive(Clone)]
pub struct Simulators {
    /// Aster.
    pub aster: Option<aster::Exchange>,
    /// Hyperliquid.
    pub hyperliquid: Option<hyperliquid::Exchange>,
}

/// The exchanges and the state of the console's health checks.
pub(super) struct Exchanges {
    simulators: Simulators,
    http: reqwest::Client,
    clock: Clock,
    of: [Asked; 2],
}

/// Connection to one exchange.
struct Asked {
    exchange: Exchange,
    url: Url,
    network: &'static str,
    budget: Budget,
    /// The latest result.
    answered: Mutex<Option<Answered>>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    /// Time of the check, Unix milliseconds.
    asked_at: u64,
    ok: bool,
    took_ms: u64,
    /// Cause of a failure, in a few words.
    trouble: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct States {
    /// Time of the stack, Unix milliseconds.
    now: u64,
    exchanges: Vec<ExchangeState>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExchangeState {
    exchange: Exchange,
    simulated: bool,
    url: String,
    network: &'static str,
    answered: Answered,
    weight_used: u64,
    weight_per_minute: u64,
    failures: u32,
    /// End of the pause, Unix milliseconds. A time in the past means that requests are sent.
    paused_until: u64,
    /// True if the exchange has asked for the pause.
    pause_asked_for: bool,
    /// True if the edge in front of the exchange blocks this address.
    pause_blocked: bool,
    /// Recent requests of a simulator, newest first.
    requests: Vec<Seen>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    at: u64,
    kind: &'static str,
    weight: u32,
    accepted: bool,
}

impl From<&exchange_sim::requests::Request> for Seen {
    fn from(request: &exchange_sim::requests::Request) -> Self {
        let exchange_sim::requests::Request { at, kind, weight, accepted, .. } = request;
        Self { at: *at, kind, weight: *weight, accepted: *accepted }
    }
}

impl Exchanges {
    pub(super) fn new(settings: &ConsoleSettings, store: &Store) -> Result<Self, ConsoleError> {
        let failed =
            |cause: String| ConsoleError::Part { what: "the console's HTTP client", cause };
        let http = client_builder().map_err(|error| failed(error.to_string()))?;
        let http = http.timeout(PATIENCE).build().map_err(|error| failed(error.to_string()))?;
        let asked = |exchange, ExchangeSettings { url, chain }: &ExchangeSettings| {
            let (clock, random) = (settings.clock.clone(), settings.random.clone());
            // Health checks leave room in the budget for callers.
            let spender = Spender::Job;
            let budget =
                Budget::new(store.clone(), exchange, &settings.budget, spender, clock, random);
            let (url, network) = (url.clone(), chain.as_str());
            Asked { exchange, url, network, budget, answered: Mutex::default() }
        };
        Ok(Self {
            simulators: settings.simulators.clone(),
            http,
            clock: settings.clock.clone(),
            of: [
                asked(Exchange::Aster, &settings.aster),
                asked(Exchange::Hyperliquid, &settings.hyperliquid),
            ],
        })
    }

    fn requests(&self, exchange: Exchange) -> Option<Vec<exchange_sim::requests::Request>> {
        match exchange {
            Exchange::Aster => self.simulators.aster.as_ref().map(aster::Exchange::requests),
            Exchange::Hyperliquid => {
                self.simulators.hyperliquid.as_ref().map(hyperliquid::Exchange::requests)
            }
            Exchange::Lighter => None,
        }
    }

    /// Sends the cheapest request of the exchange's API, at most once in some seconds. It uses the
    /// same budget as all other requests to the exchange.
    async fn ask(&self, asked: &Asked) -> Answered {
        let mut last = asked.answered.lock().await;
        let now_ms = self.clock.now_ms();
        if let Some(last) = last.as_ref().filter(|last| last.asked_at + FRESH_MS > now_ms) {
            return last.clone();
        }
        let trouble = match asked.budget.take(Claim::of(&Tenant::local()), 2).await {
            Ok(()) => self.send(asked).await.err(),
            Err(busy) => Some(format!("not checked: {busy}")),
        };
        let took_ms = self.clock.now_ms().saturating_sub(now_ms);
        let answered = Answered { asked_at: now_ms, ok: trouble.is_none(), took_ms, trouble };
        *last = Some(answered.clone());
        answered
    }

    async fn send(&self, asked: &Asked) -> Result<(), String> {
        let (path, body) = match asked.exchange {
            Exchange::Aster => ("fapi/v3/time", None),
            Exchange::Hyperliquid => ("info", Some(r#"{"type":"exchangeStatus"}"#)),
            Exchange::Lighter => ("", None),
        };
        let url = asked.url.join(path).map_err(|error| error.to_string())?;
        let request = match body {
            None => self.http.get(url),
            Some(body) => self.http.post(url).header("content-type", "application/json").body(body),
        };
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("HTTP {}", answer.status().as_u16())),
            Err(error) if error.is_timeout() => Err("no response in time".to_owned()),
            Err(_) => Err("cannot be reached".to_owned()),
        }
    }

    async fn state(&self, asked: &Asked) -> Result<ExchangeState, ApiError> {
        let answered = self.ask(asked).await;
        let requests = self.requests(asked.exchange);
        let budget = asked.budget.state().await?;
        let latest = requests.iter().flatten().rev().take(REQUESTS);
        Ok(ExchangeState {
            exchange: asked.exchange,
            simulated: requests.is_some(),
            url: asked.url.to_string(),
            network: asked.network,
            answered,
            weight_used: budget.used(),
            weight_per_minute: asked.budget.per_minute(),
            failures: budget.failures,
            paused_until: budget.open_until_ms,
            pause_asked_for: budget.limited,
            pause_blocked: budget.blocked,
            requests: latest.map(Seen::from).collect(),
        })
    }
}

pub(super) async fn exchanges(State(console): State<Console>) -> Result<Json<States>, ApiError> {
    let [aster, hyperliquid] = &console.exchanges.of;
    let both = &console.exchanges;
    let exchanges = vec![both.state(aster).await?, both.state(hyperliquid).await?];
    Ok(Json(States { now: console.reads.clock.now_ms(), exchanges }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agents {
    /// Time of the stack, Unix milliseconds.
    now: u64,
    /// `null` if the exchange is not simulated.
    aster: Option<Vec<ListedAgent>>,
    hyperliquid: Option<Vec<ListedAgent>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedAgent {
    agent_address: String,
    agent_name: String,
    valid_until: u64,
}

/// Returns a wallet's agents on the simulators. The reconciliation job checks real exchanges.
pub(super) async fn agents(
    State(console): State<Console>,
    Extension(tenant): Extension<Tenant>,
    uri: Uri,
) -> Result<Json<Agents>, ApiError> {
    let wallet = in_query(&uri, "wallet").ok_or_else(|| ApiError::missing("wallet"))?;
    let wallet = wallet.parse::<WalletRef>();
    let wallet = wallet.map_err(|error| ApiError::bad_request(error.to_string()))?;
    let view = console.reads.store.find(&tenant, &wallet).await?;
    let address = view.ok_or_else(ApiError::wallet_not_found)?.wallet.address;
    let address = address.to_string().parse::<exchange_sim::Address>();
    let address = address.map_err(|error| ApiError::internal("Internal error", &error))?;
    let simulators = &console.exchanges.simulators;
    let listed = |address: String, name: String, valid_until| ListedAgent {
        agent_address: address,
        agent_name: name,
        valid_until,
    };
    let aster = simulators.aster.as_ref().map(|exchange| {
        let agents = exchange.agents_of(address).into_iter();
        agents.map(|agent| listed(agent.address.to_string(), agent.name, agent.expired)).collect()
    });
    let hyperliquid = simulators.hyperliquid.as_ref().map(|exchange| {
        let agents = exchange.agents_of(address).into_iter();
        agents
            .map(|agent| listed(agent.address.to_string(), agent.name, agent.valid_until))
            .collect()
    });
    Ok(Json(Agents { now: console.reads.clock.now_ms(), aster, hyperliquid }))
}
