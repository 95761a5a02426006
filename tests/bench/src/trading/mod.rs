//! Orders: the processor time of the service against a bare signed request, throughput, remote
//! calls, and growth with the number of open orders.

mod bare;
mod calls;
mod desk;
mod growth;
mod report;
mod throughput;
mod turns;

pub(crate) use report::{costs, markdown};

use domain::ids::Exchange;

use crate::drive::{Job, drive};
use crate::error::BenchError;
use crate::options::BenchOptions;
use crate::throughput::{jobs, users};
use crate::world::{Setup, World};

pub(crate) const EXCHANGES: [Exchange; 2] = [Exchange::Hyperliquid, Exchange::Aster];

/// The results with all processes of a measurement.
pub(crate) struct Speed {
    turns: Vec<turns::Turns>,
    cells: Vec<throughput::Cell>,
}

/// The results with counted calls.
pub(crate) struct Counts {
    calls: Vec<calls::Counted>,
    growth: Vec<growth::Growth>,
}

/// What was measured about orders.
pub(crate) struct Trading {
    speed: Speed,
    counts: Counts,
}

impl Trading {
    pub(crate) const fn new(speed: Speed, counts: Counts) -> Self {
        Self { speed, counts }
    }
}

/// Measures speed with wallets that exist.
pub(crate) async fn speed(
    world: &World,
    options: &BenchOptions,
    users: &[String],
) -> Result<Speed, BenchError> {
    desk::ready(world, users).await?;
    let mut turns = Vec::new();
    for exchange in EXCHANGES {
        turns.push(turns::measure(world, options, exchange, users).await?);
    }
    let cells = throughput::measure(world, options, users).await?;
    Ok(Speed { turns, cells })
}

/// Counts the calls of a wallet that exists.
pub(crate) async fn counts(
    world: &World,
    options: &BenchOptions,
    user: &str,
) -> Result<Counts, BenchError> {
    desk::ready(world, &[user.to_owned()]).await?;
    let calls = calls::measure(world, user).await?;
    let growth = growth::measure(world, options, user).await?;
    Ok(Counts { calls, growth })
}

/// Measures only orders.
pub(crate) async fn measure(
    options: &BenchOptions,
    instances: usize,
    say: fn(&str),
) -> Result<Trading, BenchError> {
    say("orders: the service and bare requests, alternating, and 1, 8 and 64 clients …");
    let world = World::start(Setup { counted: false, recovery: true, instances }).await?;
    let users = users("trader", options.or(64, 2));
    drive(&world, instances, jobs(&users, Job::create)).await?;
    let speed = speed(&world, options, &users).await?;
    world.stop().await;
    say("orders: the calls of each operation …");
    let world = World::start(Setup { counted: true, recovery: true, instances: 1 }).await?;
    drive(&world, 1, vec![Job::create("trader")]).await?;
    let counts = counts(&world, options, "trader").await?;
    world.stop().await;
    Ok(Trading::new(speed, counts))
}
