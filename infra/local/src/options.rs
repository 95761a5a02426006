//! Options of a stack.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use domain::clock::Clock;
use domain::random::Random;
use hyperdex_cloud::engines::Engines;
use hyperdex_cloud::names::WALLETS_KEY;
use hyperdex_listen::{AllowedHost, ClientBounds, Port};
use platform::aws::Aws;
use protocol::recovery::{RecoveryKey, RecoveryKeyError, RecoveryKeys, Side};
use shared::access::Unrecorded;
use shared::api::cors::Origins;
use shared::api::trading::POLICY_DELAY_HOURS;
use shared::exchanges::budget::BudgetConfig;
use shared::exchanges::{CALL_TIMEOUT_MS, ORDER_TIMEOUT_MS};
use shared::wallets::WALLETS_PER_TENANT;
use shared::webhooks::Targets;
use tokio::runtime::Handle;

use crate::exchanges::{AsterTarget, HyperliquidTarget, LighterTarget};
use crate::limits::Limits;

const HOUR_MS: u64 = 60 * 60 * 1_000;

/// Seconds after which a looser payment policy is in effect on a local stack. In a deployment the
/// default is a day.
pub const PAYMENT_DELAY_S: u32 = 60;

/// Process of the cosigner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CosignerHost {
    /// A child process of this program, as `cargo run` starts it.
    Process,
    /// This process, with this process's clock, for tests.
    InProcess,
}

/// Ports of a stack; 0 picks a free port.
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
    /// The simulator of Lighter.
    pub lighter: Port,
    /// The stand-in for the chains' nodes.
    pub chains: u16,
}

/// The recovery keys of a stack. A side without a key writes no recovery records.
#[derive(Clone, Default, Debug)]
pub struct RecoveryOptions {
    /// Of the endpoint side.
    pub endpoint: RecoveryKeys,
    /// Of the cosigner.
    pub cosigner: RecoveryKeys,
}

impl RecoveryOptions {
    /// Sorts the keys by their side.
    ///
    /// # Errors
    /// Fails when a side has more than two keys, or two of all keys are equal.
    pub fn of(keys: &[RecoveryKey]) -> Result<Self, RecoveryKeyError> {
        let of_both = |key: &RecoveryKey| {
            keys.iter().any(|other| other.side != key.side && other.key == key.key)
        };
        if keys.iter().any(of_both) {
            return Err(RecoveryKeyError::Shared);
        }
        Ok(Self {
            endpoint: RecoveryKeys::of(keys, Side::Endpoint)?,
            cosigner: RecoveryKeys::of(keys, Side::Cosigner)?,
        })
    }

    /// Returns whether both sides have a key.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.endpoint.is_empty() && !self.cosigner.is_empty()
    }
}

/// Options of a stack.
#[derive(Clone, Debug)]
pub struct Options {
    /// Data directory.
    pub data_dir: PathBuf,
    /// Address on which every part listens.
    pub ip: IpAddr,
    /// Ports of the parts.
    pub ports: Ports,
    /// Whether an address other than loopback is allowed.
    pub expose: bool,
    /// Hyperliquid.
    pub hyperliquid: HyperliquidTarget,
    /// Aster.
    pub aster: AsterTarget,
    /// Lighter.
    pub lighter: LighterTarget,
    /// Whether the simulators require a deposit before any action.
    pub require_deposit: bool,
    /// Whether a registration with Hyperliquid returns the agent's private key.
    pub return_private_key: bool,
    /// Timeout of a call to an exchange, in milliseconds.
    pub exchange_timeout_ms: u64,
    /// Timeout of a call that changes orders, in milliseconds.
    pub order_timeout_ms: u64,
    /// Time after which a looser trading policy is in effect, in milliseconds.
    pub policy_delay_ms: u64,
    /// Time after which a looser payment policy is in effect, in seconds.
    pub payment_delay_s: u32,
    /// Limits of each tenant. `None` disables them.
    pub limits: Option<Limits>,
    /// What a key of the old form is without a record.
    pub keys_without_record: Unrecorded,
    /// Browser origins that may call the API.
    pub allowed_origins: Origins,
    /// Permitted targets of webhooks.
    pub webhook_targets: Targets,
    /// Whether the wallets' table has a stream of its changes, which webhooks require. Measurements
    /// disable it: DynamoDB's stream is free of cost, the embedded one is not.
    pub stream: bool,
    /// Additional hostnames of the API.
    pub allowed_hosts: Vec<AllowedHost>,
    /// Limits of the API's connections.
    pub clients: ClientBounds,
    /// Budget of requests to the exchanges.
    pub budget: BudgetConfig,
    /// The recovery keys of both sides.
    pub recovery: RecoveryOptions,
    /// How many wallets a tenant may have; 0 sets no limit.
    pub wallets_per_tenant: u64,
    /// Process of the cosigner.
    pub cosigner: CosignerHost,
    /// Whether the cosigner's process logs nothing, unless `RUST_LOG` is set.
    pub quiet: bool,
    /// The cosigner's policy document. `None` selects the built-in policy, without limits of
    /// signatures.
    pub cosigner_policy: Option<String>,
    /// External DynamoDB and KMS. `None` selects the embedded ones.
    pub engines: Option<Engines>,
    /// Threads of the functions that compute signatures and keys: see [`crate::workers`]. `None` runs
    /// them on the threads of the stack.
    pub workers: Option<Handle>,
    /// The clock.
    pub clock: Clock,
    /// Source of randomness.
    pub random: Random,
}

impl Options {
    /// Returns AWS clients for these addresses, with the engines' credentials.
    pub(crate) fn aws(&self, dynamodb: &str, kms: &str, lambda: &str) -> Aws {
        match &self.engines {
            Some(engines) => engines.credentials.aws(dynamodb, kms, lambda),
            None => Aws::local(dynamodb, kms, lambda),
        }
    }

    /// Returns the id of KMS key A.
    pub(crate) fn wallets_key(&self) -> &str {
        self.engines.as_ref().map_or(WALLETS_KEY, |engines| &engines.wallets_key)
    }

    /// Returns the default options for a data directory, with free ports.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            ip: Ipv4Addr::LOCALHOST.into(),
            ports: Ports::default(),
            expose: false,
            hyperliquid: HyperliquidTarget::default(),
            aster: AsterTarget::default(),
            lighter: LighterTarget::default(),
            require_deposit: false,
            return_private_key: true,
            exchange_timeout_ms: CALL_TIMEOUT_MS,
            order_timeout_ms: ORDER_TIMEOUT_MS,
            policy_delay_ms: u64::from(POLICY_DELAY_HOURS) * HOUR_MS,
            payment_delay_s: PAYMENT_DELAY_S,
            limits: None,
            keys_without_record: Unrecorded::default(),
            allowed_origins: Origins::default(),
            webhook_targets: Targets::PublicAndLoopback,
            stream: true,
            allowed_hosts: Vec::new(),
            clients: ClientBounds::default(),
            budget: BudgetConfig::default(),
            recovery: RecoveryOptions::default(),
            wallets_per_tenant: WALLETS_PER_TENANT,
            cosigner: CosignerHost::Process,
            quiet: false,
            cosigner_policy: None,
            engines: None,
            workers: None,
            clock: Clock::system(),
            random: Random::system(),
        }
    }
}
