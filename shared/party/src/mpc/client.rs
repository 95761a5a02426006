//! Calls of the cosigner by Lambda invocations.

use platform::aws::Aws;
use platform::env::{ConfigError, Env};
use platform::telemetry;
use protocol::{Answer, Call, PROTOCOL, Refusal, Request, SessionId, WalletKey};

use crate::aws::{CallError, LambdaClient};

/// Why a call of the cosigner has no usable response.
#[derive(Debug, thiserror::Error)]
pub enum CosignerError {
    /// The cosigner was unreachable, did not respond, or failed. The cause is for the log.
    #[error("the cosigner could not be invoked: {0}")]
    Unavailable(#[from] CallError),
    /// The response does not belong to the call.
    #[error("the cosigner's response does not belong to the call")]
    Nonsense,
    /// The cosigner refused. Nothing was signed.
    #[error("the cosigner refused: {0}")]
    Refused(#[from] Refusal),
}

/// Invokes the cosigner.
#[derive(Clone, Debug)]
pub struct CosignerClient {
    lambda: LambdaClient,
    function: String,
    caller: String,
}

impl CosignerClient {
    /// Makes a client of the function with this name or ARN, for the function `caller`.
    #[must_use]
    pub fn new(
        lambda: LambdaClient,
        function: impl Into<String>,
        caller: impl Into<String>,
    ) -> Self {
        Self { lambda, function: function.into(), caller: caller.into() }
    }

    /// Makes the client from the environment: `COSIGNER_FUNCTION` and `AWS_LAMBDA_FUNCTION_NAME`.
    ///
    /// # Errors
    /// Returns an error that names the missing variable.
    pub fn from_env(env: &Env<'_>) -> Result<Self, ConfigError> {
        let function = env.required("COSIGNER_FUNCTION")?;
        let caller = env.optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
        Ok(Self::new(LambdaClient::new(&Aws::from_env(env)?), function, caller))
    }

    /// Sends one message of a session and waits for the response.
    ///
    /// # Errors
    /// Fails without a response, or when it is a refusal.
    pub async fn call(
        &self,
        key: &WalletKey,
        session: SessionId,
        call: Call,
    ) -> Result<Answer, CosignerError> {
        let request = Request {
            protocol: PROTOCOL,
            key: key.clone(),
            session,
            request_id: telemetry::request_id(),
            caller: self.caller.clone(),
            call,
        };
        let payload = self.lambda.invoke(&self.function, &request.to_payload()).await?;
        match Answer::from_payload(&payload).ok_or(CosignerError::Nonsense)? {
            Answer::Refused(refusal) => Err(refusal.into()),
            answer => Ok(answer),
        }
    }
}
