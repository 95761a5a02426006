//! The repository: which crates link which, how their modules depend on each other, where
//! dependencies come from, and whether documents say what the code does.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod documents;
mod links;
mod modules;
mod numbers;
mod openapi;
mod structure;
mod supply_chain;
mod targets;
mod workspace;
