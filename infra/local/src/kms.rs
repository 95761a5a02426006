//! KMS on loopback. Its keys live in memory, so their snapshot is kept in the data directory:
//! whoever reads that file can open what it sealed, as whoever may use the key in the cloud can.

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
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use winterbaume_core::views::StatefulService;
use winterbaume_core::{MockRequest, MockService};
use winterbaume_kms::{KmsService, KmsStateView};

use crate::StartError;
use crate::error::chain;
use crate::files::write;
use crate::stack::AUDIT_KEY;

const ACCOUNT: &str = "123456789012";
/// What verifies the audit log's seals, in PEM, in the data directory.
pub(crate) const PUBLIC_KEY: &str = "audit-public-key.pem";
const REGION: &str = "us-east-1";
/// A ciphertext of the service begins with the id of its key, padded with zeros.
const KEY_ID_BYTES: usize = 36;

/// The service, with the keys of an earlier run if there are any.
pub(crate) async fn open(file: &Path) -> Result<Arc<KmsService>, StartError> {
    let broken = |cause: String| StartError::Data { path: file.to_owned(), cause };
    let service = KmsService::new();
    match std::fs::read(file) {
        Ok(bytes) => {
            let view: KmsStateView = serde_json::from_slice(&bytes).map_err(|_| {
                broken(
                    "it is not a snapshot of KMS keys; put the file back, or restore a backup \
                     with `hyperdex restore FILE`"
                        .to_owned(),
                )
            })?;
            service
                .restore(account(), REGION, view)
                .await
                .map_err(|error| broken(error.to_string()))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(broken(error.to_string())),
    }
    Ok(Arc::new(service))
}

fn account() -> &'static str {
    let account = winterbaume_core::default_account_id();
    debug_assert_eq!(account, ACCOUNT);
    account
}

/// The key that signs the audit log's heads, made at the first start: a file of its own, the
/// owner's alone.
pub(crate) fn open_signer(file: &Path) -> Result<Arc<EcdsaKeyPair>, StartError> {
    let broken = |cause: String| StartError::Data { path: file.to_owned(), cause };
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
        .map_err(|_| broken("it is not a P-256 key in PKCS#8".to_owned()))?;
    Ok(Arc::new(key))
}

/// Writes the public half of the audit key, in DER, to a PEM file next to the key's own.
pub(crate) fn publish(key_file: &Path, public: &[u8]) -> Result<(), StartError> {
    let text = STANDARD.encode(public);
    let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    write(&key_file.with_file_name(PUBLIC_KEY), pem.as_bytes())
}

/// The public half of the audit key, in DER.
pub(crate) fn public_half(signer: &EcdsaKeyPair) -> Vec<u8> {
    let der: Result<PublicKeyX509Der<'_>, _> = signer.public_key().as_der();
    der.map(|der| der.as_ref().to_vec()).unwrap_or_default()
}

/// One call of the service, without a socket; `None` when it refuses.
async fn call(service: &KmsService, target: &str, body: &Value) -> Option<Value> {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-target", format!("TrentService.{target}").parse().ok()?);
    let uri = format!("https://kms.{REGION}.amazonaws.com/");
    let body = Bytes::from(body.to_string());
    let request = MockRequest { method: "POST".to_owned(), uri, headers, body };
    let answer = service.handle(request).await;
    (answer.status == 200).then(|| serde_json::from_slice(&answer.body).ok())?
}

/// Seals a text under a key, in base64.
pub(crate) async fn seal(service: &KmsService, alias: &str, text: &str) -> Option<String> {
    let body = json!({ "KeyId": alias, "Plaintext": STANDARD.encode(text) });
    let sealed = call(service, "Encrypt", &body).await?;
    Some(sealed["CiphertextBlob"].as_str()?.to_owned())
}

/// Whether a key opens what [`seal`] has made of this text.
pub(crate) async fn opens(service: &KmsService, alias: &str, sealed: &str, text: &str) -> bool {
    let body = json!({ "KeyId": alias, "CiphertextBlob": sealed });
    let opened = call(service, "Decrypt", &body).await;
    opened.is_some_and(|opened| opened["Plaintext"] == STANDARD.encode(text))
}

/// The id of the key that has this alias.
pub(crate) async fn key_id(service: &KmsService, alias: &str) -> Option<String> {
    let described = call(service, "DescribeKey", &json!({ "KeyId": alias })).await?;
    Some(described["KeyMetadata"]["KeyId"].as_str()?.to_owned())
}

/// The id of the key that a ciphertext of this service names.
pub(crate) fn key_of(ciphertext: &[u8]) -> Option<String> {
    let id = std::str::from_utf8(ciphertext.get(..KEY_ID_BYTES)?).ok()?;
    Some(id.trim_end_matches('\0').to_owned())
}

pub(crate) fn router(service: Arc<KmsService>, signer: Arc<EcdsaKeyPair>) -> Router {
    Router::new().fallback(handle).with_state((service, signer))
}

/// What the audit key is asked for. The service's own `Sign` is no signature that anybody could
/// verify, so this key is here, at the same address, in the same words.
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
    State((service, signer)): State<(Arc<KmsService>, Arc<EcdsaKeyPair>)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    if let Some(answer) = asymmetric(&signer, target.unwrap_or_default(), &body) {
        return answer;
    }
    let request = MockRequest { method: method.to_string(), uri: uri.to_string(), headers, body };
    let answer = service.handle(request).await;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    (status, answer.headers, answer.body).into_response()
}

/// Makes a key with this alias if there is none.
pub(crate) async fn create_key(client: &Client, alias: &str) -> Result<(), StartError> {
    let failed = |cause: String| StartError::Part { what: "a KMS key", cause };
    if client.describe_key().key_id(alias).send().await.is_ok() {
        return Ok(());
    }
    let created = client
        .create_key()
        .description(alias)
        .send()
        .await
        .map_err(|error| failed(chain(&error)))?;
    let key_id = created.key_metadata().map(|key| key.key_id().to_owned()).unwrap_or_default();
    client
        .create_alias()
        .alias_name(alias)
        .target_key_id(key_id)
        .send()
        .await
        .map_err(|error| failed(chain(&error)))?;
    Ok(())
}

/// Writes the keys to the file, whole or not at all, readable by its owner alone.
pub(crate) async fn save(service: &KmsService, file: &Path) -> Result<(), StartError> {
    let broken = |cause: String| StartError::Data { path: file.to_owned(), cause };
    let view = service.snapshot(account(), REGION).await;
    let bytes = serde_json::to_vec(&view).map_err(|error| broken(error.to_string()))?;
    write(file, &bytes)
}
