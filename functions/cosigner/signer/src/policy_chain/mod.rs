//! The policy chain of a tenant: the append-only log of the changes of its payment policy.
//!
//! A change enters the chain with at least one valid signature of an approver, so an endpoint can
//! use up neither numbers nor pending slots. A change that loosens the policy takes effect after a
//! delay; one that tightens it takes effect at once. The state follows from the head and the time,
//! so no job activates anything.
//!
//! | partition key | sort key | item |
//! | --- | --- | --- |
//! | `tenant#P` | `head` | the end of the chain and the state that follows from it |
//! | `tenant#P` | `change#000000000001` … | one record: a proposal, an approval or a cancellation; append-only |
//! | `policy` | `chain` | the chains' id and the table that they began in |

mod admits;
mod chain;
mod decide;
mod origin;
mod recent;
mod record;
mod store;
#[cfg(test)]
mod tests;
mod verify;
mod view;

pub(crate) use chain::{ActiveLimit, Chain, State};
pub(crate) use decide::{Case, Decided};
pub(crate) use origin::{Origin, Origins};
pub(crate) use record::{Action, Entry, First, head_of};
pub(crate) use store::Chains;
pub use verify::PolicyOrigin;
pub(crate) use verify::{CALL_MS, History, replay};
pub(crate) use view::{ExportFault, View};

use domain::policy::{AssetLimit, Authority};

/// The rules of the deployment, which no call can change.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rules {
    /// The operator's approvers.
    pub(crate) root: Option<Authority>,
    /// The delay of loosening changes unless the tenant sets another, seconds.
    pub(crate) delay_s: u64,
    /// The shortest delay, seconds.
    pub(crate) min_delay_s: u64,
    /// The delay of an authority that the root authority replaces, seconds.
    pub(crate) root_delay_s: u64,
    /// The hard caps.
    pub(crate) caps: Vec<AssetLimit>,
}

impl Rules {
    /// Returns whether a limit is within the deployment's hard cap of its asset, if it has one.
    fn admits(&self, limit: &AssetLimit) -> bool {
        self.caps
            .iter()
            .filter(|cap| cap.asset == limit.asset)
            .all(|cap| limit.wallet.is_within(&cap.wallet) && limit.tenant.is_within(&cap.tenant))
    }

    /// Returns whether a tenant's authority has a key of the root authority.
    fn shares_a_key(&self, authority: &Authority) -> bool {
        let root = self.root.iter().flat_map(|root| &root.approvers);
        root.into_iter().any(|approver| authority.has_key(&approver.public_key))
    }
}
