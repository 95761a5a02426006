//! Checks that the local stack's limits match the usage plan.

use std::collections::BTreeMap;

use hyperdex_local::Limits;
use serde_json::Value;
use shared::exchanges::budget::BudgetConfig;
use shared::wallets::WALLETS_PER_TENANT;
use template::stacks::{MAIN, Sources, Stacks};

/// Returns the usage plan's numbers, which are texts in the template.
fn in_template(stacks: &Stacks) -> [u64; 3] {
    let plan = stacks.main.resource("AWS::ApiGateway::UsagePlan", "UsagePlan").properties;
    assert_eq!(plan["Quota"]["Period"], "DAY");
    let number = |pointer: &str| match plan.pointer(pointer) {
        Some(Value::Number(number)) => number.as_u64().unwrap(),
        Some(Value::String(text)) => text.parse().unwrap(),
        other => panic!("{pointer}: {other:?}"),
    };
    ["/Throttle/RateLimit", "/Throttle/BurstLimit", "/Quota/Limit"].map(number)
}

#[test]
fn local_stack_limits_match_the_usage_plan() {
    let Limits { rate_per_s, burst, quota_per_day } = Limits::default();
    assert_eq!(in_template(&Stacks::deployed()), [rate_per_s, burst, quota_per_day]);
    let copy = Sources::read().with(MAIN, "  KeyBurstLimit:", "Default: 100", "Default: 99");
    assert_eq!(in_template(&copy.deploy(&[]))[1], 99, "the default must be read");
}

/// The functions that attach keys find the usage plan by the name of the stack.
#[test]
fn usage_plan_has_the_service_name() {
    let stacks = Stacks::deployed();
    let plan = stacks.main.resource("AWS::ApiGateway::UsagePlan", "UsagePlan").properties;
    for package in ["create-tenant-key", "rotate-tenant-key"] {
        let functions = stacks.functions();
        let function = functions.iter().find(|function| function.package == package).unwrap();
        assert_eq!(plan["UsagePlanName"], function.variables()["SERVICE_NAME"]);
    }
}

/// The reserved concurrency of each endpoint and of the cosigner. The other functions refuse the
/// value of `Globals` with `AWS::NoValue`.
fn reserved(stacks: &Stacks) -> BTreeMap<String, u64> {
    let of = |value: &Value| match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let functions = stacks.functions().into_iter();
    let functions = functions.filter(|it| it.is_endpoint() || it.package == "cosigner");
    let with = functions.filter_map(|function| {
        let reserved = of(&function.properties["ReservedConcurrentExecutions"])?;
        Some((function.package, reserved))
    });
    with.collect()
}

#[test]
fn reserved_concurrency_fits_into_an_account_of_1000() {
    let stacks = Stacks::deployed();
    let by_default = reserved(&stacks);
    // Lambda requires that 100 stay unreserved.
    assert!(by_default.values().sum::<u64>() <= 900, "{by_default:?}");
    assert_eq!(by_default["cosigner"], 200);
    for function in stacks.functions().iter().filter(|function| function.is_endpoint()) {
        assert!(by_default.contains_key(&function.package), "{}", function.package);
    }
    // The cosigner has room for every function that signs: each waits for one call at a time.
    let signers = ["sign-message", "register-aster", "register-hyperliquid"];
    assert!(signers.iter().all(|it| by_default[*it] < by_default["cosigner"]), "{by_default:?}");
}

#[test]
fn shared_concurrency_reserves_nothing() {
    let shared = Sources::read().deploy(&[("ConcurrencyPlan", "shared")]);
    assert_eq!(reserved(&shared), BTreeMap::new());
    let own = [
        ("ConcurrencyPlan", "shared"),
        ("ReservedConcurrency", "3"),
        ("CosignerReservedConcurrency", "5"),
    ];
    let own = reserved(&Sources::read().deploy(&own));
    assert_eq!((own["cosigner"], own["sign-message"], own["health"]), (5, 3, 3));
}

#[test]
fn defaults_of_fairness_are_those_of_the_code() {
    let stacks = Stacks::deployed();
    let set = |function: &str, variable: &str| {
        stacks.function(function).variables()[variable].parse::<u64>().unwrap()
    };
    let budget = BudgetConfig::default();
    for function in ["register-aster", "rotate-apikey", "renew-apikeys", "place-order-aster"] {
        assert_eq!(set(function, "TENANT_BUDGET_PERCENT"), budget.tenant_percent);
        assert_eq!(set(function, "JOB_BUDGET_PERCENT"), budget.job_percent);
    }
    assert_eq!(set("create-wallet", "WALLETS_PER_TENANT"), WALLETS_PER_TENANT);
}
