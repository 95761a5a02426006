//! Compares the committed OpenAPI document with the routes, the template's models and the errors of
//! the sources.

use std::collections::BTreeSet;

use domain::intent::{MAX_MESSAGE_BYTES, PersonalMessage};
use openapi::models;
use serde_json::{Value, json};
use template::routes::in_code;
use template::stacks::{MAIN, Sources, Stacks};
use template::{assert_found, assert_none, differences, read, sources};

use super::bodies::{ADDRESS, read_as};
use super::{document, gateway_responses};

#[test]
fn committed_openapi_matches_the_code() {
    let committed: Value = serde_json::from_str(&read(openapi::COMMITTED)).unwrap();
    assert!(
        committed == document(),
        "{} does not match the code; run: cargo xtask openapi",
        openapi::COMMITTED
    );
    assert_eq!(committed["openapi"], "3.1.0");
}

/// Removes the names of the parameters from a path, because they differ.
fn unnamed(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn openapi_routes_match_the_code() {
    let document = document();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(documented.insert(format!("{} {}", method.to_uppercase(), unnamed(path))));
            let open = shared::api::middleware::OPEN_PATHS.contains(&path.as_str());
            assert_eq!(operation["security"] == json!([]), open, "{method} {path}");
        }
    }
    let routes = in_code();
    let routed = routes.iter().map(|route| format!("{} {}", route.method, unnamed(&route.path)));
    let routed: BTreeSet<String> = routed.collect();
    assert!(routed.len() >= 17, "too few routes");
    assert_none(&differences("the route", ("the document", &documented), ("the code", &routed)));
}

/// A status and an error code.
type Pair = (u16, String);

/// Returns the status and code of every error in the document, with its examples.
fn errors(document: &Value) -> (BTreeSet<Pair>, Vec<(u16, Value)>) {
    let (mut pairs, mut shown) = (BTreeSet::new(), Vec::new());
    for operation in document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
    {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let status: u16 = status.parse().unwrap();
            let Some(pointer) = response["$ref"].as_str() else {
                assert!(status < 400, "{status} is inline: {response}");
                continue;
            };
            let codes: Vec<&str> = response["description"].as_str().unwrap().split(", ").collect();
            pairs.extend(codes.iter().map(|code| (status, (*code).to_owned())));
            let component = document.pointer(pointer.trim_start_matches('#')).unwrap();
            let examples = component["content"]["application/json"]["examples"].as_object();
            for example in examples.unwrap().values() {
                let pointer = example["$ref"].as_str().unwrap().trim_start_matches('#');
                let value = &document.pointer(pointer).unwrap()["value"];
                if codes.contains(&value["code"].as_str().unwrap()) {
                    shown.push((status, value.clone()));
                }
            }
        }
    }
    (pairs, shown)
}

#[test]
fn every_openapi_error_has_an_example() {
    let (documented, shown) = errors(&document());
    assert!(documented.len() > 30, "too few errors: {documented:?}");
    for (status, code) in &documented {
        let has = |(of, value): &(u16, Value)| of == status && value["code"] == **code;
        assert!(shown.iter().any(has), "{status} {code} has no example");
    }
}

/// Returns the words in capitals in the code that makes errors. These words are error codes.
fn in_sources() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let is_test = |file: &str| file.ends_with("/tests.rs") || file.contains("/tests/");
    for (_, text) in sources("shared/src/api").into_iter().filter(|(file, _)| !is_test(file)) {
        let code = text.split("#[cfg(test)]").next().unwrap();
        let quoted = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for word in quoted.flat_map(|line| line.split('"').skip(1).step_by(2)) {
            let capital = |letter: char| letter.is_ascii_uppercase() || letter == '_';
            if word.len() > 4 && word.chars().all(capital) {
                codes.insert(word.to_owned());
            }
        }
    }
    codes
}

#[test]
fn openapi_has_every_error_code_of_the_sources() {
    let documented: BTreeSet<String> =
        errors(&document()).0.into_iter().map(|(_, code)| code).collect();
    let written = in_sources();
    assert!(written.contains("WALLET_FROZEN") && written.len() > 25, "{written:?}");
    let written: BTreeSet<String> = written.difference(&no_codes()).cloned().collect();
    assert_none(&differences("the code", ("the document", &documented), ("the sources", &written)));
}

/// Returns the words that are not error codes: values of fields, one of `middleware.rs` that occurs only in the log,
/// and the name of a variable.
fn no_codes() -> BTreeSet<String> {
    let words = ["REPLAYED", "POLICY_DELAY_HOURS", "LIMIT", "MAKER", "MARKET", "TAKER"];
    BTreeSet::from(words.map(str::to_owned))
}

/// The texts that the contract fixes or promises.
#[test]
fn openapi_examples_match_the_contract() {
    let (_, shown) = errors(&document());
    let failed = "Failed to generate API key";
    for (status, error) in [
        (400, "Missing required parameter: walletIdOrAddress"),
        (400, "Missing required parameter: userId"),
        (400, "Missing required parameter: message"),
        (400, "Lighter API keys are not registered through HyperDEX"),
        (400, "Unsupported exchange: binance"),
        (401, "Missing X-API-KEY"),
        (403, "Invalid X-API-KEY"),
        (404, "Wallet not found"),
        (404, "API key not found"),
        (409, "API key already exists for this wallet"),
        (409, "API key registration already in progress"),
        (422, failed),
        (429, "Too many requests"),
        (500, failed),
        (502, failed),
        (504, failed),
        (404, "Missing or invalid credentials for Aster"),
        (404, "Missing or invalid credentials for Hyperliquid"),
        (404, "Order 12345 not found in any market"),
        (504, "Failed to fetch order status: timeout"),
        (504, "Failed to fetch open orders: timeout"),
    ] {
        let has = |(of, value): &(u16, Value)| *of == status && value["error"] == error;
        assert!(shown.iter().any(has), "{status} {error}");
    }
    let exists = shown.iter().find(|(_, value)| value["code"] == "API_KEY_EXISTS").unwrap();
    assert_eq!(exists.1["message"], "Use the existing key or delete it before creating a new one");
}

/// Every documented error, including those of API Gateway, states the next action and repeats the
/// time of its `Retry-After`.
#[test]
fn error_messages_state_the_next_action() {
    let document = document();
    let examples = document["components"]["examples"].as_object().unwrap();
    let errors = examples.values().map(|example| &example["value"]);
    let errors: Vec<&Value> = errors.filter(|body| body["success"] == false).collect();
    assert!(errors.len() > 60, "{}", errors.len());
    for body in errors {
        assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        let needs_retry_after = matches!(
            body["code"].as_str().unwrap(),
            "REGISTRATION_IN_PROGRESS"
                | "IDEMPOTENCY_IN_PROGRESS"
                | "ORDER_IN_PROGRESS"
                | "ORDER_UNKNOWN"
                | "STORE_BUSY"
                | "SIGNER_UNAVAILABLE"
        ) || body["error"] == "Too many requests";
        let in_table = body["retryAfterSeconds"].as_u64().is_some_and(|seconds| seconds > 0);
        assert!(in_table || !needs_retry_after, "{body}");
    }
    for (kind, answer, body) in gateway_responses() {
        assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{kind}");
        let wait = answer.pointer("/ResponseParameters/Headers/Retry-After");
        let wait = wait.map(|wait| wait.as_str().unwrap().trim_matches('\'').to_owned());
        let in_table = body.get("retryAfterSeconds").map(Value::to_string);
        assert_eq!(in_table, wait, "{kind}");
    }
}

/// The document also has the responses that API Gateway makes. The defaults are for unexpected
/// cases.
#[test]
fn openapi_has_the_gateway_responses() {
    let (documented, _) = errors(&document());
    let answers = gateway_responses();
    assert!(answers.len() > 8);
    for (kind, answer, body) in answers.iter().filter(|(kind, ..)| !kind.starts_with("DEFAULT")) {
        let status = answer["StatusCode"].as_u64().unwrap();
        let pair = (u16::try_from(status).unwrap(), body["code"].as_str().unwrap().to_owned());
        assert!(documented.contains(&pair), "{kind}: {pair:?}");
    }
}

/// Returns the differences between the template's models with their routes and the document.
fn wrong_models(stacks: &Stacks) -> Vec<String> {
    let api = stacks.main.resource("AWS::Serverless::Api", "Api").properties;
    let made = serde_json::to_value(models::all().unwrap()).unwrap();
    let mut wrong = Vec::new();
    if api["DefinitionBody"]["components"]["schemas"] != made {
        wrong.push(format!("the models differ from the document: {made:#}"));
    }
    let models = models::by_route(&document()).into_iter();
    let documented =
        models.map(|((method, path), model)| format!("{method} {}: {model}", unnamed(&path)));
    let (methods, faults) = template::api::methods(stacks);
    wrong.extend(faults);
    let in_template = methods.iter().filter_map(|method| {
        let (route, model) = (&method.route, method.model.as_ref()?);
        Some(format!("{} {}: {model}", route.method, unnamed(&route.path)))
    });
    let in_template: BTreeSet<String> = in_template.collect();
    let documented: BTreeSet<String> = documented.collect();
    wrong.extend(differences(
        "the model",
        ("the template", &in_template),
        ("the document", &documented),
    ));
    wrong
}

#[test]
fn template_models_match_openapi() {
    assert_none(&wrong_models(&Stacks::deployed()));
    let place = "          /api/wallets/{wallet}/sign:";
    let none = Sources::read().with(MAIN, place, "schemas/SignMessage", "schemas/CreateWallet");
    let found = wrong_models(&none.deploy(&[]));
    assert_found(
        &found,
        "the model POST /api/wallets/{}/sign: SignMessage is in the document, not in the template",
    );
    let strict = Sources::read().with(MAIN, "  Api:", "maxLength: 128", "maxLength: 127");
    assert_eq!(wrong_models(&strict.deploy(&[])).len(), 1);
}

/// Returns true if a model accepts a body. It supports the keywords that the models use and fails
/// on any other one.
fn accepts(model: &Value, body: &Value) -> bool {
    for (word, rule) in model.as_object().unwrap() {
        let fits = match (word.as_str(), body) {
            ("type", body) => {
                assert_eq!(rule, "object");
                body.is_object()
            }
            ("properties", Value::Object(fields)) => rule
                .as_object()
                .unwrap()
                .iter()
                .all(|(name, form)| fields.get(name).is_none_or(|value| accepts(form, value))),
            // Safe for every way to count, because no text has more characters than bytes.
            ("maxLength", Value::String(text)) => {
                text.chars().count() as u64 <= rule.as_u64().unwrap()
            }
            ("pattern", Value::String(text)) => {
                let is_of_name =
                    |letter: char| letter.is_ascii_alphanumeric() || "_.:@|-".contains(letter);
                match rule.as_str().unwrap() {
                    "^[A-Za-z0-9_.:@|-]*$" => text.chars().all(is_of_name),
                    "^[a-z0-9-]*$" => text
                        .bytes()
                        .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-'),
                    "^[^\\s#]*$" => !text.contains(|it: char| it.is_whitespace() || it == '#'),
                    other => panic!("the pattern {other} is not supported here"),
                }
            }
            ("maxLength" | "pattern" | "properties", _) => true,
            (word, _) => panic!("the keyword {word} is not supported here"),
        };
        if !fits {
            return false;
        }
    }
    true
}

/// A model refuses neither a body that its function accepts nor one that gets an error text of the
/// contract.
#[test]
fn gateway_model_is_not_stricter_than_the_function() {
    let every: String = (' '..='~').collect();
    let texts = every.chars().map(|letter| letter.to_string()).chain(
        ["", "ä", "a b", "a\n", "user_123", "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a"]
            .map(String::from),
    );
    let lengths = [127, 128, 129, MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES + 1];
    let texts = texts.chain(lengths.iter().map(|length| "a".repeat(*length)));
    let texts = texts.chain(["é".repeat(MAX_MESSAGE_BYTES / 2), "𝄞".repeat(MAX_MESSAGE_BYTES / 4)]);
    let values = texts.map(Value::String).chain([json!(null), json!(7), json!(["a"]), json!({})]);
    let values: Vec<Value> = values.collect();
    let (mut refused, mut accepted) = (0, 0);
    for (name, model) in models::all().unwrap() {
        // A body with only the required field is valid.
        let good = match name.as_str() {
            "CreateWallet" => json!({ "userId": "a" }),
            "SignMessage" => json!({ "message": "a" }),
            "CreateWebhook" => json!({ "url": "https://hooks.example.com" }),
            "CreateTenantKey" => json!({ "label": "a" }),
            "PlaceOrderRequest" => {
                json!({ "symbol": "BTC", "side": "BUY", "type": "MARKET", "quantity": "1" })
            }
            "StoreLighterKey" => {
                let key = "01".repeat(40);
                json!({ "apiKeyPrivateKey": key, "apiKeyIndex": 5, "accountIndex": 7 })
            }
            "ModifyOrder" => json!({ "price": "1", "quantity": "1" }),
            "SetTradingPolicy" => json!({}),
            "ProposePolicyChange" => json!({ "change": { "type": "freeze" } }),
            "ApprovePolicyChange" => {
                json!({ "approver": "alice", "signature": { "der": "3006020101020101" } })
            }
            "SetLeverage" => json!({ "symbol": "BTC", "leverage": 5 }),
            "UpdateWebhook" => json!({ "description": "a" }),
            "WithdrawFromAster" => json!({ "chainId": 56, "asset": "USDT", "amount": "1" }),
            "WithdrawFromHyperliquid" => json!({ "destination": ADDRESS, "amount": "1" }),
            "TransferAtHyperliquid" => json!({ "amount": "1" }),
            "SendTokens" => {
                json!({ "chainId": 56, "asset": "USDT", "destination": ADDRESS, "amount": "1" })
            }
            _ => json!({ "walletIdOrAddress": "a" }),
        };
        assert!(read_as(&name, &good).is_none(), "{name}: {good}");
        let fields =
            ["userId", "walletIdOrAddress", "message", "autoRenew", "url", "label", "other"];
        let mut bodies = vec![json!([]), json!(null), json!("a"), json!({})];
        for (field, value) in
            fields.iter().flat_map(|field| values.iter().map(move |value| (field, value)))
        {
            let mut body = good.clone();
            body[field] = value.clone();
            bodies.push(body);
        }
        for body in bodies {
            let error = read_as(&name, &body);
            if accepts(&model, &body) {
                accepted += 1;
                continue;
            }
            refused += 1;
            assert_eq!(error.map(|error| error.code), Some("BAD_REQUEST"), "{name}: {body}");
        }
    }
    assert!(refused > 100 && accepted > 500, "{refused} refused, {accepted} taken");
    assert!(PersonalMessage::parse("𝄞".repeat(MAX_MESSAGE_BYTES / 4)).is_ok());
}
