//! A bare signed request: the trading key signs one order, and the service's HTTP client sends it to
//! the simulator, without a store, a policy or a second process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::clock::Clock;
use domain::ids::Exchange;
use exchange_sim::hyperliquid::{Chain, signing};
use serde_json::{Value, json};
use shared::exchanges::aster;
use url::Url;

use super::desk::{Desk, PRICE, QUANTITY};
use crate::client::client;
use crate::error::{BenchError, failed};
use crate::machine::thread_time;
use crate::times::percentile;
use crate::world::World;

/// The simulated Hyperliquid's number of the market.
const ASSET: u32 = 1;

/// Aster's name of the market.
const ASTER_SYMBOL: &str = "ETHUSDT";

/// The times of bare requests.
#[derive(Clone, Default)]
pub(crate) struct Bare {
    times: Vec<Duration>,
    processor: Duration,
}

impl Bare {
    pub(crate) fn extend(&mut self, other: &Self) {
        self.times.extend(&other.times);
        self.processor += other.processor;
    }

    /// Returns the median wall time of one request.
    pub(crate) fn p50(&self) -> Duration {
        percentile(&self.times, 50)
    }

    /// Returns the mean processor time of one request.
    pub(crate) fn processor(&self) -> Duration {
        self.processor / u32::try_from(self.times.len()).unwrap_or(u32::MAX).max(1)
    }
}

/// A program that signs and sends orders.
pub(crate) struct Sender {
    desk: Desk,
    url: Url,
    aster_chain_id: u64,
    clock: Clock,
    last_nonce: u64,
}

impl Sender {
    pub(crate) fn new(world: &World, desk: Desk) -> Self {
        let (endpoints, options) = (&world.settings.endpoints, world.settings.options());
        let url = match desk.exchange {
            Exchange::Aster => endpoints.aster.clone(),
            Exchange::Hyperliquid => endpoints.hyperliquid.clone(),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        let aster_chain_id = options.aster.agent_chain_id();
        Self { desk, url, aster_chain_id, clock: Clock::system(), last_nonce: 0 }
    }

    /// Sends this many orders, one after the other, on a thread of their own. The time of the first
    /// one, which opens the connection, does not count.
    pub(crate) async fn send(
        sender: Arc<tokio::sync::Mutex<Self>>,
        count: usize,
    ) -> Result<Bare, BenchError> {
        let work = move || {
            let mut sender = sender.blocking_lock();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(failed)?.block_on(sender.send_on_this_thread(count))
        };
        tokio::task::spawn_blocking(work).await.map_err(failed)?
    }

    async fn send_on_this_thread(&mut self, count: usize) -> Result<Bare, BenchError> {
        let http = client()?;
        self.one(&http).await?;
        let before = thread_time();
        let mut times = Vec::new();
        for _ in 0..count {
            let begun = Instant::now();
            self.one(&http).await?;
            times.push(begun.elapsed());
        }
        Ok(Bare { times, processor: thread_time().saturating_sub(before) })
    }

    async fn one(&mut self, http: &reqwest::Client) -> Result<(), BenchError> {
        self.last_nonce = self.clock.now_ms().max(self.last_nonce + 1);
        let request = match self.desk.exchange {
            Exchange::Aster => {
                let body = self.aster_body()?;
                let form = "application/x-www-form-urlencoded";
                http.post(self.path("fapi/v3/order")?).header("content-type", form).body(body)
            }
            Exchange::Hyperliquid => {
                let (body, json) = (self.hyperliquid_body()?, "application/json");
                http.post(self.path("exchange")?).header("content-type", json).body(body)
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(failed)?;
        let body: Value = serde_json::from_slice(&body).map_err(failed)?;
        let order_id = match self.desk.exchange {
            Exchange::Aster => body.get("orderId"),
            Exchange::Hyperliquid => body.pointer("/response/data/statuses/0/resting/oid"),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        if order_id.is_none() {
            return Err(failed(format!("a bare order was refused: {status} {body}")));
        }
        Ok(())
    }

    fn path(&self, path: &str) -> Result<Url, BenchError> {
        self.url.join(path).map_err(failed)
    }

    fn hyperliquid_body(&self) -> Result<String, BenchError> {
        let nonce = self.last_nonce;
        let limit = json!({ "limit": { "tif": "Gtc" } });
        let order = json!({
            "a": ASSET, "b": true, "p": PRICE, "s": QUANTITY, "r": false, "t": limit,
            "c": format!("0x{nonce:032x}"),
        });
        let action = json!({ "type": "order", "orders": [order], "grouping": "na" });
        let hash = signing::action_hash(&action, nonce, None, None);
        let hash = hash.ok_or_else(|| failed("the action has no hash"))?;
        let digest = signing::l1_digest(Chain::Mainnet, hash);
        let digest = digest.ok_or_else(|| failed("the action has no digest"))?;
        let signature = self.desk.agent.sign(&digest.0).map_err(failed)?;
        let digits = signature.to_hex();
        let part = |from: usize| {
            let digits = digits.get(from..from + 64);
            digits.map(|digits| format!("0x{digits}")).ok_or_else(|| failed("a short signature"))
        };
        let signature = json!({ "r": part(2)?, "s": part(66)?, "v": signature.v });
        Ok(json!({ "action": action, "nonce": nonce, "signature": signature }).to_string())
    }

    fn aster_body(&self) -> Result<String, BenchError> {
        let Desk { address, agent, .. } = &self.desk;
        // Microseconds.
        let nonce = self.last_nonce * 1_000;
        let parameters = format!(
            "symbol={ASTER_SYMBOL}&side=BUY&type=LIMIT&timeInForce=GTC&quantity={QUANTITY}\
             &price={PRICE}&newClientOrderId=bare-{nonce}&nonce={nonce}&user={address}&signer={}",
            agent.address()
        );
        aster::sign_query(self.aster_chain_id, agent, &parameters).map_err(failed)
    }
}
