//! Key generation, party 2. Call 1 commits; call 2 checks what party 1 revealed, stores the share,
//! and only then reveals.

use std::collections::BTreeMap;

use dkls23_secp256k1::protocols::PartyIndex;
use dkls23_secp256k1::protocols::dkg::{
    self, KeepInitMulPhase3to4, KeepInitZeroSharePhase3to4, ProofCommitment, SessionData,
};
use serde::{Deserialize, Serialize};
use shared::compute::{Stopped, compute};
use shared::mpc::{
    Commitments, Curve, FinishKeygen, KeyShare, KeygenCommitted, KeygenRevealed, Refusal, Reveal,
    Scalar, SessionId, StartKeygen, WalletKey, keygen_session_id, parameters, party_1, party_2,
};
use shared::store::StoreError;
use zeroize::Zeroizing;

use crate::audit::{Asked, Counted, Decision, Head};
use crate::store::{SessionKind, session_context, share_context, share_item};
use crate::{Cosigner, End, Failure};

/// How long party 1 has between the two calls, in seconds.
const SESSION_S: u64 = 60;

/// What is kept between the two calls. Sealed at rest, never sent.
#[derive(Serialize, Deserialize)]
struct Kept {
    poly_point: Scalar,
    proof: ProofCommitment<Curve>,
    commitments: Commitments,
    zero_kept: BTreeMap<PartyIndex, KeepInitZeroSharePhase3to4>,
    zero: dkg::TransmitInitZeroSharePhase3to4,
    mul_kept: BTreeMap<PartyIndex, KeepInitMulPhase3to4<Curve>>,
    mul: dkg::TransmitInitMulPhase3to4<Curve>,
    chain: dkg::BroadcastDerivationPhase3to4,
}

fn session_data(key: &WalletKey, session: SessionId) -> SessionData {
    SessionData {
        parameters: parameters(),
        party_index: party_2(),
        session_id: keygen_session_id(key, session),
    }
}

/// Phases 1 to 3 of party 2; the state to keep in bytes, and the answer.
fn commit(
    data: &SessionData,
    theirs: Scalar,
) -> Result<(Zeroizing<Vec<u8>>, KeygenCommitted), Failure> {
    let fragments = Zeroizing::new(dkg::phase1::<Curve>(data));
    let [for_party_1, own] = fragments[..] else {
        return Err(Stopped.into());
    };
    let fragments = Zeroizing::new(vec![theirs, own]);
    let (poly_point, proof, zero_kept, mut zero, chain_kept, chain) =
        dkg::phase2::<Curve>(data, &fragments);
    let commitments = Commitments { proof: proof.commitment, zero: zero.remove(0), chain };
    let (zero_kept, mut zero, mul_kept, mut mul, chain) =
        dkg::phase3::<Curve>(data, &zero_kept, &chain_kept);
    let kept = Kept {
        poly_point,
        proof,
        commitments: commitments.clone(),
        zero_kept,
        zero: zero.remove(0),
        mul_kept,
        mul: mul.remove(0),
        chain,
    };
    // Room from the start, so that no copy is left behind by a growing vector.
    let bytes = postcard::to_extend(&kept, Vec::with_capacity(256 * 1024))
        .map_err(|error| Failure::Damaged(error.to_string()))?;
    Ok((Zeroizing::new(bytes), KeygenCommitted { fragment: for_party_1, commitments }))
}

/// Phase 4 of party 2: the share, and what it may reveal once that is stored.
fn check(
    data: &SessionData,
    kept: Kept,
    theirs: FinishKeygen,
) -> Result<(KeyShare, Reveal), Refusal> {
    let FinishKeygen { commitments, reveal } = theirs;
    let Kept { poly_point, proof, commitments: own, zero_kept, zero, mul_kept, mul, chain } = kept;
    let poly_point = Zeroizing::new(poly_point);
    let their_proof =
        ProofCommitment { index: party_1(), proof: reveal.proof, commitment: commitments.proof };
    let revealed = Reveal { proof: proof.proof.clone(), zero, mul, chain: chain.clone() };
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
    Ok((KeyShare::new(party), revealed))
}

impl Cosigner {
    /// Call 1.
    pub(crate) async fn start_keygen(
        &self,
        asked: &Asked,
        message: StartKeygen,
    ) -> Result<KeygenCommitted, End> {
        let Asked { key, session, .. } = asked;
        let session = *session;
        // Other versions are a refresh's.
        if key.key_version != 1 {
            return Err(Refusal::Malformed.into());
        }
        let data = session_data(key, session);
        let context = session_context(key, session, SessionKind::Keygen);
        let (computed, data_key) = tokio::join!(
            compute(move || commit(&data, message.fragment)),
            self.envelope.data_key(context)
        );
        let (kept, answer) = computed??;
        let sealed = data_key?.seal(&kept)?;
        drop(kept);
        let expires_at_s = self.clock.now_ms() / 1_000 + SESSION_S;
        match self.shares.open(key, session, SessionKind::Keygen, expires_at_s, sealed).await {
            Ok(()) => Ok(answer),
            Err(StoreError::Conflict) => Err(Refusal::NoSession.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Call 2.
    pub(crate) async fn finish_keygen(
        &self,
        asked: &Asked,
        message: FinishKeygen,
    ) -> Result<KeygenRevealed, End> {
        let Asked { key, session, .. } = asked;
        let session = *session;
        let kept = self.take_session(key, session, SessionKind::Keygen).await?;
        let kept: Kept =
            postcard::from_bytes(&kept).map_err(|error| Failure::Damaged(error.to_string()))?;
        let data = session_data(key, session);
        let (checked, data_key) = tokio::join!(
            compute(move || check(&data, kept, message)),
            self.envelope.data_key(share_context(key))
        );
        let (share, reveal) = checked??;
        let sealed = data_key?.seal(&share.to_bytes())?;
        // The share and the first record of its wallet are there together or not at all.
        let item = share_item(key, None, self.clock.now_ms(), sealed)?;
        let made = Decision::KeyMade { address: share.address() };
        match self.record(asked, Head::default(), &made, Counted::No, Some(item)).await {
            Ok(()) => Ok(KeygenRevealed { reveal }),
            Err(End::Refused(Refusal::NoSession)) => Err(Refusal::KeyExists.into()),
            Err(error) => Err(error),
        }
    }
}
