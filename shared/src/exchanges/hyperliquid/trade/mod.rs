//! Hyperliquid's trading wire: actions that an agent signs for `POST /exchange`, and questions for
//! `POST /info`. This module sends nothing.

pub mod action;
pub mod answer;
pub mod markets;
mod msgpack;
pub mod read;
pub mod rules;
mod sign;

pub use sign::{SignFault, signed_body};

#[cfg(test)]
mod tests;
