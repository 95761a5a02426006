//! Calls of the cosigner: one Lambda function invokes another.

use platform::telemetry;
use protocol::{Answer, Call, PROTOCOL, Refusal, Request, SessionId, WalletKey};

use crate::aws::{CallError, LambdaClient};

/// Why the cosigner gave no answer to use.
#[derive(Debug, thiserror::Error)]
pub enum CosignerError {
    /// It could not be reached, did not answer, or failed. The cause is for the log.
    #[error("the cosigner could not be invoked: {0}")]
    Unavailable(#[from] CallError),
    /// It answered something else than it was asked.
    #[error("the cosigner's answer is not of this protocol")]
    Nonsense,
    /// It refused. Nothing was signed.
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
    /// A client of the function with this name or ARN, for the function `caller`.
    #[must_use]
    pub fn new(
        lambda: LambdaClient,
        function: impl Into<String>,
        caller: impl Into<String>,
    ) -> Self {
        Self { lambda, function: function.into(), caller: caller.into() }
    }

    /// Sends one message of one session and waits for the answer.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
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
