//! DynamoDB's rule for writes that conflict with a transaction in progress. The embedded DynamoDB
//! lacks the rule, because it runs one write after the other.
//!
//! While a `TransactWriteItems` runs, another one on the same item is cancelled with the reason
//! `TransactionConflict`. A `PutItem`, `UpdateItem` or `DeleteItem` of such an item fails with
//! `TransactionConflictException`. The same transaction with the same token fails with
//! `TransactionInProgressException`. Reads always pass.
//! Source: "Transaction conflict handling" in the Amazon DynamoDB developer guide.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

/// DynamoDB accepts bodies of up to 16 MB.
const MAX_BODY_BYTES: usize = 16 << 20;

/// Items and tokens of the transactions in progress. Clones share them.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<Names>>);

#[derive(Default)]
struct Names {
    items: BTreeSet<String>,
    tokens: BTreeSet<String>,
}

/// A transaction in progress. It ends when this value is dropped.
struct Transaction {
    running: Running,
    items: Vec<String>,
    token: Option<String>,
}

/// Reason for rejecting a write.
#[derive(PartialEq, Eq, Debug)]
enum Rejection {
    /// The item of a single write is part of a transaction in progress.
    Conflict,
    /// These items of a transaction are part of another transaction in progress.
    Cancelled(Vec<bool>),
    /// The same transaction is in progress.
    InProgress,
}

/// Applies the rule to an embedded DynamoDB.
pub(super) fn with_conflicts(dynamodb: Router) -> Router {
    dynamodb.layer(from_fn_with_state(Running::default(), pass))
}

async fn pass(State(running): State<Running>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match running.admit(operation(&head.headers), &body) {
        Ok(transaction) => {
            let request = Request::from_parts(head, Body::from(body));
            // A separate task completes the transaction even if the caller disconnects.
            let run = tokio::spawn(async move {
                let response = next.run(request).await;
                drop(transaction);
                response
            });
            run.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
        Err(rejection) => rejection.into_response(),
    }
}

fn operation(headers: &HeaderMap) -> &str {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    target.and_then(|target| target.rsplit('.').next()).unwrap_or_default()
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits a call, and returns the transaction that it begins.
    ///
    /// # Errors
    /// Returns an error when it writes to an item of a transaction in progress.
    fn admit(&self, operation: &str, body: &[u8]) -> Result<Option<Transaction>, Rejection> {
        if !matches!(operation, "TransactWriteItems" | "PutItem" | "UpdateItem" | "DeleteItem") {
            return Ok(None);
        }
        // DynamoDB itself rejects a body that is not JSON.
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return Ok(None) };
        if operation == "TransactWriteItems" {
            return self.begin(&body).map(Some);
        }
        if self.lock().items.contains(&item(&body)) {
            return Err(Rejection::Conflict);
        }
        Ok(None)
    }

    fn begin(&self, body: &Value) -> Result<Transaction, Rejection> {
        let token = body["ClientRequestToken"].as_str().map(str::to_owned);
        let actions = body["TransactItems"].as_array().map(Vec::as_slice).unwrap_or_default();
        let actions = actions.iter().filter_map(Value::as_object);
        let items: Vec<String> =
            actions.filter_map(|action| action.values().next()).map(item).collect();
        let mut names = self.lock();
        if token.as_ref().is_some_and(|token| names.tokens.contains(token)) {
            return Err(Rejection::InProgress);
        }
        let met: Vec<bool> = items.iter().map(|item| names.items.contains(item)).collect();
        if met.contains(&true) {
            return Err(Rejection::Cancelled(met));
        }
        names.items.extend(items.iter().cloned());
        names.tokens.extend(token.clone());
        drop(names);
        Ok(Transaction { running: self.clone(), items, token })
    }
}

/// Returns the table and key of an item that a request or an action of a transaction writes. Every
/// local table has the keys `pk` and `sk`.
fn item(write: &Value) -> String {
    let key = if write["Key"].is_null() { &write["Item"] } else { &write["Key"] };
    json!([write["TableName"], key["pk"], key["sk"]]).to_string()
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let mut names = self.running.lock();
        for item in &self.items {
            names.items.remove(item);
        }
        if let Some(token) = &self.token {
            names.tokens.remove(token);
        }
    }
}

impl Rejection {
    fn body(&self) -> Value {
        const ONGOING: &str = "Transaction is ongoing for the item";
        match self {
            Self::Conflict => exception("TransactionConflictException", ONGOING),
            Self::InProgress => exception(
                "TransactionInProgressException",
                "The transaction with the given request token is already in progress.",
            ),
            Self::Cancelled(met) => {
                let reasons: Vec<Value> = met
                    .iter()
                    .map(|met| match met {
                        true => json!({ "Code": "TransactionConflict", "Message": ONGOING }),
                        false => json!({ "Code": "None" }),
                    })
                    .collect();
                let mut body = exception(
                    "TransactionCanceledException",
                    "Transaction cancelled, please refer cancellation reasons for specific reasons",
                );
                body["CancellationReasons"] = reasons.into();
                body
            }
        }
    }
}

fn exception(kind: &str, message: &str) -> Value {
    json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": message })
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let kind = [(header::CONTENT_TYPE, "application/x-amz-json-1.0")];
        (StatusCode::BAD_REQUEST, kind, self.body().to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Value {
        json!({ "pk": { "S": "a" }, "sk": { "S": name } })
    }

    fn transaction(names: &[&str], token: &str) -> Vec<u8> {
        let put = |name| json!({ "Put": { "TableName": "t", "Item": key(name) } });
        let items: Vec<Value> = names.iter().copied().map(put).collect();
        let body = json!({ "TransactItems": items, "ClientRequestToken": token });
        serde_json::to_vec(&body).unwrap()
    }

    fn update(table: &str, name: &str) -> Vec<u8> {
        let body = json!({ "TableName": table, "Key": key(name) });
        serde_json::to_vec(&body).unwrap()
    }

    #[test]
    fn write_to_item_of_running_transaction_conflicts() {
        let running = Running::default();
        let begun = running.admit("TransactWriteItems", &transaction(&["x", "y"], "1")).unwrap();
        let write = |operation, table, name| running.admit(operation, &update(table, name));
        for operation in ["PutItem", "UpdateItem", "DeleteItem"] {
            assert_eq!(write(operation, "t", "y").err(), Some(Rejection::Conflict));
            assert!(write(operation, "t", "z").is_ok() && write(operation, "u", "y").is_ok());
        }
        assert!(write("GetItem", "t", "y").is_ok());
        drop(begun);
        assert!(write("PutItem", "t", "y").is_ok());
    }

    #[test]
    fn transaction_on_item_of_running_one_is_cancelled() {
        let running = Running::default();
        let begin =
            |names: &[&str], token| running.admit("TransactWriteItems", &transaction(names, token));
        let begun = begin(&["x", "y"], "1").unwrap();
        let met = Rejection::Cancelled(vec![false, true]);
        assert_eq!(begin(&["z", "x"], "2").err().as_ref(), Some(&met));
        assert_eq!(met.body()["CancellationReasons"][1]["Code"], "TransactionConflict");
        assert_eq!(begin(&["x", "y"], "1").err(), Some(Rejection::InProgress));
        // A cancelled transaction locks no item.
        let other = begin(&["z"], "3").unwrap();
        drop((begun, other));
        assert!(begin(&["x", "y"], "1").is_ok());
    }
}
