//! Attacks on payments by a compromised endpoint that uses all of its rights with the cosigner, and
//! sends what it gets to the exchanges and the chains itself. Attacks on the cosigner alone are in
//! `infra/cloud/tests/payments`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod approvals;

use dkls23_secp256k1::protocols::signing::Broadcast3to4;
use domain::eth::{Digest, Signature};
use domain::intent::HyperliquidChain;
use domain::money::{
    AccountType, AsterWithdraw, Chains, Dex, EvmFee, EvmToken, EvmTokenTransfer, Form,
    HyperliquidMoveOwn, HyperliquidSendAsset, HyperliquidWithdraw, Nonces, Payment, Route, Sent,
};
use domain::random::Random;
use e2e::attacker::Attacker;
use e2e::payments::{Approvers, BSC, TREASURY};
use exchange_sim::Address;
use protocol::{
    Answer, Call, Curve, FinishPayment, FinishSign, PaymentOrder, PaymentPrepared, PaymentRefusal,
    PreparePayment, Refusal, SessionId, StartPayment, party_2, sign_data,
};
use serde_json::json;
use shared::mpc::CosignerError;

const USDC: &str = "USDC:0x6d1e7cde53ba9467b783cb7c530ce054";
const STRANGER: &str = "0x00000000000000000000000000000000000000aa";

/// A compromised endpoint with money at every place.
struct Scene {
    attacker: Attacker,
    approvers: Approvers,
    address: Address,
}

impl Scene {
    /// Opens a scene whose tenant may pay 100 of each asset.
    async fn open() -> Self {
        let approvers = Approvers::new();
        let attacker = Attacker::with(|options| approvers.install(options)).await;
        let app = &attacker.app;
        approvers.allow(app, "100", None).await;
        let address: Address = attacker.share.address().to_string().parse().unwrap();
        assert!(app.stack.hyperliquid_sim.deposit_amount(address, "", "1000"));
        assert!(app.stack.hyperliquid_sim.deposit_amount(address, "spot", "1000"));
        assert!(app.stack.aster_sim.deposit_amount(address, "1000"));
        assert!(app.stack.chains_sim.fund(BSC, address, "native", "1"));
        assert!(app.stack.chains_sim.fund(BSC, address, "USDT", "1000"));
        Self { attacker, approvers, address }
    }

    async fn call(&self, session: SessionId, call: Call) -> Result<Answer, Refusal> {
        match self.attacker.cosigner.call(&self.attacker.key, session, call).await {
            Ok(answer) => Ok(answer),
            Err(CosignerError::Refused(refusal)) => Err(refusal),
            Err(other) => panic!("expected a typed refusal: {other}"),
        }
    }

    async fn prepare(&self, order: &PaymentOrder) -> Result<PaymentPrepared, Refusal> {
        let prepare = PreparePayment { order: order.clone(), dry_run: false };
        match self.call([1; 32], Call::PreparePayment(prepare)).await? {
            Answer::PaymentPrepared(prepared) => Ok(prepared),
            _ => panic!("expected a prepared payment"),
        }
    }

    fn form<'a>(&self, payment: &'a Payment, nonces: Nonces) -> Form<'a> {
        let main = HyperliquidChain::Mainnet;
        let chains = Chains { hyperliquid: main, aster: main };
        Form { payment, wallet: self.attacker.share.address(), chains, nonces }
    }

    /// Runs a signing session of a payment for a digest, which need not be the payment's own.
    async fn sign(
        &self,
        order: &PaymentOrder,
        (nonces, step): (Nonces, u8),
        digest: Digest,
    ) -> Result<(), Refusal> {
        let session: SessionId = Random::system().bytes().unwrap();
        let data = sign_data(&self.attacker.key, session, party_2(), digest);
        let party = self.attacker.share.party();
        let (unique, kept, mut phase_1) = party.sign_phase1(&data).unwrap();
        let message = phase_1.remove(0);
        let start = StartPayment { order: order.clone(), nonces, step, message };
        let answer = self.call(session, Call::StartPayment(start)).await?;
        let Answer::SignAnswered(answered) = answer else { panic!("expected call 1") };
        let (unique, kept, mut phase_2) =
            party.sign_phase2(&data, unique, kept, &[answered.phase_1]).unwrap();
        let (_, share): (_, Broadcast3to4<Curve>) =
            party.sign_phase3(&data, unique, kept, &[answered.phase_2]).unwrap();
        let finish = FinishSign { message: phase_2.remove(0), share, kept: answered.kept };
        let finish = FinishPayment { id: order.id.clone(), step, finish };
        self.call(session, Call::FinishPayment(finish)).await.map(drop)
    }

    /// Signs a payment with all of its steps, and returns the bytes to send.
    async fn pay(&self, order: &PaymentOrder) -> Result<Sent, Refusal> {
        loop {
            let PaymentPrepared { nonces, signatures, .. } = self.prepare(order).await?;
            let form = self.form(&order.payment, nonces);
            let Some(digest) = form.digest(&signatures) else {
                return Ok(form.sent(&signatures).unwrap());
            };
            let step = u8::try_from(signatures.len()).unwrap();
            self.sign(order, (nonces, step), digest).await?;
        }
    }

    /// Sends bytes to an exchange or a chain. Returns its response.
    async fn send(&self, sent: &Sent) -> String {
        let stack = &self.attacker.app.stack;
        let app = &self.attacker.app;
        let request = match sent {
            Sent::Hyperliquid(body) => {
                let url = stack.hyperliquid.join("exchange").unwrap();
                app.request_to(url.as_str())
                    .header("content-type", "application/json")
                    .body(body.clone())
            }
            Sent::Aster(body, _) => {
                let url = stack.aster.join("fapi/v3/aster/user-withdraw").unwrap();
                app.request_to(url.as_str())
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(body.clone())
            }
            Sent::Evm { raw, .. } => {
                let url = stack.chains.join(&BSC.to_string()).unwrap();
                let body = json!({
                    "jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [format!("0x{}", hex::encode(raw))],
                });
                app.request_to(url.as_str()).json(&body)
            }
        };
        app.send_unchecked(request).await.body.to_string()
    }
}

fn order(id: &str, payment: Payment) -> PaymentOrder {
    let id = id.parse().unwrap();
    PaymentOrder { id, payment, approvals: Vec::new(), not_after_s: 0 }
}

fn withdraw(destination: &str, amount: &str) -> Payment {
    Payment::HyperliquidWithdraw(HyperliquidWithdraw {
        destination: destination.parse().unwrap(),
        amount: amount.parse().unwrap(),
        route: Route::Bridge,
        max_fee: "1".parse().unwrap(),
    })
}

fn send(destination: &str, amount: &str) -> Payment {
    Payment::HyperliquidSendAsset(HyperliquidSendAsset {
        destination: destination.parse().unwrap(),
        token: USDC.to_owned().try_into().unwrap(),
        amount: amount.parse().unwrap(),
        source: Dex::spot(),
        target: Dex::spot(),
        standard: false,
    })
}

fn aster(amount: &str, fee: &str) -> Payment {
    Payment::AsterWithdraw(AsterWithdraw {
        chain_id: BSC,
        asset: "USDT".to_owned(),
        amount: amount.parse().unwrap(),
        fee: fee.parse().unwrap(),
        account_type: AccountType::Perp,
    })
}

fn transfer(destination: &str, amount: &str, account_nonce: u64) -> Payment {
    Payment::EvmTokenTransfer(EvmTokenTransfer {
        chain_id: BSC,
        token: EvmToken::Erc20 {
            symbol: "USDT".to_owned(),
            contract: "0x55d398326f99059ff775485246999027b3197955".parse().unwrap(),
            decimals: 18,
        },
        destination: destination.parse().unwrap(),
        amount: amount.parse().unwrap(),
        gas_limit: 100_000,
        fee: EvmFee::Dynamic {
            max_fee_per_gas: 1_000_000_000,
            max_priority_fee_per_gas: 100_000_000,
        },
        account_nonce,
    })
}

fn payment_refusal(refusal: Refusal) -> PaymentRefusal {
    match refusal {
        Refusal::Payment(refusal) => refusal,
        other => panic!("expected a refusal of the payment: {other:?}"),
    }
}

/// Sums of what a stranger has at every place.
fn stolen(scene: &Scene) -> Vec<String> {
    let stack = &scene.attacker.app.stack;
    let stranger: Address = STRANGER.parse().unwrap();
    let mut has: Vec<String> = [(BSC, "USDT"), (BSC, "native"), (42_161, "USDC")]
        .into_iter()
        .map(|(chain, asset)| stack.chains_sim.balance_of(chain, stranger, asset))
        .collect();
    has.push(stack.hyperliquid_sim.payments(stranger).len().to_string());
    has
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_to_a_stranger_are_not_signed() {
    let scene = Scene::open().await;
    let payments = [
        withdraw(STRANGER, "20"),
        send(STRANGER, "20"),
        transfer(STRANGER, "20", 0),
        // The treasury is listed, but not for this chain or as a system address.
        send("0x2000000000000000000000000000000000000000", "20"),
        send("0x2222222222222222222222222222222222222222", "20"),
    ];
    for (nth, payment) in payments.into_iter().enumerate() {
        let refused = scene.pay(&order(&format!("p{nth}"), payment.clone())).await.unwrap_err();
        let refusal = payment_refusal(refused);
        let refused = matches!(
            refusal,
            PaymentRefusal::DestinationNotAllowed | PaymentRefusal::NotAllowed(_)
        );
        assert!(refused, "{payment:?}: {refusal:?}");
    }
    scene.attacker.app.clock.advance_ms(60_000);
    assert_eq!(stolen(&scene), ["0", "0", "0", "0"]);
    scene.attacker.still_signs().await;
}

/// The endpoint runs the protocol for the digest of another payment than it names.
#[tokio::test(flavor = "multi_thread")]
async fn digest_of_another_payment_is_not_signed() {
    let scene = Scene::open().await;
    let named = order("named", withdraw(TREASURY, "20"));
    let prepared = scene.prepare(&named).await.unwrap();
    let wanted = withdraw(STRANGER, "90");
    let digest = scene.form(&wanted, prepared.nonces).digest(&[]).unwrap();
    let refused = scene.sign(&named, (prepared.nonces, 0), digest).await.unwrap_err();
    assert!(matches!(refused, Refusal::Aborted(_)), "{refused:?}");
    assert_eq!(stolen(&scene), ["0", "0", "0", "0"]);
}

/// One payment has one set of bytes: sent 10 times, it pays once.
#[tokio::test(flavor = "multi_thread")]
async fn signed_bytes_pay_once_however_often_they_are_sent() {
    let scene = Scene::open().await;
    let app = &scene.attacker.app;
    let treasury: Address = TREASURY.parse().unwrap();
    for (id, payment) in [
        ("a", withdraw(TREASURY, "20")),
        ("b", aster("20", "0.11")),
        ("c", transfer(TREASURY, "20", 0)),
    ] {
        let order = order(id, payment);
        let sent = scene.pay(&order).await.unwrap();
        for _ in 0..10 {
            scene.send(&sent).await;
            assert_eq!(scene.pay(&order).await.unwrap(), sent, "{id}");
        }
    }
    app.clock.advance_ms(60_000);
    let chains = &app.stack.chains_sim;
    assert_eq!(chains.balance_of(42_161, treasury, "USDC"), "19");
    assert_eq!(chains.balance_of(BSC, treasury, "USDT"), "20");
    assert_eq!(app.stack.aster_sim.payments(scene.address).len(), 1);
}

/// Aster pays every request around the same withdrawal, so the cosigner signs one request only.
#[tokio::test(flavor = "multi_thread")]
async fn second_wrapper_around_a_withdrawal_is_not_signed() {
    let scene = Scene::open().await;
    let app = &scene.attacker.app;
    let order = order("one", aster("20", "0.11"));
    let first = scene.pay(&order).await.unwrap();
    scene.send(&first).await;
    let prepared = scene.prepare(&order).await.unwrap();
    let Nonces::Aster(call, action) = prepared.nonces else { panic!("{:?}", prepared.nonces) };
    let signed: Vec<Signature> = prepared.signatures.clone();
    // Other nonces of the request around it, and the same step again.
    for nonces in [Nonces::Aster(call + 1_000, action), Nonces::Aster(call, action)] {
        let form = scene.form(&order.payment, nonces);
        let digest = form.digest(&signed[..1]).unwrap();
        let refused = scene.sign(&order, (nonces, 1), digest).await;
        assert!(refused.is_err(), "{nonces:?}");
    }
    assert_eq!(app.stack.aster_sim.payments(scene.address).len(), 1);
}

/// Payments signed before a freeze count for as long as the exchange accepts them, and a freeze
/// stops new ones.
#[tokio::test(flavor = "multi_thread")]
async fn stockpile_of_signed_payments_stays_within_the_limit() {
    let scene = Scene::open().await;
    let app = &scene.attacker.app;
    let mut pile = Vec::new();
    for nth in 0..40 {
        match scene.pay(&order(&format!("p{nth}"), withdraw(TREASURY, "29"))).await {
            Ok(sent) => pile.push(sent),
            Err(refusal) => {
                let refusal = payment_refusal(refusal);
                assert!(matches!(refusal, PaymentRefusal::LimitExceeded { .. }), "{refusal:?}");
            }
        }
        app.clock.advance_ms(60 * 60 * 1_000);
    }
    // With its fee, each takes 30 of 100.
    assert_eq!(pile.len(), 3);
    scene.approvers.change(app, &json!({ "type": "freeze" }), &[1]).await.unwrap();
    let refused = scene.pay(&order("late", withdraw(TREASURY, "5"))).await.unwrap_err();
    assert_eq!(payment_refusal(refused), PaymentRefusal::Frozen);
    for sent in &pile {
        scene.send(sent).await;
    }
    app.clock.advance_ms(60_000);
    let arrived = app.stack.chains_sim.balance_of(42_161, TREASURY.parse().unwrap(), "USDC");
    assert_eq!(arrived, "84");
}

/// The fee is money: an inflated one is refused, or counts.
#[tokio::test(flavor = "multi_thread")]
async fn inflated_fees_do_not_burn_the_balance() {
    let scene = Scene::open().await;
    let refused = scene.pay(&order("fee", aster("20", "19"))).await.unwrap_err();
    let refusal = payment_refusal(refused);
    assert!(matches!(refusal, PaymentRefusal::FeeTooHigh { .. }), "{refusal:?}");
    let mut burn = transfer(TREASURY, "1", 0);
    if let Payment::EvmTokenTransfer(transfer) = &mut burn {
        transfer.gas_limit = 30_000_000;
        transfer.fee = EvmFee::Dynamic {
            max_fee_per_gas: 900_000_000_000_000,
            max_priority_fee_per_gas: 900_000_000_000_000,
        };
    }
    assert!(scene.pay(&order("gas", burn)).await.is_err());
    let own = Payment::HyperliquidMoveOwn(HyperliquidMoveOwn {
        token: USDC.to_owned().try_into().unwrap(),
        amount: "10".parse().unwrap(),
        from: Dex::perps(),
        to: Dex::spot(),
        standard: true,
    });
    // A move between own balances burns nothing.
    let sent = scene.pay(&order("own", own)).await.unwrap();
    scene.send(&sent).await;
    assert_eq!(scene.attacker.app.stack.hyperliquid_sim.payments(scene.address).len(), 1);
}

/// Two transactions with one account nonce: only one is signed.
#[tokio::test(flavor = "multi_thread")]
async fn account_nonce_is_signed_for_one_content_only() {
    let scene = Scene::open().await;
    let first = scene.pay(&order("one", transfer(TREASURY, "20", 0))).await.unwrap();
    let refused = scene.pay(&order("two", transfer(TREASURY, "30", 0))).await.unwrap_err();
    let refusal = payment_refusal(refused);
    assert!(matches!(refusal, PaymentRefusal::AccountNonceTaken { .. }), "{refusal:?}");
    scene.send(&first).await;
    let treasury = TREASURY.parse().unwrap();
    let arrived = scene.attacker.app.stack.chains_sim.balance_of(BSC, treasury, "USDT");
    assert_eq!(arrived, "20");
}
