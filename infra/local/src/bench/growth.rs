//! The same operations in tables with few and with many wallets.

use std::time::Duration;

use shared::credentials::{ReconcileLimits, RenewLimits};
use shared::exchanges::budget::Spender;

use super::counted::{Counted, one};
use super::drive::{Job, drive};
use super::world::{Setup, World};
use super::{BenchError, failed, fixture};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// One size of table.
pub(super) struct Growth {
    pub(super) wallets: u64,
    /// How long it took to write them.
    pub(super) written: Duration,
    pub(super) operations: Vec<Counted>,
    /// The calls of DynamoDB in a run of each job with nothing due, and with so many due.
    pub(super) jobs: Vec<(&'static str, u64, u64)>,
}

/// Measures every operation in a table with so many wallets, `times` times each.
pub(super) async fn measure(wallets: u64, times: usize) -> Result<Growth, BenchError> {
    let world = World::start(Setup { counted: true }).await?;
    let written = fixture::write(&world, wallets).await?;
    let users: Vec<String> = (0..times).map(|number| format!("grown_{number}")).collect();
    let all = |job: &dyn Fn(&str) -> Job| users.iter().map(|user| job(user)).collect::<Vec<_>>();
    drive(&world, 1, vec![Job::create("warm"), Job::sign("warm", 0)]).await?;
    let mut operations = Vec::new();
    for (operation, jobs) in [
        ("create", all(&Job::create)),
        ("get", all(&Job::find)),
        ("sign", all(&|user| Job::sign(user, 1))),
        ("list", all(&|_| Job::list())),
        ("register", all(&|user| Job::register("aster", user))),
        ("rotate", all(&Job::rotate)),
    ] {
        operations.push(one(&world, operation, jobs).await?);
    }
    let jobs = jobs(&world, times).await?;
    let delete = all(&|user| Job::delete("aster", user));
    operations.push(one(&world, "delete", delete).await?);
    world.stop().await;
    Ok(Growth { wallets, written, operations, jobs })
}

/// Runs each job with nothing due, and with the credentials due that were just registered.
async fn jobs(world: &World, due: usize) -> Result<Vec<(&'static str, u64, u64)>, BenchError> {
    let edge = world.edge.as_ref().ok_or_else(|| failed("nothing is counted"))?;
    let options = world.settings.options();
    let registrars = world.settings.endpoints.registrars(&options, Spender::Job)?;
    let run_time = Duration::from_secs(240);
    let mut found = Vec::new();
    let run = async |job: &'static str, within_ms| {
        edge.take();
        if job == "renew" {
            let limits =
                RenewLimits { within_ms, limit: 500, run_time, keys_are_handed_out: false };
            registrars.renew(&limits).await.map_err(failed)?;
        } else {
            let limits = ReconcileLimits { every_ms: 7 * DAY_MS, limit: 500, run_time };
            registrars.reconcile(&limits).await.map_err(failed)?;
        }
        Ok::<_, BenchError>(edge.take().total("DynamoDB"))
    };
    let idle = run("renew", DAY_MS).await?;
    // They expire in 180 days.
    let busy = run("renew", 181 * DAY_MS).await?;
    found.push(("renew", idle, busy / u64::try_from(due).map_err(failed)?));
    found.push(("reconcile", run("reconcile", 0).await?, 0));
    Ok(found)
}
