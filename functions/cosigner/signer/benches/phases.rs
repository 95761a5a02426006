//! Benchmarks of each protocol phase, of a share in bytes and of a message in its payload. Run
//! with `cargo bench -p cosigner`.

#![expect(clippy::unwrap_used, reason = "a benchmark panics on failure")]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dkls23_secp256k1::Party;
use dkls23_secp256k1::protocols::PartyIndex;
use dkls23_secp256k1::protocols::dkg::{self, SessionData};
use dkls23_secp256k1::protocols::signing::SignData;
use protocol::{
    Call, Commitments, Curve, FinishKeygen, KeyShare, PROTOCOL, Request, Reveal, WalletKey,
    parameters, party_1, party_2,
};
use uuid::Uuid;

/// Runs the work that `infra/callgrind.sh` counts.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    work()
}

fn data(party_index: PartyIndex) -> SessionData {
    SessionData { parameters: parameters(), party_index, session_id: b"bench".to_vec() }
}

/// Generates a key. Returns both parties and party 1's last message; `look` observes phase 4.
fn generate(look: impl FnOnce(&dyn Fn() -> Party)) -> ([Party; 2], FinishKeygen) {
    let (one, two) = (data(party_1()), data(party_2()));
    let fragments = [dkg::phase1::<Curve>(&one), dkg::phase1::<Curve>(&two)];
    let of = |index: usize| vec![fragments[0][index], fragments[1][index]];
    let first = dkg::phase2::<Curve>(&one, &of(0));
    let second = dkg::phase2::<Curve>(&two, &of(1));
    let first_3 = dkg::phase3::<Curve>(&one, &first.2, &first.4);
    let second_3 = dkg::phase3::<Curve>(&two, &second.2, &second.4);
    let chains = BTreeMap::from([(party_1(), first.5.clone()), (party_2(), second.5.clone())]);
    let reveals = BTreeMap::from([(party_1(), first_3.4.clone()), (party_2(), second_3.4.clone())]);
    let proofs = [first.1.clone(), second.1.clone()];
    let phase_4 = || {
        dkg::phase4::<Curve>(
            &one,
            &first.0,
            &proofs,
            &first_3.0,
            &second.3,
            &second_3.1,
            &first_3.2,
            &second_3.3,
            &chains,
            &reveals,
            dkls23_secp256k1::compute_eth_address,
        )
        .unwrap()
        .0
    };
    look(&phase_4);
    let party_two = dkg::phase4::<Curve>(
        &two,
        &second.0,
        &proofs,
        &second_3.0,
        &first.3,
        &first_3.1,
        &second_3.2,
        &first_3.3,
        &chains,
        &reveals,
        dkls23_secp256k1::compute_eth_address,
    );
    let (mut zero_2, mut zero_3, mut mul) = (first.3, first_3.1, first_3.3);
    let message = FinishKeygen {
        commitments: Commitments {
            proof: first.1.commitment,
            zero: zero_2.remove(0),
            chain: first.5,
        },
        reveal: Reveal {
            proof: first.1.proof,
            zero: zero_3.remove(0),
            mul: mul.remove(0),
            chain: first_3.4,
        }
        .to_bytes()
        .to_vec(),
        kept: vec![7; 16_000],
    };
    ([phase_4(), party_two.unwrap().0], message)
}

fn key_generation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("key generation");
    group.sample_size(10);
    let one = data(party_1());
    let fragments = dkg::phase1::<Curve>(&one);
    group.bench_function("phase 2", |bencher| {
        bencher.iter(|| measured(|| dkg::phase2::<Curve>(&one, black_box(&fragments))));
    });
    let (_, _, zero_kept, _, chain_kept, _) = dkg::phase2::<Curve>(&one, &fragments);
    group.bench_function("phase 3", |bencher| {
        bencher
            .iter(|| measured(|| dkg::phase3::<Curve>(&one, black_box(&zero_kept), &chain_kept)));
    });
    generate(|phase_4| {
        group.bench_function("phase 4", |bencher| bencher.iter(|| measured(phase_4)));
    });
    group.bench_function("all of both parties", |bencher| {
        bencher.iter(|| measured(|| generate(|_| {})));
    });
    group.finish();
}

fn signing(criterion: &mut Criterion) {
    let ([one, two], _) = generate(|_| {});
    let data = |counterparty| SignData {
        sign_id: b"bench".to_vec(),
        counterparties: vec![counterparty],
        message_hash: [7; 32],
    };
    let (of_1, of_2) = (data(party_2()), data(party_1()));
    criterion.bench_function("signing, phase 1", |bencher| {
        bencher.iter(|| measured(|| one.sign_phase1(black_box(&of_1)).unwrap()));
    });
    let setup = || (one.sign_phase1(&of_1).unwrap(), two.sign_phase1(&of_2).unwrap());
    criterion.bench_function("signing, phase 2", |bencher| {
        bencher.iter_batched(
            setup,
            |((unique, kept, _), (_, _, sent))| {
                measured(|| one.sign_phase2(&of_1, unique, kept, &sent).unwrap())
            },
            BatchSize::SmallInput,
        );
    });
    let both = || {
        let ((unique_1, kept_1, sent_1), (unique_2, kept_2, sent_2)) = setup();
        let first = one.sign_phase2(&of_1, unique_1, kept_1, &sent_2).unwrap();
        (first, two.sign_phase2(&of_2, unique_2, kept_2, &sent_1).unwrap())
    };
    criterion.bench_function("signing, phase 3", |bencher| {
        bencher.iter_batched(
            both,
            |((unique, kept, _), (_, _, sent))| {
                measured(|| one.sign_phase3(&of_1, unique, kept, &sent).unwrap())
            },
            BatchSize::SmallInput,
        );
    });
    let ((unique_1, kept_1, sent_1), (unique_2, kept_2, sent_2)) = both();
    let (x, share_1) = one.sign_phase3(&of_1, unique_1, kept_1, &sent_2).unwrap();
    let (_, share_2) = two.sign_phase3(&of_2, unique_2, kept_2, &sent_1).unwrap();
    let shares = [share_1, share_2];
    criterion.bench_function("signing, phase 4", |bencher| {
        bencher.iter(|| measured(|| one.sign_phase4(&of_1, black_box(&x), &shares, true).unwrap()));
    });
}

fn bytes(criterion: &mut Criterion) {
    let ([one, _], message) = generate(|_| {});
    let share = KeyShare::new(one);
    criterion.bench_function("a share to bytes", |bencher| {
        bencher.iter(|| measured(|| share.to_bytes()));
    });
    let stored = share.to_bytes();
    criterion.bench_function("a share from bytes", |bencher| {
        bencher.iter(|| measured(|| KeyShare::from_bytes(black_box(&stored), 1).unwrap()));
    });
    let request = Request {
        protocol: PROTOCOL,
        key: WalletKey {
            tenant: "tenant".parse().unwrap(),
            wallet_id: Uuid::from_u128(7),
            key_version: 1,
        },
        session: [3; 32],
        request_id: String::new(),
        caller: String::new(),
        call: Call::FinishKeygen(message),
    };
    let Call::FinishKeygen(FinishKeygen { reveal, .. }) = &request.call else { unreachable!() };
    criterion.bench_function("revealed data from its bytes", |bencher| {
        bencher.iter(|| measured(|| Reveal::from_bytes(black_box(reveal)).unwrap()));
    });
    let revealed = Reveal::from_bytes(reveal).unwrap();
    criterion.bench_function("revealed data to its bytes", |bencher| {
        bencher.iter(|| measured(|| revealed.to_bytes()));
    });
    criterion.bench_function("the largest message to its payload", |bencher| {
        bencher.iter(|| measured(|| request.to_payload()));
    });
    let payload = String::from_utf8(request.to_payload()).unwrap();
    let text = payload.trim_matches('"');
    criterion.bench_function("the largest message from its payload", |bencher| {
        bencher.iter(|| measured(|| Request::from_payload(black_box(text)).unwrap()));
    });
}

criterion_group!(phases, key_generation, signing, bytes);
criterion_main!(phases);
