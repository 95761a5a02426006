//! Counts the remote calls of each operation by both parties, and the capacity units that DynamoDB
//! charges.

use crate::drive::{Job, Timed, drive};
use crate::edge::Passed;
use crate::error::{BenchError, failed};
use crate::world::World;

/// The counts of one operation.
pub(crate) struct Counted {
    pub(crate) operation: &'static str,
    pub(crate) passed: Passed,
    pub(crate) timed: Timed,
}

/// The user whose wallet is created.
pub(crate) const USER: &str = "user";

/// Measures one call of each operation in an empty service.
pub(crate) async fn measure(world: &World) -> Result<Vec<Counted>, BenchError> {
    let mut found = Vec::new();
    for (operation, job) in [
        ("create", Job::create(USER)),
        ("get a wallet", Job::find(USER)),
        ("list", Job::list()),
        ("sign", Job::sign(USER, 0)),
        ("register hyperliquid", Job::register("hyperliquid", USER)),
        ("register aster", Job::register("aster", USER)),
        ("get a trading key", Job::describe(USER)),
        ("rotate aster", Job::rotate(USER)),
        ("delete aster", Job::delete("aster", USER)),
    ] {
        found.push(one(world, operation, vec![job]).await?);
    }
    Ok(found)
}

/// Returns the counts of these calls together.
pub(crate) async fn one(
    world: &World,
    operation: &'static str,
    jobs: Vec<Job>,
) -> Result<Counted, BenchError> {
    let edge = world.edge.as_ref().ok_or_else(|| failed("calls are not counted"))?;
    edge.take();
    let timed = drive(world, 1, jobs).await?;
    Ok(Counted { operation, passed: edge.take(), timed })
}
