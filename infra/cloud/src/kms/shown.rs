//! Descriptions of keys and rotations in responses of the local KMS.

use serde_json::{Value, json};

use super::error::KmsError;
use super::keyring::Key;
use super::{ACCOUNT, REGION};

/// Default page size of `ListKeyRotations`.
const PAGE: u64 = 100;

type Answered = Result<Value, KmsError>;

pub(super) fn arn(key_id: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{key_id}")
}

/// Converts to Unix seconds, the protocol's format of times.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this millennium are exact")]
fn seconds(ms: u64) -> Value {
    json!(ms as f64 / 1_000.0)
}

pub(super) fn described(key: &Key) -> Answered {
    Ok(json!({ "KeyMetadata": {
        "AWSAccountId": ACCOUNT,
        "Arn": arn(&key.id),
        "CreationDate": seconds(key.created_at_ms),
        "CurrentKeyMaterialId": hex::encode(key.current()?.id(&key.id)),
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": key.description,
        "Enabled": true,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyId": key.id,
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": false,
        "Origin": "AWS_KMS",
    } }))
}

pub(super) fn rotation_status(key: &Key) -> Value {
    let mut status = json!({ "KeyId": key.id, "KeyRotationEnabled": key.schedule.is_some() });
    if let Some(schedule) = key.schedule {
        status["RotationPeriodInDays"] = schedule.period_days.into();
        status["NextRotationDate"] = seconds(schedule.next_at_ms);
    }
    status
}

/// Returns a page of `ListKeyRotations`, oldest first. The marker is the number of entries before
/// it.
pub(super) fn rotations(key: &Key, body: &Value) -> Answered {
    let limit = match &body["Limit"] {
        Value::Null => PAGE,
        given => given
            .as_u64()
            .filter(|limit| (1..=1_000).contains(limit))
            .ok_or(KmsError::Validation("Limit: expected 1 to 1000"))?,
    };
    let from = match &body["Marker"] {
        Value::Null => 0,
        given => given
            .as_str()
            .and_then(|marker| marker.parse::<usize>().ok())
            .ok_or(KmsError::Validation("Marker: expected the NextMarker of a page"))?,
    };
    let all = match body["IncludeKeyMaterial"].as_str() {
        None | Some("ROTATIONS_ONLY") => false,
        Some("ALL_KEY_MATERIAL") => true,
        Some(_) => return Err(KmsError::Validation("IncludeKeyMaterial: unknown value")),
    };
    let last = key.materials.len().saturating_sub(1);
    let entries = key.materials.iter().enumerate().filter(|(_, it)| all || it.rotation.is_some());
    let mut entries = entries.skip(from).map(|(index, material)| {
        let mut entry = json!({
            "KeyId": key.id,
            "KeyMaterialId": hex::encode(material.id(&key.id)),
            "KeyMaterialState": if index == last { "CURRENT" } else { "NON_CURRENT" },
        });
        if let Some(rotation) = material.rotation {
            entry["RotationType"] = json!(rotation);
            entry["RotationDate"] = seconds(material.created_at_ms);
        }
        entry
    });
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let page: Vec<Value> = entries.by_ref().take(limit).collect();
    let mut answer = json!({ "Truncated": entries.next().is_some() });
    if answer["Truncated"] == true {
        answer["NextMarker"] = (from + page.len()).to_string().into();
    }
    answer["Rotations"] = page.into();
    Ok(answer)
}
