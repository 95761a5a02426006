//! The tables of a stack that is not running, behind a temporary endpoint.

use std::net::Ipv4Addr;
use std::path::Path;

use domain::clock::Clock;
use domain::random::Random;
use hyperdex_cloud::dynamodb;
use hyperdex_listen::{Stop, bind, url};

use super::{DATABASE, Directory, existing, lock};
use crate::error::StartError;

/// Opens the tables of a stack that is not running, and serves them on loopback while `work` runs.
/// `work` gets the endpoint's URL. Holds the directory's lock, creates nothing, and refuses a
/// damaged directory.
///
/// # Errors
/// Returns an error when no start has completed in the directory, a stack uses it, or its files do
/// not belong together.
pub async fn with_tables<T>(
    path: &Path,
    work: impl AsyncFnOnce(&str) -> T,
) -> Result<T, StartError> {
    existing(path)?;
    let _lock = lock(path)?;
    let directory = Directory::look(path, &Random::system(), &Clock::system())?;
    // `keys add` creates a directory without tables. Opening them would create them.
    if directory.may_make_keys() {
        return Err(StartError::NoData(path.to_owned()));
    }
    directory.check_kind(false)?;
    let file = path.join(DATABASE);
    let database = dynamodb::open(&file)?;
    let listener = bind("DynamoDB", Ipv4Addr::LOCALHOST.into(), 0).await?;
    let endpoint = url(&listener);
    let (sender, stop) = Stop::new();
    let server = dynamodb::serve(listener, database, &file, stop);
    let done = work(&endpoint).await;
    let _ = sender.send(true);
    let _ = server.await;
    Ok(done)
}
