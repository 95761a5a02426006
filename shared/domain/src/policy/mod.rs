//! The payment policy of a tenant: approvers, destinations, limits and the changes that alter them.
//!
//! The types have one canonical JSON text each, which approvers sign. The cosigner verifies the
//! signatures and applies the changes; nothing here decides.

mod amount;
mod approval;
mod asset;
mod authority;
mod change;
mod export;
mod rules;
mod state;
mod text;

pub use amount::Amount;
pub use approval::{Approval, Signature};
pub use asset::{AssetId, Venue};
pub use authority::{Approver, Authority, WebAuthnOrigin};
pub use change::Change;
pub use export::{PermittedExport, WalletExport};
pub use rules::{AssetLimit, Cap, Destination};
pub use state::{
    Approved, ChangeRecord, ChangeState, ListedDestination, PolicyState, Proposal, Quorum,
};
pub use text::{CHANGE_TITLE, PAYMENT_TITLE, canonical_json, change_text, payment_text};

/// The hash before the first record of a policy chain.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The text or value is not part of a policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(&'static str);
