//! A cosigner with its table and key, a wallet, and the approvers of its tenant.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use cosigner::Setting;
use dkls23_secp256k1::protocols::signing::Broadcast3to4;
use domain::clock::Clock;
use domain::eth::{Address, Digest, Signature};
use domain::intent::HyperliquidChain;
use domain::money::{Chains, Form, Nonces, Sent};
use domain::policy::{
    Approval, Change, PolicyState, Proposal, Quorum, Signature as Approved, change_text,
    payment_text,
};
use domain::random::Random;
use hyperdex_cloud::cosigner::{CosignerSettings, in_process};
use hyperdex_cloud::dynamodb;
use hyperdex_cloud::kms::{self, Kms};
use hyperdex_cloud::names::{COSIGNER_KEY, COSIGNER_TABLE, SEALS_TABLE};
use hyperdex_listen::Stop;
use platform::aws::Aws;
use protocol::recovery::RecoveryKeys;
use protocol::{
    Answer, Call, Curve, FinishPayment, FinishSign, KeyShare, OpenPayments, PaymentOrder,
    PaymentPrepared, PaymentRefusal, PolicyAnswer, PolicyCall, PreparePayment, Refusal, SessionId,
    StartPayment, WalletKey, party_2, sign_data,
};
use serde_json::{Value, json};
use shared::aws::LambdaClient;
use shared::mpc::{CosignerClient, CosignerError, generate};
use tempfile::TempDir;
use tokio::sync::watch;
use uuid::Uuid;

/// The time at which a stack starts. It is in the future, so that the table's own sweep of expired
/// items drops none.
pub(crate) const NOW_MS: u64 = 4_000_000_000_000;

pub(crate) const HOUR_MS: u64 = 60 * 60 * 1_000;

/// The delay of loosening changes, in seconds.
const DELAY_S: u64 = 3_600;

/// The listed destination.
pub(crate) const TREASURY: &str = "0x5e9ee1089755c3435139848e47e6635505d5a13a";

pub(crate) const USDC: &str = "USDC:0x6d1e7cde53ba9467b783cb7c530ce054";

/// An approver's key.
pub(crate) struct Approver {
    id: &'static str,
    key: EcdsaKeyPair,
}

impl Approver {
    fn new(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, made.as_ref()).unwrap();
        Self { id, key }
    }

    pub(crate) fn sign(&self, text: &str) -> Approval {
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        let signature = Approved::Der(hex::encode(signature.as_ref()));
        Approval { approver: self.id.to_owned(), signature }
    }
}

/// Writes the first seal, without which payments stop after two days.
async fn put_first_seal(db: &Client) {
    for (table, sort) in [(COSIGNER_TABLE, "seal#000000000001"), (SEALS_TABLE, "newest")] {
        let put = db.put_item().table_name(table);
        let put = put.item("pk", AttributeValue::S("seals".to_owned()));
        let put = put.item("sk", AttributeValue::S(sort.to_owned()));
        let put = put.item("number", AttributeValue::N("1".to_owned()));
        put.item("hash", AttributeValue::S("aa".to_owned())).send().await.unwrap();
    }
}

/// A session after call 1.
pub(crate) struct Opened {
    pub(crate) session: SessionId,
    pub(crate) step: u8,
    finish: FinishSign,
}

pub(crate) struct Stack {
    pub(crate) cosigner: CosignerClient,
    pub(crate) key: WalletKey,
    pub(crate) share: Arc<KeyShare>,
    pub(crate) approvers: [Approver; 2],
    pub(crate) db: Client,
    random: Random,
    now_us: Arc<AtomicU64>,
    _stop: watch::Sender<bool>,
    _folder: TempDir,
}

impl Stack {
    /// Starts a stack whose tenant may pay to [`TREASURY`]: at most 100 for each wallet and 150 for
    /// the tenant, of every asset, and 90 without approvals.
    pub(crate) async fn new() -> Self {
        let stack = Self::without_policy().await;
        stack.list_destination("evm:42161", &["evm:42161/USDC", "evm:42161/native"]).await;
        stack.list_destination("hyperliquid", &["hyperliquid/USDC"]).await;
        for asset in ["hyperliquid/USDC", "aster/USDT", "evm:42161/USDC", "evm:42161/native"] {
            stack.set_limit(asset, ("100", "150"), Some("90")).await;
        }
        stack.pass_ms(DELAY_S * 1_000);
        stack
    }

    pub(crate) async fn without_policy() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ip = Ipv4Addr::LOCALHOST.into();
        let (sender, stop) = Stop::new();
        let now_us = Arc::new(AtomicU64::new(NOW_MS * 1_000));
        let clock = clock(&now_us);
        let random = Random::system();

        let listener = hyperdex_listen::bind("KMS", ip, 0).await.unwrap();
        let kms_url = hyperdex_listen::url(&listener);
        let file = folder.path().join("kms.json");
        let (service, _) = Kms::open(file, &clock, &random).unwrap();
        let signer = kms::open_signer(&folder.path().join("audit.der")).unwrap();
        let router = kms::router(Arc::new(service), signer);
        hyperdex_listen::serve(listener, router, stop.clone());

        let file = folder.path().join("dynamodb.sqlite");
        let database = dynamodb::open(&file).unwrap();
        let listener = hyperdex_listen::bind("DynamoDB", ip, 0).await.unwrap();
        let db_url = hyperdex_listen::url(&listener);
        dynamodb::serve_with_conflicts(listener, database, &file, stop.clone());
        let aws = Aws::local(&db_url, &kms_url, "");
        kms::create_key(&aws.kms(), COSIGNER_KEY).await.unwrap();
        let db = aws.dynamodb();
        dynamodb::create_table(&db, COSIGNER_TABLE, Some("expiresAtS"), &[]).await.unwrap();
        dynamodb::create_table(&db, SEALS_TABLE, None, &[]).await.unwrap();
        put_first_seal(&db).await;

        let approvers = [Approver::new("alice"), Approver::new("bob")];
        let settings = CosignerSettings {
            dynamodb: db_url.clone(),
            kms: kms_url.clone(),
            setting: Setting {
                hyperliquid_chain: HyperliquidChain::Mainnet,
                aster_chain: HyperliquidChain::Mainnet,
                aster_signature_chain_id: 56,
                aster_login: false,
            },
            policy: Some(document(&approvers)),
            ip,
            recovery: RecoveryKeys::default(),
            port: 0,
            engine: None,
        };
        let lambda = in_process(&settings, clock, random.clone(), stop).await.unwrap();
        let aws = Aws::local(&db_url, &kms_url, &lambda);
        let cosigner = CosignerClient::new(LambdaClient::new(&aws), "cosigner", "attacker");
        let key = WalletKey {
            tenant: "acme".parse().unwrap(),
            wallet_id: Uuid::from_u128(7),
            key_version: 1,
        };
        let share = Arc::new(generate(&cosigner, &random, &key).await.unwrap());
        let db = (*db).clone();
        let (_stop, _folder) = (sender, folder);
        Self { cosigner, key, share, approvers, db, random, now_us, _stop, _folder }
    }

    /// Adds a wallet of the same tenant.
    pub(crate) async fn another_wallet(&self, number: u128) -> (WalletKey, Arc<KeyShare>) {
        let key = WalletKey { wallet_id: Uuid::from_u128(number), ..self.key.clone() };
        let share = generate(&self.cosigner, &self.random, &key).await.unwrap();
        (key, Arc::new(share))
    }

    pub(crate) fn pass_ms(&self, ms: u64) {
        self.now_us.fetch_add(ms * 1_000, Ordering::SeqCst);
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_us.load(Ordering::SeqCst) / 1_000
    }

    pub(crate) async fn state(&self) -> PolicyState {
        let key = WalletKey::of_tenant(self.key.tenant.clone());
        let call = Call::Policy(PolicyCall::Show);
        match self.cosigner.call(&key, [0; 32], call).await.unwrap() {
            Answer::Policy(PolicyAnswer::State(state)) => state,
            _ => panic!("expected the policy"),
        }
    }

    /// Returns a page of the counted payments.
    pub(crate) async fn listed(&self, from: Option<String>) -> OpenPayments {
        let key = WalletKey::of_tenant(self.key.tenant.clone());
        match self.cosigner.call(&key, [2; 32], Call::ListPayments { from }).await.unwrap() {
            Answer::OpenPayments(page) => page,
            _ => panic!("expected a list"),
        }
    }

    /// Proposes a change that both approvers have signed.
    pub(crate) async fn change(&self, change: Value) {
        let change = Change::parse(&change.to_string()).unwrap();
        let state = self.state().await;
        let (seq, prev_hash) = (state.seq + 1, state.head_hash);
        let not_after_s = self.now_ms() / 1_000 + 3_600;
        let text =
            change_text(&state.chain_id, &self.key.tenant, seq, &prev_hash, &change, not_after_s);
        let approvals = self.approvers.iter().map(|approver| approver.sign(&text)).collect();
        let quorum = Quorum::Tenant;
        let proposal = Proposal { seq, prev_hash, change, not_after_s, quorum, approvals };
        let key = WalletKey::of_tenant(self.key.tenant.clone());
        let call = Call::Policy(PolicyCall::Propose(proposal));
        let answer = self.cosigner.call(&key, [0; 32], call).await.unwrap();
        assert!(matches!(answer, Answer::Policy(PolicyAnswer::Change(_))));
    }

    async fn list_destination(&self, venue: &str, assets: &[&str]) {
        let destination =
            json!({ "venue": venue, "address": TREASURY, "assets": assets, "label": "Treasury" });
        self.change(json!({ "type": "addDestination", "destination": destination })).await;
    }

    pub(crate) async fn set_limit(
        &self,
        asset: &str,
        (wallet, tenant): (&str, &str),
        approve_above: Option<&str>,
    ) {
        let cap = |amount: &str| json!({ "amount": amount, "payments": 5 });
        let mut limit = json!({ "asset": asset, "wallet": cap(wallet), "tenant": cap(tenant) });
        if let Some(above) = approve_above {
            limit["approveAbove"] = above.into();
        }
        self.change(json!({ "type": "setLimit", "limit": limit })).await;
    }

    pub(crate) async fn prepare(
        &self,
        order: &PaymentOrder,
    ) -> Result<PaymentPrepared, PaymentRefusal> {
        self.prepare_at(&self.key, order).await
    }

    pub(crate) async fn prepare_at(
        &self,
        key: &WalletKey,
        order: &PaymentOrder,
    ) -> Result<PaymentPrepared, PaymentRefusal> {
        let prepare = PreparePayment { order: order.clone(), dry_run: false };
        let call = Call::PreparePayment(prepare);
        match refused(self.cosigner.call(key, [1; 32], call).await)? {
            Answer::PaymentPrepared(prepared) => Ok(prepared),
            _ => panic!("expected a prepared payment"),
        }
    }

    /// Makes call 1 for a digest, as party 1 computes it.
    pub(crate) async fn open(
        &self,
        (key, share): (&WalletKey, &KeyShare),
        order: &PaymentOrder,
        (nonces, step): (Nonces, u8),
        digest: Digest,
    ) -> Result<Opened, PaymentRefusal> {
        let session: SessionId = self.random.bytes().unwrap();
        let data = sign_data(key, session, party_2(), digest);
        let party = share.party();
        let (unique, kept, mut phase_1) = party.sign_phase1(&data).unwrap();
        let message = phase_1.remove(0);
        let start = StartPayment { order: order.clone(), nonces, step, message };
        let answer = self.cosigner.call(key, session, Call::StartPayment(start)).await;
        let Answer::SignAnswered(answered) = refused(answer)? else { panic!("expected call 1") };
        let (unique, kept, mut phase_2) =
            party.sign_phase2(&data, unique, kept, &[answered.phase_1]).unwrap();
        let (_, share): (_, Broadcast3to4<Curve>) =
            party.sign_phase3(&data, unique, kept, &[answered.phase_2]).unwrap();
        let (message, kept) = (phase_2.remove(0), answered.kept);
        Ok(Opened { session, step, finish: FinishSign { message, share, kept } })
    }

    /// Makes call 2. The signature is in the cosigner's record.
    pub(crate) async fn finish(
        &self,
        key: &WalletKey,
        order: &PaymentOrder,
        opened: Opened,
    ) -> Result<(), Refusal> {
        let Opened { session, step, finish } = opened;
        let call = Call::FinishPayment(FinishPayment { id: order.id.clone(), step, finish });
        match self.cosigner.call(key, session, call).await {
            Ok(Answer::SignShares(_)) => Ok(()),
            Err(CosignerError::Refused(refusal)) => Err(refusal),
            Ok(_) => panic!("expected the other half"),
            Err(other) => panic!("expected a typed refusal: {other}"),
        }
    }

    /// Pays: prepares, and signs until no signature is missing.
    pub(crate) async fn pay(&self, order: &PaymentOrder) -> Result<Sent, PaymentRefusal> {
        self.pay_at((&self.key, &self.share), order).await
    }

    pub(crate) async fn pay_at(
        &self,
        (key, share): (&WalletKey, &KeyShare),
        order: &PaymentOrder,
    ) -> Result<Sent, PaymentRefusal> {
        for _ in 0..8 {
            let PaymentPrepared { nonces, signatures, .. } = self.prepare_at(key, order).await?;
            let form = form(order, share.address(), nonces);
            let Some(digest) = form.digest(&signatures) else {
                return Ok(verified(&form, &signatures, share.address()));
            };
            let step = u8::try_from(signatures.len()).unwrap();
            match self.open((key, share), order, (nonces, step), digest).await {
                Ok(opened) => self.finish(key, order, opened).await.unwrap(),
                Err(PaymentRefusal::PrepareAgain) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        panic!("the payment was not signed")
    }

    pub(crate) fn address(&self) -> Address {
        self.share.address()
    }

    /// Returns the order with the approvals of its text by these approvers.
    pub(crate) async fn approved(&self, order: PaymentOrder, approvers: &[usize]) -> PaymentOrder {
        let chain_id = self.state().await.chain_id;
        let not_after_s = self.now_ms() / 1_000 + 3_600;
        let (key, id) = (&self.key, order.id.as_str());
        let (tenant, wallet, payment) = (&key.tenant, key.wallet_id, &order.payment);
        let text = payment_text(&chain_id, tenant, wallet, id, payment, not_after_s).unwrap();
        let approvals = approvers.iter().map(|place| self.approvers[*place].sign(&text)).collect();
        PaymentOrder { approvals, not_after_s, ..order }
    }
}

fn clock(now_us: &Arc<AtomicU64>) -> Clock {
    let (now_us, passes) = (now_us.clone(), now_us.clone());
    Clock::from_micros(move || now_us.load(Ordering::SeqCst)).waiting(move |ms| {
        passes.fetch_add(ms * 1_000, Ordering::SeqCst);
        std::future::ready(())
    })
}

fn refused(answer: Result<Answer, CosignerError>) -> Result<Answer, PaymentRefusal> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(CosignerError::Refused(Refusal::Payment(refusal))) => Err(refusal),
        Err(other) => panic!("expected a refusal of the payment: {other}"),
    }
}

pub(crate) fn form(order: &PaymentOrder, wallet: Address, nonces: Nonces) -> Form<'_> {
    let main = HyperliquidChain::Mainnet;
    let chains = Chains { hyperliquid: main, aster: main };
    Form { payment: &order.payment, wallet, chains, nonces }
}

/// Checks that the wallet made each signature, and returns the bytes to send.
fn verified(form: &Form<'_>, signatures: &[Signature], wallet: Address) -> Sent {
    for (place, signature) in signatures.iter().enumerate() {
        let digest = form.digest(&signatures[..place]).unwrap();
        assert_eq!(signature.recover(&digest).unwrap(), wallet);
    }
    form.sent(signatures).unwrap()
}

fn document(approvers: &[Approver; 2]) -> String {
    let built_in = include_str!("../../../cosigner-policy.json");
    let mut document: Value = serde_json::from_str(built_in).unwrap();
    let none = json!({ "perMinute": 0, "perDay": 0 });
    document["limits"] = json!({ "wallet": none, "tenant": none });
    let approvers: Vec<Value> = approvers
        .iter()
        .map(|approver| {
            let point = hex::encode(approver.key.public_key().as_ref());
            json!({ "id": approver.id, "publicKey": point })
        })
        .collect();
    document["policyChain"] = json!({
        "firstAuthority": { "threshold": 2, "approvers": approvers },
        "delaySeconds": DELAY_S,
        "minDelaySeconds": DELAY_S,
    });
    document.to_string()
}
