//! Errors of a run.

use platform::items::StoreError;

/// Why a run failed. Seals already written remain valid; the next run resumes after them.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// KMS failed.
    #[error("KMS: {0}")]
    Kms(String),
    /// The last seal cannot be read, or the new one cannot be written as JSON.
    #[error("a seal is damaged: {0}")]
    Damaged(String),
}
