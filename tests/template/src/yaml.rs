//! Converts a template's YAML to JSON and expands CloudFormation's short tags: `!Ref X` becomes
//! `{"Ref": "X"}`, and `!Sub X` becomes `{"Fn::Sub": "X"}`.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// Reads one document. A duplicate key is an error.
pub fn parse(text: &str) -> Value {
    let documents = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("YAML: {error}"));
    let [document] = documents.as_slice() else { panic!("{} documents", documents.len()) };
    value(document)
}

fn value(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(scalar) => match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(truth) => json!(truth),
            Scalar::Integer(number) => json!(number),
            Scalar::FloatingPoint(number) => json!(number.0),
            Scalar::String(text) => json!(text),
        },
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(entries) => {
            let entries = entries.iter().map(|(key, entry)| {
                let Yaml::Value(Scalar::String(key)) = key else {
                    panic!("expected a text key: {key:?}")
                };
                (key.to_string(), value(entry))
            });
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Yaml::Tagged(tag, node) => {
            assert_eq!(tag.handle, "!", "{tag:?}");
            let name = match tag.suffix.as_str() {
                short @ ("Ref" | "Condition") => short.to_owned(),
                short => format!("Fn::{short}"),
            };
            json!({ name: value(node) })
        }
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => panic!("YAML: {node:?}"),
    }
}
