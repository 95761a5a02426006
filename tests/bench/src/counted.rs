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

/// Measures one call of each operation in an empty service.
pub(crate) async fn measure(world: &World) -> Result<Vec<Counted>, BenchError> {
    let mut found = Vec::new();
    for (operation, job) in [
        ("create", Job::create("user")),
        ("get a wallet", Job::find("user")),
        ("list", Job::list()),
        ("sign", Job::sign("user", 0)),
        ("register hyperliquid", Job::register("hyperliquid", "user")),
        ("register aster", Job::register("aster", "user")),
        ("get a trading key", Job::describe("user")),
        ("rotate aster", Job::rotate("user")),
        ("delete aster", Job::delete("aster", "user")),
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
