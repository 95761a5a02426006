//! The victim: a tenant with a moderate, steady use of every operation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::ids::Exchange;
use futures_util::future::join_all;
use hyperdex_client::{Client, NewWebhook};
use tokio::sync::watch;

use super::Party;
use crate::client::to_client;
use crate::error::{LoadError, failed};
use crate::neighbour::greedy::Receiver;
use crate::tally::Tally;

/// The wallets that sign and are looked up, each with a key of Aster.
const SIGNERS: usize = 4;

/// The wallets whose keys come and go, for each exchange.
const TRADERS: usize = 2;

/// How long a trader waits after each step. Aster's registrations weigh 50 of a minute's 1,920, so
/// the victim uses 408 of it.
const fn pause(exchange: Exchange) -> Duration {
    match exchange {
        Exchange::Aster => Duration::from_secs(10),
        Exchange::Hyperliquid => Duration::from_secs(4),
        Exchange::Lighter => unreachable!(),
    }
}

/// The victim with its wallets.
pub(super) struct Setup {
    api: Client,
    receiver: Receiver,
    /// When the user of an event's wallet was created.
    created: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Setup {
    /// Makes the wallets and the webhook.
    pub(super) async fn make(api: Client, say: fn(&str)) -> Result<Self, LoadError> {
        for user in (0..SIGNERS).map(signer).chain(Exchange::ALL.into_iter().flat_map(traders)) {
            api.create_wallet(&user).await.map_err(failed)?;
        }
        for user in (0..SIGNERS).map(signer) {
            api.register_aster(user.as_str()).await.map_err(failed)?;
        }
        let created: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
        let receiver = Receiver::start(false).await?;
        let webhook = NewWebhook::new(receiver.url.clone());
        api.create_webhook(&webhook).await.map_err(failed)?;
        say("the victim has its wallets");
        Ok(Self { api, receiver, created })
    }

    /// Works until it is stopped.
    pub(super) async fn work(&self, tally: Arc<Tally>, stopped: watch::Receiver<bool>) {
        let party = Party { api: self.api.clone(), tally, stopped };
        let traders = Exchange::ALL.into_iter().flat_map(|exchange| {
            traders(exchange).zip(0_u32..).map(move |(user, number)| (exchange, user, number))
        });
        let traders = join_all(traders.map(|(exchange, user, number)| {
            trade(&party, exchange, user, pause(exchange) / 2 * number)
        }));
        let lookups = join_all((0..SIGNERS).map(|number| look(&party, number)));
        let signers = join_all((0..SIGNERS).map(|number| sign(&party, number)));
        tokio::join!(traders, lookups, signers, self.create(&party), self.hear(&party));
    }

    /// Creates a wallet every four seconds.
    async fn create(&self, party: &Party) {
        let mut number = 0_u64;
        while !party.is_stopped() {
            let nanos = domain::clock::Clock::system().now_us();
            let user = format!("new_{nanos}_{number}");
            number += 1;
            let begun = Instant::now();
            if let Some(wallet) = party.call("create", party.api.create_wallet(&user)).await {
                let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
                created.insert(wallet.wallet_id.to_string(), begun);
            }
            party.wait(Duration::from_secs(4)).await;
        }
    }

    /// Notes how long after the creation its event arrives.
    async fn hear(&self, party: &Party) {
        while !party.is_stopped() {
            for (body, at) in self.receiver.take() {
                let wallet = body["data"]["walletId"].as_str().unwrap_or_default();
                let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(begun) = created.remove(wallet) {
                    party.tally.add("event", "200", at.saturating_duration_since(begun));
                }
            }
            party.wait(Duration::from_millis(200)).await;
        }
        self.created.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn signer(number: usize) -> String {
    format!("signer_{number}")
}

fn traders(exchange: Exchange) -> impl Iterator<Item = String> {
    (0..TRADERS).map(move |number| format!("{exchange}_{number}"))
}

/// Looks a wallet and its key up, about four times a second.
async fn look(party: &Party, number: usize) {
    let user = signer(number);
    while !party.is_stopped() {
        party.call("get", party.api.wallet(&user)).await;
        party.call("describe", party.api.api_key(&to_client(Exchange::Aster), &user)).await;
        party.wait(Duration::from_millis(250)).await;
    }
}

/// Signs with a wallet, about once a second.
async fn sign(party: &Party, number: usize) {
    let user = signer(number);
    party.wait(Duration::from_millis(250) * u32::try_from(number).unwrap_or_default()).await;
    while !party.is_stopped() {
        party.call("sign", party.api.sign(&user, "next to a neighbour")).await;
        party.wait(Duration::from_secs(1)).await;
    }
}

/// Registers a key, rotates it and deletes it, again and again.
async fn trade(party: &Party, exchange: Exchange, user: String, first: Duration) {
    let at = to_client(exchange);
    party.wait(first).await;
    while !party.is_stopped() {
        let api = &party.api;
        let [register, rotate, delete] = match exchange {
            Exchange::Aster => ["register aster", "rotate aster", "delete aster"],
            Exchange::Hyperliquid => {
                ["register hyperliquid", "rotate hyperliquid", "delete hyperliquid"]
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        match exchange {
            Exchange::Aster => {
                party.call(register, api.register_aster(user.as_str())).await;
            }
            Exchange::Hyperliquid => {
                party.call(register, api.register_hyperliquid(user.as_str())).await;
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
        party.wait(pause(exchange)).await;
        match exchange {
            Exchange::Aster => {
                party.call(rotate, api.rotate_aster(&user)).await;
            }
            Exchange::Hyperliquid => {
                party.call(rotate, api.rotate_hyperliquid(&user)).await;
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        }
        party.wait(pause(exchange)).await;
        party.call(delete, api.delete_api_key(&at, user.as_str())).await;
        party.wait(pause(exchange)).await;
    }
    // The next phase begins without a key.
    let _ = party.api.delete_api_key(&at, user.as_str()).await;
}
