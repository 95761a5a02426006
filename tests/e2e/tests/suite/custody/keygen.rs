//! Tests the order of key generation, which keeps both parties honest: each party commits before it
//! sees what the other one reveals.

use dkls23_secp256k1::protocols::dkg::{self, SessionData};
use e2e::attacker::{Attacker, refusal};
use protocol::{
    Answer, Call, CommitKeygen, Commitments, Curve, FinishKeygen, Refusal, Reveal, StartKeygen,
    WalletKey, keygen_session_id, parameters, party_1,
};
use uuid::Uuid;

/// Party 1 commits once, before it gets the key that opens the cosigner's reveals. The last call
/// accepts no other commitments.
#[tokio::test(flavor = "multi_thread")]
async fn keygen_calls_out_of_order_are_refused() {
    let attacker = Attacker::new().await;
    let key = |id: u8| WalletKey { wallet_id: Uuid::from_bytes([id; 16]), ..attacker.key.clone() };
    let call = async |key: &WalletKey, call| attacker.cosigner.call(key, [30; 32], call).await;
    let run = async |id: u8| {
        let key = key(id);
        let data = SessionData {
            parameters: parameters(),
            party_index: party_1(),
            session_id: keygen_session_id(&key, [30; 32]),
        };
        let fragments = dkg::phase1::<Curve>(&data);
        let start = Call::StartKeygen(StartKeygen { fragment: fragments[1] });
        let Ok(Answer::KeygenCommitted(committed)) = call(&key, start).await else {
            panic!("expected an answer to call 1")
        };
        let (_, proof, zero_kept, mut zero, chain_kept, chain) =
            dkg::phase2::<Curve>(&data, &fragments[..1]);
        let commitments = Commitments { proof: proof.commitment, zero: zero.remove(0), chain };
        let (_, mut zero, _, mut mul, chain) = dkg::phase3::<Curve>(&data, &zero_kept, &chain_kept);
        let (zero, mul) = (zero.remove(0), mul.remove(0));
        let reveal = Reveal { proof: proof.proof, zero, mul, chain }.to_bytes().to_vec();
        (key, FinishKeygen { commitments, reveal, kept: committed.kept })
    };
    let commit = |from: &FinishKeygen| {
        Call::CommitKeygen(CommitKeygen { commitments: from.commitments.clone() })
    };
    // Call 3 requires call 2.
    let (first, message) = run(1).await;
    let refused = refusal(call(&first, Call::FinishKeygen(message)).await);
    assert!(matches!(refused, Err(Refusal::Aborted(_))), "{refused:?}");

    // Neither call accepts other commitments that were made after the reveals became readable.
    let (second, message) = run(2).await;
    assert_eq!(refusal(call(&second, commit(&message)).await), Ok(()));
    let mut altered = message;
    altered.commitments.proof[0] ^= 1;
    assert_eq!(refusal(call(&second, commit(&altered)).await), Err(Refusal::NoSession));
    let refused = refusal(call(&second, Call::FinishKeygen(altered)).await);
    assert!(matches!(refused, Err(Refusal::Aborted(_))), "{refused:?}");

    // A reveal with trailing bytes is malformed, and it ends the session.
    let (last, mut message) = run(5).await;
    assert_eq!(refusal(call(&last, commit(&message)).await), Ok(()));
    let honest = postcard::from_bytes(&postcard::to_stdvec(&message).unwrap()).unwrap();
    message.reveal.push(0);
    let refused = refusal(call(&last, Call::FinishKeygen(message)).await);
    assert_eq!(refused, Err(Refusal::Malformed));
    let late = call(&last, Call::FinishKeygen(honest)).await;
    assert_eq!(refusal(late), Err(Refusal::NoSession));

    // The cosigner reveals nothing without a session.
    let (third, message) = run(3).await;
    assert_eq!(refusal(call(&key(4), commit(&message)).await), Err(Refusal::NoSession));
    // The cosigner reveals once, and then the session is over.
    assert_eq!(refusal(call(&third, commit(&message)).await), Ok(()));
    let again = postcard::from_bytes(&postcard::to_stdvec(&message).unwrap()).unwrap();
    assert_eq!(refusal(call(&third, Call::FinishKeygen(message)).await), Ok(()));
    let repeated = call(&third, Call::FinishKeygen(again)).await;
    assert_eq!(refusal(repeated), Err(Refusal::NoSession));
}
