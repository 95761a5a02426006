//! Tests failures around a function: malformed events, timeouts, and a cosigner that fails.

use std::time::Duration;

use alloy_primitives::Address;
use aws_sdk_dynamodb::types::AttributeValue;
use e2e::Reply;
use exchange_sim::faults::Fault;
use hyperdex_local::{Stack, WALLETS_TABLE};
use serde_json::{Value, json};

use crate::event::{KEY_ID, get, post, scheduled};
use crate::lambda::{CONSUMERS, FUNCTIONS, Function, Invoked, JOBS, Lambda, cloud};
use crate::{address, create_event, expect, register};

/// Returns payloads that are not valid events of API Gateway.
fn malformed() -> Vec<String> {
    let mut no_context = get("/api/health");
    no_context["requestContext"] = Value::Null;
    let mut no_method = get("/api/health");
    no_method["httpMethod"] = json!("NOT A METHOD");
    let mut bad_host = get("/api/health");
    bad_host["headers"]["Host"] = json!("no host at all");
    bad_host["multiValueHeaders"]["Host"] = json!(["no host at all"]);
    let http_api = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/api/health", "rawQueryString": "",
        "headers": {}, "isBase64Encoded": false,
        "requestContext": { "http": { "method": "GET", "path": "/api/health" } },
    });
    let events = [no_context, no_method, bad_host, http_api, json!({}), json!([]), json!(1)];
    let texts = ["", "{", "no JSON at all", "\u{0}"];
    let events = events.iter().map(Value::to_string);
    events.chain(texts.map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_event_fails_and_the_process_survives() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    // A job ignores the event's content.
    for name in FUNCTIONS.into_iter().filter(|name| !JOBS.contains(name)) {
        let mut function = lambda.function(name, &stack).started();
        let process = function.process_id();
        for payload in malformed() {
            match function.invoke(payload.clone()).await {
                Invoked::Failed(error) => {
                    assert!(error["errorMessage"].is_string(), "{name}: {payload}: {error}");
                }
                // The host does not affect the route.
                Invoked::Answered(reply) if payload.contains(r#""Host":"no host at all""#) => {
                    let status = reply["statusCode"].as_u64();
                    assert!(matches!(status, Some(200 | 404)), "{name}: {reply}");
                }
                other => panic!("{name}: {payload}: {other:?}"),
            }
        }
        if name == "cosigner" {
            // A text that is not a protocol message is refused, not an error.
            let refused = function.invoke("\"no message\"").await;
            assert!(matches!(&refused, Invoked::Answered(Value::String(_))), "{refused:?}");
        } else if CONSUMERS.contains(&name) {
            let none = function.invoke(json!({ "Records": [] }).to_string()).await;
            assert!(matches!(&none, Invoked::Answered(_)), "{name}: {none:?}");
        } else {
            expect(&function.call(&get("/api/nothing")).await, 404, "NOT_FOUND");
        }
        assert_eq!(function.process_id(), process, "{name} is the same process");
    }
}

/// Ends the lease of a credential that no process works on.
async fn end_lease(stack: &Stack, wallet_id: &str, exchange: &str) {
    let text = |text: String| AttributeValue::S(text);
    stack
        .aws()
        .dynamodb()
        .update_item()
        .table_name(WALLETS_TABLE)
        .key("pk", text(format!("{KEY_ID}#W#{wallet_id}")))
        .key("sk", text(format!("credential#{exchange}")))
        .update_expression("SET leaseUntilMs = :past")
        .condition_expression("leaseUntilMs > :past")
        .expression_attribute_values(":past", AttributeValue::N("1".to_owned()))
        .send()
        .await
        .unwrap();
}

/// Returns the wallet's agents at the exchange.
fn agents(stack: &Stack, wallet: &Reply, exchange: &str) -> Vec<String> {
    let master = address(wallet.text("/address"));
    let agents: Vec<Address> = if exchange == "aster" {
        stack.aster_sim.agents_of(master).iter().map(|agent| agent.address).collect()
    } else {
        stack.hyperliquid_sim.agents_of(master).iter().map(|agent| agent.address).collect()
    };
    agents.iter().map(Address::to_string).collect()
}

/// The exchange applies the approval and does not respond. The function times out before the
/// exchange call does and is killed.
async fn out_of_time(mut function: Function, stack: &Stack, wallet: &Reply, exchange: &str) {
    let process = function.process_id();
    let path = format!("/api/trading/{exchange}/apikey");
    let call = post(&path, &json!({ "walletIdOrAddress": "user_1" })).to_string();
    let ended = function.invoke(call).await;
    assert!(matches!(ended, Invoked::OutOfTime), "{exchange}: {ended:?}");
    let approved = agents(stack, wallet, exchange);
    assert_eq!(approved.len(), 1, "{exchange}: expected an applied approval");

    // The next call runs in a new process. It serves other wallets at once, and this wallet after
    // the dead call's lease ends, with the agent that the exchange lists.
    assert_eq!(register(&mut function, exchange, "user_2").await.status, 200);
    assert_ne!(function.process_id(), process);
    let refused = register(&mut function, exchange, "user_1").await;
    expect(&refused, 409, "REGISTRATION_IN_PROGRESS");
    let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");
    end_lease(stack, wallet.text("/walletId"), exchange).await;
    let registered = register(&mut function, exchange, "user_1").await;
    assert_eq!(registered.status, 200, "{registered:?}");
    assert_eq!(agents(stack, wallet, exchange), approved);
    let agent = if exchange == "aster" { "/data/agentAddress" } else { "/data/apiWalletAddress" };
    assert_eq!(registered.text(agent), approved[0]);
    expect(&register(&mut function, exchange, "user_1").await, 409, "API_KEY_EXISTS");
}

#[tokio::test(flavor = "multi_thread")]
async fn next_call_resumes_after_function_timeout() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    let _cosigner = lambda.function("cosigner", &stack).started();
    let mut create = lambda.function("create-wallet", &stack);
    let wallet = create.call(&create_event("user_1")).await;
    assert_eq!(wallet.status, 201);
    let other = create.call(&create_event("user_2")).await;
    assert_eq!(other.status, 201);
    let registering =
        |name| lambda.function(name, &stack).timeout(Duration::from_secs(6)).started();
    let (aster, hyperliquid) = (registering("register-aster"), registering("register-hyperliquid"));
    stack.aster_sim.fail_next("/fapi/v3/registerAndApproveAgent", Fault::AppliedThenHang);
    stack.hyperliquid_sim.fail_next("/exchange", Fault::AppliedThenHang);
    tokio::join!(
        out_of_time(aster, &stack, &wallet, "aster"),
        out_of_time(hyperliquid, &stack, &wallet, "hyperliquid"),
    );
}

/// The invocation fails, so Lambda retries it and then moves it to the queue.
#[tokio::test(flavor = "multi_thread")]
async fn failed_job_run_fails_the_invocation() {
    let ((stack, _data), lambda) = tokio::join!(cloud(), Lambda::start());
    for name in JOBS {
        let table = if name == "seal-audit" { "COSIGNER_TABLE" } else { "WALLETS_TABLE" };
        let mut job = lambda.function(name, &stack).with(table, "none");
        match job.invoke(scheduled().to_string()).await {
            Invoked::Failed(error) => assert_eq!(error["errorMessage"], "the run failed"),
            other => panic!("{name}: {other:?}"),
        }
        assert!(job.log().iter().any(|line| line["message"] == "run failed"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_cosigner_returns_503_and_retry_succeeds() {
    let ((stack, _data), broken, working) = tokio::join!(cloud(), Lambda::start(), Lambda::start());
    let creation = create_event("user_1");
    let signing = post("/api/wallets/user_1/sign", &json!({ "message": "hello" }));

    let no_table = broken.function("cosigner", &stack).with("COSIGNER_TABLE", "none").started();
    let mut create = broken.function("create-wallet", &stack);
    let reply = create.call(&creation).await;
    expect(&reply, 503, "SIGNER_UNAVAILABLE");
    assert_eq!(reply.text("/error"), "Failed to create wallet");
    // The cause is in the cosigner's log only.
    assert!(no_table.log().iter().any(|line| line["message"] == "failed"));

    let _cosigner = working.function("cosigner", &stack).started();
    let mut create = working.function("create-wallet", &stack);
    assert_eq!(create.call(&creation).await.status, 201);
    let mut sign = broken.function("sign-message", &stack);
    expect(&sign.call(&signing).await, 503, "SIGNER_UNAVAILABLE");
    let mut sign = working.function("sign-message", &stack);
    assert_eq!(sign.call(&signing).await.status, 200);
}
