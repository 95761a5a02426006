//! Tests of the repository: dependencies between crates and between modules, the sources of
//! dependencies, and the agreement of documents and code.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod decisions;
mod documents;
mod links;
mod modules;
mod numbers;
mod openapi;
mod reference;
mod structure;
mod supply_chain;
mod targets;
mod workspace;
