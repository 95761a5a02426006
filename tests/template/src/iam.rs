//! Evaluates permissions as IAM does: a call is allowed if a statement allows it and none denies
//! it. It supports the features that the templates use and fails on any other one.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::cloudformation::Template;

/// A call of a function, as IAM evaluates it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Call {
    /// The package of the calling function.
    pub function: String,
    /// The action, as IAM names it.
    pub action: String,
    /// The attribute of the resource that a policy names.
    pub resource: String,
    /// The condition keys of the call.
    pub context: BTreeMap<String, String>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)?;
        for (key, value) in &self.context {
            let key = key.trim_start_matches("kms:").trim_start_matches("EncryptionContext:");
            write!(f, " {key}={value}")?;
        }
        Ok(())
    }
}

/// One entry of a statement's `Condition`.
#[derive(Clone, Debug)]
pub struct Condition {
    operator: String,
    /// The condition key.
    pub key: String,
    /// The accepted values.
    pub values: Vec<String>,
}

impl Condition {
    fn holds(&self, context: &BTreeMap<String, String>) -> bool {
        let value = context.get(&self.key);
        match self.operator.as_str() {
            "StringEquals" | "ArnEquals" => value.is_some_and(|value| self.accepts(value)),
            // Commas separate the values of a call, such as the attributes that it names.
            "ForAllValues:StringEquals" => {
                value.is_some_and(|all| all.split(',').all(|value| self.accepts(value)))
            }
            "ForAnyValue:StringEquals" => {
                value.is_some_and(|all| all.split(',').any(|value| self.accepts(value)))
            }
            // Every call has one value here.
            "ForAllValues:StringLike" | "ForAnyValue:StringLike" => {
                value.is_some_and(|value| self.values.iter().any(|like| is_like(like, value)))
            }
            "Null" => self.values == [value.is_none().to_string()],
            other => panic!("the operator {other} is not supported here"),
        }
    }

    fn accepts(&self, value: &str) -> bool {
        self.values.iter().any(|accepted| accepted == value)
    }
}

/// Matches a pattern in which `*` matches any text.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.any(|at| is_like(rest, &text[at..]))
        }),
    }
}

/// One statement of a policy.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The name of the statement.
    pub sid: String,
    /// True for `Allow`, false for `Deny`.
    pub allows: bool,
    /// The actions.
    pub actions: Vec<String>,
    /// The resources.
    pub resources: Vec<String>,
    /// The conditions, all of which must be true.
    pub conditions: Vec<Condition>,
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(list).collect(),
        Value::String(text) => vec![text.clone()],
        other => panic!("expected a name or a list of names: {other}"),
    }
}

impl Statement {
    /// Reads a statement.
    pub fn read(statement: &Value) -> Self {
        let fields = statement.as_object().unwrap();
        for field in fields.keys() {
            let known = ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"];
            assert!(known.contains(&field.as_str()), "the field {field} is not supported here");
        }
        let operators = fields.get("Condition").and_then(Value::as_object).into_iter().flatten();
        let conditions = operators.flat_map(|(operator, keys)| {
            keys.as_object().unwrap().iter().map(|(key, values)| Condition {
                operator: operator.clone(),
                key: key.clone(),
                values: list(values),
            })
        });
        Self {
            sid: statement["Sid"].as_str().unwrap_or_default().to_owned(),
            allows: statement["Effect"] == "Allow",
            actions: list(&statement["Action"]),
            resources: list(&statement["Resource"]),
            conditions: conditions.collect(),
        }
    }

    /// Returns true if the statement applies to this call. The principal is ignored.
    pub fn covers(&self, call: &Call) -> bool {
        let action = |action: &String| match action.strip_suffix('*') {
            Some(start) => call.action.starts_with(start),
            None => *action == call.action,
        };
        self.actions.iter().any(action)
            && self.resources.iter().any(|name| *name == call.resource || name == "*")
            && self.conditions.iter().all(|condition| condition.holds(&call.context))
    }

    /// Returns one statement for each single action, resource and condition value. A single value
    /// of those that a call can name together applies to the calls that name it.
    pub fn narrowed(&self) -> Vec<Self> {
        let mut all = vec![self.clone()];
        all = split(
            &all,
            |one| one.actions.len(),
            |one, index| {
                one.actions = vec![one.actions[index].clone()];
            },
        );
        all = split(
            &all,
            |one| one.resources.len(),
            |one, index| {
                one.resources = vec![one.resources[index].clone()];
            },
        );
        for condition in 0..self.conditions.len() {
            all = split(
                &all,
                |one| one.conditions[condition].values.len(),
                |one, index| {
                    let narrow = &mut one.conditions[condition];
                    narrow.values = vec![narrow.values[index].clone()];
                    if narrow.operator == "ForAllValues:StringEquals" {
                        narrow.operator = "ForAnyValue:StringEquals".to_owned();
                    }
                },
            );
        }
        all
    }

    /// Returns the first value that the condition on a key accepts.
    pub fn asks(&self, key: &str) -> Option<&str> {
        let condition = self.conditions.iter().find(|condition| condition.key == key)?;
        condition.values.first().map(String::as_str)
    }
}

fn split(
    all: &[Statement],
    count: impl Fn(&Statement) -> usize,
    pick: impl Fn(&mut Statement, usize),
) -> Vec<Statement> {
    let each = all.iter().flat_map(|one| (0..count(one)).map(move |index| (one, index)));
    each.map(|(one, index)| {
        let mut narrow = one.clone();
        pick(&mut narrow, index);
        narrow
    })
    .collect()
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.actions.join(", "), self.resources.join(", "))?;
        for condition in &self.conditions {
            let key = condition.key.trim_start_matches("kms:");
            let key = key.trim_start_matches("EncryptionContext:");
            write!(f, " {key}={}", condition.values.join("|"))?;
        }
        Ok(())
    }
}

/// Returns true if these statements allow a call.
pub fn allowed(statements: &[Statement], call: &Call) -> bool {
    let covering = |allows| {
        statements.iter().any(|statement| statement.allows == allows && statement.covers(call))
    };
    covering(true) && !covering(false)
}

/// Returns every statement that applies to each role of this template: those of its own policies and
/// those that name it.
pub fn statements(stack: &Template) -> BTreeMap<String, Vec<Statement>> {
    let mut found: BTreeMap<String, Vec<Statement>> = BTreeMap::new();
    let mut add = |role: &str, document: &Value| {
        let statements = document["Statement"].as_array().unwrap().iter().map(Statement::read);
        found.entry(role.to_owned()).or_default().extend(statements);
    };
    for policy in stack.resources("AWS::IAM::RolePolicy") {
        let role = policy.properties["RoleName"].as_str().unwrap();
        add(role, &policy.properties["PolicyDocument"]);
    }
    for role in stack.resources("AWS::IAM::Role") {
        let own = role.properties.get("Policies").and_then(Value::as_array);
        for policy in own.into_iter().flatten() {
            add(&role.name, &policy["PolicyDocument"]);
        }
    }
    found
}
