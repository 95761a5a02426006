//! The results of a measurement.

use std::time::Duration;

use crate::cold::Cold;
use crate::counted::Counted;
use crate::growth::Growth;
use crate::machine::Machine;
use crate::throughput::Cell;
use crate::turns::Turns;

/// Everything that was measured.
pub(crate) struct Measured {
    pub(crate) machine: Machine,
    pub(crate) turns: Turns,
    pub(crate) cells: Vec<Cell>,
    pub(crate) counted: Vec<Counted>,
    pub(crate) growth: Vec<Growth>,
    /// Empty without a folder of built functions.
    pub(crate) cold: Vec<Cold>,
    /// The time from the start of a function to a signature.
    pub(crate) first_signature: Option<Duration>,
}
