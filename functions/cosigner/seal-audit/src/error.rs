//! Why a run fails.

use platform::items::StoreError;

/// Why a run failed. What it has sealed stays sealed; the next run resumes.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// KMS failed.
    #[error("KMS: {0}")]
    Kms(String),
    /// The last seal cannot be read, or made.
    #[error("a seal is damaged: {0}")]
    Damaged(String),
}
