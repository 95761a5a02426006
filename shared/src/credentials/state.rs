//! The state of a credential at a time. `docs/concepts/credentials.md` has the state diagram and
//! the operations in each state.

use std::fmt;

use crate::store::{CredentialRecord, CredentialState};

/// The state of a credential at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// The agent's key is sealed; the exchange may or may not have the agent. Registration resumes.
    Pending,
    /// The exchange has approved the agent.
    Active,
    /// A new agent is replacing the current one. Rotation resumes.
    Rotating,
    /// The credential is being deleted. Only its deletion resumes.
    Revoking,
    /// The credential is past its expiry. A registration replaces it.
    Expired,
}

impl Life {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Active, Self::Rotating, Self::Revoking, Self::Expired];

    /// Returns the state of a credential at a time in Unix milliseconds.
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

    /// Returns the state's name in responses and logs.
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
