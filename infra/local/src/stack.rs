//! The stack: start every part in order, the API last.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use cosigner::Setting;
use domain::clock::Clock;
use domain::random::Random;
use exchange_sim::{aster, hyperliquid};
use platform::aws::Aws;
use seal_audit::SealAudit;
use shared::api::cors::Origins;
use shared::credentials::Registrars;
use shared::exchanges::CALL_TIMEOUT_MS;
use shared::exchanges::budget::{BudgetConfig, Spender};
use shared::wallets::Custody;
use shared::webhooks::Targets;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use crate::clients::{ClientBounds, serve_clients};
use crate::cloud::Cloud;
use crate::console::{Simulators, with_console};
use crate::control::Control;
use crate::cosigner::{self as cosigner_host, CosignerHost, CosignerProcess, CosignerSettings};
use crate::data::{self, Directory};
use crate::engines::Engines;
use crate::hosts::AllowedHost;
use crate::jobs::Jobs;
use crate::keys::KeyFile;
use crate::limits::Limits;
use crate::routes::{Endpoints, routes};
use crate::serve::{Port, Stop, bind, url};
use crate::sim_state::Kept;
use crate::webhooks::Pump;
use crate::{AsterTarget, HyperliquidTarget, StartError, exchanges};

/// The wallets' table.
pub const WALLETS_TABLE: &str = "hyperdex-wallets";
/// The cosigner's table.
pub const COSIGNER_TABLE: &str = "hyperdex-cosigner";
/// KMS key A.
pub const WALLETS_KEY: &str = "alias/hyperdex-wallets";
/// KMS key B.
pub const COSIGNER_KEY: &str = "alias/hyperdex-cosigner";

/// The key that signs the heads of the audit log.
pub const AUDIT_KEY: &str = "alias/hyperdex-audit";

/// Ports; 0 takes any.
#[derive(Clone, Copy, Default, Debug)]
pub struct Ports {
    /// The HTTP API.
    pub api: u16,
    /// DynamoDB.
    pub dynamodb: u16,
    /// KMS.
    pub kms: u16,
    /// Lambda's Invoke API.
    pub lambda: u16,
    /// SQS.
    pub sqs: u16,
    /// The simulator of Hyperliquid.
    pub hyperliquid: Port,
    /// The simulator of Aster.
    pub aster: Port,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the data is.
    pub data_dir: PathBuf,
    /// The address that every part listens on.
    pub ip: IpAddr,
    /// Its ports.
    pub ports: Ports,
    /// Another address than loopback is meant.
    pub expose: bool,
    /// Hyperliquid.
    pub hyperliquid: HyperliquidTarget,
    /// Aster.
    pub aster: AsterTarget,
    /// Whether the simulators want a deposit before they let an account act.
    pub require_deposit: bool,
    /// Whether Hyperliquid's registration hands the agent's key out.
    pub return_private_key: bool,
    /// How long a call of an exchange may take, in milliseconds.
    pub exchange_timeout_ms: u64,
    /// What each tenant may send; `None` is anything.
    pub limits: Option<Limits>,
    /// Which origins may call the API from a browser.
    pub allowed_origins: Origins,
    /// Where webhooks may be sent.
    pub webhook_targets: Targets,
    /// Whether the wallets' table keeps a stream of its changes, from which webhooks are fed. A
    /// measurement does without: DynamoDB keeps one for nothing, the stand-in does not.
    pub stream: bool,
    /// Further names under which clients reach the API.
    pub allowed_hosts: Vec<AllowedHost>,
    /// How much of the API its clients may hold.
    pub clients: ClientBounds,
    /// What may be sent to the exchanges.
    pub budget: BudgetConfig,
    /// Where the cosigner runs.
    pub cosigner: CosignerHost,
    /// Whether the cosigner's process logs nothing, unless `RUST_LOG` says otherwise.
    pub quiet: bool,
    /// Its policy document; `None` is the product's own, without limits of signatures.
    pub cosigner_policy: Option<String>,
    /// DynamoDB and KMS of somebody else; `None` is the embedded ones.
    pub engines: Option<Engines>,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
}

impl Options {
    /// AWS clients at these addresses, with the engines' credentials.
    pub(crate) fn aws(&self, dynamodb: &str, kms: &str, lambda: &str) -> Aws {
        match &self.engines {
            Some(engines) => engines.credentials.aws(dynamodb, kms, lambda),
            None => Aws::local(dynamodb, kms, lambda),
        }
    }

    /// KMS key A.
    pub(crate) fn wallets_key(&self) -> &str {
        self.engines.as_ref().map_or(WALLETS_KEY, |engines| &engines.wallets_key)
    }

    /// Everything by default, with the data in `data_dir`, on any free ports.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            ip: Ipv4Addr::LOCALHOST.into(),
            ports: Ports::default(),
            expose: false,
            hyperliquid: HyperliquidTarget::default(),
            aster: AsterTarget::default(),
            require_deposit: false,
            return_private_key: true,
            exchange_timeout_ms: CALL_TIMEOUT_MS,
            limits: None,
            allowed_origins: Origins::default(),
            webhook_targets: Targets::PublicAndLoopback,
            stream: true,
            allowed_hosts: Vec::new(),
            clients: ClientBounds::default(),
            budget: BudgetConfig::default(),
            cosigner: CosignerHost::Process,
            quiet: false,
            cosigner_policy: None,
            engines: None,
            clock: Clock::system(),
            random: Random::system(),
        }
    }
}

/// A stack that runs. It stops when it is told to, or dropped.
pub struct Stack {
    /// The HTTP API's URL.
    pub api: String,
    /// DynamoDB's URL.
    pub dynamodb: String,
    /// KMS's URL.
    pub kms: String,
    /// The URL of Lambda's Invoke API.
    pub lambda: String,
    /// SQS's URL.
    pub sqs: String,
    /// Hyperliquid's URL.
    pub hyperliquid: Url,
    /// Aster's URL.
    pub aster: Url,
    /// The simulator of Hyperliquid; nobody talks to it when another exchange is named.
    pub hyperliquid_sim: hyperliquid::Exchange,
    /// The simulator of Aster; nobody talks to it when another exchange is named.
    pub aster_sim: aster::Exchange,
    /// The API's router, for calls without a socket.
    pub router: Router,
    /// Party 1, as the API uses it.
    pub custody: Custody,
    /// The credentials, as the scheduled jobs work on them.
    pub jobs: Registrars,
    /// The wallets, as the scheduled refresh of shares works on them.
    pub refresh: Custody,
    /// The job that signs the heads of the audit log.
    pub seal: SealAudit,
    /// The scheduled jobs.
    pub scheduled: Jobs,
    /// What publishes events and delivers them.
    pub pump: Pump,
    /// Why an external DynamoDB's changes cannot be read; then no event is published.
    pub webhooks_off: Option<String>,
    engines: Option<Engines>,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
    child: Option<CosignerProcess>,
    cosigner_down: Arc<AtomicBool>,
    _lock: File,
}

impl Stack {
    /// Starts everything. The API answers when all the rest does.
    ///
    /// # Errors
    /// In one clear line.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        if !options.ip.is_loopback() && !options.expose {
            return Err(StartError::NotLoopback(options.ip));
        }
        let lock = data::prepare(&options.data_dir)?;
        let directory = Directory::look(&options.data_dir, &options.random, &options.clock)?;
        // A key file that cannot be read is found out now, and not by the first caller.
        KeyFile::new(&options.data_dir).list()?;
        // A port that is taken is found out before anything else happens.
        let api = bind("the API", options.ip, options.ports.api).await?;
        let (sender, stop) = Stop::new();
        let mut servers = Vec::new();

        directory.check_kind(options.engines.is_some())?;
        let Cloud { kms, dynamodb, source, webhooks_off, sqs, queue, health } =
            Cloud::start(&options, &directory, &mut servers, &stop).await?;
        let settings = CosignerSettings {
            dynamodb: dynamodb.clone(),
            kms: kms.clone(),
            policy: options.cosigner_policy.clone(),
            setting: Setting {
                hyperliquid_chain: options.hyperliquid.chain,
                aster_chain: options.aster.chain,
                aster_signature_chain_id: options.aster.signature_chain_id,
                aster_login: options.aster.v1,
            },
            ip: options.ip,
            port: options.ports.lambda,
            engine: options.engines.as_ref().map(Engines::cosigner),
        };
        let (child, lambda) = match options.cosigner {
            CosignerHost::Process => {
                let (child, address) = cosigner_host::in_child(&settings, options.quiet).await?;
                (Some(child), address)
            }
            CosignerHost::InProcess => {
                let (clock, random) = (options.clock.clone(), options.random.clone());
                (None, cosigner_host::in_process(&settings, clock, random, stop.clone()).await?)
            }
        };

        let clock = options.clock.clone();
        let hyperliquid_sim = exchanges::simulate_hyperliquid(&options.hyperliquid, clock.clone());
        let aster_sim = exchanges::simulate_aster(&options.aster, clock);
        hyperliquid_sim.require_deposit(options.require_deposit);
        aster_sim.require_deposit(options.require_deposit);
        let kept = Kept::open(&options, &hyperliquid_sim, &aster_sim)?;
        let hyperliquid = exchanges::place(
            "Hyperliquid's simulator",
            options.hyperliquid.url.as_ref(),
            kept.hyperliquid.keeping(hyperliquid_sim.router()),
            (options.ip, options.ports.hyperliquid),
            stop.clone(),
        )
        .await?;
        let aster = exchanges::place(
            "Aster's simulator",
            options.aster.url.as_ref(),
            kept.aster.keeping(aster_sim.router()),
            (options.ip, options.ports.aster),
            stop.clone(),
        )
        .await?;

        let deliveries = format!("{sqs}/queue/deliveries");
        let endpoints = Endpoints { dynamodb, kms, lambda, deliveries, hyperliquid, aster };
        let (publish, deliver) = endpoints.webhooks(&options)?;
        let pump = Pump { publish, deliver, queue, source };
        let custody = endpoints.custody(&options);
        let jobs = endpoints.registrars(&options, Spender::Job);
        let refresh = endpoints.custody_of(&options, "refresh-shares");
        let cosigner_down = health.cosigner_down();
        let router = health.before(routes(&options, &endpoints)?);
        let simulators = Simulators {
            aster: options.aster.url.is_none().then(|| aster_sim.clone()),
            hyperliquid: options.hyperliquid.url.is_none().then(|| hyperliquid_sim.clone()),
        };
        let aws = options.aws(&endpoints.dynamodb, &endpoints.kms, &endpoints.lambda);
        let seal = SealAudit::new(&aws, COSIGNER_TABLE, AUDIT_KEY, options.clock.clone());
        let scheduled =
            Jobs::new(jobs.clone(), refresh.clone(), seal.clone(), options.return_private_key);
        let (jobs_now, custody_now) = (scheduled.clone(), custody.clone());
        let control = Control::new(jobs_now, custody_now, &simulators, kept);
        servers.push(control.serve(&options.data_dir, stop.clone())?);
        let served = with_console(router.clone(), &options, &endpoints, simulators)?;
        let Endpoints { dynamodb, kms, lambda, hyperliquid, aster, .. } = endpoints;
        let address = url(&api);
        servers.push(serve_clients(api, served, &options, stop));
        Ok(Self {
            api: address,
            dynamodb,
            kms,
            lambda,
            sqs,
            hyperliquid,
            aster,
            hyperliquid_sim,
            aster_sim,
            router,
            custody,
            jobs,
            refresh,
            seal,
            scheduled,
            pump,
            webhooks_off,
            engines: options.engines,
            stop: sender,
            servers,
            child,
            cosigner_down,
            _lock: lock,
        })
    }

    /// AWS clients of this stack.
    #[must_use]
    pub fn aws(&self) -> Aws {
        let aws = match &self.engines {
            Some(engines) => engines.credentials.aws(&self.dynamodb, &self.kms, &self.lambda),
            None => Aws::local(&self.dynamodb, &self.kms, &self.lambda),
        };
        aws.with_sqs(&self.sqs)
    }

    /// Starts the cosigner's process again whenever it ends, and says so. Returns when it ends too
    /// often.
    pub async fn keep_cosigner(&mut self, say: impl Fn(&str)) -> StartError {
        match &mut self.child {
            Some(child) => child.keep(&self.cosigner_down, say).await,
            None => std::future::pending().await,
        }
    }

    /// Stops every part, and lets requests that run finish.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        for server in self.servers.drain(..) {
            let _ = tokio::time::timeout(std::time::Duration::from_secs(5), server).await;
        }
        if let Some(child) = self.child.take() {
            child.stop().await;
        }
    }
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stack({})", self.api)
    }
}
