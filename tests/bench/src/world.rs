//! The local cloud in this process, and the product's own processes, each with one thread for
//! requests.

use std::ops::{AddAssign, Div};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use cosigner::Setting;
use domain::clock::Clock;
use domain::random::Random;
use dynoxide::Database;
use exchange_sim::{aster, hyperliquid};
use hyperdex_cloud::cosigner::CosignerSettings;
use hyperdex_cloud::dynamodb;
use hyperdex_cloud::kms::{self, Kms};
use hyperdex_cloud::names::{
    COSIGNER_KEY, COSIGNER_RECOVERY_TABLE, COSIGNER_TABLE, RECOVERY_TABLE, WALLETS_KEY,
    WALLETS_TABLE,
};
use hyperdex_listen::{Port, Stop, bind, serve, url};
use hyperdex_local::Endpoints;
use hyperdex_local::HEADS;
use hyperdex_local::exchanges::{self, AsterTarget, HyperliquidTarget};
use platform::aws::Aws;
use protocol::recovery::{OpeningKey, RecoveryKey, RecoveryKeys, Side};
use shared::store::IndexShape;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use url::Url;

use crate::edge::Edge;
use crate::endpoints::{EndpointsSettings, WEIGHT_PER_MINUTE};
use crate::error::{BenchError, failed};
use crate::machine::{peak_mb, processor_time};

/// The setup of a measurement.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    /// True if each remote call is counted, which takes time.
    pub(crate) counted: bool,
    /// True if both sides have a recovery key, as a deployment should.
    pub(crate) recovery: bool,
    /// The number of instances of the endpoints and of the cosigner, at least 1.
    pub(crate) instances: usize,
}

/// The endpoints and the cosigner that they invoke, each in a separate process, like an instance of
/// Lambda. All calls of a client go to one instance, so concurrent clients do not wait for each
/// other's thread, as in the cloud.
struct Instance {
    api: String,
    endpoints: Child,
    cosigner: Child,
}

/// The processor time so far.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Used {
    /// Party 1 with the HTTP API.
    pub(crate) endpoints: Duration,
    /// Party 2.
    pub(crate) cosigner: Duration,
    /// The local cloud, the exchanges and the clients.
    pub(crate) others: Duration,
}

impl Used {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            endpoints: self.endpoints.saturating_sub(before.endpoints),
            cosigner: self.cosigner.saturating_sub(before.cosigner),
            others: self.others.saturating_sub(before.others),
        }
    }
}

impl AddAssign for Used {
    fn add_assign(&mut self, more: Self) {
        self.endpoints += more.endpoints;
        self.cosigner += more.cosigner;
        self.others += more.others;
    }
}

impl Div<u32> for Used {
    type Output = Self;

    fn div(self, count: u32) -> Self {
        Self {
            endpoints: self.endpoints / count,
            cosigner: self.cosigner / count,
            others: self.others / count,
        }
    }
}

pub(crate) struct World {
    pub(crate) settings: EndpointsSettings,
    pub(crate) database: Database,
    pub(crate) aws: Aws,
    pub(crate) hyperliquid: hyperliquid::Exchange,
    pub(crate) aster: aster::Exchange,
    pub(crate) edge: Option<Edge>,
    instances: Vec<Instance>,
    stop: watch::Sender<bool>,
    _data: TempDir,
}

/// Returns one new recovery key of a side, as a deployment has it.
fn recovery_keys(side: Side) -> Result<RecoveryKeys, BenchError> {
    let key = *OpeningKey::generate().map_err(failed)?.public();
    RecoveryKeys::of(&[RecoveryKey { side, key }], side).map_err(failed)
}

impl World {
    pub(crate) async fn start(setup: Setup) -> Result<Self, BenchError> {
        let data = tempfile::tempdir().map_err(failed)?;
        let (sender, stop) = Stop::new();
        let ip = std::net::Ipv4Addr::LOCALHOST.into();

        let listener = bind("KMS", ip, 0).await?;
        let kms_url = url(&listener);
        let keys = data.path().join("kms.json");
        let (service, _) = Kms::open(keys, &Clock::system(), &Random::system())?;
        let signer = kms::open_signer(&data.path().join("audit-key.der"))?;
        serve(listener, kms::router(Arc::new(service), signer), stop.clone());
        let listener = bind("DynamoDB", ip, 0).await?;
        let dynamodb_url = url(&listener);
        let file = data.path().join("dynamodb.sqlite");
        let database = dynamodb::open(&file)?;
        dynamodb::serve(listener, database.clone(), &file, stop.clone());
        let aws = Aws::local(&dynamodb_url, &kms_url, "");
        for alias in [WALLETS_KEY, COSIGNER_KEY] {
            kms::create_key(&aws.kms(), alias).await?;
        }
        // Without a TTL. Otherwise the local DynamoDB would scan large tables, in the measured
        // processor time.
        let (client, ttl) = (aws.dynamodb(), None);
        dynamodb::create_table(&client, WALLETS_TABLE, ttl, &IndexShape::all()).await?;
        dynamodb::create_table(&client, COSIGNER_TABLE, ttl, &[HEADS]).await?;
        for table in [RECOVERY_TABLE, COSIGNER_RECOVERY_TABLE] {
            dynamodb::create_table(&client, table, None, &[]).await?;
        }

        let (hyperliquid, aster) = simulators();
        let place = |what, router: Router| {
            exchanges::place(what, None, router, (ip, Port::default()), stop.clone())
        };
        let hyperliquid_url = place("Hyperliquid's simulator", hyperliquid.router()).await?;
        let aster_url = place("Aster's simulator", aster.router()).await?;

        let edge = if setup.counted { Some(Edge::start(stop.clone()).await?) } else { None };
        let way = |who: &str, service, target: &str| match &edge {
            Some(edge) => edge.url(who, service, target),
            None => target.to_owned(),
        };
        let keys = |side| {
            if setup.recovery { recovery_keys(side) } else { Ok(RecoveryKeys::default()) }
        };
        let cosigner = CosignerSettings {
            dynamodb: way("cosigner", "DynamoDB", &dynamodb_url),
            kms: way("cosigner", "KMS", &kms_url),
            policy: None,
            setting: Setting {
                hyperliquid_chain: HyperliquidTarget::default().chain,
                aster_chain: AsterTarget::default().chain,
                aster_signature_chain_id: AsterTarget::default().signature_chain_id,
                aster_login: false,
            },
            ip,
            recovery: keys(Side::Cosigner)?,
            engine: None,
            port: 0,
        };
        let parse = |text: String| Url::parse(&text).map_err(failed);
        let mut settings = EndpointsSettings {
            folder: data.path().to_owned(),
            recovery: keys(Side::Endpoint)?,
            endpoints: Endpoints {
                dynamodb: way("endpoint", "DynamoDB", &dynamodb_url),
                kms: way("endpoint", "KMS", &kms_url),
                lambda: String::new(),
                // The tables have no stream, so nothing is queued.
                deliveries: String::new(),
                api_gateway: String::new(),
                hyperliquid: parse(way("endpoint", "Hyperliquid", hyperliquid_url.as_str()))?,
                aster: parse(way("endpoint", "Aster", aster_url.as_str()))?,
                // Nothing is measured there.
                lighter: aster_url.clone(),
                // Nothing here uses a chain.
                chains: aster_url.clone(),
            },
        };
        let mut instances = Vec::new();
        for _ in 0..setup.instances {
            let (cosigner, lambda_url) = child(&cosigner.arguments()).await?;
            settings.endpoints.lambda = way("endpoint", "Lambda", &lambda_url);
            let (endpoints, api) = child(&settings.arguments()).await?;
            instances.push(Instance { api, endpoints, cosigner });
        }
        Ok(Self {
            settings,
            database,
            aws,
            hyperliquid,
            aster,
            edge,
            instances,
            stop: sender,
            _data: data,
        })
    }

    /// Sets the latency of each call to an exchange.
    pub(crate) fn set_latency(&self, latency: Duration) {
        self.hyperliquid.set_latency(latency);
        self.aster.set_latency(latency);
    }

    /// Returns the URL for the calls of this client.
    pub(crate) fn api(&self, client: usize) -> &str {
        &self.instances[client % self.instances.len()].api
    }

    pub(crate) fn used(&self) -> Result<Used, BenchError> {
        let of = |child: &Child| processor_time(child.id().unwrap_or_default());
        let others = processor_time(std::process::id())?;
        let mut used = Used { others, ..Used::default() };
        for Instance { endpoints, cosigner, .. } in &self.instances {
            used.endpoints += of(endpoints)?;
            used.cosigner += of(cosigner)?;
        }
        Ok(used)
    }

    /// Returns the peak memory of one instance of the endpoints and of the cosigner, in MB.
    pub(crate) fn peaks(&self) -> (u64, u64) {
        let most = |of: fn(&Instance) -> &Child| {
            let ids = self.instances.iter().map(|instance| of(instance).id().unwrap_or_default());
            ids.map(peak_mb).max().unwrap_or_default()
        };
        (most(|instance| &instance.endpoints), most(|instance| &instance.cosigner))
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        for instance in self.instances {
            for mut child in [instance.endpoints, instance.cosigner] {
                drop(child.stdin.take());
                let _ = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
            }
        }
    }
}

fn simulators() -> (hyperliquid::Exchange, aster::Exchange) {
    let clock = Clock::system();
    let hyperliquid = exchanges::simulate_hyperliquid(&HyperliquidTarget::default(), clock.clone());
    let mut rules = hyperliquid.rules();
    rules.weight_per_minute = WEIGHT_PER_MINUTE;
    hyperliquid.set_rules(rules);
    let aster = exchanges::simulate_aster(&AsterTarget::default(), clock);
    let mut rules = aster.rules();
    rules.weight_per_minute = WEIGHT_PER_MINUTE;
    aster.set_rules(rules);
    (hyperliquid, aster)
}

/// Starts this program again and waits until it prints its address. The process ends when its
/// standard input does. It writes its log, as in the cloud, but the log is discarded.
async fn child(arguments: &[String]) -> Result<(Child, String), BenchError> {
    let mut child = Command::new(std::env::current_exe().map_err(failed)?)
        .args(arguments)
        .env("RUST_LOG", "info")
        // One thread processes requests, as in a function.
        .env("TOKIO_WORKER_THREADS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let output = child.stdout.take().ok_or_else(|| failed("the process has no output"))?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await.map_err(failed)?;
    match line.trim() {
        "" => Err(failed(format!("{} ended at once", arguments[0]))),
        address => Ok((child, address.to_owned())),
    }
}
