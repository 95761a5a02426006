//! Counts the resources of the stack after the SAM transform, with and without gradual deployment.
//! CloudFormation accepts 500 of them; the last 10 are left for the next change to notice.

use serde_json::Value;
use template::assert_none;
use template::stacks::{COSIGNER, MAIN, MONITORING, Sources};

/// The highest number of resources of one stack that this repository accepts.
const MAX_RESOURCES: usize = 490;

/// The resources that gradual deployment adds once: an application, its role and an alarm.
const GRADUAL_ONCE: usize = 3;

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
                // A permission.
                "Api" => 1,
                // A rule and a permission.
                "Schedule" => 2,
                // A mapping.
                "DynamoDB" | "SQS" => 1,
                other => panic!("add the resources of an event of the type {other} to this file"),
            });
            let reports = usize::from(!properties["EventInvokeConfig"].is_null());
            // A version, an alias and a deployment group.
            let shifts =
                if is_gradual && is_endpoint(resource) && !reads(resource) { 3 } else { 0 };
            1 + events.sum::<usize>() + reports + shifts
        }
        _ => 1,
    }
}

fn is_endpoint(function: &Value) -> bool {
    let events = function["Properties"]["Events"].as_object().into_iter().flatten();
    events.into_iter().any(|(_, event)| event["Type"] == "Api")
}

/// Returns whether a function only reads, so that its new version serves all calls at once.
fn reads(function: &Value) -> bool {
    let folder = function["Properties"]["CodeUri"].as_str().unwrap();
    folder.starts_with("functions/get-") || folder.starts_with("functions/list-")
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
fn stack_over_the_resource_limit_is_found() {
    let queue = |number| format!("  Queue{number}:\n    Type: AWS::SQS::Queue\n");
    let more: String = (0..60).map(queue).collect();
    let copy =
        Sources::read().with(MAIN, "Resources:", "  UsagePlan:", &format!("{more}  UsagePlan:"));
    let total = count(&copy, MAIN, true);
    assert!(total > MAX_RESOURCES, "{total}");
    assert_eq!(wrong(&copy), [format!("{MAIN}: {total} resources after the transform")]);
}
