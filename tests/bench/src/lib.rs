//! Compares the cost of the bare library with the service over HTTP, DynamoDB and KMS, in one run
//! on one machine. Both parties run in separate processes.
//!
//! This process has the local cloud, the exchanges and the clients. The endpoints and the cosigner
//! are other processes, so the product's own processor time can be separated.

mod bare;
mod chart;
mod client;
mod clients;
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
mod recovery;
mod report;
mod throughput;
mod times;
mod trading;
mod turns;
mod world;

pub use endpoints::{EndpointsSettings, run as run_endpoints};
pub use error::BenchError;
use error::failed;
use measured::Measured;
pub use options::BenchOptions;
use report::{ORDERS, WHOLE};
use world::{Setup, World};

/// Measures everything, prints the report, and writes it to the given folder.
///
/// # Errors
///
/// Fails if a measurement fails.
pub async fn run(options: BenchOptions, say: fn(&str)) -> Result<(), BenchError> {
    let machine = machine::Machine::look();
    say(&machine.to_string());
    // One instance for each core, as many as can run concurrently.
    let instances = machine.cores();
    if options.trading {
        let orders = trading::measure(&options, instances, say).await?;
        return write_orders(&options, &machine, &orders, say);
    }
    if options.clients {
        say(&clients::measure(&options).await?);
        return Ok(());
    }
    if options.recovery {
        say(&recovery::measure(&options).await?);
        return Ok(());
    }
    say("the bare library and the service, alternating, one call at a time …");
    let world = World::start(Setup { counted: false, recovery: true, instances }).await?;
    let turns = if options.signing {
        turns::signatures_only(&world, &options).await?
    } else {
        turns::measure(&world, &options).await?
    };
    if options.ratios || options.signing {
        world.stop().await;
        say(&report::ratios(&machine, &turns));
        return Ok(());
    }
    say("the service: 1, 8 and 64 clients …");
    let (cells, users) = throughput::cells(&world, &options).await?;
    say("orders: the service and bare requests, alternating, and 1, 8 and 64 clients …");
    let speed = trading::speed(&world, &options, &users).await?;
    let (mut cold, mut first_signature) = (Vec::new(), None);
    if let Some(folder) = &options.bootstraps {
        say("cold starts …");
        cold = cold::measure(&world, folder, options.or(41, 1)).await?;
        first_signature = cold::first_signature(&world, folder, options.or(41, 1)).await?;
    }
    world.stop().await;

    say("the calls of each operation …");
    let world = World::start(Setup { counted: true, recovery: true, instances: 1 }).await?;
    let counted = counted::measure(&world).await?;
    let counts = trading::counts(&world, &options, counted::USER).await?;
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
        report::put(&folder.join("project/performance.md"), WHOLE, &text)?;
        report::put(&folder.join("reference/costs.md"), WHOLE, &costs)?;
        std::fs::write(folder.join("project/performance.svg"), chart::draw(&measured))
            .map_err(failed)?;
    }
    write_orders(&options, &measured.machine, &trading::Trading::new(speed, counts), say)
}

/// Prints the tables of orders, and writes them to the given folder.
fn write_orders(
    options: &BenchOptions,
    machine: &machine::Machine,
    orders: &trading::Trading,
    say: fn(&str),
) -> Result<(), BenchError> {
    let (text, costs) = (trading::markdown(machine, orders), trading::costs(machine, orders));
    say(&text);
    say(&costs);
    if let Some(folder) = &options.out {
        report::put(&folder.join("project/performance.md"), ORDERS, &text)?;
        report::put(&folder.join("reference/costs.md"), ORDERS, &costs)?;
    }
    Ok(())
}
