//! Events as the REST API of API Gateway sends them to a function (Lambda proxy integration).

use serde_json::{Map, Value, json};

/// The id of the tenant key in the events. It identifies the tenant.
pub(crate) const KEY_ID: &str = "k3yid0fa1";

/// Returns API Gateway's id of an event's request.
pub(crate) fn request_id(event: &Value) -> &str {
    event["requestContext"]["requestId"].as_str().unwrap()
}

/// Returns a `GET` event.
pub(crate) fn get(path: &str) -> Value {
    event("GET", path, &Value::Null)
}

/// Returns an event without a body for the credential of a user's wallet.
pub(crate) fn credential(method: &str, exchange: &str, user: &str) -> Value {
    let mut event = event(method, &format!("/api/trading/{exchange}/apikey"), &Value::Null);
    event["queryStringParameters"] = json!({ "walletIdOrAddress": user });
    event["multiValueQueryStringParameters"] = json!({ "walletIdOrAddress": [user] });
    event
}

/// Returns an event of a schedule.
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

/// Returns a `POST` event with a JSON body.
pub(crate) fn post(path: &str, body: &Value) -> Value {
    event("POST", path, &json!(body.to_string()))
}

/// Returns the same event with another tenant key or none.
pub(crate) fn with_key(mut event: Value, id: Option<&str>) -> Value {
    event["requestContext"]["identity"]["apiKeyId"] = json!(id);
    event
}

/// Returns an event with any method. The body is a string or null.
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
        // Without the stage, and encoded as by the client.
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

/// Returns the template's route and its parameters, which API Gateway sends along with the path.
fn route(path: &str) -> (String, Value) {
    let Some(rest) = path.strip_prefix("/api/wallets/") else {
        return (path.to_owned(), Value::Null);
    };
    let (wallet, end) = rest.split_once('/').map_or((rest, ""), |(wallet, _)| (wallet, "/sign"));
    (format!("/api/wallets/{{wallet}}{end}"), json!({ "wallet": wallet }))
}
