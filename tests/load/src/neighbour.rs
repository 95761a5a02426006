//! The adversarial neighbour: one tenant calls everything that it may at its full rate, while the
//! calls of another tenant are measured. Both tenants have the limits of a deployment.
//!
//! The victim works three times as long as given: alone, while the same neighbour works in a
//! deployment of its own on this machine, and while it works in the victim's deployment. The tenants
//! of the second part share the machine's processors only, and those of the third share everything.
//! So the growth from the second to the third is what one tenant takes from another in a deployment
//! whose functions have processors of their own.

mod greedy;
mod victim;

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::Clock;
use domain::random::Random;
use hyperdex_client::{Client, Retry, Secret};
use hyperdex_local::keys::KeyFile;
use shared::tenancy::KeyId;
use tempfile::TempDir;
use tokio::sync::watch;

use crate::error::{LoadError, failed};
use crate::options::LoadOptions;
use crate::server::Server;
use crate::tally::{Summary, Tally, ms};

/// How long a client waits for a response.
const PATIENCE: Duration = Duration::from_secs(30);

/// The part of the victim's calls that must succeed, in percent.
const LEAST_SUCCESS: usize = 99;

/// How many times its p99 may grow because the neighbour is in the same deployment.
const MOST_GROWTH: u64 = 2;

/// A tenant of the run.
#[derive(Clone)]
pub(super) struct Party {
    pub(super) api: Client,
    pub(super) tally: Arc<Tally>,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Party {
    /// Makes one call, and notes what became of it. Returns its value.
    async fn call<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<hyperdex_client::Answer<T>, hyperdex_client::Error>>,
    ) -> Option<T> {
        let begun = std::time::Instant::now();
        let reply = crate::reply::Reply::of(call.await);
        let took = begun.elapsed();
        // A call that the end of the run cuts off says nothing.
        if !self.is_stopped() {
            let end = reply.as_ref().map_or_else(|| "no answer".to_owned(), |reply| reply.end());
            self.tally.add(operation, &end, took);
        }
        reply.and_then(|reply| reply.value)
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Waits, unless the run ends before.
    async fn wait(&self, time: Duration) {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }
}

/// A deployment with its data and the keys of its tenants.
struct Deployment {
    server: Server,
    data: TempDir,
}

impl Deployment {
    async fn start(program: &Path) -> Result<Self, LoadError> {
        let data = tempfile::tempdir().map_err(failed)?;
        let server = Server::start(data.path(), Some(program)).await?;
        Ok(Self { server, data })
    }

    /// Makes a key of a tenant, and a client that uses it.
    fn client(&self, tenant: &str) -> Result<Client, LoadError> {
        let id: KeyId = tenant.parse().map_err(failed)?;
        let keys = KeyFile::new(self.data.path());
        let key = keys.add(&id, &Clock::system(), &Random::system()).map_err(failed)?;
        let retry =
            Retry { attempts: 1, attempt_timeout: PATIENCE, deadline: PATIENCE, ..Retry::never() };
        let api = Client::builder(&self.server.api, &Secret::new(key.as_str()));
        api.map_err(failed)?.retry(retry).without_keys().build().map_err(failed)
    }
}

/// Runs it, prints the table, and returns whether the victim was served as if the neighbour were
/// elsewhere.
///
/// # Errors
/// When a stack does not start, or a tenant cannot be set up.
pub(crate) async fn run(options: &LoadOptions, say: fn(&str)) -> Result<bool, LoadError> {
    let own = std::env::current_exe().map_err(failed)?;
    let program = options.stack.as_deref().unwrap_or(&own);
    let (time, seconds) = (options.duration, options.duration.as_secs());
    let shared = Deployment::start(program).await?;
    let victim = victim::Setup::make(shared.client("victim")?, say).await?;
    say(&format!("the victim alone, {seconds} s"));
    let alone = phase(&victim, None, time).await;

    let other = Deployment::start(program).await?;
    let elsewhere = greedy::Setup::make(other.client("greedy")?, say).await?;
    say(&format!("the victim while its neighbour works in another deployment, {seconds} s"));
    let ignored = Arc::new(Tally::default());
    let apart = phase(&victim, Some((&elsewhere, ignored)), time).await;
    other.server.stop().await;

    let greedy = greedy::Setup::make(shared.client("greedy")?, say).await?;
    say(&format!("the victim next to its neighbour, {seconds} s"));
    let theirs = Arc::new(Tally::default());
    let next_to = phase(&victim, Some((&greedy, theirs.clone())), time).await;
    shared.server.stop().await;
    say("\nThe neighbour:");
    say(&theirs.table(time));
    let (table, is_fair) = compare([&alone, &apart, &next_to]);
    say(&format!("\nThe victim:\n\n{table}"));
    Ok(is_fair)
}

/// The victim works for a time, with or without its neighbour.
async fn phase(
    victim: &victim::Setup,
    neighbour: Option<(&greedy::Setup, Arc<Tally>)>,
    time: Duration,
) -> Arc<Tally> {
    let (stop, stopped) = watch::channel(false);
    let tally = Arc::new(Tally::default());
    let work = async {
        let victim = victim.work(tally.clone(), stopped.clone());
        match neighbour {
            Some((greedy, tally)) => {
                tokio::join!(victim, greedy.work(tally, stopped.clone()));
            }
            None => victim.await,
        }
    };
    let end = async {
        tokio::time::sleep(time).await;
        let _ = stop.send(true);
    };
    tokio::join!(work, end);
    tally
}

/// Returns the table of the victim's operations (alone, with the neighbour in another deployment,
/// and in the same one), and whether all of them fared as they must.
fn compare(parts: [&Tally; 3]) -> (String, bool) {
    let [alone, apart, next_to] = parts.map(Tally::summaries);
    let mut table = String::from(
        "| operation | alone: success | p50 ms | p99 ms | neighbour elsewhere: success | p50 ms | \
         p99 ms | same deployment: success | p50 ms | p99 ms | p99, growth |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let cells = |of: Option<&Summary>| match of {
        Some(it) => {
            format!("{} of {} | {} | {}", it.good, it.all, ms(it.p50_us), ms(it.p99_us))
        }
        None => "none | |".to_owned(),
    };
    let mut is_fair = true;
    for (operation, before) in &apart {
        let after = next_to.get(operation);
        is_fair &= after.is_some_and(|after| {
            after.good * 100 >= after.all * LEAST_SUCCESS
                && after.p99_us <= before.p99_us * MOST_GROWTH
        });
        let percent = after.map(|after| after.p99_us * 100 / before.p99_us.max(1));
        let growth = percent
            .map_or_else(String::new, |percent| format!("{}.{:02}", percent / 100, percent % 100));
        let _ = writeln!(
            table,
            "| {operation} | {} | {} | {} | {growth} |",
            cells(alone.get(operation)),
            cells(Some(before)),
            cells(after),
        );
    }
    (table, is_fair)
}
