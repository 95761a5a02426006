//! `hyperdex`: the local stack and its demo.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use hyperdex_local::bench::{self, BenchOptions, EndpointsSettings};
use hyperdex_local::cosigner::{CosignerSettings, run_child};
use hyperdex_local::keys::KeyFile;
use hyperdex_local::keys::command::{self as keys_command, KeysCommand};
use hyperdex_local::load::{self, LoadArgs};
use hyperdex_local::operator::{self, ConsoleOptions};
use hyperdex_local::{
    AsterTarget, HyperliquidTarget, Limits, Options, Ports, Stack, StartError, audit, demo, jobs,
};
use shared::clock::Clock;
use shared::config::{parse_chain, parse_url};
use shared::intent::HyperliquidChain;
use shared::random::Random;
use tracing_subscriber::EnvFilter;
use url::Url;

/// HyperDEX Keys on this machine: the API, the cosigner, DynamoDB, KMS and the exchanges, all on
/// loopback.
#[derive(Parser)]
#[command(name = "hyperdex", version)]
struct Cli {
    #[command(flatten)]
    serve: Serve,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Look at the cosigner's audit log.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// API keys. Each is a tenant; while there is none, the stack is open, to the tenant `local`.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// The console over a deployment in the cloud, with your own AWS credentials. It only reads.
    Console(ConsoleOptions),
    /// Run the product's three calls against a stack of their own, and prove the delivered keys.
    Demo,
    /// Run many clients against a stack of their own while it is killed and the exchanges fail,
    /// and see that nothing is lost. Best with a release build.
    Load(LoadArgs),
    /// Measure what the service costs beside the bare library. Only a release build tells anything.
    Bench(BenchOptions),
    /// The endpoints' process; a measurement starts it.
    #[command(hide = true)]
    Endpoints { settings: Vec<String> },
    /// Write the API's OpenAPI document, as the code makes it, to a file: docs/openapi.json.
    #[command(name = "openapi")]
    OpenApi { path: PathBuf },
    /// The cosigner's process; the stack starts it.
    #[command(hide = true)]
    Cosigner { settings: Vec<String> },
}

#[derive(Args)]
struct Serve {
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
    /// Where wallets and keys are kept.
    #[arg(long, default_value = ".local", global = true)]
    data_dir: PathBuf,
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
enum AsterApi {
    V3,
    V1,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Verify every chain: of the local stack's data, of an export, or of a table that answers.
    Verify {
        /// An export of the cosigner's table in DynamoDB's JSON, one `{"Item":…}` in each line.
        #[arg(long, conflicts_with = "endpoint")]
        export: Option<PathBuf>,
        /// URL of the DynamoDB that holds the table, such as the running local stack's.
        #[arg(long)]
        endpoint: Option<String>,
        /// The public key of the seals, in PEM or DER: they are verified, and the chains against
        /// them. The local stack's is audit-public-key.pem in its data directory.
        #[arg(long)]
        public_key: Option<PathBuf>,
        /// The table.
        #[arg(long, default_value = hyperdex_local::COSIGNER_TABLE)]
        table: String,
    },
}

fn url(text: &str) -> Result<Url, &'static str> {
    parse_url(text).ok_or("an https URL is wanted, or http on loopback, without a query")
}

fn chain(text: &str) -> Result<HyperliquidChain, &'static str> {
    parse_chain(text).ok_or("Mainnet or Testnet is wanted")
}

impl Serve {
    fn options(&self) -> Options {
        let mut options = Options::new(&self.data_dir);
        options.ip = self.bind;
        options.expose = self.expose;
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
        options.limits = (self.key_rate_limit > 0).then_some(Limits {
            rate_per_s: self.key_rate_limit,
            burst: self.key_burst_limit,
            quota_per_day: self.key_quota_per_day,
        });
        options.return_private_key = self.return_api_private_key;
        options
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A measurement's processes have one thread for requests, as a function has.
    let mut runtime = match std::env::var("TOKIO_WORKER_THREADS").as_deref() {
        Ok("1") => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => failed(&error),
    }
}

async fn run(cli: Cli) -> ExitCode {
    // Before there is a log: each error that is made for an example would be in it.
    if let Some(Command::OpenApi { path }) = &cli.command {
        return match openapi::text().map(|text| std::fs::write(path, text)) {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        };
    }
    let filter = match cli.command {
        // A report is to be read, and so is an address.
        Some(Command::Bench(_) | Command::Console(_)) => "warn",
        _ => "info,dynoxide=warn,winterbaume_kms=warn",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // The cosigner's process has it from here, too.
    shared::process::no_core_dumps();
    match cli.command {
        None | Some(Command::OpenApi { .. }) => ended(serve(cli.serve.options()).await),
        Some(Command::Cosigner { settings }) => {
            let Some(settings) = CosignerSettings::from_arguments(&settings) else {
                return ended(Err(StartError::Part {
                    what: "the cosigner",
                    cause: "it is started by the stack".to_owned(),
                }));
            };
            ended(run_child(&settings, say).await)
        }
        Some(Command::Endpoints { settings }) => {
            let Some(settings) = EndpointsSettings::from_arguments(&settings) else {
                return ended(Err(StartError::Part {
                    what: "the endpoints",
                    cause: "they are started by a measurement".to_owned(),
                }));
            };
            ended(bench::run_endpoints(&settings, say).await)
        }
        Some(Command::Bench(options)) => match bench::run(options, say).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&error);
                ExitCode::FAILURE
            }
        },
        Some(Command::Audit {
            command: AuditCommand::Verify { export, endpoint, public_key, table },
        }) => {
            let source = match (export, endpoint) {
                (Some(export), _) => audit::Source::Export(export),
                (None, Some(endpoint)) => audit::Source::Endpoint(endpoint),
                (None, None) => audit::Source::Data(cli.serve.data_dir),
            };
            match audit::verify(&source, &table, public_key.as_deref(), say).await {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => ended(Err(error)),
            }
        }
        Some(Command::Load(load)) => match load::run(load.options(), say).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failed(&error),
        },
        Some(Command::Console(options)) => ended(console(&options).await),
        Some(Command::Keys { command }) => {
            let ran = keys_command::run(&command, &cli.serve.data_dir, say);
            ended(ran.map_err(StartError::from))
        }
        Some(Command::Demo) => match demo::run(cli.serve.options(), say).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(demo::DemoError::Start(error)) => ended(Err(error)),
            Err(error) => failed(&error),
        },
    }
}

async fn serve(options: Options) -> Result<(), StartError> {
    let (data, simulated) = (
        options.data_dir.display().to_string(),
        (options.hyperliquid.url.is_none(), options.aster.url.is_none()),
    );
    let keys = KeyFile::new(&options.data_dir).list()?.len();
    let loopback = options.ip.is_loopback();
    let return_private_key = options.return_private_key;
    let mut stack = Stack::start(options).await?;
    let kind = |simulated| {
        if simulated { "simulator" } else { "not simulated" }
    };
    say("HyperDEX Keys, local stack.");
    say(if loopback {
        "It listens on this machine's loopback alone.\n"
    } else {
        "EXPOSED: whoever reaches it can use every wallet.\n"
    });
    say(&format!("  API          {}", stack.api));
    say(&format!("  console      {}/", stack.api));
    say(&format!("  DynamoDB     {}", stack.dynamodb));
    say(&format!("  KMS          {}", stack.kms));
    say(&format!("  Lambda       {}  (cosigner, in a process of its own)", stack.lambda));
    say(&format!("  SQS          {}", stack.sqs));
    say(&format!("  Hyperliquid  {}  ({})", stack.hyperliquid, kind(simulated.0)));
    say(&format!("  Aster        {}  ({})", stack.aster, kind(simulated.1)));
    say(&format!("  data         {data}"));
    say(&match keys {
        0 => "  API keys     none: open to the tenant local\n".to_owned(),
        some => format!("  API keys     {some}\n"),
    });
    let json = "-H 'Content-Type: application/json' -H 'X-API-KEY: local'";
    let api = &stack.api;
    say(&format!("  curl {api}/api/wallets {json} -d '{{\"userId\":\"user_123\"}}'"));
    for exchange in ["aster", "hyperliquid"] {
        say(&format!(
            "  curl {api}/api/trading/{exchange}/apikey {json} -d '{{\"walletIdOrAddress\":\"user_123\"}}'"
        ));
    }
    say("\nCtrl-C stops it.");
    let (scheduled, seal, pump) = (stack.jobs.clone(), stack.seal.clone(), stack.pump.clone());
    let result = tokio::select! {
        () = stop_signal() => Ok(()),
        never = jobs::run(scheduled, seal, return_private_key) => match never {},
        never = pump.run() => match never {},
        () = stack.cosigner_ended() => Err(StartError::Part {
            what: "the cosigner's process",
            cause: "it ended".to_owned(),
        }),
    };
    stack.stop().await;
    result
}

async fn console(options: &ConsoleOptions) -> Result<(), StartError> {
    let console = operator::start(options, Clock::system(), Random::system()).await?;
    say("HyperDEX Keys, console over a deployment. It reads, and changes nothing.");
    say("The address opens it to whoever has it; it is good until this program ends.\n");
    say(&format!("  console  {}", console.address));
    say("\nCtrl-C stops it.");
    stop_signal().await;
    Ok(())
}

/// Ctrl-C, or the signal that asks a process to end.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

fn ended(result: Result<(), StartError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    complain(error);
    ExitCode::FAILURE
}

/// A reader that has gone away is no reason to stop.
fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

#[expect(clippy::print_stderr, reason = "a program for a terminal")]
fn complain(error: &dyn std::error::Error) {
    eprintln!("hyperdex: {error}");
}
