//! Limits: the usage plan's numbers are the local stack's.

use hyperdex_local::Limits;
use serde_json::Value;
use template::stacks::{MAIN, Sources, Stacks};

/// What the usage plan says of each key. The templates' numbers arrive as text.
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
    assert_eq!(in_template(&copy.deploy(&[]))[1], 99, "the default is what is read");
}
