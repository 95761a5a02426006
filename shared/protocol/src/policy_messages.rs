//! Messages about a tenant's policy chain. They travel as JSON text within postcard, because the
//! types have one JSON form, which approvers sign.

use domain::policy::{Approval, AssetId, ChangeRecord, PolicyState, Proposal};
use serde::{Deserialize, Serialize};

/// A call about a tenant's policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PolicyCall {
    /// Reads the policy.
    Show,
    /// Adds a change with its first approvals. Repeating it returns the same change.
    Propose(Proposal),
    /// Adds an approval to a pending change. Repeating it returns the same change.
    Approve {
        /// The change's number.
        seq: u64,
        /// The approval.
        approval: Approval,
    },
    /// Cancels a pending change without a signature. Only the operator's alias may.
    Cancel {
        /// The change's number.
        seq: u64,
    },
    /// Freezes payments without a signature. Only the operator's alias may.
    Freeze,
}

/// A response to a [`PolicyCall`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PolicyAnswer {
    /// To [`PolicyCall::Show`].
    State(PolicyState),
    /// To the others: the change.
    Change(ChangeRecord),
}

/// Why the cosigner refuses a change of a policy. Nothing was written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum PolicyFault {
    /// Another record came first.
    #[error("the next change has the number {next_seq}")]
    WrongSequence {
        /// The number of the next change.
        next_seq: u64,
        /// The hash of the chain's last record.
        head_hash: String,
    },
    /// The change is malformed.
    #[error("{0}")]
    Invalid(String),
    /// The signature is not this approver's over the change's text.
    #[error("the signature of approver {approver} is invalid")]
    BadApproval {
        /// The approver's id.
        approver: String,
    },
    /// The authority has no such approver.
    #[error("unknown approver {approver}")]
    UnknownApprover {
        /// The approver's id.
        approver: String,
    },
    /// The tenant has no authority, or the deployment no root authority.
    #[error("no authority exists for this change")]
    NoAuthority,
    /// This authority may not sign this change.
    #[error("this authority may not sign this change")]
    WrongQuorum,
    /// The time until which approvals count has passed.
    #[error("the time for approvals has passed")]
    Expired,
    /// The time until which approvals count is too far away.
    #[error("not-after must be at most 30 days away")]
    NotAfterTooFar,
    /// No such change is pending.
    #[error("change {seq} is not pending")]
    NotPending {
        /// The change's number.
        seq: u64,
    },
    /// Too many changes are pending.
    #[error("too many changes are pending: cancel one")]
    TooManyPending,
    /// The approver's key has made too many records in this hour.
    #[error("this approver has made too many changes in this hour")]
    TooManyRecords,
    /// The delay is below the deployment's minimum.
    #[error("the delay must be at least {seconds} seconds")]
    BelowMinimumDelay {
        /// The minimum.
        seconds: u64,
    },
    /// The limit is above the deployment's hard cap.
    #[error("the limit is above the deployment's cap")]
    AboveHardCap,
    /// An approver cannot cancel a change that removes it.
    #[error("an approver cannot cancel its own removal")]
    OwnRemoval,
    /// The destination is listed already.
    #[error("the destination is listed already; remove it first")]
    DestinationExists,
    /// The policy holds as many destinations or limits as it may.
    #[error("the policy holds too many destinations or limits")]
    Full,
    /// The change would change nothing.
    #[error("the change would change nothing")]
    NothingToDo,
    /// The named hash is not the chain's newest.
    #[error("headHash is not the newest hash of this chain")]
    WrongHead,
    /// The deployment's policy document allows no payment that uses the asset there.
    #[error("no payment of the deployment uses {asset} in this change")]
    UnknownAsset {
        /// The asset.
        asset: AssetId,
        /// The assets that payments use: of the same venue, or of all venues if it has none.
        known: Vec<AssetId>,
    },
}

impl PolicyFault {
    /// Returns the reason as an upper-snake word, for the API.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::WrongSequence { .. } => "WRONG_SEQUENCE",
            Self::Invalid(_) => "INVALID",
            Self::BadApproval { .. } => "BAD_APPROVAL",
            Self::UnknownApprover { .. } => "UNKNOWN_APPROVER",
            Self::NoAuthority => "AUTHORITY_MISSING",
            Self::WrongQuorum => "WRONG_QUORUM",
            Self::Expired => "EXPIRED",
            Self::NotAfterTooFar => "NOT_AFTER_TOO_FAR",
            Self::NotPending { .. } => "NOT_PENDING",
            Self::TooManyPending => "TOO_MANY_PENDING",
            Self::TooManyRecords => "TOO_MANY_RECORDS",
            Self::BelowMinimumDelay { .. } => "BELOW_MINIMUM_DELAY",
            Self::AboveHardCap => "ABOVE_HARD_CAP",
            Self::OwnRemoval => "OWN_REMOVAL",
            Self::DestinationExists => "DESTINATION_EXISTS",
            Self::Full => "FULL",
            Self::NothingToDo => "NOTHING_TO_DO",
            Self::WrongHead => "WRONG_HEAD",
            Self::UnknownAsset { .. } => "ASSET_UNKNOWN",
        }
    }
}

/// Puts a value into a message as its JSON text.
pub(crate) mod json {
    use serde::de::{DeserializeOwned, Error as _};
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(value).map_err(S::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(crate) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        serde_json::from_str(text).map_err(D::Error::custom)
    }
}
