//! Wallets: create, find, sign; and refresh their shares.

mod create;
mod permit;
mod refresh;
mod refresh_job;
mod runs;
mod sign;

pub use create::{CreateError, Created};
pub use permit::{ShareUse, permit};
pub use refresh::{RefreshError, Refreshed};
pub use refresh_job::{RefreshLimits, RefreshRun};
pub use sign::SignError;

use crate::aws::Aws;
use crate::clock::Clock;
use crate::config::{ConfigError, CustodyConfig, Env, RefreshBy, StoreConfig};
use crate::envelope::Envelope;
use crate::metrics::{self, About, Metric};
use crate::mpc::CosignerClient;
use crate::random::Random;
use crate::store::Store;
use runs::Refresher;

/// Party 1 of every wallet key: the table with its shares, the key that seals them, and the way to
/// party 2.
#[derive(Clone, Debug)]
pub struct Custody {
    /// The wallets' table.
    pub store: Store,
    /// KMS key A.
    pub envelope: Envelope,
    /// Party 2.
    pub cosigner: CosignerClient,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
    refresher: Refresher,
}

impl Custody {
    /// Makes the clients once, from the environment.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_env(env: &Env<'_>, clock: Clock, random: Random) -> Result<Self, ConfigError> {
        let aws = Aws::from_env(env)?;
        let store = StoreConfig::from_env(env)?;
        let custody = CustodyConfig::from_env(env)?;
        Ok(Self::new(&aws, &store, &custody, clock, random))
    }

    /// Custody over these clients.
    #[must_use]
    pub fn new(
        aws: &Aws,
        store: &StoreConfig,
        custody: &CustodyConfig,
        clock: Clock,
        random: Random,
    ) -> Self {
        Self {
            store: Store::new(aws.dynamodb(), &store.table),
            envelope: Envelope::new(aws.kms(), &custody.kms_key_id, random.clone()),
            cosigner: CosignerClient::new(
                aws.lambda(),
                &custody.cosigner_function,
                &custody.caller,
            ),
            clock,
            random,
            refresher: match &custody.refresh {
                RefreshBy::ThisProcess(cosigner) => Refresher::ThisProcess(CosignerClient::new(
                    aws.lambda(),
                    cosigner,
                    &custody.caller,
                )),
                RefreshBy::Function(function) => {
                    Refresher::Function { lambda: aws.lambda(), function: function.clone() }
                }
            },
        }
    }
}

impl Custody {
    /// Runs the parties' protocol, and measures how long it took when it came to its end.
    async fn timed<T, E>(
        &self,
        metric: Metric,
        run: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let started_us = self.clock.now_us();
        let done = run.await?;
        let took_ms = self.clock.now_us().saturating_sub(started_us) / 1_000;
        metrics::emit(&self.clock, About::SERVICE, &[(metric, took_ms)]);
        Ok(done)
    }
}
