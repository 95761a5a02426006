//! The stack in separate processes, which can be killed, and the exchanges, which keep running.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use domain::clock::Clock;
use domain::eth::Address;
use domain::ids::Exchange;
use domain::random::Random;
use exchange_sim::{aster, hyperliquid};
use hyperdex_listen::{Port, Stop, bind};
use hyperdex_local::Endpoints;
use hyperdex_local::Options;
use hyperdex_local::StartError;
use hyperdex_local::exchanges::{self, AsterTarget, HyperliquidTarget};
use shared::wallets::Custody;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, watch};
use url::Url;

use crate::error::{LoadError, failed};

/// More than a run can use, so that the stack is tested, not the budget.
const WEIGHT_PER_MINUTE: u32 = 100_000_000;

/// The quota of wallets next to a greedy tenant: more than the victim creates in half an hour.
const WALLETS_PER_TENANT: &str = "500";

/// A stack that can be killed.
pub(crate) struct Server {
    /// The URL of the API, which does not change.
    pub(crate) api: String,
    pub(crate) hyperliquid: hyperliquid::Exchange,
    pub(crate) aster: aster::Exchange,
    pub(crate) hyperliquid_url: Url,
    pub(crate) aster_url: Url,
    pub(crate) clock: Clock,
    data: PathBuf,
    life: Mutex<Life>,
    _stop: watch::Sender<bool>,
}

/// The processes between two kills.
struct Life {
    child: Child,
    dynamodb: String,
    kms: String,
    lambda: String,
}

impl Server {
    /// Starts the exchanges and the stack with its data in `data`. `limits`: the program that runs
    /// the stack, with the limits of a deployment; `None` runs this program without limits.
    pub(crate) async fn start(data: &Path, limits: Option<&Path>) -> Result<Self, LoadError> {
        let clock = Clock::system();
        let (sender, stop) = Stop::new();
        let options = Options::new(data);
        let hyperliquid =
            exchanges::simulate_hyperliquid(&HyperliquidTarget::default(), clock.clone());
        if limits.is_none() {
            let mut rules = hyperliquid.rules();
            rules.weight_per_minute = WEIGHT_PER_MINUTE;
            hyperliquid.set_rules(rules);
        }
        let aster = exchanges::simulate_aster(&AsterTarget::default(), clock.clone());
        if limits.is_none() {
            let mut rules = aster.rules();
            rules.weight_per_minute = WEIGHT_PER_MINUTE;
            aster.set_rules(rules);
        }
        let place = |what, router| {
            exchanges::place(what, None, router, (options.ip, Port::default()), stop.clone())
        };
        let hyperliquid_url = place("Hyperliquid's simulator", hyperliquid.router()).await?;
        let aster_url = place("Aster's simulator", aster.router()).await?;

        // A free port for every restart.
        let free = bind("the API", options.ip, 0).await?.address();
        let urls = (&hyperliquid_url, &aster_url);
        let life = Life::begin(data, free.port(), urls, limits).await?;
        Ok(Self {
            api: format!("http://{free}"),
            hyperliquid,
            aster,
            hyperliquid_url,
            aster_url,
            clock,
            data: data.to_owned(),
            life: Mutex::new(life),
            _stop: sender,
        })
    }

    /// Kills every process of the stack and restarts it.
    pub(crate) async fn kill(&self) -> Result<(), LoadError> {
        let mut life = self.life.lock().await;
        // The cosigner's process ends when its parent does.
        life.child.kill().await.map_err(failed)?;
        let port = self.api.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let urls = (&self.hyperliquid_url, &self.aster_url);
        *life = Life::begin(&self.data, port.unwrap_or_default(), urls, None).await?;
        Ok(())
    }

    /// Returns party 1, to read the stored data.
    pub(crate) async fn custody(&self) -> Custody {
        let life = self.life.lock().await;
        let endpoints = Endpoints {
            dynamodb: life.dynamodb.clone(),
            kms: life.kms.clone(),
            lambda: life.lambda.clone(),
            // The check reads stored data only.
            deliveries: String::new(),
            api_gateway: String::new(),
            hyperliquid: self.hyperliquid_url.clone(),
            aster: self.aster_url.clone(),
            // The check sends nothing.
            lighter: self.aster_url.clone(),
            chains: self.aster_url.clone(),
        };
        let mut options = Options::new(&self.data);
        options.clock = self.clock.clone();
        options.random = Random::system();
        endpoints.custody(&options)
    }

    /// Returns the agents of an account at the exchange.
    pub(crate) fn agents(&self, user: Address, exchange: Exchange) -> Vec<Address> {
        let user = user.to_string().parse().unwrap_or_default();
        let listed: Vec<String> = match exchange {
            Exchange::Aster => {
                self.aster.agents_of(user).iter().map(|agent| agent.address.to_string()).collect()
            }
            Exchange::Hyperliquid => self
                .hyperliquid
                .agents_of(user)
                .iter()
                .map(|agent| agent.address.to_string())
                .collect(),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        listed.iter().filter_map(|text| text.parse().ok()).collect()
    }

    /// Removes every agent of these wallets at the exchanges only.
    pub(crate) fn lose_agents(&self, wallets: impl Iterator<Item = Address>) {
        for address in wallets {
            let user = address.to_string().parse().unwrap_or_default();
            for agent in self.aster.agents_of(user) {
                self.aster.remove_agent(user, agent.address);
            }
            for agent in self.hyperliquid.agents_of(user) {
                self.hyperliquid.remove_agent(user, agent.address);
            }
        }
    }

    /// Stops the stack.
    pub(crate) async fn stop(&self) {
        let _ = self.life.lock().await.child.kill().await;
    }
}

impl Life {
    /// Starts the stack and waits until it listens.
    async fn begin(
        data: &Path,
        port: u16,
        (hyperliquid, aster): (&Url, &Url),
        limits: Option<&Path>,
    ) -> Result<Self, LoadError> {
        let log = data.with_extension("log");
        let log = File::options().create(true).append(true).open(log).map_err(failed)?;
        let weight = WEIGHT_PER_MINUTE.to_string();
        let own = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(limits.unwrap_or(&own));
        command
            .args(["--port", &port.to_string(), "--data-dir"])
            .arg(data)
            .args(["--hyperliquid-url", hyperliquid.as_str(), "--aster-url", aster.as_str()])
            .args(["--hyperliquid-chain", "Mainnet", "--aster-chain", "Mainnet"])
            .env("RUST_LOG", "warn");
        if limits.is_some() {
            // A variable, because programs of earlier versions have no such argument.
            command.env("WALLETS_PER_TENANT", WALLETS_PER_TENANT);
        } else {
            command
                .args(["--hyperliquid-weight-per-minute", &weight])
                .args(["--aster-weight-per-minute", &weight])
                // Its clients are one tenant that uses all that the machine can do.
                .args(["--key-rate-limit", "0"]);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let output = child.stdout.take().ok_or_else(|| failed("the stack printed nothing"))?;
        let mut lines = BufReader::new(output).lines();
        let mut printed = Vec::new();
        while let Some(line) = lines.next_line().await.map_err(failed)? {
            let ready = line.starts_with("Ctrl-C");
            printed.push(line);
            if ready {
                let url = |name: &str| {
                    let line = printed.iter().find_map(|line| line.trim().strip_prefix(name));
                    let url = line.and_then(|rest| rest.split_whitespace().next());
                    url.map(str::to_owned).ok_or_else(|| failed(format!("no URL of {name}")))
                };
                return Ok(Self {
                    dynamodb: url("DynamoDB")?,
                    kms: url("KMS")?,
                    lambda: url("Lambda")?,
                    child,
                });
            }
        }
        Err(StartError::Part { what: "the stack", cause: printed.join("; ") }.into())
    }
}
