//! What a function is started with.

use domain::clock::Clock;
use domain::random::Random;
use platform::env::Env;

/// The environment, the clock and the randomness of a function. Its clients are made from them, once.
#[derive(Clone, Debug)]
pub struct Runtime<'a> {
    /// Where settings are read from.
    pub env: Env<'a>,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub random: Random,
}
