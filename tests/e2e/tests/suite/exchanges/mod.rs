//! Tests the exchanges: networks, limits, clocks, errors, and the proof that a change requires.

mod aster_v1;
mod clocks;
mod late;
mod networks;
mod proof;
mod throttling;
