//! Tenants and their keys: each endpoint reads the records of keys and notes their use, and no
//! function writes a record.

use std::collections::BTreeMap;

use template::iam::{Call, allowed};
use template::stacks::{Function, MAIN, Sources, Stacks};
use template::{assert_found, assert_none};

/// Items of tenants and their keys. The ids `H` and `W` end as other items' keys do.
const RECORDS: [&str; 6] =
    ["#key#a1b2c3d4e5", "#key#H", "#tenant#acme", "#tenant#H", "#tenant#W", "#tenants"];

const WRITES: [&str; 3] = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"];

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
            let written = RECORDS.iter().filter(|key| may(&function, action, key));
            wrong.extend(written.map(|key| format!("{package}: {action} of {key} is allowed")));
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
fn no_function_writes_tenants_or_their_keys() {
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
    ] {
        let copy = Sources::read().with(MAIN, place, old, new).deploy(&[]);
        assert_found(&wrong(&copy), line);
    }
}
