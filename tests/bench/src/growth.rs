//! Measures the same operations in tables with few and with many wallets.

use std::time::Duration;

use domain::ids::{Exchange, Tenant, WalletRef};
use shared::credentials::{ReconcileLimits, RenewLimits};
use shared::exchanges::budget::Spender;
use shared::store::{CredentialRecord, Store};
use shared::wallets::RefreshLimits;

use crate::counted::{Counted, one};
use crate::drive::{Job, drive};
use crate::error::{BenchError, failed};
use crate::fixture;
use crate::world::{Setup, World};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// The tenant of the wallets. The stack has no tenant keys.
const TENANT: &str = "local";

/// The results for one table size.
pub(crate) struct Growth {
    pub(crate) wallets: u64,
    /// How long the fixture took to write.
    pub(crate) written: Duration,
    pub(crate) operations: Vec<Counted>,
    /// The number of DynamoDB calls in a run of each job.
    pub(crate) jobs: Vec<(&'static str, u64)>,
}

/// Measures every operation `times` times in a table with this many wallets.
pub(crate) async fn measure(wallets: u64, times: usize) -> Result<Growth, BenchError> {
    let world = World::start(Setup { counted: true, recovery: true, instances: 1 }).await?;
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
    let jobs = jobs(&world, &users).await?;
    let delete = all(&|user| Job::delete("aster", user));
    operations.push(one(&world, "delete", delete).await?);
    world.stop().await;
    Ok(Growth { wallets, written, operations, jobs })
}

/// Returns the number of DynamoDB calls in a run of each job, with little and with more due work.
async fn jobs(world: &World, users: &[String]) -> Result<Vec<(&'static str, u64)>, BenchError> {
    let edge = world.edge.as_ref().ok_or_else(|| failed("calls are not counted"))?;
    let options = world.settings.options();
    let registrars = world.settings.endpoints.registrars(&options, Spender::Job);
    let wallets = world.settings.endpoints.custody_of(&options, "refresh-shares");
    let run_time = Duration::from_secs(240);
    edge.take();
    let calls = || edge.take().total("DynamoDB");
    let mut found = Vec::new();
    for (what, within_ms, limit) in [
        ("renewal, nothing due", 14 * DAY_MS, 500),
        // The credentials that the run itself created expire within a year.
        ("renewal, two due", 400 * DAY_MS, 2),
        ("renewal, eight due", 400 * DAY_MS, 8),
    ] {
        let renew = RenewLimits { within_ms, limit, run_time, keys_are_handed_out: false };
        registrars.renew(&renew).await.map_err(failed)?;
        found.push((what, calls()));
    }
    for (what, limit) in [
        ("reconciliation, nothing due", 500),
        ("reconciliation, two due", 2),
        ("reconciliation, eight due", 8),
    ] {
        let reconcile = ReconcileLimits { every_ms: 7 * DAY_MS, limit, run_time };
        registrars.reconcile(&reconcile).await.map_err(failed)?;
        found.push((what, calls()));
        if limit == 500 {
            compare_now(&registrars.aster.custody.store, users).await?;
            edge.take();
        }
    }
    for (what, every_ms, limit) in [
        ("refresh, nothing due", 90 * DAY_MS, 200),
        ("refresh, two shares due", 0, 2),
        ("refresh, eight shares due", 0, 8),
    ] {
        let refresh = RefreshLimits { every_ms, limit, run_time };
        wallets.refresh_aged(&refresh).await.map_err(failed)?;
        found.push((what, calls()));
    }
    Ok(found)
}

/// Makes the users' credentials due for a comparison now.
async fn compare_now(store: &Store, users: &[String]) -> Result<(), BenchError> {
    let tenant: Tenant = TENANT.parse().map_err(failed)?;
    for user in users {
        let name: WalletRef = user.parse().map_err(failed)?;
        let view = store.find(&tenant, &name).await.map_err(failed)?;
        let view = view.ok_or_else(|| failed("a wallet is missing"))?;
        let known = view.credential(Exchange::Aster).ok_or_else(|| failed("a key is missing"))?;
        let due = CredentialRecord { check_at_ms: Some(1), ..known.clone() };
        store.replace(&view.wallet, &due, known.revision).await.map_err(failed)?;
    }
    Ok(())
}
