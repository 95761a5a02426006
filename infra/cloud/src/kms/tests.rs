use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::clock::Clock;
use domain::random::Random;
use serde_json::{Value, json};

use super::Kms;
use super::error::KmsError;

/// A file of a version without rotation, and a ciphertext of that version.
const V1: &[u8] = include_bytes!("../../tests/samples/kms.v1.json");
const V1_SEALED: &str = "YWJiZDcyYzctMjI2NC00ZjZlLTkwNGMtY2E1Yjc1MmY2Y2I1qriLNUK4Vt+cVlFmKFfHADVhvghunqx0s4uaFJl75nDPYUsv+2Vyz70GdHW1kW8cHVY=";
const ALIAS: &str = "alias/hyperdex-wallets";
const DAY_US: u64 = 24 * 60 * 60 * 1_000_000;

fn open(folder: &Path) -> (Kms, Arc<AtomicU64>) {
    let now_us = Arc::new(AtomicU64::new(1_700_000_000_000_000));
    let read = now_us.clone();
    let clock = Clock::from_micros(move || read.load(Ordering::SeqCst));
    (Kms::open(folder.join("kms.json"), &clock, &Random::system()).unwrap().0, now_us)
}

fn with_key(folder: &Path) -> (Kms, Arc<AtomicU64>, String) {
    let (kms, now_us) = open(folder);
    let made = kms.call("CreateKey", &json!({})).unwrap();
    let id = made["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    kms.call("CreateAlias", &json!({ "AliasName": ALIAS, "TargetKeyId": id })).unwrap();
    (kms, now_us, id)
}

fn seal(kms: &Kms, text: &str) -> String {
    let body = json!({ "KeyId": ALIAS, "Plaintext": STANDARD.encode(text), "EncryptionContext": { "a": "1" } });
    kms.call("Encrypt", &body).unwrap()["CiphertextBlob"].as_str().unwrap().to_owned()
}

fn unseal(kms: &Kms, sealed: &str, context: &Value) -> Result<String, KmsError> {
    let body = json!({ "CiphertextBlob": sealed, "EncryptionContext": context });
    let opened = kms.call("Decrypt", &body)?;
    let text = STANDARD.decode(opened["Plaintext"].as_str().unwrap()).unwrap();
    Ok(String::from_utf8(text).unwrap())
}

fn rotations(kms: &Kms) -> Vec<(String, String)> {
    let list = kms.call("ListKeyRotations", &json!({ "KeyId": ALIAS })).unwrap();
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let list = list["Rotations"].as_array().unwrap().iter();
    list.map(|entry| (text(entry, "RotationType"), text(entry, "KeyMaterialState"))).collect()
}

#[test]
fn old_key_file_decrypts_after_rotation() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kms.json"), V1).unwrap();
    let context = json!({ "tenant": "local", "purpose": "share" });
    let (kms, _) = open(folder.path());
    for _ in 0..2 {
        assert_eq!(unseal(&kms, V1_SEALED, &context).unwrap(), "sealed before rotation");
        kms.call("RotateKeyOnDemand", &json!({ "KeyId": ALIAS })).unwrap();
    }
    let (reopened, _) = open(folder.path());
    assert_eq!(unseal(&reopened, V1_SEALED, &context).unwrap(), "sealed before rotation");
    let moved = json!({ "tenant": "other", "purpose": "share" });
    assert_eq!(unseal(&reopened, V1_SEALED, &moved), Err(KmsError::InvalidCiphertext));
}

#[test]
fn every_key_material_decrypts_after_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (kms, ..) = with_key(folder.path());
    let mut sealed = vec![seal(&kms, "0")];
    for round in 1..=3 {
        kms.call("RotateKeyOnDemand", &json!({ "KeyId": ALIAS })).unwrap();
        sealed.push(seal(&kms, &round.to_string()));
    }
    let (reopened, _) = open(folder.path());
    for kms in [&kms, &reopened] {
        for (round, sealed) in sealed.iter().enumerate() {
            let opened = unseal(kms, sealed, &json!({ "a": "1" })).unwrap();
            assert_eq!(opened, round.to_string());
        }
        let on_demand = |state: &str| ("ON_DEMAND".to_owned(), state.to_owned());
        let old = || on_demand("NON_CURRENT");
        assert_eq!(rotations(kms), [old(), old(), on_demand("CURRENT")]);
    }
}

#[test]
fn ciphertext_with_unknown_material_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (kms, ..) = with_key(folder.path());
    let mut blob = STANDARD.decode(seal(&kms, "text")).unwrap();
    // The material's id follows the format byte and the key's id.
    blob[1 + 36] ^= 1;
    let unknown = unseal(&kms, &STANDARD.encode(&blob), &json!({ "a": "1" }));
    assert_eq!(unknown, Err(KmsError::InvalidCiphertext));
    assert_eq!(unknown.unwrap_err().body()["__type"], "InvalidCiphertextException");
    // A key that was created with versions does not decrypt a ciphertext without one.
    blob[1 + 36] ^= 1;
    let without: Vec<u8> = [&blob[1..37], &blob[69..]].concat();
    let without = unseal(&kms, &STANDARD.encode(without), &json!({ "a": "1" }));
    assert_eq!(without, Err(KmsError::InvalidCiphertext));
}

#[test]
fn joined_encryption_context_differs() {
    let folder = tempfile::tempdir().unwrap();
    let (kms, ..) = with_key(folder.path());
    let body =
        json!({ "KeyId": ALIAS, "Plaintext": "AA==", "EncryptionContext": { "a": "1,b=2" } });
    let sealed = kms.call("Encrypt", &body).unwrap()["CiphertextBlob"].clone();
    let split = unseal(&kms, sealed.as_str().unwrap(), &json!({ "a": "1", "b": "2" }));
    assert_eq!(split, Err(KmsError::InvalidCiphertext));
}

#[test]
fn scheduled_rotation_happens_when_due() {
    let folder = tempfile::tempdir().unwrap();
    let (kms, now_us, id) = with_key(folder.path());
    let status = |kms: &Kms| kms.call("GetKeyRotationStatus", &json!({ "KeyId": ALIAS })).unwrap();
    assert_eq!(status(&kms), json!({ "KeyId": id, "KeyRotationEnabled": false }));
    for days in [json!(89), json!(2_561), json!("90")] {
        let body = json!({ "KeyId": ALIAS, "RotationPeriodInDays": days });
        let refused = kms.call("EnableKeyRotation", &body).unwrap_err();
        assert_eq!(refused.body()["__type"], "ValidationException");
    }
    kms.call("EnableKeyRotation", &json!({ "KeyId": ALIAS })).unwrap();
    let first = status(&kms);
    assert_eq!(first["RotationPeriodInDays"], 365);
    let old = seal(&kms, "old");
    // An on-demand rotation does not change the schedule.
    kms.call("RotateKeyOnDemand", &json!({ "KeyId": ALIAS })).unwrap();
    assert_eq!(status(&kms), first);
    now_us.fetch_add(365 * DAY_US - 1_000, Ordering::SeqCst);
    seal(&kms, "before");
    assert_eq!(rotations(&kms).len(), 1);
    now_us.fetch_add(1_000, Ordering::SeqCst);
    seal(&kms, "after");
    assert_eq!(rotations(&kms)[1].0, "AUTOMATIC");
    assert_eq!(rotations(&kms).len(), 2);
    let next = status(&kms)["NextRotationDate"].as_f64().unwrap();
    assert_eq!(next - first["NextRotationDate"].as_f64().unwrap(), 365.0 * 86_400.0);
    // After years without a start, the key rotates once.
    now_us.fetch_add(3 * 365 * DAY_US, Ordering::SeqCst);
    seal(&kms, "late");
    assert_eq!(rotations(&kms).len(), 3);
    kms.call("DisableKeyRotation", &json!({ "KeyId": ALIAS })).unwrap();
    now_us.fetch_add(366 * DAY_US, Ordering::SeqCst);
    seal(&kms, "never");
    let (reopened, _) = open(folder.path());
    assert_eq!(rotations(&reopened).len(), 3);
    assert_eq!(unseal(&reopened, &old, &json!({ "a": "1" })).unwrap(), "old");
}

#[test]
fn rotations_are_paged_and_limited() {
    let folder = tempfile::tempdir().unwrap();
    let (kms, _, id) = with_key(folder.path());
    for _ in 0..25 {
        let rotated = kms.call("RotateKeyOnDemand", &json!({ "KeyId": id })).unwrap();
        assert_eq!(rotated, json!({ "KeyId": id }));
    }
    let refused = kms.call("RotateKeyOnDemand", &json!({ "KeyId": id })).unwrap_err();
    assert_eq!(refused.body()["__type"], "LimitExceededException");
    let mut seen = Vec::new();
    let mut asked = json!({ "KeyId": id, "Limit": 10, "IncludeKeyMaterial": "ALL_KEY_MATERIAL" });
    loop {
        let page = kms.call("ListKeyRotations", &asked).unwrap();
        let entries = page["Rotations"].as_array().unwrap();
        seen.extend(entries.iter().map(|entry| entry["KeyMaterialId"].to_string()));
        if page["Truncated"] == false {
            break;
        }
        asked["Marker"] = page["NextMarker"].clone();
    }
    assert_eq!(seen.len(), 26, "with the first material");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 26);
}

#[test]
fn no_operation_deletes_material() {
    let folder = tempfile::tempdir().unwrap();
    let (kms, _, id) = with_key(folder.path());
    let sealed = seal(&kms, "text");
    kms.call("RotateKeyOnDemand", &json!({ "KeyId": id })).unwrap();
    for operation in [
        "ScheduleKeyDeletion",
        "DeleteImportedKeyMaterial",
        "DeleteAlias",
        "DisableKey",
        "ImportKeyMaterial",
    ] {
        let body = json!({ "KeyId": id, "AliasName": ALIAS, "PendingWindowInDays": 7 });
        let refused = kms.call(operation, &body).unwrap_err();
        assert_eq!(refused.body()["__type"], "UnsupportedOperationException", "{operation}");
    }
    assert_eq!(unseal(&kms, &sealed, &json!({ "a": "1" })).unwrap(), "text");
}

#[test]
fn failed_write_rotates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let (kms, _, id) = with_key(&inner);
    let sealed = seal(&kms, "text");
    std::fs::remove_dir_all(&inner).unwrap();
    let failed = kms.call("RotateKeyOnDemand", &json!({ "KeyId": id }));
    assert_eq!(failed, Err(KmsError::Internal));
    assert_eq!(rotations(&kms), []);
    std::fs::create_dir(&inner).unwrap();
    kms.save().unwrap();
    let (reopened, _) = open(&inner);
    assert_eq!(unseal(&reopened, &sealed, &json!({ "a": "1" })).unwrap(), "text");
}

#[test]
fn damaged_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kms.json");
    drop(with_key(folder.path()));
    let whole: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let damage: [fn(&mut Value); 5] = [
        |file| file["schema"] = 3.into(),
        |file| file["keys"][0]["materials"] = json!([]),
        |file| file["keys"][0]["materials"][0]["key"] = "00".into(),
        |file| file["aliases"][ALIAS] = "nothing".into(),
        |file| file["keys"] = json!([]),
    ];
    for damage in damage {
        let mut damaged = whole.clone();
        damage(&mut damaged);
        std::fs::write(&file, damaged.to_string()).unwrap();
        Kms::open(file.clone(), &Clock::system(), &Random::system()).unwrap_err();
    }
}
