//! Tests the payment policy over HTTP and with `hyperdex policy`: the text, approvals, delays,
//! cancellations, and what a tenant key alone cannot do.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use std::cell::RefCell;

use clap::Parser;
use domain::clock::Clock;
use domain::ids::Tenant;
use domain::policy::{Change, change_text};
use domain::random::Random;
use e2e::{Reply, TestApp};
use http::Method;
use hyperdex_local::PAYMENT_DELAY_S;
use hyperdex_local::approver::{APPROVER_KEY_FILE, ApproverKey};
use hyperdex_local::commands::arguments::{Output, Place};
use hyperdex_local::commands::policy::{self, PolicyCommand, PolicyCommandError};
use serde_json::{Value, json};
use zeroize::Zeroizing;

const POLICY: &str = "/api/policy";
const CHANGES: &str = "/api/policy/changes";
const TREASURY: &str = "0x173404aaaa4d6539e2c7dbcc1931cf41b3a3d5c7";

fn approver(app: &TestApp) -> ApproverKey {
    ApproverKey::open(&app.data.path().join(APPROVER_KEY_FILE)).unwrap()
}

fn add() -> Value {
    json!({ "type": "addDestination", "destination": { "venue": "evm:56", "address": TREASURY,
        "assets": ["evm:56/USDT"], "label": "Treasury" } })
}

/// Adds the signature of a text's terms to a body.
fn signed(app: &TestApp, text: &Value, mut body: Value) -> Value {
    let signature = approver(app).sign(text["text"].as_str().unwrap()).unwrap();
    for field in ["sequence", "previousHash", "notAfter"] {
        body[field] = text[field].clone();
    }
    body["approvals"] =
        json!([{ "approver": "local", "signature": { "der": hex::encode(signature) } }]);
    body
}

async fn state(app: &TestApp) -> Value {
    let reply = app.get(POLICY).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body["data"].clone()
}

async fn delete(app: &TestApp, path: &str, body: &Value) -> Reply {
    app.send(app.request(Method::DELETE, path).json(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn change_needs_a_signature_and_takes_effect_after_its_delay() {
    let app = TestApp::start().await;
    let before = state(&app).await;
    assert_eq!(before["authority"]["approvers"][0]["publicKey"], approver(&app).public_key());

    // The text is built from the chain, and asking for it writes nothing.
    let text = app.post(CHANGES, json!({ "change": add() })).await;
    assert_eq!(text.status, 200, "{text:?}");
    let text = text.body["data"].clone();
    let change: Change = serde_json::from_value(add()).unwrap();
    let expected = change_text(
        before["chainId"].as_str().unwrap(),
        &Tenant::local(),
        1,
        before["headHash"].as_str().unwrap(),
        &change,
        text["notAfter"].as_u64().unwrap(),
    );
    assert_eq!(text["text"], expected);
    assert_eq!(state(&app).await, before);

    let body = signed(&app, &text, json!({ "change": add() }));
    let made = app.post(CHANGES, body.clone()).await;
    assert_eq!((made.status, made.text("/data/state")), (201, "waiting"), "{made:?}");
    let effective_ms = made.body["data"]["effectiveAt"].as_u64().unwrap();
    assert_eq!(effective_ms, app.clock.now_ms() + u64::from(PAYMENT_DELAY_S) * 1_000);
    // A lost response: the repeat returns the same change.
    let again = app.post(CHANGES, body.clone()).await;
    assert_eq!((again.status, &again.body["data"]), (201, &made.body["data"]));

    let listed = &state(&app).await["pending"][0];
    assert_eq!(listed["sequence"], 1);
    app.clock.advance_ms(u64::from(PAYMENT_DELAY_S) * 1_000);
    let after = state(&app).await;
    assert_eq!(after["pending"], json!([]));
    assert_eq!(after["destinations"][0]["label"], "Treasury");
    assert_eq!(after["destinations"][0]["activeFrom"], effective_ms);
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_replayed_or_altered_proposal_changes_nothing() {
    let app = TestApp::start().await;
    let text = app.post(CHANGES, json!({ "change": add() })).await.body["data"].clone();
    let good = signed(&app, &text, json!({ "change": add() }));
    let before = state(&app).await;
    let with = |path: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    let other = "0x2222222222222222222222222222222222222222";
    for (body, status, code) in [
        (with("/change/destination/address", json!(other)), 422, "APPROVAL_INVALID"),
        (with("/change", json!({ "type": "freeze" })), 422, "APPROVAL_INVALID"),
        (with("/notAfter", json!(text["notAfter"].as_u64().unwrap() + 1)), 422, "APPROVAL_INVALID"),
        (with("/approvals/0/approver", json!("alice")), 422, "APPROVAL_INVALID"),
        (with("/approvals/0/signature/der", json!("3006020101020101")), 422, "APPROVAL_INVALID"),
        (with("/sequence", json!(2)), 409, "POLICY_SEQUENCE"),
        (with("/previousHash", json!("1".repeat(64))), 409, "POLICY_SEQUENCE"),
        (with("/approvals", json!([])), 400, "BAD_REQUEST"),
        (with("/change/destination/assets", json!(["aster/USDT"])), 400, "BAD_REQUEST"),
    ] {
        let reply = app.post(CHANGES, body).await;
        assert_eq!((reply.status, reply.text("/code")), (status, code), "{reply:?}");
    }
    assert_eq!(state(&app).await, before);
    // Another tenant's chain does not accept the signature.
    let (_, key) = app.key_with("acme", |_| ()).await;
    let foreign = app.send_as(&key, (Method::POST, CHANGES), Some(&good)).await;
    assert_eq!((foreign.status, foreign.text("/code")), (422, "APPROVAL_INVALID"), "{foreign:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancellation_without_a_signature_returns_its_text_and_cancels_nothing() {
    let app = TestApp::start().await;
    let text = app.post(CHANGES, json!({ "change": add() })).await.body["data"].clone();
    let made = app.post(CHANGES, signed(&app, &text, json!({ "change": add() }))).await;
    assert_eq!(made.status, 201, "{made:?}");

    let path = format!("{CHANGES}/1");
    let asked = delete(&app, &path, &json!({})).await;
    assert_eq!((asked.status, asked.text("/code")), (409, "APPROVAL_REQUIRED"), "{asked:?}");
    assert_eq!(state(&app).await["pending"][0]["state"], "waiting");
    let done = delete(&app, &path, &signed(&app, &asked.body["data"], json!({}))).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(state(&app).await["pending"], json!([]));
    app.clock.advance_ms(u64::from(PAYMENT_DELAY_S) * 1_000);
    assert_eq!(state(&app).await["destinations"], json!([]));
    let none = delete(&app, &path, &json!({})).await;
    assert_eq!((none.status, none.text("/code")), (404, "POLICY_CHANGE_NOT_FOUND"), "{none:?}");
}

/// Lines of a command's result and its remarks.
#[derive(Default)]
struct Lines(RefCell<Vec<String>>);

impl Output for Lines {
    fn say(&self, line: &str) {
        self.0.borrow_mut().push(line.to_owned());
    }

    fn note(&self, line: &str) {
        self.0.borrow_mut().push(line.to_owned());
    }
}

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: PolicyCommand,
}

async fn hyperdex(app: &TestApp, words: &str) -> Result<String, PolicyCommandError> {
    let words = std::iter::once("policy").chain(words.split_whitespace());
    let Cli { command } = Cli::try_parse_from(words).unwrap();
    let clock: Clock = app.clock.clock();
    let place = Place { data_dir: app.data.path(), user: "olga", clock, random: Random::system() };
    let lines = Lines::default();
    let key = Some(Zeroizing::new("any".to_owned()));
    policy::run(&command, &place, key, |_| None, &lines).await?;
    Ok(lines.0.into_inner().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn command_proposes_approves_and_cancels_through_stack_and_api() {
    let app = TestApp::start().await;
    let key = app.data.path().join(APPROVER_KEY_FILE);
    let key = format!("--key {}", key.display());
    let api = format!("--api-url {}", app.stack.api);
    let add = format!(
        "add-destination --venue evm:56 --address {TREASURY} --asset evm:56/USDT --label Treasury"
    );
    let made = hyperdex(&app, &format!("propose {add} {key} {api}")).await.unwrap();
    assert!(made.contains("change 1  waits: in effect at"), "{made}");
    let chain = state(&app).await["chainId"].as_str().unwrap().to_owned();
    assert!(made.contains(&chain), "the command shows the chain before it signs: {made}");

    // The approver's own words differ from the pending change: nothing is signed.
    let other = add.replace(TREASURY, "0x2222222222222222222222222222222222222222");
    let refused = hyperdex(&app, &format!("approve 1 {other} {key} {api}")).await;
    assert!(matches!(refused, Err(PolicyCommandError::OtherChange { sequence: 1, .. })));
    let foreign = hyperdex(&app, &format!("propose freeze {key} {api} --chain-id other")).await;
    assert!(matches!(foreign, Err(PolicyCommandError::OtherChain(_))));
    assert_eq!(state(&app).await["sequence"], 1);

    let cancelled = hyperdex(&app, &format!("cancel 1 {key} {api}")).await.unwrap();
    assert!(cancelled.contains("change 2  in effect"), "{cancelled}");
    let shown = hyperdex(&app, "show").await.unwrap();
    assert!(shown.contains("No pending changes."), "{shown}");

    // The operator of the local stack cancels without a signature.
    hyperdex(&app, &format!("propose {add} {key}")).await.unwrap();
    hyperdex(&app, "cancel 3 --as-operator").await.unwrap();
    assert_eq!(state(&app).await["pending"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn text_signed_elsewhere_is_accepted() {
    let app = TestApp::start().await;
    let file = app.data.path().join("text");
    let terms = "propose freeze --not-after 2099-01-01T00:00:00Z";
    let far = hyperdex(&app, &format!("{terms} --text-file {}", file.display())).await;
    assert!(far.is_ok(), "{far:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("HyperDEX Keys policy change\n") && text.lines().count() == 7);
    let until = domain::time::rfc3339_seconds(app.clock.now_ms() + 60_000);
    let terms = format!("propose freeze --not-after {until}");
    hyperdex(&app, &format!("{terms} --text-file {}", file.display())).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let signature = hex::encode(approver(&app).sign(&text).unwrap());
    let words = format!("{terms} --approver local --signature {signature}");
    hyperdex(&app, &words).await.unwrap();
    assert_eq!(state(&app).await["frozen"], true);
}
