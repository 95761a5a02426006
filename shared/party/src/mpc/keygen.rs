//! Key generation, party 1. It makes three calls of the cosigner, so that the heavy phases of both
//! parties run in parallel: phases 2 and 3 during the first call, and phase 4 during the last one.
//!
//! Party 1 does not wait for a number of party 2's polynomial, because that polynomial is zero at
//! 1 (`docs/decisions/no-fragment.md` explains why the protocol is the same).

use std::collections::BTreeMap;

use dkls23_secp256k1::protocols::PartyIndex;
use dkls23_secp256k1::protocols::dkg::{
    self, BroadcastDerivationPhase3to4, KeepInitMulPhase3to4, KeepInitZeroSharePhase3to4,
    ProofCommitment, SessionData,
};
use domain::compute::{Stopped, compute};
use domain::random::Random;
use protocol::{
    Answer, Call, CommitKeygen, Commitments, Curve, FinishKeygen, KeyShare, KeygenCommitted,
    REVEAL, Reveal, Scalar, SessionId, StartKeygen, WalletKey, keygen_session_id, parameters,
    party_1, party_2,
};
use zeroize::Zeroizing;

use super::{CosignerClient, CosignerError, ProtocolError};

/// Party 1 after phase 3: its commitments, the data to reveal, and its state. Never sent as a
/// whole.
struct Prepared {
    commitments: Commitments,
    /// The bytes of a [`Reveal`].
    reveal: Zeroizing<Vec<u8>>,
    chain: BroadcastDerivationPhase3to4,
    poly_point: Zeroizing<Scalar>,
    own_proof: ProofCommitment<Curve>,
    zero_kept: BTreeMap<PartyIndex, KeepInitZeroSharePhase3to4>,
    mul_kept: BTreeMap<PartyIndex, KeepInitMulPhase3to4<Curve>>,
}

/// Makes a new key with the cosigner, and returns party 1's share once the cosigner has stored its
/// own.
///
/// # Errors
/// Fails when the cosigner is unavailable, refuses, or violates the protocol.
pub async fn generate(
    cosigner: &CosignerClient,
    random: &Random,
    key: &WalletKey,
) -> Result<KeyShare, ProtocolError> {
    let session: SessionId = random.bytes()?;
    let data = SessionData {
        parameters: parameters(),
        party_index: party_1(),
        session_id: keygen_session_id(key, session),
    };
    let fragments = Zeroizing::new(dkg::phase1::<Curve>(&data));
    let [own_fragment, their_fragment] = fragments[..] else {
        return Err(Stopped.into());
    };

    let start = Call::StartKeygen(StartKeygen { fragment: their_fragment });
    let prepared = compute({
        let data = data.clone();
        move || prepare(&data, own_fragment)
    });
    let (answer, prepared) = tokio::join!(cosigner.call(key, session, start), prepared);
    let Answer::KeygenCommitted(theirs) = answer? else {
        return Err(CosignerError::Nonsense.into());
    };
    let KeygenCommitted { commitments: theirs, reveal: sealed, kept } = theirs;
    let Prepared { commitments, mut reveal, chain, poly_point, own_proof, zero_kept, mul_kept } =
        prepared?;

    let commit = Call::CommitKeygen(CommitKeygen { commitments: commitments.clone() });
    let Answer::KeygenRevealed(revealed) = cosigner.call(key, session, commit).await? else {
        return Err(CosignerError::Nonsense.into());
    };
    let opened = revealed.key.open(REVEAL, sealed).map_err(|_| CosignerError::Nonsense)?;

    let chain = (commitments.chain.clone(), chain);
    let reveal = std::mem::take(&mut *reveal);
    let finish = Call::FinishKeygen(FinishKeygen { commitments, reveal, kept });
    let made = compute(move || {
        let reveal = Reveal::from_bytes(&opened).ok_or(CosignerError::Nonsense)?;
        // Party 2's proof is checked against the commitment that it made before it saw party 1's.
        let their_proof =
            ProofCommitment { index: party_2(), proof: reveal.proof, commitment: theirs.proof };
        let (party, _) = dkg::phase4::<Curve>(
            &data,
            &poly_point,
            &[own_proof, their_proof],
            &zero_kept,
            &[theirs.zero],
            &[reveal.zero],
            &mul_kept,
            &[reveal.mul],
            &BTreeMap::from([(party_1(), chain.0), (party_2(), theirs.chain)]),
            &BTreeMap::from([(party_1(), chain.1), (party_2(), reveal.chain)]),
            dkls23_secp256k1::compute_eth_address,
        )?;
        Ok::<_, ProtocolError>(KeyShare::new(party))
    });
    // A share is unusable until the cosigner has stored its own.
    let (stored, made) = tokio::join!(cosigner.call(key, session, finish), made);
    match stored? {
        Answer::KeygenStored => made?,
        _ => Err(CosignerError::Nonsense.into()),
    }
}

/// Runs phases 2 and 3, which do not depend on the other party, and encodes the data to reveal
/// while there is time.
fn prepare(data: &SessionData, own_fragment: Scalar) -> Prepared {
    let fragments = Zeroizing::new([own_fragment]);
    let (poly_point, own_proof, zero_kept, mut zero, chain_kept, chain) =
        dkg::phase2::<Curve>(data, &*fragments);
    let commitments = Commitments { proof: own_proof.commitment, zero: zero.remove(0), chain };
    let (zero_kept, mut zero, mul_kept, mut mul, chain) =
        dkg::phase3::<Curve>(data, &zero_kept, &chain_kept);
    let reveal = Reveal {
        proof: own_proof.proof.clone(),
        zero: zero.remove(0),
        mul: mul.remove(0),
        chain: chain.clone(),
    };
    Prepared {
        commitments,
        reveal: reveal.to_bytes(),
        chain,
        poly_point: Zeroizing::new(poly_point),
        own_proof,
        zero_kept,
        mul_kept,
    }
}
