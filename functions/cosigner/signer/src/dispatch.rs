//! Handles one invocation: identifies the caller, dispatches the call, and writes the response.

use std::pin::Pin;

use platform::metrics::{self, About, Metric};
use protocol::{Answer, Call, PreparePayment, Refusal, Request, StartPayment};
use serde_json::value::RawValue;
use tracing::Instrument;

use crate::audit::{Decision, RequestContext};
use crate::party::{CallError, Cosigner, Failure};

impl Cosigner {
    /// Handles one invocation of this ARN with this payload. The ARN's alias identifies the
    /// caller.
    ///
    /// # Errors
    /// Fails when a dependency fails before a decision. Nothing was signed.
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
        // Boxed, so that the caller's future does not grow with this one.
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
                    Call::Retire => self.retire(&context, false).await.map(retired),
                    Call::RetireRecorded => self.retire(&context, true).await.map(retired),
                    Call::PreparePayment(message) => {
                        self.prepare_payment(&context, message).await.map(Answer::PaymentPrepared)
                    }
                    Call::StartPayment(message) => {
                        self.start_payment(&context, message).await.map(Answer::SignAnswered)
                    }
                    Call::FinishPayment(message) => {
                        self.finish_payment(&context, message).await.map(Answer::SignShares)
                    }
                    Call::SettlePayment(message) => {
                        let settled = self.settle_payment(&context, message).await;
                        settled.map(|()| Answer::PaymentSettled)
                    }
                    Call::ListPayments { from } => {
                        self.list_payments(&context, from).await.map(Answer::OpenPayments)
                    }
                    Call::Recovery(call) => {
                        self.recovery_call(&context, call).await.map(Answer::Recovery)
                    }
                    Call::Policy(call) => {
                        self.policy_call(&context, call).await.map(Answer::Policy)
                    }
                };
                match answered {
                    Ok(answer) => {
                        tracing::info!("answered");
                        Ok(answer)
                    }
                    Err(CallError::Refused(refusal)) => {
                        tracing::warn!(%refusal, "refused");
                        let about = About::SERVICE.because(refusal.reason());
                        // Too many requests of an endpoint do not indicate a compromise.
                        let metric = match refusal {
                            Refusal::Rate { .. } | Refusal::Busy => Metric::CosignerLimits,
                            _ => Metric::CosignerRefusals,
                        };
                        metrics::emit(&self.clock, about, &[(metric, 1)]);
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

    /// Refuses a call that the caller's alias does not allow. Records the attempt when the wallet
    /// exists; otherwise it appears only in the log stream.
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
            Call::PreparePayment(PreparePayment { order, .. })
            | Call::StartPayment(StartPayment { order, .. }) => Decision::PaymentRefused {
                id: order.id.clone(),
                payment: order.payment.clone(),
                reason: refusal.to_string(),
            },
            other => Decision::CallRefused { call: name(other).to_owned() },
        };
        self.refuse_with(context, head, &decision, refusal).await
    }
}

const fn retired(recorded: bool) -> Answer {
    if recorded { Answer::RetiredRecorded } else { Answer::Retired }
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
        Call::Retire | Call::RetireRecorded => "Retire",
        Call::PreparePayment(_) => "PreparePayment",
        Call::StartPayment(_) => "StartPayment",
        Call::FinishPayment(_) => "FinishPayment",
        Call::SettlePayment(_) => "SettlePayment",
        Call::ListPayments { .. } => "ListPayments",
        Call::Policy(_) => "Policy",
        Call::Recovery(_) => "Recovery",
    }
}
