//! Signing, party 1. It makes two calls of the cosigner; the first one fixes the signed content.

use dkls23_secp256k1::protocols::sign_session::SignSession;
use dkls23_secp256k1::protocols::signing::TransmitPhase1to2;
use domain::eth::{Digest, Signature};
use domain::intent::Intent;
use domain::random::Random;
use protocol::{
    Answer, Call, Curve, FinishSign, KeyShare, SessionId, SignAnswered, StartSign, WalletKey,
    party_2, sign_data,
};

use super::{CosignerClient, CosignerError, Passed, ProtocolError};

/// Signs an intent with the cosigner, and checks the signature against the wallet's address.
/// `passed` runs in parallel with the second call, once all checks that lead to a ban have passed.
///
/// # Errors
/// Fails when the cosigner is unavailable, refuses, or violates the protocol.
pub async fn sign(
    cosigner: &CosignerClient,
    random: &Random,
    key: &WalletKey,
    share: &KeyShare,
    intent: &Intent,
    passed: Passed<'_>,
) -> Result<Signature, ProtocolError> {
    let session: SessionId = random.bytes()?;
    let start = |message| Call::StartSign(StartSign { intent: intent.clone(), message });
    let calls = (start, Call::FinishSign);
    run(cosigner, key, session, share, intent.digest(), calls, passed).await
}

/// Runs the protocol. At the cosigner, the signed digest follows from the message that `start`
/// makes.
pub(super) async fn run(
    cosigner: &CosignerClient,
    key: &WalletKey,
    session: SessionId,
    share: &KeyShare,
    hash: Digest,
    (start, finish): (impl FnOnce(TransmitPhase1to2) -> Call, impl FnOnce(FinishSign) -> Call),
    passed: Passed<'_>,
) -> Result<Signature, ProtocolError> {
    let data = sign_data(key, session, party_2(), hash);
    let (mut run, mut phase_1) = SignSession::<Curve>::new(share.party(), data)?;
    let start = start(phase_1.remove(0));
    let Answer::SignAnswered(theirs) = cosigner.call(key, session, start).await? else {
        return Err(CosignerError::Nonsense.into());
    };

    let SignAnswered { phase_1, phase_2: their_phase_2, kept } = theirs;
    let mut phase_2 = run.phase2(&[phase_1])?;
    // The other party's phase-2 message is checked before party 1's is sent.
    let own = run.phase3(&[their_phase_2])?;
    let finish = finish(FinishSign { message: phase_2.remove(0), share: own.clone(), kept });
    let (answer, ()) = tokio::join!(cosigner.call(key, session, finish), passed);
    let Answer::SignShares(shares) = answer? else {
        return Err(CosignerError::Nonsense.into());
    };

    let made = run.phase4(&[own, shares.message], true)?;
    if made.recovery_id > 1 {
        return Err(ProtocolError::WrongSignature);
    }
    let signature = Signature { r: made.r, s: made.s, v: 27 + made.recovery_id };
    match signature.recover(&hash) {
        Ok(signer) if signer == share.address() => Ok(signature),
        _ => Err(ProtocolError::WrongSignature),
    }
}
