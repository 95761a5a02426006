//! Evaluates a template as CloudFormation does, with parameters, conditions and functions, for one
//! imaginary account. The `Ref` of a resource is its logical name, and `GetAtt` is that name with
//! the attribute, so a permission on `WalletsTable.Arn` reads like one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::yaml;

/// The region of the account.
pub const REGION: &str = "us-east-1";
/// The number of the account.
pub const ACCOUNT: &str = "123456789012";
/// The name of the main stack.
pub const STACK: &str = "hyperdex";

/// A template with values for its parameters.
pub struct Template {
    body: Value,
    parameters: BTreeMap<String, String>,
}

/// A resource whose conditions are true.
pub struct Resource {
    /// The logical name.
    pub name: String,
    /// True if the resource is kept when the stack is deleted and when the resource is replaced.
    pub retained: bool,
    /// The `Metadata`.
    pub metadata: Value,
    /// The evaluated `Properties`.
    pub properties: Value,
}

/// CloudFormation treats a number and its text as equal.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

impl Template {
    /// Creates a template with these parameters and the defaults of the others.
    pub fn new(source: &str, given: &[(&str, &str)]) -> Self {
        let body = yaml::parse(source);
        let declared = body["Parameters"].as_object().unwrap();
        for (name, _) in given {
            assert!(declared.contains_key(*name), "the template has no parameter {name}");
        }
        let parameters = declared.iter().map(|(name, parameter)| {
            let given = given.iter().find(|(known, _)| known == name);
            let value = given.map(|(_, value)| (*value).to_owned());
            let value = value.or_else(|| parameter.get("Default").map(text));
            (name.clone(), value.unwrap_or_else(|| panic!("the parameter {name} has no value")))
        });
        Self { parameters: parameters.collect(), body }
    }

    /// Returns the resources of a type.
    pub fn resources(&self, kind: &str) -> Vec<Resource> {
        let all = self.body["Resources"].as_object().unwrap().iter();
        let chosen =
            all.filter(|(_, resource)| resource["Type"] == kind).filter(|(_, resource)| {
                resource["Condition"].as_str().is_none_or(|condition| self.holds(condition))
            });
        let resources = chosen.map(|(name, resource)| Resource {
            name: name.clone(),
            retained: ["Retain", "RetainExceptOnCreate"]
                .iter()
                .any(|policy| resource["DeletionPolicy"] == *policy)
                && resource["UpdateReplacePolicy"] == "Retain",
            metadata: resource["Metadata"].clone(),
            properties: self.resolve(&resource["Properties"]).unwrap(),
        });
        resources.collect()
    }

    /// Returns a resource by type and name.
    pub fn resource(&self, kind: &str, name: &str) -> Resource {
        let found = self.resources(kind).into_iter().find(|resource| resource.name == name);
        found.unwrap_or_else(|| panic!("the template has no {kind} {name}"))
    }

    /// Returns the types of all resources.
    pub fn types(&self) -> Vec<String> {
        let all = self.body["Resources"].as_object().unwrap().values();
        all.map(|resource| text(&resource["Type"])).collect()
    }

    /// Returns the properties that SAM's `Globals` set for every function.
    pub fn globals(&self) -> Value {
        self.resolve(&self.body["Globals"]["Function"]).unwrap()
    }

    /// Returns the value of an output.
    pub fn output(&self, name: &str) -> Option<String> {
        self.resolve(self.body["Outputs"].get(name)?.get("Value")?).map(|value| text(&value))
    }

    /// Evaluates a value. `None` means `AWS::NoValue`.
    fn resolve(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Object(entries) if entries.len() == 1 => {
                let (name, argument) = entries.iter().next()?;
                match name.as_str() {
                    "Ref" => return self.named(argument.as_str()?).map(Value::String),
                    "Condition" if argument.is_string() => {
                        return Some(json!(self.holds(argument.as_str()?)));
                    }
                    function if function.starts_with("Fn::") => {
                        return self.call(function, argument);
                    }
                    _ => {}
                }
                Some(self.entries(entries))
            }
            Value::Object(entries) => Some(self.entries(entries)),
            Value::Array(items) => {
                Some(items.iter().filter_map(|item| self.resolve(item)).collect())
            }
            plain => Some(plain.clone()),
        }
    }

    fn entries(&self, entries: &serde_json::Map<String, Value>) -> Value {
        let kept =
            entries.iter().filter_map(|(key, entry)| Some((key.clone(), self.resolve(entry)?)));
        Value::Object(kept.collect())
    }

    fn call(&self, function: &str, argument: &Value) -> Option<Value> {
        match (function, argument) {
            ("Fn::If", Value::Array(parts)) => {
                let chosen = if self.holds(parts[0].as_str()?) { 1 } else { 2 };
                self.resolve(&parts[chosen])
            }
            ("Fn::GetAtt", Value::String(name)) => self.named(name).map(Value::String),
            ("Fn::Select", Value::Array(parts)) => {
                let index = usize::try_from(parts[0].as_u64()?).ok()?;
                self.resolve(&parts[1])?.get(index).cloned()
            }
            ("Fn::Sub", Value::String(pattern)) => Some(json!(self.substituted(pattern))),
            ("Fn::FindInMap", Value::Array(parts)) => {
                let plain = |part: &Value| part.is_string() || part.get("Ref").is_some();
                assert!(parts.iter().all(plain), "a map key must be text or a Ref: {argument}");
                let [map, first, second] = [0, 1, 2].map(|index| self.resolve(&parts[index]));
                let found = &self.body["Mappings"][text(&map?)][text(&first?)][text(&second?)];
                assert!(!found.is_null(), "the map does not have this key: {argument}");
                Some(found.clone())
            }
            ("Fn::Equals", Value::Array(parts)) => {
                let [left, right] = [0, 1].map(|index| self.resolve(&parts[index]));
                Some(json!(text(&left?) == text(&right?)))
            }
            ("Fn::Not", Value::Array(parts)) => {
                Some(json!(self.resolve(&parts[0])? != Value::Bool(true)))
            }
            ("Fn::And", Value::Array(parts)) => {
                let all = parts.iter().all(|part| self.resolve(part) == Some(Value::Bool(true)));
                Some(json!(all))
            }
            ("Fn::Or", Value::Array(parts)) => {
                let any = parts.iter().any(|part| self.resolve(part) == Some(Value::Bool(true)));
                Some(json!(any))
            }
            _ => panic!("the function {function} is not supported here: {argument}"),
        }
    }

    /// Returns the descriptions of the failed assertions in `Rules`.
    pub fn refusals(&self) -> Vec<String> {
        let met = |condition: &Value| self.resolve(condition) == Some(Value::Bool(true));
        let rules = self.body["Rules"].as_object().into_iter().flatten();
        let applies = rules.filter(|(_, rule)| rule.get("RuleCondition").is_none_or(met));
        let assertions = applies.flat_map(|(_, rule)| rule["Assertions"].as_array().unwrap());
        let failed = assertions.filter(|assertion| !met(&assertion["Assert"]));
        failed.map(|assertion| text(&assertion["AssertDescription"])).collect()
    }

    fn holds(&self, condition: &str) -> bool {
        let stated = &self.body["Conditions"][condition];
        assert!(!stated.is_null(), "the template has no condition {condition}");
        self.resolve(stated) == Some(Value::Bool(true))
    }

    /// Returns the value of a parameter, a pseudo parameter, a resource or an attribute.
    fn named(&self, name: &str) -> Option<String> {
        if let Some(value) = self.parameters.get(name) {
            return Some(value.clone());
        }
        Some(match name {
            "AWS::NoValue" => return None,
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::Region" => REGION.to_owned(),
            "AWS::StackName" => STACK.to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            _ => {
                let resource = name.split('.').next()?;
                let known = self.body["Resources"].get(resource).is_some();
                assert!(known, "the template has no {name}");
                name.to_owned()
            }
        })
    }

    fn substituted(&self, pattern: &str) -> String {
        let mut parts = pattern.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap();
            whole.push_str(&self.named(name).unwrap());
            whole.push_str(rest);
        }
        whole
    }
}
