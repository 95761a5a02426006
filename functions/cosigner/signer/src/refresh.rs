//! Refresh of a key's shares, party 2: makes a new share, tries it, and retires the others once
//! party 1 relies only on the new one.
//!
//! No share is ever overwritten. Only [`Cosigner::retire`] retires the share in use, in favour of
//! one that has signed together with party 1's. A share that was never tried may be discarded,
//! because party 1 relies on no share before its trial.

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

/// Maximum time between the two calls, in seconds.
const SESSION_S: u64 = 60;

/// Maximum number of tried shares that are kept: more than interrupted refreshes ever leave.
const MOST_TRIED: usize = 8;

/// Maximum distance of a new version from the newest one, so that version numbers never run out.
const MOST_AHEAD: u32 = 64;

/// State kept between the two calls, sealed at rest and never sent.
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

/// Runs phases 1 to 3 of party 2. Returns the state to keep as bytes, and the response.
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
    // Allocated at full size, so that a growing vector leaves no copies behind.
    let bytes = postcard::to_extend(&kept, Vec::with_capacity(256 * 1024))
        .map_err(|error| Failure::Damaged(error.to_string()))?;
    // `kept` is filled in when the state is sealed.
    let answer = RefreshCommitted { fragment: for_party_1, commitments, kept: Vec::new() };
    Ok((Zeroizing::new(bytes), answer))
}

/// Runs phase 4 of party 2. Returns the new share, and what may be revealed once it is stored.
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
    /// Handles call 1 of a refresh. The key names the shares in use. The call counts as one of the
    /// wallet's signatures.
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
        // The decision is counted and recorded first, so that a refused refresh discards nothing.
        self.shares.clear(key, &left).await?;
        self.drop_records(key, left.dropped()).await?;
        let id = refresh_id(key, to, *session);
        let (state, mut answer) = compute(move || commit(&share, &id, &message)).await??;
        answer.kept = once.seal(&about(key, *session, SessionKind::Refresh), &state)?;
        Ok(answer)
    }

    /// Handles call 2 of a refresh.
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
        let recovery = self.recovery_write(&new_key, &share)?;
        let step = Step::Refreshed;
        match self.record_with(context, head, &made, step, Some(item), &recovery).await {
            Ok(Some(_)) => {}
            Ok(None) => return Err(Refusal::Busy.into()),
            Err(CallError::Refused(Refusal::NoSession)) => return Err(Refusal::KeyExists.into()),
            Err(error) => return Err(error),
        }
        self.still_usable(key, &new_key).await?;
        Ok(RefreshRevealed { reveal })
    }

    /// Refuses when the share was barred or retired while a new one was made from it. Party 1
    /// cannot use the new share yet.
    async fn still_usable(&self, from: &WalletKey, to: &WalletKey) -> Result<(), CallError> {
        let (item, head) = self.shares.share_and_head(from).await?;
        let checked = item.ok_or(Refusal::Retired).and_then(|item| usable(&item, &head));
        if checked.is_err() {
            self.shares.give_up(to).await?;
            self.drop_records(to, std::iter::once(to.key_version)).await?;
        }
        Ok(checked?)
    }

    /// Handles call 1 of a trial of new shares; the key names them. The digest has no meaning
    /// outside the trial, so the policy does not apply. Only untried shares are tried. A trial
    /// counts as one of the wallet's signatures.
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

    /// Handles call 2 of a trial. From here on the new share is never discarded, because party 1
    /// may rely on it.
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

    /// Retires all shares except the named one and those made from it, provided that it has signed
    /// with party 1's half. `recorded` states whether party 1 has a recovery record of them; the
    /// result, whether this party has one.
    pub(crate) async fn retire(
        &self,
        context: &RequestContext,
        recorded: bool,
    ) -> Result<bool, CallError> {
        let key = &context.key;
        let (item, head) = self.shares.share_and_head(key).await?;
        let item = item.ok_or(Refusal::UnknownKey)?;
        usable(&item, &head)?;
        if !item.confirmed {
            return Err(Refusal::NotConfirmed.into());
        }
        let known = self.shares.versions(key).await?;
        let others = others(key, known);
        let versions: Vec<u32> = others.iter().map(|it| it.version).collect();
        let retired = Decision::SharesRetired { versions: versions.clone() };
        self.record(context, head, &retired, Step::Retire, None).await?;
        self.shares.give_up_all(key, &others).await?;
        Ok(self.retire_records(key, &versions, recorded).await?)
    }
}
