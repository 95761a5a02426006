//! Checks that a function's code reads exactly the environment variables that its template sets.

use std::cell::RefCell;
use std::collections::BTreeSet;

use domain::clock::Clock;
use platform::env::Env;
use serde_json::Value;
use template::stacks::{COSIGNER, Function, MAIN, Sources, Stacks};
use template::{assert_found, assert_none, differences, read, sources};

use crate::start::{set_by_lambda, start};

/// Variables that Lambda or an emulator sets.
const SET_BY_LAMBDA: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// Variables that `lambda_http` reads in every endpoint.
const READ_BY_LAMBDA_HTTP: [&str; 1] = ["AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH"];

/// Read but set by no template: Aster's network has its own variable now, and the host of its spot API
/// follows from `ASTER_URL`.
const WITHOUT_PARAMETER: [&str; 2] = ["ASTER_AGENT_CHAIN_ID", "ASTER_SPOT_URL"];

const ENDPOINT: &str = "AWS_ENDPOINT_URL_";

/// Returns the variables that `shared/lambda` reads, found by its calls.
fn read_by_lambda_entry() -> BTreeSet<String> {
    let source = read("shared/lambda/src/lib.rs");
    let after = |call: &str| {
        let names = source.split(call).skip(1).filter_map(|rest| rest.split('"').next());
        names.map(ToOwned::to_owned).collect::<BTreeSet<_>>()
    };
    let calls = source.matches("env.optional(").count() + source.matches("env.required(").count();
    let names = &after("env.optional(\"") | &after("env.required(\"");
    assert_eq!(names.len(), calls, "expected the name of a variable");
    names
}

/// Returns the variables that a function reads when it starts with the template's environment, or
/// the error if variables are missing.
fn read_by(function: &Function) -> Result<BTreeSet<String>, String> {
    let variables = function.variables();
    let asked = RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        set_by_lambda(name, "test")
            .map_or_else(|| variables.get(name).cloned(), |set| Some(set.into()))
    };
    let started = start(&function.package, &Env(&lookup), Clock::system());
    started.map_err(|error| format!("{}: {error}", function.package))?;
    Ok(asked.into_inner())
}

/// Returns the endpoint variables of the services that the function itself may call. The cosigner
/// does not run under `sam local`, so nothing sets its endpoints.
fn endpoints(function: &Function) -> BTreeSet<String> {
    let direct = function.statements.iter().filter(|statement| {
        statement.allows
            && !function.in_cosigner_stack
            && statement.asks("kms:ViaService").is_none()
    });
    let services = direct.flat_map(|statement| &statement.actions);
    let services = services.filter_map(|action| action.split(':').next());
    // Lambda itself writes the log and reports failed runs.
    let services = services.filter(|service| !["logs", "sqs"].contains(service));
    let mut endpoints: BTreeSet<String> =
        services.map(|service| format!("{ENDPOINT}{}", variable(service))).collect();
    let queues = function.statements.iter().any(|statement| {
        let own = ["sqs:SendMessage", "sqs:ChangeMessageVisibility"];
        statement.actions.iter().any(|action| own.contains(&action.as_str()))
            && statement.resources == ["Deliveries.Arn"]
    });
    if queues {
        endpoints.insert(format!("{ENDPOINT}SQS"));
    }
    endpoints
}

/// A service as the variables of its SDKs name it.
fn variable(service: &str) -> String {
    match service {
        "apigateway" => "API_GATEWAY".to_owned(),
        other => other.to_uppercase(),
    }
}

fn wrong(stacks: &Stacks) -> Vec<String> {
    let mut wrong = Vec::new();
    for function in stacks.functions() {
        let mut reads = match read_by(&function) {
            Ok(reads) => reads,
            Err(error) => {
                wrong.push(error);
                continue;
            }
        };
        reads.retain(|name| {
            !SET_BY_LAMBDA.contains(&name.as_str()) && !WITHOUT_PARAMETER.contains(&name.as_str())
        });
        // Every function has it; see below.
        reads.remove("SERVICE_NAME");
        let wanted = endpoints(&function);
        for endpoint in wanted.difference(&reads) {
            wrong.push(format!("{}: the code does not read {endpoint}", function.package));
        }
        reads.retain(|name| !name.starts_with(ENDPOINT) || wanted.contains(name));
        // All endpoints share the same `main`.
        let main = read(&format!("functions/{}/src/main.rs", function.folder));
        if main.contains("lambda_entry::run(") || main.contains("lambda_entry::run_open(") {
            reads.extend(read_by_lambda_entry());
            reads.extend(READ_BY_LAMBDA_HTTP.map(ToOwned::to_owned));
        }
        let mut set: BTreeSet<String> = function.variables().into_keys().collect();
        // `platform::telemetry` reads the log's filter and the service name and has defaults for
        // both. Two stacks of one account must not share the service name.
        set.remove("RUST_LOG");
        if !set.remove("SERVICE_NAME") {
            wrong.push(format!("{}: SERVICE_NAME is not set", function.package));
        }
        let what = format!("{}: the variable", function.package);
        wrong.extend(differences(&what, ("the template", &set), ("the code", &reads)));
    }
    wrong
}

#[test]
fn template_variables_match_the_code() {
    let by_entry = ["ALLOWED_ORIGINS", "TENANT_WITHOUT_KEY"].map(ToOwned::to_owned);
    assert_eq!(read_by_lambda_entry(), BTreeSet::from(by_entry));
    let vpc = [("ExchangeEnvironment", "mainnet"), ("UseVpc", "true")];
    // The NAT's address is only known after the deployment.
    let vpc = [&vpc[..], &[("AsterIpWhitelist", "192.0.2.1")]].concat();
    let apart = [("ExchangeEnvironment", "mainnet"), ("AsterEnvironment", "testnet")];
    for parameters in [&[][..], &vpc, &[("AsterApi", "v1")], &apart] {
        assert_none(&wrong(&Sources::read().deploy(parameters)));
    }
}

#[test]
fn variable_mismatch_is_found() {
    for (file, place, old, new, line) in [
        (
            MAIN,
            "  CreateWalletFunction:",
            "WALLETS_TABLE: ",
            "WALLET_TABLE: ",
            "create-wallet: WALLETS_TABLE is not set",
        ),
        (
            MAIN,
            "  RegisterHyperliquidFunction:",
            "RETURN_API_PRIVATE_KEY: ",
            "RETURN_PRIVATE_KEY: ",
            "register-hyperliquid: the variable RETURN_PRIVATE_KEY is in the template, not in the code",
        ),
        (
            MAIN,
            "  RegisterHyperliquidFunction:",
            "RETURN_API_PRIVATE_KEY: ",
            "RETURN_PRIVATE_KEY: ",
            "register-hyperliquid: the variable RETURN_API_PRIVATE_KEY is in the code, not in the template",
        ),
        (
            MAIN,
            "  RegisterAsterFunction:",
            "ASTER_SIGNATURE_CHAIN_ID: '56'",
            "ASTER_SIGNATURE_CHAIN_ID: BSC",
            "register-aster: ASTER_SIGNATURE_CHAIN_ID must be a number",
        ),
        (
            MAIN,
            "  RegisterAsterFunction:",
            "ASTER_CHAIN: !If",
            "ASTER_CHAIN: Mainnet #",
            "register-aster: ASTER_URL must be a URL of Aster's main network, because ASTER_CHAIN is \
             Mainnet (when not set, it follows HYPERLIQUID_CHAIN)",
        ),
        (
            MAIN,
            "  GetWalletFunction:",
            "AWS_ENDPOINT_URL_DYNAMODB",
            "AWS_ENDPOINT_URL_KMS",
            "get-wallet: the variable AWS_ENDPOINT_URL_DYNAMODB is in the code, not in the template",
        ),
        (
            MAIN,
            "  HealthFunction:",
            "TENANT_WITHOUT_KEY",
            "TENANT",
            "health: the variable TENANT_WITHOUT_KEY is in the code, not in the template",
        ),
        (
            COSIGNER,
            "  CosignerFunction:",
            "COSIGNER_KEY_ID",
            "KEY_ID",
            "cosigner: COSIGNER_KEY_ID is not set",
        ),
        (
            COSIGNER,
            "  CosignerFunction:",
            "ASTER_SIGNATURE_CHAIN_ID",
            "SIGNATURE_CHAIN_ID",
            "cosigner: the variable ASTER_SIGNATURE_CHAIN_ID is in the code, not in the template",
        ),
    ] {
        let copy = Sources::read().with(file, place, old, new).deploy(&[]);
        assert_found(&wrong(&copy), line);
    }
}

/// The configuration reads all variables. The process environment is read in three places and
/// passed on from there.
#[test]
fn variables_are_read_by_the_configuration_only() {
    let folders = ["domain/src", "lambda/src", "platform/src", "protocol/src", "src"];
    let folders = folders.map(|folder| format!("shared/{folder}"));
    let files = folders.iter().map(String::as_str).chain(["functions"]).map(sources);
    let files = files.collect::<Vec<_>>().concat();
    assert!(files.len() > 40, "too few sources");
    let reads = |text: &str| {
        ["env::var", "env::vars", "option_env!"].iter().any(|read| text.contains(read))
    };
    let reading: Vec<&str> =
        files.iter().filter(|(_, text)| reads(text)).map(|(file, _)| file.as_str()).collect();
    let known = [
        "shared/lambda/src/lib.rs",
        "functions/cosigner/seal-audit/src/main.rs",
        "functions/cosigner/signer/src/main.rs",
    ];
    assert_eq!(reading, known);
}

/// Returns the faults of the settings for `sam local`, which passes only variables that the
/// template names.
fn wrong_for_sam_local(stacks: &Stacks, settings: &Value) -> Vec<String> {
    let functions = stacks.functions();
    let endpoints: Vec<&Function> =
        functions.iter().filter(|function| !function.in_cosigner_stack).collect();
    let named: BTreeSet<String> =
        endpoints.iter().flat_map(|function| function.variables().into_keys()).collect();
    let mut wrong = Vec::new();
    for (group, variables) in settings.as_object().unwrap() {
        let known = match endpoints.iter().find(|function| function.name == *group) {
            Some(function) => function.variables().into_keys().collect(),
            None if group == "Parameters" => named.clone(),
            None => {
                wrong.push(format!("sam-env.json: the template has no function {group}"));
                continue;
            }
        };
        let unknown = variables.as_object().unwrap().keys().filter(|name| !known.contains(*name));
        wrong.extend(
            unknown.map(|name| format!("sam-env.json: the template has no variable {name}")),
        );
    }
    // Without these variables a function would call AWS itself.
    for endpoint in named.iter().filter(|name| name.starts_with(ENDPOINT)) {
        if settings["Parameters"][endpoint].as_str().is_none_or(str::is_empty) {
            wrong.push(format!("sam-env.json: {endpoint} is not set"));
        }
    }
    wrong
}

#[test]
fn sam_local_variables_exist() {
    // With V1, Aster has the most variables.
    let stacks = Sources::read().deploy(&[("AsterApi", "v1")]);
    let settings: Value = serde_json::from_str(&read("infra/local/sam-env.json")).unwrap();
    assert_none(&wrong_for_sam_local(&stacks, &settings));
    let mut copy = settings;
    copy["Parameters"]["WALLET_TABLE"] = "x".into();
    copy["Parameters"]["AWS_ENDPOINT_URL_KMS"] = "".into();
    copy["WalletFunction"] = Value::Object(serde_json::Map::new());
    let found = wrong_for_sam_local(&stacks, &copy);
    assert_found(&found, "sam-env.json: the template has no variable WALLET_TABLE");
    assert_found(&found, "sam-env.json: AWS_ENDPOINT_URL_KMS is not set");
    assert_found(&found, "sam-env.json: the template has no function WalletFunction");
}

/// Each exchange has its own network, which is the same in every function and in the cosigner.
#[test]
fn exchange_networks_match_in_every_function() {
    for (hyperliquid, aster, expected) in [
        ("testnet", "", ["Testnet", "Testnet"]),
        ("mainnet", "", ["Mainnet", "Mainnet"]),
        ("testnet", "mainnet", ["Testnet", "Mainnet"]),
        ("mainnet", "testnet", ["Mainnet", "Testnet"]),
    ] {
        let stacks = Sources::read()
            .deploy(&[("ExchangeEnvironment", hyperliquid), ("AsterEnvironment", aster)]);
        for (name, value) in ["HYPERLIQUID_CHAIN", "ASTER_CHAIN"].iter().zip(expected) {
            let functions = stacks.functions().into_iter();
            let values: Vec<String> =
                functions.filter_map(|function| function.variables().remove(*name)).collect();
            assert!(values.len() > 4, "{name}: {}", values.len());
            assert!(values.iter().all(|found| found == value), "{name}: {values:?}");
        }
    }
}
