//! Reads the API's definition: the methods of each path, and the functions that they invoke.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cloudformation::{ACCOUNT, REGION};
use crate::routes::Route;
use crate::stacks::Stacks;

/// The name of a method that means all methods that a path does not state.
const ANY: &str = "x-amazon-apigateway-any-method";

/// The validator of request bodies.
const VALIDATOR: &str = "body-only";

/// A method of a path.
pub struct Method {
    /// The function, and the method and path. The method is `ANY` if it means all others.
    pub route: Route,
    /// The logical name of the function.
    pub function: String,
    /// True if API Gateway requires a key.
    pub has_key: bool,
    /// The name of the model with which API Gateway validates the body.
    pub model: Option<String>,
}

/// Returns the methods of the API's definition, and the faults of the definition.
#[must_use]
pub fn methods(stacks: &Stacks) -> (Vec<Method>, Vec<String>) {
    let api = stacks.main.resource("AWS::Serverless::Api", "Api").properties;
    let definition = &api["DefinitionBody"];
    let functions = stacks.functions();
    let mut wrong = Vec::new();
    let scheme = json!({ "type": "apiKey", "name": "x-api-key", "in": "header" });
    if definition["components"]["securitySchemes"] != json!({ "api_key": scheme }) {
        wrong.push("the API's keys are not in the header x-api-key".to_owned());
    }
    let validates = json!({ "validateRequestBody": true, "validateRequestParameters": false });
    if definition["x-amazon-apigateway-request-validators"] != json!({ VALIDATOR: validates }) {
        wrong.push("the API's validator must validate bodies, and nothing else".to_owned());
    }
    let mut methods = Vec::new();
    for (path, item) in definition["paths"].as_object().unwrap() {
        for (name, operation) in item.as_object().unwrap() {
            let method = if name == ANY { "ANY".to_owned() } else { name.to_uppercase() };
            let line = format!("{method} {path}");
            wrong.extend(wrong_fields(&line, operation));
            let uri = &operation["x-amazon-apigateway-integration"]["uri"];
            let Some(function) = functions.iter().find(|it| *uri == invocation(&it.name)) else {
                wrong.push(format!("{line}: it invokes no function"));
                continue;
            };
            let route = Route { package: function.package.clone(), method, path: path.clone() };
            methods.push(Method {
                route,
                function: function.name.clone(),
                has_key: operation["security"] == json!([{ "api_key": [] }]),
                model: model(operation),
            });
        }
    }
    (methods, wrong)
}

/// Returns the URI by which API Gateway invokes a function.
fn invocation(function: &str) -> String {
    format!(
        "arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}.Arn/invocations"
    )
}

/// Returns the name of an operation's model.
fn model(operation: &Value) -> Option<String> {
    let schema = operation.pointer("/requestBody/content/application~1json/schema/$ref")?;
    schema.as_str()?.strip_prefix("#/components/schemas/").map(ToOwned::to_owned)
}

/// Returns the faults of the fields of an operation.
fn wrong_fields(line: &str, operation: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let known = [
        "requestBody",
        "responses",
        "security",
        "x-amazon-apigateway-integration",
        "x-amazon-apigateway-request-validator",
    ];
    let fields = operation.as_object().unwrap().keys();
    let unknown = fields.filter(|field| !known.contains(&field.as_str()));
    wrong.extend(unknown.map(|field| format!("{line}: no test checks {field}")));
    let by = &operation["x-amazon-apigateway-integration"];
    let expected = json!({ "type": "aws_proxy", "httpMethod": "POST", "uri": by["uri"] });
    if *by != expected {
        wrong.push(format!("{line}: it must invoke its function as a proxy, and with POST"));
    }
    let validator = operation.get("x-amazon-apigateway-request-validator");
    let validates = validator.is_some_and(|name| name == VALIDATOR);
    if validates != model(operation).is_some() || validator.is_some() != validates {
        wrong.push(format!("{line}: a body has a model and the validator, or neither"));
    }
    wrong
}

/// Returns the narrowest pattern of methods and paths that includes these routes, as the ARN of a
/// permission states it. A parameter is any text.
#[must_use]
pub fn narrowest(routes: &[&Route]) -> String {
    let methods = routes.iter().map(|route| match route.method.as_str() {
        "ANY" => "*",
        method => method,
    });
    let methods: BTreeSet<&str> = methods.collect();
    let paths: BTreeSet<String> = routes.iter().map(|route| without_names(&route.path)).collect();
    let method = if methods.len() == 1 { methods.first() } else { None };
    let (first, rest) = (paths.first().unwrap(), paths.iter().skip(1));
    let path = match (rest.clone().count(), first) {
        (0, only) => only.clone(),
        (_, first) => {
            let start = rest.clone().fold(first.len(), |most, path| common(first, path).min(most));
            let end = |path: &str| path[start..].chars().rev().collect::<String>();
            let ending = end(first);
            let tail = rest.fold(ending.len(), |most, path| common(&ending, &end(path)).min(most));
            format!("{}*{}", &first[..start], &first[first.len() - tail..])
        }
    };
    format!("{}{path}", method.unwrap_or(&"*"))
}

/// Replaces each parameter of a path with `*`.
fn without_names(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "*" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Returns the length of the common beginning of two ASCII texts.
fn common(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

/// Returns the ARN of a permission for the methods and paths of a pattern. It names the stage, so
/// a call that API Gateway's console makes without a key is refused.
#[must_use]
pub fn source_arn(pattern: &str) -> String {
    format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:Api/v1/{pattern}")
}
