//! The cost of operations while few and many orders rest.

use domain::ids::Exchange;

use super::EXCHANGES;
use super::desk::{Desk, batch, clear, open_orders, place, status};
use crate::counted::{Counted, one};
use crate::drive::{Job, drive};
use crate::error::BenchError;
use crate::options::BenchOptions;
use crate::world::World;

/// The results of one exchange with this many resting orders.
pub(crate) struct Growth {
    pub(crate) exchange: Exchange,
    pub(crate) resting: usize,
    pub(crate) operations: Vec<Counted>,
}

pub(crate) async fn measure(
    world: &World,
    options: &BenchOptions,
    user: &str,
) -> Result<Vec<Growth>, BenchError> {
    let mut grown = Vec::new();
    for exchange in EXCHANGES {
        let wallet = Desk::open(world, exchange, user).await?.wallet_id;
        let (sizes, in_batch): (&[usize], _) = match exchange {
            // Aster permits 200 open orders in a market.
            Exchange::Aster => (&[0, 100], 5),
            Exchange::Hyperliquid => (&[0, 100, 1_000], 20),
            Exchange::Lighter => unreachable!("no wallet is registered there"),
        };
        let mut resting = 0;
        let times = options.or(40, 2);
        for &size in sizes.iter().take(options.or(3, 1)) {
            let batches = (resting / in_batch..size / in_batch).map(|number| {
                let id = format!("rests-{number}");
                batch(exchange, &wallet, &id, in_batch)
            });
            drive(world, 1, batches.collect()).await?;
            resting = size;
            let ids: Vec<_> = (0..times).map(|number| format!("grown-{size}-{number}")).collect();
            let all = |job: &dyn Fn(&str) -> Job| ids.iter().map(|id| job(id)).collect::<Vec<_>>();
            let operations = vec![
                one(world, "place", all(&|id| place(exchange, &wallet, id))).await?,
                one(world, "order status", all(&|id| status(exchange, &wallet, id))).await?,
                one(world, "open orders", all(&|_| open_orders(exchange, &wallet))).await?,
            ];
            grown.push(Growth { exchange, resting: size, operations });
        }
        clear(world, exchange, &[wallet]).await?;
    }
    Ok(grown)
}
