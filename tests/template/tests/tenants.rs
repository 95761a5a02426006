//! Tenants and their keys: each endpoint reads the records of keys and notes their use, and only the
//! functions of `/api/keys` write records.

use std::collections::BTreeMap;

use template::iam::{Call, allowed};
use template::stacks::{Function, MAIN, Sources, Stacks};
use template::{assert_found, assert_none};

/// Items of tenants and their keys. The ids `H`, `P` and `W` end as other items' keys do.
const RECORDS: [&str; 9] = [
    "#key#a1b2c3d4e5",
    "#key#H",
    "#key#P",
    "#tenant#acme",
    "#tenant#H",
    "#tenant#O",
    "#tenant#P",
    "#tenant#W",
    "#tenants",
];

const WRITES: [&str; 3] = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"];

/// Returns the writes of a function to the records of tenants and their keys, but not to the list of
/// tenants. Only operators write that list.
fn own_writes(package: &str) -> &'static [&'static str] {
    match package {
        "create-tenant-key" | "rotate-tenant-key" => &["dynamodb:PutItem", "dynamodb:UpdateItem"],
        "revoke-tenant-key" => &["dynamodb:UpdateItem"],
        _ => &[],
    }
}

fn may(function: &Function, action: &str, key: &str) -> bool {
    let context = [("dynamodb:LeadingKeys".to_owned(), key.to_owned())];
    allowed(
        &function.statements,
        &Call {
            function: function.package.clone(),
            action: action.to_owned(),
            resource: "WalletsTable.Arn".to_owned(),
            context: BTreeMap::from(context),
        },
    )
}

fn wrong(stacks: &Stacks) -> Vec<String> {
    let mut wrong = Vec::new();
    for function in stacks.functions() {
        let package = &function.package;
        for action in WRITES {
            let own = own_writes(package).contains(&action);
            for key in RECORDS {
                let expected = own && key != "#tenants";
                match may(&function, action, key) {
                    true if !expected => {
                        wrong.push(format!("{package}: {action} of {key} is allowed"));
                    }
                    false if expected => {
                        wrong.push(format!("{package}: {action} of {key} is not allowed"));
                    }
                    _ => {}
                }
            }
        }
        if function.is_endpoint() && package != "health" {
            for (action, key) in [
                ("dynamodb:GetItem", "#key#a1b2c3d4e5"),
                ("dynamodb:UpdateItem", "#used#a1b2c3d4e5"),
            ] {
                if !may(&function, action, key) {
                    wrong.push(format!("{package}: {action} of {key} is not allowed"));
                }
            }
        }
    }
    wrong
}

#[test]
fn only_functions_of_tenant_keys_write_tenants_or_their_keys() {
    assert_none(&wrong(&Stacks::deployed()));
}

#[test]
fn function_that_writes_tenants_or_their_keys_is_found() {
    for (place, old, new, line) in [
        (
            "  SignMessagePolicy:",
            "['#key#*', '#tenant*']",
            "['#tenant*']",
            "sign-message: dynamodb:UpdateItem of #key#a1b2c3d4e5 is allowed",
        ),
        (
            "  CreateWebhookPolicy:",
            "Effect: Deny",
            "Effect: Allow",
            "create-webhook: dynamodb:PutItem of #tenant#H is allowed",
        ),
        (
            "  SetTradingPolicyPolicy:",
            "Effect: Deny",
            "Effect: Allow",
            "set-trading-policy: dynamodb:PutItem of #tenant#P is allowed",
        ),
        (
            "  ListWalletsPolicy:",
            "['#key#*']",
            "['#keys#*']",
            "list-wallets: dynamodb:GetItem of #key#a1b2c3d4e5 is not allowed",
        ),
        (
            "  GetWalletPolicy:",
            "['#used#*']",
            "['#key#*']",
            "get-wallet: dynamodb:UpdateItem of #used#a1b2c3d4e5 is not allowed",
        ),
        (
            "  RevokeTenantKeyPolicy:",
            "['*#I#*']",
            "['#key#*']",
            "revoke-tenant-key: dynamodb:PutItem of #key#a1b2c3d4e5 is allowed",
        ),
        (
            "  CreateTenantKeyPolicy:",
            "['#key#*', '#tenant#*', '*#I#*']",
            "['#tenant#*', '*#I#*']",
            "create-tenant-key: dynamodb:PutItem of #key#a1b2c3d4e5 is not allowed",
        ),
        (
            "  RotateTenantKeyPolicy:",
            "['#key#*', '#tenant#*', '*#I#*']",
            "['#key#*', '#tenant*', '*#I#*']",
            "rotate-tenant-key: dynamodb:PutItem of #tenants is allowed",
        ),
    ] {
        let copy = Sources::read().with(MAIN, place, old, new).deploy(&[]);
        assert_found(&wrong(&copy), line);
    }
}

/// The partition of a user named `H` ends like that of a tenant's webhooks.
#[test]
fn functions_of_webhooks_do_not_write_users() {
    let stacks = Stacks::deployed();
    for package in [
        "create-webhook",
        "delete-webhook",
        "deliver-webhook",
        "replay-webhook",
        "test-webhook",
        "update-webhook",
    ] {
        let function = stacks.function(package);
        for action in WRITES {
            assert!(!may(&function, action, "acme#U#H"), "{package}: {action}");
        }
    }
}
