//! Clients with one call at a time each.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::client::client;
use crate::error::{BenchError, failed};
use crate::times::percentile;
use crate::world::{Used, World};

/// One call of the API.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    method: Method,
    path: String,
    body: Option<Value>,
    /// The expected status.
    status: u16,
}

impl Job {
    fn post(path: impl Into<String>, body: Value, status: u16) -> Self {
        Self { method: Method::POST, path: path.into(), body: Some(body), status }
    }

    fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None, status: 200 }
    }

    pub(crate) fn create(user: &str) -> Self {
        Self::post("/api/wallets", json!({ "userId": user }), 201)
    }

    pub(crate) fn sign(user: &str, message: usize) -> Self {
        let body = json!({ "message": format!("message {message}") });
        Self::post(format!("/api/wallets/{user}/sign"), body, 200)
    }

    pub(crate) fn find(user: &str) -> Self {
        Self::get(format!("/api/wallets/{user}"))
    }

    pub(crate) fn list() -> Self {
        Self::get("/api/wallets?limit=100")
    }

    pub(crate) fn describe(user: &str) -> Self {
        Self::get(format!("/api/trading/aster/apikey?walletIdOrAddress={user}"))
    }

    pub(crate) fn register(exchange: &str, user: &str) -> Self {
        let body = json!({ "walletIdOrAddress": user });
        Self::post(format!("/api/trading/{exchange}/apikey"), body, 200)
    }

    /// A call that concerns orders. Each of them has the status 200.
    pub(crate) fn trade(method: Method, path: &str, body: Option<Value>) -> Self {
        Self { method, path: format!("/api/trading/{path}"), body, status: 200 }
    }

    pub(crate) fn rotate(user: &str) -> Self {
        let body = json!({ "walletIdOrAddress": user });
        Self::post("/api/trading/aster/apikey/rotate", body, 200)
    }

    pub(crate) fn delete(exchange: &str, user: &str) -> Self {
        let path = format!("/api/trading/{exchange}/apikey?walletIdOrAddress={user}");
        Self { method: Method::DELETE, path, body: None, status: 200 }
    }
}

/// The results of calls of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timed {
    times: Vec<Duration>,
    pub(crate) wall: Duration,
    used: Used,
}

impl Timed {
    pub(crate) fn extend(&mut self, other: &Self) {
        self.times.extend(&other.times);
        self.wall += other.wall;
        self.used += other.used;
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.times.len()).unwrap_or(u32::MAX).max(1)
    }

    /// Returns the median wall time of one call.
    pub(crate) fn p50(&self) -> Duration {
        percentile(&self.times, 50)
    }

    pub(crate) fn p99(&self) -> Duration {
        percentile(&self.times, 99)
    }

    /// Returns the processor time of one call.
    pub(crate) fn used(&self) -> Used {
        self.used / self.count()
    }

    pub(crate) fn per_second(&self) -> f64 {
        f64::from(self.count()) / self.wall.as_secs_f64()
    }

    /// Returns the product's own processor time of one call, for both parties.
    pub(crate) fn product(&self) -> Duration {
        (self.used.endpoints + self.used.cosigner) / self.count()
    }
}

/// Makes these calls with at most `clients` concurrent ones and measures them.
pub(crate) async fn drive(
    world: &World,
    clients: usize,
    jobs: Vec<Job>,
) -> Result<Timed, BenchError> {
    let http = client()?;
    let jobs = Mutex::new(jobs.into_iter());
    timed(
        world,
        (0..clients).map(async |client| {
            let mut times = Vec::new();
            loop {
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(job) = job else { return Ok(times) };
                times.push(call(&http, world.api(client), &job).await?);
            }
        }),
    )
    .await
}

/// Makes the calls of each list one after the other, all lists at once, and measures them.
pub(crate) async fn drive_lists(world: &World, lists: Vec<Vec<Job>>) -> Result<Timed, BenchError> {
    let http = client()?;
    timed(
        world,
        lists.iter().enumerate().map(async |(client, jobs)| {
            let mut times = Vec::new();
            for job in jobs {
                times.push(call(&http, world.api(client), job).await?);
            }
            Ok(times)
        }),
    )
    .await
}

async fn timed<F: Future<Output = Result<Vec<Duration>, BenchError>>>(
    world: &World,
    clients: impl Iterator<Item = F>,
) -> Result<Timed, BenchError> {
    let before = world.used()?;
    let begun = Instant::now();
    let times = futures_util::future::try_join_all(clients).await?;
    let wall = begun.elapsed();
    let used = world.used()?.since(before);
    Ok(Timed { times: times.into_iter().flatten().collect(), wall, used })
}

/// Makes one call, and returns its duration.
pub(crate) async fn call(
    http: &reqwest::Client,
    api: &str,
    job: &Job,
) -> Result<Duration, BenchError> {
    let request =
        http.request(job.method.clone(), format!("{api}{}", job.path)).header("x-api-key", "bench");
    let request = match &job.body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    let begun = Instant::now();
    let answer = request.send().await.map_err(failed)?;
    let status = answer.status().as_u16();
    let body = answer.bytes().await.map_err(failed)?;
    let took = begun.elapsed();
    if status == job.status {
        return Ok(took);
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    Err(failed(format!("{} {}: {status} {}", job.method, job.path, body["code"])))
}
