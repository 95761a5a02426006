//! Checks that the local stack's limits match the usage plan.

use hyperdex_local::Limits;
use serde_json::Value;
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
