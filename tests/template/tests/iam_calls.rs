//! Converts requests to AWS into calls as IAM evaluates them: action, resource and condition keys.

use std::collections::{BTreeMap, BTreeSet};

use hyperdex_local::{
    AUDIT_KEY, COSIGNER_KEY, COSIGNER_RECOVERY_TABLE, COSIGNER_TABLE, RECOVERY_TABLE, SEALS_TABLE,
    WALLETS_KEY, WALLETS_TABLE,
};
use serde_json::{Value, json};
use template::cloudformation::REGION;
use template::iam::Call;

/// For each resource: its name in the environment of the templates, its name in IAM, and its local
/// name.
pub(crate) const RESOURCES: [(&str, &str, &str); 10] = [
    ("WalletsTable", "WalletsTable.Arn", WALLETS_TABLE),
    ("WalletsKey.Arn", "WalletsKey.Arn", WALLETS_KEY),
    ("CosignerTable", "CosignerTable.Arn", COSIGNER_TABLE),
    ("SealsTable", "SealsTable.Arn", SEALS_TABLE),
    ("RecoveryTable", "RecoveryTable.Arn", RECOVERY_TABLE),
    ("CosignerRecoveryTable", "CosignerRecoveryTable.Arn", COSIGNER_RECOVERY_TABLE),
    ("CosignerKey.Arn", "CosignerKey.Arn", COSIGNER_KEY),
    ("AuditKey.Arn", "AuditKey.Arn", AUDIT_KEY),
    // The local name of the queue is its path; see `environment`.
    ("Deliveries", "Deliveries.Arn", "/queue/deliveries"),
    ("UsagePlan", "UsagePlan", "local"),
];

pub(crate) fn call(function: &str, action: &str, name: &str) -> Call {
    let resource = RESOURCES.iter().find(|(_, _, here)| *here == name);
    Call {
        function: function.to_owned(),
        action: action.to_owned(),
        resource: resource.map_or(name, |(_, resource, _)| resource).to_owned(),
        context: BTreeMap::new(),
    }
}

/// Returns the calls of one DynamoDB operation. A transaction counts as one call for each item.
pub(crate) fn dynamodb(caller: &str, operation: &str, request: &Value) -> Vec<Call> {
    let on = |action: &str, request: &Value| {
        let table = request["TableName"].as_str().unwrap();
        let mut call = call(caller, &format!("dynamodb:{action}"), table);
        // Only functions that are limited to single partitions have this condition.
        let keys = [
            "/ExpressionAttributeValues/:pk/S",
            "/Item/pk/S",
            "/Key/pk/S",
            // The partition key of an index.
            "/ExpressionAttributeValues/:shard/S",
        ];
        let leading = keys.iter().find_map(|key| request.pointer(key)?.as_str());
        let is_limited = LIMITED_TO_PARTITIONS.contains(&caller);
        // Every function is limited to some of the items of tenants and keys.
        if let Some(key) = leading.filter(|key| is_limited || key.starts_with('#')) {
            call.context.insert("dynamodb:LeadingKeys".to_owned(), key.to_owned());
        }
        if let Some(select) = request["Select"].as_str() {
            call.context.insert("dynamodb:Select".to_owned(), select.to_owned());
            call.context.insert("dynamodb:Attributes".to_owned(), attributes(request).join(","));
        }
        if let Some(index) = request["IndexName"].as_str() {
            call.resource = format!("{}/index/{index}", call.resource);
        }
        call
    };
    if operation == "BatchGetItem" {
        // One call for each item, whose partition IAM checks.
        let tables = request["RequestItems"].as_object().unwrap().iter();
        let items = tables.flat_map(|(table, asked)| {
            let keys = asked["Keys"].as_array().unwrap().iter();
            keys.map(move |key| json!({ "TableName": table, "Key": key }))
        });
        return items.map(|item| on(operation, &item)).collect();
    }
    if operation != "TransactWriteItems" {
        return vec![on(operation, request)];
    }
    let items = request["TransactItems"].as_array().unwrap().iter();
    let items = items.flat_map(|item| item.as_object().unwrap());
    let calls = items.map(|(kind, item)| match kind.as_str() {
        "ConditionCheck" => on("ConditionCheckItem", item),
        kind @ ("Delete" | "Put" | "Update") => on(&format!("{kind}Item"), item),
        other => panic!("{other}"),
    });
    calls.collect()
}

/// Returns the attributes that the expressions of a request name.
fn attributes(request: &Value) -> Vec<String> {
    const WORDS: [&str; 8] =
        ["AND", "OR", "NOT", "BETWEEN", "IN", "begins_with", "contains", "attribute_exists"];
    let kinds = ["KeyConditionExpression", "FilterExpression", "ProjectionExpression"];
    let texts = kinds.iter().filter_map(|kind| request[kind].as_str());
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_#:".contains(letter);
    let parts = texts.flat_map(|text| text.split(move |letter| !is_part(letter)));
    let names = parts.filter(|part| !part.is_empty() && !part.starts_with(':'));
    let names = names.filter(|name| !WORDS.contains(name)).map(|name| {
        let alias = request["ExpressionAttributeNames"][name].as_str();
        alias.unwrap_or(name).to_owned()
    });
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The functions that may access only some partitions of their table.
const LIMITED_TO_PARTITIONS: [&str; 61] = [
    "approve-policy-change",
    "cancel-orders-aster",
    "cancel-orders-hyperliquid",
    "cancel-orders-lighter",
    "cancel-policy-change",
    "close-position-aster",
    "close-position-hyperliquid",
    "create-tenant-key",
    "create-webhook",
    "delete-apikey",
    "delete-credentials-lighter",
    "delete-webhook",
    "deliver-webhook",
    "get-balances-aster",
    "get-balances-hyperliquid",
    "get-balances-lighter",
    "get-credentials-lighter",
    "get-fills-aster",
    "get-fills-hyperliquid",
    "get-orders-aster",
    "get-orders-hyperliquid",
    "get-orders-lighter",
    "get-policy",
    "get-positions-all",
    "get-positions-aster",
    "get-positions-hyperliquid",
    "get-positions-lighter",
    "get-token-transfer",
    "get-trading-policy",
    "get-transfer-aster",
    "get-transfer-hyperliquid",
    "list-deliveries",
    "list-tenant-keys",
    "list-webhooks",
    "modify-order-aster",
    "modify-order-hyperliquid",
    "modify-order-lighter",
    "place-order-aster",
    "place-order-hyperliquid",
    "place-order-lighter",
    "propose-policy-change",
    "publish-events",
    "replay-webhook",
    "resolve-orders-aster",
    "resolve-orders-hyperliquid",
    "resolve-orders-lighter",
    "revoke-tenant-key",
    "rotate-apikey",
    "rotate-tenant-key",
    "seal-audit",
    "send-tokens",
    "set-credentials-lighter",
    "set-leverage-aster",
    "set-leverage-hyperliquid",
    "set-leverage-lighter",
    "set-trading-policy",
    "test-webhook",
    "transfer-hyperliquid",
    "update-webhook",
    "withdraw-aster",
    "withdraw-hyperliquid",
];

/// The control plane of API Gateway: an action is a method on a path. The key's id is anything.
pub(crate) fn api_gateway(caller: &str, method: &str, path: &str) -> Call {
    let path = match path.strip_prefix("/apikeys/") {
        Some(_) => "/apikeys/*".to_owned(),
        None => path.replace("/usageplans/local/", "/usageplans/UsagePlan/"),
    };
    let resource = format!("arn:aws:apigateway:{REGION}::{path}");
    call(caller, &format!("apigateway:{method}"), &resource)
}

/// A batch requires the permission for its single call.
pub(crate) fn sqs(caller: &str, operation: &str, request: &Value) -> Call {
    let action = operation.strip_suffix("Batch").unwrap_or(operation);
    let url = request["QueueUrl"].as_str().unwrap();
    let name = url.find("/queue/").map_or(url, |at| &url[at..]);
    call(caller, &format!("sqs:{action}"), name)
}

pub(crate) fn kms(caller: &str, operation: &str, request: &Value) -> Call {
    let mut call = call(caller, &format!("kms:{operation}"), request["KeyId"].as_str().unwrap());
    let context = request["EncryptionContext"].as_object().into_iter().flatten();
    call.context = context
        .map(|(key, value)| {
            (format!("kms:EncryptionContext:{key}"), value.as_str().unwrap().to_owned())
        })
        .collect();
    for name in ["SigningAlgorithm", "MessageType"] {
        if let Some(value) = request[name].as_str() {
            call.context.insert(format!("kms:{name}"), value.to_owned());
        }
    }
    call
}
