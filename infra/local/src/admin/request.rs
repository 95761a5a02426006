//! Requests of an operator and their replies, as they go through the control socket of a local stack.

use domain::eth::Address;
use domain::ids::Tenant;
use domain::policy::{Approval, ChangeRecord, PolicyState, Proposal};
use protocol::OpenPayments;
use protocol::recovery::Side;
use serde::{Deserialize, Serialize};
use shared::credentials::{ContainCursor, Contained};
use shared::key_admin::{KeyRequest, MadeKey};
use shared::store::{KeyRecord, TenantRecord};
use shared::tenancy::{Change, KeyId, KeyLabel, TenantLimits, TenantState};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::recoverer::{RecoveryReply, RecoveryRequest};

/// A request of an operator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AdminRequest {
    /// Creates a tenant, or finds it.
    AddTenant {
        /// Its name.
        tenant: Tenant,
        /// The operator's words for it.
        label: KeyLabel,
        /// Its limits.
        limits: TenantLimits,
        /// Who creates it.
        change: Change,
    },
    /// Lists the tenants that have a record.
    Tenants,
    /// Reads a tenant.
    Tenant {
        /// Its name.
        tenant: Tenant,
    },
    /// Suspends a tenant, or resumes it.
    SetState {
        /// Its name.
        tenant: Tenant,
        /// Its new state.
        state: TenantState,
        /// The operator and the reason.
        change: Change,
    },
    /// Sets a tenant's limits.
    SetLimits {
        /// Its name.
        tenant: Tenant,
        /// Its new limits.
        limits: TenantLimits,
    },
    /// Gives a key without a record its record.
    Adopt {
        /// The key.
        key_id: KeyId,
        /// The operator's words for its tenant.
        label: KeyLabel,
        /// Who adopts it.
        change: Change,
    },
    /// Lists a tenant's keys.
    Keys {
        /// The tenant.
        tenant: Tenant,
    },
    /// Makes a key that opens nothing yet.
    PrepareKey {
        /// The key.
        request: Box<KeyRequest>,
        /// Who makes it.
        by: String,
    },
    /// Makes a key that is to replace another one, and opens nothing yet.
    PrepareRotation {
        /// The key to replace.
        key_id: KeyId,
        /// Who rotates it.
        by: String,
    },
    /// Opens a prepared key.
    OpenKey {
        /// The key.
        key_id: KeyId,
    },
    /// Lets a replaced key expire.
    RetireKey {
        /// The key.
        key_id: KeyId,
        /// The time for which it still works, in milliseconds; 0 revokes it.
        overlap_ms: u64,
        /// The operator.
        change: Change,
    },
    /// Revokes a key.
    RevokeKey {
        /// The key.
        key_id: KeyId,
        /// The operator and the reason.
        change: Change,
    },
    /// Removes a tenant's agents from the exchanges.
    Contain {
        /// The tenant.
        tenant: Tenant,
        /// The cursor of an earlier run.
        #[serde(default, with = "cursor")]
        cursor: Option<ContainCursor>,
    },
    /// Reads records of a recovery, or restores shares.
    Recovery {
        /// The side.
        side: Side,
        /// The request.
        request: Box<RecoveryRequest>,
    },
    /// Reads or changes the payment policy of a tenant.
    Policy {
        /// The tenant.
        tenant: Tenant,
        /// The request.
        request: Box<PolicyRequest>,
    },
}

/// A request about a payment policy. The cosigner verifies its signatures.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PolicyRequest {
    /// Reads the policy.
    State,
    /// Reads a page of the counted payments.
    Payments {
        /// Where the page begins; `None` for the newest.
        from: Option<String>,
    },
    /// Reads the address of a wallet and the version of its shares.
    Wallet {
        /// The wallet.
        wallet_id: Uuid,
    },
    /// Submits a change.
    Propose(Proposal),
    /// Adds an approval.
    Approve {
        /// The number of the change.
        seq: u64,
        /// The approval.
        approval: Approval,
    },
    /// Cancels a change as the operator of the local stack.
    Cancel {
        /// The number of the change.
        seq: u64,
    },
    /// Stops payments as the operator of the local stack.
    Freeze,
}

/// The reply to a request of an operator.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AdminReply {
    /// A tenant.
    Tenant(TenantRecord),
    /// Tenants.
    Tenants(Vec<TenantRecord>),
    /// Keys of a tenant.
    Keys(Vec<KeyLine>),
    /// A new key that opens nothing yet.
    Made {
        /// Its record.
        record: Box<KeyRecord>,
        /// Its value.
        value: Zeroizing<String>,
    },
    /// The key that already replaces the one in the request.
    Replaced(KeyId),
    /// A key.
    Key(Box<KeyRecord>),
    /// The result of a run of the containment.
    Contained(Box<Contained>),
    /// The reply to a request of a recovery.
    Recovery(Box<RecoveryReply>),
    /// A payment policy.
    PolicyState(Box<PolicyState>),
    /// A change of a payment policy.
    PolicyChange(Box<ChangeRecord>),
    /// A page of counted payments.
    CountedPayments(Box<OpenPayments>),
    /// The address of a wallet and the version of its shares; `None` if the tenant has no such wallet.
    Wallet(Option<(Address, u32)>),
}

/// A key in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyLine {
    /// Its record.
    pub record: KeyRecord,
    /// When it was last used, to the hour, Unix milliseconds.
    pub used_at_ms: Option<u64>,
    /// True if it is neither revoked nor expired.
    pub usable: bool,
}

impl AdminReply {
    pub(super) fn made(MadeKey { record, value }: MadeKey) -> Self {
        Self::Made { record: Box::new(record), value }
    }
}

/// Without a key's value.
impl std::fmt::Debug for AdminReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Tenant(_) => "Tenant",
            Self::Tenants(_) => "Tenants",
            Self::Keys(_) => "Keys",
            Self::Made { .. } => "Made",
            Self::Replaced(_) => "Replaced",
            Self::Key(_) => "Key",
            Self::Contained(_) => "Contained",
            Self::Recovery(_) => "Recovery",
            Self::PolicyState(_) => "PolicyState",
            Self::PolicyChange(_) => "PolicyChange",
            Self::CountedPayments(_) => "CountedPayments",
            Self::Wallet(_) => "Wallet",
        };
        f.write_str(name)
    }
}

mod cursor {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use shared::credentials::ContainCursor;

    pub(super) fn serialize<S: Serializer>(
        cursor: &Option<ContainCursor>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match cursor {
            Some(cursor) => to.collect_str(cursor),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<ContainCursor>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse()).transpose().map_err(D::Error::custom)
    }
}
