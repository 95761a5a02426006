//! Signatures of approvers.

use serde::{Deserialize, Serialize};

/// An approver's signature of a text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// The approver's id.
    pub approver: String,
    /// The signature.
    pub signature: Signature,
}

/// The forms of a signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Signature {
    /// ECDSA with SHA-256 over the text: DER in hex.
    Der(String),
    /// A WebAuthn assertion whose challenge is the text's SHA-256. All fields are base64url without
    /// padding.
    WebAuthn {
        /// The authenticator's data.
        authenticator_data: String,
        /// The client's data.
        client_data_json: String,
        /// The signature, DER.
        signature: String,
    },
}
