//! The three templates as deployed together, and modified copies of them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

use crate::cloudformation::{STACK, Template};
use crate::iam::{Statement, statements};
use crate::{package, read, yaml};

/// The file of the main template.
pub const MAIN: &str = "template.yaml";
/// The file of the cosigner's template.
pub const COSIGNER: &str = "infra/cosigner.yaml";
/// The file of the monitoring template.
pub const MONITORING: &str = "infra/monitoring.yaml";

/// The texts of the templates.
#[derive(Clone)]
pub struct Sources(BTreeMap<&'static str, String>);

impl Sources {
    /// Reads the templates from the repository.
    #[must_use]
    pub fn read() -> Self {
        Self([MAIN, COSIGNER, MONITORING].map(|file| (file, read(file))).into())
    }

    /// Returns a copy in which the first `old` after the line that starts with `place` is replaced
    /// by `new`.
    pub fn with(mut self, file: &str, place: &str, old: &str, new: &str) -> Self {
        let text = self.0.get_mut(file).unwrap();
        let place = text.find(&format!("\n{place}")).unwrap_or_else(|| panic!("no {place}"));
        let found = text[place..].find(old).unwrap_or_else(|| panic!("no {old} after {place}"));
        text.replace_range(place + found..place + found + old.len(), new);
        self
    }

    /// Returns a template as written, including conditions and functions.
    pub fn body(&self, file: &str) -> Value {
        yaml::parse(&self.0[file])
    }

    /// Evaluates the templates with these parameters.
    pub fn deploy(&self, parameters: &[(&str, &str)]) -> Stacks {
        let main = Template::new(&self.0[MAIN], parameters);
        let nested = |name: &str, file: &str| {
            let stack = main.resource("AWS::CloudFormation::Stack", name).properties;
            assert_eq!(stack["TemplateURL"], file);
            let given = stack["Parameters"].as_object().unwrap().iter();
            let given: Vec<(&str, &str)> =
                given.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
            Template::new(&self.0[file], &given)
        };
        let (cosigner, monitoring) =
            (nested("Cosigner", COSIGNER), nested("Monitoring", MONITORING));
        Stacks { cosigner, monitoring, main, functions: OnceLock::new() }
    }
}

/// The templates with their parameters.
pub struct Stacks {
    /// `template.yaml`.
    pub main: Template,
    /// `infra/cosigner.yaml`, as nested in the main template.
    pub cosigner: Template,
    /// `infra/monitoring.yaml`, as nested in the main template.
    pub monitoring: Template,
    /// The functions, evaluated once.
    functions: OnceLock<Vec<Function>>,
}

/// A function of a template.
#[derive(Clone)]
pub struct Function {
    /// The folder of its package in `functions/`.
    pub folder: String,
    /// The name of its package.
    pub package: String,
    /// The logical name.
    pub name: String,
    /// The `Metadata`.
    pub metadata: Value,
    /// The properties, including those of `Globals`.
    pub properties: Value,
    /// True if the function is in the cosigner's stack.
    pub in_cosigner_stack: bool,
    /// The statements of its role.
    pub statements: Vec<Statement>,
}

impl Function {
    /// Returns a property as text.
    pub fn text(&self, pointer: &str) -> &str {
        self.properties.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the logical name of its role.
    pub fn role(&self) -> &str {
        self.text("/Role").strip_suffix(".Arn").unwrap_or_default()
    }

    /// Returns the name that the function must have.
    pub fn full_name(&self) -> String {
        let prefix =
            if self.in_cosigner_stack && self.package != "cosigner" { "cosigner-" } else { "" };
        format!("{STACK}-{prefix}{}", self.package)
    }

    /// Returns the event of a function that a schedule invokes.
    pub fn schedule(&self) -> Option<&Value> {
        let events = self.properties["Events"].as_object().into_iter().flatten();
        let mut schedules = events.filter(|(_, event)| event["Type"] == "Schedule");
        schedules.next().map(|(_, event)| &event["Properties"])
    }

    /// Returns the event of a function that a stream or a queue invokes.
    pub fn source(&self) -> Option<&Value> {
        let events = self.properties["Events"].as_object().into_iter().flatten();
        let is_source = |kind: &Value| kind == "DynamoDB" || kind == "SQS";
        let mut sources = events.filter(|(_, event)| is_source(&event["Type"]));
        sources.next().map(|(_, event)| &event["Properties"])
    }

    /// Returns true if the API invokes the function.
    pub fn is_endpoint(&self) -> bool {
        !self.in_cosigner_stack && self.schedule().is_none() && self.source().is_none()
    }

    /// Returns the environment variables.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let variables =
            self.properties.pointer("/Environment/Variables").and_then(Value::as_object);
        let variables = variables.into_iter().flatten();
        variables.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
    }
}

impl Stacks {
    /// Evaluates the templates of the repository with the defaults of all parameters.
    #[must_use]
    pub fn deployed() -> Self {
        Sources::read().deploy(&[])
    }

    /// Returns every function of the templates.
    pub fn functions(&self) -> Vec<Function> {
        self.functions.get_or_init(|| self.evaluated()).clone()
    }

    /// Evaluates every function of the templates.
    fn evaluated(&self) -> Vec<Function> {
        let in_stack = |stack: &Template, in_cosigner_stack: bool| {
            let globals = stack.globals();
            let roles = statements(stack);
            let prefix = if in_cosigner_stack { "../functions/" } else { "functions/" };
            let functions = stack.resources("AWS::Serverless::Function").into_iter();
            let functions = functions.map(|resource| {
                let mut properties = globals.clone();
                merge(&mut properties, resource.properties);
                let uri = properties["CodeUri"].as_str().unwrap_or_default();
                let folder = uri.strip_prefix(prefix).unwrap_or(uri).to_owned();
                let mut function = Function {
                    package: package(&folder),
                    folder,
                    name: resource.name,
                    metadata: resource.metadata,
                    properties,
                    in_cosigner_stack,
                    statements: Vec::new(),
                };
                function.statements = roles.get(function.role()).cloned().unwrap_or_default();
                function
            });
            functions.collect::<Vec<_>>()
        };
        [in_stack(&self.main, false), in_stack(&self.cosigner, true)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Returns the function of a package.
    pub fn function(&self, package: &str) -> Function {
        let all = self.functions.get_or_init(|| self.evaluated());
        let found = all.iter().find(|function| function.package == package).cloned();
        found.unwrap_or_else(|| panic!("no function has the package {package}"))
    }
}

/// Merges the properties of `Globals` with those of a function, as SAM does.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                merge(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}
