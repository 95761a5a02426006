//! Checks that numbers in documents match the code and the templates.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::Exchange;
use hyperdex_local::{Limits, MIN_FREE};
use platform::aws::AWS_CALL_TIMEOUT;
use serde_json::Value;
use shared::aws::COSIGNER_TIMEOUT;
use shared::credentials::LEASE_MS;
use shared::exchanges::CALL_TIMEOUT_MS;
use shared::exchanges::aster;
use shared::exchanges::budget::BudgetConfig;
use shared::store::SECRET_MS;
use template::stacks::{MAIN, Sources, Stacks};
use template::{assert_found, assert_none, read};

/// The memory in MB and the timeout in seconds of a function.
type Size = (u64, u64);

fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}

fn sizes(stacks: &Stacks) -> BTreeMap<String, Size> {
    let functions = stacks.functions().into_iter().map(|function| {
        let of = |name: &str| number(&function.properties[name]);
        (function.package.clone(), (of("MemorySize"), of("Timeout")))
    });
    functions.collect()
}

/// Returns the functions that a cell names. `list-, delete-webhook` names two, and `cosigner, both
/// calls` names one.
fn functions_in_cell(cell: &str, all: &BTreeMap<String, Size>) -> Vec<String> {
    let parts: Vec<&str> = cell.split(", ").collect();
    let suffix = parts.last().and_then(|last| last.rsplit_once('-')).map(|(_, suffix)| suffix);
    let full = |part: &&str| match (part.strip_suffix('-'), suffix) {
        (Some(verb), Some(suffix)) => format!("{verb}-{suffix}"),
        _ => (*part).to_owned(),
    };
    parts.iter().map(full).filter(|name| all.contains_key(name)).collect()
}

/// Returns the faults of the table "Memory and timeouts".
fn wrong_in_table(text: &str, all: &BTreeMap<String, Size>) -> Vec<String> {
    let section = text.split("## Memory and timeouts").nth(1).unwrap_or_default();
    let mut wrong = Vec::new();
    let mut missing: Vec<&String> = all.keys().collect();
    for row in section.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [function, _, _, _, memory, _, timeout] = cells[..] else { break };
        let names = functions_in_cell(function, all);
        // One number for all functions, or one for each.
        let seconds: Vec<u64> = timeout
            .trim_end_matches(" s")
            .split(", ")
            .filter_map(|number| number.parse().ok())
            .collect();
        for (index, name) in names.iter().enumerate() {
            missing.retain(|known| *known != name);
            let (known_memory, known_timeout) = all[name];
            let stated = seconds.get(index).or(seconds.first()).copied().unwrap_or_default();
            if stated != known_timeout {
                wrong.push(format!("{name} has a timeout of {known_timeout} s, not {stated}"));
            }
            let memory: String = memory.chars().filter(char::is_ascii_digit).collect();
            if !memory.is_empty() && memory != known_memory.to_string() {
                wrong.push(format!("{name} has {known_memory} MB, not {memory}"));
            }
        }
    }
    wrong.extend(missing.iter().map(|name| format!("{name} is not in the table")));
    wrong
}

/// Formats a number with a comma between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

/// Returns the statements about limits and times that documents must contain, each with its
/// document.
fn limits() -> Vec<(&'static str, String)> {
    let tenant = Limits::default();
    let (rate, quota) = (tenant.rate_per_s, grouped(tenant.quota_per_day));
    let weight = aster::PROFILE.weights.approval;
    let budget = BudgetConfig::default();
    let common = budget.per_minute[Exchange::Aster] * 80 / 100;
    let (registrations, alone) = (common / weight, common * budget.tenant_percent / 100 / weight);
    let minutes = match SECRET_MS / 60_000 {
        10 => "ten minutes".to_owned(),
        minutes => format!("{minutes} minutes"),
    };
    let free = MIN_FREE / (1024 * 1024);
    vec![
        (
            "docs/guides/local-stack.md",
            format!("may send {rate} requests a second and {quota} a day"),
        ),
        ("README.md", format!("again for {minutes}")),
        ("docs/reference/api.md", format!("returns it again for {minutes}")),
        (
            "docs/reference/api.md",
            format!("the same status and body for {minutes} after the first response"),
        ),
        ("docs/concepts/credentials.md", format!("a lease of {} s", LEASE_MS / 1_000)),
        ("docs/reference/data-directory.md", format!("less than {free} MiB are free")),
        (
            "docs/guides/deploy.md",
            format!(
                "an Aster registration weighs {weight}, so at most {registrations} \
                 of them start within any minute. One tenant alone starts at most {alone}"
            ),
        ),
    ]
}

/// Returns the statements that documents must contain, each with its document.
fn statements(stacks: &Stacks) -> Vec<(&'static str, String)> {
    let main = read(MAIN);
    let outputs = main.split("\nOutputs:").nth(1).unwrap_or_default();
    let roles = outputs.lines().filter(|line| line.trim_start().contains("RoleArn:")).count();
    let sizes = sizes(stacks);
    let (_, api) = sizes["sign-message"];
    let (_, cosigner) = sizes["cosigner"];
    let (wait, call) = (COSIGNER_TIMEOUT.as_secs(), AWS_CALL_TIMEOUT.as_secs());
    let exchange = CALL_TIMEOUT_MS / 1_000;
    let run = renew_apikeys::RUN_TIME.as_secs();
    vec![
        ("docs/guides/deploy.md", format!("It prints {roles} role ARNs")),
        ("docs/guides/deploy.md", format!("API Gateway waits {api} s, so no endpoint has more")),
        (
            "docs/guides/deploy.md",
            format!(
                "it has {cosigner} s, an endpoint waits {wait} s for each of two or three calls"
            ),
        ),
        ("docs/guides/deploy.md", format!("A call of DynamoDB or KMS has {call} s")),
        ("docs/guides/deploy.md", format!("a call of an exchange has {exchange} s")),
        ("docs/guides/deploy.md", format!("A job starts nothing new after {run} s")),
        ("docs/guides/operations.md", format!("did not respond within {wait} s")),
    ]
}

/// Returns the words of a document without line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn documents_state_the_limits_of_the_code() {
    let all = statements(&Stacks::deployed()).into_iter().chain(limits());
    let missing = all.filter_map(|(document, statement)| {
        (!words(&read(document)).contains(&statement))
            .then(|| format!("{document} does not contain: {statement}"))
    });
    assert_none(&missing.collect::<Vec<_>>());
}

#[test]
fn numbers_are_grouped_by_three_digits() {
    assert_eq!([50, 999, 1_000, 100_000].map(grouped), ["50", "999", "1,000", "100,000"]);
}

#[test]
fn timeouts_table_matches_the_templates() {
    let sizes = sizes(&Stacks::deployed());
    assert_none(&wrong_in_table(&read("docs/guides/deploy.md"), &sizes));
}

/// The write units per second that a new on-demand table accepts:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html>
const NEW_TABLE_WRITES: u64 = 4_000;

/// Half of a wallet's write units apply to each of the two tables.
#[test]
fn wallets_per_second_match_write_units() {
    let costs = read("docs/reference/costs.md");
    let row = costs.lines().find(|line| line.starts_with("| create | ")).unwrap();
    let units: u64 = row.trim_end_matches(" |").rsplit(' ').next().unwrap().parse().unwrap();
    let text = words(&read("docs/guides/deploy.md"));
    let each = units / 2;
    for statement in [
        "accepts 4,000 write units a second".to_owned(),
        format!("costs {each} in each of the two tables"),
        format!("about {} new wallets a second", NEW_TABLE_WRITES / each),
    ] {
        assert!(text.contains(&statement), "docs/guides/deploy.md does not contain: {statement}");
    }
}

#[test]
fn wrong_number_in_the_table_is_found() {
    let copy = Sources::read().with(MAIN, "  HealthFunction:", "Timeout: 3", "Timeout: 4");
    let found = wrong_in_table(&read("docs/guides/deploy.md"), &sizes(&copy.deploy(&[])));
    assert_found(&found, "health has a timeout of 4 s, not 3");
    let shorter = read("docs/guides/deploy.md").replace("| rotate-apikey |", "| rotate |");
    let found = wrong_in_table(&shorter, &sizes(&Stacks::deployed()));
    assert_found(&found, "rotate-apikey is not in the table");
}

/// A token that only one side knows cannot be transferred.
#[test]
fn tokens_of_the_service_are_those_of_the_policy() {
    let policy: Value = serde_json::from_str(&read("infra/cosigner-policy.json")).unwrap();
    let chains = policy["payments"]["evm"].as_array().unwrap();
    let tokens = chains.iter().flat_map(|chain| {
        let tokens = chain["tokens"].as_array().unwrap().iter();
        tokens.map(|token| {
            let text = |name: &str| token[name].as_str().unwrap().to_owned();
            let chain_id = chain["chainId"].as_u64().unwrap();
            (chain_id, text("symbol"), text("contract"), token["decimals"].as_u64().unwrap())
        })
    });
    let own = shared::money::tokens::TOKENS.iter().map(|token| {
        let (symbol, contract) = (token.symbol.to_owned(), token.contract.to_owned());
        (token.chain_id, symbol, contract, u64::from(token.decimals))
    });
    assert_eq!(own.collect::<BTreeSet<_>>(), tokens.collect::<BTreeSet<_>>());
    let settings = shared::evm::RPC_SETTINGS.map(|(chain_id, _)| chain_id);
    let listed: Vec<u64> = chains.iter().filter_map(|chain| chain["chainId"].as_u64()).collect();
    assert!(settings.iter().all(|chain_id| listed.contains(chain_id)), "{settings:?}");
}
