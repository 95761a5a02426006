//! Measures each operation with 1, 8 and 64 clients, and with exchange latencies of 0 and 50 ms.

use std::time::Duration;

use crate::drive::{Job, Timed, drive};
use crate::error::BenchError;
use crate::options::BenchOptions;
use crate::world::World;

/// The results of one operation with this many clients.
pub(crate) struct Cell {
    pub(crate) operation: &'static str,
    pub(crate) clients: usize,
    pub(crate) latency_ms: u64,
    pub(crate) timed: Timed,
    /// The peak memory of the endpoints and of the cosigner so far, in MB.
    pub(crate) peaks: (u64, u64),
}

pub(crate) fn users(kind: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{kind}_{number}")).collect()
}

pub(crate) fn jobs(users: &[String], job: impl Fn(&str) -> Job) -> Vec<Job> {
    users.iter().map(|user| job(user)).collect()
}

/// Returns this many signatures, alternating between the users.
pub(crate) fn signatures(users: &[String], count: usize) -> Vec<Job> {
    users.iter().cycle().take(count).enumerate().map(|(index, it)| Job::sign(it, index)).collect()
}

/// Returns the results, and the users whose wallets exist now.
pub(crate) async fn cells(
    world: &World,
    options: &BenchOptions,
) -> Result<(Vec<Cell>, Vec<String>), BenchError> {
    let mut cells = Vec::new();
    let mut users_made = Vec::new();
    for clients in [1, 8, 64] {
        let count = options.or(clients.max(16), 2);
        let clients = options.or(clients, clients.min(2));
        let users = users(&format!("many_{}", cells.len()), count);
        let creations = jobs(&users, Job::create);
        cells.push(cell(world, "create", (clients, 0), creations).await?);
        users_made.extend(users.iter().cloned());
        let signatures = signatures(&users_made, options.or(200, 4));
        cells.push(cell(world, "sign", (clients, 0), signatures).await?);
        let many = options.or(1_000, 4);
        let finds: Vec<_> =
            users_made.iter().cycle().take(many).map(|user| Job::find(user)).collect();
        cells.push(cell(world, "get", (clients, 0), finds).await?);
        cells.push(cell(world, "list", (clients, 0), vec![Job::list(); many / 2]).await?);
        for latency_ms in [0, 50] {
            world.set_latency(Duration::from_millis(latency_ms));
            let at = (clients, latency_ms);
            for (operation, wanted) in [
                ("register", jobs(&users, |user| Job::register("aster", user))),
                ("rotate", jobs(&users, Job::rotate)),
                ("delete", jobs(&users, |user| Job::delete("aster", user))),
            ] {
                cells.push(cell(world, operation, at, wanted).await?);
            }
        }
        world.set_latency(Duration::ZERO);
    }
    Ok((cells, users_made))
}

async fn cell(
    world: &World,
    operation: &'static str,
    (clients, latency_ms): (usize, u64),
    jobs: Vec<Job>,
) -> Result<Cell, BenchError> {
    let timed = drive(world, clients, jobs).await?;
    Ok(Cell { operation, clients, latency_ms, timed, peaks: world.peaks() })
}
