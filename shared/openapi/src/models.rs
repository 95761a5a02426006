//! The models with which API Gateway validates request bodies before it calls a function: JSON
//! schemas of draft 4, derived from the document.
//!
//! They refuse only bodies that the function would refuse with `BAD_REQUEST`. Faults with texts of
//! the published contract (an absent, null or empty field) or with a field's name (a wrong type)
//! pass on to the function.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Returns the models by the names of their schemas.
///
/// # Errors
/// Never fails for a document of [`crate::document`].
pub fn all() -> Result<BTreeMap<String, Value>, serde_json::Error> {
    let document = serde_json::to_value(crate::document())?;
    let models = by_route(&document).into_values();
    Ok(models.map(|name| (name.clone(), model(&document, &name))).collect())
}

/// Returns the model of each route (a method and a path) that requires a body.
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
        // An empty text counts as a missing field.
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
