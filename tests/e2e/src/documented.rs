//! Compares each response of the API with the OpenAPI document: status, code and fields.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use http::Method;
use serde_json::Value;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(openapi::document()).unwrap_or_default());

/// Returns the document's operations of a path. A literal path takes precedence over a path with a
/// parameter.
fn item(path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object()?;
    let fits = |documented: &str| {
        let (documented, called): (Vec<_>, Vec<_>) =
            (documented.split('/').collect(), path.split('/').collect());
        documented.len() == called.len()
            && documented.iter().zip(&called).all(|(documented, called)| {
                documented == called || documented.starts_with('{') && !called.is_empty()
            })
    };
    paths
        .get(path)
        .or_else(|| paths.iter().find(|(documented, _)| fits(documented)).map(|(_, item)| item))
}

/// Checks a response against the document.
///
/// # Errors
///
/// Names what the document does not contain.
pub fn check(method: &Method, path: &str, status: u16, body: &Value) -> Result<(), String> {
    // Statuses of the gateway and the router, before an operation is selected.
    let early = matches!(status, 401 | 403 | 404 | 405 | 408 | 413 | 429);
    let Some(item) = item(path) else {
        return if early { Ok(()) } else { Err("the document does not have this path".to_owned()) };
    };
    let Some(operation) = item.get(method.as_str().to_lowercase()) else {
        let allowed = *method == Method::HEAD || early && status != 404;
        return if allowed {
            Ok(())
        } else {
            Err("the document does not have this method".to_owned())
        };
    };
    let Some(response) = operation["responses"].get(status.to_string()) else {
        return Err("the document does not have this status".to_owned());
    };
    if response.get("$ref").is_some() {
        // An error response is a shared component. Its description lists the codes of this
        // operation.
        let codes = response["description"].as_str().unwrap_or_default();
        let code = body["code"].as_str().unwrap_or_default();
        if !codes.split(", ").any(|known| known == code) {
            return Err(format!("the document does not have the code {code}"));
        }
    }
    let schema = &resolved(response)["content"]["application/json"]["schema"];
    fields(schema, body)
}

/// Compares an error's fields and their order with the document.
///
/// # Errors
///
/// Returns the first difference.
pub fn check_error(body: &Value) -> Result<(), String> {
    fields(&DOCUMENT["components"]["schemas"]["Error"], body)
}

/// Compares an object's fields and their order, and those of objects in it, with a schema.
fn fields(schema: &Value, body: &Value) -> Result<(), String> {
    let schema = resolved(schema);
    if let Some(forms) = schema["oneOf"].as_array() {
        let mut found = forms.iter().map(|form| fields(form, body));
        return match found.find(|found| found.is_ok()) {
            Some(fits) => fits,
            None => Err("the body fits none of the documented forms".to_owned()),
        };
    }
    let is_free = schema["type"] == "object" && schema.get("properties").is_none();
    if is_free && body.is_object() {
        return Ok(());
    }
    let (mut known, mut required) = (Vec::new(), BTreeSet::new());
    collect(schema, &mut known, &mut required);
    let Some(body) = body.as_object() else {
        return Err("the body is not an object".to_owned());
    };
    if let Some(missing) = required.iter().find(|name| !body.contains_key(**name)) {
        return Err(format!("the field {missing} is missing"));
    }
    // The simulators' crate enables `preserve_order`, so a body has its fields as they arrived.
    let place = |name: &str| known.iter().position(|(field, _)| *field == name);
    if !body.keys().filter_map(|name| place(name)).is_sorted() {
        let names: Vec<&String> = body.keys().collect();
        return Err(format!("the fields have another order: {names:?}"));
    }
    for (name, value) in body {
        let forms: Vec<&Value> =
            known.iter().filter(|(field, _)| field == name).map(|(_, form)| *form).collect();
        // The OpenAPI document itself is the only response without a schema.
        if forms.is_empty() && !body.contains_key("openapi") {
            return Err(format!("the document does not have the field {name}"));
        }
        for form in forms {
            let allowed = form["enum"].as_array();
            if allowed.is_some_and(|allowed| !allowed.contains(value)) {
                return Err(format!("{name} must not be {value}"));
            }
            if value.is_object() {
                fields(form, value)?;
            }
            let items = value.as_array().into_iter().flatten().filter(|item| item.is_object());
            for item in items {
                fields(&form["items"], item)?;
            }
        }
    }
    Ok(())
}

/// Collects the fields of a schema and the required ones.
fn collect<'a>(
    schema: &'a Value,
    known: &mut Vec<(&'a str, &'a Value)>,
    required: &mut BTreeSet<&'a str>,
) {
    let place = schema["$ref"].as_str().and_then(|place| place.strip_prefix('#'));
    if let Some(schema) = place.and_then(|place| DOCUMENT.pointer(place)) {
        collect(schema, known, required);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect(part, known, required);
    }
    let properties = schema["properties"].as_object().into_iter().flatten();
    known.extend(properties.map(|(name, form)| (name.as_str(), resolved(form))));
    required.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
}

fn resolved(form: &Value) -> &Value {
    let place = form["$ref"].as_str().and_then(|place| place.strip_prefix('#'));
    place.and_then(|place| DOCUMENT.pointer(place)).unwrap_or(form)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn error_with_unordered_fields_is_found() {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let good = r#"{"success":false,"error":"","code":"INTERNAL","message":"","timestamp":1}"#;
        assert_eq!(check_error(&read(good)), Ok(()));
        let sorted = r#"{"code":"INTERNAL","error":"","message":"","success":false,"timestamp":1}"#;
        let wrong = check_error(&read(sorted)).unwrap_err();
        assert!(wrong.contains("another order"), "{wrong}");
    }

    #[test]
    fn undocumented_response_is_found() {
        let error = json!({ "success": false, "error": "", "code": "WALLET_NOT_FOUND", "message": "", "timestamp": 1 });
        let wallet = "/api/wallets/user_123";
        let check = |path, status, body: &Value| check(&Method::GET, path, status, body);
        assert_eq!(check(wallet, 404, &error), Ok(()));
        assert!(check("/api/trading/lighter/apikey", 404, &error).is_err());
        for (path, status, field, value) in [
            (wallet, 418, "code", json!("WALLET_NOT_FOUND")),
            (wallet, 404, "code", json!("TEAPOT")),
            (wallet, 404, "success", json!(true)),
            (wallet, 404, "cause", json!("a secret")),
            ("/api/health", 404, "code", json!("WALLET_NOT_FOUND")),
            ("/api/none", 400, "code", json!("WALLET_NOT_FOUND")),
        ] {
            let mut wrong = error.clone();
            wrong[field] = value;
            assert!(check(path, status, &wrong).is_err(), "{path} {status} {field}");
        }
        let mut missing = error;
        missing.as_object_mut().unwrap().shift_remove("timestamp");
        assert!(check(wallet, 404, &missing).is_err());
    }
}
