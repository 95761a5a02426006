//! AWS for an operator's console: it forwards requests to a stack's DynamoDB, and implements the
//! required calls of CloudFormation, CloudWatch and STS. It records every call, and refuses
//! requests with a missing or invalid signature.

#![allow(dead_code, clippy::allow_attributes, reason = "each test program uses a part of it")]

mod services;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use services::identity;
use tokio::net::TcpListener;

/// Operations of DynamoDB that are forwarded. Any other is refused, and recorded as well.
const READS: [&str; 3] = ["BatchGetItem", "GetItem", "Query"];

/// A signed call.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Called {
    /// Name of the action in IAM: `dynamodb:Query`.
    pub(crate) action: String,
    /// Access key that signed the call.
    pub(crate) by: String,
    /// Table, stack or service of the call.
    pub(crate) about: String,
}

/// The services that an operator's calls about tenants reach.
pub(crate) struct Administration {
    pub(crate) api_gateway: String,
    pub(crate) renewal: renew_apikeys::RenewApiKeys,
}

#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    dynamodb: String,
    http: reqwest::Client,
    called: Mutex<BTreeSet<Called>>,
    /// Violations of AWS's protocols.
    wrong: Mutex<Vec<String>>,
    /// CloudWatch refuses requests while this is set.
    denies: Mutex<bool>,
    /// Whether UpdateItem of DynamoDB is forwarded.
    updates: Mutex<bool>,
    /// Number of updates that are still rejected because of a transaction in progress.
    conflicts: Mutex<u32>,
    /// Attributes that updates named.
    updated: Mutex<BTreeSet<String>>,
    /// The services for an operator's commands: the control plane of API Gateway, the renewal job, and
    /// writes of tenants and their keys.
    administration: Option<Administration>,
    administers: Mutex<bool>,
    /// The next call that fails, and whether it takes effect.
    broken: Mutex<Option<(String, bool)>>,
}

impl Cloud {
    pub(crate) async fn start(dynamodb: &str, administration: Option<Administration>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let http = shared::http_client::client_builder().unwrap().build().unwrap();
        let inner = Arc::new(Inner {
            dynamodb: dynamodb.to_owned(),
            http,
            called: Mutex::default(),
            wrong: Mutex::default(),
            denies: Mutex::default(),
            updates: Mutex::default(),
            conflicts: Mutex::default(),
            updated: Mutex::default(),
            administration,
            administers: Mutex::default(),
            broken: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    pub(crate) fn called(&self) -> BTreeSet<Called> {
        self.inner.called.lock().unwrap().clone()
    }

    pub(crate) fn wrong(&self) -> Vec<String> {
        self.inner.wrong.lock().unwrap().clone()
    }

    pub(crate) fn let_update(&self, update: bool) {
        *self.inner.updates.lock().unwrap() = update;
    }

    pub(crate) fn reject_updates(&self, conflicts: u32) {
        *self.inner.conflicts.lock().unwrap() = conflicts;
    }

    pub(crate) fn conflicts_left(&self) -> u32 {
        *self.inner.conflicts.lock().unwrap()
    }

    pub(crate) fn updated(&self) -> BTreeSet<String> {
        self.inner.updated.lock().unwrap().clone()
    }

    pub(crate) fn let_administer(&self, administer: bool) {
        *self.inner.administers.lock().unwrap() = administer;
    }

    /// Makes the next call of this name fail, such as `dynamodb:PutItem` or
    /// `apigateway:POST /apikeys`.
    pub(crate) fn break_off(&self, call: &str, takes_effect: bool) {
        *self.inner.broken.lock().unwrap() = Some((call.to_owned(), takes_effect));
    }

    pub(crate) fn deny_metrics(&self, deny: bool) {
        *self.inner.denies.lock().unwrap() = deny;
    }
}

/// Returns the access key and the service of a request's signature.
fn signed(request: &http::request::Parts) -> Option<(String, String)> {
    let text = request.headers.get("authorization")?.to_str().ok()?;
    let text = text.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
    let (scope, rest) = text.split_once(", SignedHeaders=")?;
    let (headers, signature) = rest.split_once(", Signature=")?;
    let parts: Vec<&str> = scope.split('/').collect();
    let [by, day, region, service, "aws4_request"] = parts[..] else { return None };
    let date = request.headers.get("x-amz-date")?.to_str().ok()?;
    let holds = date.starts_with(day)
        && region == "eu-central-1"
        && headers.split(';').any(|name| name == "host")
        && headers.split(';').any(|name| name == "x-amz-date")
        && signature.len() == 64;
    holds.then(|| (by.to_owned(), service.to_owned()))
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let Some((by, service)) = signed(&head) else {
        inner.wrong.lock().unwrap().push(format!("not signed: {} {:?}", head.uri, head.headers));
        return StatusCode::FORBIDDEN.into_response();
    };
    let administers = *inner.administers.lock().unwrap();
    if administers && matches!(service.as_str(), "dynamodb" | "apigateway" | "lambda") {
        let (calls, response) = inner.administer(&service, &head, body).await;
        let mut called = inner.called.lock().unwrap();
        called.extend(calls.into_iter().map(|(action, about)| Called {
            action,
            by: by.clone(),
            about,
        }));
        return response;
    }
    let (action, about, response) = match service.as_str() {
        "dynamodb" => inner.dynamodb(&head, body).await,
        "cloudformation" => inner.cloudformation(&head, &body),
        "monitoring" => inner.cloudwatch(&head, &body),
        "sts" => identity(&by, &body),
        other => (format!("{other}:?"), String::new(), StatusCode::NOT_FOUND.into_response()),
    };
    inner.called.lock().unwrap().insert(Called { action, by, about });
    response
}

type Answer = (String, String, Response);

/// An action of IAM, and its resource.
type Asked = Vec<(String, String)>;

impl Inner {
    /// Serves a call of an operator who manages tenants. Returns the permissions that it requires.
    async fn administer(
        &self,
        service: &str,
        head: &http::request::Parts,
        body: Bytes,
    ) -> (Asked, Response) {
        let administration = self.administration.as_ref().unwrap();
        let (name, asked, target) = match service {
            "dynamodb" => {
                let target = head.headers["x-amz-target"].to_str().unwrap();
                let name = target.strip_prefix("DynamoDB_20120810.").unwrap();
                let asked = asked_of_table(name, &serde_json::from_slice(&body).unwrap());
                (format!("dynamodb:{name}"), asked, self.dynamodb.clone())
            }
            "apigateway" => {
                let (method, path) = (&head.method, head.uri.path());
                let action = format!("apigateway:{method}");
                // No command reads a key's value.
                if head.uri.query().is_some_and(|query| query.contains("includeValue")) {
                    self.wrong.lock().unwrap().push(format!("{method} {}", head.uri));
                }
                let url = head.uri.path_and_query().unwrap();
                let target = format!("{}{url}", administration.api_gateway);
                let asked = vec![(action.clone(), path.to_owned())];
                (format!("{action} {path}"), asked, target)
            }
            _ => {
                let path = head.uri.path();
                let name = path.strip_prefix("/2015-03-31/functions/").unwrap();
                let name = name.strip_suffix("/invocations").unwrap().to_owned();
                assert_eq!(name, "prod-renew-apikeys");
                let event: Value = serde_json::from_slice(&body).unwrap();
                let run = lambda_entry::Job::run_for(&administration.renewal, &event).await;
                let asked = vec![("lambda:InvokeFunction".to_owned(), name)];
                return (asked, run.unwrap().to_string().into_response());
            }
        };
        let broken = self.broken.lock().unwrap().take_if(|(broken, _)| *broken == name);
        if let Some((_, false)) = broken {
            return (asked, StatusCode::BAD_REQUEST.into_response());
        }
        let mut request = self.http.request(head.method.clone(), target).body(body);
        for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
            if let Some(value) = head.headers.get(name) {
                request = request.header(name, value.clone());
            }
        }
        let answer = request.send().await.unwrap();
        if broken.is_some() {
            return (asked, StatusCode::BAD_REQUEST.into_response());
        }
        let (status, kind) = (answer.status(), answer.headers().get("content-type").cloned());
        let mut response = (status, answer.bytes().await.unwrap()).into_response();
        if let Some(kind) = kind {
            response.headers_mut().insert("content-type", kind);
        }
        (asked, response)
    }
}

/// Returns the permissions that one operation requires. A transaction counts as one call for each
/// item, on the partition of the item.
fn asked_of_table(name: &str, asked: &Value) -> Asked {
    let partition = |asked: &Value| {
        let keys = ["/ExpressionAttributeValues/:pk/S", "/Item/pk/S", "/Key/pk/S"];
        let key = keys.iter().find_map(|key| asked.pointer(key)?.as_str());
        key.unwrap_or_else(|| panic!("no partition: {asked}")).to_owned()
    };
    if name != "TransactWriteItems" {
        return vec![(format!("dynamodb:{name}"), partition(asked))];
    }
    let items = asked["TransactItems"].as_array().unwrap().iter();
    let items = items.flat_map(|item| item.as_object().unwrap());
    items.map(|(kind, item)| (format!("dynamodb:{kind}Item"), partition(item))).collect()
}

impl Inner {
    async fn dynamodb(&self, head: &http::request::Parts, body: Bytes) -> Answer {
        let target = head.headers["x-amz-target"].to_str().unwrap();
        let name = target.strip_prefix("DynamoDB_20120810.").unwrap();
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let about = asked["TableName"].as_str().unwrap_or_default().to_owned();
        let action = format!("dynamodb:{name}");
        let update = name == "UpdateItem" && *self.updates.lock().unwrap();
        if update {
            self.note_update(&asked);
            let mut conflicts = self.conflicts.lock().unwrap();
            if *conflicts > 0 {
                *conflicts -= 1;
                let kind = "com.amazonaws.dynamodb.v20120810#TransactionConflictException";
                let error = json!({ "__type": kind, "message": "Transaction is ongoing" });
                let kind = [("content-type", "application/x-amz-json-1.0")];
                let rejected = (StatusCode::BAD_REQUEST, kind, error.to_string());
                return (action, about, rejected.into_response());
            }
        } else if !READS.contains(&name) {
            return (action, about, StatusCode::FORBIDDEN.into_response());
        }
        let mut request = self.http.post(&self.dynamodb).body(body);
        for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
            request = request.header(name, head.headers[name].clone());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let kind = [("content-type", "application/x-amz-json-1.0")];
        (action, about, (status, kind, answer.bytes().await.unwrap()).into_response())
    }

    /// Records an update as IAM sees it: the attributes of its key and its expressions.
    fn note_update(&self, asked: &Value) {
        let mut updated = self.updated.lock().unwrap();
        updated.extend(asked["Key"].as_object().unwrap().keys().cloned());
        let named = asked["ExpressionAttributeNames"].as_object().unwrap().values();
        updated.extend(named.map(|name| name.as_str().unwrap().to_owned()));
        let condition = asked["ConditionExpression"].as_str().unwrap();
        let words = asked["UpdateExpression"].as_str().unwrap().split([' ', ',']);
        let plain = words.filter(|word| word.starts_with(|first: char| first.is_ascii_lowercase()));
        updated.extend(plain.map(str::to_owned));
        if !condition.contains("attribute_exists(pk)") || asked.get("ReturnValues").is_some() {
            self.wrong.lock().unwrap().push(format!("update: {asked}"));
        }
    }
}
