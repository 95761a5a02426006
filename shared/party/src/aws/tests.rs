//! The signed calls: their signatures against those of botocore 1.44.8, and the retries.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use domain::clock::Clock;
use platform::aws::{Access, Aws};

use super::call::{Call, CallError, Service};
use super::{ApiGatewayClient, LambdaClient, OutMessage, SqsClient};

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:cosigner:sign-message";

fn service(client: Service) -> Service {
    let access = Access {
        credentials: Credentials::from_keys(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            Some("token/with+signs=".to_owned()),
        ),
        region: "eu-central-1".to_owned(),
        endpoint: None,
        // 2026-11-29T03:04:05Z
        clock: Clock::from_micros(|| 1_795_921_445_000_000),
        ..client.access
    };
    Service { access, ..client }
}

#[test]
fn signatures_equal_botocores() {
    let aws = Aws::local("", "", "");
    let lambda = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012\
                  %3Afunction%3Acosigner%3Asign-message/invocations";
    let json = [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", "AmazonSQS.SendMessageBatch"),
    ];
    let binary = [("content-type", "application/octet-stream")];
    let rest = [("accept", "application/json"), ("content-type", "application/json")];
    for (client, method, path, headers, signature) in [
        (
            ApiGatewayClient::new(&aws).service(),
            "POST",
            "/usageplans/p1/keys",
            &rest[..],
            "0590b8639443c33317dbac4996ce2d1c446da96ccd3a9ffdef1ebd4225b85446",
        ),
        (
            ApiGatewayClient::new(&aws).service(),
            "DELETE",
            "/apikeys/abc123",
            &rest[..],
            "61ef326f2e7dce82dff980597a2db9a728a65937beff79582ed24f5acafc2c6c",
        ),
        (
            ApiGatewayClient::new(&aws).service(),
            "GET",
            "/apikeys?name=hyperdex%2Facme%2F&limit=500",
            &rest[..],
            "d86c28d06714aa61d0b44f6a8b86e87964e5de491224b7e2655d21377f3951a6",
        ),
        (
            LambdaClient::new(&aws).0,
            "POST",
            lambda,
            &binary[..],
            "1d55aff5cd45e4fb6c96a31b9a2c1f526c21c39f15677b9a3b806a6b24bd0b22",
        ),
        (
            SqsClient::new(&aws).0,
            "POST",
            "/",
            &json[..],
            "e4306f01fb3547d34c956cd428ee4a930d33e2471ca50e6a2f1eeef72e540595",
        ),
    ] {
        let operation = ("Service", "Operation");
        let body: &[u8] = if matches!(method, "GET" | "DELETE") { b"" } else { b"{\"a\":1}" };
        let call = Call { operation, name: "", method, path, headers, body };
        let request = service(client).signed(&call).unwrap();
        let header = |name| request.headers().get(name).unwrap_or_default();
        assert_eq!(header("x-amz-date"), "20261129T030405Z");
        assert_eq!(header("x-amz-security-token"), "token/with+signs=");
        let signed = header("authorization");
        assert!(signed.ends_with(&format!("Signature={signature}")), "{signed}");
    }
}

#[test]
fn regional_endpoints_have_the_partitions_suffix() {
    let sqs = SqsClient::new(&Aws::local("", "", "")).0;
    for (region, url) in [
        ("us-east-1", "https://sqs.us-east-1.amazonaws.com"),
        ("us-gov-west-1", "https://sqs.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn"),
    ] {
        let access = Access { region: region.to_owned(), ..sqs.access.clone() };
        let service = Service { access, ..sqs.clone() };
        assert_eq!(service.base(), url);
    }
}

/// A server that sends each response once, to one request each, and records the requests' first
/// lines and bodies. An empty response closes the connection.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    fn start(responses: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&requests);
        std::thread::spawn(move || {
            for response in responses {
                let mut stream = BufReader::new(listener.accept().unwrap().0);
                let mut first = String::new();
                stream.read_line(&mut first).unwrap();
                let (mut line, mut length) = (String::new(), 0);
                while stream.read_line(&mut line).unwrap() > 2 {
                    if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                        length = text.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let body = String::from_utf8(body).unwrap();
                record.lock().unwrap().push((first.trim().to_owned(), body));
                stream.get_mut().write_all(response.as_bytes()).unwrap();
            }
        });
        Self { url, requests }
    }

    fn lambda(&self) -> LambdaClient {
        LambdaClient(self.reached(LambdaClient::new(&Aws::local("", "", "")).0))
    }

    fn sqs(&self) -> SqsClient {
        SqsClient(self.reached(SqsClient::new(&Aws::local("", "", "")).0))
    }

    fn reached(&self, mut service: Service) -> Service {
        service.access.endpoint = Some(format!("{}/", self.url));
        service.retries.backoff = Duration::ZERO;
        service
    }

    fn requests(&self) -> Vec<(String, String)> {
        self.requests.lock().unwrap().clone()
    }
}

fn response(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

fn throttled() -> String {
    let headers = "x-amzn-errortype: TooManyRequestsException:http://internal/\r\n";
    response("429 Too Many Requests", headers, r#"{"Reason":"x","message":"Rate Exceeded."}"#)
}

#[tokio::test]
async fn throttled_invocation_is_retried() {
    let server = Server::start(vec![throttled(), throttled(), response("200 OK", "", "done")]);
    let result = server.lambda().invoke(FUNCTION, b"asked").await.unwrap();
    assert_eq!(result, b"done");
    let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction\
                %3Acosigner%3Asign-message/invocations";
    let request = (format!("POST {path} HTTP/1.1"), "asked".to_owned());
    assert_eq!(server.requests(), vec![request; 3]);
}

#[tokio::test]
async fn invocation_that_may_have_run_is_sent_once() {
    let failed = response("500 Internal Server Error", "", r#"{"Message":"no"}"#);
    for first in [failed, String::new(), "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".into()]
    {
        let server = Server::start(vec![first, response("200 OK", "", "twice")]);
        server.lambda().invoke("cosigner", b"").await.unwrap_err();
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn throttled_invocation_ends_after_the_last_attempt() {
    let server = Server::start(vec![throttled(); 6]);
    let error = server.lambda().invoke("cosigner", b"").await.unwrap_err();
    let text = "Lambda.Invoke: HTTP 429, TooManyRequestsException: Rate Exceeded.";
    assert_eq!((error.to_string().as_str(), server.requests().len()), (text, 5));
}

#[tokio::test]
async fn failed_function_is_an_error() {
    let headers = "x-amz-function-error: Unhandled\r\n";
    let server = Server::start(vec![response("200 OK", headers, r#"{"errorMessage":"died"}"#)]);
    let error = server.lambda().invoke("cosigner", b"").await.unwrap_err();
    assert!(matches!(&error, CallError::Function(kind) if kind == "Unhandled"), "{error}");
}

#[tokio::test]
async fn batch_is_retried_and_returns_rejected_messages() {
    let partly = r#"{"Successful":[{"Id":"0"}],"Failed":[{"Id":"1","Code":"InternalError","SenderFault":false}]}"#;
    let failed = response("503 Service Unavailable", "", "");
    let server = Server::start(vec![failed, String::new(), response("200 OK", "", partly)]);
    let messages =
        ["one", "two"].map(|body| OutMessage { body: body.to_owned(), group: "tenant".to_owned() });
    let not_sent = server.sqs().send_batch("http://queue/1/q", &messages).await.unwrap();
    assert_eq!(not_sent.iter().map(|it| it.code.as_str()).collect::<Vec<_>>(), ["InternalError"]);
    let body: serde_json::Value = serde_json::from_str(&server.requests()[2].1).unwrap();
    assert_eq!(body["QueueUrl"], "http://queue/1/q");
    assert_eq!(
        body["Entries"][1],
        serde_json::json!({ "Id": "1", "MessageBody": "two", "MessageGroupId": "tenant" })
    );
}

#[tokio::test]
async fn refused_call_of_sqs_is_sent_once() {
    let body = r#"{"__type":"com.amazonaws.sqs#ReceiptHandleIsInvalid","message":"old"}"#;
    let server = Server::start(vec![response("400 Bad Request", "", body); 2]);
    let error = server.sqs().hide("http://queue/1/q", "receipt", 5).await.unwrap_err();
    let text = "SQS.ChangeMessageVisibility: HTTP 400, ReceiptHandleIsInvalid: old";
    assert_eq!((error.to_string().as_str(), server.requests().len()), (text, 1));
}
