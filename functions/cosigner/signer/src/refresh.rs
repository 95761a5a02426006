//! Refresh of a key's shares, party 2: a new share beside the one in use, its trial, and, once
//! party 1 relies on it alone, the end of all others.
//!
//! No share is ever overwritten, and the one in use is given up only by [`Cosigner::retire`], for
//! one that has signed together with party 1's. A share that was never tried may be discarded: party
//! 1 relies on none before its trial.

use std::collections::BTreeMap;

use dkls23_secp256k1::protocols::dkg::{
    KeepInitMulPhase3to4, KeepInitZeroSharePhase3to4, ProofCommitment, TransmitInitMulPhase3to4,
    TransmitInitZeroSharePhase3to4,
};
use dkls23_secp256k1::protocols::{Abort, PartyIndex};
use domain::compute::{Stopped, compute};
use protocol::{
    Curve, FinishRefresh, FinishSign, KeyShare, RefreshCommitments, RefreshCommitted,
    RefreshReveal, RefreshRevealed, Refusal, Scalar, SignAnswered, SignShares, StartConfirm,
    StartRefresh, WalletKey, confirm_digest, party_1, refresh_id, sign_data,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::audit::{Decision, RequestContext, Step};
use crate::party::{CallError, Cosigner, Failure};
use crate::session_state::{NewSession, about};
use crate::sign::{self, Found, RunError, conclude, respond, usable};
use crate::store::{SessionKind, leftovers, others, share_context, share_item};

/// How long party 1 has between the two calls, in seconds.
const SESSION_S: u64 = 60;

/// More tried shares than refreshes that die at their worst moment ever leave.
const MOST_TRIED: usize = 8;

/// How far a new version may be ahead of the newest one, so that they never run out.
const MOST_AHEAD: u32 = 64;

/// What is kept between the two calls. Sealed at rest, never sent.
#[derive(Serialize, Deserialize)]
struct SessionState {
    to: u32,
    correction: Scalar,
    proof: ProofCommitment<Curve>,
    zero_kept: BTreeMap<PartyIndex, KeepInitZeroSharePhase3to4>,
    zero: TransmitInitZeroSharePhase3to4,
    mul_kept: BTreeMap<PartyIndex, KeepInitMulPhase3to4<Curve>>,
    mul: TransmitInitMulPhase3to4<Curve>,
}

/// Phases 1 to 3 of party 2; the state to keep in bytes, and the answer.
fn commit(
    share: &KeyShare,
    id: &[u8],
    message: &StartRefresh,
) -> Result<(Zeroizing<Vec<u8>>, RefreshCommitted), Failure> {
    let party = share.party();
    let fragments = Zeroizing::new(party.refresh_complete_phase1());
    let [for_party_1, own] = fragments[..] else {
        return Err(Stopped.into());
    };
    let fragments = Zeroizing::new(vec![message.fragment, own]);
    let (correction, proof, zero_kept, mut zero) = party.refresh_complete_phase2(id, &fragments);
    let commitments = RefreshCommitments { proof: proof.commitment, zero: zero.remove(0) };
    let (zero_kept, mut zero, mul_kept, mut mul) = party.refresh_complete_phase3(id, &zero_kept);
    let kept = SessionState {
        to: message.to,
        correction,
        proof,
        zero_kept,
        zero: zero.remove(0),
        mul_kept,
        mul: mul.remove(0),
    };
    // Room from the start, so that no copy is left behind by a growing vector.
    let bytes = postcard::to_extend(&kept, Vec::with_capacity(256 * 1024))
        .map_err(|error| Failure::Damaged(error.to_string()))?;
    // What is kept goes into it when it is sealed.
    let answer = RefreshCommitted { fragment: for_party_1, commitments, kept: Vec::new() };
    Ok((Zeroizing::new(bytes), answer))
}

/// Phase 4 of party 2: the new share, and what it may reveal once that is stored.
fn check(
    share: &KeyShare,
    id: &[u8],
    kept: SessionState,
    theirs: FinishRefresh,
) -> Result<(KeyShare, RefreshReveal), Abort> {
    let FinishRefresh { commitments, reveal, .. } = theirs;
    let SessionState { to, correction, proof, zero_kept, zero, mul_kept, mul } = kept;
    let correction = Zeroizing::new(correction);
    let their_proof =
        ProofCommitment { index: party_1(), proof: reveal.proof, commitment: commitments.proof };
    let revealed = RefreshReveal { proof: proof.proof.clone(), zero, mul };
    let refreshed = share.party().refresh_complete_phase4(
        id,
        &correction,
        &[their_proof, proof],
        &zero_kept,
        &[commitments.zero],
        &[reveal.zero],
        &mul_kept,
        &[reveal.mul],
    )?;
    Ok((KeyShare::new(refreshed).at_version(to), revealed))
}

impl Cosigner {
    /// Refresh, call 1. The key is that of the shares in use. It counts as one of the wallet's
    /// signatures.
    pub(crate) async fn start_refresh(
        &self,
        context: &RequestContext,
        message: StartRefresh,
    ) -> Result<RefreshCommitted, CallError> {
        let RequestContext { key, session, .. } = context;
        let (found, known) = tokio::join!(self.usable_share(key), self.shares.versions(key));
        let (Found { share, beside, head }, known) = (found?, known?);
        let to = message.to;
        let newest = known.last().map_or(key.key_version, |it| it.version).max(head.newest);
        if to <= newest || to > newest.saturating_add(MOST_AHEAD) {
            return Err(Refusal::Newest(newest).into());
        }
        let NewSession { item, once, .. } =
            self.session_beside(&beside, context, SessionKind::Refresh, SESSION_S)?;
        let left = leftovers(key, &known, MOST_TRIED);
        let kept = left.kept.clone();
        let step = Step::Refresh { rate: self.policy.limits().wallet, to, kept };
        self.record(context, head, &Decision::RefreshAllowed { to }, step, Some(item)).await?;
        // Counted and recorded first: a refresh that is refused discards nothing.
        self.shares.clear(key, &left).await?;
        let id = refresh_id(key, to, *session);
        let (state, mut answer) = compute(move || commit(&share, &id, &message)).await??;
        answer.kept = once.seal(&about(key, *session, SessionKind::Refresh), &state)?;
        Ok(answer)
    }

    /// Refresh, call 2.
    pub(crate) async fn finish_refresh(
        &self,
        context: &RequestContext,
        mut message: FinishRefresh,
    ) -> Result<RefreshRevealed, CallError> {
        let RequestContext { key, session, .. } = context;
        let kept = std::mem::take(&mut message.kept);
        let (record, found) =
            tokio::join!(self.take(context, SessionKind::Refresh), self.usable_share(key));
        let (record, Found { share, beside, head }) = (record?, found?);
        let kept = self.kept_beside(&beside, context, &record, kept)?;
        let kept: SessionState =
            postcard::from_bytes(&kept).map_err(|error| Failure::Damaged(error.to_string()))?;
        let to = kept.to;
        let id = refresh_id(key, to, *session);
        let new_key = WalletKey { key_version: to, ..key.clone() };
        let (checked, data_key) = tokio::join!(
            compute(move || check(&share, &id, kept, message)),
            self.envelope.data_key(share_context(&new_key))
        );
        let (share, reveal) = match checked? {
            Ok(made) => made,
            Err(abort) => {
                return Err(self.ended(context, head, RunError::Abort(abort)).await);
            }
        };
        let sealed = data_key?.seal(&share.to_bytes())?;
        let item = share_item(&new_key, Some(key.key_version), self.clock.now_ms(), sealed)?;
        let made = Decision::ShareRefreshed { to };
        match self.record(context, head, &made, Step::Refreshed, Some(item)).await {
            Ok(_) => {}
            Err(CallError::Refused(Refusal::NoSession)) => return Err(Refusal::KeyExists.into()),
            Err(error) => return Err(error),
        }
        self.still_usable(key, &new_key).await?;
        Ok(RefreshRevealed { reveal })
    }

    /// A share that was barred or given up while another was made from it takes that one with it.
    /// Party 1 has got nothing yet that lets it use that one.
    async fn still_usable(&self, from: &WalletKey, to: &WalletKey) -> Result<(), CallError> {
        let (item, head) = self.shares.share_and_head(from).await?;
        let checked = item.ok_or(Refusal::Retired).and_then(|item| usable(&item, &head));
        if checked.is_err() {
            self.shares.give_up(to).await?;
        }
        Ok(checked?)
    }

    /// Trial of new shares, call 1. The key is theirs. The digest means nothing to anybody, so the
    /// policy has no say. Only shares that were never tried are; a trial counts as one of the
    /// wallet's signatures.
    pub(crate) async fn start_confirm(
        &self,
        context: &RequestContext,
        message: StartConfirm,
    ) -> Result<SignAnswered, CallError> {
        let RequestContext { key, session, .. } = context;
        let (item, head) = self.shares.share_and_head(key).await?;
        let item = item.ok_or(Refusal::UnknownKey)?;
        usable(&item, &head)?;
        head.admits(key.key_version, self.clock.now_ms() / 1_000)?;
        if item.from.is_none() || item.confirmed {
            return Err(Refusal::Tried.into());
        }
        let (share, beside) = self.open_share(key, item).await?;
        let (kind, life_s) = (SessionKind::Confirm, sign::SESSION_S);
        let NewSession { item, once, expires_at_s: until_s } =
            self.session_beside(&beside, context, kind, life_s)?;
        let data = sign_data(key, *session, party_1(), confirm_digest(key, *session));
        let allowed = Decision::trial_allowed(&data.message_hash);
        let step = Step::Try { rate: self.policy.limits().wallet, until_s };
        let head = self.record(context, head, &allowed, step, Some(item)).await?;
        let (state, mut answer) = match respond(&share, &data, message.message) {
            Ok(made) => made,
            Err(error) => return Err(self.ended(context, head, error).await),
        };
        answer.kept = once.seal(&about(key, *session, kind), &state)?;
        Ok(answer)
    }

    /// Trial of new shares, call 2. From here the new share is not discarded any more, because
    /// party 1 may rely on it.
    pub(crate) async fn finish_confirm(
        &self,
        context: &RequestContext,
        mut message: FinishSign,
    ) -> Result<SignShares, CallError> {
        let RequestContext { key, session, .. } = context;
        let kept = std::mem::take(&mut message.kept);
        let (record, found) =
            tokio::join!(self.take(context, SessionKind::Confirm), self.usable_share(key));
        let (record, Found { share, beside, head }) = (record?, found?);
        let kept = self.kept_beside(&beside, context, &record, kept)?;
        let made = match conclude(key, *session, &share, &kept, message) {
            Ok(made) => made,
            Err(error) => return Err(self.ended(context, head, error).await),
        };
        if !self.shares.note_tried(key).await? {
            return Err(Refusal::UnknownKey.into());
        }
        let tried = Decision::tried(&made.digest, made.signature);
        self.record(context, head, &tried, Step::Close, None).await?;
        Ok(made.half)
    }

    /// Gives all shares up but the one named and those made from it, if that one has signed with
    /// party 1's half of it.
    pub(crate) async fn retire(&self, context: &RequestContext) -> Result<(), CallError> {
        let key = &context.key;
        let (item, head) = self.shares.share_and_head(key).await?;
        let item = item.ok_or(Refusal::UnknownKey)?;
        usable(&item, &head)?;
        if !item.confirmed {
            return Err(Refusal::NotConfirmed.into());
        }
        let known = self.shares.versions(key).await?;
        let others = others(key, known);
        let versions = others.iter().map(|it| it.version).collect();
        let retired = Decision::SharesRetired { versions };
        self.record(context, head, &retired, Step::Retire, None).await?;
        Ok(self.shares.give_up_all(key, &others).await?)
    }
}
