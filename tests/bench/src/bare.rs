//! The bare library: both parties of a 2-of-2 key in one process, one phase after the other,
//! without serialization. The keys are discarded.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dkls23_secp256k1::Party;
use dkls23_secp256k1::protocols::dkg::{self, SessionData};
use dkls23_secp256k1::protocols::signing::SignData;
use dkls23_secp256k1::protocols::{Abort, PartyIndex};
use protocol::{Curve, parameters, party_1, party_2};

use crate::error::{BenchError, failed};
use crate::machine::thread_time;
use crate::times::percentile;

/// The times of runs of one kind.
#[derive(Clone, Default)]
pub(crate) struct Runs {
    walls: Vec<Duration>,
    processor: Duration,
    party_1: Duration,
}

impl Runs {
    /// Measures one run, which returns party 1's processor time.
    fn run<T>(
        &mut self,
        work: impl FnOnce() -> Result<(T, Duration), BenchError>,
    ) -> Result<T, BenchError> {
        let before = (Instant::now(), thread_time());
        let (made, party_1) = work()?;
        self.walls.push(before.0.elapsed());
        self.processor += thread_time().saturating_sub(before.1);
        self.party_1 += party_1;
        Ok(made)
    }

    fn extend(&mut self, other: &Self) {
        self.walls.extend(&other.walls);
        self.processor += other.processor;
        self.party_1 += other.party_1;
    }

    fn mean(&self, sum: Duration) -> Duration {
        sum / u32::try_from(self.walls.len()).unwrap_or(u32::MAX).max(1)
    }

    /// Returns the median wall time of a run.
    pub(crate) fn wall(&self) -> Duration {
        percentile(&self.walls, 50)
    }

    /// Returns the mean processor time of a run. For runs on two threads, it is party 1's.
    pub(crate) fn processor(&self) -> Duration {
        self.mean(self.processor)
    }

    /// Returns party 1's part of the processor time.
    pub(crate) fn party_1(&self) -> Duration {
        self.mean(self.party_1)
    }
}

#[derive(Clone, Default)]
pub(crate) struct Bare {
    pub(crate) keygen: Runs,
    pub(crate) signing: Runs,
    /// The same signatures, each after a pause, so the processor's caches are cold.
    pub(crate) signing_paced: Runs,
    /// Key generations in which both parties run their heavy phases concurrently on two threads.
    pub(crate) keygen_at_once: Runs,
    /// The time of the heavy phases of key generations, of one party, for all runs.
    phase_3: Duration,
    phase_4: Duration,
}

impl Bare {
    pub(crate) fn extend(&mut self, other: &Self) {
        self.keygen.extend(&other.keygen);
        self.signing.extend(&other.signing);
        self.signing_paced.extend(&other.signing_paced);
        self.keygen_at_once.extend(&other.keygen_at_once);
        self.phase_3 += other.phase_3;
        self.phase_4 += other.phase_4;
    }

    /// Returns the time of each heavy phase of a key generation for one party.
    pub(crate) fn phases(&self) -> [Duration; 2] {
        [self.phase_3, self.phase_4].map(|phase| self.keygen.mean(phase))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used where errors are mapped")]
fn aborted(abort: Abort) -> BenchError {
    failed(abort.description())
}

/// The pause between two signatures.
const PAUSE: Duration = Duration::from_millis(10);

/// A key of both parties.
pub(crate) struct Key([Party; 2]);

/// Measures a key generation, one party after the other.
pub(crate) fn keygen() -> Result<(Bare, Key), BenchError> {
    let mut bare = Bare::default();
    let made = bare.keygen.run(|| {
        let made = generate(false)?;
        let party_1 = made.party_1;
        Ok((made, party_1))
    })?;
    (bare.phase_3, bare.phase_4) = (made.phase_3, made.phase_4);
    Ok((bare, Key(made.parties)))
}

/// Measures a key generation, both parties concurrently.
pub(crate) fn keygen_at_once() -> Result<Bare, BenchError> {
    let mut bare = Bare::default();
    bare.keygen_at_once.run(|| generate(true).map(|made| ((), made.party_1)))?;
    Ok(bare)
}

/// Measures this many signatures with a key, one after the other.
pub(crate) fn signing(key: &Key, signatures: u8) -> Result<Bare, BenchError> {
    let mut bare = Bare::default();
    for number in 0..signatures {
        bare.signing.run(|| Ok(((), sign(&key.0, number)?)))?;
    }
    Ok(bare)
}

/// Measures this many signatures with a key, each after a pause.
pub(crate) fn signing_paced(key: &Key, signatures: u8) -> Result<Bare, BenchError> {
    let mut bare = Bare::default();
    for number in 0..signatures {
        std::thread::sleep(PAUSE);
        bare.signing_paced.run(|| Ok(((), sign(&key.0, number)?)))?;
    }
    Ok(bare)
}

struct Made {
    parties: [Party; 2],
    party_1: Duration,
    phase_3: Duration,
    phase_4: Duration,
}

/// The result of a call and its processor time.
type Timed<T> = (T, Duration);

fn timed<T>(work: impl FnOnce() -> T) -> Timed<T> {
    let before = thread_time();
    let made = work();
    (made, thread_time().saturating_sub(before))
}

/// Runs the work of two parties sequentially or concurrently.
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
        Ok((one, two.join().map_err(|_| failed("a party's thread panicked"))?))
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
    let (
        ((point_1, proof_1, zero_kept_1, zero_1, chain_kept_1, chain_1), second_1),
        ((point_2, proof_2, zero_kept_2, zero_2, chain_kept_2, chain_2), _),
    ) = both(at_once, || dkg::phase2::<Curve>(one, &of(0)), || dkg::phase2::<Curve>(two, &of(1)))?;
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

/// Makes one signature, of which each party computes all steps. Returns party 1's time.
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
        return Err(failed("the signatures of the parties differ"));
    }
    Ok(took_1 + took_2 + took_3 + took_4)
}
