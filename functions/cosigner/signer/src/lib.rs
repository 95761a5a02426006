//! The cosigner: party 2 of every wallet key.
//!
//! This folder is the security boundary. Read it to know what may be signed: [`policy`] says what
//! is allowed, [`callers`] by which function, `gate` bounds how often a share may be tried,
//! `keygen`, `sign` and `refresh` are the protocol's other half, `store` holds the records.
//! No endpoint function links this crate; they reach it by invocation, with messages of
//! the crate `protocol`, and it answers none of them with its share.

pub mod audit;
pub mod callers;
mod dispatch;
mod gate;
mod head;
mod keygen;
mod party;
pub mod policy;
mod rates;
mod refresh;
mod session_state;
mod sign;
mod store;

pub use party::{Cosigner, Failure};
pub use policy::{Policy, Setting};
pub use store::{SessionKind, SessionRecord, ShareItem};
