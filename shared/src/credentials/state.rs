//! Where a credential is in its life, and what each operation may do there. `docs/credentials.md`
//! draws it.

use std::fmt;

use crate::store::{CredentialRecord, CredentialState};

/// Where a credential is in its life, as of now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// Its agent is sealed here; the exchange may or may not have heard of it. Registration goes on.
    Pending,
    /// The exchange has approved the agent.
    Active,
    /// A new agent is being put in the place of the current one. Rotation goes on.
    Rotating,
    /// It is being taken away. Only its deletion goes on.
    Revoking,
    /// Past its expiry: in nobody's way.
    Expired,
}

impl Life {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Active, Self::Rotating, Self::Revoking, Self::Expired];

    /// Where a credential is at a time in Unix milliseconds.
    #[must_use]
    pub const fn of(record: &CredentialRecord, now_ms: u64) -> Self {
        match record.state {
            CredentialState::Pending | CredentialState::Active
                if record.expires_at_ms <= now_ms =>
            {
                Self::Expired
            }
            CredentialState::Pending => Self::Pending,
            CredentialState::Active => Self::Active,
            CredentialState::Rotating => Self::Rotating,
            CredentialState::Revoking => Self::Revoking,
        }
    }

    /// The word for it in answers and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Rotating => "rotating",
            Self::Revoking => "revoking",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
