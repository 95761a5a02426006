//! Tests of the OpenAPI document.

mod bodies;
mod contents;
mod form;
mod json_schema;

use serde_json::Value;
use template::stacks::Stacks;

fn document() -> Value {
    serde_json::to_value(openapi::document()).unwrap()
}

/// Returns the responses that API Gateway itself makes, from the template: kind, definition and
/// body.
fn gateway_responses() -> Vec<(String, Value, Value)> {
    let api = Stacks::deployed().main.resource("AWS::Serverless::Api", "Api").properties;
    let responses = api["GatewayResponses"].as_object().unwrap().iter();
    let all = responses.map(|(kind, response)| {
        let body = response["ResponseTemplates"]["application/json"].as_str().unwrap();
        let body = body.replace("$context.requestTimeEpoch", "1");
        let body = body.replace("$context.error.messageString", "\"\"");
        (kind.clone(), response.clone(), serde_json::from_str(&body).unwrap())
    });
    all.collect()
}
