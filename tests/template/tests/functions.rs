//! Checks that each package folder in `functions/` is one function of a template, with the same
//! build and run settings.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use template::stacks::{COSIGNER, Function, MAIN, MONITORING, Sources, Stacks};
use template::{assert_found, assert_none, differences, folders};

use crate::invokers::alias_arn;

/// Returns the faults of the templates' functions.
fn wrong(stacks: &Stacks, folders: &BTreeSet<String>) -> Vec<String> {
    let functions = stacks.functions();
    let named: BTreeSet<String> =
        functions.iter().map(|function| function.folder.clone()).collect();
    let mut wrong = differences("the function", ("functions/", folders), ("the templates", &named));
    for (index, function) in functions.iter().enumerate() {
        let before = &functions[..index];
        let twice =
            |what: &str| format!("{} shares its {what} with another function", function.name);
        if before.iter().any(|other| other.folder == function.folder) {
            wrong.push(twice("folder"));
        }
        if before.iter().any(|other| {
            other.in_cosigner_stack == function.in_cosigner_stack && other.role() == function.role()
        }) {
            wrong.push(twice("role"));
        }
        wrong.extend(wrong_properties(function));
        wrong.extend(wrong_surroundings(stacks, function));
    }
    let watched = watched(stacks);
    let known = functions.iter().map(Function::full_name).collect();
    wrong.extend(differences("the function", ("the templates", &known), (MONITORING, &watched)));
    wrong
}

fn wrong_properties(function: &Function) -> Vec<String> {
    let package = function.package.as_str();
    let wanted = [
        ("/FunctionName", json!(function.full_name())),
        ("/Runtime", json!("provided.al2023")),
        ("/Handler", json!("bootstrap")),
        ("/Architectures", json!(["arm64"])),
        ("/Tracing", json!("PassThrough")),
    ];
    let mut wrong = Vec::new();
    for (pointer, expected) in wanted {
        let found = function.properties.pointer(pointer).unwrap_or(&Value::Null);
        if *found != expected {
            wrong.push(format!("{package}: {} is {found}, not {expected}", &pointer[1..]));
        }
    }
    if function.metadata["BuildMethod"] != "rust-cargolambda" {
        wrong.push(format!("{package}: BuildMethod is not rust-cargolambda"));
    }
    if function.in_cosigner_stack != matches!(package, "cosigner" | "seal-audit") {
        wrong.push(format!(
            "{package}: only the cosigner and its job belong to the cosigner's stack"
        ));
    }
    // API Gateway waits for 29 seconds. `jobs` checks the timeouts of jobs, and `webhooks` those of
    // consumers.
    let timeout = function.properties["Timeout"].as_u64().unwrap_or_default();
    let is_called = function.schedule().is_none() && function.source().is_none();
    if is_called && !(1..=29).contains(&timeout) {
        wrong.push(format!("{package}: Timeout is {timeout}, not 1 to 29"));
    }
    for property in ["Policies", "FunctionUrlConfig", "Layers"] {
        if !function.properties[property].is_null() {
            wrong.push(format!("{package}: no test checks {property}"));
        }
    }
    wrong
}

/// Checks the role, the log group and the output of a function.
fn wrong_surroundings(stacks: &Stacks, function: &Function) -> Vec<String> {
    let package = &function.package;
    let stack = if function.in_cosigner_stack { &stacks.cosigner } else { &stacks.main };
    let mut wrong = Vec::new();
    let roles = stack.resources("AWS::IAM::Role");
    match roles.iter().find(|role| role.name == function.role()) {
        Some(role) => {
            let trust = &role.properties["AssumeRolePolicyDocument"]["Statement"];
            let lambda = json!([{
                "Effect": "Allow",
                "Principal": { "Service": "lambda.amazonaws.com" },
                "Action": "sts:AssumeRole",
            }]);
            if *trust != lambda {
                wrong.push(format!("{package}: only Lambda must be able to assume its role"));
            }
        }
        None => wrong.push(format!("{package}: its template has no role for it")),
    }
    let logs = stack.resources("AWS::Logs::LogGroup");
    let log = logs.iter().find(|log| log.name == function.text("/LoggingConfig/LogGroup"));
    let name = log.and_then(|log| log.properties["LogGroupName"].as_str());
    if name != Some(format!("/aws/lambda/{}", function.full_name()).as_str()) {
        wrong.push(format!("{package}: it must have its own log group"));
    }
    let output =
        if package == "cosigner" { "FunctionArn" } else { &format!("{}Name", function.name) };
    let value = stack.output(output);
    if value.is_none_or(|value| value.trim_end_matches(".Arn") != function.name) {
        wrong.push(format!("{package}: the output {output} is missing"));
    }
    wrong
}

/// Returns the functions whose errors raise an alarm.
fn watched(stacks: &Stacks) -> BTreeSet<String> {
    fn names(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(entries) => {
                if entries.get("Name").is_some_and(|name| name == "FunctionName") {
                    found.extend(entries["Value"].as_str().map(ToOwned::to_owned));
                }
                entries.values().for_each(|entry| names(entry, found));
            }
            Value::Array(items) => items.iter().for_each(|item| names(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for alarm in stacks.monitoring.resources("AWS::CloudWatch::Alarm") {
        if alarm.name.ends_with("Errors") {
            names(&alarm.properties, &mut found);
        }
    }
    found
}

#[test]
fn function_folders_match_the_template() {
    assert!(folders().len() >= 13, "too few folders");
    assert_none(&wrong(&Stacks::deployed(), &folders()));
}

/// CloudWatch supports ten metrics in an alarm.
#[test]
fn alarms_stay_under_the_metric_limit() {
    let alarms = Stacks::deployed().monitoring.resources("AWS::CloudWatch::Alarm");
    let counts = alarms.iter().map(|alarm| {
        let metrics = alarm.properties["Metrics"].as_array().into_iter().flatten();
        metrics.filter(|metric| metric.get("MetricStat").is_some()).count()
    });
    assert_eq!(counts.max(), Some(10), "expected an alarm with the maximum");
}

/// The endpoints invoke the function that is deployed.
#[test]
fn endpoints_invoke_the_deployed_cosigner() {
    let stacks = Stacks::deployed();
    let invoking = stacks.functions().into_iter().filter_map(|function| {
        Some((function.package.clone(), function.variables().remove("COSIGNER_FUNCTION")?))
    });
    let invoking: Vec<_> = invoking.collect();
    assert_eq!(invoking.len(), 21, "{invoking:?}");
    let name = format!(":{}:", stacks.function("cosigner").text("/FunctionName"));
    for (package, invoked) in invoking {
        assert_eq!(invoked, alias_arn(&package));
        assert!(invoked.contains(&name), "{invoked}");
    }
}

#[test]
fn function_mismatch_is_found() {
    let mut more = folders();
    more.insert("drain-wallets".to_owned());
    let found = wrong(&Stacks::deployed(), &more);
    assert_found(&found, "the function drain-wallets is in functions/, not in the templates");
    let mut fewer = folders();
    fewer.remove("get-wallet");
    let found = wrong(&Stacks::deployed(), &fewer);
    assert_found(&found, "the function get-wallet is in the templates, not in functions/");
    let sources = Sources::read();
    let renamed =
        sources.with(MAIN, "  HealthFunction:", "functions/health", "functions/get-wallet");
    let found = wrong(&renamed.deploy(&[]), &folders());
    assert_found(&found, "the function health is in functions/, not in the templates");
}

#[test]
fn function_with_other_build_settings_is_found() {
    for (file, place, old, new, line) in [
        (
            MAIN,
            "  GetWalletFunction:",
            "rust-cargolambda",
            "makefile",
            "get-wallet: BuildMethod is not rust-cargolambda",
        ),
        (
            COSIGNER,
            "  CosignerFunction:",
            "provided.al2023",
            "provided.al2",
            "cosigner: Runtime is \"provided.al2\", not \"provided.al2023\"",
        ),
        (
            MAIN,
            "  GetWalletFunction:",
            "GetWalletRole.Arn",
            "CreateWalletRole.Arn",
            "GetWalletFunction shares its role with another function",
        ),
        (
            MAIN,
            "  GetWalletFunction:",
            "!Ref GetWalletLogs",
            "!Ref HealthLogs",
            "get-wallet: it must have its own log group",
        ),
        (
            MAIN,
            "  HealthRole:",
            "lambda.amazonaws.com",
            "ec2.amazonaws.com",
            "health: only Lambda must be able to assume its role",
        ),
        (
            MONITORING,
            "  FunctionErrors:",
            "${Service}-health",
            "${Service}-healthy",
            "the function hyperdex-health is in the templates, not in infra/monitoring.yaml",
        ),
    ] {
        let copy = Sources::read().with(file, place, old, new).deploy(&[]);
        assert_found(&wrong(&copy, &folders()), line);
    }
}
