//! Party 2's shared state (its table, KMS key and policy), and the failures of a call.

use std::fmt;

use domain::clock::Clock;
use domain::compute::Stopped;
use domain::random::{Random, RandomError};
use platform::aws::Aws;
use platform::env::{ConfigError, Env};
use platform::envelope::{Envelope, EnvelopeError};
use platform::items::StoreError;
use protocol::recovery::RecordError;
use protocol::{OnceKeyError, Refusal};

use crate::callers::{self, Unqualified};
use crate::policy::Policy;
use crate::policy_chain::Origins;
use crate::records::Recovery;
use crate::store::Shares;

/// The cosigner, with its own table and its own KMS key B.
#[derive(Clone, Debug)]
pub struct Cosigner {
    pub(crate) shares: Shares,
    pub(crate) envelope: Envelope,
    pub(crate) random: Random,
    pub(crate) policy: Policy,
    pub(crate) clock: Clock,
    pub(crate) unqualified: Unqualified,
    pub(crate) origins: Origins,
    pub(crate) recovery: Option<Recovery>,
}

/// Why an invocation failed. The cause is in the log.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// KMS failed.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// State could not be sealed for its way to party 1 and back.
    #[error(transparent)]
    SessionState(#[from] OnceKeyError),
    /// The random number generator failed.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A stored share or session cannot be read.
    #[error("stored state is damaged: {0}")]
    Damaged(String),
    /// A recovery record could not be made.
    #[error(transparent)]
    Recovery(#[from] RecordError),
    /// The computation was stopped from outside.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why a call ended without its regular response.
pub(crate) enum CallError {
    Refused(Refusal),
    Failed(Failure),
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<T: Into<Failure>> From<T> for CallError {
    fn from(failure: T) -> Self {
        Self::Failed(failure.into())
    }
}

impl Cosigner {
    /// Makes a cosigner with these clients.
    #[must_use]
    pub fn new(
        aws: &Aws,
        table: &str,
        kms_key_id: &str,
        policy: Policy,
        clock: Clock,
        random: Random,
    ) -> Self {
        Self {
            shares: Shares::new(aws.dynamodb(), table),
            envelope: Envelope::new(aws.kms(), kms_key_id, random.clone()),
            random,
            policy,
            clock,
            unqualified: Unqualified::Refused,
            origins: Origins::default(),
            recovery: None,
        }
    }

    /// Sets how invocations without an alias are treated. [`Cosigner::new`] refuses them.
    #[must_use]
    pub const fn with_unqualified(mut self, unqualified: Unqualified) -> Self {
        self.unqualified = unqualified;
        self
    }

    /// Sets the table that holds the newest seal. Payments are off while the cosigner's table lacks
    /// that seal.
    #[must_use]
    pub fn with_seals(mut self, table: Option<String>) -> Self {
        self.origins.seals_table = table;
        self
    }

    /// Makes the clients from the environment: `COSIGNER_TABLE`, `COSIGNER_KEY_ID`, `SEALS_TABLE`
    /// (optional; see [`Self::with_seals`]), `CALLER_WITHOUT_ALIAS`, and the variables of
    /// [`platform::recovery::RecoverySetting`] and [`Policy::from_env`].
    /// `CALLER_WITHOUT_ALIAS=local` treats invocations without an alias as those of a local stack.
    /// It is not set in the cloud, where they are refused.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(env: &Env<'_>, clock: Clock, random: Random) -> Result<Self, ConfigError> {
        let unqualified = match env.optional("CALLER_WITHOUT_ALIAS").as_deref() {
            None => Unqualified::Refused,
            Some(callers::LOCAL) => Unqualified::Local,
            Some(_) => {
                let (name, want) = ("CALLER_WITHOUT_ALIAS", "local, or not set");
                return Err(ConfigError::Invalid { name, want });
            }
        };
        let cosigner = Self::new(
            &Aws::from_env(env)?,
            &env.required("COSIGNER_TABLE")?,
            &env.required("COSIGNER_KEY_ID")?,
            Policy::from_env(env)?,
            clock,
            random,
        );
        let cosigner =
            cosigner.with_unqualified(unqualified).with_seals(env.optional("SEALS_TABLE"));
        cosigner.with_recovery_from_env(env)
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => fmt::Debug::fmt(refusal, f),
            Self::Failed(failure) => fmt::Debug::fmt(failure, f),
        }
    }
}
