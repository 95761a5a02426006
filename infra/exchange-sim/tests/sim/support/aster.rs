//! A client of the simulated Aster.

use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::Address;
use exchange_sim::aster::{
    Exchange, Network,
    signing::{Withdraw, call_chain_id, management_digest, message_digest, withdraw_digest},
};
use serde_json::Value;

use super::{Answer, Clock, DAY_MS, START, Wallet, send};

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) const REGISTER: &str = "/fapi/v3/registerAndApproveAgent";

/// A withdrawal.
#[derive(Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) chain_id: u64,
    pub(crate) asset: &'a str,
    pub(crate) amount: &'a str,
    pub(crate) fee: &'a str,
    pub(crate) receiver: Address,
}

/// An exchange, its clock, and a counter for nonces.
pub(crate) struct Aster {
    pub(crate) exchange: Exchange,
    pub(crate) clock: Clock,
    network: Network,
    nonces: AtomicU64,
}

impl Aster {
    pub(crate) fn new() -> Self {
        Self::of(Network::Mainnet, START)
    }

    pub(crate) fn of(network: Network, now: u64) -> Self {
        let clock = Clock::at(now);
        let exchange = Exchange::new(network, clock.reader());
        Self { exchange, clock, network, nonces: AtomicU64::new(0) }
    }

    /// Returns an unused nonce of the clock's time, in microseconds.
    pub(crate) fn nonce(&self) -> u64 {
        self.clock.now() * 1_000 + self.nonces.fetch_add(1, Ordering::SeqCst)
    }

    /// Returns an expiry that is late enough.
    pub(crate) fn in_a_month(&self) -> u64 {
        self.clock.now() + 30 * DAY_MS
    }

    pub(crate) async fn form(&self, method: &str, path: &str, body: &str) -> Answer {
        send(self.exchange.router(), method, path, Some((FORM, body.to_owned()))).await
    }

    pub(crate) async fn get(&self, path: &str, query: &str) -> Answer {
        send(self.exchange.router(), "GET", &format!("{path}?{query}"), None).await
    }

    /// Registers an agent for trading.
    pub(crate) async fn register(&self, user: &Wallet, name: &str, agent: Address) -> String {
        let text = self.registration(user, name, agent);
        self.register_text(user, &text).await
    }

    /// Returns the text to sign for a registration.
    pub(crate) fn registration(&self, user: &Wallet, name: &str, agent: Address) -> String {
        let (user, nonce, expired) = (user.address(), self.nonce(), self.in_a_month());
        format!(
            "user={user}&nonce={nonce}&agentName={name}&agentAddress={agent}&expired={expired}\
             &signatureChainId=56&canSpotTrade=true&canPerpTrade=true&canWithdraw=false"
        )
    }

    /// Signs a text, and sends it as the registration.
    pub(crate) async fn register_text(&self, user: &Wallet, text: &str) -> String {
        let signature = sign_text(user, 56, text);
        said(&self.form("POST", REGISTER, &format!("{text}&signature={signature}")).await)
    }

    /// Signs parameters as typed data, and sends them.
    pub(crate) async fn manage(
        &self,
        user: &Wallet,
        (method, path, primary_type): (&str, &str, &str),
        parameters: &[(&str, String)],
    ) -> String {
        let pairs = parameters.iter().map(|(name, value)| (*name, value.as_str()));
        let digest = management_digest(56, primary_type, pairs).unwrap();
        let signature = format!("0x{}", hex::encode(user.sign(digest)));
        let mut body = String::new();
        for (name, value) in parameters {
            body += &format!("{name}={value}&");
        }
        body += &format!("signature={signature}&signatureChainId=56");
        said(&self.form(method, path, &body).await)
    }

    /// Returns a withdrawal with both signatures, and the nonce of the withdrawal itself.
    pub(crate) fn withdrawal(&self, user: &Wallet, wanted: &Wanted<'_>) -> (String, u64) {
        let nonce = self.nonce();
        (self.wrapped(user, user, (wanted, nonce)), nonce)
    }

    /// Wraps a withdrawal with this nonce into a new request, signed by `signer`.
    pub(crate) fn wrapped(
        &self,
        user: &Wallet,
        signer: &Wallet,
        (wanted, user_nonce): (&Wanted<'_>, u64),
    ) -> String {
        let Wanted { chain_id, asset, amount, fee, receiver } = *wanted;
        let action = Withdraw {
            domain: chain_id,
            chain_id,
            destination: receiver,
            token: asset,
            amount,
            fee,
            nonce: user_nonce,
        };
        let digest = withdraw_digest(self.network, &action).unwrap();
        let signature = format!("0x{}", hex::encode(user.sign(digest)));
        let text = format!(
            "nonce={}&user={}&signer={}&chainId={chain_id}&asset={asset}&amount={amount}&fee={fee}\
             &receiver={receiver}&userNonce={user_nonce}&userSignature={signature}",
            self.nonce(),
            user.address(),
            signer.address(),
        );
        let outer = sign_text(signer, call_chain_id(self.network), &text);
        format!("{text}&signature={outer}")
    }

    /// Sends a `POST` signed by a wallet or an agent, with a new nonce.
    pub(crate) async fn post_call(&self, path: &str, user: Address, signer: &Wallet) -> Answer {
        let text = format!("nonce={}&user={user}&signer={}", self.nonce(), signer.address());
        let signature = sign_text(signer, call_chain_id(self.network), &text);
        self.form("POST", path, &format!("{text}&signature={signature}")).await
    }

    /// Sends a call signed by an agent, with a new nonce.
    pub(crate) async fn call(&self, path: &str, user: Address, agent: &Wallet) -> Answer {
        let text = format!("nonce={}&user={user}&signer={}", self.nonce(), agent.address());
        self.call_text(path, agent, &text).await
    }

    pub(crate) async fn call_text(&self, path: &str, agent: &Wallet, text: &str) -> Answer {
        let signature = sign_text(agent, call_chain_id(self.network), text);
        self.get(path, &format!("{text}&signature={signature}")).await
    }
}

pub(crate) fn sign_text(wallet: &Wallet, chain_id: u64, text: &str) -> String {
    format!("0x{}", hex::encode(wallet.sign(message_digest(chain_id, text).unwrap())))
}

/// Returns the code and message of a response, such as `-1000 Illegal agentName`.
pub(crate) fn said(answer: &Answer) -> String {
    let json: Value = answer.json();
    let expected = if json["code"] == 200 || json.is_array() { 200 } else { 400 };
    assert_eq!(answer.status, expected, "{}", answer.body);
    format!("{} {}", json["code"], json["msg"].as_str().unwrap_or_default())
}
