//! Checks that API Gateway and each function's router have the same routes.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::{Extension, Router};
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::random::Random;
use e2e::TestApp;
use http::Method;
use http_body_util::BodyExt;
use platform::env::Env;
use serde_json::Value;
use shared::access::Presented;
use shared::api::middleware::{OPEN_PATHS, with_middleware};
use template::api;
use template::routes::{Route, in_code, in_text};
use template::stacks::{MAIN, Sources, Stacks};
use template::{assert_found, assert_none, differences};
use tower::ServiceExt;

use crate::start::{endpoint, set_by_lambda};

fn lines(routes: &BTreeSet<Route>) -> BTreeSet<String> {
    routes.iter().map(Route::line).collect()
}

/// Checks the methods without a key: `HEAD` of the public paths, and `OPTIONS` of every path, which
/// one function serves.
fn without_key(wrong: &mut Vec<String>, paths: &BTreeSet<String>, extra: &BTreeSet<Route>) {
    let mut expected: BTreeSet<String> =
        paths.iter().map(|path| format!("OPTIONS {path}")).collect();
    expected.extend(OPEN_PATHS.map(|path| format!("HEAD {path}")));
    let stated = extra.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    wrong.extend(differences("", ("the template", &stated), ("the API", &expected)));
    if let Some(route) = extra.iter().find(|route| route.package != "health") {
        wrong.push(format!("{}: only the public function may serve it", route.line()));
    }
}

/// Returns the parameters that have several names in one place. API Gateway refuses the second one.
fn wrong_parameters(paths: &BTreeSet<String>) -> Vec<String> {
    let mut names: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for path in paths {
        let mut place = String::new();
        for part in path.split('/').skip(1) {
            // The rest of a path is a parameter too.
            if part.starts_with('{') {
                names.entry(place.clone()).or_default().insert(part);
            }
            place = format!("{place}/{part}");
        }
    }
    let several = names.into_iter().filter(|(_, names)| names.len() > 1);
    several
        .map(|(place, names)| format!("{place}: the parameter has the names {names:?}"))
        .collect()
}

/// The last part of a path whose function serves everything under it that has no path of its own.
const REST: &str = "{proxy+}";

/// Returns the routes of the code that `ANY` serves on a path.
fn covered(code: &BTreeSet<Route>, stated: &BTreeSet<String>, any: &Route) -> Vec<Route> {
    let own = code.iter().filter(|route| route.package == any.package);
    let is_served = |route: &&Route| match any.path.strip_suffix(REST) {
        Some(start) => route.path.starts_with(start) && !stated.contains(&route.path),
        None => route.path == any.path,
    };
    own.filter(is_served).cloned().collect()
}

/// Returns the routes of the API's definition. `ANY` serves every method of a function on a path, and
/// lets it respond to a wrong one. Where several functions share a path, the methods of the others
/// are stated.
fn in_template(stacks: &Stacks) -> (BTreeSet<Route>, Vec<String>) {
    let mut routes = BTreeSet::new();
    let mut any = BTreeSet::new();
    let mut extra = BTreeSet::new();
    let (methods, mut wrong) = api::methods(stacks);
    for api::Method { route, has_key, .. } in methods {
        let open = OPEN_PATHS.contains(&route.path.as_str()) || route.method == "OPTIONS";
        if has_key == open {
            wrong.push(format!("{}: only public paths may be called without a key", route.line()));
        }
        let chosen = match route.method.as_str() {
            "ANY" => &mut any,
            "HEAD" | "OPTIONS" => &mut extra,
            _ => &mut routes,
        };
        chosen.insert(route);
    }
    let code = in_code();
    let methods = routes.iter().chain(&any);
    let stated: BTreeSet<String> = methods.map(|route| route.path.clone()).collect();
    without_key(&mut wrong, &stated, &extra);
    for route in &any {
        let served = covered(&code, &stated, route);
        let own = |other: &&Route| other.package == route.package && other.path == route.path;
        if served.is_empty() && !routes.iter().any(|other| own(&other)) {
            wrong.push(format!("{}: ANY without a route", route.line()));
        }
        routes.extend(served);
    }
    // Each path needs exactly one `ANY`: without it, API Gateway reports that the route does not
    // exist. The public paths have none, because it would require a key.
    let paths: BTreeSet<&str> = stated.iter().map(String::as_str).collect();
    for path in paths.into_iter().filter(|path| !OPEN_PATHS.contains(path)) {
        let count = any.iter().filter(|route| route.path == path).count();
        if count != 1 {
            wrong.push(format!("{path}: {count} functions serve wrong methods"));
        }
    }
    wrong.extend(wrong_parameters(&stated));
    let api = stacks.main.resource("AWS::Serverless::Api", "Api").properties;
    for setting in api["MethodSettings"].as_array().unwrap() {
        let [method, path] = ["HttpMethod", "ResourcePath"].map(|field| setting[field].as_str());
        let path = path.unwrap()[1..].replace("~1", "/");
        let stated = |route: &Route| Some(route.method.as_str()) == method && route.path == path;
        if path != "*" && !routes.iter().chain(&extra).any(stated) {
            wrong.push(format!("a setting names {path}, which is not a route"));
        }
    }
    (routes, wrong)
}

fn wrong(stacks: &Stacks) -> Vec<String> {
    let (routes, mut wrong) = in_template(stacks);
    wrong.extend(differences(
        "the route",
        ("the template", &lines(&routes)),
        ("the code", &lines(&in_code())),
    ));
    wrong
}

#[test]
fn template_routes_match_the_code() {
    assert!(in_code().len() >= 17, "too few routes");
    assert_none(&wrong(&Stacks::deployed()));
}

#[test]
fn routes_are_parsed_from_source() {
    let text = r#"Router::new().route("/a/{b}", get(one)).route(
        "/c",
        post(two)
            .delete(three),
    ).with_state(any())"#;
    let read = [("GET", "/a/{b}"), ("POST", "/c"), ("DELETE", "/c")];
    assert_eq!(in_text(text), read.map(|(method, path)| (method.to_owned(), path.to_owned())));
    let every = in_text("    routes(\"x/y\", &delete(one)).with_state(state)");
    let read = ["hyperliquid", "aster", "{exchange}"]
        .map(|name| ("DELETE".to_owned(), format!("/api/trading/{name}/x/y")));
    assert_eq!(BTreeSet::from_iter(every), BTreeSet::from(read));
}

#[test]
fn route_mismatch_is_found() {
    let place = "          /api/wallets/{wallet}/sign:";
    for (old, new, line) in [
        (
            "/api/wallets/{wallet}/sign",
            "/api/wallets/{wallet}/signature",
            "the route POST /api/wallets/{wallet}/signature of sign-message is in the template, not in the code",
        ),
        (
            "post:",
            "put:",
            "the route PUT /api/wallets/{wallet}/sign of sign-message is in the template, not in the code",
        ),
        (
            "SignMessageFunction",
            "GetWalletFunction",
            "the route POST /api/wallets/{wallet}/sign of get-wallet is in the template, not in the code",
        ),
        (
            "              security: [{ api_key: [] }]\n",
            "",
            "POST /api/wallets/{wallet}/sign of sign-message: only public paths may be called without a key",
        ),
        (
            "x-amazon-apigateway-any-method:",
            "put:",
            "/api/wallets/{wallet}/sign: 0 functions serve wrong methods",
        ),
        (
            "/api/wallets/{wallet}/sign",
            "/api/wallets/{name}/sign",
            "/api/wallets: the parameter has the names {\"{name}\", \"{wallet}\"}",
        ),
        (
            "              x-amazon-apigateway-request-validator: body-only\n",
            "",
            "POST /api/wallets/{wallet}/sign: a body has a model and the validator, or neither",
        ),
        (
            "type: aws_proxy",
            "type: aws",
            "POST /api/wallets/{wallet}/sign: it must invoke its function as a proxy, and with POST",
        ),
        (
            "SignMessageFunction.Arn",
            "SignMessageRole.Arn",
            "POST /api/wallets/{wallet}/sign: it invokes no function",
        ),
    ] {
        let copy = Sources::read().with(MAIN, place, old, new).deploy(&[]);
        assert_found(&wrong(&copy), line);
    }
    let place = "          /api/wallets/{wallet}:";
    let moved = Sources::read().with(MAIN, place, "{wallet}", "{name}");
    let lost =
        "the route GET /api/wallets/{wallet} of get-wallet is in the code, not in the template";
    assert_found(&wrong(&moved.deploy(&[])), lost);
    let idle = Sources::read().with(MAIN, place, "GetWalletFunction", "HealthFunction");
    let idle = wrong(&idle.deploy(&[]));
    assert_found(&idle, "ANY /api/wallets/{wallet} of health: ANY without a route");
    let open = Sources::read().with(MAIN, "  Api:", "name: x-api-key", "name: authorization");
    let line = "the API's keys are not in the header x-api-key";
    assert_found(&wrong(&open.deploy(&[])), line);
    let limit = Sources::read().with(MAIN, "  Api:", "~1api~1health", "~1health");
    assert_found(&wrong(&limit.deploy(&[])), "a setting names /health, which is not a route");
}

/// Calls a route with input that every function refuses at once. Returns how a router without the
/// route would respond.
async fn refusal(router: &Router, method: &str, path: &str) -> Option<(u16, String)> {
    // No identifier contains a space.
    let parts = path.split('/').map(|part| if part.starts_with('{') { "a%20b" } else { part });
    let path = parts.collect::<Vec<_>>().join("/");
    let request = http::Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let code = body["code"].as_str().unwrap_or_default().to_owned();
    let is_missing = matches!(code.as_str(), "NOT_FOUND" | "METHOD_NOT_ALLOWED");
    is_missing.then_some((status, code))
}

/// Returns whether a path with parameters includes another one.
fn includes(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), path.split('/').collect());
    let fits = |(own, other): (&&str, &&str)| own == other || own.starts_with('{');
    pattern.len() == path.len() && pattern.iter().zip(&path).all(fits)
}

/// The routers of each function and of the local stack have the routes from the sources.
#[tokio::test(flavor = "multi_thread")]
async fn routers_serve_exactly_their_routes() {
    let (app, stacks) = (TestApp::start().await, Stacks::deployed());
    let routes = in_code();
    let functions = stacks.functions();
    let endpoints = functions.iter().filter(|function| function.is_endpoint());
    for function in endpoints {
        let variables = function.variables();
        let lookup = |name: &str| {
            let set = set_by_lambda(name, &function.package).map(ToOwned::to_owned);
            set.or_else(|| variables.get(name).cloned())
        };
        let router = endpoint(&function.package, &Env(&lookup), Clock::system());
        let router = with_middleware(router, Clock::system(), Random::system());
        let router = router.layer(Extension(Presented::Open(Tenant::local())));
        let own = |route: &&Route| route.package == function.package;
        for Route { method, path, .. } in routes.iter().filter(own) {
            assert_eq!(refusal(&router, method, path).await, None, "{method} {path}");
            assert_eq!(refusal(&app.stack.router, method, path).await, None, "{method} {path}");
            // GET includes HEAD.
            for other in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                let stated = |known: &Route| known.path == *path && known.method == other.as_str();
                if !routes.iter().filter(own).any(stated) {
                    let refused = refusal(&router, other.as_str(), path).await;
                    assert_eq!(refused, Some((405, "METHOD_NOT_ALLOWED".to_owned())));
                }
            }
        }
        let paths: BTreeSet<&str> =
            routes.iter().filter(own).map(|route| route.path.as_str()).collect();
        for Route { method, path, .. } in routes.iter().filter(|route| !own(route)) {
            // `exchange-guidance` accepts every exchange, and API Gateway sends it those without a
            // function. A parameter also accepts a name that is another function's path.
            let taken = paths.iter().any(|own| includes(own, path))
                || function.package == "exchange-guidance";
            if !taken {
                let refused = refusal(&router, method, path).await;
                assert_eq!(refused, Some((404, "NOT_FOUND".to_owned())), "{path}");
            }
        }
    }
}
