//! A template as CloudFormation sees it: parameters, conditions and functions worked out, for one
//! imagined account. A resource's `Ref` is its logical name and its `GetAtt` the name with the
//! attribute, so that a permission on `WalletsTable.Arn` reads like one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::yaml;

/// The account's region.
pub(crate) const REGION: &str = "us-east-1";
/// The account's number.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The main stack's name.
pub(crate) const STACK: &str = "hyperdex";

/// A template with values for its parameters.
pub(crate) struct Template {
    body: Value,
    parameters: BTreeMap<String, String>,
}

/// A resource that the conditions let be.
pub(crate) struct Resource {
    /// Its logical name.
    pub(crate) name: String,
    /// It is kept when the stack is deleted, and when another takes its place.
    pub(crate) retained: bool,
    /// Its `Metadata`.
    pub(crate) metadata: Value,
    /// Its `Properties`, worked out.
    pub(crate) properties: Value,
}

/// A number and its text are one to CloudFormation.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

impl Template {
    /// A template with these parameters, and the others' defaults.
    pub(crate) fn new(source: &str, given: &[(&str, &str)]) -> Self {
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

    /// The resources of a type.
    pub(crate) fn resources(&self, kind: &str) -> Vec<Resource> {
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

    /// A resource by type and name.
    pub(crate) fn resource(&self, kind: &str, name: &str) -> Resource {
        let found = self.resources(kind).into_iter().find(|resource| resource.name == name);
        found.unwrap_or_else(|| panic!("the template has no {kind} {name}"))
    }

    /// The types of all resources.
    pub(crate) fn types(&self) -> Vec<String> {
        let all = self.body["Resources"].as_object().unwrap().values();
        all.map(|resource| text(&resource["Type"])).collect()
    }

    /// What SAM's `Globals` say of every function.
    pub(crate) fn globals(&self) -> Value {
        self.resolve(&self.body["Globals"]["Function"]).unwrap()
    }

    /// An output's value.
    pub(crate) fn output(&self, name: &str) -> Option<String> {
        self.resolve(self.body["Outputs"].get(name)?.get("Value")?).map(|value| text(&value))
    }

    /// Works a value out; `None` is `AWS::NoValue`.
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
                assert!(parts.iter().all(plain), "a key is text or a Ref: {argument}");
                let [map, first, second] = [0, 1, 2].map(|index| self.resolve(&parts[index]));
                let found = &self.body["Mappings"][text(&map?)][text(&first?)][text(&second?)];
                assert!(!found.is_null(), "nothing is found in the map: {argument}");
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
            _ => panic!("nobody has taught this test {function} {argument}"),
        }
    }

    /// The descriptions of the assertions of `Rules` that these parameters do not meet.
    pub(crate) fn refusals(&self) -> Vec<String> {
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

    /// The value of a parameter, a pseudo parameter, a resource or an attribute.
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

#[test]
fn functions_and_conditions_are_worked_out() {
    let source = "
Parameters: { Size: { Type: Number, Default: 0 }, Net: { Type: String, Default: test } }
Mappings: { Net: { test: { Url: t }, main: { Url: m } } }
Conditions:
  Big: !Not [!Equals [!Ref Size, 0]]
  Both: !And [!Condition Big, !Equals [!Ref Net, main]]
Resources:
  Table:
    Type: T
    Properties: { Url: !FindInMap [Net, !Ref Net, Url], Key: !GetAtt Key.Arn, No: !Ref AWS::NoValue }
  Key: { Type: K, Condition: Both, Properties: { Name: !Sub '${AWS::StackName}-${Table.Arn}!' } }
";
    let small = Template::new(source, &[]);
    assert_eq!(small.resource("T", "Table").properties, json!({ "Url": "t", "Key": "Key.Arn" }));
    assert!(small.resources("K").is_empty());
    let big = Template::new(source, &[("Size", "1"), ("Net", "main")]);
    assert_eq!(big.resource("T", "Table").properties["Url"], "m");
    assert_eq!(big.resource("K", "Key").properties["Name"], "hyperdex-Table.Arn!");
}

#[test]
#[should_panic(expected = "a key is text or a Ref")]
fn map_key_of_another_function_is_refused() {
    let source = "
Parameters: {}
Mappings: { Net: { test: { Url: t } } }
Resources: { Table: { Type: T, Properties: { Url: !FindInMap [Net, !Sub test, Url] } } }
";
    Template::new(source, &[]).resource("T", "Table");
}

/// Aster's network follows, unless the parameter names another.
#[test]
fn aster_network_follows_unless_it_is_set() {
    for (exchanges, aster, chain) in [
        ("testnet", "", "Testnet"),
        ("mainnet", "", "Mainnet"),
        ("testnet", "mainnet", "Mainnet"),
        ("mainnet", "testnet", "Testnet"),
    ] {
        let given = [("ExchangeEnvironment", exchanges), ("AsterEnvironment", aster)];
        let stacks = crate::stacks::Sources::new().deploy(&given);
        for function in ["register-aster", "cosigner"] {
            let variables = stacks.function(function).variables();
            assert_eq!(variables["ASTER_CHAIN"], chain, "{function} {given:?}");
        }
    }
}

#[test]
fn contradicting_parameters_are_refused() {
    let main = crate::read(crate::stacks::MAIN);
    let refusals = |given: &[(&str, &str)]| Template::new(&main, given).refusals();
    let elsewhere = ("CosignerArn", "arn:aws:lambda:eu-west-1:123456789012:function:cosigner");
    let topic = ("AlarmTopicArn", "arn:aws:sns:eu-west-1:123456789012:alarms");
    for given in [&[][..], &[elsewhere], &[topic], &[("AlarmEmail", "a@example.com")]] {
        assert!(refusals(given).is_empty(), "{given:?}: {:?}", refusals(given));
    }
    for (given, named) in [
        ([topic, ("AlarmEmail", "a@example.com")], "AlarmEmail"),
        ([elsewhere, ("CosignerPolicy", "{}")], "CosignerPolicy"),
        ([elsewhere, ("CosignerReservedConcurrency", "5")], "CosignerReservedConcurrency"),
    ] {
        let found = refusals(&given);
        assert!(found.len() == 1 && found[0].starts_with(named), "{given:?}: {found:?}");
    }
}
