//! What no role may have, whatever its function does: the other party's half, a wildcard, a way
//! around its policy.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cloudformation::{ACCOUNT, REGION, STACK, Template};
use crate::iam::Statement;
use crate::invokers::{alias_arn, wrong_invokers};
use crate::permissions::key_policy;
use crate::stacks::{COSIGNER, Function, MAIN, Sources, Stacks};
use crate::{assert_found, assert_none, differences};

/// What administers a key. Nothing in it opens or seals.
const ADMINISTRATION: [&str; 23] = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:GetPublicKey",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
];

fn root() -> Value {
    json!({ "AWS": format!("arn:aws:iam::{ACCOUNT}:root") })
}

/// All that a role may name: the party's own table and key, its own log, its own alias of the
/// cosigner, and the function that refreshes shares where it signs; a job's, the indexes and the queue of failed runs as well; the list's, its index.
fn own_resources(function: &Function) -> BTreeSet<String> {
    let log = format!("{}.Arn", function.text("/LoggingConfig/LogGroup"));
    let cosigner = alias_arn(&function.folder);
    let resources = if function.folder == "seal-audit" {
        let heads = "CosignerTable.Arn/index/heads".to_owned();
        vec!["CosignerTable.Arn".to_owned(), heads, "AuditKey.Arn".to_owned(), log]
    } else if function.apart {
        vec!["CosignerTable.Arn".to_owned(), "CosignerKey.Arn".to_owned(), log]
    } else {
        vec!["WalletsTable.Arn".to_owned(), "WalletsKey.Arn".to_owned(), cosigner, log]
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
        .filter(|_| function.schedule().is_some() && !function.apart);
    let webhooks: &[&str] = match function.folder.as_str() {
        "publish-events" => &["Deliveries.Arn", "WalletsTable.StreamArn", "JobsDeadLetters.Arn"],
        "deliver-webhook" | "replay-webhook" => &["Deliveries.Arn"],
        _ => &[],
    };
    let webhooks = webhooks.iter().map(|name| (*name).to_owned());
    let refreshes = function.variables().get("REFRESH_FUNCTION").cloned();
    let refreshes = refreshes.filter(|function| !function.is_empty());
    let list = "WalletsTable.Arn/index/wallets".to_owned();
    let list = Some(list).filter(|_| function.folder == "list-wallets");
    resources.into_iter().chain(jobs).chain(list).chain(webhooks).chain(refreshes).collect()
}

fn wrong_roles(stacks: &Stacks) -> Vec<String> {
    let mut wrong = Vec::new();
    for function in stacks.functions() {
        let (folder, own) = (&function.folder, own_resources(&function));
        for one in function.statements.iter().filter(|statement| statement.allows) {
            for resource in one.resources.iter().filter(|resource| !own.contains(*resource)) {
                wrong.push(format!("{folder}: {} names {resource}", one.sid));
            }
            for action in &one.actions {
                let single = action.split_once(':').is_some_and(|(_, name)| !name.contains('*'));
                if !single {
                    wrong.push(format!("{folder}: {} allows {action}", one.sid));
                }
                let through = one.asks("kms:ViaService").is_some();
                let purpose = one.asks("kms:EncryptionContext:purpose").is_some();
                let seal = action == "kms:Sign" && one.resources == ["AuditKey.Arn"];
                if action.starts_with("kms:") && !through && !purpose && !seal {
                    wrong.push(format!("{folder}: {} opens or seals for any purpose", one.sid));
                }
            }
        }
    }
    for (stack, file) in [(&stacks.main, MAIN), (&stacks.cosigner, COSIGNER)] {
        // Policies that no test reads.
        let unread = ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::DynamoDB::GlobalTable"];
        let types = stack.types();
        wrong.extend(
            unread
                .iter()
                .filter(|kind| types.contains(&(**kind).to_owned()))
                .map(|kind| format!("{file}: {kind} is not looked at by any test")),
        );
    }
    wrong
}

/// The roles' policies that AWS wrote.
fn managed(stacks: &Stacks) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for function in stacks.functions() {
        let stack = if function.apart { &stacks.cosigner } else { &stacks.main };
        let role = stack.resource("AWS::IAM::Role", function.role());
        let policies = role.properties["ManagedPolicyArns"].as_array().into_iter().flatten();
        for policy in policies.filter_map(Value::as_str) {
            found.insert(format!("{} {}", function.folder, policy.rsplit('/').next().unwrap()));
        }
    }
    found
}

/// Who uses a key: roles by name, or whoever reaches it through DynamoDB.
fn wrong_key(stack: &Template, key: &str, users: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let resource = stack.resource("AWS::KMS::Key", key);
    let written = resource.properties["KeyPolicy"]["Statement"].as_array().unwrap();
    let mut admitted = BTreeSet::new();
    for (one, written) in key_policy(stack, key).iter().zip(written) {
        let sid = &one.sid;
        if written["Principal"] != root() {
            wrong.push(format!("{key}: {sid} admits another principal than the account"));
        }
        if one.actions.iter().all(|action| ADMINISTRATION.contains(&action.as_str())) {
            continue;
        }
        let equal = |key: &str| one.conditions.iter().find(|condition| condition.key == key);
        match (equal("aws:PrincipalArn"), equal("kms:ViaService")) {
            (Some(roles), None) => {
                admitted.extend(roles.values.iter().cloned());
                wrong.extend(wrong_use(key, one));
            }
            (None, Some(service)) if equal("kms:CallerAccount").is_some() => {
                let encrypts = stack.resources("AWS::DynamoDB::Table").into_iter().any(|table| {
                    table.properties["SSESpecification"]["KMSMasterKeyId"] == format!("{key}.Arn")
                });
                if service.values != [format!("dynamodb.{REGION}.amazonaws.com")] || !encrypts {
                    wrong.push(format!("{key}: {sid} lets a service use it for nothing"));
                }
            }
            _ => wrong.push(format!("{key}: {sid} names no role")),
        }
    }
    wrong.extend(differences(
        &format!("{key}: the role"),
        ("the key's policy", &admitted),
        ("the roles' policies", users),
    ));
    wrong
}

/// A role uses a key for a known purpose, and for a named wallet of a named tenant.
fn wrong_use(key: &str, one: &Statement) -> Vec<String> {
    let mut wrong = Vec::new();
    if key == "AuditKey" {
        let what = [one.asks("kms:SigningAlgorithm"), one.asks("kms:MessageType")];
        if one.actions != ["kms:Sign"] || what != [Some("ECDSA_SHA_256"), Some("RAW")] {
            wrong.push(format!("{key}: {} is not for seals alone", one.sid));
        }
        return wrong;
    }
    let uses = ["kms:Decrypt", "kms:GenerateDataKey"];
    let others = one.actions.iter().filter(|action| !uses.contains(&action.as_str()));
    wrong.extend(others.map(|action| format!("{key}: {} allows {action}", one.sid)));
    for (name, value) in [
        ("purpose", None),
        ("tenant", Some("false")),
        ("walletId", Some("false")),
        ("version", Some("false")),
    ] {
        let asked = one.asks(&format!("kms:EncryptionContext:{name}"));
        if asked.is_none() || value.is_some_and(|value| asked != Some(value)) {
            wrong.push(format!("{key}: {} does not ask for a {name}", one.sid));
        }
    }
    wrong
}

/// The roles that open or seal with a key themselves.
fn users(stacks: &Stacks, key: &str) -> BTreeSet<String> {
    let uses = |one: &Statement| {
        let kms = one.actions.iter().any(|action| action.starts_with("kms:"));
        let this = one.resources.iter().any(|resource| *resource == format!("{key}.Arn"));
        one.allows && kms && this && one.asks("kms:ViaService").is_none()
    };
    let functions = stacks.functions().into_iter();
    let using = functions.filter(|function| function.statements.iter().any(uses));
    using.map(|function| function.text("/Role").to_owned()).collect()
}

fn wrong_keys(stacks: &Stacks) -> Vec<String> {
    let mut wrong = wrong_key(&stacks.main, "WalletsKey", &users(stacks, "WalletsKey"));
    wrong.extend(wrong_key(&stacks.cosigner, "CosignerKey", &users(stacks, "CosignerKey")));
    wrong.extend(wrong_key(&stacks.cosigner, "AuditKey", &users(stacks, "AuditKey")));
    wrong
}

#[test]
fn no_role_reaches_the_other_partys_half_nor_a_wildcard() {
    for vpc in ["false", "true"] {
        assert_none(&wrong_roles(&Sources::new().deploy(&[("UseVpc", vpc)])));
    }
    // Said once more, without the lists above.
    for function in Stacks::new().functions() {
        let theirs = if function.apart { "Wallets" } else { "Cosigner" };
        let named = function.statements.iter().flat_map(|statement| &statement.resources);
        let named: Vec<&String> = named.collect();
        assert!(!named.is_empty() && named.iter().all(|name| !name.starts_with(theirs)));
        assert!(named.iter().all(|name| !name.contains('*')), "{}", function.folder);
    }
}

#[test]
fn a_role_that_reaches_too_far_is_found() {
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
            "Resource: !GetAtt WalletsTable.Arn",
            "Resource: !Sub ${WalletsTable.Arn}/index/due",
            "delete-apikey: TableGetItem names WalletsTable.Arn/index/due",
        ),
        (
            MAIN,
            "  SignMessagePolicy:",
            "kms:EncryptionContext:purpose: share",
            "kms:EncryptionContext:tenant: local",
            "sign-message: OpenShare opens or seals for any purpose",
        ),
        (
            MAIN,
            "  HealthPolicy:",
            "AWS::IAM::RolePolicy",
            "AWS::IAM::Policy",
            "template.yaml: AWS::IAM::Policy is not looked at by any test",
        ),
    ] {
        let copy = Sources::new().with(file, place, old, new).deploy(&[]);
        assert_found(&wrong_roles(&copy), line);
    }
}

#[test]
fn a_role_has_aws_own_policies_only_for_what_is_switched_on() {
    assert_none(&managed(&Stacks::new()).into_iter().collect::<Vec<_>>());
    let on = managed(&Sources::new().deploy(&[("UseVpc", "true"), ("Tracing", "Active")]));
    let network: Vec<&String> = on.iter().filter(|line| !line.contains(" AWSXRay")).collect();
    // Who calls an exchange.
    let exchanges = [
        "delete-agent",
        "delete-apikey",
        "list-agents",
        "reconcile-apikeys",
        "register-aster",
        "register-hyperliquid",
        "renew-apikeys",
        "rotate-apikey",
    ];
    assert_eq!(
        network,
        exchanges.map(|folder| format!("{folder} AWSLambdaENIManagementAccess")).each_ref()
    );
    let traced = on.iter().filter(|line| line.ends_with(" AWSXRayDaemonWriteAccess")).count();
    assert_eq!((traced, on.len()), (24, 32));
    // What a VPC function's role may do to networks is for Lambda, not for what runs in it.
    let stacks = Sources::new().deploy(&[("UseVpc", "true")]);
    for folder in exchanges {
        let statements = stacks.function(folder).statements;
        let denied: Vec<&Statement> = statements.iter().filter(|one| !one.allows).collect();
        let [deny] = denied.as_slice() else { panic!("{folder}: {denied:?}") };
        let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-{folder}");
        assert_eq!(deny.asks("lambda:SourceFunctionArn"), Some(arn.as_str()));
    }
}

#[test]
fn a_key_is_used_by_its_roles_alone() {
    let stacks = Stacks::new();
    assert_none(&wrong_keys(&stacks));
    let keys = ["WalletsKey", "CosignerKey", "AuditKey"];
    let [ours, theirs, seals] = keys.map(|key| users(&stacks, key));
    assert_eq!((ours.len(), theirs.len(), seals.len()), (13, 1, 1));
    assert!(theirs.is_disjoint(&seals));
    assert!(ours.is_disjoint(&theirs));
    assert_none(&wrong_invokers(&stacks));
}

#[test]
fn a_key_that_admits_another_is_found() {
    for (file, place, old, new, line) in [
        (
            MAIN,
            "  WalletsKey:",
            "- !GetAtt SignMessageRole.Arn",
            "- !GetAtt SignMessageRole.Arn\n                  - !GetAtt GetWalletRole.Arn",
            "WalletsKey: the role GetWalletRole.Arn is in the key's policy, not in the roles' policies",
        ),
        (
            MAIN,
            "  WalletsKey:",
            "- kms:PutKeyPolicy",
            "- kms:Decrypt",
            "WalletsKey: Administration names no role",
        ),
        (
            MAIN,
            "  WalletsKey:",
            "kms:EncryptionContext:tenant: 'false'",
            "kms:EncryptionContext:tenant: 'true'",
            "WalletsKey: Envelopes does not ask for a tenant",
        ),
        (
            COSIGNER,
            "  CosignerKey:",
            "[kms:Decrypt, kms:GenerateDataKey]",
            "[kms:Decrypt, kms:GenerateDataKey, kms:CreateGrant]",
            "CosignerKey: Envelopes allows kms:CreateGrant",
        ),
        (
            COSIGNER,
            "  CosignerKey:",
            "{ AWS: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:root' }",
            "{ AWS: '*' }",
            "CosignerKey: Administration admits another principal than the account",
        ),
        (
            COSIGNER,
            "  CosignerKey:",
            "              ArnEquals:\n                aws:PrincipalArn: !GetAtt CosignerRole.Arn\n",
            "",
            "CosignerKey: Envelopes names no role",
        ),
        (
            COSIGNER,
            "  AuditKey:",
            "aws:PrincipalArn: !GetAtt SealAuditRole.Arn",
            "aws:PrincipalArn: !GetAtt CosignerRole.Arn",
            "AuditKey: the role CosignerRole.Arn is in the key's policy, not in the roles' policies",
        ),
        (
            COSIGNER,
            "  AuditKey:",
            "Action: kms:Sign",
            "Action: [kms:Sign, kms:CreateGrant]",
            "AuditKey: Seals is not for seals alone",
        ),
    ] {
        let copy = Sources::new().with(file, place, old, new).deploy(&[]);
        assert_found(&wrong_keys(&copy), line);
    }
}

/// Every KMS key of the templates, with its file.
fn all_keys(stacks: &Stacks) -> Vec<(String, Value)> {
    let of = |stack: &Template| {
        let keys = stack.resources("AWS::KMS::Key").into_iter();
        keys.map(|key| (key.name, key.properties)).collect::<Vec<_>>()
    };
    [of(&stacks.main), of(&stacks.cosigner), of(&stacks.monitoring)].concat()
}

#[test]
fn new_stack_has_multi_region_keys_and_an_old_one_keeps_its_own() {
    let keys = all_keys(&Stacks::new());
    let names: Vec<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["WalletsKey", "CosignerKey", "AuditKey"]);
    assert!(keys.iter().all(|(_, key)| key["MultiRegion"] == true), "{keys:?}");
    // Absent, and not false: the properties are those of a stack from before the parameter.
    let old = all_keys(&Sources::new().deploy(&[("MultiRegionKeys", "false")]));
    assert!(old.len() == 3 && old.iter().all(|(_, key)| key.get("MultiRegion").is_none()));
    let changed = |(one, other): (&(String, Value), &(String, Value))| {
        let mut other = other.1.clone();
        other.as_object_mut().unwrap().insert("MultiRegion".to_owned(), json!(true));
        one.1 != other
    };
    assert!(!keys.iter().zip(&old).any(changed), "nothing else depends on the parameter");
}

/// A replica has a key policy of its own, so a principal that may replicate a key may use it.
#[test]
fn no_key_policy_allows_replication() {
    for (name, key) in all_keys(&Stacks::new()) {
        let policy = key["KeyPolicy"].to_string();
        for action in ["kms:ReplicateKey", "kms:UpdatePrimaryRegion", "kms:*", "\"*Key"] {
            assert!(!policy.contains(action), "{name}: {action}");
        }
    }
}

#[test]
fn keys_and_tables_outlive_their_stacks() {
    let stacks = Stacks::new();
    let mut kept = Vec::new();
    for stack in [&stacks.main, &stacks.cosigner] {
        for kind in ["AWS::KMS::Key", "AWS::DynamoDB::Table"] {
            for resource in stack.resources(kind) {
                assert!(resource.retained, "{}", resource.name);
                kept.push(resource.name);
            }
        }
    }
    assert_eq!(kept, ["WalletsKey", "WalletsTable", "CosignerKey", "AuditKey", "CosignerTable"]);
    assert!(stacks.main.resource("AWS::CloudFormation::Stack", "Cosigner").retained);
    // The stack policy that deploy.md sets denies what would lose one of them.
    let policy: Value = serde_json::from_str(&crate::read("infra/stack-policy.json")).unwrap();
    let deny = &policy["Statement"][1];
    assert_eq!(deny["Effect"], "Deny");
    assert_eq!(deny["Action"], json!(["Update:Replace", "Update:Delete"]));
    let kinds = ["AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::CloudFormation::Stack"];
    assert_eq!(deny["Condition"], json!({ "StringEquals": { "ResourceType": kinds } }));
}
