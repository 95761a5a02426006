//! Party 1's side of the two-party protocol, with its calls of the cosigner.
//!
//! A crate of its own, because the protocol's generic code is compiled into the crate that names its
//! curve. Development builds optimise this crate, and not the much larger `shared`.

pub mod aws;
pub mod mpc;
