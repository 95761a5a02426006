//! Checks that no role can reach the other party's half, allow a wildcard, or bypass its policy.

use std::collections::BTreeSet;

use serde_json::Value;
use template::cloudformation::{ACCOUNT, REGION, STACK};
use template::iam::Statement;
use template::stacks::{COSIGNER, Function, MAIN, Sources, Stacks};
use template::{assert_found, assert_none};

use crate::invokers::alias_arn;

/// Returns all resources that a role may name: the party's own table and key, its own log, its own
/// alias of the cosigner, and, if it signs, the function that refreshes shares. A job's role may
/// also name the indexes and the queue of failed runs, and the list's role its index.
fn own_resources(function: &Function) -> BTreeSet<String> {
    let log = format!("{}.Arn", function.text("/LoggingConfig/LogGroup"));
    let cosigner = alias_arn(&function.package);
    let resources = if function.package == "seal-audit" {
        let heads = "CosignerTable.Arn/index/heads".to_owned();
        vec![
            "CosignerTable.Arn".to_owned(),
            heads,
            SEALS.to_owned(),
            "AuditKey.Arn".to_owned(),
            COSIGNER_RECORDS.to_owned(),
            log,
        ]
    } else if function.in_cosigner_stack {
        let own = ["CosignerTable.Arn", SEALS, "CosignerKey.Arn", COSIGNER_RECORDS];
        own.map(str::to_owned).into_iter().chain([log]).collect()
    } else {
        vec!["WalletsTable.Arn".to_owned(), "WalletsKey.Arn".to_owned(), cosigner, log]
    };
    // The functions that make shares write recovery records.
    let records = matches!(function.package.as_str(), "create-wallet" | "refresh-shares");
    let records = records.then(|| "RecoveryTable.Arn".to_owned());
    let gateway = |path: &str| format!("arn:aws:apigateway:{REGION}::{path}");
    let gateway: Vec<String> = match function.package.as_str() {
        "create-tenant-key" | "rotate-tenant-key" => {
            let plans = ["/usageplans", "/usageplans/UsagePlan/keys"];
            ["/apikeys", ANY_KEY].into_iter().chain(plans).map(gateway).collect()
        }
        "revoke-tenant-key" => vec![gateway(ANY_KEY)],
        _ => Vec::new(),
    };
    let jobs = [
        "WalletsTable.Arn/index/due",
        "WalletsTable.Arn/index/check",
        "WalletsTable.Arn/index/refresh",
        "JobsDeadLetters.Arn",
    ];
    let jobs = jobs
        .map(ToOwned::to_owned)
        .into_iter()
        .filter(|_| function.schedule().is_some() && !function.in_cosigner_stack);
    let webhooks: &[&str] = match function.package.as_str() {
        "publish-events" => &["Deliveries.Arn", "WalletsTable.StreamArn", "JobsDeadLetters.Arn"],
        "deliver-webhook" | "replay-webhook" | "test-webhook" => &["Deliveries.Arn"],
        _ => &[],
    };
    let webhooks = webhooks.iter().map(|name| (*name).to_owned());
    let refreshes = function.variables().get("REFRESH_FUNCTION").cloned();
    let refreshes = refreshes.filter(|function| !function.is_empty());
    let list = "WalletsTable.Arn/index/wallets".to_owned();
    let lists = matches!(function.package.as_str(), "list-wallets" | "renew-apikeys");
    let list = Some(list).filter(|_| lists);
    // The orders under way of one wallet.
    let ends = function.package.starts_with("cancel-orders-")
        || ["delete-apikey", "rotate-apikey"].contains(&function.package.as_str());
    let under_way = Some("WalletsTable.Arn/index/due".to_owned()).filter(|_| ends);
    let resources = resources.into_iter().chain(gateway).chain(jobs).chain(list).chain(under_way);
    resources.chain(webhooks).chain(refreshes).chain(records).collect()
}

/// The table of the newest seal, outside the cosigner's table.
const SEALS: &str = "SealsTable.Arn";

/// The cosigner's recovery records.
const COSIGNER_RECORDS: &str = "CosignerRecoveryTable.Arn";

/// API Gateway's keys have no names that a policy could tell apart.
const ANY_KEY: &str = "/apikeys/*";

fn wrong_roles(stacks: &Stacks) -> Vec<String> {
    let mut wrong = Vec::new();
    for function in stacks.functions() {
        let (package, own) = (&function.package, own_resources(&function));
        for one in function.statements.iter().filter(|statement| statement.allows) {
            // An index may only be queried.
            let queries = one.actions.iter().all(|action| action == "dynamodb:Query");
            let may_name =
                |name: &String| own.contains(name) && (queries || !name.contains("/index/"));
            for resource in one.resources.iter().filter(|resource| !may_name(resource)) {
                wrong.push(format!("{package}: {} names {resource}", one.sid));
            }
            for action in &one.actions {
                let single = action.split_once(':').is_some_and(|(_, name)| !name.contains('*'));
                if !single {
                    wrong.push(format!("{package}: {} allows {action}", one.sid));
                }
                let through = one.asks("kms:ViaService").is_some();
                let purpose = one.asks("kms:EncryptionContext:purpose").is_some();
                let seal = action == "kms:Sign" && one.resources == ["AuditKey.Arn"];
                if action.starts_with("kms:") && !through && !purpose && !seal {
                    wrong.push(format!("{package}: {} allows any purpose", one.sid));
                }
            }
        }
    }
    for (stack, file) in [(&stacks.main, MAIN), (&stacks.cosigner, COSIGNER)] {
        // Policy types that no test reads.
        let unread = ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::DynamoDB::GlobalTable"];
        let types = stack.types();
        wrong.extend(
            unread
                .iter()
                .filter(|kind| types.contains(&(**kind).to_owned()))
                .map(|kind| format!("{file}: no test checks {kind}")),
        );
    }
    wrong
}

/// Returns the AWS managed policies of the roles.
fn managed(stacks: &Stacks) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for function in stacks.functions() {
        let stack = if function.in_cosigner_stack { &stacks.cosigner } else { &stacks.main };
        let role = stack.resource("AWS::IAM::Role", function.role());
        let policies = role.properties["ManagedPolicyArns"].as_array().into_iter().flatten();
        for policy in policies.filter_map(Value::as_str) {
            found.insert(format!("{} {}", function.package, policy.rsplit('/').next().unwrap()));
        }
    }
    found
}

#[test]
fn roles_cannot_reach_other_party_or_wildcards() {
    for vpc in ["false", "true"] {
        assert_none(&wrong_roles(&Sources::read().deploy(&[("UseVpc", vpc)])));
    }
    // The same check without the lists above.
    for function in Stacks::deployed().functions() {
        let other_party = if function.in_cosigner_stack { "Wallets" } else { "Cosigner" };
        let named = function.statements.iter().flat_map(|statement| &statement.resources);
        let named: Vec<&String> = named.collect();
        assert!(!named.is_empty() && named.iter().all(|name| !name.starts_with(other_party)));
        let is_wild = |name: &&&String| name.contains('*') && !name.ends_with(ANY_KEY);
        assert_eq!(named.iter().find(is_wild), None, "{}", function.package);
    }
}

#[test]
fn role_with_excess_access_is_found() {
    for (file, place, old, new, line) in [
        (
            MAIN,
            "  SignMessagePolicy:",
            "Action: dynamodb:GetItem\n            Resource: !GetAtt WalletsTable.Arn",
            "Action: dynamodb:GetItem\n            Resource: !GetAtt Cosigner.Outputs.TableName",
            "sign-message: TableGetItem names Cosigner.Outputs.TableName",
        ),
        (
            COSIGNER,
            "  CosignerPolicy:",
            "Action: kms:Decrypt\n            Resource: !GetAtt CosignerKey.Arn",
            "Action: kms:Decrypt\n            Resource: '*'",
            "cosigner: Open names *",
        ),
        (
            MAIN,
            "  GetWalletPolicy:",
            "dynamodb:Query",
            "dynamodb:*",
            "get-wallet: TableQuery allows dynamodb:*",
        ),
        (
            MAIN,
            "  DeleteApikeyPolicy:",
            "Action: dynamodb:GetItem\n            Resource: !GetAtt WalletsTable.Arn",
            "Action: dynamodb:GetItem\n            Resource: !Sub ${WalletsTable.Arn}/index/due",
            "delete-apikey: TableGetItem names WalletsTable.Arn/index/due",
        ),
        (
            MAIN,
            "  GetWalletPolicy:",
            "Action: dynamodb:Query\n            Resource: !GetAtt WalletsTable.Arn",
            "Action: dynamodb:Query\n            Resource: !Sub ${WalletsTable.Arn}/index/due",
            "get-wallet: TableQuery names WalletsTable.Arn/index/due",
        ),
        (
            MAIN,
            "  SignMessagePolicy:",
            "kms:EncryptionContext:purpose: share",
            "kms:EncryptionContext:tenant: local",
            "sign-message: OpenShare allows any purpose",
        ),
        (
            MAIN,
            "  HealthPolicy:",
            "AWS::IAM::RolePolicy",
            "AWS::IAM::Policy",
            "template.yaml: no test checks AWS::IAM::Policy",
        ),
    ] {
        let copy = Sources::read().with(file, place, old, new).deploy(&[]);
        assert_found(&wrong_roles(&copy), line);
    }
}

#[test]
fn roles_use_aws_managed_policies_only_when_enabled() {
    assert_none(&managed(&Stacks::deployed()).into_iter().collect::<Vec<_>>());
    let on = managed(&Sources::read().deploy(&[("UseVpc", "true"), ("Tracing", "Active")]));
    let network: Vec<&String> = on.iter().filter(|line| !line.contains(" AWSXRay")).collect();
    // The functions that call an exchange.
    let exchanges = [
        "cancel-orders-aster",
        "cancel-orders-hyperliquid",
        "cancel-orders-lighter",
        "close-position-aster",
        "close-position-hyperliquid",
        "delete-agent",
        "delete-apikey",
        "get-balances-aster",
        "get-balances-hyperliquid",
        "get-balances-lighter",
        "get-fills-aster",
        "get-fills-hyperliquid",
        "get-orders-aster",
        "get-orders-hyperliquid",
        "get-orders-lighter",
        "get-positions-all",
        "get-positions-aster",
        "get-positions-hyperliquid",
        "get-positions-lighter",
        "get-token-transfer",
        "get-transfer-aster",
        "get-transfer-hyperliquid",
        "list-agents",
        "modify-order-aster",
        "modify-order-hyperliquid",
        "modify-order-lighter",
        "place-order-aster",
        "place-order-hyperliquid",
        "place-order-lighter",
        "reconcile-apikeys",
        "register-aster",
        "register-hyperliquid",
        "renew-apikeys",
        "resolve-orders-aster",
        "resolve-orders-hyperliquid",
        "resolve-orders-lighter",
        "rotate-apikey",
        "send-tokens",
        "set-credentials-lighter",
        "set-leverage-aster",
        "set-leverage-hyperliquid",
        "set-leverage-lighter",
        "transfer-hyperliquid",
        "withdraw-aster",
        "withdraw-hyperliquid",
    ];
    assert_eq!(
        network,
        exchanges.map(|package| format!("{package} AWSLambdaENIManagementAccess")).each_ref()
    );
    let traced = on.iter().filter(|line| line.ends_with(" AWSXRayDaemonWriteAccess")).count();
    assert_eq!((traced, on.len()), (76, 121));
    // Network permissions of a function in a VPC are for Lambda, not for the code.
    let stacks = Sources::read().deploy(&[("UseVpc", "true")]);
    for package in exchanges {
        let statements = stacks.function(package).statements;
        let network = |one: &&Statement| !one.allows && one.sid == "NoNetworkChanges";
        let denied: Vec<&Statement> = statements.iter().filter(network).collect();
        let [deny] = denied.as_slice() else { panic!("{package}: {denied:?}") };
        let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-{package}");
        assert_eq!(deny.asks("lambda:SourceFunctionArn"), Some(arn.as_str()));
    }
}
