//! The hash Poseidon2: width 12, rate 8, x^7, 8 full and 22 partial rounds, overwrite mode, no
//! padding.

use crate::extension::Fp5;
use crate::field::Gl;

mod constants;

const WIDTH: usize = 12;
const RATE: usize = 8;
const FULL_ROUNDS: usize = 8;
const PARTIAL_ROUNDS: usize = 22;

type State = [Gl; WIDTH];

/// Hashes elements to five.
pub(crate) fn hash_to_five(input: &[Gl]) -> Fp5 {
    let [a, b, c, d, e, ..] = sponge(input);
    Fp5([a, b, c, d, e])
}

/// Hashes elements to four.
pub(crate) fn hash_to_four(input: &[Gl]) -> [Gl; 4] {
    let [a, b, c, d, ..] = sponge(input);
    [a, b, c, d]
}

/// Each block replaces the first elements of the state, and a short last block only as many as it
/// has. The length is not part of the hash, so every caller must have a fixed number of elements.
fn sponge(input: &[Gl]) -> State {
    let mut state = [Gl(0); WIDTH];
    for block in input.chunks(RATE) {
        for (place, element) in state.iter_mut().zip(block) {
            *place = *element;
        }
        permute(&mut state);
    }
    state
}

fn permute(state: &mut State) {
    let (first, last) = constants::EXTERNAL.split_at(FULL_ROUNDS / 2);
    external_layer(state);
    full_rounds(state, first);
    for constant in constants::INTERNAL {
        state[0] = seventh_power(state[0] + Gl(constant));
        internal_layer(state);
    }
    full_rounds(state, last);
}

fn full_rounds(state: &mut State, rounds: &[[u64; WIDTH]]) {
    for constants in rounds {
        for (element, constant) in state.iter_mut().zip(constants) {
            *element = seventh_power(*element + Gl(*constant));
        }
        external_layer(state);
    }
}

fn seventh_power(x: Gl) -> Gl {
    let square = x * x;
    let cube = square * x;
    cube * cube * x
}

/// Multiplies each group of 4 by a small matrix, and adds the sum of the groups to each.
fn external_layer(state: &mut State) {
    for group in state.as_chunks_mut::<4>().0 {
        let [a, b, c, d] = *group;
        let (ab, cd) = (a + b, c + d);
        let all = ab + cd;
        let (with_b, with_d) = (all + b, all + d);
        *group = [with_b + ab, with_b + c + c, with_d + cd, with_d + a + a];
    }
    let sums: [Gl; 4] = std::array::from_fn(|i| state[i] + state[i + 4] + state[i + 8]);
    for (element, sum) in state.iter_mut().zip(sums.iter().cycle()) {
        *element = *element + *sum;
    }
}

fn internal_layer(state: &mut State) {
    let sum = state.iter().fold(Gl(0), |sum, element| sum + *element);
    for (element, factor) in state.iter_mut().zip(constants::DIAGONAL) {
        *element = *element * Gl(factor) + sum;
    }
}
