//! The bare library: both parties of a 2-of-2 key in one place, each phase after the other, with
//! no message written down. What a key is made of here is thrown away.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dkls23_secp256k1::Party;
use dkls23_secp256k1::protocols::dkg::{self, SessionData};
use dkls23_secp256k1::protocols::signing::SignData;
use dkls23_secp256k1::protocols::{Abort, PartyIndex};
use shared::mpc::{Curve, parameters, party_1, party_2};

use super::machine::thread_time;
use super::{BenchError, failed};

/// What one run of the protocol takes.
#[derive(Clone, Copy, Default)]
pub(super) struct Spent {
    pub(super) wall: Duration,
    pub(super) processor: Duration,
    /// Of the processor time, party 1's part.
    pub(super) party_1: Duration,
}

pub(super) struct Bare {
    pub(super) keygen: Spent,
    pub(super) signing: Spent,
    /// The same signatures, each after a pause: what the processor knew by heart, it has forgotten.
    pub(super) signing_paced: Spent,
    /// A key generation whose heavy phases both parties run at once, on two threads: its wall time,
    /// and party 1's processor time.
    pub(super) keygen_at_once: Spent,
    /// The heavy phases of a key generation, each by one party.
    pub(super) phase_3: Duration,
    pub(super) phase_4: Duration,
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn aborted(abort: Abort) -> BenchError {
    failed(abort.description())
}

/// Between two signatures of a run with pauses.
const PAUSE: Duration = Duration::from_millis(10);

/// Measures `keys` key generations, and forty signatures with each key.
pub(super) fn measure(keys: u32) -> Result<Bare, BenchError> {
    let (mut keygen, mut signing) = (Spent::default(), Spent::default());
    let (mut signing_paced, mut keygen_at_once) = (Spent::default(), Spent::default());
    let (mut phase_3, mut phase_4) = (Duration::ZERO, Duration::ZERO);
    let signatures = 40;
    for _ in 0..keys {
        let begun = Instant::now();
        let made = generate(true)?;
        keygen_at_once.wall += begun.elapsed();
        keygen_at_once.party_1 += made.party_1;

        let before = (Instant::now(), thread_time()?);
        let made = generate(false)?;
        keygen.wall += before.0.elapsed();
        keygen.processor += thread_time()?.saturating_sub(before.1);
        keygen.party_1 += made.party_1;
        phase_3 += made.phase_3;
        phase_4 += made.phase_4;

        let before = (Instant::now(), thread_time()?);
        for number in 0..signatures {
            signing.party_1 += sign(&made.parties, number)?;
        }
        signing.wall += before.0.elapsed();
        signing.processor += thread_time()?.saturating_sub(before.1);

        for number in 0..signatures {
            std::thread::sleep(PAUSE);
            let before = (Instant::now(), thread_time()?);
            signing_paced.party_1 += sign(&made.parties, number)?;
            signing_paced.wall += before.0.elapsed();
            signing_paced.processor += thread_time()?.saturating_sub(before.1);
        }
    }
    let mean = |spent: Spent, count| Spent {
        wall: spent.wall / count,
        processor: spent.processor / count,
        party_1: spent.party_1 / count,
    };
    Ok(Bare {
        keygen: mean(keygen, keys),
        signing: mean(signing, keys * u32::from(signatures)),
        signing_paced: mean(signing_paced, keys * u32::from(signatures)),
        keygen_at_once: mean(keygen_at_once, keys),
        phase_3: phase_3 / keys,
        phase_4: phase_4 / keys,
    })
}

struct Made {
    parties: [Party; 2],
    party_1: Duration,
    phase_3: Duration,
    phase_4: Duration,
}

/// What a call returns, and how much of the processor it used.
type Timed<T> = (T, Duration);

fn timed<T>(work: impl FnOnce() -> T) -> Timed<T> {
    let before = thread_time().unwrap_or_default();
    let made = work();
    (made, thread_time().unwrap_or_default().saturating_sub(before))
}

/// Runs two parties' work one after the other, or at once.
fn both<A: Send, B: Send>(
    at_once: bool,
    one: impl FnOnce() -> A + Send,
    two: impl FnOnce() -> B + Send,
) -> Result<(Timed<A>, Timed<B>), BenchError> {
    if !at_once {
        return Ok((timed(one), timed(two)));
    }
    std::thread::scope(|scope| {
        let two = scope.spawn(|| timed(two));
        let one = timed(one);
        Ok((one, two.join().map_err(|_| failed("a party's thread ended"))?))
    })
}

fn generate(at_once: bool) -> Result<Made, BenchError> {
    let data = [party_1(), party_2()].map(|party_index| SessionData {
        parameters: parameters(),
        party_index,
        session_id: b"bench".to_vec(),
    });
    let [one, two] = &data;
    let fragments = [dkg::phase1::<Curve>(one), dkg::phase1::<Curve>(two)];
    let of = |index: usize| vec![fragments[0][index], fragments[1][index]];
    let ((point_1, proof_1, zero_kept_1, zero_1, chain_kept_1, chain_1), second_1) =
        timed(|| dkg::phase2::<Curve>(one, &of(0)));
    let (point_2, proof_2, zero_kept_2, zero_2, chain_kept_2, chain_2) =
        dkg::phase2::<Curve>(two, &of(1));
    let (
        ((zero_kept_1, zero_3_1, mul_kept_1, mul_1, chain_3_1), third_1),
        ((zero_kept_2, zero_3_2, mul_kept_2, mul_2, chain_3_2), third_2),
    ) = both(
        at_once,
        || dkg::phase3::<Curve>(one, &zero_kept_1, &chain_kept_1),
        || dkg::phase3::<Curve>(two, &zero_kept_2, &chain_kept_2),
    )?;
    let chains = BTreeMap::from([(party_1(), chain_1), (party_2(), chain_2)]);
    let reveals = BTreeMap::from([(party_1(), chain_3_1), (party_2(), chain_3_2)]);
    let proofs = [proof_1, proof_2];
    let fourth_of_1 = || {
        dkg::phase4::<Curve>(
            one,
            &point_1,
            &proofs,
            &zero_kept_1,
            &zero_2,
            &zero_3_2,
            &mul_kept_1,
            &mul_2,
            &chains,
            &reveals,
            dkls23_secp256k1::compute_eth_address,
        )
    };
    let fourth_of_2 = || {
        dkg::phase4::<Curve>(
            two,
            &point_2,
            &proofs,
            &zero_kept_2,
            &zero_1,
            &zero_3_1,
            &mul_kept_2,
            &mul_1,
            &chains,
            &reveals,
            dkls23_secp256k1::compute_eth_address,
        )
    };
    let ((party_one, fourth_1), (party_two, fourth_2)) = both(at_once, fourth_of_1, fourth_of_2)?;
    Ok(Made {
        parties: [party_one.map_err(aborted)?.0, party_two.map_err(aborted)?.0],
        party_1: second_1 + third_1 + fourth_1,
        phase_3: (third_1 + third_2) / 2,
        phase_4: (fourth_1 + fourth_2) / 2,
    })
}

/// One signature by both parties, each of which makes the whole of it; the time of party 1.
fn sign([one, two]: &[Party; 2], number: u8) -> Result<Duration, BenchError> {
    let data = |counterparty: PartyIndex| SignData {
        sign_id: vec![number],
        counterparties: vec![counterparty],
        message_hash: [number; 32],
    };
    let (of_1, of_2) = (data(party_2()), data(party_1()));
    let (first_1, took_1) = timed(|| one.sign_phase1(&of_1));
    let (unique_1, kept_1, sent_1) = first_1.map_err(aborted)?;
    let (unique_2, kept_2, sent_2) = two.sign_phase1(&of_2).map_err(aborted)?;
    let (second_1, took_2) = timed(|| one.sign_phase2(&of_1, unique_1, kept_1, &sent_2));
    let (unique_1, kept_1, sent_1_2) = second_1.map_err(aborted)?;
    let (unique_2, kept_2, sent_2_2) =
        two.sign_phase2(&of_2, unique_2, kept_2, &sent_1).map_err(aborted)?;
    let (third_1, took_3) = timed(|| one.sign_phase3(&of_1, unique_1, kept_1, &sent_2_2));
    let (x_1, share_1) = third_1.map_err(aborted)?;
    let (x_2, share_2) = two.sign_phase3(&of_2, unique_2, kept_2, &sent_1_2).map_err(aborted)?;
    let shares = [share_1, share_2];
    let (made, took_4) = timed(|| one.sign_phase4(&of_1, &x_1, &shares, true));
    let made = (made.map_err(aborted)?, two.sign_phase4(&of_2, &x_2, &shares, true));
    if made.1.map_err(aborted)?.0 != made.0.0 {
        return Err(failed("the parties made two signatures"));
    }
    Ok(took_1 + took_2 + took_3 + took_4)
}
