//! Environment variables: what a template sets for a function, its code reads, and the reverse.

use std::cell::RefCell;
use std::collections::BTreeSet;

use domain::clock::Clock;
use platform::env::Env;
use serde_json::Value;
use template::stacks::{COSIGNER, Function, MAIN, Sources, Stacks};
use template::{assert_found, assert_none, differences, read, sources};

use crate::start::{set_by_lambda, start};

/// Lambda sets them, or an emulator does.
const NOT_OURS: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// What `lambda_http` reads, which every endpoint runs on.
const READ_BY_LAMBDA_HTTP: [&str; 1] = ["AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH"];

/// Accepted where it is set, and set by no template: Aster's network has a variable of its own.
const OLDER: [&str; 1] = ["ASTER_AGENT_CHAIN_ID"];

const ENDPOINT: &str = "AWS_ENDPOINT_URL_";

/// The variables that `shared/lambda` reads, by the calls that do it.
fn read_by_lambda_entry() -> BTreeSet<String> {
    let source = read("shared/lambda/src/lib.rs");
    let after = |call: &str| {
        let names = source.split(call).skip(1).filter_map(|rest| rest.split('"').next());
        names.map(ToOwned::to_owned).collect::<BTreeSet<_>>()
    };
    let calls = source.matches("env.optional(").count() + source.matches("env.required(").count();
    let names = &after("env.optional(\"") | &after("env.required(\"");
    assert_eq!(names.len(), calls, "each call names its variable");
    names
}

/// What a function reads when it starts with what the template sets; an error if that is too little.
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

/// The services whose clients can be pointed elsewhere: those that the function itself may call.
/// The cosigner is not run under `sam local`, so nothing points its clients.
fn endpoints(function: &Function) -> BTreeSet<String> {
    let direct = function.statements.iter().filter(|statement| {
        statement.allows && !function.apart && statement.asks("kms:ViaService").is_none()
    });
    let services = direct.flat_map(|statement| &statement.actions);
    let services = services.filter_map(|action| action.split(':').next());
    // Lambda itself writes the log, and reports a run that failed.
    let services = services.filter(|service| !["logs", "sqs"].contains(service));
    let mut endpoints: BTreeSet<String> =
        services.map(|service| format!("{ENDPOINT}{}", service.to_uppercase())).collect();
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
        reads.retain(|name| !NOT_OURS.contains(&name.as_str()) && !OLDER.contains(&name.as_str()));
        let wanted = endpoints(&function);
        for endpoint in wanted.difference(&reads) {
            wrong.push(format!("{}: the code does not read {endpoint}", function.package));
        }
        reads.retain(|name| !name.starts_with(ENDPOINT) || wanted.contains(name));
        // Every endpoint runs in the same `main`.
        let main = read(&format!("functions/{}/src/main.rs", function.folder));
        if main.contains("lambda_entry::run(") {
            reads.extend(read_by_lambda_entry());
            reads.extend(READ_BY_LAMBDA_HTTP.map(ToOwned::to_owned));
        }
        let mut set: BTreeSet<String> = function.variables().into_keys().collect();
        // The log's filter and the metrics' service: `platform::telemetry` reads them, and has
        // defaults; two stacks of one account must not share the second.
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
    // The NAT's address has a number only in the cloud.
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

/// What is recorded here is all that is read: the process's own environment is looked at in three
/// places, and handed on from there.
#[test]
fn variables_are_read_by_the_configuration_only() {
    let folders = ["domain/src", "lambda/src", "platform/src", "protocol/src", "src"];
    let folders = folders.map(|folder| format!("shared/{folder}"));
    let files = folders.iter().map(String::as_str).chain(["functions"]).map(sources);
    let files = files.collect::<Vec<_>>().concat();
    assert!(files.len() > 40, "the sources were read");
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

/// `sam local` hands a function only variables that the template names.
fn wrong_for_sam_local(stacks: &Stacks, settings: &Value) -> Vec<String> {
    let functions = stacks.functions();
    let endpoints: Vec<&Function> = functions.iter().filter(|function| !function.apart).collect();
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
    // Without them a function would speak to AWS itself.
    for endpoint in named.iter().filter(|name| name.starts_with(ENDPOINT)) {
        if settings["Parameters"][endpoint].as_str().is_none_or(str::is_empty) {
            wrong.push(format!("sam-env.json: {endpoint} is not set"));
        }
    }
    wrong
}

#[test]
fn sam_local_variables_exist() {
    // Of Aster's APIs V1 has the most variables.
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

/// Each exchange has its own network, the same one in every function and in the cosigner.
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
