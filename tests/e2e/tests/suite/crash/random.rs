//! Runs hundreds of operations by sixteen concurrent callers on a few wallets and their orders, while calls time out,
//! fail, disconnect and lose their responses, processes are killed, and the clock jumps. At the end
//! nothing is lost and nothing is left over.
//!
//! A seed determines the operations and faults. The test prints it, and `RANDOM_SEED` sets it. The
//! interleaving of the callers is not reproducible.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests report what they cover")]

mod orders;
mod payments;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use domain::clock::Clock;
use domain::ids::Exchange;
use e2e::kill::{Call, Harness, ended};
use e2e::proxy::{Fate, Plan, Process, Side};
use e2e::{Reply, TestClock, invariants};
use exchange_sim::faults::Fault;
use shared::store::CredentialState;
use tokio::sync::watch;

const CALLERS: usize = 16;
const USERS: [&str; 5] = ["ann", "bob", "cid", "dot", "eve"];
const EXCHANGES: [Exchange; 2] = [Exchange::Hyperliquid, Exchange::Aster];

/// SplitMix64: small and portable.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// The name of an operation, its relative frequency, and its call.
type Operation = (&'static str, usize, fn(Exchange, &str, &mut Draw) -> Call);

const MIX: [Operation; 8] = [
    ("create", 5, |_, user, _| Call::create(user)),
    ("find", 5, |_, user, _| Call::find(user)),
    ("sign", 10, |_, user, _| Call::sign(user)),
    ("register", 30, |exchange, user, _| Call::register(exchange, user)),
    ("describe", 10, |exchange, user, _| Call::describe(exchange, user)),
    ("rotate", 15, |exchange, user, _| Call::rotate(exchange, user)),
    ("delete", 20, |exchange, user, _| Call::delete(exchange, user)),
    ("renewal job", 5, |_, user, _| Call::renewal(user)),
];

/// A fault during one operation.
#[derive(Clone, Debug)]
enum Trouble {
    Nothing,
    /// The process is killed at this call.
    Death(usize, Side),
    /// The first calls to the exchange fail with these faults.
    Exchange(Vec<Fault>),
    /// This call fails, unless it is a call to the exchange.
    Cloud(usize, Fault),
}

impl Trouble {
    /// Draws the fault of an operation. `fault` draws one of a call to the exchange.
    fn draw(draw: &mut Draw, fault: fn(&mut Draw) -> Fault) -> Self {
        match draw.below(100) {
            0..12 => {
                let side = *draw.one_of(&[Side::Before, Side::After]);
                Self::Death(1 + draw.below(20), side)
            }
            12..40 => {
                let faults = 1 + draw.below(3);
                Self::Exchange((0..faults).map(|_| fault(draw)).collect())
            }
            40..43 => {
                let fault = draw.one_of(&[Fault::Reset, Fault::AppliedButLost]).clone();
                Self::Cloud(1 + draw.below(12), fault)
            }
            _ => Self::Nothing,
        }
    }

    fn plan(self) -> Plan {
        let faults =
            Mutex::new(if let Self::Exchange(faults) = &self { faults.clone() } else { vec![] });
        Box::new(move |arrival| {
            let exchange =
                arrival.name.starts_with("Hyperliquid.") || arrival.name.starts_with("Aster.");
            match &self {
                Self::Death(nth, side) if arrival.nth == *nth => Fate::Die(*side),
                Self::Exchange(_) if exchange => {
                    faults.lock().unwrap().pop().map_or(Fate::Pass, Fate::Fail)
                }
                Self::Cloud(nth, fault) if arrival.nth == *nth && !exchange => {
                    Fate::Fail(fault.clone())
                }
                _ => Fate::Pass,
            }
        })
    }
}

fn exchange_fault(draw: &mut Draw) -> Fault {
    match draw.below(16) {
        // Each of these takes the caller a whole timeout.
        0 => Fault::Hang,
        1 => Fault::AppliedThenHang,
        2..4 => Fault::RateLimited { retry_after_s: 2 },
        4..6 => Fault::Status(500, "oops".to_owned()),
        6..8 => Fault::Status(503, String::new()),
        8..10 => Fault::Garbage,
        10..12 => Fault::Reset,
        _ => Fault::AppliedButLost,
    }
}

/// One of the operations.
struct Step {
    name: &'static str,
    call: Call,
    trouble: Trouble,
    /// The clock advances by this much after the step, in milliseconds.
    leap_ms: u64,
}

impl Step {
    fn new(
        operation: &Operation,
        user: &str,
        draw: &mut Draw,
        fault: fn(&mut Draw) -> Fault,
    ) -> Self {
        let (name, _, call) = operation;
        let call = call(*draw.one_of(&EXCHANGES), user, draw);
        let leap_ms = match draw.below(400) {
            0..4 => 31_000,
            4 => e2e::DAY_MS,
            _ => 0,
        };
        Self { name, call, trouble: Trouble::draw(draw, fault), leap_ms }
    }

    /// Two concurrent callers create each wallet.
    fn creations(draw: &mut Draw) -> Vec<Self> {
        let users = USERS.iter().flat_map(|user| [user, user]);
        users.map(|user| Self::new(&MIX[0], user, draw, exchange_fault)).collect()
    }

    /// Draws an operation of the list by its share.
    fn of(list: &[Operation], draw: &mut Draw, fault: fn(&mut Draw) -> Fault) -> Self {
        let mut share = draw.below(list.iter().map(|(_, share, _)| share).sum());
        let operation = list.iter().find(|(_, width, _)| match share.checked_sub(*width) {
            Some(rest) => {
                share = rest;
                false
            }
            None => true,
        });
        let user = *draw.one_of(&USERS);
        Self::new(operation.unwrap(), user, draw, fault)
    }

    /// A quarter of the operations concern orders.
    fn drawn(draw: &mut Draw) -> Self {
        match draw.below(4) {
            0 => Self::of(&orders::MIX, draw, orders::fault),
            _ => Self::of(&MIX, draw, exchange_fault),
        }
    }
}

/// Counts how often each operation ended with each result.
#[derive(Default)]
struct Tally(Mutex<BTreeMap<(&'static str, String), usize>>);

impl Tally {
    fn add(&self, name: &'static str, reply: Option<&Reply>) {
        let end = reply.map_or("died".to_owned(), |reply| {
            format!("{} {}", reply.status, reply.text("/code")).trim().to_owned()
        });
        *self.0.lock().unwrap().entry((name, end)).or_default() += 1;
    }

    fn print(&self) {
        for ((name, end), count) in self.0.lock().unwrap().iter() {
            println!("{name:>12} {count:>4} {end}");
        }
    }
}

/// Callers that wait for `Retry-After`. When all callers wait, the clock advances to the end of the
/// first wait. So no lease expires during a live call, except by a drawn jump of the clock.
struct Waiters {
    clock: TestClock,
    /// The number of active callers, and the times until which the others wait.
    state: Mutex<(usize, Vec<u64>)>,
    leapt: watch::Sender<()>,
}

impl Waiters {
    async fn wait(&self, ms: u64) {
        let mut leaps = self.leapt.subscribe();
        let until = self.clock.now_ms() + ms;
        self.state.lock().unwrap().1.push(until);
        self.rest();
        while self.clock.now_ms() < until {
            leaps.changed().await.unwrap();
        }
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        let own = state.1.iter().position(|other| *other == until).unwrap();
        state.1.swap_remove(own);
    }

    /// Marks one caller as waiting or finished.
    fn rest(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 -= 1;
        if let (0, Some(first)) = (state.0, state.1.iter().min()) {
            self.clock.advance_ms(first.saturating_sub(self.clock.now_ms()));
        }
        self.leapt.send_replace(());
    }
}

/// The state that the callers share.
struct Run {
    h: Harness,
    tally: Tally,
    waiters: Waiters,
    /// The addresses that responses gave for each user's wallet.
    addresses: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Run {
    fn new(h: Harness) -> Arc<Self> {
        let (state, tally, addresses) = Default::default();
        let (clock, leapt) = (h.app.clock.clone(), watch::Sender::new(()));
        let waiters = Waiters { clock, state, leapt };
        Arc::new(Self { h, tally, waiters, addresses })
    }

    /// Runs all callers until no step is left.
    async fn take(self: &Arc<Self>, steps: Vec<Step>) {
        self.waiters.state.lock().unwrap().0 = CALLERS;
        let steps = Arc::new((steps, AtomicUsize::new(0)));
        let callers = (0..CALLERS).map(|_| {
            let (run, steps) = (self.clone(), steps.clone());
            tokio::spawn(async move {
                while let Some(step) = steps.0.get(steps.1.fetch_add(1, Ordering::SeqCst)) {
                    run.step(step).await;
                }
                run.waiters.rest();
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    }

    /// Runs a call that may meet a fault, and retries it once if the response requests it.
    async fn step(&self, step: &Step) {
        let trouble = step.trouble.clone().plan();
        let reply = self.call(step, &self.h.proxy.process_with(trouble)).await;
        self.h.app.clock.advance_ms(step.leap_ms);
        if let Some(seconds) = reply.as_ref().and_then(Reply::retry_after_s) {
            self.waiters.wait(seconds * 1_000).await;
            self.call(step, &self.h.proxy.process()).await;
        }
    }

    async fn call(&self, step: &Step, process: &Process) -> Option<Reply> {
        let started = Instant::now();
        let reply = self.h.call(process, &step.call).await;
        self.tally.add(step.name, reply.as_ref());
        if let Some(address) = reply.as_ref().and_then(|reply| reply.body["address"].as_str()) {
            let mut addresses = self.addresses.lock().unwrap();
            addresses.entry(step.call.user.clone()).or_default().insert(address.to_owned());
        }
        // The test clock does not advance by itself. All callers together make it a few times
        // faster than the real clock, but slow enough that no nonce becomes too old within a call.
        let passed_ms = u64::try_from(started.elapsed().as_millis()).unwrap() / 4;
        self.h.app.clock.advance_ms(1 + passed_ms);
        reply
    }
}

/// Returns the draws of a run. Prints the seed.
fn seeded() -> Draw {
    let seed = std::env::var("RANDOM_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = seed.unwrap_or_else(|| Clock::system().now_us() % 1_000_000);
    println!("RANDOM_SEED={seed}");
    Draw(seed)
}

#[tokio::test(flavor = "multi_thread")]
async fn random_operations_leave_nothing_behind() {
    let mut draw = seeded();
    let h = Harness::start().await;
    orders::limit_positions(&h).await;
    let run = Run::new(h);
    let h = &run.h;
    run.take(Step::creations(&mut draw)).await;
    for user in USERS {
        h.finish(&Call::create(user), ended::created).await;
    }
    let operations = if std::env::var_os("EVERY_CASE").is_some() { 1_000 } else { 400 };
    let rest = operations - 2 * USERS.len();
    run.take((0..rest).map(|_| Step::drawn(&mut draw)).collect()).await;
    run.tally.print();

    for user in USERS {
        let view = invariants::view(&h.app, user).await;
        let life = |exchange| view.credential(exchange).map(|record| record.state);
        println!("{user}: {:?}", EXCHANGES.map(life));
    }
    // No more faults occur. The next call finishes everything that was interrupted.
    for user in USERS {
        let address = invariants::view(&h.app, user).await.wallet.address.to_string();
        let known = run.addresses.lock().unwrap().remove(user).unwrap_or_default();
        assert!(known.iter().all(|known| *known == address), "{user}: {address}, {known:?}");
        for exchange in EXCHANGES {
            settle(h, user, exchange).await;
        }
    }
}

/// Finishes the interrupted operation by a retry and checks the result. Then runs all operations
/// once more.
async fn settle(h: &Harness, user: &str, exchange: Exchange) {
    let (register, delete) = (Call::register(exchange, user), Call::delete(exchange, user));
    let view = invariants::view(&h.app, user).await;
    match view.credential(exchange).map(|record| record.state) {
        None => invariants::assert_none_left(&h.app, user, exchange).await,
        Some(CredentialState::Pending) => {
            h.finish(&register, ended::registered).await;
        }
        Some(CredentialState::Rotating) => {
            h.finish(&Call::rotate(exchange, user), ended::done).await;
        }
        Some(CredentialState::Revoking) => {
            h.finish(&delete, ended::deleted).await;
            invariants::assert_none_left(&h.app, user, exchange).await;
        }
        Some(CredentialState::Active) => {}
    }
    h.finish(&Call::renewal(user), ended::idle).await;
    h.finish(&register, ended::registered).await;
    orders::settle(h, user, exchange).await;
    invariants::assert_one_active(&h.app, user, exchange).await;
    h.finish(&delete, ended::deleted).await;
    invariants::assert_none_left(&h.app, user, exchange).await;
}
