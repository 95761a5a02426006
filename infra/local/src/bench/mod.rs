//! What the service costs, measured side by side in one run on one machine: the bare library, and
//! the service over HTTP, DynamoDB and KMS, both parties in processes of their own.
//!
//! This process holds what the cloud and the exchanges hold, and the clients; the endpoints and the
//! cosigner are two others. So what the product itself uses is told apart from what its stand-ins
//! use.

mod bare;
mod chart;
mod cold;
mod cost;
mod counted;
mod drive;
mod edge;
mod endpoints;
mod fixture;
mod growth;
mod machine;
mod report;
mod throughput;
mod turns;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::error::StartError;
pub use endpoints::{EndpointsSettings, run as run_endpoints};
use world::{Setup, World};

/// How much is measured, and where the report goes.
#[derive(Args, Clone, Debug)]
pub struct BenchOptions {
    /// A run of a minute that measures everything once or twice, to see that it can be measured.
    #[arg(long)]
    short: bool,
    /// The bare library and the service alone, three minutes: for trying a change. Nothing is
    /// written.
    #[arg(long, conflicts_with = "out")]
    ratios: bool,
    /// Wallets in the largest table.
    #[arg(long, default_value_t = 1_000_000)]
    wallets: u64,
    /// A folder with performance.md and costs.md, into which the report is written; a drawing is
    /// put beside it. It is printed in any case.
    #[arg(long)]
    out: Option<PathBuf>,
    /// The built functions (`.ci/bootstraps` builds them into target/lambda): their cold starts are
    /// measured too.
    #[arg(long)]
    bootstraps: Option<PathBuf>,
}

impl BenchOptions {
    /// So many, or in a short run so few.
    const fn or<T: Copy>(&self, whole: T, short: T) -> T {
        if self.short { short } else { whole }
    }
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The stack did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A stand-in for the cloud did not start.
    #[error(transparent)]
    Cloud(#[from] hyperdex_cloud::error::CloudError),
    /// A port is taken.
    #[error(transparent)]
    Listen(#[from] hyperdex_listen::ListenError),
    /// The run could not go on.
    #[error("the measurement: {0}")]
    Run(String),
}

fn failed(cause: impl Into<Box<dyn std::error::Error>>) -> BenchError {
    BenchError::Run(cause.into().to_string())
}

/// Everything that was measured.
struct Measured {
    machine: machine::Machine,
    turns: turns::Turns,
    cells: Vec<throughput::Cell>,
    counted: Vec<counted::Counted>,
    growth: Vec<growth::Growth>,
    /// Nothing where nobody said where the built functions are.
    cold: Vec<cold::Cold>,
    /// From the start of a function to a signature.
    first_signature: Option<Duration>,
}

/// Measures everything, says it, and writes it down where it is told to.
///
/// # Errors
/// When something cannot be measured.
pub async fn run(options: BenchOptions, say: fn(&str)) -> Result<(), BenchError> {
    let machine = machine::Machine::look();
    say(&machine.to_string());
    say("the bare library and the service, one call at a time, in turns …");
    // One instance for each core, as many as can work at once.
    let instances = machine.cores();
    let world = World::start(Setup { counted: false, instances }).await?;
    let turns = turns::measure(&world, &options).await?;
    if options.ratios {
        world.stop().await;
        say(&report::ratios(&machine, &turns));
        return Ok(());
    }
    say("the service: 1, 8 and 64 clients …");
    let cells = throughput::cells(&world, &options).await?;
    let (mut cold, mut first_signature) = (Vec::new(), None);
    if let Some(folder) = &options.bootstraps {
        say("cold starts …");
        cold = cold::measure(&world, folder, options.or(41, 1)).await?;
        first_signature = cold::first_signature(&world, folder, options.or(41, 1)).await?;
    }
    world.stop().await;

    say("the calls of each operation …");
    let world = World::start(Setup { counted: true, instances: 1 }).await?;
    let counted = counted::measure(&world).await?;
    world.stop().await;

    let mut growth = Vec::new();
    let sizes = [10, 10_000, options.wallets];
    for wallets in sizes.into_iter().take(options.or(3, 2)) {
        let wallets = wallets.min(options.or(u64::MAX, 500));
        say(&format!("{wallets} wallets in the table …"));
        growth.push(growth::measure(wallets, options.or(20, 2)).await?);
    }

    let measured = Measured { machine, turns, cells, counted, growth, cold, first_signature };
    let text = report::markdown(&measured);
    say(&text);
    let costs = cost::markdown(&measured);
    say(&costs);
    if let Some(folder) = &options.out {
        report::put(&folder.join("performance.md"), &text)?;
        report::put(&folder.join("costs.md"), &costs)?;
        std::fs::write(folder.join("performance.svg"), chart::draw(&measured)).map_err(failed)?;
    }
    Ok(())
}

/// In milliseconds.
fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Below which so many hundredths of these times are.
fn percentile(times: &[Duration], part: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() * part / 100).copied().unwrap_or_default()
}
