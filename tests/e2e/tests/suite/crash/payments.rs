//! Kills each kind of payment at each of its remote calls. The retry with the same key, or the job,
//! finishes it, and the exchange or the chain has executed it once.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests report what they cover, and a failing test panics"
)]

use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::Reply;
use e2e::kill::{Call, Harness, Row};
use e2e::payments::{Approvers, Place, Till};
use e2e::proxy::{Arrival, Fate, Plan};
use exchange_sim::faults::Fault;

const USER: &str = "payer";

/// A wallet whose tenant may pay much.
struct Scene {
    h: Harness,
    till: Till,
    place: Place,
    drawn: AtomicUsize,
}

impl Scene {
    async fn start(place: Place) -> Self {
        let approvers = Approvers::new();
        let mut h = Harness::start_with(|options| approvers.install(options)).await;
        h.one_in = 12;
        approvers.allow(&h.app, "1000000", None).await;
        let till = Till::open(&h.app, USER).await;
        Self { h, till, place, drawn: AtomicUsize::new(0) }
    }

    /// Returns the amount of the payment with this number: no other has it.
    fn amount(number: usize) -> String {
        format!("{}.{}", 2 + number / 9, 1 + number % 9)
    }

    /// Returns the call of a new payment.
    fn new_payment(&self) -> Call {
        let amount = Self::amount(self.drawn.fetch_add(1, Ordering::SeqCst));
        let body = self.place.body(USER, &amount);
        Call::pay(self.place, USER, &body).keyed(format!("key-{amount}"))
    }

    /// Checks that the newest payment was executed once, and that the service finds that out. Aster
    /// may refuse no repeat, so a request that may have been sent is not sent again: the payment
    /// then stays unknown.
    async fn executed_once(&self, call: &Call) {
        self.h.proxy.deliver_late().await;
        let amount = Self::amount(self.drawn.load(Ordering::SeqCst) - 1);
        let mut status = 0;
        for _ in 0..6 {
            self.h.app.clock.advance_ms(61_000);
            let reply = self.h.call(&self.h.proxy.process(), call).await.unwrap();
            status = reply.status;
            if status == 200 {
                break;
            }
        }
        let executed = self.till.executed(&self.h.app, self.place, &amount);
        if self.place == Place::Aster {
            assert_eq!(executed, usize::from(status == 200), "{amount}: {status}");
        } else {
            assert_eq!((executed, status), (1, 200), "{:?} {amount}", self.place);
        }
        // Frees the exchange's budget for the next case.
        self.h.app.clock.advance_ms(120_000);
    }
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

async fn killed(place: Place) {
    let scene = Scene::start(place).await;
    let new = async || scene.new_payment();
    let check = async |call: &Call| scene.executed_once(call).await;
    let rows = [scene.h.drive("pay", new, ended, check).await];
    report(&format!("kill-points-pay-{place:?}.md"), &rows);
}

/// The process dies after the request was lost on its way, which arrives later. The retry does not
/// pay again.
async fn late(place: Place) {
    let scene = Scene::start(place).await;
    let name = place.sends();
    let call = scene.new_payment();
    let plan: Plan = Box::new(move |arrival: Arrival<'_>| {
        let is_it = arrival.name == name && arrival.nth_of_name == 1;
        if is_it { Fate::Fail(Fault::Late { ms: 4_000 }) } else { Fate::Pass }
    });
    let _ = scene.h.call(&scene.h.proxy.process_with(plan), &call).await;
    scene.h.app.clock.advance_ms(31_000);
    scene.h.proxy.deliver_late().await;
    scene.h.finish(&call, ended).await;
    scene.executed_once(&call).await;
}

macro_rules! at_each {
    ($($what:ident: $($place:ident $name:ident),*;)*) => {$($(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $what(Place::$place).await;
        }
    )*)*};
}

at_each! {
    killed:
        Hyperliquid hyperliquid_withdrawal_killed_at_any_call_pays_once,
        HyperliquidSend hyperliquid_send_killed_at_any_call_pays_once,
        HyperliquidOwn hyperliquid_move_killed_at_any_call_pays_once,
        Aster aster_withdrawal_killed_at_any_call_pays_once,
        Chain chain_transfer_killed_at_any_call_pays_once;
    late:
        Hyperliquid late_hyperliquid_withdrawal_pays_once,
        Chain late_chain_transfer_pays_once;
}
