//! API Gateway's control plane on the local stack: the operations that create, attach, delete and
//! list API keys. A key that is attached to the usage plan is in the key file, and the local gateway
//! accepts it.
//!
//! Source: "Amazon API Gateway REST API reference", resources `apikeys` and `usageplans`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use domain::clock::Clock;
use domain::random::Random;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::tenancy::KeyId;
use zeroize::Zeroizing;

use crate::keys::{KeyFile, KeysError};

/// The usage plan of the local stack.
const PLAN: &str = "local";

/// A key that is attached to no usage plan.
#[derive(Debug)]
struct Made {
    name: String,
    value: Zeroizing<String>,
    created_at_ms: u64,
}

#[derive(Clone)]
struct ApiKeys {
    file: KeyFile,
    /// Lost when the process ends. No one has printed their values.
    made: Arc<Mutex<HashMap<KeyId, Made>>>,
    clock: Clock,
    random: Random,
}

#[derive(Deserialize)]
struct NewKey {
    name: String,
    value: Zeroizing<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attach {
    key_id: KeyId,
}

/// The control plane over a key file.
pub(crate) fn router(file: KeyFile, clock: Clock, random: Random) -> Router {
    let state = ApiKeys { file, made: Arc::default(), clock, random };
    Router::new()
        .route("/apikeys", post(create).get(list))
        .route("/apikeys/{id}", delete(remove))
        .route("/usageplans", get(plans))
        .route("/usageplans/{plan}/keys", post(attach))
        .route("/usageplans/{plan}/keys/{id}", get(attached))
        .with_state(state)
}

impl ApiKeys {
    fn made(&self) -> MutexGuard<'_, HashMap<KeyId, Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, id: &KeyId) -> Result<bool, KeysError> {
        Ok(self.file.list()?.iter().any(|key| key.key_id == *id && !key.disabled))
    }
}

async fn create(State(keys): State<ApiKeys>, Json(new): Json<NewKey>) -> Response {
    let id = match KeyId::draw(&keys.random) {
        Ok(id) => id,
        Err(error) => return failed(&error),
    };
    let created_at_ms = keys.clock.now_ms();
    let NewKey { name, value } = new;
    let shown = shown(&id, &name, created_at_ms);
    keys.made().insert(id, Made { name, value, created_at_ms });
    (StatusCode::CREATED, Json(shown)).into_response()
}

async fn list(
    State(keys): State<ApiKeys>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let prefix = query.get("name").map(String::as_str).unwrap_or_default();
    let made = keys.made();
    let named = made.iter().filter(|(_, key)| key.name.starts_with(prefix));
    let items: Vec<Value> =
        named.map(|(id, key)| shown(id, &key.name, key.created_at_ms)).collect();
    Json(json!({ "item": items })).into_response()
}

async fn plans() -> Response {
    Json(json!({ "item": [{ "id": PLAN, "name": "hyperdex" }] })).into_response()
}

async fn attach(
    State(keys): State<ApiKeys>,
    Path(plan): Path<String>,
    Json(Attach { key_id }): Json<Attach>,
) -> Response {
    if plan != PLAN {
        return not_found("Invalid Usage Plan ID specified");
    }
    let Some(value) = keys.made().get(&key_id).map(|made| made.value.clone()) else {
        return match keys.has(&key_id) {
            Ok(true) => conflict(),
            Ok(false) => not_found("Invalid API Key identifier specified"),
            Err(error) => failed(&error),
        };
    };
    match keys.file.issue(&key_id, &value, &keys.clock) {
        Ok(()) => {
            keys.made().remove(&key_id);
            let attached = json!({ "id": key_id, "type": "API_KEY" });
            (StatusCode::CREATED, Json(attached)).into_response()
        }
        Err(KeysError::Exists(_)) => conflict(),
        Err(error) => failed(&error),
    }
}

async fn attached(
    State(keys): State<ApiKeys>,
    Path((plan, id)): Path<(String, KeyId)>,
) -> Response {
    match keys.has(&id) {
        Ok(true) if plan == PLAN => Json(json!({ "id": id, "type": "API_KEY" })).into_response(),
        Ok(_) => not_found("Invalid API Key identifier specified"),
        Err(error) => failed(&error),
    }
}

/// Disables a deleted key in the file, because a file without keys opens the API.
async fn remove(State(keys): State<ApiKeys>, Path(id): Path<KeyId>) -> Response {
    let was_made = keys.made().remove(&id).is_some();
    match keys.file.disable(&id) {
        Ok(had) if had || was_made => StatusCode::ACCEPTED.into_response(),
        Ok(_) => not_found("Invalid API Key identifier specified"),
        Err(error) => failed(&error),
    }
}

fn shown(id: &KeyId, name: &str, created_at_ms: u64) -> Value {
    json!({ "id": id, "name": name, "enabled": true, "createdDate": created_at_ms / 1_000 })
}

fn not_found(message: &str) -> Response {
    let kind = [("x-amzn-errortype", "NotFoundException")];
    (StatusCode::NOT_FOUND, kind, Json(json!({ "message": message }))).into_response()
}

fn conflict() -> Response {
    let kind = [("x-amzn-errortype", "ConflictException")];
    let said = json!({ "message": "API Key already exists in this usage plan" });
    (StatusCode::CONFLICT, kind, Json(said)).into_response()
}

fn failed(cause: &dyn std::error::Error) -> Response {
    tracing::error!(%cause, "the key file failed");
    let said = json!({ "message": "internal failure" });
    (StatusCode::INTERNAL_SERVER_ERROR, Json(said)).into_response()
}
