//! Checks that each KMS key is used only by its own roles, for a known purpose, and is retained
//! after the deletion of its stack.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use template::cloudformation::{ACCOUNT, REGION, Template};
use template::iam::Statement;
use template::stacks::{COSIGNER, MAIN, Sources, Stacks};
use template::{assert_found, assert_none, differences};

use crate::invokers::wrong_invokers;
use crate::permissions::key_policy;

/// The actions that administer a key. None of them encrypts or decrypts.
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

/// Returns the faults of a key's policy. Its users are roles by name, or principals that reach it
/// through DynamoDB.
fn wrong_key(stack: &Template, key: &str, users: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let resource = stack.resource("AWS::KMS::Key", key);
    let written = resource.properties["KeyPolicy"]["Statement"].as_array().unwrap();
    let mut admitted = BTreeSet::new();
    for (one, written) in key_policy(stack, key).iter().zip(written) {
        let sid = &one.sid;
        if written["Principal"] != root() {
            wrong.push(format!("{key}: {sid} allows another principal than the account"));
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
                    wrong.push(format!("{key}: {sid} allows a service without need"));
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

/// Returns the faults of a statement. A role must use a key for a known purpose, for a named wallet
/// of a named tenant.
fn wrong_use(key: &str, one: &Statement) -> Vec<String> {
    let mut wrong = Vec::new();
    if key == "AuditKey" {
        let what = [one.asks("kms:SigningAlgorithm"), one.asks("kms:MessageType")];
        if one.actions != ["kms:Sign"] || what != [Some("ECDSA_SHA_256"), Some("RAW")] {
            wrong.push(format!("{key}: {} must allow seals only", one.sid));
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
            wrong.push(format!("{key}: {} does not require a {name}", one.sid));
        }
    }
    wrong
}

/// Returns the roles that encrypt or decrypt with a key themselves.
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
fn kms_key_is_used_by_its_roles_only() {
    let stacks = Stacks::deployed();
    assert_none(&wrong_keys(&stacks));
    let keys = ["WalletsKey", "CosignerKey", "AuditKey"];
    let [wallets, cosigner, seals] = keys.map(|key| users(&stacks, key));
    assert_eq!((wallets.len(), cosigner.len(), seals.len()), (43, 1, 1));
    assert!(cosigner.is_disjoint(&seals));
    assert!(wallets.is_disjoint(&cosigner));
    assert_none(&wrong_invokers(&stacks));
}

#[test]
fn kms_key_with_another_role_is_found() {
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
            "WalletsKey: Envelopes does not require a tenant",
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
            "CosignerKey: Administration allows another principal than the account",
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
            "AuditKey: Seals must allow seals only",
        ),
    ] {
        let copy = Sources::read().with(file, place, old, new).deploy(&[]);
        assert_found(&wrong_keys(&copy), line);
    }
}

/// Returns every KMS key of the templates, with its file.
fn all_keys(stacks: &Stacks) -> Vec<(String, Value)> {
    let of = |stack: &Template| {
        let keys = stack.resources("AWS::KMS::Key").into_iter();
        keys.map(|key| (key.name, key.properties)).collect::<Vec<_>>()
    };
    [of(&stacks.main), of(&stacks.cosigner), of(&stacks.monitoring)].concat()
}

#[test]
fn new_stack_has_multi_region_keys_old_keeps_its_own() {
    let keys = all_keys(&Stacks::deployed());
    let names: Vec<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["WalletsKey", "CosignerKey", "AuditKey"]);
    assert!(keys.iter().all(|(_, key)| key["MultiRegion"] == true), "{keys:?}");
    // The property must be absent, not false, as in stacks from before the parameter.
    let old = all_keys(&Sources::read().deploy(&[("MultiRegionKeys", "false")]));
    assert!(old.len() == 3 && old.iter().all(|(_, key)| key.get("MultiRegion").is_none()));
    let changed = |(one, other): (&(String, Value), &(String, Value))| {
        let mut other = other.1.clone();
        other.as_object_mut().unwrap().insert("MultiRegion".to_owned(), json!(true));
        one.1 != other
    };
    assert!(!keys.iter().zip(&old).any(changed), "the parameter must not affect anything else");
}

/// A replica has its own key policy, so a principal that may replicate a key could use it.
#[test]
fn kms_key_policies_deny_replication() {
    for (name, key) in all_keys(&Stacks::deployed()) {
        let policy = key["KeyPolicy"].to_string();
        for action in ["kms:ReplicateKey", "kms:UpdatePrimaryRegion", "kms:*", "\"*Key"] {
            assert!(!policy.contains(action), "{name}: {action}");
        }
    }
}

#[test]
fn keys_and_tables_are_retained_after_stack_deletion() {
    let stacks = Stacks::deployed();
    let mut kept = Vec::new();
    for stack in [&stacks.main, &stacks.cosigner] {
        for kind in ["AWS::KMS::Key", "AWS::DynamoDB::Table"] {
            for resource in stack.resources(kind) {
                assert!(resource.retained, "{}", resource.name);
                kept.push(resource.name);
            }
        }
    }
    assert_eq!(
        kept,
        [
            "WalletsKey",
            "WalletsTable",
            "RecoveryTable",
            "CosignerKey",
            "AuditKey",
            "CosignerTable",
            "SealsTable",
            "CosignerRecoveryTable",
        ]
    );
    assert!(stacks.main.resource("AWS::CloudFormation::Stack", "Cosigner").retained);
    // The stack policy from deploy.md denies the deletion of these resources.
    let policy: Value = serde_json::from_str(&template::read("infra/stack-policy.json")).unwrap();
    let deny = &policy["Statement"][1];
    assert_eq!(deny["Effect"], "Deny");
    assert_eq!(deny["Action"], json!(["Update:Replace", "Update:Delete"]));
    let kinds = ["AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::CloudFormation::Stack"];
    assert_eq!(deny["Condition"], json!({ "StringEquals": { "ResourceType": kinds } }));
}
