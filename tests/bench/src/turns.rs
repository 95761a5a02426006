//! Alternates between the bare library and the service. The speed of a machine changes during a
//! run, so both sides of a ratio are measured within the same seconds.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use hyperdex_cloud::names::WALLETS_TABLE;

use crate::bare::{self, Bare};
use crate::client::client;
use crate::drive::{Job, Timed, drive};
use crate::error::{BenchError, failed};
use crate::options::BenchOptions;
use crate::throughput::{jobs, signatures, users};
use crate::times::percentile;
use crate::world::World;

/// The times of the service with one call at a time.
#[derive(Clone, Default)]
pub(crate) struct Alone {
    pub(crate) create: Timed,
    pub(crate) sign: Timed,
    /// Signatures with two concurrent calls.
    pub(crate) sign_by_two: Timed,
    /// Registrations with both exchanges.
    pub(crate) register: Timed,
    dynamodb: Vec<Duration>,
    exchange: Vec<Duration>,
}

impl Alone {
    fn extend(&mut self, other: &Self) {
        self.create.extend(&other.create);
        self.sign.extend(&other.sign);
        self.sign_by_two.extend(&other.sign_by_two);
        self.register.extend(&other.register);
        self.dynamodb.extend(&other.dynamodb);
        self.exchange.extend(&other.exchange);
    }

    /// Returns the time of a local DynamoDB call with a small item.
    pub(crate) fn dynamodb(&self) -> Duration {
        percentile(&self.dynamodb, 50)
    }

    /// Returns the time of an exchange call that is refused at once.
    pub(crate) fn exchange(&self) -> Duration {
        percentile(&self.exchange, 50)
    }
}

/// The two sides of the ratios.
#[derive(Clone, Default)]
pub(crate) struct Sides {
    pub(crate) bare: Bare,
    pub(crate) alone: Alone,
}

/// The results of each turn.
pub(crate) struct Turns(pub(crate) Vec<Sides>);

impl Turns {
    /// Returns all turns merged.
    pub(crate) fn all(&self) -> Sides {
        let mut all = Sides::default();
        for turn in &self.0 {
            all.bare.extend(&turn.bare);
            all.alone.extend(&turn.alone);
        }
        all
    }
}

pub(crate) async fn measure(world: &World, options: &BenchOptions) -> Result<Turns, BenchError> {
    // Warms up code and connections.
    drive(world, 2, jobs(&users("warm", 2), Job::create)).await?;
    drive(world, 2, signatures(&users("warm", 2), options.or(20, 2))).await?;
    let mut turns = Vec::new();
    for number in 0..options.or(20, 1) {
        turns.push(turn(world, options, number).await?);
    }
    Ok(Turns(turns))
}

/// Measures signatures only: more of them in each turn, so that the resolution of processor times
/// hardly counts.
pub(crate) async fn signatures_only(
    world: &World,
    options: &BenchOptions,
) -> Result<Turns, BenchError> {
    let users = users("signing", 2);
    drive(world, 2, jobs(&users, Job::create)).await?;
    drive(world, 2, signatures(&users, options.or(20, 2))).await?;
    let (_, mut key) = on_own_thread(bare::keygen).await?;
    let (count, mut turns) = (options.or(100, 4), Vec::new());
    for _ in 0..options.or(15, 1) {
        let (bare, used) = on_own_thread(move || Ok((bare::signing(&key, count)?, key))).await?;
        key = used;
        let sign = drive(world, 1, signatures(&users, count.into())).await?;
        let sign_by_two = drive(world, 2, signatures(&users, count.into())).await?;
        turns.push(Sides { bare, alone: Alone { sign, sign_by_two, ..Alone::default() } });
    }
    Ok(Turns(turns))
}

/// Measures compared values directly after each other.
async fn turn(world: &World, options: &BenchOptions, number: usize) -> Result<Sides, BenchError> {
    let users = users(&format!("alone_{number}"), 2);
    let count = options.or(20, 4);

    let (mut bare, key) = on_own_thread(bare::keygen).await?;
    let create = drive(world, 1, jobs(&users, Job::create)).await?;
    bare.extend(&on_own_thread(bare::keygen_at_once).await?);

    let (signing, key) = on_own_thread(move || Ok((bare::signing(&key, count)?, key))).await?;
    bare.extend(&signing);
    let sign = drive(world, 1, signatures(&users, count.into())).await?;
    let sign_by_two = drive(world, 2, signatures(&users, count.into())).await?;
    bare.extend(&on_own_thread(move || bare::signing_paced(&key, count)).await?);

    let registrations = ["hyperliquid", "aster"]
        .iter()
        .flat_map(|exchange| jobs(&users, |user| Job::register(exchange, user)))
        .collect();
    let register = drive(world, 1, registrations).await?;
    let (dynamodb, exchange) = calls(world, options.or(20, 5)).await?;
    Ok(Sides { bare, alone: Alone { create, sign, sign_by_two, register, dynamodb, exchange } })
}

/// Runs the work on a separate thread.
async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BenchError> + Send + 'static,
) -> Result<T, BenchError> {
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

/// Measures calls to the local DynamoDB and to an exchange.
async fn calls(world: &World, count: usize) -> Result<(Vec<Duration>, Vec<Duration>), BenchError> {
    let (db, http) = (world.aws.dynamodb(), client()?);
    let exchange = format!("{}exchange", world.settings.endpoints.hyperliquid);
    let (mut dynamodb, mut exchanges) = (Vec::new(), Vec::new());
    for number in 0..count {
        let begun = Instant::now();
        db.put_item()
            .table_name(WALLETS_TABLE)
            .item("pk", AttributeValue::S(format!("bench#{number}")))
            .item("sk", AttributeValue::S("x".repeat(900)))
            .send()
            .await
            .map_err(failed)?;
        dynamodb.push(begun.elapsed());
        let begun = Instant::now();
        http.post(&exchange).body("{}").send().await.map_err(failed)?;
        exchanges.push(begun.elapsed());
    }
    Ok((dynamodb, exchanges))
}
