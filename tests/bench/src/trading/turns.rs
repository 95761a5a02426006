//! Alternates between bare signed requests and orders through the service, one at a time.

use std::sync::Arc;

use domain::ids::Exchange;
use tokio::sync::Mutex;

use super::bare::{Bare, Sender};
use super::desk::{Desk, clear, place};
use crate::drive::{Timed, drive};
use crate::error::{BenchError, failed};
use crate::options::BenchOptions;
use crate::world::World;

/// Bare requests and orders of the service within the same seconds.
#[derive(Clone, Default)]
pub(crate) struct Turn {
    pub(crate) bare: Bare,
    pub(crate) service: Timed,
}

/// The turns of one exchange.
pub(crate) struct Turns {
    pub(crate) exchange: Exchange,
    pub(crate) turns: Vec<Turn>,
}

impl Turns {
    /// Returns all turns merged.
    pub(crate) fn all(&self) -> Turn {
        let mut all = Turn::default();
        for turn in &self.turns {
            all.bare.extend(&turn.bare);
            all.service.extend(&turn.service);
        }
        all
    }
}

/// Orders of one turn, fewer than Aster's limit of open orders.
const ORDERS: usize = 120;

pub(crate) async fn measure(
    world: &World,
    options: &BenchOptions,
    exchange: Exchange,
    users: &[String],
) -> Result<Turns, BenchError> {
    let [first, second, ..] = users else { return Err(failed("two wallets are needed")) };
    let own = Desk::open(world, exchange, first).await?.wallet_id;
    let other = Desk::open(world, exchange, second).await?;
    // The bare requests have a wallet and a key of their own, so that no nonce is used twice.
    let wallets = [own.clone(), other.wallet_id.clone()];
    let sender = Arc::new(Mutex::new(Sender::new(world, other)));
    let count = options.or(ORDERS, 4);
    let mut turns = Vec::new();
    // The first turn warms up code, caches and connections.
    for number in 0..=options.or(15, 1) {
        let ids = (0..count).map(|order| format!("turn-{number}-{order}"));
        let jobs = ids.map(|id| place(exchange, &own, &id)).collect();
        let bare = Sender::send(Arc::clone(&sender), count).await?;
        let service = drive(world, 1, jobs).await?;
        clear(world, exchange, &wallets).await?;
        if number > 0 {
            turns.push(Turn { bare, service });
        }
    }
    Ok(Turns { exchange, turns })
}
