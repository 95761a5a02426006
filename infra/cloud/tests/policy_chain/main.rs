//! Tests of the policy chain at the cosigner, against the embedded table with DynamoDB's rule for
//! conflicting transactions. The caller has every right of an endpoint function.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper fails as the test does")]

mod audit;
mod calls;
mod emitted;
mod restored;
mod stack;
