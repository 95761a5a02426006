//! KMS on loopback. Its keys live in memory, so their snapshot is kept in the data directory:
//! whoever reads that file can open what it sealed, as whoever may use the key in the cloud can.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_kms::Client;
use aws_sdk_kms::error::DisplayErrorContext;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri};
use winterbaume_core::views::StatefulService;
use winterbaume_core::{MockRequest, MockService};
use winterbaume_kms::{KmsService, KmsStateView};

use crate::StartError;

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

/// The service, with the keys of an earlier run if there are any.
pub(crate) async fn open(file: &Path) -> Result<Arc<KmsService>, StartError> {
    let broken = |cause: String| StartError::Data { path: file.to_owned(), cause };
    let service = KmsService::new();
    match std::fs::read(file) {
        Ok(bytes) => {
            let view: KmsStateView = serde_json::from_slice(&bytes)
                .map_err(|_| broken("it is no snapshot of keys".to_owned()))?;
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

pub(crate) fn router(service: Arc<KmsService>) -> Router {
    Router::new().fallback(handle).with_state(service)
}

async fn handle(
    State(service): State<Arc<KmsService>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
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
        .map_err(|error| failed(DisplayErrorContext(error).to_string()))?;
    let key_id = created.key_metadata().map(|key| key.key_id().to_owned()).unwrap_or_default();
    client
        .create_alias()
        .alias_name(alias)
        .target_key_id(key_id)
        .send()
        .await
        .map_err(|error| failed(DisplayErrorContext(error).to_string()))?;
    Ok(())
}

/// Writes the keys to the file, whole or not at all, readable by its owner alone.
pub(crate) async fn save(service: &KmsService, file: &Path) -> Result<(), StartError> {
    let broken = |cause: String| StartError::Data { path: file.to_owned(), cause };
    let view = service.snapshot(account(), REGION).await;
    let bytes = serde_json::to_vec(&view).map_err(|error| broken(error.to_string()))?;
    let directory = file.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        // A temporary file is the owner's alone (0600).
        let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
        temporary.write_all(&bytes)?;
        temporary.as_file().sync_all()?;
        temporary.persist(file).map_err(|error| error.error)?;
        std::fs::File::open(directory)?.sync_all()
    };
    write().map_err(|error| broken(error.to_string()))
}
