//! A client with its own wallets, which remembers the responses about them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::eth::{Address, Signature, personal_digest};
use domain::ids::Exchange;
use hyperdex_client::{Answer, Error, Retry, Secret as ApiSecret};
use zeroize::Zeroizing;

use crate::error::{LoadError, failed};
use crate::options::LoadOptions;
use crate::progress::Progress;
use crate::reply::Reply;
use crate::server::Server;
use crate::tally::Tally;

/// How long a client waits before it retries a stack that does not respond.
const PAUSE: Duration = Duration::from_millis(100);
/// The timeout of a call.
const TIMEOUT: Duration = Duration::from_secs(60);

/// SplitMix64: small and portable. It selects operations, not secrets.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number less than `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound.max(1) as u64)).unwrap_or_default()
    }

    /// Returns an element of a non-empty list.
    pub(crate) fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// The state of a wallet's credential according to the responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// The credential does not exist.
    None,
    /// A credential exists, with its agent if a response named it, and the delivered key.
    Key { agent: Option<Address>, secret: Option<Secret> },
    /// The last response did not arrive or requested a retry.
    Unsure,
}

impl std::fmt::Display for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("no key"),
            Self::Key { agent: Some(agent), .. } => write!(f, "the key of the agent {agent}"),
            Self::Key { agent: None, .. } => f.write_str("a key"),
            Self::Unsure => f.write_str("unknown state"),
        }
    }
}

/// The private key of an agent, as delivered.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) Zeroizing<String>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// A wallet that a response acknowledged.
pub(crate) struct Wallet {
    pub(crate) user: String,
    pub(crate) address: Address,
    pub(crate) known: HashMap<Exchange, Known>,
}

/// A client of the load run.
pub(crate) struct Client {
    pub(crate) wallets: Vec<Wallet>,
    /// Faults of the product.
    pub(crate) broken: Vec<String>,
    users: Vec<String>,
    pub(crate) http: reqwest::Client,
    pub(crate) api: hyperdex_client::Client,
    tally: Arc<Tally>,
    draw: Draw,
}

impl Client {
    pub(crate) fn new(
        number: usize,
        options: &LoadOptions,
        server: &Server,
        tally: Arc<Tally>,
    ) -> Result<Self, LoadError> {
        let http = shared::http_client::client_builder()
            .and_then(|builder| Ok(builder.timeout(TIMEOUT).build()?))
            .map_err(failed)?;
        // The client does not retry by itself, because the tally counts each response. After a lost
        // response it continues like a client without idempotency keys.
        let retry =
            Retry { attempts: 1, attempt_timeout: TIMEOUT, deadline: TIMEOUT, ..Retry::never() };
        let api = hyperdex_client::Client::builder(&server.api, &ApiSecret::new("load"));
        let api = api.map_err(failed)?.retry(retry).without_keys().build().map_err(failed)?;
        let draw = Draw::new(options.seed ^ (number as u64 + 1).rotate_left(32));
        let users = (0..options.wallets).map(|wallet| format!("load_{number}_{wallet}")).collect();
        let (wallets, broken) = (Vec::new(), Vec::new());
        Ok(Self { wallets, broken, users, http, api, tally, draw })
    }

    /// Makes a call and adds it to the tally. Returns `None` without a response.
    pub(crate) async fn call<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<Answer<T>, Error>>,
    ) -> Option<Reply<T>> {
        let begun = Instant::now();
        let reply = Reply::of(call.await);
        let end = reply.as_ref().map_or_else(|| "no answer".to_owned(), Reply::end);
        self.tally.add(operation, &end, begun.elapsed());
        reply
    }

    /// Creates this client's wallets.
    pub(crate) async fn create_wallets(&mut self, progress: &Progress) {
        for user in self.users.clone() {
            let reply = loop {
                match self.call("create", self.api.create_wallet(&user)).await {
                    Some(reply) if !reply.is_retryable() => break reply,
                    _ => tokio::time::sleep(PAUSE).await,
                }
            };
            let address = reply.value.as_ref().and_then(|wallet| wallet.address.parse().ok());
            match address {
                Some(address) if matches!(reply.status, 200 | 201) => {
                    let known = Exchange::ALL.map(|exchange| (exchange, Known::None)).into();
                    self.wallets.push(Wallet { user, address, known });
                }
                _ => self.broken.push(format!("{user} was not created: {}", reply.end())),
            }
            progress.step();
        }
    }

    /// Runs one operation with one of the wallets.
    pub(crate) async fn one_operation(&mut self) {
        if self.wallets.is_empty() {
            return;
        }
        let index = self.draw.below(self.wallets.len());
        let exchange = *self.draw.one_of(&Exchange::ALL);
        let known = self.wallets[index].known.get(&exchange).cloned().unwrap_or(Known::None);
        let answered = match self.draw.below(100) {
            0..50 => self.sign(index).await,
            50..60 => self.look_up(index).await,
            60..75 => self.describe(index, exchange).await,
            75..100 if known == Known::None => self.register(index, exchange).await,
            75..85 => self.rotate(index, exchange).await,
            85..95 => self.delete(index, exchange).await,
            _ => self.register(index, exchange).await,
        };
        if !answered {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Signs a message and checks that the signature is the wallet's. Returns true if a response
    /// arrived.
    pub(crate) async fn sign(&mut self, index: usize) -> bool {
        let message = format!("load {}", self.draw.next());
        let wallet = &self.wallets[index];
        let (user, address) = (wallet.user.clone(), wallet.address);
        let Some(reply) = self.call("sign", self.api.sign(&user, &message)).await else {
            return false;
        };
        let signature = reply.value.as_ref().and_then(|signed| signature(&signed.signature));
        let signer = signature.and_then(|made| made.recover(&personal_digest(&message)).ok());
        if !(reply.is_retryable() || reply.status == 200 && signer == Some(address)) {
            self.broken.push(format!("{user} does not sign: {}", reply.end()));
        }
        !reply.is_retryable()
    }

    async fn look_up(&mut self, index: usize) -> bool {
        let address = self.wallets[index].address.to_string();
        let Some(reply) = self.call("get", self.api.wallet(&address)).await else {
            return false;
        };
        let same = reply.value.as_ref().is_some_and(|wallet| wallet.address == address);
        if !(reply.is_retryable() || same) {
            self.broken.push(format!("{address} was not found: {}", reply.end()));
        }
        !reply.is_retryable()
    }

    async fn describe(&mut self, index: usize, exchange: Exchange) -> bool {
        let wallet = &self.wallets[index];
        let exchange_there = to_client(exchange);
        let asked = self.api.api_key(&exchange_there, &wallet.user);
        let Some(reply) = self.call("describe", asked).await else {
            return false;
        };
        let (user, known) = (&wallet.user, &wallet.known[&exchange]);
        let agent = reply.value.as_ref().and_then(|key| key.agent_address.as_deref());
        let broken = match (known, reply.status) {
            (Known::Key { agent: Some(expected), .. }, 200) => agent != Some(&expected.to_string()),
            (Known::Key { .. }, 404) | (Known::None, 200) => true,
            _ => !(reply.is_retryable() || matches!(reply.status, 200 | 404)),
        };
        if broken {
            self.broken.push(format!("{user} {exchange}: {known:?}, but {}", reply.end()));
        }
        !reply.is_retryable()
    }

    async fn register(&mut self, index: usize, exchange: Exchange) -> bool {
        let reply = self.make("register", exchange, &self.wallets[index].user).await;
        let before = self.wallets[index].known[&exchange].clone();
        let after = match &reply {
            Some(Reply { status: 200, value: Some(known), .. }) => known.clone(),
            Some(reply) if reply.status == 409 && !reply.is_retryable() => match before {
                Known::None => self.wrong("registered already", index, exchange, reply),
                Known::Unsure => Known::Key { agent: None, secret: None },
                Known::Key { .. } => before,
            },
            Some(reply) if !reply.is_retryable() => {
                self.wrong("not registered", index, exchange, reply)
            }
            // The wallet still has its key.
            _ if matches!(before, Known::Key { .. }) => before,
            _ => Known::Unsure,
        };
        self.know(index, exchange, after, reply.as_ref())
    }

    async fn rotate(&mut self, index: usize, exchange: Exchange) -> bool {
        let reply = self.replace("rotate", exchange, &self.wallets[index].user).await;
        let before = self.wallets[index].known[&exchange].clone();
        let after = match &reply {
            Some(Reply { status: 200, value: Some(known), .. }) => known.clone(),
            Some(reply) if reply.status == 404 && before == Known::Unsure => Known::None,
            Some(reply) if !reply.is_retryable() && before != Known::Unsure => {
                self.wrong("not rotated", index, exchange, reply)
            }
            _ => Known::Unsure,
        };
        self.know(index, exchange, after, reply.as_ref())
    }

    async fn delete(&mut self, index: usize, exchange: Exchange) -> bool {
        let exchange_there = to_client(exchange);
        let asked = self.api.delete_api_key(&exchange_there, &self.wallets[index].user);
        let reply = self.call("delete", asked).await;
        let before = &self.wallets[index].known[&exchange];
        let after = match &reply {
            Some(reply) if reply.status == 200 => Known::None,
            Some(reply) if reply.status == 404 && *before == Known::Unsure => Known::None,
            Some(reply) if !reply.is_retryable() => {
                self.wrong("not deleted", index, exchange, reply)
            }
            _ => Known::Unsure,
        };
        self.know(index, exchange, after, reply.as_ref())
    }

    /// Registers a wallet and returns the expected state.
    pub(crate) async fn make(
        &self,
        operation: &'static str,
        exchange: Exchange,
        user: &str,
    ) -> Option<Reply<Known>> {
        Some(match exchange {
            Exchange::Aster => {
                let reply = self.call(operation, self.api.register_aster(user)).await?;
                reply.map(|key| made(key.agent_address.as_deref(), None))
            }
            Exchange::Hyperliquid => {
                let reply = self.call(operation, self.api.register_hyperliquid(user)).await?;
                reply.map(|key| made(Some(&key.api_wallet_address), key.api_private_key.as_ref()))
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        })
    }

    /// Rotates a wallet's key and returns the expected state.
    pub(crate) async fn replace(
        &self,
        operation: &'static str,
        exchange: Exchange,
        user: &str,
    ) -> Option<Reply<Known>> {
        Some(match exchange {
            Exchange::Aster => {
                let reply = self.call(operation, self.api.rotate_aster(user)).await?;
                reply.map(|key| made(key.agent_address.as_deref(), None))
            }
            Exchange::Hyperliquid => {
                let reply = self.call(operation, self.api.rotate_hyperliquid(user)).await?;
                reply.map(|key| made(Some(&key.api_wallet_address), key.api_private_key.as_ref()))
            }
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        })
    }

    /// Records a response that contradicts the expected state.
    fn wrong<T>(
        &mut self,
        what: &str,
        index: usize,
        exchange: Exchange,
        reply: &Reply<T>,
    ) -> Known {
        let wallet = &self.wallets[index];
        let known = &wallet.known[&exchange];
        let wrong = format!("{} {exchange} {what}: {known:?}, but {}", wallet.user, reply.end());
        self.broken.push(wrong);
        Known::Unsure
    }

    fn know<T>(
        &mut self,
        index: usize,
        exchange: Exchange,
        known: Known,
        reply: Option<&Reply<T>>,
    ) -> bool {
        self.wallets[index].known.insert(exchange, known);
        reply.is_some_and(|reply| !reply.is_retryable())
    }
}

/// Returns the key of a registration or a rotation.
fn made(agent: Option<&str>, secret: Option<&ApiSecret>) -> Known {
    Known::Key {
        agent: agent.and_then(|text| text.parse().ok()),
        secret: secret.map(|secret| Secret(Zeroizing::new(secret.expose().to_owned()))),
    }
}

/// Converts an exchange to the type of the client crate.
pub(crate) const fn to_client(exchange: Exchange) -> hyperdex_client::Exchange {
    match exchange {
        Exchange::Aster => hyperdex_client::Exchange::Aster,
        Exchange::Hyperliquid => hyperdex_client::Exchange::Hyperliquid,
        Exchange::Lighter => unreachable!(),
    }
}

/// Parses `0x` and `r`, `s` and `v` in hex.
fn signature(text: &str) -> Option<Signature> {
    let bytes = hex::decode(text.strip_prefix("0x")?).ok()?;
    let (r, rest) = bytes.split_first_chunk()?;
    let (s, rest) = rest.split_first_chunk()?;
    let [v] = rest else { return None };
    Some(Signature { r: *r, s: *s, v: *v })
}
