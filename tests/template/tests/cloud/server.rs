//! The server that all functions call. It records each call and passes it on.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, Uri};
use platform::telemetry::in_scope;
use protocol::{Answer, Call as Message, Request};
use serde_json::Value;

use super::{Cheat, Server};
use crate::iam_calls::{api_gateway, call, dynamodb, kms, sqs};

/// Records a call and responds to it.
pub(super) async fn serve(
    State(server): State<Server>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    let signed = text("authorization").unwrap().split_once("Credential=").unwrap().1;
    let caller = signed.split('/').next().unwrap();
    let Some((service, operation)) = text("x-amz-target").and_then(|target| target.split_once('.'))
    else {
        if signed.contains("/apigateway/") {
            return gateway(&server, caller, (&method, &uri), body).await;
        }
        let route = "/2015-03-31/functions/";
        let name = uri.path().strip_prefix(route).unwrap().strip_suffix("/invocations").unwrap();
        assert_eq!(method, Method::POST);
        let name = name.replace("%3A", ":");
        let calls = vec![call(caller, "lambda:InvokeFunction", &name)];
        server.record.arrived("Lambda.Invoke", calls, caller);
        if name.ends_with("-refresh-shares") {
            return refresh(&server, &body).await;
        }
        return invoke(&server, &name, &body).await;
    };
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let (name, calls, upstream) = match service {
        "DynamoDB_20120810" => {
            ("DynamoDB", dynamodb(caller, operation, &asked), &server.app.stack.dynamodb)
        }
        "TrentService" => ("KMS", vec![kms(caller, operation, &asked)], &server.app.stack.kms),
        "AmazonSQS" => ("SQS", vec![sqs(caller, operation, &asked)], &server.app.stack.sqs),
        other => panic!("{other}.{operation}"),
    };
    server.record.arrived(&format!("{name}.{operation}"), calls, caller);
    // The host header must name the target server.
    let mut headers = headers;
    headers.remove(http::header::HOST);
    let answer = server.app.request_to(upstream).headers(headers).body(body).send().await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(http::header::TRANSFER_ENCODING);
    (status, headers, answer.bytes().await.unwrap()).into_response()
}

/// Passes a call of API Gateway's control plane on to the local stack's.
async fn gateway(
    server: &Server,
    caller: &str,
    (method, uri): (&Method, &Uri),
    body: Bytes,
) -> Response {
    let operation = match (method.as_str(), uri.path()) {
        ("POST", "/apikeys") => "CreateApiKey",
        ("DELETE", _) => "DeleteApiKey",
        ("GET", "/usageplans") => "GetUsagePlans",
        ("POST", _) => "CreateUsagePlanKey",
        other => panic!("{other:?}"),
    };
    let asked = vec![api_gateway(caller, method.as_str(), uri.path())];
    server.record.arrived(&format!("ApiGateway.{operation}"), asked, caller);
    let url = format!("{}{uri}", server.app.stack.api_gateway);
    let request = server.app.request_by(method.clone(), &url);
    let request = request.header("content-type", "application/json").body(body);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.bytes().await.unwrap()).into_response()
}

/// Refreshes the shares of one wallet, as Lambda would invoke it.
async fn refresh(server: &Server, event: &[u8]) -> Response {
    let event: Value = serde_json::from_slice(event).unwrap();
    let job = server.refresh.get().unwrap();
    let run = lambda_entry::Job::run_for(job, &event);
    let (done, calls) = in_scope("refresh".to_owned(), run).await;
    server.record.counted("refresh-shares", &calls);
    done.unwrap().to_string().into_response()
}

/// Invokes the cosigner, directly or through an attacker who changes the messages.
async fn invoke(server: &Server, invoked: &str, payload: &[u8]) -> Response {
    let cheat = *server.record.cheat.lock().unwrap();
    let text: String = serde_json::from_slice(payload).unwrap();
    let mut request = Request::from_payload(&text).unwrap_or_else(|refusal| panic!("{refusal}"));
    if let Message::FinishSign(finish) = &mut request.call
        && cheat == Cheat::Endpoint
    {
        finish.message.gamma_u = finish.message.gamma_v;
    }
    let text: String = serde_json::from_slice(&request.to_payload()).unwrap();
    let (answer, calls) =
        in_scope("cosign".to_owned(), server.cosigner.handle(invoked, &text)).await;
    server.record.counted("cosigner", &calls);
    let mut answer = Answer::from_payload(answer.unwrap().get().as_bytes()).unwrap();
    if let Answer::SignAnswered(answered) = &mut answer
        && cheat == Cheat::Cosigner
    {
        answered.phase_2.gamma_u = answered.phase_2.gamma_v;
    }
    answer.to_payload().to_string().into_response()
}
