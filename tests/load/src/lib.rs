//! A load run: clients that register, sign, rotate and delete against a local stack of their own,
//! while the exchanges fail and the stack is killed. Afterwards every wallet that was acknowledged
//! must sign, and every credential that was acknowledged must work.
//!
//! The stack runs in processes of its own, which are killed with SIGKILL and started again on the
//! same data. The simulators run in this process, as exchanges do not die with their callers.

mod check;
mod client;
mod error;
mod options;
mod progress;
mod reply;
mod server;
mod tally;
mod trouble;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use client::Client;
pub use error::LoadError;
use error::failed;
pub use options::{LoadArgs, LoadOptions};
use progress::Progress;
use server::Server;
use tally::Tally;

/// Runs it, says what came of it, and whether nothing was lost.
///
/// # Errors
/// When the stack does not start.
pub async fn run(options: LoadOptions, say: fn(&str)) -> Result<bool, LoadError> {
    say(&format!("seed {}", options.seed));
    let data = tempfile::tempdir().map_err(failed)?;
    let server = Arc::new(Server::start(data.path()).await?);
    let tally = Arc::new(Tally::default());
    let mut clients: Vec<Client> = (0..options.clients)
        .map(|number| Client::new(number, &options, &server, tally.clone()))
        .collect::<Result<_, _>>()?;

    let begun = Instant::now();
    let made = Progress::new("wallets", (options.clients * options.wallets) as u64, say);
    clients = all(clients, async |client| client.create_wallets(&made).await).await?;
    made.end();
    say(&format!(
        "{} wallets made in {:.1} s",
        options.clients * options.wallets,
        begun.elapsed().as_secs_f64()
    ));

    let troubles = trouble::start(&server, &options);
    let begun = Instant::now();
    let clients = work(clients, &options, say).await?;
    let took = begun.elapsed();
    let (kills, faults) = troubles.stop(&server).await?;

    say(&tally.table(took));
    say(&format!("{kills} kills of the stack, {faults} failures of the exchanges"));
    if options.plant_loss {
        let wallets = clients.iter().flat_map(|client| &client.wallets);
        server.lose_agents(wallets.map(|wallet| wallet.address));
    }
    let lost = check::everything(clients, &server, say).await?;
    server.stop().await;
    Ok(lost == 0)
}

/// The operations, by all clients at once.
async fn work(
    clients: Vec<Client>,
    options: &LoadOptions,
    say: fn(&str),
) -> Result<Vec<Client>, LoadError> {
    let progress = Progress::new("operations", options.operations, say);
    let left = AtomicU64::new(options.operations);
    let until = Instant::now() + options.duration;
    let worked = all(clients, async |client| {
        while Instant::now() < until
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
        {
            client.one_operation().await;
            progress.step();
        }
    })
    .await;
    progress.end();
    worked
}

/// Every client does it, all at once.
async fn all(
    clients: Vec<Client>,
    work: impl AsyncFn(&mut Client),
) -> Result<Vec<Client>, LoadError> {
    Ok(futures_util::future::join_all(clients.into_iter().map(async |mut client| {
        work(&mut client).await;
        client
    }))
    .await)
}
