//! Tests the built functions as shipped. Each bootstrap is a process behind cargo-lambda's
//! emulator, with the local stack's DynamoDB, KMS and exchanges, and gets events of API Gateway.
//! The functions invoke the cosigner through the emulator. `.ci/bootstraps` builds them and runs
//! these tests.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failing test panics"
)]

mod cost;
mod event;
mod failures;
mod lambda;
mod start;
mod trading;
mod webhooks;

use alloy_primitives::{Address, Signature, eip191_hash_message};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use e2e::Reply;
use event::{credential, event, get, post, request_id, scheduled, with_key};
use exchange_sim::faults::Fault;
use lambda::{Function, Invoked, Lambda, cloud};
use serde_json::{Value, json};

fn address(text: &str) -> Address {
    Address::parse_checksummed(text, None).unwrap()
}

/// Checks that the response is an error in the contract's form.
fn expect(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.text("/code")), (status, code), "{reply:?}");
    assert!(!reply.text("/message").is_empty(), "{reply:?}");
    assert_eq!(reply.body["success"], false);
    assert!(reply.body["timestamp"].is_u64() && !reply.text("/error").is_empty(), "{reply:?}");
    assert_eq!(reply.headers["content-type"], "application/json");
    // The functions are built without the simulators, so without `preserve_order`.
    assert_eq!(e2e::documented::check_error(&reply.body), Ok(()), "{reply:?}");
}

/// Returns the event that creates a user's wallet.
fn create_event(user: &str) -> Value {
    post("/api/wallets", &json!({ "userId": user }))
}

/// Registers a user's wallet with the function's exchange.
async fn register(function: &mut Function, exchange: &str, user: &str) -> Reply {
    let path = format!("/api/trading/{exchange}/apikey");
    function.call(&post(&path, &json!({ "walletIdOrAddress": user }))).await
}

/// Returns the request's line in a function's log.
fn request_line(function: &Function, id: &str) -> Value {
    let lines = function.log().into_iter().filter(|line| line["message"] == "request");
    let mut lines: Vec<Value> = lines.filter(|line| line["span"]["requestId"] == id).collect();
    assert_eq!(lines.len(), 1, "expected one line for {id}: {lines:?}");
    lines.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn built_functions_create_sign_and_register() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let cosigner = lambda.function("cosigner", &stack).started();
    let mut create = lambda.function("create-wallet", &stack);
    let creation = create_event("user_1");
    let created = create.call(&creation).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.headers["x-request-id"], request_id(&creation));
    let again = create.call(&creation).await;
    assert_eq!((again.status, &again.body), (200, &created.body));

    let mut find = lambda.function("get-wallet", &stack);
    let (wallet, id) = (created.text("/address"), created.text("/walletId"));
    for name in ["user_1", wallet, id] {
        let found = find.call(&get(&format!("/api/wallets/{name}"))).await;
        assert_eq!((found.status, &found.body), (200, &created.body), "{name}");
    }

    let mut list = lambda.function("list-wallets", &stack);
    let listed = list.call(&get("/api/wallets")).await;
    assert_eq!((listed.status, listed.text("/wallets/0/walletId")), (200, id), "{listed:?}");

    let mut sign = lambda.function("sign-message", &stack);
    let message = "hello ünï¢ødé 🔑";
    let path = format!("/api/wallets/{wallet}/sign");
    let signing = post(&path, &json!({ "message": message }));
    let signed = sign.call(&signing).await;
    assert_eq!((signed.status, signed.text("/message")), (200, message), "{signed:?}");
    let bytes = hex::decode(signed.text("/signature").strip_prefix("0x").unwrap()).unwrap();
    let signature = Signature::from_raw(&bytes).unwrap();
    let signer = signature.recover_address_from_prehash(&eip191_hash_message(message));
    assert_eq!(signer.unwrap(), address(wallet));

    let mut aster = lambda.function("register-aster", &stack);
    let registered = register(&mut aster, "aster", "user_1").await;
    assert_eq!(registered.status, 200, "{registered:?}");
    let agents = stack.aster_sim.agents_of(address(wallet));
    let [agent] = agents.as_slice() else { panic!("expected one agent: {agents:?}") };
    assert_eq!(agent.address, address(registered.text("/data/agentAddress")));

    let mut hyperliquid = lambda.function("register-hyperliquid", &stack);
    let registered = register(&mut hyperliquid, "hyperliquid", "user_1").await;
    assert_eq!(registered.status, 200, "{registered:?}");
    let agents = stack.hyperliquid_sim.agents_of(address(wallet));
    let [agent] = agents.as_slice() else { panic!("expected one agent: {agents:?}") };
    assert_eq!(agent.address, address(registered.text("/data/apiWalletAddress")));

    // The cosigner's own process logged each call with the caller's request id.
    let log = cosigner.log();
    for (event, calls) in [
        (&creation, &["StartKeygen", "CommitKeygen", "FinishKeygen"][..]),
        (&signing, &["StartSign", "FinishSign"]),
    ] {
        let of = |line: &&Value| line["span"]["requestId"] == request_id(event);
        let logged = log.iter().filter(of).filter(|line| line["message"] == "answered");
        let logged: Vec<&Value> = logged.collect();
        assert_eq!(logged.len(), calls.len(), "{logged:?}");
        for (line, call) in logged.iter().zip(calls) {
            assert_eq!(line["span"]["call"], *call);
            assert_eq!(line["span"]["walletId"], id);
        }
    }
    let line = request_line(&sign, request_id(&signing));
    // Seven of the signature; the record of the key, and the hour of its use.
    assert_eq!((&line["status"], &line["remoteCalls"]), (&json!(200), &json!(9)), "{line}");
    // The key has no record, so it is a tenant of its own name.
    for (field, value) in [("tenant", event::KEY_ID), ("keyId", event::KEY_ID), ("scope", "sign")] {
        assert_eq!(line["span"][field], value);
    }
    for function in [&cosigner, &create, &find, &sign, &aster, &hyperliquid] {
        println!("{}", function.peak());
        // No log contains a key.
        let log = json!(function.log()).to_string();
        assert!(!log.contains("the-key-itself"));
        assert!(!log.contains(registered.text("/data/apiPrivateKey").trim_start_matches("0x")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn built_functions_return_contract_errors() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let _cosigner = lambda.function("cosigner", &stack).started();
    let mut create = lambda.function("create-wallet", &stack);
    let mut find = lambda.function("get-wallet", &stack);
    let mut trade = lambda.function("register-hyperliquid", &stack);
    let creation = create_event("user_1");

    // The tenant requires the id of a tenant key, whatever the client's header contains.
    expect(&create.call(&with_key(creation.clone(), None)).await, 401, "MISSING_API_KEY");
    expect(&create.call(&with_key(creation.clone(), Some("a b"))).await, 401, "MISSING_API_KEY");
    assert_eq!(create.call(&creation).await.status, 201);

    expect(&create.call(&post("/api/wallets", &json!({}))).await, 400, "MISSING_PARAMETER");
    expect(&create.call(&event("POST", "/api/wallets", &json!("{"))).await, 400, "BAD_REQUEST");
    expect(
        &create.call(&event("POST", "/api/wallets", &Value::Null)).await,
        400,
        "MISSING_PARAMETER",
    );
    let large = json!({ "userId": "a".repeat(64 * 1024) });
    expect(&create.call(&post("/api/wallets", &large)).await, 413, "PAYLOAD_TOO_LARGE");
    let put = event("PUT", "/api/wallets", &json!("{}"));
    expect(&create.call(&put).await, 405, "METHOD_NOT_ALLOWED");
    let mut text = creation.clone();
    text["headers"]["Content-Type"] = json!("text/plain");
    text["multiValueHeaders"]["Content-Type"] = json!(["text/plain"]);
    expect(&create.call(&text).await, 415, "UNSUPPORTED_MEDIA_TYPE");

    expect(&find.call(&get("/api/wallets/nobody")).await, 404, "WALLET_NOT_FOUND");
    expect(&find.call(&get("/api/wallets/bad%20name")).await, 400, "BAD_REQUEST");
    // Another tenant's wallet is not found.
    assert_eq!(find.call(&get("/api/wallets/user_1")).await.status, 200);
    let stranger = with_key(get("/api/wallets/user_1"), Some("0th3rk3y"));
    expect(&find.call(&stranger).await, 404, "WALLET_NOT_FOUND");
    expect(&find.call(&get("/api/nothing")).await, 404, "NOT_FOUND");

    expect(&register(&mut trade, "hyperliquid", "nobody").await, 404, "WALLET_NOT_FOUND");
    stack.hyperliquid_sim.require_deposit(true);
    let poor = register(&mut trade, "hyperliquid", "user_1").await;
    expect(&poor, 422, "DEPOSIT_REQUIRED");
    stack.hyperliquid_sim.require_deposit(false);
    assert_eq!(register(&mut trade, "hyperliquid", "user_1").await.status, 200);
    let again = register(&mut trade, "hyperliquid", "user_1").await;
    expect(&again, 409, "API_KEY_EXISTS");
}

/// Tests a credential after its registration, and the jobs that finish interrupted operations.
#[tokio::test(flavor = "multi_thread")]
async fn built_functions_rotate_delete_and_run_jobs() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let _cosigner = lambda.function("cosigner", &stack).started();
    let mut create = lambda.function("create-wallet", &stack);
    assert_eq!(create.call(&create_event("user_1")).await.status, 201);
    let mut see = lambda.function("get-apikey", &stack);
    let mut rotate = lambda.function("rotate-apikey", &stack);
    let mut delete = lambda.function("delete-apikey", &stack);
    for (exchange, register) in
        [("aster", "register-aster"), ("hyperliquid", "register-hyperliquid")]
    {
        expect(&see.call(&credential("GET", exchange, "user_1")).await, 404, "API_KEY_NOT_FOUND");
        let mut function = lambda.function(register, &stack);
        let registered = register_with(&mut function, exchange).await;
        let seen = see.call(&credential("GET", exchange, "user_1")).await;
        assert_eq!((seen.status, seen.text("/data/state")), (200, "active"), "{seen:?}");
        let path = format!("/api/trading/{exchange}/apikey/rotate");
        let rotation = post(&path, &json!({ "walletIdOrAddress": "user_1" }));
        let rotated = rotate.call(&rotation).await;
        assert_eq!(rotated.status, 200, "{rotated:?}");
        assert_eq!(rotated.text("/data/previousAgentAddress"), registered);
        // The deletion fails and is left to the renewal job.
        let broken = Fault::Status(500, String::new());
        if exchange == "aster" {
            stack.aster_sim.fail_next("deleteAgent", broken.clone());
            stack.aster_sim.fail_next("listAgents", broken);
        } else {
            stack.hyperliquid_sim.fail_next("approveAgent", broken.clone());
            stack.hyperliquid_sim.fail_next("userRole", broken);
        }
        let failed = delete.call(&credential("DELETE", exchange, "user_1")).await;
        expect(&failed, 502, "EXCHANGE_UNAVAILABLE");
    }
    expect(&see.call(&credential("GET", "lighter", "user_1")).await, 400, "EXCHANGE_NOT_SUPPORTED");
    for (name, what, count, metric) in [
        ("renew-apikeys", "finished", 1, "CredentialsRenewed"),
        ("reconcile-apikeys", "checked", 0, "CredentialsChecked"),
    ] {
        let mut job = lambda.function(name, &stack);
        let Invoked::Answered(done) = job.invoke(scheduled().to_string()).await else {
            panic!("{name}: {:?}", job.log());
        };
        for exchange in ["aster", "hyperliquid"] {
            assert_eq!(done[exchange][what], count, "{name}: {done}");
        }
        let lines = job.log().into_iter().filter(|line| line["_aws"].is_object());
        let own: Vec<_> = lines.filter(|line| line[metric].is_u64()).collect();
        assert_eq!(own.len(), 2, "expected one metrics line for each exchange");
        assert!(own.iter().all(|line| line["service"].is_string()), "{own:?}");
        println!("{}", job.peak());
    }
    let mut job = lambda.function("refresh-shares", &stack);
    let Invoked::Answered(done) = job.invoke(scheduled().to_string()).await else {
        panic!("refresh-shares: {:?}", job.log());
    };
    assert_eq!(done["refreshed"], 0, "{done}");
    println!("{}", job.peak());
    let mut job = lambda.function("seal-audit", &stack);
    let Invoked::Answered(done) = job.invoke(scheduled().to_string()).await else {
        panic!("seal-audit: {:?}", job.log());
    };
    assert_eq!(done["heads"], 1, "{done}");
    println!("{}", job.peak());
    for exchange in ["aster", "hyperliquid"] {
        let gone = delete.call(&credential("DELETE", exchange, "user_1")).await;
        expect(&gone, 404, "API_KEY_NOT_FOUND");
    }
    for function in [&see, &rotate, &delete] {
        println!("{}", function.peak());
    }
}

/// Registers the wallet of `user_1` and returns the agent's address.
async fn register_with(function: &mut Function, exchange: &str) -> String {
    let registered = register(function, exchange, "user_1").await;
    assert_eq!(registered.status, 200, "{registered:?}");
    let agent = if exchange == "aster" { "/data/agentAddress" } else { "/data/apiWalletAddress" };
    registered.text(agent).to_owned()
}

/// Concurrent calls use separate processes, as in Lambda.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_processes_create_one_wallet() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let _cosigners = [0, 1].map(|_| lambda.function("cosigner", &stack).started());
    let mut racing = [0, 1].map(|_| lambda.function("create-wallet", &stack).started());
    let [one, two] = &mut racing;
    let creation = create_event("user_race");
    let (one, two) = tokio::join!(one.call(&creation), two.call(&creation));
    assert_eq!(one.text("/walletId"), two.text("/walletId"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 201]);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_works_without_key_and_guidance_with_any() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let mut health = lambda.function("health", &stack);
    let reply = health.call(&with_key(get("/api/health"), None)).await;
    assert_eq!((reply.status, &reply.body["success"]), (200, &json!(true)), "{reply:?}");
    let mut guidance = lambda.function("exchange-guidance", &stack);
    let reply = guidance.call(&post("/api/trading/lighter/apikey", &json!({}))).await;
    assert_eq!((reply.status, &reply.body["success"]), (400, &json!(false)), "{reply:?}");
}

/// Tests unusual but valid events of API Gateway.
#[tokio::test(flavor = "multi_thread")]
async fn unusual_gateway_events_are_accepted() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let _cosigner = lambda.function("cosigner", &stack).started();
    let mut create = lambda.function("create-wallet", &stack);
    let mut find = lambda.function("get-wallet", &stack);

    let user = "auth0|a.user:1@example.com";
    let mut encoded = create_event(user);
    let body = BASE64_STANDARD.encode(encoded["body"].as_str().unwrap());
    (encoded["body"], encoded["isBase64Encoded"]) = (json!(body), json!(true));
    assert_eq!(create.call(&encoded).await.status, 201);

    let plain = format!("/api/wallets/{user}");
    let escaped = "/api/wallets/auth0%7Ca.user%3A1%40example.com";
    for path in [plain.as_str(), escaped] {
        assert_eq!(find.call(&get(path)).await.status, 200, "{path}");
        // An unused query must not break the call.
        let mut queried = get(path);
        queried["queryStringParameters"] = json!({ "q": "a b&ü", "r": "" });
        queried["multiValueQueryStringParameters"] = json!({ "q": ["1", "a b&ü"], "r": [""] });
        assert_eq!(find.call(&queried).await.status, 200, "{path}?...");
    }
    // Lowercase header names as in HTTP/2, and the console's test event without headers.
    let mut lower = get(&plain);
    lower["headers"] = json!({ "host": "x.execute-api.us-east-1.amazonaws.com", "accept": "*/*" });
    lower["multiValueHeaders"] = json!({ "host": ["x.execute-api.us-east-1.amazonaws.com"] });
    let mut console = get(&plain);
    (console["headers"], console["multiValueHeaders"]) = (Value::Null, Value::Null);
    console["requestContext"]["stage"] = json!("test-invoke-stage");
    console["requestContext"]["domainName"] = json!("testPrefix.testDomainName");
    // An emulator may name the key without its value.
    let mut valueless = console.clone();
    valueless["requestContext"]["identity"]["apiKey"] = Value::Null;
    for event in [lower, console, valueless] {
        assert_eq!(find.call(&event).await.status, 200, "{event}");
    }
}

/// With a base path on a custom domain, API Gateway's path contains it and its resource does not.
#[tokio::test(flavor = "multi_thread")]
async fn base_path_of_custom_domain_is_ignored() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let _cosigner = lambda.function("cosigner", &stack).started();
    let mut create = lambda.function("create-wallet", &stack);
    let mut find = lambda.function("get-wallet", &stack);
    let with_base = |mut event: Value, base: &str| {
        event["path"] = format!("{base}{}", event["path"].as_str().unwrap()).into();
        event["requestContext"]["path"] = event["path"].clone();
        event
    };
    let created = create.call(&with_base(create_event("user_1"), "/keys")).await;
    assert_eq!(created.status, 201, "{created:?}");
    for base in ["", "/keys", "/api", "/v2/keys"] {
        let found = find.call(&with_base(get("/api/wallets/user_1"), base)).await;
        assert_eq!((found.status, &found.body), (200, &created.body), "{base}");
    }
}

/// API Gateway puts the last of two headers into `headers` and both into `multiValueHeaders`.
#[tokio::test(flavor = "multi_thread")]
async fn two_idempotency_keys_return_400() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let mut create = lambda.function("create-wallet", &stack);
    let mut event = create_event("user_1");
    event["headers"]["Idempotency-Key"] = "b".into();
    event["multiValueHeaders"]["Idempotency-Key"] = json!(["a", "b"]);
    expect(&create.call(&event).await, 400, "IDEMPOTENCY_KEY_INVALID");
}
