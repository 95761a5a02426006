//! The load run: clients register, sign, rotate and delete against their own local stack, while the
//! exchanges fail and the stack is killed. Afterwards every acknowledged wallet must sign, and
//! every acknowledged credential must work.
//!
//! The stack runs in separate processes, which are killed with SIGKILL and restarted with the same
//! data. The simulators run in this process, because exchanges outlive their callers.

mod check;
mod client;
mod error;
mod failures;
mod neighbour;
mod options;
mod progress;
mod reply;
mod server;
mod tally;

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

/// Runs the load and prints the results. Returns true if nothing was lost.
///
/// # Errors
///
/// Fails if the stack does not start.
pub async fn run(options: LoadOptions, say: fn(&str)) -> Result<bool, LoadError> {
    if options.neighbour {
        return neighbour::run(&options, say).await;
    }
    say(&format!("seed {}", options.seed));
    let data = tempfile::tempdir().map_err(failed)?;
    let server = Arc::new(Server::start(data.path(), None).await?);
    let tally = Arc::new(Tally::default());
    let mut clients: Vec<Client> = (0..options.clients)
        .map(|number| Client::new(number, &options, &server, tally.clone()))
        .collect::<Result<_, _>>()?;

    let begun = Instant::now();
    let made = Progress::new("wallets", (options.clients * options.wallets) as u64, say);
    clients = all(clients, async |client| client.create_wallets(&made).await).await?;
    made.end();
    say(&format!(
        "{} wallets created in {:.1} s",
        options.clients * options.wallets,
        begun.elapsed().as_secs_f64()
    ));

    let running = failures::start(&server, &options);
    let begun = Instant::now();
    let clients = work(clients, &options, say).await?;
    let took = begun.elapsed();
    let (kills, faults) = running.stop(&server).await?;

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

/// Runs the operations with all clients concurrently.
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

/// Runs the work of every client concurrently.
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
