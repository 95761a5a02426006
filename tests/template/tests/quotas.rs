//! Counts the resources of the stack after the SAM transform, with and without gradual deployment.
//! CloudFormation accepts 500 of them; the last 10 are left for the next change to notice.

use serde_json::Value;
use template::assert_none;
use template::stacks::{COSIGNER, MAIN, MONITORING, Sources};

/// The highest number of resources of one stack that this repository accepts.
const MAX_RESOURCES: usize = 490;

/// The resources that gradual deployment adds once: an application, its role and an alarm.
const GRADUAL_ONCE: usize = 3;

/// The functions that shift gradually, as `infra/gradual.py` lists them.
const SHIFTED_FUNCTIONS: [&str; 6] = [
    "create-wallet",
    "sign-message",
    "register-aster",
    "register-hyperliquid",
    "place-order-aster",
    "place-order-hyperliquid",
];

/// Returns the number of resources into which the SAM transform turns a resource. A role and a log
/// group of a function are resources of their own.
fn transformed(resource: &Value, is_gradual: bool) -> usize {
    match resource["Type"].as_str().unwrap() {
        // The API, its deployment and its stage.
        "AWS::Serverless::Api" => 3,
        "AWS::Serverless::Function" => {
            let properties = &resource["Properties"];
            let events = properties["Events"].as_object().into_iter().flatten();
            let events = events.map(|(_, event)| match event["Type"].as_str().unwrap() {
                // A rule and a permission.
                "Schedule" => 2,
                // A mapping.
                "DynamoDB" | "SQS" => 1,
                other => panic!("add the resources of an event of the type {other} to this file"),
            });
            let reports = usize::from(!properties["EventInvokeConfig"].is_null());
            // A version, an alias and a deployment group.
            let shifted = if is_gradual && shifts(resource) { 3 } else { 0 };
            1 + events.sum::<usize>() + reports + shifted
        }
        _ => 1,
    }
}

/// Returns whether `infra/gradual.py` moves the traffic of a function gradually.
fn shifts(function: &Value) -> bool {
    let folder = function["Properties"]["CodeUri"].as_str().unwrap();
    folder.strip_prefix("functions/").is_some_and(|name| SHIFTED_FUNCTIONS.contains(&name))
}

/// Returns the number of resources of a template after the transform.
fn count(sources: &Sources, file: &str, is_gradual: bool) -> usize {
    let body = sources.body(file);
    let resources = body["Resources"].as_object().unwrap().values();
    let count: usize = resources.map(|resource| transformed(resource, is_gradual)).sum();
    count + if is_gradual { GRADUAL_ONCE } else { 0 }
}

fn wrong(sources: &Sources) -> Vec<String> {
    let stacks = [(MAIN, false), (MAIN, true), (COSIGNER, false), (MONITORING, false)];
    let counts = stacks.map(|(file, is_gradual)| (file, count(sources, file, is_gradual)));
    let over = counts.iter().filter(|(_, count)| *count > MAX_RESOURCES);
    over.map(|(file, count)| format!("{file}: {count} resources after the transform")).collect()
}

#[test]
fn transformed_stacks_stay_below_the_resource_limit() {
    let sources = Sources::read();
    assert_none(&wrong(&sources));
    // `.ci/quotas` counts the output of AWS's own translator, and writes its numbers into this row.
    let guide = template::read("docs/guides/deploy.md");
    let row = guide.lines().find(|line| line.starts_with("| resources after the SAM transform |"));
    let cells: Vec<usize> =
        row.unwrap().split('|').filter_map(|cell| cell.trim().parse().ok()).collect();
    let counted = [
        500,
        count(&sources, MAIN, false),
        count(&sources, MAIN, true),
        count(&sources, COSIGNER, false),
        count(&sources, MONITORING, false),
    ];
    assert_eq!(cells, counted);
}

#[test]
fn shifted_functions_are_those_of_the_script() {
    let script = template::read("infra/gradual.py");
    let (_, listed) = script.split_once("SHIFTED_FUNCTIONS = (").unwrap();
    let listed: Vec<&str> =
        listed.split_once(')').unwrap().0.split('"').skip(1).step_by(2).collect();
    assert_eq!(listed, SHIFTED_FUNCTIONS);
}

#[test]
fn stack_over_the_resource_limit_is_found() {
    let sources = Sources::read();
    let queue = |number| format!("  Queue{number}:\n    Type: AWS::SQS::Queue\n");
    let more: String = (count(&sources, MAIN, true)..=MAX_RESOURCES).map(queue).collect();
    let copy = sources.with(MAIN, "Resources:", "  UsagePlan:", &format!("{more}  UsagePlan:"));
    let total = MAX_RESOURCES + 1;
    assert_eq!(wrong(&copy), [format!("{MAIN}: {total} resources after the transform")]);
}
