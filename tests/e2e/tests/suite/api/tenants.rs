//! Tests that tenants are separate: every route, with every form of another tenant's identifier,
//! responds as for a wallet that does not exist and changes nothing.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

use std::collections::{BTreeMap, BTreeSet};

use e2e::payments::Place;
use e2e::wire::tables;
use e2e::{Reply, TestApp};
use http::Method;
use hyperdex_local::{COSIGNER_TABLE, WALLETS_TABLE};
use serde_json::{Value, json};
use shared::tenancy::{Scope, Scopes};
use template::routes::{Route, in_code};

/// A request that names a wallet.
type Request = (Method, String, Option<Value>);

/// How a route uses a wallet identifier.
enum Names {
    /// The route looks up the wallet with these requests.
    Wallet(Vec<Request>),
    /// The route does not look up a wallet and returns this status.
    Nothing(Request, u16),
}

/// Returns the requests of a route with the wallet identifier in every place that the route reads.
fn requests(route: &Route, name: &str) -> Names {
    let method: Method = route.method.parse().unwrap();
    let body = json!({ "walletIdOrAddress": name });
    let with = |path: &str, body: Option<Value>| (method.clone(), path.to_owned(), body);
    let in_query = |path: &str| with(&format!("{path}?walletIdOrAddress={name}"), None);
    let exchange = route.path.strip_prefix("/api/trading/").and_then(|rest| rest.split_once('/'));
    match (route.method.as_str(), route.path.as_str(), exchange) {
        ("GET", path @ ("/api/health" | "/api/openapi.json"), _) => {
            Names::Nothing(in_query(path), 200)
        }
        // For the list and for creation, see the tests below and `list.rs`.
        ("GET", "/api/wallets", _) => Names::Nothing(in_query("/api/wallets"), 200),
        ("POST", "/api/wallets", _) => Names::Nothing(with("/api/wallets", Some(body)), 400),
        ("GET", "/api/wallets/{wallet}", _) => {
            Names::Wallet(vec![with(&format!("/api/wallets/{name}"), None)])
        }
        ("POST", "/api/wallets/{wallet}/sign", _) => {
            let message = json!({ "message": "hello" });
            Names::Wallet(vec![with(&format!("/api/wallets/{name}/sign"), Some(message))])
        }
        // A webhook is not a wallet. The identifier names another tenant's webhook or none. See
        // `webhooks.rs`.
        ("GET", "/api/webhooks", _) => Names::Nothing(in_query("/api/webhooks"), 200),
        ("POST", "/api/webhooks", _) => Names::Nothing(with("/api/webhooks", Some(body)), 400),
        (method, path, _) if path.starts_with("/api/webhooks/{webhook}") => {
            let status = if uuid::Uuid::try_parse(name).is_ok() { 404 } else { 400 };
            let change = (method == "PUT").then(|| json!({ "enabled": true }));
            Names::Nothing(with(&path.replace("{webhook}", name), change), status)
        }
        // Tenant keys are not wallets, and these callers lack the scope. See `own_keys.rs`.
        (_, path, _) if path.starts_with("/api/keys") => {
            Names::Nothing(with(&path.replace("{key}", name), Some(body)), 403)
        }
        // The payment policy is the tenant's. See `payment_policy.rs`.
        ("GET", path @ "/api/policy", _) => Names::Nothing(in_query(path), 200),
        ("DELETE", path, _) if path.starts_with("/api/policy/") => {
            Names::Nothing(with(&path.replace("{sequence}", "7"), None), 404)
        }
        (_, path, _) if path.starts_with("/api/policy/") => {
            Names::Nothing(with(&path.replace("{sequence}", "7"), Some(body)), 400)
        }
        // Every exchange without a function gives guidance or a refusal.
        (_, path, Some(("{exchange}", _))) => {
            Names::Nothing(with(&path.replace("{exchange}", "binance"), Some(body)), 400)
        }
        (_, path, Some(("lighter", rest))) => of_lighter(&method, path, rest, name),
        ("GET", path, Some((_, "apikey"))) => Names::Wallet(vec![in_query(path)]),
        ("DELETE", path, Some((_, "apikey"))) => {
            Names::Wallet(vec![in_query(path), with(path, Some(body))])
        }
        ("POST", path, Some((_, "apikey" | "apikey/rotate"))) => {
            Names::Wallet(vec![with(path, Some(body))])
        }
        ("GET", path, Some((_, "agents"))) => Names::Wallet(vec![in_query(path)]),
        ("DELETE", path, Some((_, "agents/{agentName}"))) => {
            Names::Wallet(vec![in_query(&path.replace("{agentName}", "hdx1abc"))])
        }
        ("GET", path @ "/api/trading/policy", _) => Names::Wallet(vec![in_query(path)]),
        ("PUT", path @ "/api/trading/policy", _) => {
            Names::Wallet(vec![in_query(path), with(path, Some(body))])
        }
        (method, path, Some((_, rest))) if rest.starts_with("orders") => {
            let path = path.replace("{orderId}", "bot-17");
            Names::Wallet(match method {
                "POST" => vec![with(&path, Some(new_order(name)))],
                "PUT" => vec![with(&path, Some(change(name)))],
                _ => vec![with(&format!("{path}?walletIdOrAddress={name}&symbol=BTC"), None)],
            })
        }
        ("POST", path, Some((_, "deposit")))
        | ("POST", path @ "/api/trading/aster/transfer", _) => {
            Names::Nothing(with(path, Some(body)), 422)
        }
        (method, path, _) if is_payment(path) => {
            let (path, body) = of_payment(method, path, name);
            Names::Wallet(vec![with(&path, body)])
        }
        (method, path, _) if is_of_account(path) => {
            let (path, body) = of_account(method, path, name);
            Names::Wallet(vec![with(&path, body)])
        }
        _ => panic!("add {} to this file, with the places where it names a wallet", route.line()),
    }
}

/// Returns the request of a route of Lighter, which names an account and no wallet.
fn of_lighter(method: &Method, path: &str, rest: &str, name: &str) -> Names {
    let body = json!({ "walletIdOrAddress": name });
    let path = path.replace("{orderId}", "bot-17").replace("{agentName}", "hdx1abc");
    let path = path.replace("{walletAddress}", name);
    let is_address = name.len() == 42;
    let status = match rest {
        "positions/close" | "fills" => 422,
        // The key of the account is missing. Other requests name a wallet, which is invalid.
        _ if *method == Method::GET && (rest == "leverage" || rest.starts_with("orders")) => 404,
        // No account at Lighter has this owner.
        "positions/{walletAddress}" if is_address => 404,
        _ => 400,
    };
    let body = (*method != Method::GET).then_some(body);
    Names::Nothing((method.clone(), path, body), status)
}

/// Returns whether a path is of payments.
fn is_payment(path: &str) -> bool {
    path.split('/').any(|part| ["withdraw", "transfer", "transfers"].contains(&part))
}

/// Returns the request of a payment, with the wallet in the path, the query or the body.
fn of_payment(method: &str, path: &str, name: &str) -> (String, Option<Value>) {
    let is_in_path = path.starts_with("/api/wallets/");
    let place = match path {
        _ if is_in_path => Place::Chain,
        "/api/trading/aster/withdraw" => Place::Aster,
        "/api/trading/hyperliquid/withdraw" => Place::Hyperliquid,
        _ => Place::HyperliquidOwn,
    };
    let path = path.replace("{wallet}", name).replace("{transferId}", "payout-1");
    match method {
        "GET" if is_in_path => (path, None),
        "GET" => (format!("{path}?walletIdOrAddress={name}"), None),
        _ => (path, Some(place.body(name, "10"))),
    }
}

/// Returns whether a path is of positions, balances, executions or leverage, or names the wallet
/// after the exchange.
fn is_of_account(path: &str) -> bool {
    ["positions", "balances", "fills", "leverage", "perp", "{walletId}"]
        .iter()
        .any(|part| path.split('/').any(|it| it == *part))
}

/// Returns the request of an account, with the wallet in the path, the query or the body.
fn of_account(method: &str, path: &str, name: &str) -> (String, Option<Value>) {
    let is_in_path = path.contains("{wallet");
    let path = path.replace("{walletAddress}", name).replace("{walletId}", name);
    let path = path.replace("{symbol}", "BTC");
    if method == "GET" {
        let query = if is_in_path { String::new() } else { format!("walletIdOrAddress={name}&") };
        return (format!("{path}?{query}symbol=BTC"), None);
    }
    let mut body = match path.rsplit('/').next() {
        Some("order") => new_order(name),
        Some("leverage") => json!({ "symbol": "BTC", "leverage": 5 }),
        Some("close-all") => json!({}),
        _ => json!({ "symbol": "BTC" }),
    };
    if !is_in_path {
        body["walletIdOrAddress"] = json!(name);
    }
    (path, Some(body))
}

fn new_order(wallet: &str) -> Value {
    json!({
        "walletIdOrAddress": wallet,
        "symbol": "BTC",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "1",
        "price": "50000",
    })
}

fn change(wallet: &str) -> Value {
    json!({ "walletIdOrAddress": wallet, "quantity": "1", "price": "50000" })
}

async fn send(app: &TestApp, key: &str, (method, path, body): &Request) -> (u16, Value) {
    let reply = app.send_as(key, (method.clone(), path), body.as_ref()).await;
    let mut body = reply.body;
    if let Some(timestamp) = body.get_mut("timestamp") {
        *timestamp = Value::Null;
    }
    (reply.status, body)
}

async fn create(app: &TestApp, key: &str, user: &str) -> Reply {
    let body = json!({ "userId": user });
    let reply = app.send_as(key, (Method::POST, "/api/wallets"), Some(&body)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply
}

/// Registers a tenant's wallet with both exchanges.
async fn register(app: &TestApp, key: &str, user: &str) {
    for exchange in ["aster", "hyperliquid"] {
        let path = format!("/api/trading/{exchange}/apikey");
        let body = json!({ "walletIdOrAddress": user });
        let reply = app.send_as(key, (Method::POST, &path), Some(&body)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

/// Returns each form of a wallet's identifiers, with an unknown identifier of the same form.
fn forms(wallet: &Reply) -> Vec<(String, String)> {
    let address = wallet.text("/address").to_owned();
    let capitals = |address: &str| format!("0x{}", address[2..].to_uppercase());
    let unknown = "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7";
    vec![
        (wallet.text("/userId").to_owned(), "nobody".to_owned()),
        (wallet.text("/walletId").to_owned(), "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a".to_owned()),
        (
            wallet.text("/walletId").to_uppercase(),
            "29DD4DC0-1FF9-4DF6-A19F-936F997CBC5A".to_owned(),
        ),
        (address.clone(), unknown.to_owned()),
        (address.to_lowercase(), unknown.to_lowercase()),
        (capitals(&address), capitals(unknown)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn other_tenants_wallet_returns_404_on_every_route() {
    let app = TestApp::start().await;
    let owner = app.key("owner");
    let scopes = Scopes::usual().with(Scope::Money);
    let (_, other) = app.key_with("other", |key| key.scopes = scopes).await;
    let wallet = create(&app, &owner, "user_1").await;
    register(&app, &owner, "user_1").await;
    create(&app, &other, "somebody_else").await;
    // The first use of the policy creates the id of the deployment's chains.
    let policy = app.send_as(&other, (Method::GET, "/api/policy"), None).await;
    assert_eq!(policy.status, 200, "{policy:?}");
    let before = tables(&app).await;
    let routes = in_code();
    let (mut tried, mut finding) = (0, BTreeSet::new());
    for route in &routes {
        for (name, unknown) in forms(&wallet) {
            match (requests(route, &name), requests(route, &unknown)) {
                (Names::Wallet(named), Names::Wallet(none)) => {
                    finding.insert(route.line());
                    for (named, none) in named.iter().zip(&none) {
                        let reply = send(&app, &other, named).await;
                        let line = format!("{} as {name}: {reply:?}", route.line());
                        assert_eq!(
                            (reply.0, &reply.1["error"]),
                            (404, &json!("Wallet not found")),
                            "{line}"
                        );
                        assert_eq!(reply, send(&app, &other, none).await, "{line}");
                        tried += 1;
                    }
                }
                (Names::Nothing(named, status), Names::Nothing(none, _)) => {
                    let reply = send(&app, &other, &named).await;
                    assert_eq!(reply.0, status, "{}: {reply:?}", route.line());
                    assert_eq!(reply, send(&app, &other, &none).await, "{}", route.line());
                    assert!(!reply.1.to_string().contains(wallet.text("/walletId")));
                }
                _ => {
                    panic!("{}: both identifiers must give the same kind of request", route.line())
                }
            }
        }
    }
    // Two routes for wallets, twelve for credentials and agents and twelve for orders on two
    // exchanges, two for policies, eleven for accounts, seven that name the wallet after the exchange,
    // and seven for payments.
    assert_eq!((finding.len(), tried), (53, 336), "{finding:?}");
    let after = tables(&app).await;
    // The markets of an order are read while its wallet is looked up, which costs requests of the
    // exchange's budget.
    let is_budget = |(place, _): &(String, String)| place.contains(" #budget#");
    let changed: Vec<_> =
        after.keys().filter(|key| before.get(key) != after.get(key) && !is_budget(key)).collect();
    let gone: Vec<_> = before.keys().filter(|key| !after.contains_key(key)).collect();
    assert!(changed.is_empty() && gone.is_empty(), "changed: {changed:?}, gone: {gone:?}");
    // The owner can use each of these identifiers, so the 404 depends on the tenant alone.
    for (name, _) in forms(&wallet) {
        let own = app.send_as(&owner, (Method::GET, &format!("/api/wallets/{name}")), None).await;
        assert_eq!(own.status, 200, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn same_user_id_in_two_tenants_gives_two_wallets() {
    let app = TestApp::start().await;
    let (one, two) = (app.key("one"), app.key("two"));
    let (first, second) = (create(&app, &one, "user_1").await, create(&app, &two, "user_1").await);
    for field in ["address", "walletId", "publicKey"] {
        assert_ne!(first.body[field], second.body[field], "{field}");
    }
    for (key, own) in [(&one, &first), (&two, &second)] {
        let found = app.send_as(key, (Method::GET, "/api/wallets/user_1"), None).await;
        assert_eq!(found.body, own.body);
        let listed = app.send_as(key, (Method::GET, "/api/wallets"), None).await;
        assert_eq!(listed.body["wallets"].as_array().unwrap().len(), 1);
        assert_eq!(listed.body["wallets"][0]["walletId"], own.body["walletId"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_items_start_with_their_tenant() {
    let app = TestApp::start().await;
    for tenant in ["one", "two"] {
        let key = app.key(tenant);
        create(&app, &key, "user_1").await;
        register(&app, &key, "user_1").await;
        let message = json!({ "message": "hello" });
        let sign = (Method::POST, "/api/wallets/user_1/sign");
        assert_eq!(app.send_as(&key, sign, Some(&message)).await.status, 200);
        let body = json!({ "walletIdOrAddress": "user_1" });
        let rotate = (Method::POST, "/api/trading/hyperliquid/apikey/rotate");
        assert_eq!(app.send_as(&key, rotate, Some(&body)).await.status, 200);
        let delete = (Method::DELETE, "/api/trading/aster/apikey");
        assert_eq!(app.send_as(&key, delete, Some(&body)).await.status, 200);
    }
    let mut counts = BTreeMap::new();
    for ((place, sort), item) in tables(&app).await {
        let (table, partition) = place.split_once(' ').unwrap();
        let starts = ["one#", "two#", "#budget#", "#used#"];
        let of = starts.into_iter().find(|start| partition.starts_with(start));
        let of = of.unwrap_or_else(|| panic!("{place} {sort} has no tenant prefix"));
        *counts.entry((table.to_owned(), of)).or_insert(0) += 1;
        // The item does not mention the other tenant.
        let other = match of {
            "one#" => "two#",
            "two#" => "one#",
            _ => continue,
        };
        assert!(!format!("{item:?}").contains(other), "{place} {sort}");
    }
    // Both tenants did the same in both tables. The budget is shared.
    for table in [WALLETS_TABLE, COSIGNER_TABLE] {
        let count = |of| counts.get(&(table.to_owned(), of)).copied().unwrap_or_default();
        assert!(count("one#") >= 6 && count("one#") == count("two#"), "{counts:?}");
    }
}
