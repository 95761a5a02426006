//! What the local stack is told on the command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use hyperdex_local::{AllowedHost, AsterTarget, HyperliquidTarget, Limits, Options, Ports};
use shared::api::cors::Origins;
use shared::config::{parse_chain, parse_url};
use shared::intent::HyperliquidChain;
use url::Url;

#[derive(Args)]
pub(crate) struct Serve {
    /// Port of the HTTP API; 0 takes any.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Address that every part listens on.
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Let --bind be another address than loopback, for containers. The API's keys keep nobody out
    /// of its DynamoDB and KMS.
    #[arg(long)]
    expose: bool,
    /// Further host name under which clients reach the API, with or without a port; repeatable.
    #[arg(long, value_name = "NAME[:PORT]")]
    allowed_host: Vec<AllowedHost>,
    /// Where wallets and keys are kept.
    #[arg(long, default_value = ".local", global = true)]
    pub(crate) data_dir: PathBuf,
    /// Hyperliquid to use in place of the simulator: https, or http on loopback.
    #[arg(long, env = "HYPERLIQUID_URL", value_parser = url, global = true)]
    hyperliquid_url: Option<Url>,
    /// Hyperliquid's network: Mainnet or Testnet.
    #[arg(long, env = "HYPERLIQUID_CHAIN", value_parser = chain, default_value = "Mainnet", global = true)]
    hyperliquid_chain: HyperliquidChain,
    /// Aster to use in place of the simulator: https, or http on loopback.
    #[arg(long, env = "ASTER_URL", value_parser = url, global = true)]
    aster_url: Option<Url>,
    /// Chain of a wallet's approval on Aster.
    #[arg(long, env = "ASTER_SIGNATURE_CHAIN_ID", default_value_t = 56, global = true)]
    aster_signature_chain_id: u64,
    /// Chain of calls that an agent signs on Aster: 1666, on the test network 714.
    #[arg(long, env = "ASTER_AGENT_CHAIN_ID", default_value_t = 1666, global = true)]
    aster_agent_chain_id: u64,
    /// Aster's API: agents by v3, or API keys by v1.
    #[arg(long, env = "ASTER_API", value_enum, default_value = "v3", global = true)]
    aster_api: AsterApi,
    /// The simulators want a deposit before an account may act.
    #[arg(long)]
    require_deposit: bool,
    /// Whether registration with Hyperliquid hands the agent's private key out.
    #[arg(long, env = "RETURN_API_PRIVATE_KEY", default_value_t = true, action = clap::ArgAction::Set)]
    return_api_private_key: bool,
    /// What of Hyperliquid's weight a minute may be used.
    #[arg(long, env = "HYPERLIQUID_WEIGHT_PER_MINUTE")]
    hyperliquid_weight_per_minute: Option<u64>,
    /// What of Aster's weight a minute may be used.
    #[arg(long, env = "ASTER_WEIGHT_PER_MINUTE")]
    aster_weight_per_minute: Option<u64>,
    /// Origins that may call the API from a browser, with commas between them.
    #[arg(long, env = "ALLOWED_ORIGINS", value_parser = origins, default_value = "")]
    allowed_origins: Origins,
    /// Requests a second for each API key; 0 is no limit at all.
    #[arg(long, env = "KEY_RATE_LIMIT", default_value_t = Limits::default().rate_per_s)]
    key_rate_limit: u64,
    /// Requests at once for each API key.
    #[arg(long, env = "KEY_BURST_LIMIT", default_value_t = Limits::default().burst)]
    key_burst_limit: u64,
    /// Requests a day (UTC) for each API key.
    #[arg(long, env = "KEY_QUOTA_PER_DAY", default_value_t = Limits::default().quota_per_day)]
    key_quota_per_day: u64,
    /// Port of DynamoDB; 0 takes any.
    #[arg(long, default_value_t = 0)]
    dynamodb_port: u16,
    /// Port of KMS; 0 takes any.
    #[arg(long, default_value_t = 0)]
    kms_port: u16,
    /// Port of Lambda's Invoke API; 0 takes any.
    #[arg(long, default_value_t = 0)]
    lambda_port: u16,
    /// Port of SQS; 0 takes any.
    #[arg(long, default_value_t = 0)]
    sqs_port: u16,
    /// Port of Hyperliquid's simulator; 0 takes any.
    #[arg(long, default_value_t = 0)]
    hyperliquid_port: u16,
    /// Port of Aster's simulator; 0 takes any.
    #[arg(long, default_value_t = 0)]
    aster_port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum AsterApi {
    V3,
    V1,
}

fn url(text: &str) -> Result<Url, &'static str> {
    parse_url(text).ok_or("an https URL is wanted, or http on loopback, without a query")
}

fn chain(text: &str) -> Result<HyperliquidChain, &'static str> {
    parse_chain(text).ok_or("Mainnet or Testnet is wanted")
}

fn origins(text: &str) -> Result<Origins, &'static str> {
    Origins::parse(text).ok_or("expected origins such as https://tool.example.com")
}

impl Serve {
    pub(crate) fn options(&self) -> Options {
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
            hyperliquid: self.hyperliquid_port,
            aster: self.aster_port,
        };
        options.hyperliquid =
            HyperliquidTarget { url: self.hyperliquid_url.clone(), chain: self.hyperliquid_chain };
        options.aster = AsterTarget {
            url: self.aster_url.clone(),
            signature_chain_id: self.aster_signature_chain_id,
            agent_chain_id: self.aster_agent_chain_id,
            v1: self.aster_api == AsterApi::V1,
        };
        let budget = &mut options.budget;
        if let Some(weight) = self.hyperliquid_weight_per_minute {
            budget.hyperliquid_per_minute = weight;
        }
        if let Some(weight) = self.aster_weight_per_minute {
            budget.aster_per_minute = weight;
        }
        options.require_deposit = self.require_deposit;
        options.allowed_origins = self.allowed_origins.clone();
        options.limits = (self.key_rate_limit > 0).then_some(Limits {
            rate_per_s: self.key_rate_limit,
            burst: self.key_burst_limit,
            quota_per_day: self.key_quota_per_day,
        });
        options.return_private_key = self.return_api_private_key;
        options
    }
}
