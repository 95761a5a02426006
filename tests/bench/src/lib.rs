//! What the service costs, measured side by side in one run on one machine: the bare library, and
//! the service over HTTP, DynamoDB and KMS, both parties in processes of their own.
//!
//! This process holds what the cloud and the exchanges hold, and the clients; the endpoints and the
//! cosigner are two others. So what the product itself uses is told apart from what its stand-ins
//! use.

mod bare;
mod chart;
mod client;
mod cold;
mod cost;
mod counted;
mod drive;
mod edge;
mod endpoints;
mod error;
mod fixture;
mod growth;
mod machine;
mod measured;
mod options;
mod report;
mod throughput;
mod times;
mod turns;
mod world;

pub use endpoints::{EndpointsSettings, run as run_endpoints};
pub use error::BenchError;
use error::failed;
use measured::Measured;
pub use options::BenchOptions;
use world::{Setup, World};

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
        report::put(&folder.join("project/performance.md"), &text)?;
        report::put(&folder.join("reference/costs.md"), &costs)?;
        std::fs::write(folder.join("project/performance.svg"), chart::draw(&measured))
            .map_err(failed)?;
    }
    Ok(())
}
