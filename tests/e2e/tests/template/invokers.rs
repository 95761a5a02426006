//! Who may invoke the cosigner.

use std::collections::BTreeSet;

use crate::iam::Statement;
use crate::stacks::{COSIGNER, MAIN, Sources, Stacks};
use crate::{assert_found, differences};

/// Who may invoke the cosigner: those whose own policy says so, each named once.
pub(crate) fn wrong_invokers(stacks: &Stacks) -> Vec<String> {
    let permissions = stacks.cosigner.resources("AWS::Lambda::Permission");
    let mut wrong = Vec::new();
    let mut admitted = BTreeSet::new();
    for permission in permissions {
        let of = |field: &str| permission.properties[field].as_str().unwrap_or_default().to_owned();
        if of("Action") != "lambda:InvokeFunction" || of("FunctionName") != "CosignerFunction.Arn" {
            wrong.push(format!("{} is no permission to invoke the cosigner", permission.name));
        }
        admitted.insert(of("Principal"));
    }
    if !stacks.main.resources("AWS::Lambda::Permission").is_empty() {
        wrong.push(format!("{MAIN}: SAM makes the API's permissions, nobody else"));
    }
    let functions = stacks.functions();
    let invoke =
        |one: &Statement| one.allows && one.actions.contains(&"lambda:InvokeFunction".to_owned());
    let invokers = functions.iter().filter(|function| function.statements.iter().any(invoke));
    let invokers = invokers.map(|function| function.text("/Role").to_owned()).collect();
    wrong.extend(differences(
        "the invoker",
        ("the cosigner's permissions", &admitted),
        ("the roles' policies", &invokers),
    ));
    if !stacks.function("cosigner").properties["Events"].is_null() {
        wrong.push("the cosigner has an event".to_owned());
    }
    wrong
}

#[test]
fn an_invoker_in_one_and_not_in_the_other_is_found() {
    let main = Sources::new().with(MAIN, "  Cosigner:", "SignMessageRole.Arn", "GetWalletRole.Arn");
    let found = wrong_invokers(&main.deploy(&[]));
    assert_found(
        &found,
        "the invoker GetWalletRole.Arn is in the cosigner's permissions, not in the roles' policies",
    );
    assert_found(
        &found,
        "the invoker SignMessageRole.Arn is in the roles' policies, not in the cosigner's permissions",
    );
    let place = "  CosignerFunction:";
    let properties = "FunctionName: !Ref FunctionName";
    let open = "Events: { Post: { Type: Api } }\n      FunctionName: !Ref FunctionName";
    let copy = Sources::new().with(COSIGNER, place, properties, open);
    assert_found(&wrong_invokers(&copy.deploy(&[])), "the cosigner has an event");
}
