//! The product's main job from beginning to end, as a client sees it, against a stack of its own.

use std::time::Duration;

use domain::clock::Clock;
use domain::eth::AgentKey;
use domain::ids::{Exchange, Tenant, WalletRef};
use domain::intent::HyperliquidChain;
use http::StatusCode;
use serde_json::{Value, json};
use shared::store::CredentialRecord;

use crate::error::StartError;
use crate::options::{Options, Ports};
use crate::proof;
use crate::stack::Stack;

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The stack did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A step did not give what it should.
    #[error("the demo failed: {0}")]
    Step(String),
}

fn failed(cause: impl Into<Box<dyn std::error::Error>>) -> DemoError {
    DemoError::Step(cause.into().to_string())
}

struct Demo {
    stack: Stack,
    http: reqwest::Client,
    clock: Clock,
    say: fn(&str),
}

/// Runs the demo and says each request and each answer.
///
/// # Errors
/// At the first step that does not give what it should.
pub async fn run(mut options: Options, say: fn(&str)) -> Result<(), DemoError> {
    let data = tempfile::tempdir().map_err(failed)?;
    data.path().clone_into(&mut options.data_dir);
    options.ports = Ports::default();
    // A transcript is to be read.
    options.quiet = true;
    let (chain, aster_chain) = (options.hyperliquid.chain, options.aster.agent_chain_id());
    let simulated = options.hyperliquid.url.is_none();
    let all_simulated = simulated && options.aster.url.is_none();
    let clock = options.clock.clone();
    let stack = Stack::start(options).await?;
    say(&format!("HyperDEX Keys at {}", stack.api));
    say(&format!("  Hyperliquid  {}", stack.hyperliquid));
    say(&format!("  Aster        {}", stack.aster));
    let demo = Demo { stack, http: client()?, clock, say };

    demo.call("Is the service healthy?", "GET", "/api/health", None, 200).await?;
    let user = Some(json!({"userId": "user_123"}));
    let wallet =
        demo.call("Create a wallet for a user.", "POST", "/api/wallets", user, 201).await?;
    let name = json!({ "walletIdOrAddress": wallet["address"] });
    let aster = "Register it with Aster. The trading key stays in the service.";
    demo.call(aster, "POST", "/api/trading/aster/apikey", Some(name.clone()), 200).await?;
    let hyperliquid = "Register it with Hyperliquid. The response delivers the trading key once (again \
                       for ten minutes under the same Idempotency-Key).";
    let key =
        demo.call(hyperliquid, "POST", "/api/trading/hyperliquid/apikey", Some(name), 200).await?;
    let mut shown = vec!["a wallet was created and registered with both exchanges"];
    if demo.prove_hyperliquid(&key, chain).await? {
        shown.push("Hyperliquid accepted an action that the delivered key signed");
    }
    demo.prove_aster(aster_chain).await?;
    shown.push("Aster accepted a request that the stored key signed");
    if simulated {
        demo.show_error().await?;
        shown.push("a refusal of the exchange says what to do");
    }
    let networks = if all_simulated { "simulated exchanges" } else { "the exchanges named above" };
    say(&format!("\nShown, with {networks}:"));
    shown.iter().for_each(|line| say(&format!("  - {line}")));
    say("Not shown: an order. The quick-starts in tests/quickstart place one.");
    demo.stack.stop().await;
    Ok(())
}

fn client() -> Result<reqwest::Client, DemoError> {
    shared::http_client::client_builder()
        .and_then(|builder| Ok(builder.timeout(Duration::from_secs(60)).build()?))
        .map_err(failed)
}

impl Demo {
    /// One request to the API, said with its answer, which must have this status.
    async fn call(
        &self,
        what: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        status: u16,
    ) -> Result<Value, DemoError> {
        (self.say)(&format!("\n{what}"));
        let shown = body.as_ref().map(Value::to_string).unwrap_or_default();
        (self.say)(format!("  > {method} {path} {shown}").trim_end());
        let url = format!("{}{path}", self.stack.api);
        let request = match body {
            None => self.http.get(url),
            Some(body) => self
                .http
                .post(url)
                .header("content-type", "application/json")
                .body(body.to_string()),
        };
        let (answered, answer) = send(request.header("x-api-key", "demo")).await?;
        self.show(answered, &answer);
        if answered.as_u16() != status {
            return Err(failed(format!("{method} {path} answered {answered}, not {status}")));
        }
        Ok(answer)
    }

    /// A response, a field in each line, without the key that it may deliver.
    fn show(&self, status: StatusCode, answer: &Value) {
        let shown = serde_json::to_string_pretty(&masked(answer)).unwrap_or_default();
        (self.say)(&format!("  < {status}"));
        shown.lines().for_each(|line| (self.say)(&format!("    {line}")));
    }

    /// An L1 action that does nothing, signed with the delivered key.
    async fn prove_hyperliquid(
        &self,
        registered: &Value,
        chain: HyperliquidChain,
    ) -> Result<bool, DemoError> {
        let secret = registered["data"]["apiPrivateKey"].as_str();
        let Some(secret) = secret.and_then(|text| text.strip_prefix("0x")) else {
            (self.say)("\nThe key was not delivered, so it is not used here.");
            return Ok(false);
        };
        let secret = hex::decode(secret).map_err(|_| failed("the delivered key is not hex"))?;
        let agent = AgentKey::from_bytes(&secret).map_err(failed)?;
        let body = proof::hyperliquid_noop(chain, &agent, self.clock.now_ms()).map_err(failed)?;
        let url = format!("{}exchange", self.stack.hyperliquid);
        let request = self.http.post(url).header("content-type", "application/json").body(body);
        let (status, answer) = send(request).await?;
        (self.say)("\nUse the delivered key: sign an action that does nothing.");
        (self.say)(&format!("  > Hyperliquid: noop, signed by the agent {}", agent.address()));
        self.show(status, &answer);
        if answer["status"] == "ok" { Ok(true) } else { Err(failed("Hyperliquid refused the key")) }
    }

    /// A signed read with the stored key, which only party 1 can open.
    async fn prove_aster(&self, chain_id: u64) -> Result<(), DemoError> {
        let custody = &self.stack.custody;
        let name: WalletRef = "user_123".parse().map_err(failed)?;
        let view = custody.store.find(&Tenant::local(), &name).await.map_err(failed)?;
        let view = view.ok_or_else(|| failed("the wallet is not there"))?;
        let credential = view.credential(Exchange::Aster);
        let credential = credential.ok_or_else(|| failed("the credential is not there"))?;
        let context = CredentialRecord::context(&view.wallet, Exchange::Aster, credential.agent);
        let secret = custody.envelope.open(&context, &credential.sealed).await.map_err(failed)?;
        let agent = AgentKey::from_bytes(&secret).map_err(failed)?;
        (self.say)("\nUse the stored key, which only the service can open: sign a request.");
        (self.say)(&format!("  > Aster: balance, signed by the agent {}", agent.address()));
        let (user, nonce) = (view.wallet.address, self.clock.now_us());
        let path = proof::aster_balance(chain_id, &agent, user, nonce).map_err(failed)?;
        let url = format!("{}{path}", self.stack.aster);
        let (status, answer) = send(self.http.get(url)).await?;
        self.show(status, &answer);
        // "Only after deposit" is said to a key that is registered and has signed rightly.
        if status.is_success() || answer["code"] == -5050 {
            Ok(())
        } else {
            Err(failed("Aster refused the key"))
        }
    }

    /// Shows what a caller gets when the exchange refuses for a reason that the caller can remove.
    async fn show_error(&self) -> Result<(), DemoError> {
        self.stack.hyperliquid_sim.require_deposit(true);
        let user = Some(json!({"userId": "user_456"}));
        self.call("Create another wallet.", "POST", "/api/wallets", user, 201).await?;
        let name = Some(json!({ "walletIdOrAddress": "user_456" }));
        let what = "Register it where the exchange requires a deposit first.";
        let refused = self.call(what, "POST", "/api/trading/hyperliquid/apikey", name, 422).await?;
        if refused["code"] == "DEPOSIT_REQUIRED" { Ok(()) } else { Err(failed("another error")) }
    }
}

/// A response without the key that it may deliver.
fn masked(answer: &Value) -> Value {
    let mut shown = answer.clone();
    if let Some(key) = shown.pointer_mut("/data/apiPrivateKey") {
        *key = "0x… (not shown)".into();
    }
    shown
}

async fn send(request: reqwest::RequestBuilder) -> Result<(StatusCode, Value), DemoError> {
    let response = request.send().await.map_err(|error| failed(error.without_url()))?;
    let status = response.status();
    let text = response.text().await.map_err(|error| failed(error.without_url()))?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}
