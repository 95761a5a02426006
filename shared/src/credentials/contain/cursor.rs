//! The position at which a run of containment begins, and its text.

use std::fmt;
use std::str::FromStr;

use platform::items::SHARDS;
use uuid::Uuid;

use crate::store::Position;

/// The phase of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ContainPhase {
    /// Revokes credentials.
    #[default]
    Revoke,
    /// Removes agents that no credential uses.
    Sweep,
}

impl ContainPhase {
    /// Returns the number of wallets that a run works on at the same time. When the budget is used
    /// up, the next run begins with the same wallets. It skips revoked credentials, but requests
    /// each list again, so the second phase takes one wallet at a time.
    pub(super) const fn at_once(self) -> u8 {
        match self {
            Self::Revoke => 8,
            Self::Sweep => 1,
        }
    }
}

/// The position at which a run begins. The default is the beginning of the first phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ContainCursor {
    /// The phase.
    pub phase: ContainPhase,
    /// The position in the list of the tenant's wallets.
    pub position: Position,
}

/// The text is not a cursor of [`ContainCursor`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid cursor: expected the cursor that an earlier run has returned")]
pub struct CursorError;

impl fmt::Display for ContainCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            ContainPhase::Revoke => "revoke",
            ContainPhase::Sweep => "sweep",
        };
        let Position { shard, after_ms, after } = self.position;
        write!(f, "{phase}.{shard}.{after_ms}.{after}")
    }
}

impl FromStr for ContainCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let parts: Vec<&str> = text.split('.').collect();
        let [phase, shard, after_ms, after] = parts[..] else { return Err(CursorError) };
        let phase = match phase {
            "revoke" => ContainPhase::Revoke,
            "sweep" => ContainPhase::Sweep,
            _ => return Err(CursorError),
        };
        let shard = shard.parse().ok().filter(|shard| *shard < SHARDS).ok_or(CursorError)?;
        let after_ms = after_ms.parse().map_err(|_| CursorError)?;
        let after: Uuid = after.parse().map_err(|_| CursorError)?;
        Ok(Self { phase, position: Position { shard, after_ms, after } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_text_reads_back_and_anything_else_is_refused() {
        let position =
            Position { shard: 3, after_ms: 1_795_921_445_000, after: Uuid::from_u128(7) };
        for phase in [ContainPhase::Revoke, ContainPhase::Sweep] {
            let cursor = ContainCursor { phase, position };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        let nil = Uuid::nil();
        for text in ["", "revoke", "revoke.16.0.x", &format!("revoke.16.0.{nil}"), "other.0.0.0"] {
            assert_eq!(text.parse::<ContainCursor>(), Err(CursorError), "{text}");
        }
        assert_eq!(format!("revoke.0.0.{nil}").parse(), Ok(ContainCursor::default()));
    }
}
