//! Events as API Gateway's REST API sends them to a function (Lambda proxy integration).

use serde_json::{Map, Value, json};

/// The id of the API key that the events carry; a tenant is named by it.
pub(crate) const KEY_ID: &str = "k3yid0fa1";

/// API Gateway's id of an event's request.
pub(crate) fn request_id(event: &Value) -> &str {
    event["requestContext"]["requestId"].as_str().unwrap()
}

/// `GET`.
pub(crate) fn get(path: &str) -> Value {
    event("GET", path, &Value::Null)
}

/// A method on the credential of a user's wallet, without a body.
pub(crate) fn credential(method: &str, exchange: &str, user: &str) -> Value {
    let mut event = event(method, &format!("/api/trading/{exchange}/apikey"), &Value::Null);
    event["queryStringParameters"] = json!({ "walletIdOrAddress": user });
    event["multiValueQueryStringParameters"] = json!({ "walletIdOrAddress": [user] });
    event
}

/// What a schedule sends.
pub(crate) fn scheduled() -> Value {
    json!({
        "version": "0",
        "id": domain::random::Random::system().uuid().unwrap(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-09-25T20:28:32Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/hyperdex-renew-apikeys"],
        "detail": {},
    })
}

/// `POST` of a JSON body.
pub(crate) fn post(path: &str, body: &Value) -> Value {
    event("POST", path, &json!(body.to_string()))
}

/// The same event, sent with another API key, or with none.
pub(crate) fn with_key(mut event: Value, id: Option<&str>) -> Value {
    event["requestContext"]["identity"]["apiKeyId"] = json!(id);
    event
}

/// Any method; the body is a text or null.
pub(crate) fn event(method: &str, path: &str, body: &Value) -> Value {
    let names = [
        ("Accept", "*/*"),
        ("Content-Type", "application/json"),
        ("Host", "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"),
        ("User-Agent", "curl/8.5.0"),
        ("X-Amzn-Trace-Id", "Root=1-68d5a5f0-0123456789abcdef01234567"),
        ("X-API-KEY", "the-key-itself"),
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
    ];
    let one: Map<String, Value> =
        names.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let many: Map<String, Value> =
        names.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
    let (resource, parameters) = route(path);
    let id = domain::random::Random::system().uuid().unwrap();
    json!({
        "resource": resource,
        // Without the stage, and as the client encoded it.
        "path": path,
        "httpMethod": method,
        "headers": one,
        "multiValueHeaders": many,
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "pathParameters": parameters,
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "resourceId": "r3s0rc",
            "resourcePath": resource,
            "operationName": null,
            "httpMethod": method,
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "requestTime": "25/Sep/2026:20:28:32 +0000",
            "requestTimeEpoch": 1_790_368_112_123_u64,
            "path": format!("/v1{path}"),
            "protocol": "HTTP/1.1",
            "stage": "v1",
            "domainPrefix": "a1b2c3d4e5",
            "domainName": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "deploymentId": "d3p10y",
            "requestId": id,
            "identity": {
                "apiKey": "the-key-itself",
                "apiKeyId": KEY_ID,
                "sourceIp": "203.0.113.7",
                "userAgent": "curl/8.5.0",
                "accessKey": null,
                "accountId": null,
                "caller": null,
                "cognitoAuthenticationProvider": null,
                "cognitoAuthenticationType": null,
                "cognitoIdentityId": null,
                "cognitoIdentityPoolId": null,
                "principalOrgId": null,
                "user": null,
                "userArn": null,
            },
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// The template's route and its parameters, which API Gateway names beside the path.
fn route(path: &str) -> (String, Value) {
    let Some(rest) = path.strip_prefix("/api/wallets/") else {
        return (path.to_owned(), Value::Null);
    };
    let (wallet, end) = rest.split_once('/').map_or((rest, ""), |(wallet, _)| (wallet, "/sign"));
    (format!("/api/wallets/{{wallet}}{end}"), json!({ "wallet": wallet }))
}
