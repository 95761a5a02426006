//! Wallets: creation, lookup, signing, and refresh of their shares.

mod create;
mod pay;
mod permit;
mod recovery;
mod refresh;
mod refresh_job;
mod runs;
mod sign;

pub use create::{CreateError, Created};
pub use pay::PaySignError;
pub use permit::{ShareUse, permit};
pub use recovery::{ImportError, RefreshRequested};
pub use refresh::{RefreshError, Refreshed};
pub use refresh_job::{RefreshLimits, RefreshRun};
pub use sign::SignError;

use domain::clock::Clock;
use domain::random::Random;
use platform::aws::Aws;
use platform::env::{ConfigError, Env};
use platform::envelope::Envelope;
use platform::metrics::{self, About, Metric};

use crate::aws::LambdaClient;
use crate::mpc::CosignerClient;
use crate::runtime::Runtime;
use crate::store::{Store, StoreConfig};
use recovery::Recovery;
use runs::Refresher;

/// Settings of custody in addition to the table.
#[derive(Clone, Debug)]
pub struct CustodyConfig {
    /// `WALLETS_KEY_ID`: KMS key A, which seals party 1's shares and the credentials.
    pub kms_key_id: String,
    /// `COSIGNER_FUNCTION`: its name or ARN.
    pub cosigner_function: String,
    /// `AWS_LAMBDA_FUNCTION_NAME`, which Lambda sets: the caller in the cosigner's records.
    pub caller: String,
    /// The refresher of shares that must be refreshed before they sign.
    pub refresh: RefreshBy,
}

/// How many wallets a tenant may have when nothing else is set.
pub const WALLETS_PER_TENANT: u64 = 1_000_000;

/// The refresher of a wallet's shares.
#[derive(Clone, Debug)]
pub enum RefreshBy {
    /// `REFRESH_FUNCTION`: the function with this name or ARN, the only one with the right to
    /// refresh.
    Function(String),
    /// This process, which invokes the cosigner by this name or ARN. Used with `COSIGNER_FUNCTION`
    /// when `REFRESH_FUNCTION` is not set.
    ThisProcess(String),
}

impl CustodyConfig {
    /// Reads the settings from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let cosigner_function = env.required("COSIGNER_FUNCTION")?;
        let refresh = match env.optional("REFRESH_FUNCTION") {
            Some(function) => RefreshBy::Function(function),
            None => RefreshBy::ThisProcess(cosigner_function.clone()),
        };
        Ok(Self {
            kms_key_id: env.required("WALLETS_KEY_ID")?,
            cosigner_function,
            refresh,
            caller: env.optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
        })
    }
}

/// Party 1 of every wallet key: the table with its shares, the key that seals them, and the client
/// of party 2.
#[derive(Clone, Debug)]
pub struct Custody {
    /// The wallets' table.
    pub store: Store,
    /// KMS key A.
    pub envelope: Envelope,
    /// Party 2.
    pub cosigner: CosignerClient,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub random: Random,
    refresher: Refresher,
    recovery: Option<Recovery>,
    wallets_per_tenant: u64,
}

impl Custody {
    /// Makes the clients from the environment.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(runtime: &Runtime<'_>) -> Result<Self, ConfigError> {
        let Runtime { env, clock, random } = runtime;
        let aws = Aws::from_env(env)?;
        let store = StoreConfig::from_env(env)?;
        let custody = CustodyConfig::from_env(env)?;
        Ok(Self::new(&aws, &store, &custody, clock.clone(), random.clone()))
    }

    /// Makes custody with these clients.
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
                LambdaClient::new(aws),
                &custody.cosigner_function,
                &custody.caller,
            ),
            clock,
            random,
            wallets_per_tenant: WALLETS_PER_TENANT,
            recovery: None,
            refresher: match &custody.refresh {
                RefreshBy::ThisProcess(cosigner) => Refresher::ThisProcess(CosignerClient::new(
                    LambdaClient::new(aws),
                    cosigner,
                    &custody.caller,
                )),
                RefreshBy::Function(function) => Refresher::Function {
                    lambda: LambdaClient::new(aws),
                    function: function.clone(),
                },
            },
        }
    }
}

impl Custody {
    /// Returns custody that makes at most so many wallets for a tenant; 0 sets no limit.
    #[must_use]
    pub const fn with_quota(mut self, wallets_per_tenant: u64) -> Self {
        self.wallets_per_tenant = wallets_per_tenant;
        self
    }

    /// Returns custody with the quota of `WALLETS_PER_TENANT`: [`WALLETS_PER_TENANT`] when not set.
    ///
    /// # Errors
    /// When it is not a number.
    pub fn with_quota_from_env(self, env: &Env<'_>) -> Result<Self, ConfigError> {
        let quota = env.parsed("WALLETS_PER_TENANT", "a number", |text| text.parse().ok())?;
        Ok(self.with_quota(quota.unwrap_or(WALLETS_PER_TENANT)))
    }

    /// Runs the protocol, and measures its duration if it completes.
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

/// Makes the envelope under KMS key A, `WALLETS_KEY_ID`. It seals party 1's shares, agents' keys,
/// stored responses and webhooks' secrets.
///
/// # Errors
/// Returns an error that names the missing variable.
pub fn envelope_from_env(runtime: &Runtime<'_>) -> Result<Envelope, ConfigError> {
    let kms = Aws::from_env(&runtime.env)?.kms();
    Ok(Envelope::new(kms, runtime.env.required("WALLETS_KEY_ID")?, runtime.random.clone()))
}
