//! The subset of OpenAPI that the document uses: validation against a schema, and samples.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

pub(crate) struct Document(Value);

/// An operation of the document.
pub(crate) struct Operation<'a> {
    pub(crate) id: &'a str,
    pub(crate) method: String,
    pub(crate) path: &'a str,
    pub(crate) value: &'a Value,
}

impl<'a> Operation<'a> {
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'a Value> {
        self.value["parameters"].as_array().into_iter().flatten()
    }

    pub(crate) fn parameter(&self, place: &str, name: &str) -> Option<&'a Value> {
        self.parameters().find(|one| one["in"] == place && one["name"] == name)
    }

    /// Returns the schemas of its responses with a matching status.
    pub(crate) fn answers(&self, is: impl Fn(u16) -> bool) -> Vec<(u16, &'a Value)> {
        let answers = self.value["responses"].as_object().unwrap().iter();
        let answers = answers.map(|(status, answer)| {
            (status.parse().unwrap(), &answer["content"]["application/json"]["schema"])
        });
        answers.filter(|(status, _)| is(*status)).collect()
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.chars().all(|it| it.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

fn is_order_name(text: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    !text.is_empty() && text.chars().all(allowed)
}

/// Returns the characters that a pattern allows, and a matching text.
fn pattern(pattern: &str) -> (fn(&str) -> bool, String) {
    fn hex(text: &str, digits: usize) -> bool {
        text.len() == digits && text.chars().all(|letter| letter.is_ascii_hexdigit())
    }
    match pattern {
        "^[A-Za-z0-9_.:@|-]+$" => (
            |text| {
                let allowed =
                    |letter: char| letter.is_ascii_alphanumeric() || "_.:@|-".contains(letter);
                !text.is_empty() && text.chars().all(allowed)
            },
            "user_123".to_owned(),
        ),
        "^[!-~]+$" => (
            |text| !text.is_empty() && text.chars().all(|letter| letter.is_ascii_graphic()),
            "key".to_owned(),
        ),
        "^[A-Za-z0-9_-]{56}$" => (
            |text| {
                let allowed =
                    |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
                text.len() == 56 && text.chars().all(allowed)
            },
            "c".repeat(56),
        ),
        "^0x[0-9a-fA-F]{40}$" => (
            |text| text.strip_prefix("0x").is_some_and(|text| hex(text, 40)),
            format!("0x{}", "aB".repeat(20)),
        ),
        "^0x[0-9a-f]{64}$" => (
            |text| text.strip_prefix("0x").is_some_and(|text| hex(text, 64)),
            format!("0x{}", "ab".repeat(32)),
        ),
        "^04[0-9a-f]{128}$" => (
            |text| text.strip_prefix("04").is_some_and(|text| hex(text, 128)),
            format!("04{}", "ab".repeat(64)),
        ),
        "^0x[0-9a-f]{128}(1b|1c)$" => (
            |text| text.strip_prefix("0x").is_some_and(|text| hex(text, 130)),
            format!("0x{}1b", "ab".repeat(64)),
        ),
        "^[A-Z][A-Z0-9_]+$" => (|text| text.len() > 1, "INTERNAL".to_owned()),
        r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$" => {
            (|text| text.len() == 20, "2025-11-27T02:00:00Z".to_owned())
        }
        "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" => {
            (|text| text.len() == 36, "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a".to_owned())
        }
        "^[^\\s#]+$" => (
            |text| !text.is_empty() && !text.contains(char::is_whitespace) && !text.contains('#'),
            "https://hooks.example.com/hyperdex".to_owned(),
        ),
        "^whsec_[A-Za-z0-9+/]{43}=$" => (
            |text| text.len() == 50 && text.starts_with("whsec_"),
            format!("whsec_{}=", "k".repeat(43)),
        ),
        "^evt_[0-9a-f]{36}$" => (
            |text| text.strip_prefix("evt_").is_some_and(|text| hex(text, 36)),
            format!("evt_{}", "ab".repeat(18)),
        ),
        "^[A-Za-z0-9_-]+$" => (
            |text| {
                let allowed =
                    |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
                !text.is_empty() && text.chars().all(allowed)
            },
            "cursor".to_owned(),
        ),
        "^hdxk[0-9a-f]{64}$" => (
            |text| text.strip_prefix("hdxk").is_some_and(|text| hex(text, 64)),
            format!("hdxk{}", "ab".repeat(32)),
        ),
        "^[^\\s\\x00-\\x1f\\x7f-\\x9f]{1,40}$" => (
            |text| {
                let allowed = |letter: char| !letter.is_whitespace() && !letter.is_control();
                (1..=40).contains(&text.chars().count()) && text.chars().all(allowed)
            },
            "BTCUSDT".to_owned(),
        ),
        "^[0-9]{1,15}(\\.[0-9]{1,12})?$" => (is_decimal, "0.001".to_owned()),
        "^[0-9]+(\\.[0-9]+)?$" => (is_decimal, "49850.00".to_owned()),
        "^-?[0-9]+(\\.[0-9]+)?$" => {
            (|text| is_decimal(text.strip_prefix('-').unwrap_or(text)), "-49850.00".to_owned())
        }
        "^[0-9]{1,13}$" => (
            |text| {
                (1..=13).contains(&text.len()) && text.chars().all(|letter| letter.is_ascii_digit())
            },
            "1730869356000".to_owned(),
        ),
        "^[0-9]*[A-Za-z._-][A-Za-z0-9._-]*$" => (
            |text| is_order_name(text) && !text.chars().all(|letter| letter.is_ascii_digit()),
            "bot-17".to_owned(),
        ),
        "^[A-Za-z0-9._-]+$" => (is_order_name, "12345".to_owned()),
        "^[A-Za-z0-9._-]{1,64}$" => {
            (|text| is_order_name(text) && text.len() <= 64, "p-1".to_owned())
        }
        "^[0-9a-f]{64}$" => (|text| hex(text, 64), "ab".repeat(32)),
        "^[0-9a-f]+$" => (|text| hex(text, text.len()), "3006".to_owned()),
        "^[a-z0-9-]+$" => (|text| !text.is_empty(), "alice".to_owned()),
        "^(hyperliquid|aster|evm:[1-9][0-9]*)$" => (|text| !text.is_empty(), "evm:56".to_owned()),
        "^(hyperliquid|aster|evm:[1-9][0-9]*)/[A-Za-z0-9.:_-]{1,40}$" => {
            (|text| text.contains('/'), "evm:56/USDT".to_owned())
        }
        "^(0|[1-9][0-9]{0,19})(\\.[0-9]{0,17}[1-9])?$" => (is_decimal, "1000.5".to_owned()),
        "" => (|_| true, "a text".to_owned()),
        other => panic!("this file does not support the pattern {other}"),
    }
}

impl Document {
    pub(crate) fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        Self(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        paths.flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, value)| Operation {
                id: value["operationId"].as_str().unwrap(),
                method: method.to_uppercase(),
                path,
                value,
            })
        })
    }

    /// Finds the operation of a request. A literal path takes precedence over one with parameters.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let fits = |stated: &str| {
            let parts = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
            let (stated, called) = (parts(stated), parts(path));
            let same = |(stated, called): (&String, &String)| {
                stated == called || stated.starts_with('{') && !called.is_empty()
            };
            stated.len() == called.len() && stated.iter().zip(&called).all(same)
        };
        let paths = self.0["paths"].as_object().unwrap();
        let stated = paths.keys().find(|stated| *stated == path);
        let stated = stated.or_else(|| paths.keys().find(|stated| fits(stated)))?;
        self.operations().find(|one| one.path == stated && one.method == method)
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            None => schema,
            Some(place) => self.0.pointer(place.trim_start_matches('#')).unwrap(),
        }
    }

    /// Returns the status and body of each error example. A component has the errors of several
    /// operations; the reference to it lists the codes of this one.
    pub(crate) fn errors(&self, operation: &Operation<'_>) -> Vec<(u16, Value)> {
        let mut errors = Vec::new();
        for (status, codes, answer) in self.refusals(operation) {
            let examples = answer["content"]["application/json"]["examples"].as_object();
            for example in examples.into_iter().flat_map(Map::values) {
                let body = self.resolved(example)["value"].clone();
                if codes.contains(body["code"].as_str().unwrap()) {
                    errors.push((status, body));
                }
            }
        }
        errors
    }

    /// Returns the status, codes and component of each error response.
    fn refusals<'a>(
        &'a self,
        operation: &Operation<'a>,
    ) -> Vec<(u16, BTreeSet<String>, &'a Value)> {
        let answers = operation.value["responses"].as_object().unwrap().iter();
        let errors = answers.filter(|(status, _)| status.parse::<u16>().unwrap() >= 400);
        let errors = errors.map(|(status, answer)| {
            let codes = answer["description"].as_str().unwrap().split(", ").map(str::to_owned);
            (status.parse().unwrap(), codes.collect(), self.resolved(answer))
        });
        errors.collect()
    }

    /// Returns the codes of all operations.
    pub(crate) fn codes(&self) -> BTreeSet<String> {
        let mut codes = BTreeSet::new();
        for operation in self.operations() {
            codes.extend(self.refusals(&operation).into_iter().flat_map(|(_, codes, _)| codes));
        }
        codes
    }

    /// Checks that a value matches a schema, without fields that the schema does not name.
    pub(crate) fn fits(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = self.resolved(schema);
        let no = |why: &str| Err(format!("{value} {why}: {schema}"));
        if let Some(any) = schema["oneOf"].as_array() {
            let fits = any.iter().any(|schema| self.fits(schema, value).is_ok());
            return if fits { Ok(()) } else { no("matches none of") };
        }
        let kinds = match &schema["type"] {
            Value::Array(kinds) => kinds.clone(),
            kind => vec![kind.clone()],
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if !kinds.contains(&json!(kind)) {
            return no("has another type");
        }
        if let Some(words) = schema["enum"].as_array().filter(|_| !value.is_null()) {
            return if words.contains(value) { Ok(()) } else { no("is not in the enum") };
        }
        match value {
            Value::Array(list) => {
                let length = list.len() as u64;
                let fits = schema["minItems"].as_u64().is_none_or(|least| length >= least)
                    && schema["maxItems"].as_u64().is_none_or(|most| length <= most);
                if !fits {
                    return no("has too few or too many items");
                }
                list.iter().try_for_each(|one| self.fits(&schema["items"], one))
            }
            Value::String(text) => {
                let length = text.chars().count() as u64;
                let within = |name: &str, holds: &dyn Fn(u64) -> bool| {
                    schema[name].as_u64().is_none_or(holds)
                };
                let matches =
                    schema["pattern"].as_str().is_none_or(|stated| pattern(stated).0(text));
                let fits = matches
                    && within("maxLength", &|most| length <= most)
                    && within("minLength", &|least| length >= least);
                if fits { Ok(()) } else { no("does not match the pattern") }
            }
            Value::Number(number) => {
                let number = number.as_u64().unwrap();
                let fits = schema["maximum"].as_u64().is_none_or(|most| number <= most)
                    && schema["minimum"].as_u64().is_none_or(|least| number >= least);
                if fits { Ok(()) } else { no("is out of bounds") }
            }
            Value::Object(fields) => {
                let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
                for name in schema["required"].as_array().into_iter().flatten() {
                    if !fields.contains_key(name.as_str().unwrap()) {
                        return no("lacks a required field");
                    }
                }
                for (name, value) in fields {
                    let Some(form) = properties.get(name) else {
                        return no("has an unknown field");
                    };
                    self.fits(form, value)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Returns samples of a schema. The first has every field. In the others, each optional field
    /// is omitted once, and each alternative value occurs.
    pub(crate) fn samples(&self, schema: &Value) -> Vec<Value> {
        let schema = self.resolved(schema);
        if let Some(values) = schema["enum"].as_array() {
            return values.clone();
        }
        if let Some(any) = schema["oneOf"].as_array() {
            return any.iter().flat_map(|schema| self.samples(schema)).collect();
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let parts: Vec<Vec<Value>> = parts.iter().map(|part| self.samples(part)).collect();
            return together(&parts);
        }
        if let Some(kinds) = schema["type"].as_array() {
            let of = |kind: &Value| {
                let mut one = schema.clone();
                one["type"] = kind.clone();
                self.samples(&one)
            };
            return kinds.iter().flat_map(of).collect();
        }
        match schema["type"].as_str().unwrap() {
            "boolean" => vec![json!(true), json!(false)],
            "integer" if schema["format"] == "int32" => vec![json!(410)],
            "integer" => vec![json!(1_762_765_034_479_u64)],
            "null" => vec![Value::Null],
            "string" => {
                let of_pattern = schema["pattern"].as_str().map(|stated| pattern(stated).1);
                vec![json!(of_pattern.unwrap_or_else(|| "a text".to_owned()))]
            }
            "array" => vec![Value::Array(self.samples(&schema["items"])), json!([])],
            "object" => self.objects(schema),
            other => panic!("this file does not support the type {other}"),
        }
    }

    fn objects(&self, schema: &Value) -> Vec<Value> {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let mut full = Map::new();
        let mut others = Vec::new();
        for (name, form) in schema["properties"].as_object().into_iter().flatten() {
            let mut samples = self.samples(form).into_iter();
            full.insert(name.clone(), samples.next().unwrap());
            let may_lack = !required.contains(&json!(name));
            // An optional field that would be null or an empty list is omitted.
            let is_nothing = |sample: &Value| sample.is_null() || *sample == json!([]);
            let others_of = samples.filter(|sample| !(may_lack && is_nothing(sample)));
            others.extend(others_of.map(|sample| (name.clone(), Some(sample))));
            if may_lack {
                others.push((name.clone(), None));
            }
        }
        let changed = others.into_iter().map(|(name, sample)| {
            let mut fields = full.clone();
            match sample {
                Some(sample) => fields.insert(name, sample),
                None => fields.remove(&name),
            };
            Value::Object(fields)
        });
        let mut all: Vec<Value> = changed.collect();
        all.insert(0, Value::Object(full));
        all
    }
}

/// Combines the samples of all parts of an `allOf`, each sample once.
fn together(parts: &[Vec<Value>]) -> Vec<Value> {
    let mut all = Vec::new();
    for (index, samples) in parts.iter().enumerate() {
        for (number, _) in
            samples.iter().enumerate().filter(|(number, _)| index == 0 || *number > 0)
        {
            let mut fields = Map::new();
            for (other, samples) in parts.iter().enumerate() {
                let chosen = if other == index { number } else { 0 };
                fields.extend(samples[chosen].as_object().unwrap().clone());
            }
            all.push(Value::Object(fields));
        }
    }
    all
}
