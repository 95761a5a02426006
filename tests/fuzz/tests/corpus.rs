//! Tests the targets on the corpora and on mutated inputs, without a fuzzer.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::path::PathBuf;

use hyperdex_fuzz::{TARGETS, seeds};
use proptest::prelude::*;
use proptest::sample::Index;

fn corpus(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus", target].iter().collect()
}

/// Returns every input of the corpora with its target.
fn corpus_inputs() -> Vec<(usize, Vec<u8>)> {
    let mut corpus_inputs = Vec::new();
    for (number, (target, _)) in TARGETS.iter().enumerate() {
        let folder = std::fs::read_dir(corpus(target)).unwrap();
        for entry in folder {
            corpus_inputs.push((number, std::fs::read(entry.unwrap().path()).unwrap()));
        }
    }
    corpus_inputs
}

/// Inputs that once failed stay in the corpora as regression tests.
#[test]
fn corpus_inputs_pass_every_target() {
    let corpus_inputs = corpus_inputs();
    for (target, input) in &corpus_inputs {
        TARGETS[*target].1(input);
    }
    assert!(corpus_inputs.len() >= seeds::all().len(), "too few inputs");
    for sample in ["key-share-party-1.v1.bin", "key-share-party-2.v1.bin"] {
        let path = format!("{}/../../shared/tests/samples/{sample}", env!("CARGO_MANIFEST_DIR"));
        hyperdex_fuzz::shares::run(&std::fs::read(path).unwrap());
    }
}

/// `cargo xtask seeds` sets `WRITE_SEEDS`, which rewrites the seeds after a change of a format.
#[test]
fn corpus_seeds_match_current_formats() {
    for (target, name, bytes) in seeds::all() {
        let path = corpus(target).join(format!("seed-{name}"));
        if std::env::var_os("WRITE_SEEDS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "{}", path.display());
    }
}

/// Mutates an input of the corpora: bytes are changed, inserted and removed.
fn mutated() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let corpus_inputs = corpus_inputs();
    let edits = proptest::collection::vec((any::<Index>(), any::<u8>(), 0..4_u8), 0..12);
    (0..corpus_inputs.len(), edits).prop_map(move |(which, edits)| {
        let (target, mut bytes) = corpus_inputs[which].clone();
        for (place, byte, how) in edits {
            if bytes.is_empty() {
                bytes.push(byte);
                continue;
            }
            let at = place.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes[at] ^= 1 << (byte % 8),
            }
        }
        (target, bytes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_corpus_inputs_pass_every_target((target, input) in mutated()) {
        TARGETS[target].1(&input);
    }

    #[test]
    fn random_bytes_pass_every_target(input in proptest::collection::vec(any::<u8>(), 0..600)) {
        for (_, run) in TARGETS {
            run(&input);
        }
    }

    /// Identifiers as platforms use them, and invalid ones that are similar.
    #[test]
    fn random_identifiers_pass_the_requests_target(input in "[A-Za-z0-9_.:@|\\-#/ é]{0,140}|0[xX][0-9a-fA-F]{38,42}|[0-9a-f-]{30,40}") {
        hyperdex_fuzz::requests::run(input.as_bytes());
    }

    #[test]
    fn random_queries_pass_the_requests_target(input in "((limit|cursor|walletIdOrAddress|x)(=[A-Za-z0-9%_+-]{0,60})?&?){0,4}") {
        hyperdex_fuzz::requests::run(input.as_bytes());
    }
}
