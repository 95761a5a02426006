//! The permitted exports of a payment policy.

use domain::policy::PermittedExport;
use serde::Serialize;
use utoipa::ToSchema;

use crate::schema;

/// A permission to export one wallet's key.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = PermittedExport)]
pub(super) struct ExportData {
    #[schema(value_type = schema::WalletId)]
    wallet_id: String,
    #[schema(value_type = schema::AddressText)]
    address: String,
    /// The version of the wallet's shares. A refresh ends the permission.
    share_version: u32,
    /// The recipient's public key, a point of P-256 in hex.
    recipient: String,
    /// The end of the permission, Unix seconds.
    #[schema(value_type = schema::UnixSeconds)]
    until: u64,
    /// The number of the change that allowed it.
    #[schema(value_type = schema::ChangeNumber)]
    change: u64,
}

impl From<&PermittedExport> for ExportData {
    fn from(permitted: &PermittedExport) -> Self {
        let PermittedExport { export, change } = permitted;
        Self {
            wallet_id: export.wallet_id.to_string(),
            address: export.address.to_string(),
            share_version: export.share_version,
            recipient: export.recipient.clone(),
            until: export.until_s,
            change: *change,
        }
    }
}
