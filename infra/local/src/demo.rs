//! The product's main calls, sent by a client to a stack of its own.

mod payments;

use std::path::PathBuf;
use std::time::Duration;

use domain::clock::Clock;
use domain::eth::AgentKey;
use domain::ids::{Exchange, Tenant, WalletRef};
use domain::intent::HyperliquidChain;
use http::StatusCode;
use serde_json::{Value, json};
use shared::exchanges::profile::Profile;
use shared::store::CredentialRecord;

use crate::error::StartError;
use crate::options::{Options, Ports};
use crate::proof;
use crate::stack::Stack;

/// Error of the demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The stack did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A step returned an unexpected result.
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
    data_dir: PathBuf,
    say: fn(&str),
}

/// Runs the demo, and prints each request and its response.
///
/// # Errors
/// Returns an error at the first step with an unexpected result.
pub async fn run(mut options: Options, say: fn(&str)) -> Result<(), DemoError> {
    let data = tempfile::tempdir().map_err(failed)?;
    data.path().clone_into(&mut options.data_dir);
    options.ports = Ports::default();
    // Log lines would hide the transcript.
    options.quiet = true;
    options.payment_delay_s = payments::DELAY_S;
    let (chain, aster_chain) = (options.hyperliquid.chain, options.aster.agent_chain_id());
    let simulated = options.hyperliquid.url.is_none();
    let all_simulated = simulated && options.aster.url.is_none();
    let clock = options.clock.clone();
    let stack = Stack::start(options).await?;
    say(&format!("HyperDEX Keys at {}", stack.api));
    say(&format!("  Hyperliquid  {}", stack.hyperliquid));
    say(&format!("  Aster        {}", stack.aster));
    let demo = Demo { stack, http: client()?, clock, data_dir: data.path().to_owned(), say };

    demo.call("Check the service's health.", "GET", "/api/health", None, 200).await?;
    let user = Some(json!({"userId": "user_123"}));
    let wallet =
        demo.call("Create a wallet for a user.", "POST", "/api/wallets", user, 201).await?;
    let name = json!({ "walletIdOrAddress": wallet["address"] });
    let aster = "Register the wallet with Aster. The service keeps the trading key.";
    demo.call(aster, "POST", "/api/trading/aster/apikey", Some(name.clone()), 200).await?;
    let hyperliquid = "Register it with Hyperliquid. The response delivers the trading key once (again \
                       for ten minutes under the same Idempotency-Key).";
    let key =
        demo.call(hyperliquid, "POST", "/api/trading/hyperliquid/apikey", Some(name), 200).await?;
    let wallet = wallet["address"].as_str().unwrap_or_default();
    let mut shown = vec!["a wallet was created and registered with both exchanges"];
    if demo.prove_hyperliquid(&key, chain).await? {
        shown.push("Hyperliquid accepted an action that the delivered key signed");
    }
    demo.prove_aster(aster_chain).await?;
    shown.push("Aster accepted a request that the stored key signed");
    if all_simulated {
        for exchange in Exchange::ALL {
            demo.open_and_close(exchange, wallet).await?;
        }
        shown.push("a position was opened and closed on both exchanges");
    }
    if simulated {
        demo.pay(wallet, chain).await?;
        shown.push(
            "a withdrawal that the signed policy allows reached the chain, and the log verifies",
        );
    }
    if simulated {
        demo.show_error().await?;
        shown.push("an error of the exchange names the next action");
    }
    let networks = if all_simulated { "simulated exchanges" } else { "the exchanges named above" };
    say(&format!("\nShown, with {networks}:"));
    shown.iter().for_each(|line| say(&format!("  - {line}")));
    if !all_simulated {
        say("Not shown: placing an order, because an exchange is not simulated.");
    }
    demo.stack.stop().await;
    Ok(())
}

fn client() -> Result<reqwest::Client, DemoError> {
    shared::http_client::client_builder()
        .and_then(|builder| Ok(builder.timeout(Duration::from_secs(60)).build()?))
        .map_err(failed)
}

impl Demo {
    /// Sends one request to the API, prints it with its response, and checks the status.
    async fn call(
        &self,
        what: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        status: u16,
    ) -> Result<Value, DemoError> {
        self.call_with(what, method, path, (body, None), status).await
    }

    /// Like [`Self::call`], with an `Idempotency-Key` for the body.
    async fn call_with(
        &self,
        what: &str,
        method: &str,
        path: &str,
        (body, key): (Option<Value>, Option<&str>),
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
        let mut request = request.header("x-api-key", "demo");
        if let Some(key) = key {
            (self.say)(&format!("  > Idempotency-Key: {key}"));
            request = request.header("idempotency-key", key);
        }
        let (answered, answer) = send(request).await?;
        self.show(answered, &answer);
        if answered.as_u16() != status {
            return Err(failed(format!("{method} {path} returned {answered}, expected {status}")));
        }
        Ok(answer)
    }

    /// Opens a position with a market order, and closes the whole of it.
    async fn open_and_close(&self, exchange: Exchange, wallet: &str) -> Result<(), DemoError> {
        let name = Profile::of(exchange).name;
        let base = format!("/api/trading/{exchange}");
        let order = json!({
            "walletIdOrAddress": wallet, "symbol": "BTC", "side": "BUY", "type": "MARKET",
            "quantity": "0.001",
        });
        let what = format!("Open a position on {name} with a market order.");
        self.call(&what, "POST", &format!("{base}/orders"), Some(order), 200).await?;
        let positions = format!("{base}/positions/{wallet}");
        self.expect_positions(&format!("Read the positions on {name}."), &positions, 1).await?;
        let close = json!({ "walletIdOrAddress": wallet, "symbol": "BTC" });
        let what = format!("Close the whole position on {name} at the market's price.");
        self.call(&what, "POST", &format!("{base}/positions/close"), Some(close), 200).await?;
        self.expect_positions("Read the positions again.", &positions, 0).await
    }

    async fn expect_positions(&self, what: &str, path: &str, count: u64) -> Result<(), DemoError> {
        let listed = self.call(what, "GET", path, None, 200).await?;
        if listed["totalPositions"] == count {
            return Ok(());
        }
        Err(failed(format!("{path} returned {}, expected {count}", listed["totalPositions"])))
    }

    /// Prints a response, one field in each line, without a delivered private key.
    fn show(&self, status: StatusCode, answer: &Value) {
        let shown = serde_json::to_string_pretty(&masked(answer)).unwrap_or_default();
        (self.say)(&format!("  < {status}"));
        shown.lines().for_each(|line| (self.say)(&format!("    {line}")));
    }

    /// Sends an L1 action without effect, signed with the delivered key.
    async fn prove_hyperliquid(
        &self,
        registered: &Value,
        chain: HyperliquidChain,
    ) -> Result<bool, DemoError> {
        let secret = registered["data"]["apiPrivateKey"].as_str();
        let Some(secret) = secret.and_then(|text| text.strip_prefix("0x")) else {
            (self.say)("\nThe response contains no private key, so the demo does not use it.");
            return Ok(false);
        };
        let secret = hex::decode(secret).map_err(|_| failed("the delivered key is not hex"))?;
        let agent = AgentKey::from_bytes(&secret).map_err(failed)?;
        let body = proof::hyperliquid_noop(chain, &agent, self.clock.now_ms()).map_err(failed)?;
        let url = format!("{}exchange", self.stack.hyperliquid);
        let request = self.http.post(url).header("content-type", "application/json").body(body);
        let (status, answer) = send(request).await?;
        (self.say)("\nUse the delivered key: sign an action without effect.");
        (self.say)(&format!("  > Hyperliquid: noop, signed by the agent {}", agent.address()));
        self.show(status, &answer);
        if answer["status"] == "ok" { Ok(true) } else { Err(failed("Hyperliquid refused the key")) }
    }

    /// Sends a signed read with the stored key, which only party 1 can open.
    async fn prove_aster(&self, chain_id: u64) -> Result<(), DemoError> {
        let custody = &self.stack.custody;
        let name: WalletRef = "user_123".parse().map_err(failed)?;
        let view = custody.store.find(&Tenant::local(), &name).await.map_err(failed)?;
        let view = view.ok_or_else(|| failed("the wallet does not exist"))?;
        let credential = view.credential(Exchange::Aster);
        let credential = credential.ok_or_else(|| failed("the credential does not exist"))?;
        let context = CredentialRecord::context(&view.wallet, Exchange::Aster, credential.agent);
        let secret = custody.envelope.open(&context, &credential.sealed).await.map_err(failed)?;
        let agent = AgentKey::from_bytes(&secret).map_err(failed)?;
        (self.say)("\nUse the stored key: sign a request. Only the service can open this key.");
        (self.say)(&format!("  > Aster: balance, signed by the agent {}", agent.address()));
        let (user, nonce) = (view.wallet.address, self.clock.now_us());
        let path = proof::aster_balance(chain_id, &agent, user, nonce).map_err(failed)?;
        let url = format!("{}{path}", self.stack.aster);
        let (status, answer) = send(self.http.get(url)).await?;
        self.show(status, &answer);
        // The exchange returns "Only after deposit" only after it has verified the signature of a
        // registered key.
        if status.is_success() || answer["code"] == -5050 {
            Ok(())
        } else {
            Err(failed("Aster refused the key"))
        }
    }

    /// Shows the error for a refusal whose cause the caller can remove.
    async fn show_error(&self) -> Result<(), DemoError> {
        self.stack.hyperliquid_sim.require_deposit(true);
        let user = Some(json!({"userId": "user_456"}));
        self.call("Create another wallet.", "POST", "/api/wallets", user, 201).await?;
        let name = Some(json!({ "walletIdOrAddress": "user_456" }));
        let what = "Register the wallet at an exchange that requires a deposit.";
        let refused = self.call(what, "POST", "/api/trading/hyperliquid/apikey", name, 422).await?;
        if refused["code"] == "DEPOSIT_REQUIRED" { Ok(()) } else { Err(failed("another error")) }
    }
}

/// Returns a response without a delivered private key.
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
