//! Checks the form of the OpenAPI document that readers and client generators rely on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use template::stacks::Stacks;
use template::{assert_none, read};

use super::json_schema::mismatch;
use super::{document, gateway_responses};

/// Returns every operation with its method and path, including webhooks.
fn operations(document: &Value) -> Vec<(String, &Map<String, Value>)> {
    let mut all = Vec::new();
    for section in ["paths", "webhooks"] {
        for (path, item) in document[section].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                all.push((format!("{method} {path}"), operation.as_object().unwrap()));
            }
        }
    }
    all
}

/// Returns the error responses of an operation: status, component and codes.
fn refusals(operation: &Map<String, Value>) -> Vec<(u16, &str, Vec<&str>)> {
    let responses = operation["responses"].as_object().unwrap().iter();
    let errors = responses.filter_map(|(status, response)| {
        let status: u16 = status.parse().ok().filter(|status| *status >= 400)?;
        let fields = response.as_object().unwrap();
        assert_eq!(fields.len(), 2, "{status} is inline: {response}");
        let place = fields["$ref"].as_str().unwrap();
        let name = place.strip_prefix("#/components/responses/").unwrap();
        Some((status, name, fields["description"].as_str().unwrap().split(", ").collect()))
    });
    errors.collect()
}

#[test]
fn operations_have_unique_id_summary_tag_and_security() {
    let document = document();
    let tags = document["tags"].as_array().unwrap();
    let tags: BTreeSet<&str> = tags.iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let (mut ids, mut used) = (BTreeSet::new(), BTreeSet::new());
    let all = operations(&document);
    assert!(all.len() > 30, "{}", all.len());
    for (place, operation) in all {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} names two operations");
        let summary = operation["summary"].as_str().unwrap();
        assert!((1..60).contains(&summary.len()) && !summary.ends_with('.'), "{place}: {summary}");
        let verb = summary.split(' ').next().unwrap();
        let verbs = [
            "Approve", "Cancel", "Change", "Check", "Close", "Create", "Delete", "Deposit", "Get",
            "List", "Modify", "Move", "Place", "Propose", "Receive", "Register", "Remove",
            "Replay", "Revoke", "Rotate", "Send", "Set", "Sign", "Store", "Transfer", "Withdraw",
        ];
        let known = verbs.contains(&verb);
        assert!(known, "{place}: is {verb} a verb in the imperative? Then list it here");
        let named = operation["tags"].as_array().unwrap();
        assert_eq!(named.len(), 1, "{place}");
        let tag = named[0].as_str().unwrap();
        assert!(tags.contains(tag), "{place}: the tag {tag} has no description");
        used.insert(tag);
        let path = place.split(' ').nth(1).unwrap();
        let open = !path.starts_with('/') || shared::api::middleware::OPEN_PATHS.contains(&path);
        let expected = if open { json!([]) } else { json!([{ "apiKey": [] }]) };
        assert_eq!(operation["security"], expected, "{place}");
    }
    assert_eq!(used, tags);
    let scheme = &document["components"]["securitySchemes"]["apiKey"];
    assert_eq!((&scheme["in"], &scheme["name"]), (&json!("header"), &json!("X-API-KEY")));
}

#[test]
fn error_responses_are_shared_components() {
    let document = document();
    let components = document["components"]["responses"].as_object().unwrap();
    let mut codes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut statuses: BTreeMap<&str, u16> = BTreeMap::new();
    let all = operations(&document);
    for (status, name, documented) in all.iter().flat_map(|(_, operation)| refusals(operation)) {
        codes.entry(name).or_default().extend(documented);
        assert_eq!(*statuses.entry(name).or_insert(status), status, "{name} has two statuses");
    }
    assert!(components.keys().map(String::as_str).eq(codes.keys().copied()), "{components:?}");
    assert!((16..150).contains(&components.len()), "{}", components.len());
    for (name, response) in components {
        let content = &response["content"]["application/json"];
        assert_eq!(content["schema"], json!({ "$ref": "#/components/schemas/Error" }), "{name}");
        let examples = content["examples"].as_object().unwrap().values();
        let shown: BTreeSet<&str> = examples
            .map(|example| {
                let place = example["$ref"].as_str().unwrap().trim_start_matches('#');
                document.pointer(place).unwrap()["value"]["code"].as_str().unwrap()
            })
            .collect();
        assert_eq!(shown, codes[name.as_str()], "{name}");
        let listed: Vec<&str> = response["description"].as_str().unwrap().split(", ").collect();
        assert!(listed.iter().eq(&shown), "{name}: {listed:?}");
    }
}

/// Collects each example and default of the document: its place, its schema and its value.
fn samples<'a>(
    document: &'a Value,
    place: &str,
    node: &'a Value,
    found: &mut Vec<(String, &'a Value, &'a Value)>,
) {
    match node {
        Value::Array(list) => {
            for (index, one) in list.iter().enumerate() {
                samples(document, &format!("{place}/{index}"), one, found);
            }
        }
        Value::Object(fields) => {
            let described = fields.get("schema").unwrap_or(node);
            for value in fields.get("examples").and_then(Value::as_array).into_iter().flatten() {
                found.push((place.to_owned(), node, value));
            }
            // The components' own examples are values that responses refer to.
            let named = fields.get("examples").filter(|_| place != "/components");
            for value in named.and_then(Value::as_object).into_iter().flatten() {
                let target = value.1["$ref"].as_str().map(|target| target.trim_start_matches('#'));
                let value = target.map_or(value.1, |target| document.pointer(target).unwrap());
                if let Some(value) = value.get("value") {
                    found.push((place.to_owned(), described, value));
                }
            }
            let is_server = place.starts_with("/servers/");
            for word in ["example", "default"] {
                if let Some(value) = fields.get(word).filter(|_| !is_server) {
                    found.push((place.to_owned(), described, value));
                }
            }
            for (name, one) in fields {
                samples(document, &format!("{place}/{name}"), one, found);
            }
        }
        _ => {}
    }
}

/// Returns the examples and defaults that do not match their schemas, and the number of all.
fn wrong_samples(document: &Value) -> (Vec<String>, usize) {
    let mut found = Vec::new();
    samples(document, "", document, &mut found);
    let wrong = found.iter().filter_map(|(place, schema, value)| {
        mismatch(document, schema, value).map(|difference| format!("{place}: {difference}"))
    });
    (wrong.collect(), found.len())
}

#[test]
fn examples_and_defaults_match_their_schemas() {
    let (wrong, count) = wrong_samples(&document());
    assert_none(&wrong);
    assert!(count > 180, "only {count} samples");
}

#[test]
fn sample_that_breaks_its_schema_is_found() {
    for (place, broken) in [
        ("/components/schemas/EventIdText/examples/0", json!("evt_01")),
        ("/components/schemas/UserName/examples/0", json!("a".repeat(129))),
        ("/components/schemas/UserName/examples/0", json!("")),
        ("/components/schemas/UnixMs/examples/0", json!(-1)),
        ("/components/examples/INTERNAL/value/timestamp", json!("now")),
        ("/components/examples/INTERNAL/value/success", json!(true)),
        ("/paths/~1api~1wallets/get/parameters/0/schema/default", json!(101)),
    ] {
        let mut document = document();
        *document.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = broken;
        assert!(!wrong_samples(&document).0.is_empty(), "{place}");
    }
    let mut document = document();
    let error = document.pointer_mut("/components/examples/INTERNAL/value").unwrap();
    error.as_object_mut().unwrap().remove("code");
    assert!(!wrong_samples(&document).0.is_empty());
}

/// Returns the fields of the schema `Error` in order.
fn error_fields(document: &Value) -> Vec<&str> {
    let fields = document["components"]["schemas"]["Error"]["properties"].as_object().unwrap();
    fields.keys().map(String::as_str).collect()
}

/// Returns true if the fields have the documented order.
fn in_order<'a>(known: &[&str], fields: impl IntoIterator<Item = &'a str>) -> bool {
    let places = fields.into_iter().map(|name| known.iter().position(|known| *known == name));
    let places: Option<Vec<usize>> = places.collect();
    places.is_some_and(|places| places.is_sorted())
}

#[test]
fn error_fields_have_one_order_everywhere() {
    let document = document();
    let known = error_fields(&document);
    let order = [
        "success",
        "error",
        "code",
        "message",
        "retryAfterSeconds",
        "advice",
        "clientOrderId",
        "reason",
        "limit",
        "exchangeMessage",
        "data",
        "timestamp",
    ];
    assert_eq!(known, order);
    // The committed text has the order that a reader sees.
    let committed: Value = serde_json::from_str(&read(openapi::COMMITTED)).unwrap();
    assert_eq!(error_fields(&committed), order);
    let examples = committed["components"]["examples"].as_object().unwrap();
    assert!(examples.len() > 60);
    for (name, example) in examples {
        let fields = example["value"].as_object().unwrap();
        assert!(in_order(&known, fields.keys().map(String::as_str)), "{name}: {example}");
    }
    for (kind, _, body) in gateway_responses() {
        let fields = body.as_object().unwrap();
        assert!(in_order(&known, fields.keys().map(String::as_str)), "{kind}: {body}");
    }
    assert!(!in_order(&known, ["success", "code", "error"]) && !in_order(&known, ["cause"]));
}

#[test]
fn servers_are_deployment_and_local_stack() {
    let document = document();
    let servers = document["servers"].as_array().unwrap();
    let [deployed, local] = servers.as_slice() else { panic!("{servers:?}") };
    let url = deployed["url"].as_str().unwrap();
    let variables = deployed["variables"].as_object().unwrap();
    let braced = url.split('{').skip(1).map(|part| part.split('}').next().unwrap());
    assert_eq!(braced.collect::<BTreeSet<_>>(), variables.keys().map(String::as_str).collect());
    let mut filled = url.to_owned();
    for (name, variable) in variables {
        let default = variable["default"].as_str().unwrap();
        assert!(!variable["description"].as_str().unwrap().is_empty(), "{name}");
        filled = filled.replace(&format!("{{{name}}}"), default);
    }
    assert_eq!(filled, "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1");
    let stage = Stacks::deployed().main.resource("AWS::Serverless::Api", "Api").properties;
    assert_eq!(variables["stage"]["default"], stage["StageName"]);
    assert_eq!(local["url"], "http://127.0.0.1:3000");
    let default = "#[arg(long, default_value_t = 3000)]";
    assert!(
        read("infra/cli/src/arguments.rs").contains(default),
        "the default port of the local stack"
    );
}
