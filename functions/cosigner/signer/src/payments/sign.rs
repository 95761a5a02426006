//! Signs a prepared payment in two calls. The first one counts it.

use domain::eth::{Address, Digest};
use domain::ids::Exchange;
use domain::intent::NONCE_USED;
use domain::money::{Chains, Form, Nonces, Payment};
use protocol::{
    FinishPayment, PaymentOrder, PaymentRefusal, Refusal, SignAnswered, SignShares, StartPayment,
    party_1, sign_data,
};

use super::decide::{Counting, Known, Stored, check_counted, unchanged};
use super::record::{Withdrawal, add_signature, damaged, withdrawal_key};
use super::terms::Terms;
use crate::audit::{AllowedPayment, Decision, Head, RequestContext, Step, hex};
use crate::party::{CallError, Cosigner};
use crate::policy_chain::View;
use crate::rates::Kind;
use crate::session_state::{NewSession, about};
use crate::sign::{SESSION_S, conclude, respond, usable};
use crate::store::SessionKind;

/// How old uncounted nonces may be, in milliseconds. Aster accepts nonces of some seconds.
const USABLE_MS: u64 = 10_000;

/// Maximum number of attempts when other payments are counted first.
const TRIES: u32 = 12;

/// The nonces and signatures that a run is about.
struct Run {
    nonces: Nonces,
    step: u8,
}

impl Cosigner {
    /// Handles the first signing call of a payment.
    pub(crate) async fn start_payment(
        &self,
        context: &RequestContext,
        message: StartPayment,
    ) -> Result<SignAnswered, CallError> {
        let StartPayment { order, nonces, step, message } = message;
        let (key, now_ms) = (&context.key, self.clock.now_ms());
        let (rules, setting) = (self.policy.payments(), self.policy.setting());
        let terms = Terms::of(&order.payment, None, rules, setting).map_err(Refusal::from)?;
        let (Stored { share, head }, known) = self.known(key, &order, &terms.charges).await?;
        let item = share.ok_or(Refusal::UnknownKey)?;
        usable(&item, &head)?;
        if item.from.is_some() && !item.confirmed {
            return Err(Refusal::NotConfirmed.into());
        }
        head.admits(key.key_version, now_ms / 1_000)?;
        let rate = self.policy.limits().tenant;
        let (share, counted) = tokio::join!(
            self.open_signing_share(key, item),
            self.shares.count_tenant(&key.tenant, Kind::Payment, rate, now_ms)
        );
        let (share, beside) = share?;
        let own = Terms::of(&order.payment, Some(share.address()), rules, setting);
        let checked = match counted {
            Ok(()) => own.map_err(|refusal| CallError::from(Refusal::from(refusal))),
            Err(error) => Err(error),
        };
        if let Err(error) = checked {
            return Err(self.refuse_payment(context, head, &order, error).await);
        }
        let NewSession { item: session, once, expires_at_s: until_s } =
            self.session_beside(&beside, context, SessionKind::Payment, SESSION_S)?;

        let (mut head, mut known) = (head, known);
        let run = Run { nonces, step };
        let mut tries = 0;
        let (head, digest) = loop {
            let opened = self.opened(context, &order, &terms, &known, &run, share.address());
            let (digest, counting) = match opened {
                Ok(opened) => opened,
                Err(error) => return Err(self.refuse_payment(context, head, &order, error).await),
            };
            let at_ms = self.clock.now_ms();
            let (decision, nonces, writes) = match &counting {
                Some(counting) => (
                    self.allowed(&order, &known, counting, &digest),
                    run.taken(),
                    known.writes(&self.shares.table, key, &order, (&terms, counting), at_ms)?,
                ),
                None => {
                    let (id, digest) = (order.id.clone(), hex(&digest));
                    let writes = vec![unchanged(&known.view, &self.shares.table)?];
                    (Decision::PaymentResumed { id, digest }, Vec::new(), writes)
                }
            };
            let step = Step::Open {
                kind: Kind::Payment,
                rate: self.policy.limits().wallet,
                nonces,
                pays: true,
                until_s,
            };
            let session = Some(session.clone());
            let recorded = self.record_with(context, head, &decision, step, session, &writes).await;
            match recorded {
                Ok(Some(head)) => break (head, digest),
                Ok(None) if tries < TRIES => tries += 1,
                Ok(None) => return Err(Refusal::Busy.into()),
                Err(CallError::Refused(Refusal::Policy(reason))) if reason == NONCE_USED => {
                    return Err(Refusal::from(PaymentRefusal::PrepareAgain).into());
                }
                Err(error) => return Err(error),
            }
            // Another payment or change came first.
            let (stored, again) = self.known(key, &order, &terms.charges).await?;
            (head, known) = (stored.head, again);
            head.unbarred()?;
        };

        let data = sign_data(key, context.session, party_1(), digest);
        let (state, mut answer) = match respond(&share, &data, message) {
            Ok(made) => made,
            Err(error) => return Err(self.ended(context, head, error).await),
        };
        answer.kept = once.seal(&about_payment(context, &order.id, step), &state)?;
        Ok(answer)
    }

    /// Decides about a run, and returns its digest. The payment is counted if there is a count.
    fn opened(
        &self,
        context: &RequestContext,
        order: &PaymentOrder,
        terms: &Terms,
        known: &Known,
        run: &Run,
        wallet: Address,
    ) -> Result<(Digest, Option<Counting>), CallError> {
        let now_ms = self.clock.now_ms();
        let counting = known.decide(&context.key, order, terms, now_ms)?;
        let again = || CallError::Refused(PaymentRefusal::PrepareAgain.into());
        let withdrawal = known.withdrawal.as_ref().ok_or_else(again)?;
        let is_current = withdrawal.is_of(&order.payment)?
            && withdrawal.nonces == run.nonces
            && withdrawal.signatures.len() == usize::from(run.step)
            && (counting.is_none() || now_ms < withdrawal.prepared_at_ms + USABLE_MS);
        if !is_current {
            return Err(again());
        }
        let setting = self.policy.setting();
        let chains = Chains { hyperliquid: setting.hyperliquid_chain, aster: setting.aster_chain };
        let form = Form { payment: &order.payment, wallet, chains, nonces: withdrawal.nonces };
        let digest = form.digest(&withdrawal.signatures).ok_or_else(again)?;
        Ok((digest, counting))
    }

    fn allowed(
        &self,
        order: &PaymentOrder,
        known: &Known,
        counting: &Counting,
        digest: &Digest,
    ) -> Decision {
        let (setting, view) = (self.policy.setting(), &known.view);
        Decision::PaymentAllowed(Box::new(AllowedPayment {
            id: order.id.clone(),
            payment: order.payment.clone(),
            nonces: known.withdrawal.as_ref().map(|known| known.nonces),
            networks: Some([setting.hyperliquid_chain, setting.aster_chain]),
            digest: hex(digest),
            charges: counting.charges.clone(),
            replaces: counting.replaced(),
            policy_seq: view.seq,
            policy_hash: view.hash.clone(),
            destination_change: counting.destination_change,
            limit_changes: counting.limit_changes.clone(),
            approvers: counting.approvers.clone(),
        }))
    }

    /// Records the refusal of a payment, and returns it.
    async fn refuse_payment(
        &self,
        context: &RequestContext,
        head: Head,
        order: &PaymentOrder,
        error: CallError,
    ) -> CallError {
        let refusal = match error {
            // Nothing was decided about the payment.
            CallError::Refused(Refusal::Payment(PaymentRefusal::PrepareAgain)) => return error,
            CallError::Refused(refusal) => refusal,
            CallError::Failed(_) => return error,
        };
        let (id, payment) = (order.id.clone(), order.payment.clone());
        let refused = Decision::PaymentRefused { id, payment, reason: refusal.to_string() };
        self.refuse_with(context, head, &refused, refusal).await
    }

    /// Handles the second signing call of a payment. The session is deleted before anything is
    /// computed from it. A freeze since the first call still stops the payment, and so does the
    /// removal of its destination or limit.
    pub(crate) async fn finish_payment(
        &self,
        context: &RequestContext,
        message: FinishPayment,
    ) -> Result<SignShares, CallError> {
        let FinishPayment { id, step, mut finish } = message;
        let key = &context.key;
        let kept = std::mem::take(&mut finish.kept);
        let keys = [View::key(&key.tenant), withdrawal_key(key, &id)];
        let (session, found) = tokio::join!(
            self.take(context, SessionKind::Payment),
            self.shares.share_head_and(key, &keys)
        );
        let (session, (item, head, mut items)) = (session?, found?);
        let item = item.ok_or(Refusal::UnknownKey)?;
        usable(&item, &head)?;
        let known = Withdrawal::read(items.pop().flatten())?.ok_or(Refusal::NoSession)?;
        let payment: Payment = serde_json::from_str(&known.payment).map_err(damaged)?;
        let mut policy = items.pop().flatten();
        let (share, beside) = self.open_share(key, item).await?;
        let about = about_payment(context, &id, step);
        let kept = self.kept_about(&beside, context, &session, &about, kept)?;
        let made = match conclude(key, context.session, &share, &kept, finish) {
            Ok(made) => made,
            Err(error) => return Err(self.ended(context, head, error).await),
        };
        let table = &self.shares.table;
        let added = add_signature(table, key, &id, step, &made.signature)?;
        let (digest, signature) = (hex(&made.digest), made.signature.clone());
        let signed = Decision::PaymentSigned { id: id.clone(), digest, signature };
        let (rules, setting) = (self.policy.payments(), self.policy.setting());
        let terms =
            Terms::of(&payment, Some(share.address()), rules, setting).map_err(Refusal::from)?;
        let (mut head, mut known) = (head, known);
        for _ in 0..TRIES {
            let view = self.policy_view(&key.tenant, policy).await?;
            let now_ms = self.clock.now_ms();
            check_counted(&view, (&known, &payment), &terms, now_ms).map_err(Refusal::from)?;
            let writes = [added.clone(), unchanged(&view, table)?];
            let recorded = self.record_with(context, head, &signed, Step::Close, None, &writes);
            if recorded.await?.is_some() {
                return Ok(made.half);
            }
            let again = self.shares.share_head_and(key, &keys).await?;
            let mut items = again.2;
            let stored = Withdrawal::read(items.pop().flatten())?;
            // Otherwise another run made this signature first.
            known = stored
                .filter(|known| known.signatures.len() == usize::from(step))
                .ok_or_else(|| Refusal::from(PaymentRefusal::PrepareAgain))?;
            (head, policy) = (again.1, items.pop().flatten());
        }
        Err(Refusal::Busy.into())
    }
}

impl Run {
    /// Returns the nonces that counting takes, the lower one first.
    fn taken(&self) -> Vec<(Exchange, u64)> {
        match self.nonces {
            Nonces::Hyperliquid(nonce) => vec![(Exchange::Hyperliquid, nonce)],
            Nonces::Aster(nonce, user_nonce) => {
                vec![(Exchange::Aster, user_nonce), (Exchange::Aster, nonce)]
            }
            Nonces::Evm => Vec::new(),
        }
    }
}

/// Returns the associated data that binds a session's state to the payment and its step.
fn about_payment(context: &RequestContext, id: &domain::money::PaymentId, step: u8) -> Vec<u8> {
    let mut bound = about(&context.key, context.session, SessionKind::Payment);
    bound.extend(format!("/{id}/{step}").into_bytes());
    bound
}
