//! `hyperdex`: the local stack, its demo and its tools.

mod arguments;
mod audit;
mod operate;
mod serve;
mod terminal;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bench::{BenchOptions, EndpointsSettings};
use clap::{CommandFactory, Parser, Subcommand};
use domain::clock::Clock;
use domain::random::Random;
use hyperdex_cloud::cosigner::{CosignerSettings, run_child};
use hyperdex_cloud::engines::CosignerEngine;
use hyperdex_console::operator::ConsoleOptions;
use hyperdex_local::commands::arguments::Place;
use hyperdex_local::commands::keys::{self, KeysCommand};
use hyperdex_local::commands::policy::{self, PolicyCommand};
use hyperdex_local::commands::recovery::{self, RecoveryCommand};
use hyperdex_local::commands::tenants::{self, TenantsCommand};
use hyperdex_local::commands::wallets::{self, WalletsCommand};
use hyperdex_local::{Options, STACK_BYTES, StartError, demo, workers, yield_to_others};
use load::LoadArgs;
use platform::env::Env;
use platform::telemetry::log_filter;
use tokio::runtime::Handle;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use arguments::Serve;
use audit::AuditCommand;
use operate::OperateCommand;
use serve::{console, serve};
use zeroize::Zeroizing;

use terminal::{Terminal, asks, complain, done, failed, say};

/// Threads for each core, unless `TOKIO_WORKER_THREADS` states their number.
const THREADS_PER_CORE: NonZero<usize> = NonZero::<usize>::MIN.saturating_add(7);

/// Run HyperDEX Keys on this machine
///
/// Starts the API, the cosigner, DynamoDB, KMS and both exchanges' simulators, on loopback.
#[derive(Parser)]
#[command(name = "hyperdex", version)]
struct Cli {
    #[command(flatten)]
    serve: Serve,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "parsed once")]
enum Command {
    /// Verify the cosigner's audit log
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Create, list, rotate and revoke tenant keys
    ///
    /// On the local stack, authentication is disabled until you create the first key: every caller is
    /// the tenant `local`.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Show, propose, approve and cancel payment policy changes
    ///
    /// The payment policy decides where a tenant's money may go. Only changes that approvers sign
    /// alter it.
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Survive the loss of a table or key, with offline keys
    ///
    /// Each side's half of every wallet's key is encrypted to a recovery key of that side. Two people
    /// hold the two keys.
    Recovery {
        #[command(subcommand)]
        command: Box<RecoveryCommand>,
    },
    /// Create, suspend and contain tenants
    Tenants {
        #[command(subcommand)]
        command: TenantsCommand,
    },
    /// Freeze or unfreeze a wallet as an operator
    Wallets {
        #[command(subcommand)]
        command: WalletsCommand,
    },
    #[command(flatten)]
    Operate(OperateCommand),
    /// Open a read-only console over a deployment in AWS
    ///
    /// Uses your own AWS credentials. The console changes nothing.
    Console(ConsoleOptions),
    /// Run the main calls and use the registered keys
    ///
    /// Starts a stack of its own in a temporary directory.
    Demo,
    /// Run many clients while the stack and exchanges fail
    ///
    /// Starts a stack of its own, kills it repeatedly, and checks that no data is lost. Use a
    /// release build.
    Load(LoadArgs),
    /// Measure the service's cost over the bare MPC library
    ///
    /// Only a release build gives meaningful numbers.
    Bench(BenchOptions),
    /// Run the endpoints' process, which a measurement starts
    #[command(hide = true)]
    Endpoints { settings: Vec<String> },
    /// Write the OpenAPI document, generated from the code
    #[command(name = "openapi")]
    OpenApi {
        /// File to write
        path: PathBuf,
    },
    /// Run the cosigner's process, which the stack starts
    #[command(hide = true)]
    Cosigner { settings: Vec<String> },
}

/// Returns the program's arguments, from which the reference is generated.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with its arguments, and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // A computation occupies a thread until it ends. With more threads than cores, the operating
    // system divides the cores between the calls.
    let set = std::env::var("TOKIO_WORKER_THREADS").ok().and_then(|text| text.parse().ok());
    let threads = set.unwrap_or_else(|| {
        let cores = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        cores.saturating_mul(THREADS_PER_CORE)
    });
    // A measurement's process handles requests on one thread, as a Lambda function does.
    let is_measured = threads == NonZero::<usize>::MIN;
    let mut runtime = match is_measured {
        true => tokio::runtime::Builder::new_current_thread(),
        false => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.worker_threads(threads.get()).thread_stack_size(STACK_BYTES).enable_all();
    if !is_measured && matches!(cli.command, Some(Command::Cosigner { .. })) {
        yield_to_others();
    }
    let signs = cli.command.is_none() && !is_measured;
    let signers = match signs.then(|| workers(threads)).transpose() {
        Ok(signers) => signers,
        Err(error) => return failed(&error),
    };
    match runtime.build() {
        Ok(runtime) => runtime.block_on(run(cli, signers.as_ref().map(|it| it.handle().clone()))),
        Err(error) => failed(&error),
    }
}

async fn run(cli: Cli, signers: Option<Handle>) -> ExitCode {
    // Runs before logging starts: building the examples creates errors, which would be logged.
    if let Some(Command::OpenApi { path }) = &cli.command {
        return match openapi::text().map(|text| std::fs::write(path, text)) {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(error)) => failed(&error),
            Err(error) => failed(&error),
        };
    }
    let filter = match cli.command {
        // Log lines would hide the demo's report and the console's address.
        Some(Command::Demo) => Targets::new().with_default(LevelFilter::OFF),
        Some(
            Command::Bench(_)
            | Command::Console(_)
            | Command::Keys { .. }
            | Command::Policy { .. }
            | Command::Recovery { .. }
            | Command::Tenants { .. }
            | Command::Wallets { .. },
        ) => Targets::new()
            .with_default(LevelFilter::WARN)
            .with_target("dynoxide", LevelFilter::ERROR),
        _ => Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target("dynoxide", LevelFilter::WARN),
    };
    let filter = log_filter(&Env(&|name| std::env::var(name).ok()), filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(filter).init();
    // Child processes, such as the cosigner's, inherit this setting.
    platform::process::no_core_dumps();
    match cli.command {
        None | Some(Command::OpenApi { .. }) => match cli.serve.options() {
            Ok(options) => ended(serve(Options { workers: signers, ..options }).await),
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
        Some(Command::Audit { command }) => command.run(&cli.serve.data_dir).await,
        Some(Command::Load(load)) => match load::run(load.options(), say).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failed(&error),
        },
        Some(Command::Console(options)) => done(console(&options).await),
        Some(Command::Operate(command)) => command.run(&cli.serve.data_dir).await,
        Some(Command::Keys { command }) => {
            let user = user();
            let place = place(&cli.serve.data_dir, &user);
            done(keys::run(&command, &place, asks, &Terminal).await)
        }
        Some(Command::Policy { command }) => {
            let user = user();
            let place = place(&cli.serve.data_dir, &user);
            let key = std::env::var("HYPERDEX_API_KEY").ok().map(Zeroizing::new);
            done(policy::run(&command, &place, key, asks, &Terminal).await)
        }
        Some(Command::Recovery { command }) => {
            let user = user();
            let place = place(&cli.serve.data_dir, &user);
            match recovery::run(&command, &place, &Terminal).await {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => done(Err(error)),
            }
        }
        Some(Command::Tenants { command }) => {
            let user = user();
            let place = place(&cli.serve.data_dir, &user);
            match tenants::run(&command, &place, &Terminal).await {
                Ok(code) => ExitCode::from(code),
                Err(error) => done(Err(error)),
            }
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
            let clock = Clock::system();
            match wallets::run(&command, &cli.serve.data_dir, &user(), clock, say).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&error),
            }
        }
    }
}

/// The local machine's user.
fn user() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    user.unwrap_or_else(|_| "unknown".to_owned())
}

fn place<'a>(data_dir: &'a Path, user: &'a str) -> Place<'a> {
    Place { data_dir, user, clock: Clock::system(), random: Random::system() }
}

fn ended(result: Result<(), StartError>) -> ExitCode {
    done(result)
}
