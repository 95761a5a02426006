//! Key generation, party 1. Three calls of the cosigner, so that both heavy phases of both parties
//! run at once: phase 3 while the first call is under way, phase 4 during the last one.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use dkls23_secp256k1::protocols::derivation::ChainCode;
use dkls23_secp256k1::protocols::dkg::{
    self, KeepInitMulPhase3to4, KeepInitZeroSharePhase2to3, KeepInitZeroSharePhase3to4,
    ProofCommitment, SessionData, UniqueKeepDerivationPhase2to3,
};
use dkls23_secp256k1::protocols::{PartiesMessage, PartyIndex};
use dkls23_secp256k1::utilities::commits;
use dkls23_secp256k1::utilities::zero_shares::ZeroShare;
use zeroize::Zeroizing;

use super::messages::{
    Answer, Call, CommitKeygen, Commitments, Curve, FinishKeygen, KeygenCommitted, REVEAL, Reveal,
    Scalar, SessionId, StartKeygen, WalletKey,
};
use super::{CosignerClient, CosignerError, KeyShare, ProtocolError, parameters, party_1, party_2};
use crate::compute::{Stopped, compute};
use crate::random::Random;

/// The library's session id of a key generation: it binds the shares to the wallet and the run.
#[must_use]
pub fn keygen_session_id(key: &WalletKey, session: SessionId) -> Vec<u8> {
    let name = format!("hyperdex/keygen/1/{key}/{}", hex::encode(session));
    digest(&SHA256, name.as_bytes()).as_ref().to_vec()
}

/// What party 1 keeps while the cosigner makes its commitments. Never sent as it is.
struct Prepared {
    commitments: Commitments,
    reveal: Reveal,
    poly_point: Scalar,
    own_proof: ProofCommitment<Curve>,
    zero_kept: BTreeMap<PartyIndex, KeepInitZeroSharePhase3to4>,
    mul_kept: BTreeMap<PartyIndex, KeepInitMulPhase3to4<Curve>>,
}

/// Makes a new key with the cosigner, and returns party 1's share once the cosigner has stored its
/// own.
///
/// # Errors
/// When the cosigner cannot be asked, refuses, or breaks the protocol.
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
    let chain_code = random.bytes()?;
    let heavy = compute({
        let data = data.clone();
        move || heavy_phase(&data, chain_code)
    });
    let (answer, heavy) = tokio::join!(cosigner.call(key, session, start), heavy);
    let Answer::KeygenCommitted(theirs) = answer? else {
        return Err(CosignerError::Nonsense.into());
    };
    let (heavy, fragments) = (heavy?, [own_fragment, theirs.fragment]);
    let prepared = compute({
        let data = data.clone();
        move || prove(&data, heavy, fragments)
    });
    let Prepared { commitments, reveal, poly_point, own_proof, zero_kept, mul_kept } =
        prepared.await?;
    let KeygenCommitted { commitments: theirs, reveal: sealed, kept, .. } = theirs;

    let commit = Call::CommitKeygen(CommitKeygen { commitments: commitments.clone() });
    let Answer::KeygenRevealed(revealed) = cosigner.call(key, session, commit).await? else {
        return Err(CosignerError::Nonsense.into());
    };
    let opened = revealed.key.open(REVEAL, sealed).map_err(|_| CosignerError::Nonsense)?;

    let chain = (commitments.chain.clone(), reveal.chain.clone());
    let finish = Call::FinishKeygen(FinishKeygen { commitments, reveal, kept });
    let poly_point = Zeroizing::new(poly_point);
    let made = compute(move || {
        let reveal: Reveal = postcard::from_bytes(&opened).map_err(|_| CosignerError::Nonsense)?;
        // Their proof is held against the commitment they made before they saw ours.
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
    // A share is nothing until the cosigner has stored its own.
    let (stored, made) = tokio::join!(cosigner.call(key, session, finish), made);
    match stored? {
        Answer::KeygenStored => made?,
        _ => Err(CosignerError::Nonsense.into()),
    }
}

/// What phase 3 gives: none of it depends on the other party.
struct Heavy {
    zero: dkg::TransmitInitZeroSharePhase2to4,
    chain: dkg::BroadcastDerivationPhase2to4,
    phase_3: Phase3,
}

type Phase3 = (
    BTreeMap<PartyIndex, KeepInitZeroSharePhase3to4>,
    Vec<dkg::TransmitInitZeroSharePhase3to4>,
    BTreeMap<PartyIndex, KeepInitMulPhase3to4<Curve>>,
    Vec<dkg::TransmitInitMulPhase3to4<Curve>>,
    dkg::BroadcastDerivationPhase3to4,
);

/// Phase 3 wants the seeds that phase 2 draws and commits to, and those depend on nobody's
/// fragment, as phase 2's proof does. So they are drawn here, as the library's phase 2 draws them
/// (`dkg::phase2`, "Initialization"), and [`prove`] makes the proof when the cosigner's fragment is
/// here. Phase 2 whole, for its seeds alone, would be a twentieth more work for party 1: its proof
/// is a search. The cosigner checks all of it, by the library's phase 4.
fn heavy_phase(data: &SessionData, aux_chain_code: ChainCode) -> Heavy {
    let context = ZeroShare::seed_context(b"dkg", &[&data.session_id], data.party_index, party_2());
    let (seed, commitment, salt) = ZeroShare::generate_seed_with_bound_commitment(&context);
    let zero_kept = BTreeMap::from([(party_2(), KeepInitZeroSharePhase2to3 { seed, salt })]);
    let parties = PartiesMessage { sender: data.party_index, receiver: party_2() };
    let zero = dkg::TransmitInitZeroSharePhase2to4 { parties, commitment };
    let (cc_commitment, cc_salt) = commits::commit(&aux_chain_code);
    let chain_kept = UniqueKeepDerivationPhase2to3 { aux_chain_code, cc_salt };
    let chain = dkg::BroadcastDerivationPhase2to4 { sender_index: data.party_index, cc_commitment };
    let phase_3 = dkg::phase3::<Curve>(data, &zero_kept, &chain_kept);
    Heavy { zero, chain, phase_3 }
}

fn prove(data: &SessionData, heavy: Heavy, fragments: [Scalar; 2]) -> Prepared {
    let fragments = Zeroizing::new(fragments.to_vec());
    let (poly_point, own_proof, ..) = dkg::phase2::<Curve>(data, &fragments);
    let (zero_kept, mut zero, mul_kept, mut mul, chain) = heavy.phase_3;
    Prepared {
        commitments: Commitments {
            proof: own_proof.commitment,
            zero: heavy.zero,
            chain: heavy.chain,
        },
        reveal: Reveal {
            proof: own_proof.proof.clone(),
            zero: zero.remove(0),
            mul: mul.remove(0),
            chain,
        },
        poly_point,
        own_proof,
        zero_kept,
        mul_kept,
    }
}
