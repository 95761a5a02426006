//! Properties of the code that hold for any input. Each module is one target: `run` takes bytes and
//! panics if a property does not hold. A fuzzer searches for such bytes (`.ci/fuzz`, `cargo fuzz
//! run`), and the ordinary tests run the corpora too.

#![expect(clippy::expect_used, reason = "a violated property panics")]

pub mod answers;
pub mod items;
pub mod lighter;
pub mod messages;
pub mod requests;
pub mod seeds;
pub mod shares;

/// A secret that no output may contain.
const SECRET: &str = "5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0ffee5ec2";

/// Runs a target on an input.
pub type Run = fn(&[u8]);

/// Every target, by the name of its corpus.
pub const TARGETS: [(&str, Run); 6] = [
    ("answers", answers::run),
    ("items", items::run),
    ("lighter", lighter::run),
    ("messages", messages::run),
    ("requests", requests::run),
    ("shares", shares::run),
];
