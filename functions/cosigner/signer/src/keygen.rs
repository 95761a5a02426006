//! Key generation, party 2. Call 1 commits. Call 2 fixes party 1's commitments and only then
//! reveals. Call 3 checks what party 1 reveals, and stores the share.
//!
//! The response to call 1 already contains the revealed data, sealed; call 2 releases its key. No
//! expensive work happens between the parties' two heavy phases, and both sides run the last one
//! in parallel.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use dkls23_secp256k1::protocols::PartyIndex;
use dkls23_secp256k1::protocols::dkg::{
    self, KeepInitMulPhase3to4, KeepInitZeroSharePhase3to4, ProofCommitment, SessionData,
};
use domain::compute::{Stopped, compute};
use platform::items::StoreError;
use protocol::{
    CommitKeygen, Commitments, Curve, FinishKeygen, KeyShare, KeygenCommitted, KeygenRevealed,
    REVEAL, Refusal, Reveal, Scalar, SessionId, StartKeygen, UnusedKey, WalletKey,
    keygen_session_id, parameters, party_1, party_2,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::audit::{Decision, Head, RequestContext, Step};
use crate::party::{CallError, Cosigner, Failure};
use crate::session_state::{SessionKeys, about, damaged};
use crate::store::{SessionKind, session_context, session_item, share_context, share_item};

/// Maximum time from the first call to the last, in seconds.
const SESSION_S: u64 = 60;

/// State kept until the last call. Only the cosigner can read it; see `kept`.
#[derive(Serialize, Deserialize)]
struct SessionState {
    poly_point: Scalar,
    proof: ProofCommitment<Curve>,
    commitments: Commitments,
    zero_kept: BTreeMap<PartyIndex, KeepInitZeroSharePhase3to4>,
    mul_kept: BTreeMap<PartyIndex, KeepInitMulPhase3to4<Curve>>,
    chain: dkg::BroadcastDerivationPhase3to4,
}

fn session_data(key: &WalletKey, session: SessionId) -> SessionData {
    SessionData {
        parameters: parameters(),
        party_index: party_2(),
        session_id: keygen_session_id(key, session),
    }
}

/// Runs phases 1 to 3 of party 2. Returns the state to keep as bytes, the data to reveal after
/// party 1 has committed, and the commitment to it.
fn commit(
    data: &SessionData,
    theirs: Scalar,
) -> Result<(Zeroizing<Vec<u8>>, Reveal, Commitments), Failure> {
    // Only the value at 2 of phase 1's polynomial is used. At 1 it is defined as zero, so that
    // party 1 need not wait for it (docs/decisions/no-fragment.md).
    let fragments = Zeroizing::new(dkg::phase1::<Curve>(data));
    let [_, own] = fragments[..] else {
        return Err(Stopped.into());
    };
    let fragments = Zeroizing::new([theirs, own]);
    let (poly_point, proof, zero_kept, mut zero, chain_kept, chain) =
        dkg::phase2::<Curve>(data, &*fragments);
    let commitments = Commitments { proof: proof.commitment, zero: zero.remove(0), chain };
    let (zero_kept, mut zero, mul_kept, mut mul, chain) =
        dkg::phase3::<Curve>(data, &zero_kept, &chain_kept);
    let reveal = Reveal {
        proof: proof.proof.clone(),
        zero: zero.remove(0),
        mul: mul.remove(0),
        chain: chain.clone(),
    };
    let kept = SessionState {
        poly_point,
        proof,
        commitments: commitments.clone(),
        zero_kept,
        mul_kept,
        chain,
    };
    // Allocated at full size, so that a growing vector leaves no copies behind.
    let state = postcard::to_extend(&kept, Vec::with_capacity(32 * 1024))
        .map_err(|error| Failure::Damaged(error.to_string()))?;
    Ok((Zeroizing::new(state), reveal, commitments))
}

/// Hashes party 1's commitments.
fn hash(commitments: &Commitments) -> Result<String, Failure> {
    let bytes = postcard::to_stdvec(commitments);
    let bytes = bytes.map_err(|error| Failure::Damaged(error.to_string()))?;
    Ok(digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Runs phase 4 of party 2, and returns the share.
fn check(
    data: &SessionData,
    kept: SessionState,
    commitments: Commitments,
    reveal: Reveal,
) -> Result<KeyShare, Refusal> {
    let SessionState { poly_point, proof, commitments: own, zero_kept, mul_kept, chain } = kept;
    let poly_point = Zeroizing::new(poly_point);
    let their_proof =
        ProofCommitment { index: party_1(), proof: reveal.proof, commitment: commitments.proof };
    let (party, _) = dkg::phase4::<Curve>(
        data,
        &poly_point,
        &[their_proof, proof],
        &zero_kept,
        &[commitments.zero],
        &[reveal.zero],
        &mul_kept,
        &[reveal.mul],
        &BTreeMap::from([(party_1(), commitments.chain), (party_2(), own.chain)]),
        &BTreeMap::from([(party_1(), reveal.chain), (party_2(), chain)]),
        dkls23_secp256k1::compute_eth_address,
    )
    .map_err(|abort| Refusal::Aborted(abort.description()))?;
    Ok(KeyShare::new(party))
}

impl Cosigner {
    /// Handles call 1.
    pub(crate) async fn start_keygen(
        &self,
        context: &RequestContext,
        message: StartKeygen,
    ) -> Result<KeygenCommitted, CallError> {
        let RequestContext { key, session, .. } = context;
        let session = *session;
        // Other versions come from a refresh.
        if key.key_version != 1 {
            return Err(Refusal::Malformed.into());
        }
        let data = session_data(key, session);
        let (kept, reveal) = (UnusedKey::draw(&self.random)?, UnusedKey::draw(&self.random)?);
        let keys = SessionKeys::new(kept.key(), Some(reveal.key()));
        let what = about(key, session, SessionKind::Keygen);
        let computed = compute(move || {
            let (state, revealed, commitments) = commit(&data, message.fragment)?;
            let kept = kept.seal(&what, &state)?;
            let reveal = reveal.seal(REVEAL, &revealed.to_bytes())?;
            Ok::<_, Failure>(KeygenCommitted { commitments, reveal, kept })
        });
        // The session's keys are stored while the secrets are computed. An unused session does no
        // harm.
        let (computed, opened) = tokio::join!(computed, self.open_keygen(context, &keys));
        opened?;
        Ok(computed??)
    }

    /// Stores the keys of a new key generation.
    async fn open_keygen(
        &self,
        context: &RequestContext,
        keys: &SessionKeys,
    ) -> Result<(), CallError> {
        let RequestContext { key, session, .. } = context;
        let sealed_for = session_context(key, *session, SessionKind::Keygen);
        let sealed = self.envelope.seal(sealed_for, keys.bytes()).await?;
        let expires_at_s = self.clock.now_ms() / 1_000 + SESSION_S;
        let item = session_item(key, *session, SessionKind::Keygen, expires_at_s, sealed)?;
        match self.shares.open(item).await {
            Err(StoreError::Conflict) => Err(Refusal::NoSession.into()),
            stored => Ok(stored?),
        }
    }

    /// Handles call 2. The key is released only after party 1's commitments are stored, and call 3
    /// accepts no others. They can therefore neither be chosen nor changed after the key was seen.
    pub(crate) async fn commit_keygen(
        &self,
        context: &RequestContext,
        message: &CommitKeygen,
    ) -> Result<KeygenRevealed, CallError> {
        let RequestContext { key, session, .. } = context;
        // The stored commitments outlive the session.
        let until_s = self.clock.now_ms() / 1_000 + 2 * SESSION_S;
        let hash = hash(&message.commitments)?;
        let (fixed, record) = tokio::join!(
            self.shares.fix_commitments(key, *session, until_s, hash),
            self.shares.session(key, *session)
        );
        match fixed {
            Ok(()) => {}
            Err(StoreError::Conflict) => return Err(Refusal::NoSession.into()),
            Err(error) => return Err(error.into()),
        }
        let record = record?.ok_or(Refusal::NoSession)?;
        let keys = self.keygen_keys(context, record).await?;
        Ok(KeygenRevealed { key: keys.reveal().ok_or_else(damaged)? })
    }

    /// Handles call 3.
    pub(crate) async fn finish_keygen(
        &self,
        context: &RequestContext,
        message: FinishKeygen,
    ) -> Result<(), CallError> {
        let RequestContext { key, session, .. } = context;
        let session = *session;
        let FinishKeygen { commitments, reveal, kept } = message;
        let hash = hash(&commitments)?;
        let (kept, fixed, reveal) = tokio::join!(
            self.take_keygen(context, kept),
            self.shares.commitments(key, session),
            compute(move || Reveal::from_bytes(&reveal)),
        );
        let (kept, fixed, reveal) = (kept?, fixed?, reveal?.ok_or(Refusal::Malformed)?);
        if fixed.is_none_or(|fixed| fixed != hash) {
            let reason = "the commitments differ from those of call 2".to_owned();
            return Err(Refusal::Aborted(reason).into());
        }
        let kept: SessionState =
            postcard::from_bytes(&kept).map_err(|error| Failure::Damaged(error.to_string()))?;
        let data = session_data(key, session);
        let (checked, data_key) = tokio::join!(
            compute(move || check(&data, kept, commitments, reveal)),
            self.envelope.data_key(share_context(key))
        );
        let share = checked??;
        let sealed = data_key?.seal(&share.to_bytes())?;
        // The share, the first record of its wallet and its recovery record are written in one
        // transaction.
        let item = share_item(key, None, self.clock.now_ms(), sealed)?;
        let made = Decision::KeyMade { address: share.address() };
        let recovery = self.recovery_write(key, &share)?;
        let (head, step) = (Head::default(), Step::Note);
        match self.record_with(context, head, &made, step, Some(item), &recovery).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Refusal::Busy.into()),
            Err(CallError::Refused(Refusal::NoSession)) => Err(Refusal::KeyExists.into()),
            Err(error) => Err(error),
        }
    }
}
