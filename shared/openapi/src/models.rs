//! What API Gateway holds a request's body against before it calls a function: models in JSON schema
//! draft 4, derived from the document.
//!
//! They refuse only what the function would refuse with `BAD_REQUEST`. What it answers in words of
//! the published contract (a field that is absent, null or empty), or by the name of a field (a wrong
//! type), passes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The models by the names of the schemas that they are of.
///
/// # Errors
/// Never with a document of [`crate::document`].
pub fn all() -> Result<BTreeMap<String, Value>, serde_json::Error> {
    let document = serde_json::to_value(crate::document())?;
    let models = by_route(&document).into_values();
    Ok(models.map(|name| (name.clone(), model(&document, &name))).collect())
}

/// The model of each route, a method and a path, that must have a body.
#[must_use]
pub fn by_route(document: &Value) -> BTreeMap<(String, String), String> {
    let mut models = BTreeMap::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let body = &operation["requestBody"];
            let schema = body.pointer("/content/application~1json/schema/$ref");
            let name = schema.and_then(Value::as_str).and_then(|place| place.rsplit('/').next());
            if let Some(name) = name.filter(|_| body["required"] == true) {
                models.insert((method.to_uppercase(), path.clone()), name.to_owned());
            }
        }
    }
    models
}

fn model(document: &Value, name: &str) -> Value {
    let schema = &document["components"]["schemas"][name];
    let mut properties = Map::new();
    for (field, of) in schema["properties"].as_object().into_iter().flatten() {
        let place = of["$ref"].as_str().and_then(|place| place.strip_prefix('#'));
        let form = place.and_then(|place| document.pointer(place)).unwrap_or(of);
        let mut kept = Map::new();
        if let Some(most) = form.get("maxLength") {
            kept.insert("maxLength".to_owned(), most.clone());
        }
        // The empty text is a field that is missing.
        let pattern = form["pattern"].as_str().and_then(|pattern| pattern.strip_suffix("+$"));
        if let Some(pattern) = pattern {
            kept.insert("pattern".to_owned(), json!(format!("{pattern}*$")));
        }
        if !kept.is_empty() {
            properties.insert(field.clone(), Value::Object(kept));
        }
    }
    json!({ "type": "object", "properties": properties })
}
