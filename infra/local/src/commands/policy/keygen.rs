//! `hyperdex policy keygen`: makes an approver's key, or reads its public half from AWS KMS.

use std::path::PathBuf;

use super::PolicyCommandError;
use super::arguments::PlaceArgs;
use super::sign::KmsSigner;
use crate::approver::ApproverKey;
use crate::commands::arguments::{Output, Place};

pub(super) async fn keygen(
    id: &str,
    key: Option<PathBuf>,
    kms_key: Option<&str>,
    (args, place): (&PlaceArgs, &Place<'_>),
    output: &impl Output,
) -> Result<(), PolicyCommandError> {
    let is_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=32).contains(&id.len()) || !id.bytes().all(is_id) {
        return Err(PolicyCommandError::Id);
    }
    let public_key = match kms_key {
        Some(kms_key) => {
            KmsSigner::open(kms_key, args, &place.clock).await?.public_key().to_owned()
        }
        None => {
            let path = key.unwrap_or_else(|| PathBuf::from(format!("{id}.pem")));
            let public_key = ApproverKey::create(&path)?.public_key();
            output.note(&format!("Wrote the private key to {}. Keep it offline.", path.display()));
            public_key
        }
    };
    output.note("The approver's entry for an authority:");
    output.say(&format!(r#"{{"id":"{id}","publicKey":"{public_key}"}}"#));
    Ok(())
}
