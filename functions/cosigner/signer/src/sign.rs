//! Signing, party 2. Call 1 checks the intent, computes its digest, and fixes both for the
//! session. Call 2 returns party 2's half of the signature for that digest, once.

use std::collections::BTreeMap;

use dkls23_secp256k1::protocols::signing::{
    KeepPhase2to3, SignData, TransmitPhase1to2, UniqueKeep2to3,
};
use dkls23_secp256k1::protocols::{Abort, AbortKind, PartyIndex};
use domain::eth::Digest;
use domain::intent::Intent;
use platform::envelope::BesideKey;
use platform::metrics::{self, About, Metric};
use protocol::{
    Curve, FinishSign, KeyShare, Refusal, SessionId, SignAnswered, SignShares, StartSign,
    WalletKey, party_1, sign_data,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::audit::{Decision, Head, RequestContext, Step};
use crate::party::{CallError, Cosigner, Failure};
use crate::rates::Kind;
use crate::session_state::{NewSession, about};
use crate::store::{SessionKind, ShareItem, share_context};

/// Maximum time between the two calls, in seconds.
pub(crate) const SESSION_S: u64 = 15;

/// State kept between the two calls and used at most once. Only the cosigner can read it; see
/// `kept`.
#[derive(Serialize, Deserialize)]
struct SessionState {
    digest: Digest,
    unique: UniqueKeep2to3<Curve>,
    pair: BTreeMap<PartyIndex, KeepPhase2to3<Curve>>,
}

/// Runs phases 1 and 2 of party 2. Returns the state to keep as bytes, and the response.
pub(crate) fn respond(
    share: &KeyShare,
    data: &SignData,
    message: TransmitPhase1to2,
) -> Result<(Zeroizing<Vec<u8>>, SignAnswered), RunError> {
    let party = share.party();
    let (unique, pair, mut phase_1) = party.sign_phase1(data)?;
    let (unique, pair, mut phase_2) = party.sign_phase2(data, unique, pair, &[message])?;
    // `kept` is filled in when the state is sealed.
    let (phase_1, phase_2) = (phase_1.remove(0), phase_2.remove(0));
    let answer = SignAnswered { phase_1, phase_2, kept: Vec::new() };
    let kept = SessionState { digest: data.message_hash, unique, pair };
    // Allocated at full size, so that a growing vector leaves no copies behind.
    let bytes = postcard::to_extend(&kept, Vec::with_capacity(32 * 1024))?;
    Ok((Zeroizing::new(bytes), answer))
}

/// The whole signature, and party 2's half of it, which is not released before the signature is
/// recorded.
pub(crate) struct Made {
    pub(crate) digest: Digest,
    /// 65 bytes in hex.
    pub(crate) signature: String,
    pub(crate) half: SignShares,
}

/// Runs phases 3 and 4 of party 2, for the digest fixed in call 1.
pub(crate) fn conclude(
    key: &WalletKey,
    session: SessionId,
    share: &KeyShare,
    kept: &[u8],
    message: FinishSign,
) -> Result<Made, RunError> {
    let kept: SessionState = postcard::from_bytes(kept)?;
    let data = sign_data(key, session, party_1(), kept.digest);
    let party = share.party();
    let (x, own) = party.sign_phase3(&data, kept.unique, kept.pair, &[message.message])?;
    let (s, recovery) = party.sign_phase4(&data, &x, &[message.share, own.clone()], true)?;
    let signature = format!("0x{x}{s}{:02x}", 27 + recovery);
    Ok(Made { digest: data.message_hash, signature, half: SignShares { message: own } })
}

/// Why a run ended.
pub(crate) enum RunError {
    /// Party 1's message violates the protocol.
    Abort(Abort),
    /// The kept state cannot be read.
    Damaged(String),
}

impl From<Abort> for RunError {
    fn from(abort: Abort) -> Self {
        Self::Abort(abort)
    }
}

impl From<postcard::Error> for RunError {
    fn from(error: postcard::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// An opened share, the key that seals its sessions, and the head of its wallet's audit log.
pub(crate) struct Found {
    pub(crate) share: KeyShare,
    pub(crate) beside: BesideKey,
    pub(crate) head: Head,
}

/// Checks that a share may be used.
///
/// # Errors
/// [`Refusal::Barred`] or [`Refusal::Retired`].
pub(crate) fn usable(item: &ShareItem, head: &Head) -> Result<(), Refusal> {
    if head.barred || item.barred {
        return Err(Refusal::Barred);
    }
    if item.sealed.is_none() { Err(Refusal::Retired) } else { Ok(()) }
}

impl Cosigner {
    /// Handles call 1.
    pub(crate) async fn start_sign(
        &self,
        context: &RequestContext,
        message: StartSign,
    ) -> Result<SignAnswered, CallError> {
        let StartSign { intent, message } = message;
        let RequestContext { key, session, .. } = context;
        let (item, head) = self.shares.share_and_head(key).await?;
        let item = item.ok_or(Refusal::UnknownKey)?;
        let (kind, now_ms) = (Kind::of(&intent), self.clock.now_ms());
        let rate = self.policy.limits().tenant;
        // Refused before any costly work, where the transaction would refuse anyway.
        usable(&item, &head)?;
        // Shares sign only after their trial, so that no other call can take the run slots that
        // the trial requires.
        if item.from.is_some() && !item.confirmed {
            return Err(Refusal::NotConfirmed.into());
        }
        head.admits(key.key_version, now_ms / 1_000)?;
        let (share, counted) = tokio::join!(
            self.open_signing_share(key, item),
            self.shares.count_tenant(&key.tenant, kind, rate, now_ms)
        );
        let (share, beside) = share?;
        match counted {
            Err(CallError::Refused(refusal)) => {
                return Err(self.refuse(context, head, &intent, refusal).await);
            }
            counted => counted?,
        }
        if let Err(refusal) = self.policy.check(share.address(), &intent, now_ms) {
            return Err(self.refuse(context, head, &intent, refusal).await);
        }
        tracing::info!(intent = intent.name(), "allowed");

        let NewSession { item, once, expires_at_s: until_s } =
            self.session_beside(&beside, context, SessionKind::Sign, SESSION_S)?;
        // One transaction writes the slot, the session, the record and the count, before anything
        // is computed from the share.
        let rate = self.policy.limits().wallet;
        let nonces = intent.nonce().into_iter().collect();
        let step = Step::Open { kind, rate, nonces, pays: false, until_s };
        let head =
            match self.record(context, head, &Decision::allowed(&intent), step, Some(item)).await {
                Ok(head) => head,
                Err(CallError::Refused(refusal @ (Refusal::Policy(_) | Refusal::Rate { .. }))) => {
                    let head = self.shares.head(key).await?;
                    return Err(self.refuse(context, head, &intent, refusal).await);
                }
                Err(error) => return Err(error),
            };

        let data = sign_data(key, *session, party_1(), intent.digest());
        let (state, mut answer) = match respond(&share, &data, message) {
            Ok(made) => made,
            Err(error) => return Err(self.ended(context, head, error).await),
        };
        answer.kept = once.seal(&about(key, *session, SessionKind::Sign), &state)?;
        Ok(answer)
    }

    async fn refuse(
        &self,
        context: &RequestContext,
        head: Head,
        intent: &Intent,
        refusal: Refusal,
    ) -> CallError {
        let refused = Decision::refused(intent, &refusal.to_string());
        self.refuse_with(context, head, &refused, refusal).await
    }

    /// Records a refusal, and returns it. Above the limit per minute, a refusal appears only in
    /// the log stream; nothing was computed from a share.
    pub(crate) async fn refuse_with(
        &self,
        context: &RequestContext,
        head: Head,
        decision: &Decision,
        refusal: Refusal,
    ) -> CallError {
        match self.record(context, head, decision, Step::Refuse, None).await {
            Ok(_) => refusal.into(),
            Err(CallError::Refused(Refusal::Busy)) => {
                tracing::warn!(
                    %refusal, walletId = %context.key.wallet_id,
                    "refusal not recorded: minute limit reached"
                );
                refusal.into()
            }
            Err(error) => error,
        }
    }

    /// Handles call 2. The session is deleted before anything is computed from it.
    pub(crate) async fn finish_sign(
        &self,
        context: &RequestContext,
        mut message: FinishSign,
    ) -> Result<SignShares, CallError> {
        let RequestContext { key, session, .. } = context;
        let kept = std::mem::take(&mut message.kept);
        let (record, found) =
            tokio::join!(self.take(context, SessionKind::Sign), self.usable_share(key));
        let (record, Found { share, beside, head }) = (record?, found?);
        let kept = self.kept_beside(&beside, context, &record, kept)?;
        let made = match conclude(key, *session, &share, &kept, message) {
            Ok(made) => made,
            Err(error) => return Err(self.ended(context, head, error).await),
        };
        let signed = Decision::signed(&made.digest, made.signature);
        // The signature is recorded before anyone receives it, and only while the key is not
        // barred.
        self.record(context, head, &signed, Step::Close, None).await?;
        Ok(made.half)
    }

    /// Opens the share in use, and reads the head of its wallet's chain.
    pub(crate) async fn usable_share(&self, key: &WalletKey) -> Result<Found, CallError> {
        let (item, head) = self.shares.share_and_head(key).await?;
        let item = item.ok_or(Refusal::UnknownKey)?;
        usable(&item, &head)?;
        let (share, beside) = self.open_share(key, item).await?;
        Ok(Found { share, beside, head })
    }

    /// Opens a share that is to sign.
    ///
    /// # Errors
    /// [`Refusal::Worn`] for a share that a recovery restored: it must be refreshed first.
    pub(crate) async fn open_signing_share(
        &self,
        key: &WalletKey,
        item: ShareItem,
    ) -> Result<(KeyShare, BesideKey), CallError> {
        let (share, beside) = self.open_share(key, item).await?;
        if share.is_hollow() { Err(Refusal::Worn.into()) } else { Ok((share, beside)) }
    }

    pub(crate) async fn open_share(
        &self,
        key: &WalletKey,
        item: ShareItem,
    ) -> Result<(KeyShare, BesideKey), CallError> {
        let sealed = item.sealed.ok_or(Refusal::Retired)?;
        let (bytes, beside) = self.envelope.open_with_key(&share_context(key), &sealed).await?;
        let share =
            KeyShare::from_bytes(&bytes, 2).map_err(|error| Failure::Damaged(error.to_string()))?;
        Ok((share, beside))
    }

    /// Handles a run that ended without a result.
    pub(crate) async fn ended(
        &self,
        context: &RequestContext,
        head: Head,
        error: RunError,
    ) -> CallError {
        match error {
            RunError::Abort(abort) => self.aborted(context, head, &abort).await,
            RunError::Damaged(cause) => Failure::Damaged(cause).into(),
        }
    }

    /// Handles a protocol violation. If party 1 cheated in a way that leaks state shared with
    /// later runs, the key is barred, as the protocol's authors require. The bar has a write of
    /// its own and is repeated with the record, in case one of them fails. The run slot stays
    /// taken in any case.
    async fn aborted(&self, context: &RequestContext, head: Head, abort: &Abort) -> CallError {
        let reason = abort.description();
        let mut step = Step::Note;
        if matches!(abort.kind, AbortKind::BanCounterparty(_)) {
            tracing::error!(%reason, "party 1 cheated: key barred");
            step = Step::Bar;
            metrics::emit(&self.clock, About::SERVICE, &[(Metric::KeyBarred, 1)]);
            if let Err(error) = self.shares.bar(&context.key).await {
                tracing::error!(%error, "the bar was not written; its record bars the key too");
            }
        }
        let aborted = Decision::Aborted { reason: reason.clone() };
        match self.record(context, head, &aborted, step, None).await {
            Ok(_) => Refusal::Aborted(reason).into(),
            Err(error) => error,
        }
    }
}
