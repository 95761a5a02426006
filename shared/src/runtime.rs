//! The environment of a function at its start.

use domain::clock::Clock;
use domain::random::Random;
use platform::env::Env;

/// The environment, the clock and the randomness of a function, from which its clients are made
/// once.
#[derive(Clone, Debug)]
pub struct Runtime<'a> {
    /// The source of settings.
    pub env: Env<'a>,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub random: Random,
}
