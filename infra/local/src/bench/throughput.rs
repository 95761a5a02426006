//! Each operation: alone, and with 1, 8 and 64 clients, with exchanges that answer at once and in
//! 50 ms.

use std::time::{Duration, Instant};

use super::drive::{Job, Timed, client, drive};
use super::world::World;
use super::{BenchError, BenchOptions, failed};

/// What the ratios are made of.
pub(super) struct Alone {
    /// Wallets, one after the other.
    pub(super) create: Timed,
    /// Signatures, one after the other.
    pub(super) sign: Timed,
    /// Signatures, two at a time.
    pub(super) sign_by_two: Timed,
    /// Registrations with Hyperliquid, one after the other.
    pub(super) register: Timed,
    /// A call of DynamoDB with a small item.
    pub(super) dynamodb: Duration,
    /// A call of an exchange that it refuses at once.
    pub(super) exchange: Duration,
}

/// One operation with so many clients.
pub(super) struct Cell {
    pub(super) operation: &'static str,
    pub(super) clients: usize,
    pub(super) latency_ms: u64,
    pub(super) timed: Timed,
    /// The most memory that the endpoints and the cosigner have had so far, in MB.
    pub(super) peaks: (u64, u64),
}

fn users(kind: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{kind}_{number}")).collect()
}

fn jobs(users: &[String], job: impl Fn(&str) -> Job) -> Vec<Job> {
    users.iter().map(|user| job(user)).collect()
}

/// Signatures of all these users in turn.
fn signatures(users: &[String], count: usize) -> Vec<Job> {
    users.iter().cycle().take(count).enumerate().map(|(index, it)| Job::sign(it, index)).collect()
}

pub(super) async fn alone(world: &World, options: &BenchOptions) -> Result<Alone, BenchError> {
    let users = users("alone", options.or(20, 2));
    // Code and connections are warm.
    drive(world, 1, vec![Job::create("warm")]).await?;
    drive(world, 1, signatures(&["warm".to_owned()], options.or(20, 2))).await?;
    let create = drive(world, 1, jobs(&users, Job::create)).await?;
    let sign = drive(world, 1, signatures(&users, options.or(300, 4))).await?;
    let sign_by_two = drive(world, 2, signatures(&users, options.or(300, 4))).await?;
    let registrations = ["hyperliquid", "aster"]
        .iter()
        .flat_map(|exchange| jobs(&users, |user| Job::register(exchange, user)))
        .collect();
    let register = drive(world, 1, registrations).await?;
    let (dynamodb, exchange) = calls(world, options.or(200, 5)).await?;
    Ok(Alone { create, sign, sign_by_two, register, dynamodb, exchange })
}

/// What a call of a stand-in takes.
async fn calls(world: &World, count: usize) -> Result<(Duration, Duration), BenchError> {
    let (db, http) = (world.aws.dynamodb(), client()?);
    let exchange = format!("{}exchange", world.settings.endpoints.hyperliquid);
    let (mut dynamodb, mut exchanges) = (Vec::new(), Vec::new());
    for number in 0..count {
        let text = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
        let begun = Instant::now();
        db.put_item()
            .table_name(crate::WALLETS_TABLE)
            .item("pk", text(format!("bench#{number}")))
            .item("sk", text("x".repeat(900)))
            .send()
            .await
            .map_err(failed)?;
        dynamodb.push(begun.elapsed());
        let begun = Instant::now();
        http.post(&exchange).body("{}").send().await.map_err(failed)?;
        exchanges.push(begun.elapsed());
    }
    dynamodb.sort_unstable();
    exchanges.sort_unstable();
    Ok((dynamodb[count / 2], exchanges[count / 2]))
}

pub(super) async fn cells(world: &World, options: &BenchOptions) -> Result<Vec<Cell>, BenchError> {
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
    Ok(cells)
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
