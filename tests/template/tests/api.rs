//! Checks that API Gateway may invoke each function for the function's own methods and paths only.

use std::collections::BTreeMap;

use template::api::{methods, narrowest, source_arn};
use template::routes::Route;
use template::stacks::{MAIN, Sources, Stacks};
use template::{assert_found, assert_none};

/// Returns the functions that API Gateway invokes, with the pattern of their methods and paths.
fn patterns(stacks: &Stacks) -> BTreeMap<String, String> {
    let (methods, _) = methods(stacks);
    let mut routes: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
    for method in &methods {
        routes.entry(&method.function).or_default().push(&method.route);
    }
    let patterns = routes.into_iter();
    patterns.map(|(function, routes)| (function.to_owned(), narrowest(&routes))).collect()
}

fn wrong(stacks: &Stacks) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut missing = patterns(stacks);
    for permission in stacks.main.resources("AWS::Lambda::Permission") {
        let of = |field: &str| permission.properties[field].as_str().unwrap_or_default();
        let name = &permission.name;
        if permission.properties.as_object().unwrap().len() != 4
            || of("Action") != "lambda:InvokeFunction"
            || of("Principal") != "apigateway.amazonaws.com"
        {
            wrong.push(format!("{name} is not a permission of the API for a function"));
        }
        let Some(pattern) = missing.remove(of("FunctionName")) else {
            wrong.push(format!("{name}: the API does not invoke it, or has another permission"));
            continue;
        };
        let expected = source_arn(&pattern);
        if of("SourceArn") != expected {
            wrong.push(format!("{name}: SourceArn is {}, not {expected}", of("SourceArn")));
        }
    }
    wrong.extend(missing.keys().map(|name| format!("the API has no permission for {name}")));
    wrong
}

#[test]
fn api_invokes_each_function_for_its_own_routes_only() {
    let stacks = Stacks::deployed();
    assert_none(&wrong(&stacks));
    let functions = stacks.functions();
    let endpoints = functions.iter().filter(|function| function.is_endpoint());
    let patterns = patterns(&stacks);
    assert!(endpoints.into_iter().all(|function| patterns.contains_key(&function.name)));
    for (function, pattern) in [
        ("SignMessageFunction", "*/api/wallets/*/sign"),
        ("GetApikeyFunction", "GET/api/trading/*/apikey"),
        ("CancelOrdersAsterFunction", "DELETE/api/trading/aster/orders*"),
        ("RotateApikeyFunction", "*/api/trading/*/apikey/rotate"),
        ("HealthFunction", "*/api/*"),
    ] {
        assert_eq!(patterns[function], pattern);
    }
}

#[test]
fn permission_for_other_routes_is_found() {
    let place = "  SignMessageInvoker:";
    let own = source_arn("*/api/wallets/*/sign");
    for (old, new, line) in [
        (
            "${Api}/v1/*/api/wallets/*/sign",
            "${Api}/*",
            format!(
                "SignMessageInvoker: SourceArn is arn:aws:execute-api:us-east-1:123456789012:Api/*, not {own}"
            ),
        ),
        (
            "SignMessageFunction",
            "RenewApikeysFunction",
            "the API has no permission for SignMessageFunction".to_owned(),
        ),
        (
            "apigateway.amazonaws.com",
            "'*'",
            "SignMessageInvoker is not a permission of the API for a function".to_owned(),
        ),
        (
            "SignMessageFunction",
            "RenewApikeysFunction",
            "SignMessageInvoker: the API does not invoke it, or has another permission".to_owned(),
        ),
    ] {
        let copy = Sources::read().with(MAIN, place, old, new).deploy(&[]);
        assert_found(&wrong(&copy), &line);
    }
}
