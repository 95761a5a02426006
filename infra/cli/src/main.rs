//! `hyperdex`: the local stack, its demo, and the tools around it.

mod arguments;
mod audit;
mod operate;
mod serve;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;

use bench::{BenchOptions, EndpointsSettings};
use clap::{Parser, Subcommand};
use domain::clock::Clock;
use hyperdex_cloud::cosigner::{CosignerSettings, run_child};
use hyperdex_cloud::engines::CosignerEngine;
use hyperdex_console::operator::ConsoleOptions;
use hyperdex_local::commands::keys::{self, KeysCommand};
use hyperdex_local::commands::wallets::{self, WalletsCommand};
use hyperdex_local::{StartError, demo};
use load::LoadArgs;
use platform::env::Env;
use platform::telemetry::log_filter;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use arguments::Serve;
use audit::AuditCommand;
use operate::OperateCommand;
use serve::{console, serve};
use terminal::{asks, complain, done, failed, say};

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
        Some(Command::Audit { command }) => command.run(&cli.serve.data_dir).await,
        Some(Command::Load(load)) => match load::run(load.options(), say).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => failed(&error),
        },
        Some(Command::Console(options)) => done(console(&options).await),
        Some(Command::Operate(command)) => command.run(&cli.serve.data_dir).await,
        Some(Command::Keys { command }) => {
            ended(keys::run(&command, &cli.serve.data_dir, asks, say))
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

fn ended(result: Result<(), StartError>) -> ExitCode {
    done(result)
}
