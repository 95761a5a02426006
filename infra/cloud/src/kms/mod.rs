//! KMS on loopback. A file of the data directory contains its keys with all their materials. A
//! reader of that file can decrypt everything that the keys sealed, like a principal with access to
//! the key in AWS.

mod api;
mod error;
mod file;
mod keyring;
mod shown;

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use aws_sdk_kms::Client;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::error::{CloudError, chain};
use crate::files::write;
use crate::names::AUDIT_KEY;
pub use api::Kms;
pub use keyring::key_of;

const ACCOUNT: &str = "123456789012";
/// PEM file in the data directory with the public key that verifies the audit log's seals.
pub const PUBLIC_KEY: &str = "audit-public-key.pem";
const REGION: &str = "us-east-1";

/// Opens the key that signs the audit log's heads, in its own file. Creates a missing file,
/// readable by its owner only.
///
/// # Errors
/// Returns an error when the file cannot be read or created, or is not such a key.
pub fn open_signer(file: &Path) -> Result<Arc<EcdsaKeyPair>, CloudError> {
    let broken = |cause: String| CloudError::Data { path: file.to_owned(), cause };
    let der = match std::fs::read(file) {
        Ok(der) => der,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random())
                .map_err(|error| broken(error.to_string()))?;
            write(file, made.as_ref())?;
            made.as_ref().to_vec()
        }
        Err(error) => return Err(broken(error.to_string())),
    };
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der)
        .map_err(|_| broken("expected a P-256 key in PKCS#8".to_owned()))?;
    Ok(Arc::new(key))
}

/// Writes the public half of the audit key, in DER, to a PEM file in the directory of the key file.
///
/// # Errors
/// Returns an error when the file cannot be written.
pub fn publish(key_file: &Path, public: &[u8]) -> Result<(), CloudError> {
    let text = STANDARD.encode(public);
    let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    write(&key_file.with_file_name(PUBLIC_KEY), pem.as_bytes())
}

/// Returns the public half of the audit key, in DER.
pub fn public_half(signer: &EcdsaKeyPair) -> Vec<u8> {
    let der: Result<PublicKeyX509Der<'_>, _> = signer.public_key().as_der();
    der.map(|der| der.as_ref().to_vec()).unwrap_or_default()
}

/// Seals a text under a key, in base64.
pub fn seal(service: &Kms, alias: &str, text: &str) -> Option<String> {
    let body = json!({ "KeyId": alias, "Plaintext": STANDARD.encode(text) });
    let sealed = service.call("Encrypt", &body).ok()?;
    Some(sealed["CiphertextBlob"].as_str()?.to_owned())
}

/// Returns whether a key decrypts the result of [`seal`] for this text.
pub fn opens(service: &Kms, alias: &str, sealed: &str, text: &str) -> bool {
    let body = json!({ "KeyId": alias, "CiphertextBlob": sealed });
    service.call("Decrypt", &body).is_ok_and(|opened| opened["Plaintext"] == STANDARD.encode(text))
}

/// Returns whether a text was sealed with its key's current material.
pub fn is_current(service: &Kms, alias: &str, sealed: &str) -> bool {
    let opened = service.call("Decrypt", &json!({ "KeyId": alias, "CiphertextBlob": sealed }));
    let described = service.call("DescribeKey", &json!({ "KeyId": alias }));
    let (Ok(opened), Ok(described)) = (opened, described) else { return false };
    opened["KeyMaterialId"] == described["KeyMetadata"]["CurrentKeyMaterialId"]
}

/// Returns the id of the key with this alias.
pub fn key_id(service: &Kms, alias: &str) -> Option<String> {
    let described = service.call("DescribeKey", &json!({ "KeyId": alias })).ok()?;
    Some(described["KeyMetadata"]["KeyId"].as_str()?.to_owned())
}

/// Serves KMS's protocol, including the key that signs the audit log's heads.
pub fn router(service: Arc<Kms>, signer: Arc<EcdsaKeyPair>) -> Router {
    Router::new().fallback(handle).with_state((service, signer))
}

/// Handles calls to the audit key. The embedded KMS makes no verifiable signatures, so this
/// function implements `Sign` and `GetPublicKey` for that key.
fn asymmetric(signer: &EcdsaKeyPair, target: &str, body: &[u8]) -> Option<Response> {
    let asked: Value = serde_json::from_slice(body).ok()?;
    if asked["KeyId"] != AUDIT_KEY {
        return None;
    }
    let arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/audit");
    let answer = match target {
        "TrentService.Sign" => {
            let wanted = ("RAW", "ECDSA_SHA_256");
            let is = |name: &str, value: &str| asked[name] == value;
            let message = STANDARD.decode(asked["Message"].as_str()?).ok()?;
            if !is("MessageType", wanted.0) || !is("SigningAlgorithm", wanted.1) {
                return Some(refused("ValidationException"));
            }
            let signature = signer.sign(&random(), &message).ok()?;
            json!({
                "KeyId": arn,
                "Signature": STANDARD.encode(signature.as_ref()),
                "SigningAlgorithm": wanted.1,
            })
        }
        "TrentService.GetPublicKey" => {
            let der: PublicKeyX509Der<'_> = signer.public_key().as_der().ok()?;
            json!({
                "KeyId": arn,
                "PublicKey": STANDARD.encode(der.as_ref()),
                "KeySpec": "ECC_NIST_P256",
                "KeyUsage": "SIGN_VERIFY",
                "SigningAlgorithms": ["ECDSA_SHA_256"],
            })
        }
        "TrentService.DescribeKey" => json!({ "KeyMetadata": {
            "Arn": arn,
            "Enabled": true,
            "KeyId": "audit",
            "KeySpec": "ECC_NIST_P256",
            "KeyState": "Enabled",
            "KeyUsage": "SIGN_VERIFY",
        } }),
        _ => return Some(refused("InvalidKeyUsageException")),
    };
    let kind = [(http::header::CONTENT_TYPE, "application/x-amz-json-1.1")];
    Some((kind, answer.to_string()).into_response())
}

fn refused(kind: &str) -> Response {
    (StatusCode::BAD_REQUEST, json!({ "__type": kind }).to_string()).into_response()
}

fn random() -> SystemRandom {
    SystemRandom::new()
}

async fn handle(
    State((service, signer)): State<(Arc<Kms>, Arc<EcdsaKeyPair>)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let target = target.unwrap_or_default();
    if let Some(answer) = asymmetric(&signer, target, &body) {
        return answer;
    }
    let Some(operation) = target.strip_prefix("TrentService.") else {
        return refused("UnknownOperationException");
    };
    let Ok(asked) = serde_json::from_slice(&body) else {
        return refused("SerializationException");
    };
    let (status, answer) = match service.call(operation, &asked) {
        Ok(answer) => (StatusCode::OK, answer),
        Err(error) => (error.status(), error.body()),
    };
    let kind = [(http::header::CONTENT_TYPE, "application/x-amz-json-1.1")];
    (status, kind, answer.to_string()).into_response()
}

/// Creates a key with this alias if there is none.
///
/// # Errors
/// Returns an error when KMS cannot create it.
pub async fn create_key(client: &Client, alias: &str) -> Result<(), CloudError> {
    let failed = |cause: String| CloudError::Part { what: "a KMS key", cause };
    match client.describe_key().key_id(alias).send().await {
        Ok(_) => return Ok(()),
        // A key that is named by its id must exist.
        Err(error)
            if alias.starts_with("alias/")
                && error.as_service_error().is_some_and(|it| it.is_not_found_exception()) => {}
        Err(error) => return Err(failed(chain(&error))),
    }
    let created = client
        .create_key()
        .description(alias)
        .send()
        .await
        .map_err(|error| failed(chain(&error)))?;
    let key_id = created.key_metadata().map(|key| key.key_id().to_owned()).unwrap_or_default();
    // As in the template.
    client
        .enable_key_rotation()
        .key_id(&key_id)
        .send()
        .await
        .map_err(|error| failed(chain(&error)))?;
    client
        .create_alias()
        .alias_name(alias)
        .target_key_id(key_id)
        .send()
        .await
        .map_err(|error| failed(chain(&error)))?;
    Ok(())
}

#[cfg(test)]
mod tests;
