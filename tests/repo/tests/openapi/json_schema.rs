//! Implements the part of JSON Schema that the OpenAPI document uses. An unknown keyword panics.

use regex_lite::Regex;
use serde_json::Value;

/// Returns the first difference between a value and a schema of the document.
pub(super) fn mismatch(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let schema = schema.as_object().unwrap();
    for (keyword, rule) in schema {
        let fits = match keyword.as_str() {
            "$ref" => {
                let place = rule.as_str().unwrap().strip_prefix('#').unwrap();
                let found = mismatch(document, document.pointer(place).unwrap(), value);
                if found.is_some() {
                    return found;
                }
                true
            }
            "type" => has_type(rule, value),
            "enum" => rule.as_array().unwrap().contains(value),
            "pattern" => {
                fits_text(value, |text| Regex::new(rule.as_str().unwrap()).unwrap().is_match(text))
            }
            "minLength" => {
                fits_text(value, |text| text.chars().count() as u64 >= rule.as_u64().unwrap())
            }
            "maxLength" => {
                fits_text(value, |text| text.chars().count() as u64 <= rule.as_u64().unwrap())
            }
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
            "minItems" => fits_list(value, |list| list.len() as u64 >= rule.as_u64().unwrap()),
            "maxItems" => fits_list(value, |list| list.len() as u64 <= rule.as_u64().unwrap()),
            "uniqueItems" => {
                fits_list(value, |list| (1..list.len()).all(|at| !list[..at].contains(&list[at])))
            }
            "items" => {
                let mut items = value.as_array().into_iter().flatten();
                let found = items.find_map(|item| mismatch(document, rule, item));
                if found.is_some() {
                    return found;
                }
                true
            }
            "required" => value.as_object().is_none_or(|fields| {
                rule.as_array()
                    .unwrap()
                    .iter()
                    .all(|name| fields.contains_key(name.as_str().unwrap()))
            }),
            "properties" => {
                let mut fields = value.as_object().into_iter().flatten();
                let found = fields.find_map(|(name, field)| {
                    rule.get(name).and_then(|form| mismatch(document, form, field))
                });
                if found.is_some() {
                    return found;
                }
                true
            }
            "additionalProperties" => {
                assert_eq!(rule, false);
                let known = &schema["properties"];
                value
                    .as_object()
                    .is_none_or(|fields| fields.keys().all(|name| known.get(name).is_some()))
            }
            "allOf" => rule
                .as_array()
                .unwrap()
                .iter()
                .all(|part| mismatch(document, part, value).is_none()),
            "oneOf" => {
                let parts = rule.as_array().unwrap().iter();
                parts.filter(|part| mismatch(document, part, value).is_none()).count() == 1
            }
            "description" | "examples" | "default" => true,
            "format" => matches!(rule.as_str().unwrap(), "int32" | "int64"),
            other => panic!("{other} is not implemented here"),
        };
        if !fits {
            return Some(format!("{value} does not match {keyword}: {rule}"));
        }
    }
    None
}

fn has_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is not implemented here"),
    };
    match rule {
        Value::Array(names) => names.iter().any(is),
        name => is(name),
    }
}

fn fits_text(value: &Value, fits: impl Fn(&str) -> bool) -> bool {
    value.as_str().is_none_or(fits)
}

fn fits_list(value: &Value, fits: impl Fn(&[Value]) -> bool) -> bool {
    value.as_array().is_none_or(|list| fits(list))
}
