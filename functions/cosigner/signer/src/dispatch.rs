//! One invocation: who asks, for what, and the answer.

use std::pin::Pin;

use platform::metrics::{self, About, Metric};
use protocol::{Answer, Call, Refusal, Request};
use serde_json::value::RawValue;
use tracing::Instrument;

use crate::audit::{Decision, RequestContext};
use crate::party::{CallError, Cosigner, Failure};

impl Cosigner {
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
        let context = RequestContext { key, session, caller, alias, request_id };
        let allowed = self.unqualified.allows(context.alias.as_deref(), &call);
        let work: Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send + '_>> =
            Box::pin(async {
                let answered = match call {
                    call if !allowed => Err(self.refuse_caller(&context, &call).await),
                    Call::StartKeygen(message) => {
                        self.start_keygen(&context, message).await.map(Answer::KeygenCommitted)
                    }
                    Call::CommitKeygen(message) => {
                        self.commit_keygen(&context, &message).await.map(Answer::KeygenRevealed)
                    }
                    Call::FinishKeygen(message) => {
                        let stored = self.finish_keygen(&context, message).await;
                        stored.map(|()| Answer::KeygenStored)
                    }
                    Call::StartSign(message) => {
                        self.start_sign(&context, message).await.map(Answer::SignAnswered)
                    }
                    Call::FinishSign(message) => {
                        self.finish_sign(&context, message).await.map(Answer::SignShares)
                    }
                    Call::StartRefresh(message) => {
                        self.start_refresh(&context, message).await.map(Answer::RefreshCommitted)
                    }
                    Call::FinishRefresh(message) => {
                        self.finish_refresh(&context, message).await.map(Answer::RefreshRevealed)
                    }
                    Call::StartConfirm(message) => {
                        self.start_confirm(&context, message).await.map(Answer::SignAnswered)
                    }
                    Call::FinishConfirm(message) => {
                        self.finish_confirm(&context, message).await.map(Answer::SignShares)
                    }
                    Call::Retire => self.retire(&context).await.map(|()| Answer::Retired),
                };
                match answered {
                    Ok(answer) => {
                        tracing::info!("answered");
                        Ok(answer)
                    }
                    Err(CallError::Refused(refusal)) => {
                        tracing::warn!(%refusal, "refused");
                        let about = About::SERVICE.because(refusal.reason());
                        metrics::emit(&self.clock, about, &[(Metric::CosignerRefusals, 1)]);
                        Ok(Answer::Refused(refusal))
                    }
                    Err(CallError::Failed(failure)) => {
                        tracing::error!(%failure, "failed");
                        Err(failure)
                    }
                }
            });
        work.instrument(span).await
    }

    /// Refuses a call that the caller's alias does not allow. Where the wallet exists, the attempt is
    /// recorded first; otherwise it is in the log stream only.
    pub(crate) async fn refuse_caller(&self, context: &RequestContext, call: &Call) -> CallError {
        let refusal = Refusal::NotAllowed;
        let head = match self.shares.head(&context.key).await {
            Ok(head) => head,
            Err(error) => return error.into(),
        };
        if head.seq == 0 {
            return refusal.into();
        }
        let decision = match call {
            Call::StartSign(start) => Decision::refused(&start.intent, &refusal.to_string()),
            other => Decision::CallRefused { call: name(other).to_owned() },
        };
        self.refuse_with(context, head, &decision, refusal).await
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
