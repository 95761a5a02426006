//! Names of calls, and responses for failed calls.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use exchange_sim::faults::Fault;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{Full, Limited};
use serde_json::{Value, json};

use super::{Call, Rejection};

/// Returns the response for a fault, or none if the call hangs.
pub(super) fn fail(fault: Fault) -> Option<Response> {
    let status = |code| StatusCode::from_u16(code).expect("a valid status");
    match fault {
        Fault::Status(code, body) | Fault::AppliedAs(code, body) => {
            Some((status(code), body).into_response())
        }
        Fault::RateLimited { retry_after_s } => {
            let wait = [(header::RETRY_AFTER, retry_after_s.to_string())];
            Some((StatusCode::TOO_MANY_REQUESTS, wait, "null").into_response())
        }
        Fault::Garbage => Some("<html>it works!</html>".into_response()),
        Fault::Reset => Some(broken()),
        Fault::Hostile(hostile) => Some(hostile.response()),
        Fault::AppliedButLost => Some(StatusCode::BAD_GATEWAY.into_response()),
        Fault::Hang | Fault::AppliedThenHang => None,
        Fault::Pass | Fault::Late { .. } | Fault::Twice | Fault::ReadsLag { .. } => {
            unreachable!("the call is forwarded")
        }
    }
}

/// Returns AWS's rejection of a call.
pub(super) fn reject(rejection: Rejection, call: &Call) -> Response {
    let operation = operation(call);
    let (status, kind) = match (operation, rejection) {
        ("", _) => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
        ("TransactWriteItems", _) => (StatusCode::BAD_REQUEST, "TransactionCanceledException"),
        (_, Rejection::Conflict) => (StatusCode::BAD_REQUEST, "TransactionConflictException"),
        (_, Rejection::Throttled) => {
            (StatusCode::BAD_REQUEST, "ProvisionedThroughputExceededException")
        }
    };
    let mut body = json!({ "__type": kind, "message": "Rejected by the test's proxy" });
    if operation == "TransactWriteItems" {
        let sent: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let count = sent["TransactItems"].as_array().map_or(0, Vec::len);
        let code = match rejection {
            Rejection::Conflict => "TransactionConflict",
            Rejection::Throttled => "ThrottlingError",
        };
        let reason = |nth| json!({ "Code": if nth == 0 { code } else { "None" } });
        body["CancellationReasons"] = (0..count).map(reason).collect();
    }
    let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amzn-errortype", kind)];
    (status, headers, body.to_string()).into_response()
}

fn operation(call: &Call) -> &str {
    let target = call.head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    target.and_then(|target| target.rsplit('.').next()).unwrap_or_default()
}

/// Returns the name of a call, such as `DynamoDB.GetItem`, `Lambda.Invoke`,
/// `Hyperliquid.approveAgent` or `Aster.GET agent`.
pub(super) fn name(service: &str, call: &Call) -> String {
    let operation = operation(call);
    match service {
        "dynamodb" => format!("DynamoDB.{operation}"),
        "kms" => format!("KMS.{operation}"),
        "cosigner-dynamodb" => format!("Cosigner.DynamoDB.{operation}"),
        "cosigner-kms" => format!("Cosigner.KMS.{operation}"),
        "lambda" => "Lambda.Invoke".to_owned(),
        "apigateway" => {
            // Without ids, which differ from run to run.
            let attaches = call.path.starts_with("usageplans/");
            let what = if attaches { "keys" } else { "apikeys" };
            format!("ApiGateway.{} {what}", call.head.method)
        }
        "hyperliquid" => format!("Hyperliquid.{}", kind(call)),
        "chains" => format!("Chain.{}", kind(call)),
        _ => {
            let last = call.path.rsplit('/').next().unwrap_or_default();
            let server = match service {
                "api" => "Api",
                "lighter" => "Lighter",
                _ => "Aster",
            };
            format!("{server}.{} {last}", call.head.method)
        }
    }
}

/// Returns the kind of a call to Hyperliquid, such as `order` or `orderStatus`, or the method of a
/// call to a chain.
pub(super) fn kind(call: &Call) -> String {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let kind = body.pointer("/action/type").or_else(|| body.get("type"));
    let kind = kind.or_else(|| body.get("method"));
    kind.and_then(Value::as_str).unwrap_or("?").to_owned()
}

pub(super) fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in
        [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
    {
        headers.remove(name);
    }
    headers
}

/// Breaks the connection: a body over its own limit fails at its first byte.
pub(super) fn broken() -> Response {
    Response::new(Body::new(Limited::new(Full::from("lost"), 1)))
}
