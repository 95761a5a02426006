//! Kills each kind of payment at each of its remote calls. The retry with the same key, or the job,
//! finishes it. The exchange or the chain has executed it once, the cosigner has counted it once, and
//! no other bytes than the stored ones were sent.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests report what they cover, and a failing test panics"
)]

/// Defines a test of each kind of payment. Keep it before the modules that use it.
macro_rules! at_each {
    ($($what:ident: $($kind:ident $name:ident),*;)*) => {$($(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $what(Kind::$kind).await;
        }
    )*)*};
}

mod approved;
mod policy;
mod resolution;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::ids::Tenant;
use domain::money::{EvmToken, Payment, PaymentId, Route};
use domain::policy::Amount;
use e2e::Reply;
use e2e::kill::{Call, Harness, Row};
use e2e::payments::{Approvers, BSC, Counted, Place, Rise, Till, Withdrawal, counted};
use e2e::proxy::{Arrival, Fate, Plan};
use exchange_sim::faults::Fault;
use exchange_sim::hyperliquid::money::Route as Way;
use protocol::{CountedState, OpenPayment};
use serde_json::Value;
use shared::money::payment_id;
use shared::store::{PaymentAccount, PaymentPlace, PaymentRecord, PaymentState};
use uuid::Uuid;

const USER: &str = "payer";

/// A kind of payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A withdrawal from Hyperliquid by Circle's way.
    Withdrawal,
    /// A withdrawal from Hyperliquid by the bridge.
    Bridge,
    /// A send at Hyperliquid from an account in the standard mode.
    Send,
    /// A send at Hyperliquid from a unified account.
    UnifiedSend,
    /// A move between own balances at Hyperliquid.
    Move,
    /// A withdrawal from Aster, which has two signatures.
    Aster,
    /// A transfer of a token on a chain.
    Token,
    /// A transfer of a chain's own coin.
    Coin,
}

impl Kind {
    const fn place(self) -> Place {
        match self {
            Self::Withdrawal | Self::Bridge => Place::Hyperliquid,
            Self::Send | Self::UnifiedSend => Place::HyperliquidSend,
            Self::Move => Place::HyperliquidOwn,
            Self::Aster => Place::Aster,
            Self::Token | Self::Coin => Place::Chain,
        }
    }

    fn body(self, amount: &str) -> Value {
        let mut body = self.place().body(USER, amount);
        match self {
            Self::UnifiedSend => (body["from"], body["to"]) = ("spot".into(), "spot".into()),
            Self::Coin => body["asset"] = "native".into(),
            _ => {}
        }
        body
    }

    /// Returns the name of the call that sends it.
    const fn sends(self) -> &'static str {
        match self {
            Self::Bridge => "Hyperliquid.withdraw3",
            Self::UnifiedSend => "Hyperliquid.sendAsset",
            _ => self.place().sends(),
        }
    }

    /// Returns the asset whose limits count it. A move between own balances counts nothing.
    const fn asset(self) -> Option<&'static str> {
        match self {
            Self::Withdrawal | Self::Bridge | Self::Send | Self::UnifiedSend => {
                Some("hyperliquid/USDC")
            }
            Self::Move => None,
            Self::Aster => Some("aster/USDT"),
            Self::Token => Some("evm:56/USDT"),
            Self::Coin => Some("evm:56/native"),
        }
    }

    const fn store_place(self) -> PaymentPlace {
        match self.place() {
            Place::Aster => PaymentPlace::Aster,
            Place::Chain => PaymentPlace::Evm,
            _ => PaymentPlace::Hyperliquid,
        }
    }
}

/// The payment of the case under way.
#[derive(Clone, Debug)]
struct Case {
    call: Call,
    amount: String,
    /// What the cosigner had counted before, for the wallet and the tenant.
    before: [Counted; 2],
}

/// A wallet whose tenant may pay much.
struct Scene {
    h: Harness,
    approvers: Approvers,
    till: Till,
    kind: Kind,
    wallet_id: Uuid,
    drawn: AtomicUsize,
    case: Mutex<Option<Case>>,
}

impl Scene {
    async fn start(kind: Kind) -> Self {
        Self::limited(kind, None).await
    }

    async fn limited(kind: Kind, approve_above: Option<&str>) -> Self {
        let approvers = Approvers::new();
        let mut h = Harness::start_with(|options| approvers.install(options)).await;
        h.one_in = 12;
        approvers.allow(&h.app, "1000000", approve_above).await;
        let till = Till::open(&h.app, USER).await;
        let exchange = &h.app.stack.hyperliquid_sim;
        match kind {
            Kind::Bridge => {
                let mut rules = exchange.rules();
                rules.money.route = Way::Bridge;
                exchange.set_rules(rules);
            }
            Kind::UnifiedSend => assert!(exchange.set_mode(till.address, "unifiedAccount")),
            _ => {}
        }
        h.proxy.watch(kind.sends());
        let wallet_id = e2e::invariants::view(&h.app, USER).await.wallet.wallet_id;
        let (drawn, case) = Default::default();
        Self { h, approvers, till, kind, wallet_id, drawn, case }
    }

    /// Returns the call of a new payment, whose amount no other has.
    async fn new_payment(&self) -> Call {
        let number = self.drawn.fetch_add(1, Ordering::SeqCst);
        let amount = format!("{}.{}", 2 + number / 9, 1 + number % 9);
        let call = Call::pay(self.kind.place(), USER, &self.kind.body(&amount));
        let call = call.keyed(format!("key-{amount}"));
        let before = self.counted().await;
        *self.case.lock().unwrap() = Some(Case { call: call.clone(), amount, before });
        call
    }

    fn case(&self) -> Case {
        self.case.lock().unwrap().clone().unwrap()
    }

    /// Reads what the cosigner has counted for the wallet and for the tenant.
    async fn counted(&self) -> [Counted; 2] {
        let Some(asset) = self.kind.asset() else { return Default::default() };
        let app = &self.h.app;
        let of_wallet = Counted::read(app, Some(self.wallet_id), asset).await;
        [of_wallet, Counted::read(app, None, asset).await]
    }

    fn id(&self, call: &Call) -> PaymentId {
        let venue = match self.kind.store_place() {
            PaymentPlace::Aster => "aster".to_owned(),
            PaymentPlace::Hyperliquid => "hyperliquid".to_owned(),
            PaymentPlace::Evm => format!("evm:{BSC}"),
        };
        let key = call.key.as_deref().unwrap();
        payment_id(&Tenant::local(), self.wallet_id, venue.parse().unwrap(), key).unwrap()
    }

    /// Reads the service's record of a payment.
    async fn record(&self, id: &PaymentId) -> Option<PaymentRecord> {
        let (tenant, wallet_id) = (Tenant::local(), self.wallet_id);
        let account = PaymentAccount { tenant, wallet_id, place: self.kind.store_place() };
        self.h.app.store().payment(&account, id).await.unwrap()
    }

    /// Checks that the payment of the case was executed once and counted once, and that the service
    /// finds that out. Aster may refuse no repeat, so a request that may have been sent is not sent
    /// again: the payment then stays unknown.
    async fn executed_once(&self) {
        self.h.proxy.deliver_late().await;
        let Case { call, amount, before } = self.case();
        let mut status = 0;
        for _ in 0..6 {
            self.h.app.clock.advance_ms(61_000);
            let reply = self.h.call(&self.h.proxy.process(), &call).await.unwrap();
            status = reply.status;
            if status == 200 {
                break;
            }
        }
        let executed = self.till.executed(&self.h.app, self.kind.place(), &amount);
        if self.kind == Kind::Aster {
            assert_eq!(executed, usize::from(status == 200), "{amount}: {status}");
        } else {
            assert_eq!((executed, status), (1, 200), "{:?} {amount}", self.kind);
        }
        self.run_the_job().await;
        let record = self.recorded(&call, status == 200).await;
        self.counted_once(&record, &before).await;
        // Frees the exchange's budget for the next case.
        self.h.app.clock.advance_ms(120_000);
    }

    /// Checks that the cosigner has counted the payment once, with its fees, and lists it once.
    async fn counted_once(&self, record: &PaymentRecord, before: &[Counted; 2]) {
        let listed = counted(&self.h.app).await;
        let listed: Vec<_> = listed.iter().filter(|listed| listed.id == record.id).collect();
        if self.kind.asset().is_none() {
            assert_eq!(listed, [] as [&OpenPayment; 0]);
            return;
        }
        let after = self.counted().await;
        let amount = record.payment.amount().checked_add(fee(&record.payment)).unwrap();
        for (after, before) in after.iter().zip(before) {
            let expected = Rise { writes: 1, amount, payments: 1 };
            assert_eq!(after.since(before), expected, "{record:?}");
        }
        let [listed] = listed.as_slice() else { panic!("{listed:?}") };
        let is_reported =
            listed.state(self.h.app.clock.now_ms()) == CountedState::ReportedCompleted;
        assert_eq!(is_reported, record.state == PaymentState::Completed, "{listed:?}");
    }

    /// Checks that the records of both sides agree, that nothing is left to do, and that only the
    /// stored bytes were sent. Returns the service's record.
    async fn recorded(&self, call: &Call, is_done: bool) -> PaymentRecord {
        let id = self.id(call);
        let record = self.record(&id).await.unwrap();
        let signed = record.signed.as_ref().unwrap();
        let known = Withdrawal::read(&self.h.app, self.wallet_id, &id).await.unwrap();
        let signatures = record.payment.steps().into();
        let expected = Withdrawal { nonces: signed.nonces, is_counted: true, signatures };
        assert_eq!(known, expected, "{record:?}");
        let is_final = (record.state, record.due_at_ms()) == (PaymentState::Completed, None);
        assert_eq!(is_final, is_done, "{record:?}");
        for body in self.h.proxy.sent(self.kind.sends()) {
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(body.contains(&signed.body), "{record:?}");
        }
        record
    }

    /// Runs the job for some minutes, as its schedule does.
    async fn run_the_job(&self) {
        for _ in 0..3 {
            self.h.app.clock.advance_ms(60_000);
            let job = Call::payments_job(USER);
            let reply = self.h.call(&self.h.proxy.process(), &job).await.unwrap();
            assert_eq!(reply.status, 200, "{reply:?}");
        }
    }

    /// Runs the job before the retry. Nothing that was signed stays open after it, except at Aster.
    async fn resolved_by_the_job(&self) {
        self.run_the_job().await;
        let record = self.record(&self.id(&self.case().call)).await;
        let is_open = record.as_ref().is_some_and(|record| record.state.is_open());
        assert!(!is_open || self.kind == Kind::Aster, "{record:?}");
    }
}

/// Returns the fee that counts in addition to the amount: at Hyperliquid the most that the exchange
/// may take under the policy document, because nothing that is signed bounds it.
fn fee(payment: &Payment) -> Amount {
    let text = match payment {
        Payment::HyperliquidWithdraw(payment) if payment.route != Route::Bridge => "2",
        Payment::HyperliquidWithdraw(_) | Payment::HyperliquidSendAsset(_) => "1",
        Payment::HyperliquidMoveOwn(_) => "0",
        Payment::AsterWithdraw(payment) => return payment.fee,
        Payment::EvmTokenTransfer(payment) if payment.token == EvmToken::Native => {
            return Amount::of_units(payment.max_gas_cost()).unwrap();
        }
        Payment::EvmTokenTransfer(_) => "0",
    };
    text.parse().unwrap()
}

/// The payment is made, was not executed in time, or its outcome is not known yet.
fn ended(reply: &Reply) -> bool {
    matches!(reply.status, 200 | 202 | 422) || reply.text("/code") == "PAYMENT_UNKNOWN"
}

fn report(file: &str, rows: &[Row]) {
    let lines: Vec<String> = rows.iter().map(Row::to_string).collect();
    let table = format!("{}\n{}\n", Row::HEAD, lines.join("\n"));
    println!("{table}");
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(path, table).unwrap();
}

async fn killed(kind: Kind) {
    let scene = Scene::start(kind).await;
    let new = async || scene.new_payment().await;
    let check = async |_: &Call| scene.executed_once().await;
    let watch = async |_: &Call| scene.resolved_by_the_job().await;
    let rows = [
        scene.h.drive("pay", new, ended, check).await,
        scene.h.drive_watched("pay, the job first", new, watch, ended, check).await,
    ];
    report(&format!("kill-points-pay-{kind:?}.md"), &rows);
}

/// Kills the retry of a killed payment as well.
async fn pairs(kind: Kind) {
    let scene = Scene::start(kind).await;
    let new = async || scene.new_payment().await;
    let check = async |_: &Call| scene.executed_once().await;
    let rows = [scene.h.drive_pairs("pay", new, ended, check).await];
    report(&format!("kill-pairs-pay-{kind:?}.md"), &rows);
}

/// The process dies after the request was lost on its way, which arrives later. The retry does not
/// pay again.
async fn late(kind: Kind) {
    let scene = Scene::start(kind).await;
    let name = kind.sends();
    let call = scene.new_payment().await;
    let plan: Plan = Box::new(move |arrival: Arrival<'_>| {
        let is_it = arrival.name == name && arrival.nth_of_name == 1;
        if is_it { Fate::Fail(Fault::Late { ms: 4_000 }) } else { Fate::Pass }
    });
    let _ = scene.h.call(&scene.h.proxy.process_with(plan), &call).await;
    scene.h.app.clock.advance_ms(31_000);
    scene.h.proxy.deliver_late().await;
    scene.h.finish(&call, ended).await;
    scene.executed_once().await;
}

at_each! {
    killed:
        Withdrawal hyperliquid_withdrawal_killed_at_any_call_pays_once,
        Bridge bridge_withdrawal_killed_at_any_call_pays_once,
        Send hyperliquid_send_killed_at_any_call_pays_once,
        UnifiedSend unified_send_killed_at_any_call_pays_once,
        Move hyperliquid_move_killed_at_any_call_pays_once,
        Aster aster_withdrawal_killed_at_any_call_pays_once,
        Token chain_transfer_killed_at_any_call_pays_once,
        Coin coin_transfer_killed_at_any_call_pays_once;
    pairs:
        Withdrawal hyperliquid_withdrawal_killed_twice_pays_once,
        Aster aster_withdrawal_killed_twice_pays_once,
        Token chain_transfer_killed_twice_pays_once;
    late:
        Withdrawal late_hyperliquid_withdrawal_pays_once,
        Token late_chain_transfer_pays_once;
}
