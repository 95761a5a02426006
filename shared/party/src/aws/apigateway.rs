//! API Gateway's API keys, by its control plane: created, attached to a usage plan, deleted.
//!
//! The caller draws the value of a key, and no call reads one. Therefore no role needs the right to
//! read values.
//!
//! Source: "Amazon API Gateway REST API reference", resources `apikeys` and `usageplans`.

use std::time::Duration;

use platform::aws::{AWS_CALL_TIMEOUT, Aws, OtherService};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::call::{Call, CallError, Reply, Retries, Service};

/// Attempts at one call. API Gateway allows five new keys per second and account.
const ATTEMPTS: u32 = 5;

/// How many items one page of a list has: the most that API Gateway returns.
const PAGE: &str = "500";

/// A client of API Gateway's control plane.
#[derive(Clone, Debug)]
pub struct ApiGatewayClient {
    /// For idempotent calls.
    repeatable: Service,
    /// For the creation of a key. It is retried only if API Gateway did not execute it.
    once: Service,
}

/// An API key as API Gateway lists it, without its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedApiKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// True if API Gateway accepts it.
    pub enabled: bool,
    /// When it was created, Unix milliseconds.
    pub created_at_ms: u64,
}

#[derive(Deserialize)]
struct Key {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    enabled: bool,
    /// Unix seconds, with a fraction.
    #[serde(default, rename = "createdDate")]
    created_date: f64,
}

#[derive(Deserialize)]
struct Plan {
    id: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default = "Vec::new")]
    item: Vec<T>,
    position: Option<String>,
}

struct Operation {
    counted: (&'static str, &'static str),
    name: &'static str,
    method: &'static str,
}

impl Operation {
    const fn new(method: &'static str, counted: &'static str, name: &'static str) -> Self {
        Self { counted: ("ApiGateway", counted), name, method }
    }
}

const CREATE: Operation = Operation::new("POST", "CreateApiKey", "ApiGateway.CreateApiKey");
const DELETE: Operation = Operation::new("DELETE", "DeleteApiKey", "ApiGateway.DeleteApiKey");
const LIST: Operation = Operation::new("GET", "GetApiKeys", "ApiGateway.GetApiKeys");
const ATTACH: Operation =
    Operation::new("POST", "CreateUsagePlanKey", "ApiGateway.CreateUsagePlanKey");
const ATTACHED: Operation = Operation::new("GET", "GetUsagePlanKey", "ApiGateway.GetUsagePlanKey");
const PLANS: Operation = Operation::new("GET", "GetUsagePlans", "ApiGateway.GetUsagePlans");

impl ApiGatewayClient {
    /// Returns a client over these connections.
    #[must_use]
    pub fn new(aws: &Aws) -> Self {
        let access = aws.access(OtherService::ApiGateway);
        let with = |repeats| Service {
            access: access.clone(),
            attempt_timeout: AWS_CALL_TIMEOUT,
            retries: Retries { attempts: ATTEMPTS, backoff: Duration::from_millis(300), repeats },
        };
        Self { repeatable: with(is_transient), once: with(is_throttled) }
    }

    /// Creates a key with this value, and returns its id. It opens no API until
    /// [`attach`](Self::attach).
    ///
    /// # Errors
    /// Fails when the response is lost, among others. The key may exist then, without a usage plan.
    pub async fn create(&self, name: &str, value: &str) -> Result<String, CallError> {
        let body = json!({ "name": name, "value": value, "enabled": true });
        let reply = send(&self.once, &CREATE, "/apikeys", Some(&body)).await?;
        Ok(read::<Key>(&CREATE, &reply)?.id)
    }

    /// Attaches a key to a usage plan: from now on it opens the plan's APIs. A key that is attached
    /// stays attached.
    ///
    /// # Errors
    /// Fails when the response is lost, among others. The key may be attached then.
    pub async fn attach(&self, plan: &str, id: &str) -> Result<(), CallError> {
        let body = json!({ "keyId": id, "keyType": "API_KEY" });
        let path = format!("/usageplans/{}/keys", encoded(plan));
        match send(&self.repeatable, &ATTACH, &path, Some(&body)).await {
            Err(CallError::Service { status: 409, .. }) => Ok(()),
            sent => sent.map(|_| ()),
        }
    }

    /// Deletes a key: API Gateway refuses it from now on. Returns whether it existed.
    ///
    /// # Errors
    /// Fails when the response is lost, among others. The key may be deleted then.
    pub async fn delete(&self, id: &str) -> Result<bool, CallError> {
        let path = format!("/apikeys/{}", encoded(id));
        found(send(&self.repeatable, &DELETE, &path, None).await)
    }

    /// Lists the keys whose name begins with a prefix.
    ///
    /// # Errors
    /// Fails when they cannot be listed.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ListedApiKey>, CallError> {
        let listed: Vec<Key> =
            self.pages(&LIST, &format!("/apikeys?name={}&", encoded(prefix))).await?;
        let listed = listed.into_iter().filter(|key| key.name.starts_with(prefix));
        Ok(listed.map(ListedApiKey::from).collect())
    }

    /// Returns true if a key is attached to a usage plan.
    ///
    /// # Errors
    /// Fails when API Gateway does not respond.
    pub async fn is_attached(&self, plan: &str, id: &str) -> Result<bool, CallError> {
        let path = format!("/usageplans/{}/keys/{}", encoded(plan), encoded(id));
        found(send(&self.repeatable, &ATTACHED, &path, None).await)
    }

    /// Returns the ids of the usage plans with this name.
    ///
    /// # Errors
    /// Fails when they cannot be listed.
    pub async fn plans(&self, name: &str) -> Result<Vec<String>, CallError> {
        let listed: Vec<Plan> = self.pages(&PLANS, "/usageplans?").await?;
        Ok(listed.into_iter().filter(|plan| plan.name == name).map(|plan| plan.id).collect())
    }

    /// Returns all items of a list. `path` ends where the next parameter begins.
    async fn pages<T: DeserializeOwned>(
        &self,
        operation: &Operation,
        path: &str,
    ) -> Result<Vec<T>, CallError> {
        let mut all = Vec::new();
        let mut position: Option<String> = None;
        loop {
            let mut path = format!("{path}limit={PAGE}");
            if let Some(position) = position {
                path = format!("{path}&position={}", encoded(&position));
            }
            let reply = send(&self.repeatable, operation, &path, None).await?;
            let page: Page<T> = read(operation, &reply)?;
            all.extend(page.item);
            match page.position {
                Some(next) => position = Some(next),
                None => return Ok(all),
            }
        }
    }

    #[cfg(test)]
    pub(super) fn service(&self) -> Service {
        self.repeatable.clone()
    }
}

impl From<Key> for ListedApiKey {
    fn from(key: Key) -> Self {
        let Key { id, name, enabled, created_date } = key;
        let created = Duration::try_from_secs_f64(created_date).unwrap_or_default();
        let created_at_ms = u64::try_from(created.as_millis()).unwrap_or_default();
        Self { id, name, enabled, created_at_ms }
    }
}

async fn send(
    service: &Service,
    operation: &Operation,
    path: &str,
    body: Option<&Value>,
) -> Result<Reply, CallError> {
    let body = body.map(ToString::to_string).unwrap_or_default();
    // Without `accept`, API Gateway responds in the form of HAL.
    let headers = [("accept", "application/json"), ("content-type", "application/json")];
    let call = Call {
        operation: operation.counted,
        name: operation.name,
        method: operation.method,
        path,
        headers: &headers,
        body: body.as_bytes(),
    };
    service.send(&call).await
}

fn read<T: DeserializeOwned>(operation: &Operation, reply: &Reply) -> Result<T, CallError> {
    serde_json::from_slice(&reply.body)
        .map_err(|error| CallError::Unexpected(operation.name, error))
}

fn found(sent: Result<Reply, CallError>) -> Result<bool, CallError> {
    match sent {
        Err(CallError::Service { status: 404, .. }) => Ok(false),
        sent => sent.map(|_| true),
    }
}

/// Encodes a part of a URL: a space becomes `%20`, as a signature requires.
fn encoded(text: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    encoded.replace('+', "%20")
}

/// Returns true if API Gateway refused the call before it executed anything.
fn is_throttled(error: &CallError) -> bool {
    match error {
        CallError::Service { status, code, .. } => {
            *status == 429 || code == "TooManyRequestsException" || code == "ThrottlingException"
        }
        _ => false,
    }
}

/// Returns true if another attempt may succeed.
fn is_transient(error: &CallError) -> bool {
    match error {
        CallError::Connection(..) | CallError::Body(..) | CallError::Timeout(..) => true,
        CallError::Service { status, .. } => {
            is_throttled(error) || matches!(status, 500 | 502 | 503 | 504)
        }
        _ => false,
    }
}
