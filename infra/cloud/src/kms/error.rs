//! Errors of the local KMS, with AWS's names.

use http::StatusCode;
use serde_json::{Value, json};

/// Error of a call to the local KMS.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum KmsError {
    #[error("Key '{0}' does not exist")]
    NotFound(String),
    #[error("no material of this key made the ciphertext, or the encryption context differs")]
    InvalidCiphertext,
    #[error("the key ID in the request does not identify the key that made the ciphertext")]
    IncorrectKey,
    #[error("An alias with the name {0} already exists")]
    AlreadyExists(String),
    #[error("{0}")]
    Validation(&'static str),
    #[error("the local KMS does not support {0}: it has symmetric keys only, and deletes nothing")]
    Unsupported(String),
    #[error("the key has reached the limit of {0} on-demand rotations")]
    LimitExceeded(usize),
    #[error("the local KMS failed")]
    Internal,
}

impl KmsError {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn body(&self) -> Value {
        let kind = match self {
            Self::NotFound(_) => "NotFoundException",
            Self::InvalidCiphertext => "InvalidCiphertextException",
            Self::IncorrectKey => "IncorrectKeyException",
            Self::AlreadyExists(_) => "AlreadyExistsException",
            Self::Validation(_) => "ValidationException",
            Self::Unsupported(_) => "UnsupportedOperationException",
            Self::LimitExceeded(_) => "LimitExceededException",
            Self::Internal => "KMSInternalException",
        };
        json!({ "__type": kind, "message": self.to_string() })
    }
}
