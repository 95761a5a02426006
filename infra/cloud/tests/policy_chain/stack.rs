//! A cosigner with its tables, and approvers.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use cosigner::callers::OPERATOR;
use cosigner::{Cosigner, Policy, Setting};
use domain::clock::Clock;
use domain::intent::HyperliquidChain;
use domain::money::{HyperliquidWithdraw, Payment, Route};
use domain::policy::{
    Approval, Change, ChangeRecord, PolicyState, Proposal, Quorum, Signature, change_text,
};
use domain::random::Random;
use hyperdex_cloud::dynamodb;
use hyperdex_cloud::names::{COSIGNER_TABLE, SEALS_TABLE};
use hyperdex_listen::Stop;
use platform::aws::Aws;
use platform::items::Item;
use protocol::{
    Answer, Call, PROTOCOL, PaymentOrder, PolicyAnswer, PolicyCall, PolicyFault, PreparePayment,
    Refusal, Request, WalletKey,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

pub(crate) const NOW_MS: u64 = 1_790_000_000_000;
pub(crate) const HOUR_MS: u64 = 3_600_000;
pub(crate) const DAY_MS: u64 = 24 * HOUR_MS;
pub(crate) const PROPOSE: &str = "propose-policy-change";

/// An approver's key.
pub(crate) struct Approver {
    pub(crate) id: &'static str,
    key: EcdsaKeyPair,
}

impl Approver {
    fn new(id: &'static str) -> Self {
        Self { id, key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap() }
    }

    fn json(&self) -> Value {
        json!({ "id": self.id, "publicKey": hex::encode(self.key.public_key().as_ref()) })
    }

    pub(crate) fn sign(&self, text: &str) -> Approval {
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        let signature = Signature::Der(hex::encode(signature.as_ref()));
        Approval { approver: self.id.to_owned(), signature }
    }
}

pub(crate) struct Stack {
    pub(crate) aws: Aws,
    pub(crate) db: Client,
    pub(crate) approvers: [Approver; 4],
    pub(crate) now_us: Arc<AtomicU64>,
    cosigner: Cosigner,
    _stop: watch::Sender<bool>,
    _folder: TempDir,
}

impl Stack {
    /// Starts a stack whose tenants begin with the authority 2 of alice, bob and carol.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sender, stop) = Stop::new();
        let now_us = Arc::new(AtomicU64::new(NOW_MS * 1_000));
        let file = folder.path().join("dynamodb.sqlite");
        let database = dynamodb::open(&file).unwrap();
        let listener = hyperdex_listen::bind("DynamoDB", Ipv4Addr::LOCALHOST.into(), 0).await;
        let listener = listener.unwrap();
        let url = hyperdex_listen::url(&listener);
        dynamodb::serve_with_conflicts(listener, database, &file, stop);
        let aws = Aws::local(&url, &url, &url);
        let db = (*aws.dynamodb()).clone();
        for table in [COSIGNER_TABLE, SEALS_TABLE] {
            dynamodb::create_table(&db, table, None, &[]).await.unwrap();
        }
        let approvers = ["alice", "bob", "carol", "root"].map(Approver::new);
        let cosigner = cosigner(&aws, COSIGNER_TABLE, &approvers, &now_us);
        Self { aws, db, approvers, now_us, cosigner, _stop: sender, _folder: folder }
    }

    /// Starts the cosigner's process again, with this table.
    pub(crate) fn restart_with(&mut self, table: &str) {
        self.cosigner = cosigner(&self.aws, table, &self.approvers, &self.now_us);
    }

    pub(crate) fn pass_ms(&self, ms: u64) {
        self.now_us.fetch_add(ms * 1_000, Ordering::SeqCst);
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_us.load(Ordering::SeqCst) / 1_000
    }

    pub(crate) async fn call(
        &self,
        alias: &str,
        call: PolicyCall,
    ) -> Result<PolicyAnswer, Refusal> {
        match self.answer(alias, Call::Policy(call)).await {
            Answer::Policy(answer) => Ok(answer),
            Answer::Refused(refusal) => Err(refusal),
            _ => panic!("expected an answer about the policy"),
        }
    }

    async fn answer(&self, alias: &str, call: Call) -> Answer {
        let request = Request {
            protocol: PROTOCOL,
            key: WalletKey::of_tenant("acme".parse().unwrap()),
            session: [0; 32],
            request_id: "request".to_owned(),
            caller: "test".to_owned(),
            call,
        };
        let payload: String = serde_json::from_slice(&request.to_payload()).unwrap();
        let arn = format!("arn:aws:lambda:eu-west-1:222222222222:function:cosigner:{alias}");
        let answer = self.cosigner.handle(&arn, &payload).await.unwrap();
        Answer::from_payload(answer.get().as_bytes()).unwrap()
    }

    /// Prepares a payment of a wallet that does not exist. The cosigner reads the policy before it
    /// refuses.
    pub(crate) async fn prepare_payment(&self) {
        let payment = Payment::HyperliquidWithdraw(HyperliquidWithdraw {
            destination: TREASURY.parse().unwrap(),
            amount: "5".parse().unwrap(),
            route: Route::Bridge,
            max_fee: "1".parse().unwrap(),
        });
        let id = "1".parse().unwrap();
        let order = PaymentOrder { id, payment, approvals: Vec::new(), not_after_s: 0 };
        let prepare = PreparePayment { order, dry_run: true };
        let answer = self.answer("withdraw-hyperliquid", Call::PreparePayment(prepare)).await;
        assert!(matches!(answer, Answer::Refused(Refusal::UnknownKey)));
    }

    pub(crate) async fn state(&self) -> PolicyState {
        match self.call("get-policy", PolicyCall::Show).await.unwrap() {
            PolicyAnswer::State(state) => state,
            PolicyAnswer::Change(_) => panic!("expected the policy"),
        }
    }

    pub(crate) async fn change(
        &self,
        alias: &str,
        call: PolicyCall,
    ) -> Result<ChangeRecord, Refusal> {
        match self.call(alias, call).await? {
            PolicyAnswer::Change(change) => Ok(change),
            PolicyAnswer::State(_) => panic!("expected a change"),
        }
    }

    pub(crate) fn approver(&self, id: &str) -> &Approver {
        self.approvers.iter().find(|approver| approver.id == id).unwrap()
    }

    /// Returns the next proposal, signed by these approvers.
    pub(crate) async fn proposal(&self, change: Value, by: &[&str]) -> Proposal {
        let state = self.state().await;
        let change = Change::parse(&change.to_string()).unwrap();
        let (seq, prev_hash) = (state.seq + 1, state.head_hash);
        let not_after_s = self.now_ms() / 1_000 + 3_600;
        let tenant = "acme".parse().unwrap();
        let text = change_text(&state.chain_id, &tenant, seq, &prev_hash, &change, not_after_s);
        let approvals = by.iter().map(|id| self.approver(id).sign(&text)).collect();
        let quorum = if by == ["root"] { Quorum::Root } else { Quorum::Tenant };
        Proposal { seq, prev_hash, change, not_after_s, quorum, approvals }
    }

    pub(crate) async fn propose(
        &self,
        change: Value,
        by: &[&str],
    ) -> Result<ChangeRecord, Refusal> {
        let proposal = self.proposal(change, by).await;
        self.change(PROPOSE, PolicyCall::Propose(proposal)).await
    }

    /// Returns the call that adds an approver's signature to a pending change.
    pub(crate) async fn approval(&self, seq: u64, by: &str) -> PolicyCall {
        let state = self.state().await;
        let pending = state.pending.iter().find(|pending| pending.seq == seq).unwrap();
        let tenant = "acme".parse().unwrap();
        let (prev, change) = (&pending.prev_hash, &pending.change);
        let text = change_text(&state.chain_id, &tenant, seq, prev, change, pending.not_after_s);
        PolicyCall::Approve { seq, approval: self.approver(by).sign(&text) }
    }

    pub(crate) async fn operator_cancels(&self, seq: u64) -> Result<ChangeRecord, Refusal> {
        self.change(OPERATOR, PolicyCall::Cancel { seq }).await
    }

    /// Returns all items of the cosigner's table.
    pub(crate) async fn items(&self, table: &str) -> Vec<Item> {
        let output = self.db.scan().table_name(table).consistent_read(true).send().await.unwrap();
        assert!(output.last_evaluated_key.is_none());
        output.items.unwrap_or_default()
    }

    pub(crate) async fn put(&self, table: &str, item: Item) {
        self.db.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }
}

/// Returns a fault from a refusal.
pub(crate) fn fault<T: std::fmt::Debug>(refused: Result<T, Refusal>) -> PolicyFault {
    match refused {
        Err(Refusal::PolicyChange(fault)) => fault,
        other => panic!("expected a refused change: {other:?}"),
    }
}

pub(crate) fn add(address: &str) -> Value {
    json!({ "type": "addDestination", "destination":
        { "venue": "evm:56", "address": address, "assets": ["evm:56/USDT"], "label": "" } })
}

pub(crate) const TREASURY: &str = "0x00000000000000000000000000000000000000aa";

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn cosigner(
    aws: &Aws,
    table: &str,
    approvers: &[Approver; 4],
    now_us: &Arc<AtomicU64>,
) -> Cosigner {
    let [tenant @ .., root] = approvers;
    let mut document: Value =
        serde_json::from_str(include_str!("../../../cosigner-policy.json")).unwrap();
    let three: Vec<Value> = tenant.iter().map(Approver::json).collect();
    document["policyChain"] = json!({
        "rootAuthority": { "threshold": 1, "approvers": [root.json()] },
        "firstAuthorities": { "acme": { "threshold": 2, "approvers": three } },
    });
    let setting = Setting {
        hyperliquid_chain: HyperliquidChain::Mainnet,
        aster_chain: HyperliquidChain::Mainnet,
        aster_signature_chain_id: 56,
        aster_login: false,
    };
    let policy = Policy::new(&document.to_string(), setting).unwrap();
    let now_us = now_us.clone();
    let clock = Clock::from_micros(move || now_us.load(Ordering::SeqCst));
    Cosigner::new(aws, table, "key", policy, clock, Random::system())
        .with_seals(Some(SEALS_TABLE.to_owned()))
}
