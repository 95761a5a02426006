//! Compares each role's permissions with the calls that its function makes: every call is allowed,
//! and every permission is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;
use template::cloudformation::{ACCOUNT, REGION, Template};
use template::iam::{Call, Statement, allowed};
use template::stacks::{COSIGNER, Function, MAIN, Sources, Stacks};
use template::{assert_found, assert_none};

use crate::operations::seen;

/// Permissions that Lambda uses for every function and that no operation shows: it writes the log
/// and reports failed runs.
const BY_LAMBDA: [&str; 3] = ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"];

/// Permissions that Lambda uses for functions that a stream or a queue invokes.
const BY_STREAM: [&str; 4] = [
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
];
const BY_QUEUE: [&str; 3] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];

/// Returns the stack of the resource, because a policy is in the same stack.
fn stack_of<'a>(stacks: &'a Stacks, function: &Function) -> &'a Template {
    if function.in_cosigner_stack { &stacks.cosigner } else { &stacks.main }
}

/// Returns the policies of the KMS keys of all stacks, by the ARN of the key.
fn key_policies(stacks: &Stacks) -> BTreeMap<String, Vec<Statement>> {
    let both = [&stacks.main, &stacks.cosigner].into_iter();
    let policies = both.flat_map(|stack| {
        let keys = stack.resources("AWS::KMS::Key").into_iter();
        keys.map(|key| (format!("{}.Arn", key.name), key_policy(stack, &key.name)))
    });
    policies.collect()
}

/// Returns the policy of a KMS key.
pub(crate) fn key_policy(stack: &Template, key: &str) -> Vec<Statement> {
    let key = stack.resource("AWS::KMS::Key", key.trim_end_matches(".Arn"));
    let statements = key.properties["KeyPolicy"]["Statement"].as_array().unwrap();
    statements.iter().map(Statement::read).collect()
}

/// Returns the calls that DynamoDB makes for a function when it opens a table that is encrypted
/// with a customer managed key.
fn by_dynamodb(stacks: &Stacks, functions: &[Function], calls: &BTreeSet<Call>) -> BTreeSet<Call> {
    let mut made = BTreeSet::new();
    for function in functions {
        let tables = stack_of(stacks, function).resources("AWS::DynamoDB::Table");
        let calls = calls.iter().filter(|call| call.function == function.package);
        for call in calls.filter(|call| call.action.starts_with("dynamodb:")) {
            // An index belongs to its table.
            let of = call.resource.split("/index/").next().unwrap();
            let table = tables.iter().find(|table| format!("{}.Arn", table.name) == of);
            let Some(table) = table else { continue };
            let Some(key) = table.properties["SSESpecification"]["KMSMasterKeyId"].as_str() else {
                continue;
            };
            let context = [
                ("kms:CallerAccount", ACCOUNT.to_owned()),
                ("kms:EncryptionContext:aws:dynamodb:tableName", table.name.clone()),
                ("kms:ViaService", format!("dynamodb.{REGION}.amazonaws.com")),
            ];
            made.insert(Call {
                function: function.package.clone(),
                action: "kms:Decrypt".to_owned(),
                resource: key.to_owned(),
                context: context.map(|(key, value)| (key.to_owned(), value)).into(),
            });
        }
    }
    made
}

fn wrong(stacks: &Stacks, calls: &BTreeSet<Call>) -> Vec<String> {
    let functions = stacks.functions();
    let made = calls | &by_dynamodb(stacks, &functions, calls);
    // Evaluated once: there are thousands of calls.
    let (keys, endpoint) = (key_policies(stacks), endpoint_policy(stacks));
    let mut wrong = Vec::new();
    let mut through_endpoint = Vec::new();
    for function in &functions {
        let package = &function.package;
        let own: Vec<&Call> = made.iter().filter(|call| call.function == *package).collect();
        let mut ask = |statements: &[Statement], policy_name: &str, call: &Call| {
            if !allowed(statements, call) {
                let call = own_name(call);
                wrong.push(format!("{package}: {call} is not allowed by {policy_name}"));
            }
        };
        for call in &own {
            ask(&function.statements, "the role", call);
            if call.action.starts_with("kms:") {
                let mut by_role = (*call).clone();
                let role = function.text("/Role").to_owned();
                by_role.context.insert("aws:PrincipalArn".to_owned(), role);
                ask(&keys[&call.resource], "the key's policy", &by_role);
            }
            let in_vpc = !function.properties["VpcConfig"].is_null();
            if call.action.starts_with("dynamodb:") && in_vpc {
                ask(&endpoint, "the VPC endpoint", call);
                through_endpoint.push(*call);
            }
        }
        let log = format!("{}.Arn", function.text("/LoggingConfig/LogGroup"));
        let source = function.source().unwrap_or(&Value::Null);
        let after = "/DestinationConfig/OnFailure/Destination";
        let reports = match source.pointer(after).and_then(Value::as_str) {
            Some(queue) => queue,
            None => function.text(&format!("/EventInvokeConfig{after}")),
        };
        let place = |name: &str| source[name].as_str().unwrap_or_default();
        for one in unused(&function.statements, &own) {
            let action = one.actions[0].as_str();
            let to = match action {
                "sqs:SendMessage" => reports,
                action if BY_STREAM.contains(&action) => place("Stream"),
                action if BY_QUEUE.contains(&action) => place("Queue"),
                _ => &log,
            };
            let is_lambdas = [&BY_LAMBDA[..], &BY_STREAM, &BY_QUEUE].concat().contains(&action);
            if !(is_lambdas && one.resources == [to]) {
                wrong.push(format!("{package}: {one} is never used"));
            }
        }
    }
    let idle = unused(&endpoint, &through_endpoint).into_iter();
    wrong.extend(idle.map(|one| format!("the VPC endpoint: {one} is never used")));
    wrong
}

/// Removes the role from a call, which was added for key policies.
fn own_name(call: &Call) -> Call {
    let mut call = call.clone();
    call.context.remove("aws:PrincipalArn");
    call
}

/// Returns the parts of these statements that none of these calls needs.
fn unused(statements: &[Statement], calls: &[&Call]) -> Vec<Statement> {
    let allowing = statements.iter().filter(|statement| statement.allows);
    let single = allowing.flat_map(Statement::narrowed);
    single.filter(|one| !calls.iter().any(|call| one.covers(call))).collect()
}

/// Returns the statements of the VPC's DynamoDB endpoint, if there is one.
fn endpoint_policy(stacks: &Stacks) -> Vec<Statement> {
    let endpoints = stacks.main.resources("AWS::EC2::VPCEndpoint");
    let documents = endpoints.iter().map(|endpoint| &endpoint.properties["PolicyDocument"]);
    let statements = documents.flat_map(|document| document["Statement"].as_array().unwrap());
    statements.map(Statement::read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_have_exactly_the_permissions_they_use() {
    let seen = seen().await;
    let purposes: BTreeSet<_> = seen
        .calls
        .iter()
        .filter_map(|call| {
            Some((&call.function, call.context.get("kms:EncryptionContext:purpose")?))
        })
        .collect();
    assert_eq!(purposes.len(), 56, "expected every kind of secret: {purposes:?}");
    assert_none(&wrong(&Stacks::deployed(), &seen.calls));
    assert_none(&wrong(&Sources::read().deploy(&[("UseVpc", "true")]), &seen.calls));
}

/// The calls that the product counts, in its log and in `calls.rs`, are the calls that arrive at
/// the server.
#[tokio::test(flavor = "multi_thread")]
async fn remote_calls_are_counted_by_the_product() {
    let seen = seen().await;
    assert_eq!(seen.counted, seen.arrived);
    let functions: Vec<&String> = seen.counted.keys().collect();
    assert_eq!(functions.len(), 75, "expected every function but health: {functions:?}");
    assert!(!seen.counted.contains_key("health"));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_permission_is_found() {
    let seen = seen().await;
    let sealed = "WalletsKey.Arn exchange=aster purpose=agent-key tenant=local";
    for (file, place, old, new, line) in [
        (
            MAIN,
            "  RegisterAsterPolicy:",
            "Action: dynamodb:DeleteItem",
            "Action: dynamodb:Scan",
            "register-aster: dynamodb:DeleteItem on WalletsTable.Arn is not allowed by the role",
        ),
        (
            MAIN,
            "  CreateWalletPolicy:",
            "Effect: Allow\n            Action: lambda:InvokeFunction",
            "Effect: Deny\n            Action: lambda:InvokeFunction",
            "create-wallet: lambda:InvokeFunction on arn:aws:lambda:us-east-1:123456789012:function:hyperdex-cosigner:create-wallet is not allowed by the role",
        ),
        (
            MAIN,
            "  GetWalletPolicy:",
            "kms:EncryptionContext:aws:dynamodb:tableName: !Ref WalletsTable",
            "kms:EncryptionContext:aws:dynamodb:tableName: other",
            "get-wallet: kms:Decrypt on WalletsKey.Arn CallerAccount=123456789012 aws:dynamodb:tableName=WalletsTable ViaService=dynamodb.us-east-1.amazonaws.com is not allowed by the role",
        ),
        (
            MAIN,
            "  DynamoDbEndpoint:",
            "- dynamodb:PutItem",
            "- dynamodb:BatchWriteItem",
            "register-hyperliquid: dynamodb:PutItem on WalletsTable.Arn is not allowed by the VPC endpoint",
        ),
        (
            COSIGNER,
            "  CosignerPolicy:",
            "Action: dynamodb:UpdateItem",
            "Action: dynamodb:PutItem",
            "cosigner: dynamodb:UpdateItem on CosignerTable.Arn is not allowed by the role",
        ),
    ] {
        let copy = Sources::read().with(file, place, old, new).deploy(&[("UseVpc", "true")]);
        assert_found(&wrong(&copy, &seen.calls), line);
    }
    // These lines contain a wallet id, which differs in each run.
    for (file, place, old, new, start, end) in [
        (
            MAIN,
            "  RegisterAsterPolicy:",
            "kms:EncryptionContext:exchange: aster",
            "kms:EncryptionContext:exchange: hyperliquid",
            format!("register-aster: kms:GenerateDataKey on {sealed}"),
            "is not allowed by the role",
        ),
        (
            MAIN,
            "  WalletsKey:",
            "- !GetAtt RegisterAsterRole.Arn",
            "- !GetAtt GetWalletRole.Arn",
            format!("register-aster: kms:Decrypt on {sealed}"),
            "is not allowed by the key's policy",
        ),
        (
            COSIGNER,
            "  CosignerKey:",
            "kms:EncryptionContext:version: 'false'",
            "kms:EncryptionContext:version: 'true'",
            "cosigner: kms:Decrypt on CosignerKey.Arn purpose=cosigner-share tenant=local"
                .to_owned(),
            "is not allowed by the key's policy",
        ),
    ] {
        let found = wrong(&Sources::read().with(file, place, old, new).deploy(&[]), &seen.calls);
        let hit = found.iter().any(|line| line.starts_with(&start) && line.ends_with(end));
        assert!(hit, "expected: {start}\nfound:\n{}", found.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_permission_is_found() {
    let seen = seen().await;
    for (file, place, old, new, line) in [
        (
            MAIN,
            "  GetWalletPolicy:",
            "Action: dynamodb:Query",
            "Action: [dynamodb:Query, dynamodb:DeleteItem]",
            "get-wallet: dynamodb:DeleteItem on WalletsTable.Arn is never used",
        ),
        (
            MAIN,
            "  GetWalletPolicy:",
            "Resource: !GetAtt GetWalletLogs.Arn",
            "Resource: !GetAtt HealthLogs.Arn",
            "get-wallet: logs:PutLogEvents on HealthLogs.Arn is never used",
        ),
        (
            MAIN,
            "  CreateWalletPolicy:",
            "kms:EncryptionContext:purpose: share",
            "kms:EncryptionContext:purpose: [share, agent-key]",
            "create-wallet: kms:GenerateDataKey on WalletsKey.Arn purpose=agent-key is never used",
        ),
        (
            MAIN,
            "  HealthPolicy:",
            "          - Sid: Log\n",
            "          - { Effect: Allow, Action: lambda:InvokeFunction, Resource: !Ref CosignerArn }\n          - Sid: Log\n",
            "health: lambda:InvokeFunction on  is never used",
        ),
        (
            MAIN,
            "  DynamoDbEndpoint:",
            "- dynamodb:Query",
            "- dynamodb:Query\n              - dynamodb:Scan",
            "the VPC endpoint: dynamodb:Scan on WalletsTable.Arn is never used",
        ),
        (
            COSIGNER,
            "  CosignerPolicy:",
            "Action: dynamodb:GetItem",
            "Action: [dynamodb:GetItem, dynamodb:Scan]",
            "cosigner: dynamodb:Scan on CosignerTable.Arn is never used",
        ),
    ] {
        let copy = Sources::read().with(file, place, old, new).deploy(&[("UseVpc", "true")]);
        assert_found(&wrong(&copy, &seen.calls), line);
    }
    // If a call is no longer made, its permission is unused.
    let mut fewer = seen.calls.clone();
    fewer.retain(|call| call.action != "dynamodb:UpdateItem");
    for function in ["sign-message", "register-aster", "cosigner"] {
        let table = if function == "cosigner" { "CosignerTable" } else { "WalletsTable" };
        let line = format!("{function}: dynamodb:UpdateItem on {table}.Arn is never used");
        assert_found(&wrong(&Stacks::deployed(), &fewer), &line);
    }
}

/// Returns the role matrix of the templates.
fn matrix(stacks: &Stacks) -> String {
    let mut text = "# Role matrix

The permissions of each function's role, computed from the templates and compared with the calls that the
functions make. In addition, each function can write to its own log. A test compares this file.

| function | actions | resource | conditions |
| --- | --- | --- | --- |
"
    .to_owned();
    let mut functions = stacks.functions();
    functions.sort_by(|one, other| one.package.cmp(&other.package));
    for Function { package, statements, .. } in &functions {
        let shown = statements.iter().filter(|one| one.allows && one.sid != "Log");
        for one in shown.clone() {
            let named = one.resources.join(", ");
            let resource = named.rsplit(":function:").next().unwrap().replace(".Arn", "");
            let conditions = one.conditions.iter().map(|condition| {
                let key = condition.key.rsplit(':').next().unwrap();
                format!("{key} {}", condition.values.join(" or "))
            });
            let conditions = conditions.collect::<Vec<_>>().join(", ");
            let actions = one.actions.join(", ");
            writeln!(text, "| {package} | {actions} | {resource} | {conditions} |").unwrap();
        }
        if shown.count() == 0 {
            writeln!(text, "| {package} | nothing | | |").unwrap();
        }
    }
    text
}

/// `cargo xtask matrix` sets `WRITE_MATRIX`, which rewrites the document.
#[test]
fn role_matrix_matches_the_document() {
    const DOCUMENT: &str = "tests/template/tests/matrix.md";
    let computed = matrix(&Stacks::deployed());
    if std::env::var_os("WRITE_MATRIX").is_some() {
        std::fs::write(template::repository(DOCUMENT), &computed).unwrap();
    }
    assert!(template::read(DOCUMENT) == computed, "{DOCUMENT}: run cargo xtask matrix");
}
