//! The cosigner: party 2 of every wallet key.
//!
//! This folder is the security boundary. Read it to know what may be signed: [`policy`] says what
//! is allowed, [`callers`] by which function, `gate` bounds how often a share may be tried,
//! `keygen`, `sign` and `refresh` are the protocol's other half, `store` holds the records.
//! No endpoint function links this crate; they reach it by invocation, with messages of
//! the crate `protocol`, and it answers none of them with its share.

pub mod audit;
pub mod callers;
mod gate;
mod kept;
mod keygen;
pub mod policy;
mod rates;
mod refresh;
mod sign;
mod store;

use std::fmt;
use std::pin::Pin;

use domain::clock::Clock;
use domain::compute::Stopped;
use domain::random::{Random, RandomError};
use platform::aws::Aws;
use platform::env::{ConfigError, Env};
use platform::envelope::{Envelope, EnvelopeError};
use platform::items::StoreError;
use platform::metrics::{self, About, Metric};
use protocol::{Answer, Call, OnceKeyError, Refusal, Request};
use serde_json::value::RawValue;
use tracing::Instrument;

use audit::Asked;
use callers::Unqualified;
pub use policy::{Policy, Setting};
use store::Shares;
pub use store::{SessionKind, SessionRecord, ShareItem};

/// The cosigner, with its own table and its own KMS key B.
#[derive(Clone, Debug)]
pub struct Cosigner {
    shares: Shares,
    envelope: Envelope,
    random: Random,
    policy: Policy,
    clock: Clock,
    unqualified: Unqualified,
}

/// Why there is no answer. The invocation fails, and the cause is in the log.
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
    Kept(#[from] OnceKeyError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A stored share or session cannot be read.
    #[error("stored state is damaged: {0}")]
    Damaged(String),
    /// The computation was stopped from outside.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// How a call ends without an answer of its kind.
enum End {
    Refused(Refusal),
    Failed(Failure),
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<T: Into<Failure>> From<T> for End {
    fn from(failure: T) -> Self {
        Self::Failed(failure.into())
    }
}

impl Cosigner {
    /// A cosigner over these clients.
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
        }
    }

    /// The same, for another treatment of invocations without an alias. [`Cosigner::new`] refuses
    /// them.
    #[must_use]
    pub const fn with_unqualified(mut self, unqualified: Unqualified) -> Self {
        self.unqualified = unqualified;
        self
    }

    /// Makes the clients once, from the environment: `COSIGNER_TABLE`, `COSIGNER_KEY_ID`,
    /// `CALLER_WITHOUT_ALIAS` (`local` treats invocations without an alias as those of a local
    /// stack; not set in the cloud, where they are refused), and what [`Policy::from_env`] reads.
    ///
    /// # Errors
    /// Names the variable that is missing.
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
        Ok(cosigner.with_unqualified(unqualified))
    }

    /// Answers one invocation of this ARN, whose payload is this text. The ARN's alias says who
    /// invoked.
    ///
    /// # Errors
    /// When it cannot decide, because something that it depends on failed. Nothing was signed.
    pub async fn handle(&self, invoked: &str, payload: &str) -> Result<Box<RawValue>, Failure> {
        let answer = match Request::from_payload(payload) {
            Ok(request) => self.decide(self.unqualified.alias(invoked), request).await?,
            Err(refusal) => {
                tracing::warn!(%refusal, "refused");
                Answer::Refused(refusal)
            }
        };
        Ok(answer.to_payload())
    }

    async fn decide(&self, alias: Option<String>, request: Request) -> Result<Answer, Failure> {
        let Request { key, session, request_id, caller, call, .. } = request;
        let span = tracing::info_span!(
            "cosign",
            requestId = %request_id,
            tenant = %key.tenant,
            walletId = %key.wallet_id,
            alias,
            call = name(&call),
        );
        // Boxed, so that the type of what awaits this does not grow with what is in here.
        let asked = Asked { key, session, caller, alias, request_id };
        let allowed = self.unqualified.allows(asked.alias.as_deref(), &call);
        let work: Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send + '_>> =
            Box::pin(async {
                let answered = match call {
                    call if !allowed => Err(self.refuse_caller(&asked, &call).await),
                    Call::StartKeygen(message) => {
                        self.start_keygen(&asked, message).await.map(Answer::KeygenCommitted)
                    }
                    Call::CommitKeygen(message) => {
                        self.commit_keygen(&asked, &message).await.map(Answer::KeygenRevealed)
                    }
                    Call::FinishKeygen(message) => {
                        let stored = self.finish_keygen(&asked, message).await;
                        stored.map(|()| Answer::KeygenStored)
                    }
                    Call::StartSign(message) => {
                        self.start_sign(&asked, message).await.map(Answer::SignAnswered)
                    }
                    Call::FinishSign(message) => {
                        self.finish_sign(&asked, message).await.map(Answer::SignShares)
                    }
                    Call::StartRefresh(message) => {
                        self.start_refresh(&asked, message).await.map(Answer::RefreshCommitted)
                    }
                    Call::FinishRefresh(message) => {
                        self.finish_refresh(&asked, message).await.map(Answer::RefreshRevealed)
                    }
                    Call::StartConfirm(message) => {
                        self.start_confirm(&asked, message).await.map(Answer::SignAnswered)
                    }
                    Call::FinishConfirm(message) => {
                        self.finish_confirm(&asked, message).await.map(Answer::SignShares)
                    }
                    Call::Retire => self.retire(&asked).await.map(|()| Answer::Retired),
                };
                match answered {
                    Ok(answer) => {
                        tracing::info!("answered");
                        Ok(answer)
                    }
                    Err(End::Refused(refusal)) => {
                        tracing::warn!(%refusal, "refused");
                        let about = About::SERVICE.because(refusal.reason());
                        metrics::emit(&self.clock, about, &[(Metric::CosignerRefusals, 1)]);
                        Ok(Answer::Refused(refusal))
                    }
                    Err(End::Failed(failure)) => {
                        tracing::error!(%failure, "failed");
                        Err(failure)
                    }
                }
            });
        work.instrument(span).await
    }
}

const fn name(call: &Call) -> &'static str {
    match call {
        Call::StartKeygen(_) => "StartKeygen",
        Call::CommitKeygen(_) => "CommitKeygen",
        Call::FinishKeygen(_) => "FinishKeygen",
        Call::StartSign(_) => "StartSign",
        Call::FinishSign(_) => "FinishSign",
        Call::StartRefresh(_) => "StartRefresh",
        Call::FinishRefresh(_) => "FinishRefresh",
        Call::StartConfirm(_) => "StartConfirm",
        Call::FinishConfirm(_) => "FinishConfirm",
        Call::Retire => "Retire",
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => fmt::Debug::fmt(refusal, f),
            Self::Failed(failure) => fmt::Debug::fmt(failure, f),
        }
    }
}
