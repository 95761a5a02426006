//! Orders of 1, 8 and 64 clients at once, each with its own wallet.

use domain::ids::Exchange;

use super::EXCHANGES;
use super::desk::{Desk, MOST_OPEN, clear, place};
use crate::drive::{Timed, drive_lists};
use crate::error::BenchError;
use crate::options::BenchOptions;
use crate::world::World;

/// The results of one exchange with this many clients.
pub(crate) struct Cell {
    pub(crate) exchange: Exchange,
    pub(crate) clients: usize,
    pub(crate) timed: Timed,
    /// The peak memory of the endpoints so far, in MB.
    pub(crate) peak_mb: u64,
}

pub(crate) async fn measure(
    world: &World,
    options: &BenchOptions,
    users: &[String],
) -> Result<Vec<Cell>, BenchError> {
    let mut cells = Vec::new();
    for exchange in EXCHANGES {
        let mut wallets = Vec::new();
        for user in users {
            wallets.push(Desk::open(world, exchange, user).await?.wallet_id);
        }
        for clients in [1, 8, 64] {
            let clients = options.or(clients, clients.min(2));
            let orders = options.or((1_500 / clients).min(MOST_OPEN), 2);
            let wallets = wallets.get(..clients).unwrap_or(&wallets);
            let list = |wallet: &String| {
                let ids = (0..orders).map(|order| format!("cell-{clients}-{order}"));
                ids.map(|id| place(exchange, wallet, &id)).collect()
            };
            let timed = drive_lists(world, wallets.iter().map(list).collect()).await?;
            cells.push(Cell { exchange, clients, timed, peak_mb: world.peaks().0 });
            clear(world, exchange, wallets).await?;
            if options.or(false, clients == 2) {
                break;
            }
        }
    }
    Ok(cells)
}
