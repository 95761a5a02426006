//! Comparison of a request with the document.

use serde_json::{Value, json};

use crate::USER;
use crate::schema::{Document, Operation};
use crate::support::Seen;

/// Returns the differences between a request and the document.
pub(crate) fn wrong(document: &Document, operation: &Operation<'_>, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut hold = |holds: bool, what: String| {
        if !holds {
            wrong.push(format!("{}: {what}", operation.id));
        }
    };
    let found = document.find(&seen.method, &seen.path).map(|found| found.id);
    hold(found == Some(operation.id), format!("{} {} is of {found:?}", seen.method, seen.path));
    let secured = operation.value["security"] != json!([]);
    hold(seen.headers.contains_key("x-api-key") == secured, "the API key".to_owned());
    let key = seen.headers.get("idempotency-key");
    match (operation.parameter("header", "Idempotency-Key"), key) {
        (Some(parameter), Some(key)) => {
            let fits = document.fits(&parameter["schema"], &json!(key));
            hold(fits.is_ok(), format!("{fits:?}"));
        }
        (stated, key) => hold(stated.is_none() && key.is_none(), "Idempotency-Key".to_owned()),
    }
    for name in seen.headers.keys().filter(|name| name.starts_with("x-lighter-")) {
        let stated = operation.parameter("header", &name.to_uppercase());
        hold(stated.is_some(), format!("the header {name}"));
    }
    for (name, value) in &seen.query {
        match operation.parameter("query", name) {
            None => hold(false, format!("the query's {name}")),
            Some(parameter) => {
                // A query has no types: digits can be a number or a text.
                let number = value.parse::<u64>().ok().map(Value::from);
                let of_number = number.map(|value| document.fits(&parameter["schema"], &value));
                let of_text = document.fits(&parameter["schema"], &json!(value));
                let fits = of_number.filter(Result::is_ok).unwrap_or(of_text);
                hold(fits.is_ok(), format!("{fits:?}"));
            }
        }
    }
    for parameter in operation.parameters().filter(|one| one["required"] == true) {
        let name = parameter["name"].as_str().unwrap();
        let is_there = parameter["in"] == "path" || seen.query.iter().any(|(key, _)| key == name);
        hold(is_there, format!("no {name}"));
    }
    match operation.value.get("requestBody") {
        None => hold(seen.body.is_empty(), format!("a body: {}", seen.body)),
        Some(stated) if seen.body.is_empty() => {
            hold(stated["required"] != true, "no body".to_owned());
        }
        Some(stated) => {
            let body: Value = serde_json::from_str(&seen.body).unwrap();
            let fits = document.fits(&stated["content"]["application/json"]["schema"], &body);
            hold(fits.is_ok(), format!("{fits:?}"));
            let kind = seen.headers.get("content-type").map(String::as_str);
            hold(kind == Some("application/json"), format!("{kind:?}"));
        }
    }
    wrong
}

/// Checks that `wrong` detects differences.
#[test]
fn undocumented_request_is_detected() {
    let document = Document::read();
    let operation = document.operations().find(|one| one.id == "registerAster").unwrap();
    let good = Seen {
        method: "POST".to_owned(),
        path: "/api/trading/aster/apikey".to_owned(),
        query: Vec::new(),
        headers: [
            ("x-api-key", "k"),
            ("idempotency-key", "i"),
            ("content-type", "application/json"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        body: json!({ "walletIdOrAddress": USER }).to_string(),
    };
    assert_eq!(wrong(&document, &operation, &good), Vec::<String>::new());
    let bad = |change: &dyn Fn(&mut Seen)| {
        let mut seen = good.clone();
        change(&mut seen);
        assert!(!wrong(&document, &operation, &seen).is_empty(), "{seen:?}");
    };
    bad(&|seen| seen.method = "PUT".to_owned());
    bad(&|seen| seen.path = "/api/trading/lighter/apikey".to_owned());
    bad(&|seen| seen.query.push(("limit".to_owned(), "1".to_owned())));
    bad(&|seen| drop(seen.headers.remove("x-api-key")));
    bad(&|seen| drop(seen.headers.remove("idempotency-key")));
    bad(&|seen| drop(seen.headers.remove("content-type")));
    bad(&|seen| drop(seen.headers.insert("x-lighter-account-index".to_owned(), "7".to_owned())));
    for body in [
        json!({}),
        json!({ "walletIdOrAddress": "a b" }),
        json!({ "walletIdOrAddress": 1 }),
        json!({ "walletIdOrAddress": USER, "autoRenew": "no" }),
        json!({ "walletIdOrAddress": USER, "auto_renew": false }),
    ] {
        bad(&|seen| seen.body = body.to_string());
    }
    bad(&|seen| seen.body.clear());
}
