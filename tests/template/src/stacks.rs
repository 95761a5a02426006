//! The three templates as they are deployed together, and copies of them with a mistake in it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cloudformation::{STACK, Template};
use crate::iam::{Statement, statements};
use crate::{package, read, yaml};

/// The main template's file.
pub const MAIN: &str = "template.yaml";
/// The cosigner's.
pub const COSIGNER: &str = "infra/cosigner.yaml";
/// The monitoring's.
pub const MONITORING: &str = "infra/monitoring.yaml";

/// The templates' texts.
#[derive(Clone)]
pub struct Sources(BTreeMap<&'static str, String>);

impl Sources {
    /// Reads them from the repository.
    #[must_use]
    pub fn read() -> Self {
        Self([MAIN, COSIGNER, MONITORING].map(|file| (file, read(file))).into())
    }

    /// A copy in which the first `old` after the line that begins with `place` is `new`.
    pub fn with(mut self, file: &str, place: &str, old: &str, new: &str) -> Self {
        let text = self.0.get_mut(file).unwrap();
        let place = text.find(&format!("\n{place}")).unwrap_or_else(|| panic!("no {place}"));
        let found = text[place..].find(old).unwrap_or_else(|| panic!("no {old} after {place}"));
        text.replace_range(place + found..place + found + old.len(), new);
        self
    }

    /// A template as it is written, conditions and functions included.
    pub fn body(&self, file: &str) -> Value {
        yaml::parse(&self.0[file])
    }

    /// Deployed, with these parameters.
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
        Stacks { cosigner, monitoring, main }
    }
}

/// The templates with their parameters.
pub struct Stacks {
    /// `template.yaml`
    pub main: Template,
    /// `infra/cosigner.yaml`, as the main template nests it.
    pub cosigner: Template,
    /// `infra/monitoring.yaml`, as the main template nests it.
    pub monitoring: Template,
}

/// A function of a template.
pub struct Function {
    /// The folder of its package below `functions/`.
    pub folder: String,
    /// The name of its package.
    pub package: String,
    /// Its logical name.
    pub name: String,
    /// Its `Metadata`.
    pub metadata: Value,
    /// Its properties, with what `Globals` say.
    pub properties: Value,
    /// It is in the cosigner's stack.
    pub apart: bool,
    /// What its role may do.
    pub statements: Vec<Statement>,
}

impl Function {
    /// A property's text.
    pub fn text(&self, pointer: &str) -> &str {
        self.properties.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Its role's logical name.
    pub fn role(&self) -> &str {
        self.text("/Role").strip_suffix(".Arn").unwrap_or_default()
    }

    /// The name that it is to have.
    pub fn full_name(&self) -> String {
        let beside = if self.apart && self.package != "cosigner" { "cosigner-" } else { "" };
        format!("{STACK}-{beside}{}", self.package)
    }

    /// Its event, if it is run by a schedule.
    pub fn schedule(&self) -> Option<&Value> {
        let events = self.properties["Events"].as_object().into_iter().flatten();
        let mut schedules = events.filter(|(_, event)| event["Type"] == "Schedule");
        schedules.next().map(|(_, event)| &event["Properties"])
    }

    /// Its event, if a stream or a queue invokes it.
    pub fn source(&self) -> Option<&Value> {
        let events = self.properties["Events"].as_object().into_iter().flatten();
        let is_source = |kind: &Value| kind == "DynamoDB" || kind == "SQS";
        let mut sources = events.filter(|(_, event)| is_source(&event["Type"]));
        sources.next().map(|(_, event)| &event["Properties"])
    }

    /// Whether the API invokes it.
    pub fn is_endpoint(&self) -> bool {
        !self.apart && self.schedule().is_none() && self.source().is_none()
    }

    /// Its environment.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let variables =
            self.properties.pointer("/Environment/Variables").and_then(Value::as_object);
        let variables = variables.into_iter().flatten();
        variables.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
    }
}

impl Stacks {
    /// Deploys the templates of the repository, with every parameter's default.
    #[must_use]
    pub fn deployed() -> Self {
        Sources::read().deploy(&[])
    }

    /// Every function of the templates.
    pub fn functions(&self) -> Vec<Function> {
        let in_stack = |stack: &Template, apart: bool| {
            let globals = stack.globals();
            let prefix = if apart { "../functions/" } else { "functions/" };
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
                    apart,
                    statements: Vec::new(),
                };
                function.statements = statements(stack, function.role());
                function
            });
            functions.collect::<Vec<_>>()
        };
        [in_stack(&self.main, false), in_stack(&self.cosigner, true)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The function of a package.
    pub fn function(&self, package: &str) -> Function {
        let found = self.functions().into_iter().find(|function| function.package == package);
        found.unwrap_or_else(|| panic!("no function has the package {package}"))
    }
}

/// As SAM merges what `Globals` say with what a function says.
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
