//! Checks which functions may invoke the cosigner: each function by the alias of its own name, on
//! both sides. Inside one account the role's policy decides. Across two accounts the cosigner's
//! permission must allow the call too.

use std::collections::{BTreeMap, BTreeSet};

use cosigner::callers::{CALLERS, OPERATOR, Right};
use template::cloudformation::{ACCOUNT, REGION, STACK};
use template::iam::Statement;
use template::stacks::{COSIGNER, Function, MAIN, Sources, Stacks};
use template::{assert_found, assert_none, differences};

const INVOKE: &str = "lambda:InvokeFunction";

/// Returns the ARN that invokes the cosigner by an alias.
pub(crate) fn alias_arn(alias: &str) -> String {
    format!("{}:{alias}", function_arn())
}

fn function_arn() -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-cosigner")
}

/// Returns the cosigner's aliases by logical name.
fn aliases(stacks: &Stacks) -> BTreeMap<String, String> {
    let aliases = stacks.cosigner.resources("AWS::Lambda::Alias").into_iter();
    let named = aliases.map(|alias| {
        let name = alias.properties["Name"].as_str().unwrap().to_owned();
        (alias.name, name)
    });
    named.collect()
}

/// Returns the roles in the cosigner's permissions, each with its alias.
fn admitted(stacks: &Stacks) -> BTreeSet<(String, String)> {
    let aliases = aliases(stacks);
    let permissions = stacks.cosigner.resources("AWS::Lambda::Permission").into_iter();
    let admitted = permissions.filter_map(|permission| {
        let of = |field: &str| permission.properties[field].as_str().unwrap_or_default();
        let alias = aliases.get(of("FunctionName"))?;
        (of("Action") == INVOKE).then(|| (of("Principal").to_owned(), alias.clone()))
    });
    admitted.collect()
}

/// Returns the ARN of the function that refreshes shares.
pub(crate) fn refresh_arn() -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-refresh-shares")
}

/// Returns true for functions that sign, and so delegate the refresh of worn shares.
pub(crate) fn signs(package: &str) -> bool {
    let rights = CALLERS.iter().find(|(alias, _)| *alias == package).map(|(_, rights)| *rights);
    rights.is_some_and(|rights| {
        rights.iter().any(|right| matches!(right, Right::Sign(_) | Right::Pay(_)))
    })
}

/// Returns the aliases of functions. The operator's is for principals of the cosigner's account.
fn functions() -> impl Iterator<Item = &'static str> {
    CALLERS.iter().map(|(alias, _)| *alias).filter(|alias| *alias != OPERATOR)
}

/// Returns the resources that a function's own policy allows it to invoke.
fn invoked(function: &Function) -> Vec<&String> {
    let invoking =
        |one: &&Statement| one.allows && one.actions.iter().any(|action| action == INVOKE);
    function.statements.iter().filter(invoking).flat_map(|one| &one.resources).collect()
}

/// Returns the faults of the aliases, of the permissions on them and of the roles' policies.
pub(crate) fn wrong_invokers(stacks: &Stacks) -> Vec<String> {
    let mut wrong = Vec::new();
    for alias in stacks.cosigner.resources("AWS::Lambda::Alias") {
        let of = |field: &str| alias.properties[field].as_str().unwrap_or_default();
        if of("FunctionName") != "CosignerFunction" || of("FunctionVersion") != "$LATEST" {
            wrong.push(format!("{} does not point to the cosigner's latest version", alias.name));
        }
    }
    let known = aliases(stacks);
    for permission in stacks.cosigner.resources("AWS::Lambda::Permission") {
        let of = |field: &str| permission.properties[field].as_str().unwrap_or_default();
        if of("Action") != INVOKE || !known.contains_key(of("FunctionName")) {
            let name = &permission.name;
            wrong.push(format!("{name} is not a permission to invoke the cosigner by an alias"));
        }
    }
    let mut invoking = BTreeSet::new();
    for function in stacks.functions() {
        for resource in invoked(&function) {
            if *resource == alias_arn(&function.package) {
                invoking.insert((function.text("/Role").to_owned(), function.package.clone()));
            } else if *resource != refresh_arn() || !signs(&function.package) {
                wrong.push(format!("{} may invoke {resource}", function.package));
            }
        }
    }
    let admitted = admitted(stacks);
    let by = |pairs: &BTreeSet<(String, String)>| {
        pairs.iter().map(|(role, alias)| format!("{role} by {alias}")).collect::<BTreeSet<_>>()
    };
    wrong.extend(differences(
        "the invoker",
        ("the cosigner's permissions", &by(&admitted)),
        ("the roles' policies", &by(&invoking)),
    ));
    let deployed = known.values().cloned().collect();
    let in_code = CALLERS.iter().map(|(alias, _)| (*alias).to_owned()).collect();
    wrong.extend(differences(
        "the alias",
        (COSIGNER, &deployed),
        ("functions/cosigner/signer/src/callers.rs", &in_code),
    ));
    if !stacks.function("cosigner").properties["Events"].is_null() {
        wrong.push("the cosigner has an event".to_owned());
    }
    wrong
}

#[test]
fn template_aliases_match_the_code() {
    let stacks = Stacks::deployed();
    assert_none(&wrong_invokers(&stacks));
    let admitted = admitted(&stacks);
    let of_code: BTreeSet<&str> = functions().collect();
    assert_eq!(admitted.len(), of_code.len());
    for (role, alias) in &admitted {
        // `SignMessageRole.Arn` invokes `sign-message`.
        assert_eq!(stacks.function(alias).text("/Role"), role);
    }
}

/// Evaluates every function with every alias of the cosigner, as IAM does on each side.
#[test]
fn role_invokes_only_its_own_alias() {
    let stacks = Stacks::deployed();
    let admitted = admitted(&stacks);
    let mut names: Vec<String> = CALLERS.iter().map(|(alias, _)| alias_arn(alias)).collect();
    names.extend([function_arn(), alias_arn("$LATEST"), alias_arn("1"), alias_arn("local")]);
    let mut allowed = 0;
    for function in stacks.functions() {
        for name in &names {
            let own = functions().any(|alias| alias == function.package)
                && *name == alias_arn(&function.package);
            let by_role = invoked(&function).contains(&name);
            let by_cosigner = admitted
                .iter()
                .any(|(role, alias)| role == function.text("/Role") && alias_arn(alias) == *name);
            assert_eq!((by_role, by_cosigner), (own, own), "{} {name}", function.package);
            allowed += usize::from(own);
        }
    }
    assert_eq!(allowed, functions().count());
}

/// With a cosigner in another account, each role names the alias there.
#[test]
fn cosigner_of_another_account_is_invoked_by_alias() {
    let there = format!("arn:aws:lambda:{REGION}:222222222222:function:theirs");
    // Then the main template nests no cosigner, so the cosigner's template is evaluated separately.
    let main =
        template::cloudformation::Template::new(&template::read(MAIN), &[("CosignerArn", &there)]);
    let roles = template::iam::statements(&main);
    for alias in functions() {
        let want = format!("{there}:{alias}");
        let functions = main.resources("AWS::Serverless::Function");
        let uri = format!("functions/{alias}");
        let function = functions.iter().find(|it| it.properties["CodeUri"] == uri).unwrap();
        let set = function.properties.pointer("/Environment/Variables/COSIGNER_FUNCTION").unwrap();
        assert_eq!(*set, want);
        let role = function.properties["Role"].as_str().unwrap().trim_end_matches(".Arn");
        let invoking = roles[role].iter().find(|one| one.sid == "Cosign").unwrap();
        assert_eq!(
            (&invoking.actions[..], &invoking.resources[..]),
            (&[INVOKE.to_owned()][..], &[want][..])
        );
    }
}

/// Without one of the parameters, the deployment of a cosigner in another account fails.
#[test]
fn deploy_guide_names_the_role_of_every_invoker() {
    let guide = template::read("docs/guides/deploy.md");
    for (role, alias) in admitted(&Stacks::deployed()) {
        let parameter = format!(" {}Arn=…", role.trim_end_matches(".Arn"));
        assert!(guide.contains(&parameter), "{alias}:{parameter}");
    }
}

/// Only `refresh-shares` may refresh worn shares, not the function that signs.
#[test]
fn signing_functions_delegate_share_refreshes() {
    let mut asking = Vec::new();
    for function in Stacks::deployed().functions() {
        let Some(set) = function.variables().remove("REFRESH_FUNCTION") else { continue };
        let want = if signs(&function.package) { refresh_arn() } else { String::new() };
        assert_eq!(set, want, "{}", function.package);
        assert_eq!(invoked(&function).contains(&&refresh_arn()), signs(&function.package));
        asking.extend(signs(&function.package).then_some(function.package));
    }
    assert_eq!(asking.len(), 11, "{asking:?}");
    assert_eq!(
        refresh_arn().rsplit(':').next().unwrap(),
        Stacks::deployed().function("refresh-shares").full_name()
    );
}

#[test]
fn invoker_mismatch_is_found() {
    let main =
        Sources::read().with(MAIN, "  Cosigner:", "SignMessageRole.Arn", "GetWalletRole.Arn");
    let found = wrong_invokers(&main.deploy(&[]));
    assert_found(
        &found,
        "the invoker GetWalletRole.Arn by sign-message is in the cosigner's permissions, not in the roles' policies",
    );
    assert_found(
        &found,
        "the invoker SignMessageRole.Arn by sign-message is in the roles' policies, not in the cosigner's permissions",
    );
    for (file, place, old, new, line) in [
        (
            COSIGNER,
            "  CosignerFunction:",
            "FunctionName: !Ref FunctionName",
            "Events: { Post: { Type: Api } }\n      FunctionName: !Ref FunctionName",
            "the cosigner has an event",
        ),
        (
            COSIGNER,
            "  SignMessagePermission:",
            "!Ref SignMessageAlias",
            "!GetAtt CosignerFunction.Arn",
            "SignMessagePermission is not a permission to invoke the cosigner by an alias",
        ),
        (
            COSIGNER,
            "  SignMessagePermission:",
            "!Ref SignMessageAlias",
            "!Ref RefreshSharesAlias",
            "the invoker SignMessageRole.Arn by refresh-shares is in the cosigner's permissions, not in the roles' policies",
        ),
        (
            COSIGNER,
            "  RefreshSharesAlias:",
            "$LATEST",
            "'1'",
            "RefreshSharesAlias does not point to the cosigner's latest version",
        ),
        (
            COSIGNER,
            "  RefreshSharesAlias:",
            "Name: refresh-shares",
            "Name: refresh",
            "the alias refresh is in infra/cosigner.yaml, not in functions/cosigner/signer/src/callers.rs",
        ),
        (
            MAIN,
            "  SignMessagePolicy:",
            "-cosigner:sign-message'",
            "-cosigner:refresh-shares'",
            "sign-message may invoke arn:aws:lambda:us-east-1:123456789012:function:hyperdex-cosigner:refresh-shares",
        ),
        (
            MAIN,
            "  SignMessagePolicy:",
            "-cosigner:sign-message'",
            "-cosigner'",
            "sign-message may invoke arn:aws:lambda:us-east-1:123456789012:function:hyperdex-cosigner",
        ),
    ] {
        let copy = Sources::read().with(file, place, old, new).deploy(&[]);
        assert_found(&wrong_invokers(&copy), line);
    }
}
