//! What must be true of any input, from whomever it comes. Each module is one target: `run` takes
//! bytes and fails when something is not so. A fuzzer looks for such bytes (`.ci/fuzz`,
//! `cargo fuzz run`); the corpora are tried by the ordinary tests too.

#![expect(clippy::expect_used, reason = "what is not so ends the run, and says what it is")]

pub mod answers;
pub mod items;
pub mod messages;
pub mod requests;
pub mod seeds;
pub mod shares;

/// Stands for what nobody may be shown.
const SECRET: &str = "5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2";

/// What a target does with an input.
pub type Run = fn(&[u8]);

/// Every target, by the name of its corpus.
pub const TARGETS: [(&str, Run); 5] = [
    ("answers", answers::run),
    ("items", items::run),
    ("messages", messages::run),
    ("requests", requests::run),
    ("shares", shares::run),
];
