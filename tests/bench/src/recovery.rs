//! Compares a new wallet with and without recovery records, alternating between two services.

use std::fmt::Write;

use crate::counted::one;
use crate::drive::{Job, Timed};
use crate::error::BenchError;
use crate::options::BenchOptions;
use crate::report::ratio;
use crate::times::ms;
use crate::world::{Setup, World};

/// New wallets of one service.
#[derive(Default)]
struct Created {
    timed: Timed,
    write_units: f64,
}

impl Created {
    /// Creates one wallet.
    async fn add(&mut self, world: &World, number: u8) -> Result<(), BenchError> {
        let job = Job::create(&format!("user_{number}"));
        let counted = one(world, "create", vec![job]).await?;
        self.timed.extend(&counted.timed);
        self.write_units += counted.passed.write_units;
        Ok(())
    }
}

/// Measures both services, and returns the table.
pub(crate) async fn measure(options: &BenchOptions) -> Result<String, BenchError> {
    let setup = |recovery| Setup { counted: true, recovery, instances: 1 };
    let (with, without) = (World::start(setup(true)).await?, World::start(setup(false)).await?);
    let (mut recorded, mut plain) = (Created::default(), Created::default());
    for number in 0..options.or(50, 1) {
        recorded.add(&with, number).await?;
        plain.add(&without, number).await?;
    }
    with.stop().await;
    without.stop().await;
    let mut table = String::from(
        "| new wallet | with recovery records | without | ratio |\n| --- | ---: | ---: | ---: |\n",
    );
    let processor = |created: &Created| created.timed.product();
    let wall = |created: &Created| created.timed.p50();
    for (what, one, other) in [
        ("processor time of both parties, ms", processor(&recorded), processor(&plain)),
        ("wall time, p50, ms", wall(&recorded), wall(&plain)),
    ] {
        let ratio = ratio(one, other);
        let _ = writeln!(table, "| {what} | {:.1} | {:.1} | {ratio:.3} |", ms(one), ms(other));
    }
    let units = |created: &Created| created.write_units / f64::from(created.timed.count());
    let (one, other) = (units(&recorded), units(&plain));
    let _ = writeln!(table, "| write units | {one:.1} | {other:.1} | {:.3} |", one / other);
    Ok(table)
}
