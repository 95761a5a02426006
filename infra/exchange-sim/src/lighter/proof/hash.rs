//! Poseidon2 by its definition, with both linear layers as matrices.

use super::Five;
use super::constants::{DIAGONAL, EXTERNAL, INTERNAL};
use super::field::MODULUS;

type State = [u128; 12];
type Matrix = [[u128; 12]; 12];

/// The matrix of 4 elements.
const SMALL: [[u128; 4]; 4] = [[2, 3, 1, 1], [1, 2, 3, 1], [1, 1, 2, 3], [3, 1, 1, 2]];

/// Hashes elements to five.
#[must_use]
pub fn hash_to_five(input: &[u64]) -> Five {
    let state = absorb(input);
    std::array::from_fn(|i| word(state[i]))
}

/// Hashes elements to four.
#[must_use]
pub fn hash_to_four(input: &[u64]) -> [u64; 4] {
    let state = absorb(input);
    std::array::from_fn(|i| word(state[i]))
}

/// Every element is below the modulus.
fn word(element: u128) -> u64 {
    u64::try_from(element).unwrap_or_default()
}

fn absorb(input: &[u64]) -> State {
    let mut state = [0; 12];
    for block in input.chunks(8) {
        for (i, element) in block.iter().enumerate() {
            state[i] = u128::from(*element) % MODULUS;
        }
        state = permute(state);
    }
    state
}

fn permute(mut state: State) -> State {
    // Blocks of SMALL, doubled on the diagonal.
    let external: Matrix = std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            SMALL[row % 4][column % 4] * if row / 4 == column / 4 { 2 } else { 1 }
        })
    });
    let internal: Matrix = std::array::from_fn(|row| {
        std::array::from_fn(|column| 1 + if row == column { DIAGONAL[row] } else { 0 })
    });
    state = times(&external, &state);
    for round in &EXTERNAL[..4] {
        state = full_round(&external, &state, round);
    }
    for constant in INTERNAL {
        state[0] = seventh((state[0] + constant) % MODULUS);
        state = times(&internal, &state);
    }
    for round in &EXTERNAL[4..] {
        state = full_round(&external, &state, round);
    }
    state
}

fn full_round(external: &Matrix, state: &State, constants: &State) -> State {
    let powers = std::array::from_fn(|i| seventh((state[i] + constants[i]) % MODULUS));
    times(external, &powers)
}

fn seventh(x: u128) -> u128 {
    (0..6).fold(x, |power, _| power * x % MODULUS)
}

fn times(matrix: &Matrix, state: &State) -> State {
    std::array::from_fn(|row| {
        let terms = matrix[row].iter().zip(state).map(|(factor, element)| {
            // The factor 1 + diagonal can be the modulus or more.
            factor % MODULUS * element % MODULUS
        });
        terms.fold(0, |sum, term| (sum + term) % MODULUS)
    })
}
