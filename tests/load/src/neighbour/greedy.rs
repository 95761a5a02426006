//! The greedy tenant: every operation, as often as its key allows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use domain::ids::Exchange;
use hyperdex_client::{Client, NewWebhook, Replay};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Party;
use crate::client::{Draw, to_client};
use crate::error::{LoadError, failed};
use crate::tally::Tally;

/// Its wallets at the start.
const WALLETS: usize = 20;

/// The time between two calls: the 50 a second of a key.
const EVERY: Duration = Duration::from_millis(20);

/// The least time between two of its new wallets. A key generation takes about half a second of
/// both processors that the tenants share here. In the cloud, each function has its own.
const WALLET_EVERY: Duration = Duration::from_secs(2);

/// A key's burst: it does not wait for more responses at a time.
const AT_ONCE: usize = 100;

/// A receiver of webhooks.
#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) url: String,
    arrived: Arc<Mutex<Vec<(Value, Instant)>>>,
}

#[derive(Clone)]
struct Receives {
    hangs: bool,
    arrived: Arc<Mutex<Vec<(Value, Instant)>>>,
}

impl Receiver {
    /// Starts one. `hangs`: it never responds.
    pub(super) async fn start(hangs: bool) -> Result<Self, LoadError> {
        async fn receive(State(it): State<Receives>, body: Bytes) {
            if it.hangs {
                std::future::pending::<()>().await;
            }
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let mut arrived = it.arrived.lock().unwrap_or_else(PoisonError::into_inner);
            arrived.push((body, Instant::now()));
        }
        let arrived: Arc<Mutex<Vec<(Value, Instant)>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let url = format!("http://{}/in", listener.local_addr().map_err(failed)?);
        let state = Receives { hangs, arrived: arrived.clone() };
        let router = Router::new().fallback(receive).with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, arrived })
    }

    /// Returns what has arrived since the last time.
    pub(super) fn take(&self) -> Vec<(Value, Instant)> {
        std::mem::take(&mut self.arrived.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The greedy tenant with its wallets.
pub(super) struct Setup {
    api: Client,
    webhook: uuid::Uuid,
    users: Arc<Vec<String>>,
}

impl Setup {
    /// Makes the wallets, and a webhook whose receiver hangs.
    pub(super) async fn make(api: Client, say: fn(&str)) -> Result<Self, LoadError> {
        let users: Vec<String> = (0..WALLETS).map(|number| format!("user_{number}")).collect();
        for user in &users {
            api.create_wallet(user).await.map_err(failed)?;
        }
        let receiver = Receiver::start(true).await?;
        let webhook = NewWebhook::new(receiver.url);
        let made = api.create_webhook(&webhook).await.map_err(failed)?.into_value();
        say("the neighbour has its wallets");
        Ok(Self { api, webhook: made.webhook.webhook_id, users: Arc::new(users) })
    }

    /// Calls until it is stopped.
    pub(super) async fn work(&self, tally: Arc<Tally>, stopped: watch::Receiver<bool>) {
        let party = Party { api: self.api.clone(), tally, stopped };
        let mut draw = Draw::new(23);
        let mut calls = JoinSet::new();
        let mut created = Instant::now();
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while !party.is_stopped() {
            ticks.tick().await;
            while calls.try_join_next().is_some() {}
            if calls.len() >= AT_ONCE {
                continue;
            }
            let (party, webhook) = (party.clone(), self.webhook);
            let (mut what, number) = (draw.below(100), draw.below(1_000_000));
            if CREATES.contains(&what) && created.elapsed() < WALLET_EVERY {
                what = LOOKS_UP;
            } else if CREATES.contains(&what) {
                created = Instant::now();
            }
            let exchange = *draw.one_of(&Exchange::ALL);
            let user = draw.one_of(&self.users).clone();
            calls.spawn(
                async move { one_call(&party, what, number, exchange, &user, webhook).await },
            );
        }
        // Their responses are of no use to anybody.
        calls.shutdown().await;
    }
}

/// The draws that create a wallet, and one that looks a wallet up.
const CREATES: std::ops::Range<usize> = 75..85;
const LOOKS_UP: usize = 99;

async fn one_call(
    party: &Party,
    what: usize,
    number: usize,
    exchange: Exchange,
    user: &str,
    webhook: uuid::Uuid,
) {
    let (api, at) = (&party.api, to_client(exchange));
    match what {
        0..30 => match exchange {
            Exchange::Aster => {
                party.call("register aster", api.register_aster(user)).await;
            }
            Exchange::Hyperliquid => {
                party.call("register hyperliquid", api.register_hyperliquid(user)).await;
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        },
        30..45 => match exchange {
            Exchange::Aster => {
                party.call("rotate aster", api.rotate_aster(user)).await;
            }
            Exchange::Hyperliquid => {
                party.call("rotate hyperliquid", api.rotate_hyperliquid(user)).await;
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        },
        45..55 => {
            party.call("delete", api.delete_api_key(&at, user)).await;
        }
        55..65 => {
            party.call("agents", api.agents(&at, user)).await;
        }
        65..75 => {
            party.call("sign", api.sign(user, "greedy")).await;
        }
        what if CREATES.contains(&what) => {
            party.call("create", api.create_wallet(&format!("more_{number}"))).await;
        }
        85..95 => {
            party.call("replay", api.replay_webhook(webhook, &Replay::default())).await;
        }
        _ => {
            party.call("get", api.wallet(user)).await;
        }
    }
}
