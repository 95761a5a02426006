//! Checks resources that outlive their stack and resources that conditions omit. A failed creation
//! must leave nothing behind that the next attempt conflicts with.

use serde_json::Value;
use template::stacks::{COSIGNER, MAIN, MONITORING, Sources};
use template::{assert_found, assert_none};

/// The resources that are kept after a failed creation, each with the reason.
const KEPT: [(&str, &str, &str); 7] = [
    (MAIN, "ApiGatewayAccount", "the account setting may have replaced an earlier one"),
    (MAIN, "ApiGatewayLogRole", "without the role no API of the account and region can log"),
    (MAIN, "WalletsTable", PROTECTED),
    (MAIN, "RecoveryTable", PROTECTED),
    (COSIGNER, "CosignerTable", PROTECTED),
    (COSIGNER, "SealsTable", PROTECTED),
    (COSIGNER, "CosignerRecoveryTable", PROTECTED),
];
const PROTECTED: &str = "CloudFormation cannot delete a table with deletion protection";

/// The properties that give a resource a name that the next attempt needs.
const NAMES: [&str; 10] = [
    "AliasName",
    "FunctionName",
    "KeyName",
    "LogGroupName",
    "Name",
    "PolicyName",
    "QueueName",
    "RoleName",
    "TableName",
    "TopicName",
];

/// Returns true if a resource is kept when its stack is deleted.
fn is_retained(resource: &Value) -> bool {
    ["Retain", "RetainExceptOnCreate"].iter().any(|policy| resource["DeletionPolicy"] == *policy)
}

/// Returns the faults of the deletion policies of all templates.
fn wrong_policies(sources: &Sources) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    for file in [MAIN, COSIGNER, MONITORING] {
        let body = sources.body(file);
        for (name, resource) in body["Resources"].as_object().unwrap() {
            let kept = KEPT.iter().find(|kept| (kept.0, kept.1) == (file, name.as_str()));
            let survives = resource["DeletionPolicy"] == "Retain";
            match kept {
                None if survives => {
                    wrong.push(format!("{file}: {name} survives a failed creation"));
                }
                Some((_, _, reason)) if survives => {
                    seen.push(name.clone());
                    if *reason == PROTECTED
                        && resource["Properties"]["DeletionProtectionEnabled"] != true
                    {
                        wrong.push(format!("{file}: {name} has no deletion protection"));
                    }
                    let named = NAMES.iter().find(|key| !resource["Properties"][**key].is_null());
                    wrong.extend(named.map(|key| format!("{file}: {name} has a fixed {key}")));
                }
                _ => {}
            }
            if is_retained(resource) && resource["UpdateReplacePolicy"] != "Retain" {
                wrong.push(format!("{file}: {name} does not survive its replacement"));
            }
        }
    }
    let listed = KEPT.iter().filter(|kept| !seen.iter().any(|name| name == kept.1));
    wrong.extend(listed.map(|kept| format!("{}: {} is listed but not Retain", kept.0, kept.1)));
    wrong
}

/// Returns the resources whose `DependsOn` names a resource that a condition can omit.
fn wrong_dependencies(sources: &Sources) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in [MAIN, COSIGNER, MONITORING] {
        let body = sources.body(file);
        let resources = body["Resources"].as_object().unwrap();
        for (name, resource) in resources {
            let depends = match &resource["DependsOn"] {
                Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
                Value::String(one) => vec![one.as_str()],
                _ => Vec::new(),
            };
            for on in depends {
                let Some(other) = resources.get(on) else {
                    wrong.push(format!("{file}: {name} depends on {on}, which does not exist"));
                    continue;
                };
                if !other["Condition"].is_null() && other["Condition"] != resource["Condition"] {
                    wrong.push(format!("{file}: {name} depends on {on}, which is conditional"));
                }
            }
        }
    }
    wrong
}

#[test]
fn failed_creation_leaves_no_named_resource() {
    assert_none(&wrong_policies(&Sources::read()));
}

#[test]
fn cosigner_stack_is_deleted_only_by_failed_creation() {
    let body = Sources::read().body(MAIN);
    let cosigner = &body["Resources"]["Cosigner"];
    assert_eq!(cosigner["DeletionPolicy"], "RetainExceptOnCreate");
    assert_eq!(cosigner["UpdateReplacePolicy"], "Retain");
    // Otherwise the functions and KMS aliases of the next attempt would conflict with the existing
    // ones.
    assert!(cosigner["Properties"]["Parameters"]["FunctionName"]["Fn::Sub"].is_string());
}

#[test]
fn retained_resource_without_a_reason_is_found() {
    for (file, place, old, new, line) in [
        (
            MAIN,
            "  Cosigner:",
            "RetainExceptOnCreate",
            "Retain",
            "template.yaml: Cosigner survives a failed creation",
        ),
        (
            COSIGNER,
            "  AuditKey:",
            "RetainExceptOnCreate",
            "Retain",
            "infra/cosigner.yaml: AuditKey survives a failed creation",
        ),
        (
            MAIN,
            "  WalletsKey:",
            "UpdateReplacePolicy: Retain",
            "UpdateReplacePolicy: Delete",
            "template.yaml: WalletsKey does not survive its replacement",
        ),
        (
            MAIN,
            "  WalletsTable:",
            "DeletionPolicy: Retain",
            "DeletionPolicy: Delete",
            "template.yaml: WalletsTable is listed but not Retain",
        ),
        (
            COSIGNER,
            "  CosignerTable:",
            "DeletionProtectionEnabled: true",
            "DeletionProtectionEnabled: false",
            "infra/cosigner.yaml: CosignerTable has no deletion protection",
        ),
        (
            MAIN,
            "  WalletsTable:",
            "BillingMode: PAY_PER_REQUEST",
            "BillingMode: PAY_PER_REQUEST\n      TableName: wallets",
            "template.yaml: WalletsTable has a fixed TableName",
        ),
    ] {
        assert_found(&wrong_policies(&Sources::read().with(file, place, old, new)), line);
    }
}

#[test]
fn dependency_on_conditional_resource_is_found() {
    assert_none(&wrong_dependencies(&Sources::read()));
    let api = "    Type: AWS::Serverless::Api\n";
    let depends = format!("{api}    DependsOn: ApiGatewayAccount\n");
    let copy = Sources::read().with(MAIN, "  Api:", api, &depends);
    assert_found(
        &wrong_dependencies(&copy),
        "template.yaml: Api depends on ApiGatewayAccount, which is conditional",
    );
}

/// The stage waits for the account's logging role if this stack sets it.
#[test]
fn stage_logs_after_the_role_is_set() {
    let body = Sources::read().body(MAIN);
    let log = &body["Resources"]["Api"]["Properties"]["AccessLogSetting"]["DestinationArn"];
    assert_eq!(log["Fn::If"][0], "SetsApiGatewayLogRole");
    assert_eq!(log["Fn::If"][1]["Fn::Select"][1][1]["Ref"], "ApiGatewayAccount");
    for sets in ["true", "false"] {
        let stacks = Sources::read().deploy(&[("ManageApiGatewayLogRole", sets)]);
        let api = stacks.main.resource("AWS::Serverless::Api", "Api").properties;
        assert_eq!(api["AccessLogSetting"]["DestinationArn"], "AccessLogs.Arn");
    }
}
