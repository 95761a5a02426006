//! Steering over HTTP.

use axum::{Router, body::Body};
use exchange_sim::aster::Noop;
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Wallet, aster::Aster, hyperliquid::Hyperliquid, lighter::Lighter};

async fn send(
    router: Router,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &Value,
) -> (u16, Value) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let response = router.oneshot(request.body(body).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

const LOCAL: [(&str, &str); 2] = [("host", "localhost:3001"), ("content-type", "application/json")];

fn account() -> String {
    format!("{:#x}", Wallet::number(1).address())
}

#[tokio::test]
async fn prices_deposits_modes_and_faults_are_set() {
    let hyperliquid = Hyperliquid::new();
    let router = hyperliquid.exchange.router();
    for (path, body) in [
        ("price", json!({"symbol": "BTC", "mark": "61000"})),
        ("liquidity", json!({"symbol": "BTC", "bids": [["60000", "1"]], "asks": [["62000", "2"]]})),
        ("deposit", json!({"account": account(), "pocket": "spot", "amount": "12.5"})),
        ("mode", json!({"account": account(), "mode": "unifiedAccount"})),
        (
            "leverage",
            json!({"account": account(), "symbol": "BTC", "leverage": 7, "marginMode": "isolated"}),
        ),
        ("fault", json!({"target": "userRole", "fault": "late", "ms": 5})),
        ("fault", json!({"target": "userRole", "fault": "status", "status": 503})),
    ] {
        let path = format!("/_sim/{path}");
        let (status, said) = send(router.clone(), ("POST", &path), &LOCAL, &body).await;
        assert_eq!((status, said), (200, json!({"done": true})), "{path}");
    }
    let (_, state) = send(router.clone(), ("GET", "/_sim/state"), &LOCAL[..1], &Value::Null).await;
    let btc = json!({"mark": "61000", "bid": "60000", "ask": "62000"});
    assert_eq!(state["markets"]["BTC"], btc);
    let removed = send(router.clone(), ("DELETE", "/_sim/faults"), &LOCAL[..1], &Value::Null).await;
    assert_eq!(removed, (200, json!({"removed": 2})));
    let path = format!("/_sim/account?account={}", account());
    let (_, held) = send(router.clone(), ("GET", &path), &LOCAL[..1], &Value::Null).await;
    assert_eq!(held["balances"]["spot:USDC"], "12.5");
    assert_eq!(held["leverage"]["BTC"], json!({"leverage": 7, "marginMode": "isolated"}));
    assert_eq!(held["leverage"]["ETH"], json!({"leverage": 20, "marginMode": "cross"}));
    assert_eq!((&held["positions"], &held["openOrders"]), (&json!([]), &json!([])));
    let path = format!("/_sim/executions?account={}", account());
    let executions = send(router, ("GET", &path), &LOCAL[..1], &Value::Null).await;
    assert_eq!(executions, (200, json!({})));
    let aster = Aster::new().exchange.router();
    let hedge = json!({"account": account(), "mode": "hedge"});
    assert_eq!(send(aster, ("POST", "/_sim/mode"), &LOCAL, &hedge).await.0, 200);
}

/// Returns the code spans of the rows of the tables below a heading of the reference page.
fn documented(heading: &str) -> Vec<Vec<String>> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/simulators.md");
    let text = std::fs::read_to_string(page).unwrap();
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    rows.map(|row| row.split('`').skip(1).step_by(2).map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn documented_faults_are_accepted() {
    let router = Hyperliquid::new().exchange.router();
    let rows = documented("Faults");
    // The second table of the section lists requests.
    let faults: Vec<_> = rows.iter().skip(1).take_while(|names| names[0] != "/exchange").collect();
    assert_eq!(faults.len(), 11);
    for names in faults {
        let (fault, fields) = names.split_first().unwrap();
        let mut body = json!({"target": "order", "fault": fault});
        for field in fields {
            match field.as_str() {
                "ms" => body["ms"] = 5.into(),
                "status" => body["status"] = 503.into(),
                "body" => body["body"] = "text".into(),
                _ => {}
            }
        }
        let (status, _) = send(router.clone(), ("POST", "/_sim/fault"), &LOCAL, &body).await;
        assert_eq!(status, 200, "{body}");
    }
}

#[tokio::test]
async fn rules_of_aster_are_set() {
    let aster = Aster::new();
    for (rule, value, status) in [
        ("noop", "acknowledgement", 200),
        ("readsLag", "8000", 200),
        ("readsLag", "120001", 400),
        ("readsLag", "-1", 400),
        ("noop", "maybe", 400),
        ("noop", "", 400),
        ("weight", "1", 400),
    ] {
        let body = json!({"rule": rule, "value": value});
        let sent = send(aster.exchange.router(), ("POST", "/_sim/rule"), &LOCAL, &body).await;
        assert_eq!(sent.0, status, "{body}");
    }
    let rules = aster.exchange.rules();
    assert_eq!((rules.noop, rules.reads_lag_ms), (Noop::Acknowledgement, 8_000));
    let body = json!({"rule": "noop", "value": "proof"});
    assert_eq!(send(aster.exchange.router(), ("POST", "/_sim/rule"), &LOCAL, &body).await.0, 200);
    assert_eq!(aster.exchange.rules().noop, Noop::Proof);
}

#[tokio::test]
async fn documented_markets_exist() {
    let mut listed = Vec::new();
    for router in [
        Hyperliquid::new().exchange.router(),
        Aster::new().exchange.router(),
        Lighter::new().exchange.router(),
    ] {
        let request = ("GET", "/_sim/state");
        let (_, state) = send(router, request, &LOCAL[..1], &Value::Null).await;
        listed.extend(state["markets"].as_object().unwrap().keys().cloned());
    }
    let mut named: Vec<_> = documented("Markets").concat();
    named.sort_unstable();
    listed.sort_unstable();
    assert_eq!(named, listed);
}

#[tokio::test]
async fn invalid_steering_is_refused() {
    let router = Hyperliquid::new().exchange.router();
    for (path, body) in [
        ("price", json!({"symbol": "NONE", "mark": "1"})),
        ("price", json!({"symbol": "BTC", "mark": 1})),
        ("price", json!({"symbol": "BTC", "mark": "0"})),
        ("price", json!({"symbol": "BTC", "mark": "1", "more": 1})),
        ("liquidity", json!({"symbol": "BTC", "bids": [["1", "0"]], "asks": []})),
        ("deposit", json!({"account": "0x12", "amount": "1"})),
        ("deposit", json!({"account": account(), "pocket": "none", "amount": "1"})),
        ("mode", json!({"account": account(), "mode": "hedge"})),
        ("rule", json!({"rule": "noop", "value": "proof"})),
        ("fault", json!({"target": "order", "fault": "late"})),
        ("fault", json!({"target": "order", "fault": "unknown"})),
    ] {
        let path = format!("/_sim/{path}");
        let (status, _) = send(router.clone(), ("POST", &path), &LOCAL, &body).await;
        assert_eq!(status, 400, "{path} {body}");
    }
}

/// Pages in a browser send an origin or a simple content type, or a foreign host after they rebound
/// their name.
#[tokio::test]
async fn browsers_cannot_steer() {
    let router = Hyperliquid::new().exchange.router();
    let body = json!({"symbol": "BTC", "mark": "1"});
    let json_type = ("content-type", "application/json");
    for (headers, expected) in [
        (vec![("host", "evil.example:3001"), json_type], 403),
        (vec![json_type], 403),
        (vec![("host", "localhost:3001"), ("origin", "http://evil.example"), json_type], 403),
        (vec![("host", "localhost:3001"), ("content-type", "text/plain")], 415),
    ] {
        let (status, _) = send(router.clone(), ("POST", "/_sim/price"), &headers, &body).await;
        assert_eq!(status, expected, "{headers:?}");
    }
}
