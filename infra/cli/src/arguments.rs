//! Command-line arguments of the local stack.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use domain::builder::{Builder, BuilderFee};
use domain::ids::Exchange;
use domain::intent::{HyperliquidChain, parse_chain};
use hyperdex_local::{
    AllowedHost, AsterTarget, Engines, HyperliquidTarget, LighterTarget, Limits, Options,
    PAYMENT_DELAY_S, Port, Ports, RecoveryOptions,
};
use platform::env::{ConfigError, Env, parse_url};
use platform::networks::resolve_aster_chain;
use protocol::recovery::RecoveryKey;
use shared::api::cors::Origins;
use shared::api::trading::POLICY_DELAY_HOURS;
use shared::exchanges::lighter::config::network_of_chain;
use shared::exchanges::networks::{check_network, network_of};
use shared::wallets::WALLETS_PER_TENANT;
use url::Url;

#[derive(Args)]
pub(crate) struct Serve {
    /// Port of the HTTP API; 0 picks a free port
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Address on which every part listens
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Allow --bind to name an address other than loopback
    ///
    /// For containers. Tenant keys do not protect the stack's DynamoDB and KMS.
    #[arg(long)]
    expose: bool,
    /// Additional hostname of the API; repeatable
    ///
    /// Clients may use this name in the Host header, with or without a port.
    #[arg(long, value_name = "NAME[:PORT]")]
    allowed_host: Vec<AllowedHost>,
    /// Directory for the stack's data, including all keys
    #[arg(long, default_value = ".local", global = true)]
    pub(crate) data_dir: PathBuf,
    /// URL of an external DynamoDB: https, or http on loopback
    #[arg(long, value_name = "URL", value_parser = url, requires = "kms_url", conflicts_with = "dynamodb_port")]
    dynamodb_url: Option<Url>,
    /// URL of an external KMS: https, or http on loopback
    #[arg(long, value_name = "URL", value_parser = url, requires = "dynamodb_url", conflicts_with = "kms_port")]
    kms_url: Option<Url>,
    /// Endpoints' key in the external KMS
    ///
    /// An alias, an id or an ARN; default: alias/hyperdex-wallets. A missing alias is created.
    #[arg(long, value_name = "KEY", requires = "kms_url")]
    kms_key_id: Option<String>,
    /// Cosigner's key in the external KMS
    ///
    /// Default: alias/hyperdex-cosigner. A missing alias is created.
    #[arg(long, value_name = "KEY", requires = "kms_url")]
    cosigner_kms_key_id: Option<String>,
    /// URL of Hyperliquid; default: the simulator
    ///
    /// https, or http on loopback.
    #[arg(long, env = "HYPERLIQUID_URL", value_parser = url, global = true)]
    hyperliquid_url: Option<Url>,
    /// Hyperliquid's network: Mainnet or Testnet
    ///
    /// Default: the network of --hyperliquid-url. For any other URL it is Testnet, because
    /// Hyperliquid's official SDKs sign for Testnet when the URL is not Hyperliquid's own.
    #[arg(long, env = "HYPERLIQUID_CHAIN", value_parser = chain, global = true)]
    hyperliquid_chain: Option<HyperliquidChain>,
    /// URL of Aster; default: the simulator
    ///
    /// https, or http on loopback.
    #[arg(long, env = "ASTER_URL", value_parser = url, global = true)]
    aster_url: Option<Url>,
    /// Aster's network: Mainnet or Testnet
    ///
    /// Default: the network of --aster-url, else Hyperliquid's network.
    #[arg(long, env = "ASTER_CHAIN", value_parser = chain, global = true)]
    aster_chain: Option<HyperliquidChain>,
    /// URL of Lighter; default: the simulator
    ///
    /// https, or http on loopback.
    #[arg(long, env = "LIGHTER_URL", value_parser = url, global = true)]
    lighter_url: Option<Url>,
    /// Chain id of Lighter's network
    #[arg(long, env = "LIGHTER_CHAIN_ID", default_value_t = 304, global = true)]
    lighter_chain_id: u32,
    /// Whether a key in the query is accepted on Lighter's routes
    #[arg(long, env = "LIGHTER_KEYS_IN_QUERY", default_value_t = true, action = clap::ArgAction::Set, global = true)]
    lighter_keys_in_query: bool,
    /// Chain id of a wallet's approval on Aster
    #[arg(long, env = "ASTER_SIGNATURE_CHAIN_ID", default_value_t = 56, global = true)]
    aster_signature_chain_id: u64,
    /// Chain id of requests that an agent signs on Aster
    ///
    /// Aster's network determines it: 1666 on Mainnet, 714 on Testnet. A value that differs is
    /// rejected.
    #[arg(long, env = "ASTER_AGENT_CHAIN_ID", global = true)]
    aster_agent_chain_id: Option<u64>,
    /// Aster's API: agents (v3) or API keys (v1)
    #[arg(long, env = "ASTER_API", value_enum, default_value = "v3", global = true)]
    aster_api: AsterApi,
    /// Builder that wallets approve at Hyperliquid, with its fee
    ///
    /// The fee is in tenths of a basis point: 50 is 0.05 %. The stack's cosigner allows this builder.
    #[arg(long, value_name = "ADDRESS:FEE", value_parser = builder)]
    hyperliquid_builder: Option<Builder>,
    /// Builder that wallets approve at Aster, with its fee
    ///
    /// As --hyperliquid-builder.
    #[arg(long, value_name = "ADDRESS:FEE", value_parser = builder)]
    aster_builder: Option<Builder>,
    /// Make the simulators require a deposit before any action
    #[arg(long)]
    require_deposit: bool,
    /// Return the agent's private key when Hyperliquid approves it
    #[arg(long, env = "RETURN_API_PRIVATE_KEY", default_value_t = true, action = clap::ArgAction::Set)]
    return_api_private_key: bool,
    /// Weight that may be used at Hyperliquid in a minute
    #[arg(long, env = "HYPERLIQUID_WEIGHT_PER_MINUTE", value_parser = clap::value_parser!(u64).range(200..))]
    hyperliquid_weight_per_minute: Option<u64>,
    /// Weight that may be used at Aster in a minute
    #[arg(long, env = "ASTER_WEIGHT_PER_MINUTE", value_parser = clap::value_parser!(u64).range(200..))]
    aster_weight_per_minute: Option<u64>,
    /// Requests to Lighter per minute, or weight if above 60
    ///
    /// From 20 to 60 it counts requests, as for a standard account. From 1000 on it counts the weight of a
    /// premium account: 6 for each order that is sent, and 100 to 300 for each question. Other values are
    /// refused: the largest call would not fit.
    #[arg(long, env = "LIGHTER_WEIGHT_PER_MINUTE", value_parser = clap::value_parser!(u64).range(20..))]
    lighter_weight_per_minute: Option<u64>,
    /// Percent of an exchange's weight for one tenant alone
    #[arg(long, env = "TENANT_BUDGET_PERCENT", value_parser = clap::value_parser!(u64).range(1..=100))]
    tenant_budget_percent: Option<u64>,
    /// Public recovery keys, comma-separated: one or two of each side
    ///
    /// `hyperdex recovery keygen` makes them. Without a key of both sides, a lost file ends all wallets.
    #[arg(long, env = "RECOVERY_KEYS", value_delimiter = ',')]
    recovery_keys: Vec<RecoveryKey>,
    /// Most wallets of a tenant; 0 sets no limit
    #[arg(long, env = "WALLETS_PER_TENANT", default_value_t = WALLETS_PER_TENANT)]
    wallets_per_tenant: u64,
    /// Hours until a looser trading policy is in effect
    #[arg(long, env = "POLICY_DELAY_HOURS", default_value_t = POLICY_DELAY_HOURS, value_parser = clap::value_parser!(u32).range(..=168))]
    policy_delay_hours: u32,
    /// Seconds until a looser payment policy is in effect
    #[arg(long, env = "PAYMENT_DELAY_SECONDS", default_value_t = PAYMENT_DELAY_S, value_parser = clap::value_parser!(u32).range(..=2_592_000))]
    payment_delay_seconds: u32,
    /// Browser origins that may call the API, comma-separated
    #[arg(long, env = "ALLOWED_ORIGINS", value_parser = origins, default_value = "")]
    allowed_origins: Origins,
    /// Requests per second of one tenant key; 0 disables all limits
    #[arg(long, env = "KEY_RATE_LIMIT", default_value_t = Limits::default().rate_per_s)]
    key_rate_limit: u64,
    /// Burst of requests of one tenant key
    #[arg(long, env = "KEY_BURST_LIMIT", default_value_t = Limits::default().burst, value_parser = clap::value_parser!(u64).range(1..))]
    key_burst_limit: u64,
    /// Requests per day (UTC) of one tenant key
    #[arg(long, env = "KEY_QUOTA_PER_DAY", default_value_t = Limits::default().quota_per_day, value_parser = clap::value_parser!(u64).range(1..))]
    key_quota_per_day: u64,
    /// Port of DynamoDB; 0 picks a free port
    #[arg(long, default_value_t = 0)]
    dynamodb_port: u16,
    /// Port of KMS; 0 picks a free port
    #[arg(long, default_value_t = 0)]
    kms_port: u16,
    /// Port of Lambda's Invoke API; 0 picks a free port
    #[arg(long, default_value_t = 0)]
    lambda_port: u16,
    /// Port of SQS; 0 picks a free port
    #[arg(long, default_value_t = 0)]
    sqs_port: u16,
    /// Port of Hyperliquid's simulator; 0 picks a free port
    ///
    /// Default: 3001, or a free port when 3001 is in use.
    #[arg(long)]
    hyperliquid_port: Option<u16>,
    /// Port of Aster's simulator; 0 picks a free port
    ///
    /// Default: 3002, or a free port when 3002 is in use.
    #[arg(long)]
    aster_port: Option<u16>,
    /// Port of Lighter's simulator; 0 picks a free port
    ///
    /// Default: 3003, or a free port when 3003 is in use.
    #[arg(long)]
    lighter_port: Option<u16>,
    /// Port of the stand-in for EVM chains; 0 picks a free port
    #[arg(long, default_value_t = 0)]
    chains_port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum AsterApi {
    V3,
    V1,
}

fn url(text: &str) -> Result<Url, &'static str> {
    parse_url(text).ok_or("expected an https URL, or http on loopback, without a query")
}

fn chain(text: &str) -> Result<HyperliquidChain, &'static str> {
    parse_chain(text).ok_or("expected Mainnet or Testnet")
}

fn builder(text: &str) -> Result<Builder, &'static str> {
    let parts = text.split_once(':').and_then(|(address, fee)| {
        let fee = BuilderFee::try_from(fee.parse::<u16>().ok()?).ok()?;
        Some(Builder { address: address.parse().ok()?, fee })
    });
    parts.ok_or("expected an address, a colon and a fee from 1 to 100")
}

fn origins(text: &str) -> Result<Origins, &'static str> {
    Origins::parse(text).ok_or("expected origins such as https://tool.example.com")
}

/// Default port of Hyperliquid's simulator.
const HYPERLIQUID_PORT: u16 = 3001;
/// Default port of Aster's simulator.
const ASTER_PORT: u16 = 3002;

/// Weight that may be used at Lighter's simulator in a minute: 90 percent of its limit of 24,000, which is
/// that of a premium account.
const LIGHTER_WEIGHT: u64 = 21_600;

/// Port of Lighter's simulator.
const LIGHTER_PORT: u16 = 3003;

fn simulator_port(given: Option<u16>, default: u16) -> Port {
    given.map_or(Port::Preferred(default), Port::Exactly)
}

impl Serve {
    /// Builds the options of a stack from the arguments.
    ///
    /// # Errors
    /// Returns an error when settings contradict each other.
    pub(crate) fn options(&self) -> Result<Options, ConfigError> {
        let mut options = Options::new(&self.data_dir);
        options.ip = self.bind;
        options.expose = self.expose;
        options.allowed_hosts = self.allowed_host.clone();
        options.ports = Ports {
            api: self.port,
            dynamodb: self.dynamodb_port,
            kms: self.kms_port,
            lambda: self.lambda_port,
            sqs: self.sqs_port,
            hyperliquid: simulator_port(self.hyperliquid_port, HYPERLIQUID_PORT),
            aster: simulator_port(self.aster_port, ASTER_PORT),
            lighter: simulator_port(self.lighter_port, LIGHTER_PORT),
            chains: self.chains_port,
        };
        (options.hyperliquid, options.aster) = self.targets()?;
        options.lighter = self.lighter()?;
        let budget = &mut options.budget;
        if let Some(weight) = self.hyperliquid_weight_per_minute {
            budget.per_minute[Exchange::Hyperliquid] = weight;
        }
        if let Some(weight) = self.aster_weight_per_minute {
            budget.per_minute[Exchange::Aster] = weight;
        }
        // The simulator's limit is that of a premium account.
        let simulated = self.lighter_url.is_none().then_some(LIGHTER_WEIGHT);
        if let Some(weight) = self.lighter_weight_per_minute.or(simulated) {
            budget.per_minute[Exchange::Lighter] = weight;
        }
        if let Some(percent) = self.tenant_budget_percent {
            budget.tenant_percent = percent;
        }
        budget.check()?;
        options.recovery = RecoveryOptions::of(&self.recovery_keys).map_err(|_| {
            let want = "at most two recovery keys of each side, all of them different";
            ConfigError::Invalid { name: "RECOVERY_KEYS", want }
        })?;
        options.wallets_per_tenant = self.wallets_per_tenant;
        options.policy_delay_ms = u64::from(self.policy_delay_hours) * 60 * 60 * 1_000;
        options.payment_delay_s = self.payment_delay_seconds;
        if let (Some(dynamodb), Some(kms)) = (&self.dynamodb_url, &self.kms_url) {
            let keys = (self.kms_key_id.as_deref(), self.cosigner_kms_key_id.as_deref());
            let env = |name: &str| std::env::var(name).ok();
            options.engines = Some(Engines::new((dynamodb, kms), keys, &Env(&env))?);
        }
        options.require_deposit = self.require_deposit;
        options.allowed_origins = self.allowed_origins.clone();
        options.limits = (self.key_rate_limit > 0).then_some(Limits {
            rate_per_s: self.key_rate_limit,
            burst: self.key_burst_limit,
            quota_per_day: self.key_quota_per_day,
        });
        options.return_private_key = self.return_api_private_key;
        Ok(options)
    }

    fn lighter(&self) -> Result<LighterTarget, ConfigError> {
        let (url, chain_id) = (self.lighter_url.clone(), self.lighter_chain_id);
        if let Some(url) = &url {
            check_network(Exchange::Lighter, "LIGHTER_URL", url, network_of_chain(chain_id))?;
        }
        Ok(LighterTarget { url, chain_id, keys_in_query: self.lighter_keys_in_query })
    }

    /// Returns the exchanges at which wallets are registered, each with its network.
    fn targets(&self) -> Result<(HyperliquidTarget, AsterTarget), ConfigError> {
        let of_url = |url: &Option<Url>| url.as_ref().and_then(network_of);
        let hyperliquid = HyperliquidTarget {
            url: self.hyperliquid_url.clone(),
            chain: self
                .hyperliquid_chain
                .or_else(|| of_url(&self.hyperliquid_url))
                .unwrap_or(HyperliquidChain::Testnet),
            builder: self.hyperliquid_builder,
        };
        let aster = AsterTarget {
            url: self.aster_url.clone(),
            chain: resolve_aster_chain(self.aster_chain, self.aster_agent_chain_id)?
                .or_else(|| of_url(&self.aster_url))
                .unwrap_or(hyperliquid.chain),
            signature_chain_id: self.aster_signature_chain_id,
            v1: self.aster_api == AsterApi::V1,
            builder: self.aster_builder,
        };
        for (exchange, name, url, chain) in [
            (Exchange::Hyperliquid, "HYPERLIQUID_URL", &hyperliquid.url, hyperliquid.chain),
            (Exchange::Aster, "ASTER_URL", &aster.url, aster.chain),
        ] {
            if let Some(url) = url {
                check_network(exchange, name, url, chain)?;
            }
        }
        Ok((hyperliquid, aster))
    }
}
