//! Counts the remote calls of each operation on orders, by `walletId` and by `userId`, with warm and
//! with cold caches.

use std::time::Duration;

use domain::ids::Exchange;
use hyperdex_listen::{Stop, bind, serve, url};
use hyperdex_local::routes;

use super::EXCHANGES;
use super::desk::{Desk, batch, cancel, clear, modify, open_orders, place, status};
use crate::client::client;
use crate::drive::{Job, call, drive};
use crate::edge::{Edge, Passed, Span, Target};
use crate::error::{BenchError, failed};
use crate::world::World;

/// Delays each call, so that calls which are made at once overlap.
const DELAY: Duration = Duration::from_millis(8);

/// Number of orders in a batch: Aster's most.
pub(crate) const BATCH: usize = 5;

/// How a call names the wallet, and whether the process is warm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    WarmById,
    WarmByUser,
    ColdById,
    ColdByUser,
}

impl Way {
    pub(crate) const ALL: [(Self, &'static str); 4] = [
        (Self::WarmById, "warm, `walletId`"),
        (Self::WarmByUser, "warm, `userId`"),
        (Self::ColdById, "cold, `walletId`"),
        (Self::ColdByUser, "cold, `userId`"),
    ];

    const fn is_cold(self) -> bool {
        matches!(self, Self::ColdById | Self::ColdByUser)
    }

    const fn is_by_user(self) -> bool {
        matches!(self, Self::WarmByUser | Self::ColdByUser)
    }
}

/// The counts of one operation.
pub(crate) struct Counted {
    pub(crate) exchange: Exchange,
    pub(crate) operation: &'static str,
    /// In the sequence of [`Way::ALL`].
    pub(crate) passed: Vec<Passed>,
}

/// Returns the largest number of calls, one after the other, before the exchange receives the change,
/// or the last question of an operation without a change.
pub(crate) fn before_exchange(spans: &[Span]) -> usize {
    let change = spans.iter().filter(|span| span.target == Target::Change);
    let reads = spans.iter().filter(|span| span.target == Target::Read);
    let first = change.map(|span| span.begun).min();
    let Some(until) = first.or_else(|| reads.map(|span| span.begun).max()) else {
        return steps(spans, u64::MAX);
    };
    steps(spans, until)
}

/// Returns the largest number of calls, one after the other, that ended before this moment.
pub(crate) fn steps(spans: &[Span], until: u64) -> usize {
    let mut ended: Vec<_> = spans.iter().filter(|span| span.ended < until).collect();
    ended.sort_unstable_by_key(|span| span.ended);
    let mut last = None;
    let mut steps = 0;
    for span in ended {
        if last.is_none_or(|last| span.begun > last) {
            last = Some(span.ended);
            steps += 1;
        }
    }
    steps
}

/// The operations in the sequence of the table.
const OPERATIONS: [&str; 6] =
    ["place", "place a batch of 5", "modify", "cancel", "order status", "open orders"];

pub(crate) async fn measure(world: &World, user: &str) -> Result<Vec<Counted>, BenchError> {
    let edge = world.edge.as_ref().ok_or_else(|| failed("calls are not counted"))?;
    let mut counted = Vec::new();
    for exchange in EXCHANGES {
        let wallet_id = Desk::open(world, exchange, user).await?.wallet_id;
        // Fills the caches of the process.
        let warm = [place(exchange, &wallet_id, "warm"), status(exchange, &wallet_id, "warm")];
        drive(world, 1, warm.to_vec()).await?;
        for operation in OPERATIONS {
            let mut passed = Vec::new();
            for (number, (way, _)) in Way::ALL.into_iter().enumerate() {
                let id = format!("{}-{number}", operation.replace(' ', "-"));
                let name = if way.is_by_user() { user } else { &wallet_id };
                let job = match operation {
                    "place" => place(exchange, name, &id),
                    "modify" => modify(exchange, name, &id),
                    "cancel" => cancel(exchange, name, &id),
                    "order status" => status(exchange, name, &id),
                    "open orders" => open_orders(exchange, name),
                    _ => batch(exchange, name, &id, BATCH),
                };
                if !operation.starts_with("place") {
                    drive(world, 1, vec![place(exchange, &wallet_id, &id)]).await?;
                }
                passed.push(one(world, edge, way, &job).await?);
            }
            counted.push(Counted { exchange, operation, passed });
            clear(world, exchange, std::slice::from_ref(&wallet_id)).await?;
        }
    }
    Ok(counted)
}

/// Counts the remote calls of one call.
async fn one(world: &World, edge: &Edge, way: Way, job: &Job) -> Result<Passed, BenchError> {
    let http = client()?;
    if !way.is_cold() {
        edge.take();
        edge.set_delay(DELAY);
        call(&http, world.api(0), job).await?;
        edge.set_delay(Duration::ZERO);
        return Ok(edge.take());
    }
    // New routers have no caches and no connections.
    let (sender, stop) = Stop::new();
    let options = world.settings.options();
    let listener = bind("the API", options.ip, 0).await?;
    let address = url(&listener);
    serve(listener, routes(&options, &world.settings.endpoints)?, stop);
    edge.take();
    edge.set_delay(DELAY);
    call(&http, &address, job).await?;
    edge.set_delay(Duration::ZERO);
    let _ = sender.send(true);
    Ok(edge.take())
}
