//! The product's main job from beginning to end, as a client sees it, against a stack of its own.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use shared::api::ids::{Exchange, Tenant, WalletRef};
use shared::clock::Clock;
use shared::eth::AgentKey;
use shared::intent::HyperliquidChain;
use shared::store::CredentialRecord;

use crate::{Options, Stack, StartError, proof};

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
    options.ports = crate::Ports::default();
    let (chain, aster_chain) = (options.hyperliquid.chain, options.aster.agent_chain_id());
    let simulated = options.hyperliquid.url.is_none();
    let clock = options.clock.clone();
    let stack = Stack::start(options).await?;
    let demo = Demo { stack, http: client()?, clock, say };

    demo.call("GET", "/api/health", None, 200).await?;
    let wallet =
        demo.call("POST", "/api/wallets", Some(json!({"userId": "user_123"})), 201).await?;
    let name = json!({ "walletIdOrAddress": wallet["address"] });
    demo.call("POST", "/api/trading/aster/apikey", Some(name.clone()), 200).await?;
    let key = demo.call("POST", "/api/trading/hyperliquid/apikey", Some(name), 200).await?;
    demo.prove_hyperliquid(&key, chain).await?;
    demo.prove_aster(aster_chain).await?;
    if simulated {
        demo.show_error().await?;
    }
    say("\nAll of it worked: the delivered Hyperliquid key and the stored Aster key trade.");
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
        method: &str,
        path: &str,
        body: Option<Value>,
        status: u16,
    ) -> Result<Value, DemoError> {
        let shown = body.as_ref().map(Value::to_string).unwrap_or_default();
        (self.say)(&format!("\n> {method} {path} {shown}"));
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
        (self.say)(&format!("< {answered} {answer}"));
        if answered.as_u16() != status {
            return Err(failed(format!("{method} {path} answered {answered}, not {status}")));
        }
        Ok(answer)
    }

    /// An L1 action that does nothing, signed with the delivered key.
    async fn prove_hyperliquid(
        &self,
        registered: &Value,
        chain: HyperliquidChain,
    ) -> Result<(), DemoError> {
        let secret = registered["data"]["apiPrivateKey"].as_str();
        let Some(secret) = secret.and_then(|text| text.strip_prefix("0x")) else {
            (self.say)("\nThe key was not handed out, so it is not proved here.");
            return Ok(());
        };
        let secret = hex::decode(secret).map_err(|_| failed("the delivered key is not hex"))?;
        let agent = AgentKey::from_bytes(&secret).map_err(failed)?;
        let body = proof::hyperliquid_noop(chain, &agent, self.clock.now_ms()).map_err(failed)?;
        let url = format!("{}exchange", self.stack.hyperliquid);
        let request = self.http.post(url).header("content-type", "application/json").body(body);
        let (status, answer) = send(request).await?;
        (self.say)(&format!("\n> Hyperliquid: noop, signed by the agent {}", agent.address()));
        (self.say)(&format!("< {status} {answer}"));
        if answer["status"] == "ok" { Ok(()) } else { Err(failed("Hyperliquid refused the key")) }
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
        (self.say)(&format!("\n> Aster: balance, signed by the agent {}", agent.address()));
        let (user, nonce) = (view.wallet.address, self.clock.now_us());
        let path = proof::aster_balance(chain_id, &agent, user, nonce).map_err(failed)?;
        let url = format!("{}{path}", self.stack.aster);
        let (status, answer) = send(self.http.get(url)).await?;
        (self.say)(&format!("< {status} {answer}"));
        // "Only after deposit" is said to a key that is registered and has signed rightly.
        if status.is_success() || answer["code"] == -5050 {
            Ok(())
        } else {
            Err(failed("Aster refused the key"))
        }
    }

    /// What a caller sees when the exchange says no for a reason that can be mended.
    async fn show_error(&self) -> Result<(), DemoError> {
        (self.say)("\nAnd where the account has no deposit yet:");
        self.stack.hyperliquid_sim.require_deposit(true);
        self.call("POST", "/api/wallets", Some(json!({"userId": "user_456"})), 201).await?;
        let name = json!({ "walletIdOrAddress": "user_456" });
        let refused = self.call("POST", "/api/trading/hyperliquid/apikey", Some(name), 422).await?;
        if refused["code"] == "DEPOSIT_REQUIRED" { Ok(()) } else { Err(failed("another error")) }
    }
}

async fn send(request: reqwest::RequestBuilder) -> Result<(StatusCode, Value), DemoError> {
    let response = request.send().await.map_err(|error| failed(error.without_url()))?;
    let status = response.status();
    let text = response.text().await.map_err(|error| failed(error.without_url()))?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}
