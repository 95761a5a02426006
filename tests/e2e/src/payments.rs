//! A tenant's approvers, its policy of payments, and what became of the payments at the simulators.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod counted;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use domain::ids::Tenant;
use domain::policy::{
    Approval, Change, ChangeRecord, PolicyState, Proposal, Quorum, Signature, change_text,
};
use exchange_sim::Address;
use exchange_sim::chain::ChainTransaction;
use exchange_sim::steer::Payment;
use http::Method;
use hyperdex_local::Options;
use protocol::{Answer, Call, OpenPayment, PolicyAnswer, PolicyCall, Refusal, WalletKey};
use serde_json::{Value, json};
use shared::aws::LambdaClient;
use shared::mpc::{CosignerClient, CosignerError};

use crate::{Reply, TestApp};
pub use counted::{Counted, Rise, Withdrawal};

/// The delay of loosening changes, in seconds.
pub const DELAY_S: u64 = 3_600;

/// The listed destination.
pub const TREASURY: &str = "0x5e9ee1089755c3435139848e47e6635505d5a13a";

/// Arbitrum.
pub const ARBITRUM: u64 = 42_161;

/// BNB Smart Chain.
pub const BSC: u64 = 56;

/// The assets of the tests.
const ASSETS: [&str; 6] = [
    "hyperliquid/USDC",
    "aster/USDT",
    "evm:42161/USDC",
    "evm:42161/native",
    "evm:56/USDT",
    "evm:56/native",
];

/// The keys of a tenant's approvers. Two of the three must sign a change that loosens the policy.
pub struct Approvers([EcdsaKeyPair; 3]);

/// Omits the keys.
impl std::fmt::Debug for Approvers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Approvers")
    }
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];

impl Default for Approvers {
    fn default() -> Self {
        Self::new()
    }
}

impl Approvers {
    /// Draws new keys.
    #[must_use]
    pub fn new() -> Self {
        let draw = || {
            let random = SystemRandom::new();
            let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, made.unwrap().as_ref())
                .unwrap()
        };
        Self([draw(), draw(), draw()])
    }

    /// Sets the cosigner's policy document of a stack: these approvers, and no limits of signatures.
    pub fn install(&self, options: &mut Options) {
        let built_in = include_str!("../../../infra/cosigner-policy.json");
        let mut document: Value = serde_json::from_str(built_in).unwrap();
        let none = json!({ "perMinute": 0, "perDay": 0 });
        document["limits"] = json!({ "wallet": none, "tenant": none });
        let approvers: Vec<Value> = (0..3).map(|place| self.approver(place)).collect();
        document["policyChain"] = json!({
            "firstAuthority": { "threshold": 2, "approvers": approvers },
            "delaySeconds": DELAY_S,
            "minDelaySeconds": DELAY_S,
        });
        options.cosigner_policy = Some(document.to_string());
    }

    /// Returns an approver as the policy states it.
    #[must_use]
    pub fn approver(&self, place: usize) -> Value {
        let point = hex::encode(self.0[place].public_key().as_ref());
        json!({ "id": NAMES[place], "publicKey": point })
    }

    /// Signs a text.
    #[must_use]
    pub fn sign(&self, place: usize, text: &str) -> Approval {
        let signature = self.0[place].sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        let signature = Signature::Der(hex::encode(signature.as_ref()));
        Approval { approver: NAMES[place].to_owned(), signature }
    }

    /// Proposes a change that these approvers have signed, as the tenant `local`.
    ///
    /// # Errors
    /// Returns the cosigner's refusal.
    pub async fn change(
        &self,
        app: &TestApp,
        change: &Value,
        signers: &[usize],
    ) -> Result<ChangeRecord, Refusal> {
        let proposal = self.proposal(app, change, signers).await;
        propose(app, proposal).await
    }

    /// Returns a proposal for the next place in the chain.
    pub async fn proposal(&self, app: &TestApp, change: &Value, signers: &[usize]) -> Proposal {
        let change = Change::parse(&change.to_string()).unwrap();
        let state = policy(app).await;
        let (seq, prev_hash) = (state.seq + 1, state.head_hash);
        let not_after_s = app.clock.now_ms() / 1_000 + 3_600;
        let tenant = Tenant::local();
        let text = change_text(&state.chain_id, &tenant, seq, &prev_hash, &change, not_after_s);
        let approvals = signers.iter().map(|place| self.sign(*place, &text)).collect();
        Proposal { seq, prev_hash, change, not_after_s, quorum: Quorum::Tenant, approvals }
    }

    /// Lists [`TREASURY`] at every venue, and limits each asset: `amount` of a wallet and of the
    /// tenant, and approvals above `approve_above`. Waits until it is in effect.
    pub async fn allow(&self, app: &TestApp, amount: &str, approve_above: Option<&str>) {
        let treasury = |venue: &str, assets: &[&str]| {
            json!({ "type": "addDestination", "destination": {
                "venue": venue, "address": TREASURY, "assets": assets, "label": "Treasury",
            }})
        };
        let changes = [
            treasury("hyperliquid", &["hyperliquid/USDC"]),
            treasury("evm:42161", &["evm:42161/USDC", "evm:42161/native"]),
            treasury("evm:56", &["evm:56/USDT", "evm:56/native"]),
        ];
        let limits = ASSETS.map(|asset| limit(asset, amount, approve_above));
        for (nth, change) in changes.into_iter().chain(limits).enumerate() {
            // At most eight changes wait at once.
            if nth % 4 == 3 {
                app.clock.advance_ms(DELAY_S * 1_000);
            }
            self.change(app, &change, &[0, 1]).await.unwrap();
        }
        app.clock.advance_ms(DELAY_S * 1_000);
    }
}

/// Returns a change that sets the limits of an asset.
#[must_use]
pub fn limit(asset: &str, amount: &str, approve_above: Option<&str>) -> Value {
    let cap = json!({ "amount": amount, "payments": 100_000 });
    let mut limit = json!({ "asset": asset, "wallet": cap, "tenant": cap });
    if let Some(above) = approve_above {
        limit["approveAbove"] = above.into();
    }
    json!({ "type": "setLimit", "limit": limit })
}

fn client(app: &TestApp) -> CosignerClient {
    CosignerClient::new(LambdaClient::new(&app.stack.aws()), "cosigner", "test")
}

/// Sends a proposal to the cosigner.
///
/// # Errors
/// Returns the cosigner's refusal.
pub async fn propose(app: &TestApp, proposal: Proposal) -> Result<ChangeRecord, Refusal> {
    let key = WalletKey::of_tenant(Tenant::local());
    let call = Call::Policy(PolicyCall::Propose(proposal));
    match client(app).call(&key, [0; 32], call).await {
        Ok(Answer::Policy(PolicyAnswer::Change(record))) => Ok(record),
        Err(CosignerError::Refused(refusal)) => Err(refusal),
        Ok(_) => panic!("expected a change"),
        Err(other) => panic!("expected a typed refusal: {other}"),
    }
}

/// Returns the policy of the tenant `local`.
pub async fn policy(app: &TestApp) -> PolicyState {
    let key = WalletKey::of_tenant(Tenant::local());
    let call = Call::Policy(PolicyCall::Show);
    match client(app).call(&key, [0; 32], call).await.unwrap() {
        Answer::Policy(PolicyAnswer::State(state)) => state,
        _ => panic!("expected the policy"),
    }
}

/// Returns all counted payments of the tenant `local`, the newest first.
pub async fn counted(app: &TestApp) -> Vec<OpenPayment> {
    let key = WalletKey::of_tenant(Tenant::local());
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let call = Call::ListPayments { from };
        match client(app).call(&key, [0; 32], call).await.unwrap() {
            Answer::OpenPayments(page) => {
                all.extend(page.payments);
                if page.next.is_none() {
                    return all;
                }
                from = page.next;
            }
            _ => panic!("expected a list"),
        }
    }
}

/// The exchange or the chain of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Withdrawals from Hyperliquid.
    Hyperliquid,
    /// Sends at Hyperliquid to a listed account.
    HyperliquidSend,
    /// Moves between own balances at Hyperliquid.
    HyperliquidOwn,
    /// Withdrawals from Aster.
    Aster,
    /// Transfers of tokens on a chain.
    Chain,
}

impl Place {
    /// All places.
    pub const ALL: [Self; 5] =
        [Self::Hyperliquid, Self::HyperliquidSend, Self::HyperliquidOwn, Self::Aster, Self::Chain];

    /// Returns the `Idempotency-Key` of a test's payment. The payments of one exchange share a space
    /// of keys.
    #[must_use]
    pub fn key(self, key: &str) -> String {
        format!("{self:?}-{key}")
    }

    /// Returns the path of a new payment.
    #[must_use]
    pub fn path(self, user: &str) -> String {
        match self {
            Self::Hyperliquid => "/api/trading/hyperliquid/withdraw".to_owned(),
            Self::HyperliquidSend | Self::HyperliquidOwn => {
                "/api/trading/hyperliquid/transfer".to_owned()
            }
            Self::Aster => "/api/trading/aster/withdraw".to_owned(),
            Self::Chain => format!("/api/wallets/{user}/transfers"),
        }
    }

    /// Returns the body of a payment.
    #[must_use]
    pub fn body(self, user: &str, amount: &str) -> Value {
        let mut body = match self {
            Self::Hyperliquid => json!({ "destination": TREASURY, "amount": amount }),
            Self::HyperliquidSend => {
                json!({ "destination": TREASURY, "amount": amount, "from": "perp", "to": "perp" })
            }
            Self::HyperliquidOwn => json!({ "amount": amount, "from": "perp", "to": "spot" }),
            Self::Aster => json!({ "chainId": BSC, "asset": "USDT", "amount": amount }),
            Self::Chain => {
                json!({ "chainId": BSC, "asset": "USDT", "destination": TREASURY, "amount": amount })
            }
        };
        if self != Self::Chain {
            body["walletIdOrAddress"] = user.into();
        }
        body
    }

    /// Returns the path of a payment's state.
    #[must_use]
    pub fn state_path(self, user: &str, id: &str) -> String {
        match self {
            Self::Chain => format!("/api/wallets/{user}/transfers/{id}"),
            Self::Aster => {
                format!("/api/trading/aster/transfers/{id}?walletIdOrAddress={user}")
            }
            _ => format!("/api/trading/hyperliquid/transfers/{id}?walletIdOrAddress={user}"),
        }
    }

    /// Returns the name of the call that sends a payment, as the proxy counts it.
    #[must_use]
    pub const fn sends(self) -> &'static str {
        match self {
            Self::Hyperliquid => "Hyperliquid.sendToEvmWithData",
            Self::HyperliquidSend | Self::HyperliquidOwn => "Hyperliquid.sendAsset",
            Self::Aster => "Aster.POST user-withdraw",
            Self::Chain => "Chain.eth_sendRawTransaction",
        }
    }
}

/// A wallet with money at every place, which its tenant may pay.
#[derive(Debug)]
pub struct Till {
    /// The wallet's user.
    pub user: String,
    /// The wallet's address.
    pub address: Address,
}

impl Till {
    /// Creates a user's wallet with 1,000,000 of everything, and an agent at Aster.
    pub async fn open(app: &TestApp, user: &str) -> Self {
        let wallet = app.wallet(user).await;
        let address: Address = wallet.text("/address").parse().unwrap();
        let stack = &app.stack;
        assert!(stack.hyperliquid_sim.deposit_amount(address, "", "1000000"));
        assert!(stack.hyperliquid_sim.deposit_amount(address, "spot", "1000000"));
        assert!(stack.aster_sim.deposit_amount(address, "1000000"));
        for chain in [ARBITRUM, BSC] {
            for asset in ["native", "USDT", "USDC"] {
                assert!(stack.chains_sim.fund(chain, address, asset, "1000000"));
            }
        }
        // A payee that exists costs no activation.
        let treasury = TREASURY.parse().unwrap();
        assert!(stack.hyperliquid_sim.deposit_amount(treasury, "", "1"));
        assert_eq!(app.register("aster", user).await.status, 200);
        Self { user: user.to_owned(), address }
    }

    /// Requests a payment.
    pub async fn pay(&self, app: &TestApp, place: Place, key: &str, amount: &str) -> Reply {
        self.pay_with(app, place, key, &place.body(&self.user, amount)).await
    }

    /// Requests a payment with this body.
    pub async fn pay_with(&self, app: &TestApp, place: Place, key: &str, body: &Value) -> Reply {
        let request = app.request(Method::POST, &place.path(&self.user)).json(body);
        app.send(request.header("idempotency-key", place.key(key))).await
    }

    /// Reads a payment's state.
    pub async fn state(&self, app: &TestApp, place: Place, id: &str) -> Reply {
        app.get(&place.state_path(&self.user, id)).await
    }

    /// Returns the payments of an amount that left the wallet, as the exchange or the chain has
    /// executed them.
    #[must_use]
    pub fn executed(&self, app: &TestApp, place: Place, amount: &str) -> usize {
        let of_amount = |payments: Vec<Payment>| {
            let own = payments.iter().filter(|payment| payment.nonce.is_some());
            own.filter(|payment| payment.amount == amount).count()
        };
        match place {
            Place::Hyperliquid | Place::HyperliquidSend | Place::HyperliquidOwn => {
                of_amount(app.stack.hyperliquid_sim.payments(self.address))
            }
            Place::Aster => of_amount(app.stack.aster_sim.payments(self.address)),
            Place::Chain => {
                let units = wei(amount);
                let sent = app.stack.chains_sim.transactions_of(BSC, self.address);
                let done = sent.iter().filter(|it| it.success == Some(true));
                let pays = |it: &&ChainTransaction| {
                    it.data.ends_with(&units) || it.value.to_be_bytes::<32>().ends_with(&units)
                };
                done.filter(pays).count()
            }
        }
    }

    /// Returns the number of payments that the exchange or the chain has executed.
    #[must_use]
    pub fn total(&self, app: &TestApp, place: Place) -> usize {
        let own = |payments: Vec<Payment>| payments.iter().filter(|it| it.nonce.is_some()).count();
        match place {
            Place::Aster => own(app.stack.aster_sim.payments(self.address)),
            Place::Chain => app.stack.chains_sim.transactions_of(BSC, self.address).len(),
            _ => own(app.stack.hyperliquid_sim.payments(self.address)),
        }
    }
}

/// Returns an amount with at most 18 decimals as 16 bytes.
fn wei(amount: &str) -> [u8; 16] {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{fraction:0<18}").parse::<u128>().unwrap().to_be_bytes()
}
