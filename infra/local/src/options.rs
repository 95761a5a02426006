//! The options of a stack.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use domain::clock::Clock;
use domain::random::Random;
use hyperdex_cloud::engines::Engines;
use hyperdex_cloud::names::WALLETS_KEY;
use hyperdex_listen::{AllowedHost, ClientBounds, Port};
use platform::aws::Aws;
use shared::api::cors::Origins;
use shared::exchanges::CALL_TIMEOUT_MS;
use shared::exchanges::budget::BudgetConfig;
use shared::webhooks::Targets;

use crate::exchanges::{AsterTarget, HyperliquidTarget};
use crate::limits::Limits;

/// Where the cosigner runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CosignerHost {
    /// In a child process of this program: what `cargo run` does.
    Process,
    /// In this process, with this process's clock: for tests.
    InProcess,
}

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
