//! The cosigner: party 2 of every wallet key.
//!
//! This folder is the security boundary; it decides what may be signed. [`policy`] defines what is
//! allowed, and [`callers`] to which function. `gate` bounds how often a share may be tried.
//! `keygen`, `sign` and `refresh` are party 2's half of the protocol, and `store` holds the
//! records. No endpoint function links this crate. Endpoints reach it by invocation with messages
//! of the crate `protocol`, and no response contains the share. `policy_chain` holds the tenants'
//! payment policies, which only approvers outside the service can change. `recovery` encrypts each
//! share's half to an offline key.

mod approval;
pub mod audit;
pub mod callers;
mod dispatch;
mod gate;
mod head;
mod keygen;
mod party;
mod payments;
pub mod policy;
mod policy_calls;
mod policy_chain;
mod rates;
mod record;
mod records;
mod recovery;
mod refresh;
mod session_state;
mod sign;
mod store;

pub use party::{Cosigner, Failure};
pub use payments::counted_payments;
pub use policy::{Policy, Setting};
pub use store::{SessionKind, SessionRecord, ShareItem};
