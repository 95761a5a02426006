//! The stack: starts every part in order, the API last.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use cosigner::Setting;
use exchange_sim::{aster, chain::Chains, hyperliquid, lighter};
use futures_util::future::join_all;
use hyperdex_cloud::cosigner::{self as cosigner_host, CosignerProcess, CosignerSettings};
use hyperdex_cloud::engines::Engines;
use hyperdex_cloud::names::{AUDIT_KEY, COSIGNER_TABLE, SEALS_TABLE};
use hyperdex_console::Simulators;
use hyperdex_listen::{Port, Stop, bind, serve, serve_clients, url};
use platform::aws::Aws;
use seal_audit::SealAudit;
use shared::credentials::Registrars;
use shared::exchanges::budget::Spender;
use shared::wallets::Custody;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use crate::admin::Admin;
use crate::apikeys;
use crate::approver::ApproverKey;
use crate::cloud::Cloud;
use crate::console::with_console;
use crate::control::Control;
use crate::data::{self, Directory, recovery_keys};
use crate::endpoints::Endpoints;
use crate::error::StartError;
use crate::exchanges;
use crate::jobs::{JobName, Jobs};
use crate::keys::KeyFile;
use crate::options::{CosignerHost, Options};
use crate::routes::routes;
use crate::sim_state::Kept;
use crate::trading::Traders;
use crate::webhooks::Pump;

/// How long requests in progress may take when the stack stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// A running stack. It stops on [`Self::stop`] or when it is dropped.
pub struct Stack {
    /// URL of the HTTP API.
    pub api: String,
    /// URL of DynamoDB.
    pub dynamodb: String,
    /// URL of KMS.
    pub kms: String,
    /// URL of Lambda's Invoke API.
    pub lambda: String,
    /// URL of SQS.
    pub sqs: String,
    /// The URL of API Gateway's control plane.
    pub api_gateway: String,
    /// URL of Hyperliquid.
    pub hyperliquid: Url,
    /// URL of Aster.
    pub aster: Url,
    /// URL of Lighter.
    pub lighter: Url,
    /// The simulator of Hyperliquid. Unused when the options name another URL.
    pub hyperliquid_sim: hyperliquid::Exchange,
    /// The simulator of Aster. Unused when the options name another URL.
    pub aster_sim: aster::Exchange,
    /// The simulator of Lighter. Unused when the options name another URL.
    pub lighter_sim: lighter::Exchange,
    /// The chains on which the simulators pay and find deposits.
    pub chains_sim: Chains,
    /// URL of the chains' nodes, without the chain's id.
    pub chains: Url,
    /// Router of the API, for calls without a socket.
    pub router: Router,
    /// Party 1 of the API.
    pub custody: Custody,
    /// Registrars of the scheduled jobs.
    pub jobs: Registrars,
    /// The orders of the job that finds their outcomes.
    pub traders: Traders,
    /// Party 1 of the job that refreshes shares.
    pub refresh: Custody,
    /// The job that signs the heads of the audit log.
    pub seal: SealAudit,
    /// The scheduled jobs.
    pub scheduled: Jobs,
    /// The operator's administration of tenants and keys.
    pub admin: Admin,
    /// Publishes and delivers events.
    pub pump: Pump,
    /// Cause if an external DynamoDB has no usable stream. No event is published then.
    pub webhooks_off: Option<String>,
    /// Whether both sides have a recovery key.
    pub has_recovery_keys: bool,
    engines: Option<Engines>,
    callers: Servers,
    parts: Servers,
    child: Option<CosignerProcess>,
    cosigner_down: Arc<AtomicBool>,
    _lock: File,
}

impl Stack {
    /// Starts every part. The API listens when all other parts are ready.
    ///
    /// # Errors
    /// Returns an error of one line.
    pub async fn start(mut options: Options) -> Result<Self, StartError> {
        if !options.ip.is_loopback() && !options.expose {
            return Err(StartError::NotLoopback(options.ip));
        }
        let lock = data::prepare(&options.data_dir)?;
        options.recovery = recovery_keys::kept(&options.data_dir, &options.recovery)?;
        let directory = Directory::look(&options.data_dir, &options.random, &options.clock)?;
        // Report an unreadable key file now, not to the first caller.
        KeyFile::new(&options.data_dir).list()?;
        // Report a port in use before anything else happens.
        let api = bind("the API", options.ip, options.ports.api).await?;
        let (mut callers, callers_stop) = Servers::new();
        let (mut parts, stop) = Servers::new();

        directory.check_kind(options.engines.is_some())?;
        // Its public half is in the cosigner's policy.
        ApproverKey::of_directory(&options.data_dir)?;
        let Cloud { kms, dynamodb, source, webhooks_off, sqs, queue, health } =
            Cloud::start(&options, &directory, &mut parts.running, &stop).await?;
        let settings = CosignerSettings {
            dynamodb: dynamodb.clone(),
            kms: kms.clone(),
            policy: options.policy_document(),
            setting: Setting {
                hyperliquid_chain: options.hyperliquid.chain,
                aster_chain: options.aster.chain,
                aster_signature_chain_id: options.aster.signature_chain_id,
                aster_login: options.aster.v1,
            },
            ip: options.ip,
            port: options.ports.lambda,
            recovery: options.recovery.cosigner.clone(),
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
        let aster_sim = exchanges::simulate_aster(&options.aster, clock.clone());
        let lighter_sim = exchanges::simulate_lighter(&options.lighter, clock.clone());
        let chains_sim = exchanges::simulate_chains(&hyperliquid_sim, &aster_sim, clock);
        hyperliquid_sim.require_deposit(options.require_deposit);
        aster_sim.require_deposit(options.require_deposit);
        let kept = Kept::open(&options, &hyperliquid_sim, &aster_sim, &lighter_sim, &chains_sim)?;
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
        let lighter = exchanges::place(
            "Lighter's simulator",
            options.lighter.url.as_ref(),
            kept.lighter.keeping(lighter_sim.router()),
            (options.ip, options.ports.lighter),
            stop.clone(),
        )
        .await?;

        let chains = exchanges::place(
            "the stand-in for chains",
            None,
            kept.chains.keeping(chains_sim.router()),
            (options.ip, Port::Exactly(options.ports.chains)),
            stop.clone(),
        )
        .await?;

        let deliveries = format!("{sqs}/queue/deliveries");
        let listener = bind("API Gateway", options.ip, 0).await?;
        let api_gateway = url(&listener);
        let made_with = (options.clock.clone(), options.random.clone());
        let control_plane =
            apikeys::router(KeyFile::new(&options.data_dir), made_with.0, made_with.1);
        parts.running.push(serve(listener, control_plane, stop));
        let endpoints = Endpoints {
            dynamodb,
            kms,
            lambda,
            deliveries,
            api_gateway,
            hyperliquid,
            aster,
            lighter,
            chains,
        };
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
        let seal = SealAudit::new(&aws, COSIGNER_TABLE, AUDIT_KEY, options.clock.clone())
            .with_newest(Some(SEALS_TABLE.to_owned()));
        let traders = endpoints.traders(&options, Spender::Job);
        let scheduled = Jobs::new(
            jobs.clone(),
            traders.clone(),
            refresh.clone(),
            seal.clone(),
            options.return_private_key,
        );
        // Orders of an earlier process whose response was lost, before the first caller asks.
        scheduled.run_or_log(JobName::Resolve).await;
        let (jobs_now, custody_now) = (scheduled.clone(), custody.clone());
        let admin = Admin::local(
            endpoints.key_admin(&options),
            scheduled.renewal(),
            endpoints.policy_chain(&options, "operator"),
            endpoints.recoverer(&options),
            options.random.clone(),
        );
        let control = Control::new(jobs_now, custody_now, &simulators, kept, admin.clone());
        callers.running.push(control.serve(&options.data_dir, callers_stop.clone())?);
        let served = with_console(router.clone(), &options, &endpoints, simulators)?;
        let Endpoints {
            dynamodb,
            kms,
            lambda,
            api_gateway,
            hyperliquid,
            aster,
            lighter,
            chains,
            ..
        } = endpoints;
        let address = url(&api);
        let api = api.allow(&options.allowed_hosts);
        let made_with = (options.clock.clone(), options.random.clone());
        let api = serve_clients(api, served, options.clients, made_with, callers_stop);
        callers.running.push(api);
        Ok(Self {
            api: address,
            dynamodb,
            kms,
            lambda,
            sqs,
            api_gateway,
            hyperliquid,
            aster,
            lighter,
            hyperliquid_sim,
            aster_sim,
            lighter_sim,
            chains_sim,
            chains,
            router,
            custody,
            jobs,
            traders,
            refresh,
            seal,
            scheduled,
            admin,
            pump,
            webhooks_off,
            has_recovery_keys: options.recovery.is_complete(),
            engines: options.engines,
            callers,
            parts,
            child,
            cosigner_down,
            _lock: lock,
        })
    }

    /// Returns AWS clients of this stack.
    #[must_use]
    pub fn aws(&self) -> Aws {
        let aws = match &self.engines {
            Some(engines) => engines.credentials.aws(&self.dynamodb, &self.kms, &self.lambda),
            None => Aws::local(&self.dynamodb, &self.kms, &self.lambda),
        };
        aws.with_sqs(&self.sqs)
    }

    /// Restarts the cosigner's process whenever it ends, and reports that through `say`. Returns
    /// when it ends too often.
    pub async fn keep_cosigner(&mut self, say: impl Fn(&str)) -> StartError {
        match &mut self.child {
            Some(child) => child.keep(&self.cosigner_down, say).await.into(),
            None => std::future::pending().await,
        }
    }

    /// Stops the API, and then the parts that it uses. Requests in progress complete within 5 s.
    pub async fn stop(mut self) {
        self.callers.stop().await;
        self.parts.stop().await;
        if let Some(child) = self.child.take() {
            child.stop().await;
        }
    }
}

/// Servers that stop together.
struct Servers {
    signal: watch::Sender<bool>,
    running: Vec<JoinHandle<()>>,
}

impl Servers {
    fn new() -> (Self, Stop) {
        let (signal, stop) = Stop::new();
        (Self { signal, running: Vec::new() }, stop)
    }

    async fn stop(&mut self) {
        let _ = self.signal.send(true);
        let all = join_all(self.running.drain(..));
        let _ = tokio::time::timeout(STOP_WITHIN, all).await;
    }
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stack({})", self.api)
    }
}
