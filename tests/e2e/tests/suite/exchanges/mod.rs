//! The exchanges: their networks, limits, clocks and errors, and what proves a change there.

mod aster_v1;
mod clocks;
mod manners;
mod networks;
mod truth;
