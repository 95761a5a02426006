//! `hyperdex`: the local stack and its demo.

mod arguments;
mod operate;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use domain::clock::Clock;
use domain::intent::HyperliquidChain;
use domain::random::Random;
use hyperdex_audit::{AuditError, Source, read_public_key, verify};
use hyperdex_cloud::cosigner::{CosignerSettings, run_child};
use hyperdex_cloud::engines::CosignerEngine;
use hyperdex_console::ConsoleError;
use hyperdex_console::operator::{self, ConsoleOptions};
use hyperdex_local::bench::{self, BenchOptions, EndpointsSettings};
use hyperdex_local::data::with_tables;
use hyperdex_local::keys::KeyFile;
use hyperdex_local::keys::command::{self as keys_command, KeysCommand};
use hyperdex_local::load::{self, LoadArgs};
use hyperdex_local::wallets::{self, WalletsCommand};
use hyperdex_local::{Options, Port, Stack, StartError, demo};
use platform::env::Env;
use platform::telemetry::log_filter;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use arguments::Serve;
use operate::OperateCommand;

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
    /// Freeze and unfreeze wallets as an operator
    Wallets {
        #[command(subcommand)]
        command: WalletsCommand,
    },
    #[command(flatten)]
    Operate(OperateCommand),
    /// The console over a deployment in the cloud, with your own AWS credentials. It only reads.
    Console(ConsoleOptions),
    /// Run the product's three calls against a stack of their own, and use the registered keys.
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
        Some(Command::Demo) => Targets::new().with_default(LevelFilter::OFF),
        Some(Command::Bench(_) | Command::Console(_) | Command::Wallets { .. }) => Targets::new()
            .with_default(LevelFilter::WARN)
            .with_target("dynoxide", LevelFilter::ERROR),
        _ => Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target("dynoxide", LevelFilter::WARN),
    };
    let filter = log_filter(&Env(&|name| std::env::var(name).ok()), filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(filter).init();
    // The cosigner's process has it from here, too.
    platform::process::no_core_dumps();
    match cli.command {
        None | Some(Command::OpenApi { .. }) => match cli.serve.options() {
            Ok(options) => ended(serve(options).await),
            Err(error) => ended(Err(error.into())),
        },
        Some(Command::Cosigner { settings }) => {
            let Some(mut settings) = CosignerSettings::from_arguments(&settings) else {
                return ended(Err(StartError::Part {
                    what: "the cosigner",
                    cause: "it is started by the stack".to_owned(),
                }));
            };
            match CosignerEngine::from_env(&Env(&|name| std::env::var(name).ok())) {
                Ok(engine) => settings.engine = engine,
                Err(error) => return ended(Err(error.into())),
            }
            done(run_child(&settings, say).await)
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
                (Some(export), _) => Some(Source::Export(export)),
                (None, Some(endpoint)) => Some(Source::Endpoint(endpoint)),
                (None, None) => None,
            };
            let verified = audit(source, &cli.serve.data_dir, &table, public_key.as_deref()).await;
            match verified {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => done::<VerifyError>(Err(error)),
            }
        }
        Some(Command::Load(load)) => match load::run(load.options(), say).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failed(&error),
        },
        Some(Command::Console(options)) => done(console(&options).await),
        Some(Command::Operate(command)) => command.run(&cli.serve.data_dir).await,
        Some(Command::Keys { command }) => {
            ended(keys_command::run(&command, &cli.serve.data_dir, asks, say))
        }
        Some(Command::Demo) => {
            let options = match cli.serve.options() {
                Ok(options) => options,
                Err(error) => return ended(Err(error.into())),
            };
            match demo::run(options, say).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(demo::DemoError::Start(error)) => ended(Err(error)),
                Err(error) => failed(&error),
            }
        }
        Some(Command::Wallets { command }) => {
            let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
            let user = user.unwrap_or_else(|_| "unknown".to_owned());
            let clock = Clock::system();
            match wallets::run(&command, &cli.serve.data_dir, &user, clock, say).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&error),
            }
        }
    }
}

async fn serve(options: Options) -> Result<(), StartError> {
    let (data, simulated) = (
        options.data_dir.display().to_string(),
        (options.hyperliquid.url.is_none(), options.aster.url.is_none()),
    );
    let keys = KeyFile::new(&options.data_dir).list()?.len();
    let loopback = options.ip.is_loopback();
    let external = options.engines.is_some();
    let chains = (options.hyperliquid.chain, options.aster.chain);
    let ports = options.ports;
    let mut stack = Stack::start(options).await?;
    let kind = |simulated, chain: HyperliquidChain| {
        let what = if simulated { "simulator" } else { "not simulated" };
        format!("{what}, {}", chain.as_str())
    };
    say("HyperDEX Keys, local stack.");
    say(if loopback {
        "It listens on this machine's loopback alone.\n"
    } else {
        "EXPOSED: whoever reaches it can use every wallet.\n"
    });
    say(&format!("  API          {}", stack.api));
    say(&format!("  console      {}/", stack.api));
    let engine = if external { "  (external)" } else { "" };
    say(&format!("  DynamoDB     {}{engine}", stack.dynamodb));
    say(&format!("  KMS          {}{engine}", stack.kms));
    say(&format!("  Lambda       {}  (cosigner, in a process of its own)", stack.lambda));
    say(&format!("  SQS          {}", stack.sqs));
    say(&format!("  Hyperliquid  {}  ({})", stack.hyperliquid, kind(simulated.0, chains.0)));
    say(&format!("  Aster        {}  ({})", stack.aster, kind(simulated.1, chains.1)));
    say(&format!("  data         {data}"));
    say(&match keys {
        0 => "  API keys     none: open to the tenant local\n".to_owned(),
        some => format!("  API keys     {some}\n"),
    });
    if let Some(cause) = &stack.webhooks_off {
        say(&format!("  Webhooks are off: the external DynamoDB offers no stream ({cause})."));
    }
    for (name, simulated, port, url) in [
        ("Hyperliquid", simulated.0, ports.hyperliquid, &stack.hyperliquid),
        ("Aster", simulated.1, ports.aster, &stack.aster),
    ] {
        match (port, url.port()) {
            (Port::Preferred(wanted), Some(taken)) if simulated && wanted != taken => {
                say(&format!("  Port {wanted} is busy: {name}'s simulator listens on {taken}."));
            }
            _ => {}
        }
    }
    let json = "-H 'Content-Type: application/json' -H 'X-API-KEY: local'";
    let api = &stack.api;
    say(&format!("  curl {api}/api/wallets {json} -d '{{\"userId\":\"user_123\"}}'"));
    for exchange in ["aster", "hyperliquid"] {
        say(&format!(
            "  curl {api}/api/trading/{exchange}/apikey {json} -d '{{\"walletIdOrAddress\":\"user_123\"}}'"
        ));
    }
    say("\nCtrl-C stops it.");
    let (scheduled, pump) = (stack.scheduled.clone(), stack.pump.clone());
    let result = tokio::select! {
        () = stop_signal() => Ok(()),
        never = scheduled.schedule() => match never {},
        never = pump.run() => match never {},
        error = stack.keep_cosigner(say) => Err(error),
    };
    stack.stop().await;
    result
}

/// Why the audit log could not be verified.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Data(#[from] StartError),
}

/// Verifies the audit log of a source, or of the data directory's tables where there is none.
async fn audit(
    source: Option<Source>,
    data_dir: &Path,
    table: &str,
    public_key: Option<&Path>,
) -> Result<bool, VerifyError> {
    let now_ms = Clock::system().now_ms();
    if let Some(source) = source {
        return Ok(verify(&source, table, public_key, now_ms, say).await?);
    }
    // A key that cannot be read is found out before the tables are opened.
    public_key.map(read_public_key).transpose()?;
    let verified = with_tables(data_dir, async |endpoint| {
        verify(&Source::Endpoint(endpoint.to_owned()), table, public_key, now_ms, say).await
    });
    Ok(verified.await??)
}

async fn console(options: &ConsoleOptions) -> Result<(), ConsoleError> {
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
    done(result)
}

/// A command's end: exit code 2 and one line when it could not be done.
fn done<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
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

/// Puts a question to the person at the terminal; `None` where there is no terminal.
fn asks(question: &str) -> Option<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return None;
    }
    let mut output = std::io::stderr().lock();
    let _ = write!(output, "{question} [y/N] ").and_then(|()| output.flush());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).ok()?;
    Some(matches!(line.trim(), "y" | "Y" | "yes"))
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
