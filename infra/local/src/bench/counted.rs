//! The remote calls of each operation, both parties', and what DynamoDB bills for them.

use super::drive::{Job, Timed, drive};
use super::edge::Passed;
use super::world::World;
use super::{BenchError, failed};

/// One operation.
pub(super) struct Counted {
    pub(super) operation: &'static str,
    pub(super) passed: Passed,
    pub(super) timed: Timed,
}

/// One call of each operation in an empty service.
pub(super) async fn measure(world: &World) -> Result<Vec<Counted>, BenchError> {
    let mut found = Vec::new();
    for (operation, job) in [
        ("create", Job::create("user")),
        ("find one that exists", Job::find("user")),
        ("list", Job::list()),
        ("sign", Job::sign("user", 0)),
        ("register hyperliquid", Job::register("hyperliquid", "user")),
        ("register aster", Job::register("aster", "user")),
        ("describe", Job::describe("user")),
        ("rotate aster", Job::rotate("user")),
        ("delete aster", Job::delete("aster", "user")),
    ] {
        found.push(one(world, operation, vec![job]).await?);
    }
    Ok(found)
}

/// What these calls come to; the counts are those of all of them.
pub(super) async fn one(
    world: &World,
    operation: &'static str,
    jobs: Vec<Job>,
) -> Result<Counted, BenchError> {
    let edge = world.edge.as_ref().ok_or_else(|| failed("nothing is counted"))?;
    edge.take();
    let timed = drive(world, 1, jobs).await?;
    Ok(Counted { operation, passed: edge.take(), timed })
}
