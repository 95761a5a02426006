//! Refresh of a key's shares, party 1: both parties get new shares of the same key, which do not
//! combine with old ones.
//!
//! It is the library's *complete* refresh: a key generation of zero, whose result is added to the
//! shares, with new oblivious transfers. The faster refresh keeps the old transfers and shifts
//! them by a seed that the new shares hold. One party's old share and the other's new one would
//! then still reveal what the transfers hide (`docs/decisions/0014-share-refresh.md`).
//!
//! New shares are tried before anything relies on them ([`confirm`]). The cosigner retires other
//! shares only for shares that have signed together ([`retire`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use dkls23_secp256k1::protocols::PartyIndex;
use dkls23_secp256k1::protocols::dkg::{
    KeepInitMulPhase3to4, KeepInitZeroSharePhase3to4, ProofCommitment, TransmitInitMulPhase3to4,
    TransmitInitZeroSharePhase2to4, TransmitInitZeroSharePhase3to4,
};
use domain::compute::{Stopped, compute};
use domain::random::Random;
use protocol::{
    Answer, Call, Curve, FinishRefresh, KeyShare, RefreshCommitments, RefreshCommitted,
    RefreshReveal, RefreshRevealed, Scalar, SessionId, StartConfirm, StartRefresh, WalletKey,
    confirm_digest, party_2, refresh_id,
};
use zeroize::Zeroizing;

use super::{CosignerClient, CosignerError, ProtocolError, sign};

/// The result of phase 3, which does not depend on the other party.
struct Heavy {
    zero: TransmitInitZeroSharePhase2to4,
    zero_kept: BTreeMap<PartyIndex, KeepInitZeroSharePhase3to4>,
    zero_reveal: TransmitInitZeroSharePhase3to4,
    mul_kept: BTreeMap<PartyIndex, KeepInitMulPhase3to4<Curve>>,
    mul: TransmitInitMulPhase3to4<Curve>,
}

/// Runs phases 2 and 3. As in key generation, phase 2 runs here without input, for the seeds that
/// phase 3 requires.
fn heavy_phase(share: &KeyShare, id: &[u8]) -> Heavy {
    let party = share.party();
    let (_, _, zero_kept, mut zero) = party.refresh_complete_phase2(id, &[Scalar::ONE]);
    let (zero_kept, mut zero_reveal, mul_kept, mut mul) =
        party.refresh_complete_phase3(id, &zero_kept);
    Heavy {
        zero: zero.remove(0),
        zero_kept,
        zero_reveal: zero_reveal.remove(0),
        mul_kept,
        mul: mul.remove(0),
    }
}

/// Makes new shares with the cosigner, and returns party 1's once the cosigner has stored its own
/// next to the one in use. Nothing is retired yet.
///
/// # Errors
/// Fails when the cosigner is unavailable, refuses, or violates the protocol.
pub async fn refresh(
    cosigner: &CosignerClient,
    random: &Random,
    key: &WalletKey,
    to: u32,
    share: KeyShare,
) -> Result<KeyShare, ProtocolError> {
    let session: SessionId = random.bytes()?;
    let id = refresh_id(key, to, session);
    let share = Arc::new(share);
    let fragments = Zeroizing::new(share.party().refresh_complete_phase1());
    let [own, for_party_2] = fragments[..] else {
        return Err(Stopped.into());
    };

    let start = Call::StartRefresh(StartRefresh { to, fragment: for_party_2 });
    let heavy = compute({
        let (share, id) = (share.clone(), id.clone());
        move || heavy_phase(&share, &id)
    });
    let (answer, heavy) = tokio::join!(cosigner.call(key, session, start), heavy);
    let Answer::RefreshCommitted(theirs) = answer? else {
        return Err(CosignerError::Nonsense.into());
    };
    let RefreshCommitted { fragment, commitments: theirs, kept } = theirs;
    let heavy = heavy?;
    let fragments = Zeroizing::new(vec![own, fragment]);
    let (correction, own_proof, ..) = share.party().refresh_complete_phase2(&id, &fragments);
    let correction = Zeroizing::new(correction);
    let Heavy { zero, zero_kept, zero_reveal, mul_kept, mul } = heavy;
    let finish = Call::FinishRefresh(FinishRefresh {
        commitments: RefreshCommitments { proof: own_proof.commitment, zero },
        reveal: RefreshReveal { proof: own_proof.proof.clone(), zero: zero_reveal, mul },
        kept,
    });
    let Answer::RefreshRevealed(revealed) = cosigner.call(key, session, finish).await? else {
        return Err(CosignerError::Nonsense.into());
    };

    compute(move || {
        let RefreshRevealed { reveal } = revealed;
        // Party 2's proof is checked against the commitment that it made before it saw party 1's.
        let their_proof =
            ProofCommitment { index: party_2(), proof: reveal.proof, commitment: theirs.proof };
        let party = share.party().refresh_complete_phase4(
            &id,
            &correction,
            &[own_proof, their_proof],
            &zero_kept,
            &[theirs.zero],
            &[reveal.zero],
            &mul_kept,
            &[reveal.mul],
        )?;
        Ok::<_, ProtocolError>(KeyShare::new(party).at_version(to))
    })
    .await?
}

/// Tries shares: they sign, and the signature must belong to the wallet. The cosigner records the
/// trial.
///
/// # Errors
/// Fails when they do not sign.
pub async fn confirm(
    cosigner: &CosignerClient,
    random: &Random,
    key: &WalletKey,
    share: &KeyShare,
) -> Result<(), ProtocolError> {
    let session: SessionId = random.bytes()?;
    let start = |message| Call::StartConfirm(StartConfirm { message });
    let hash = confirm_digest(key, session);
    let calls = (start, Call::FinishConfirm);
    // The shares are not stored yet and run only this once, so party 1 requires no gate here.
    let passed = Box::pin(std::future::ready(()));
    sign::run(cosigner, key, session, share, hash, calls, passed).await.map(|_| ())
}

/// Informs the cosigner that party 1 uses only these shares. It retires all others, if these have
/// been tried.
///
/// # Errors
/// Fails when the cosigner refuses or is unavailable.
pub async fn retire(
    cosigner: &CosignerClient,
    random: &Random,
    key: &WalletKey,
) -> Result<(), ProtocolError> {
    retire_recorded(cosigner, random, key, false).await.map(|_| ())
}

/// As [`retire`]. `recorded` states whether party 1 has a recovery record of these shares. Returns
/// whether the cosigner has one; then both may delete older records.
///
/// # Errors
/// As [`retire`].
pub async fn retire_recorded(
    cosigner: &CosignerClient,
    random: &Random,
    key: &WalletKey,
    recorded: bool,
) -> Result<bool, ProtocolError> {
    let call = if recorded { Call::RetireRecorded } else { Call::Retire };
    match cosigner.call(key, random.bytes()?, call).await? {
        Answer::Retired => Ok(false),
        Answer::RetiredRecorded => Ok(true),
        _ => Err(CosignerError::Nonsense.into()),
    }
}
