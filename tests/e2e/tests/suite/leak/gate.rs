//! Random interleavings at the cosigner's gate, with the embedded DynamoDB. Runs are opened,
//! closed, abandoned and cheated in, responses are lost, processes are killed, the bar's write
//! fails, time passes, and shares are refreshed. At every step at most four runs of a share version
//! are unclosed, nothing is released after the bar, and a run that was never closed keeps its slot.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a failing test panics")]

use e2e::leak::{Begin, Endpoint, Passed, Scene};
use e2e::proxy::{Fate, Plan, Process, Side};
use proptest::prelude::*;
use shared::wallets::Refreshed;

use super::{PARTY, refused, sets};

/// The maximum number of unclosed runs of one share version.
const MAX_UNCLOSED: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Failure {
    Nothing,
    /// The response to the first transaction is lost.
    Lost,
    /// The cosigner is killed at this remote call.
    Death(usize, Side),
}

#[derive(Clone, Debug)]
enum Step {
    Open(Failure),
    /// Opens this many runs concurrently.
    OpenMany(usize),
    /// Opens a run with a tampered message that fails the check. True if the bar can be written.
    OpenTampered(bool),
    Close(usize, Failure),
    /// Closes a run with a tampered message. True if the bar can be written.
    Cheat(usize, bool),
    /// Waits longer than a session lives.
    Wait,
    Refresh,
}

fn failure() -> impl Strategy<Value = Failure> {
    let side = prop_oneof![Just(Side::Before), Just(Side::After)];
    prop_oneof![
        4 => Just(Failure::Nothing),
        1 => Just(Failure::Lost),
        2 => (1_usize..6, side).prop_map(|(nth, side)| Failure::Death(nth, side)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => failure().prop_map(Step::Open),
        2 => (2_usize..7).prop_map(Step::OpenMany),
        1 => prop::bool::weighted(0.3).prop_map(Step::OpenTampered),
        5 => (0_usize..4, failure()).prop_map(|(run, failure)| Step::Close(run, failure)),
        1 => (0_usize..4, prop::bool::weighted(0.3)).prop_map(|(run, bar)| Step::Cheat(run, bar)),
        1 => Just(Step::Wait),
        1 => Just(Step::Refresh),
    ]
}

fn plan(failure: Failure, bar: bool) -> Plan {
    Box::new(move |arrival| {
        let is_write = arrival.name == "Cosigner.DynamoDB.TransactWriteItems";
        let cosigners = arrival.name.starts_with("Cosigner.");
        match failure {
            _ if !bar && sets(arrival, "barred") => refused(),
            Failure::Lost if is_write && arrival.nth_of_name == 1 => Fate::Lose,
            // The first call of the process is its own invocation.
            Failure::Death(nth, side) if cosigners && arrival.nth == nth + 1 => Fate::Die(side),
            _ => Fate::Pass,
        }
    })
}

/// The wallet, and the observed state of its share version.
struct Model {
    scene: Scene,
    endpoint: Endpoint,
    version: u32,
    /// Runs that can be closed.
    open: Vec<Passed>,
    /// Runs that are certainly unclosed and stay so.
    dead: usize,
    /// Runs that may be unclosed.
    maybe_unclosed: usize,
    /// True if a check has failed.
    cheated: bool,
    /// True if the bar is certainly written.
    barred: bool,
}

impl Model {
    async fn new() -> Self {
        let scene = Scene::start(PARTY).await;
        let endpoint = Endpoint::new(scene.key(1), scene.own_share().await, &[]);
        let (open, version) = (Vec::new(), 1);
        let (dead, maybe_unclosed, cheated, barred) = (0, 0, false, false);
        Self { scene, endpoint, version, open, dead, maybe_unclosed, cheated, barred }
    }

    fn unclosed(&self) -> usize {
        self.open.len() + self.dead
    }

    /// Returns a cosigner process with these failures, and the attacker's client of it.
    fn process(&self, failure: Failure, bar: bool) -> (std::sync::Arc<Process>, Endpoint) {
        let process = self.scene.proxy.process_with(plan(failure, bar));
        let endpoint = self.endpoint.through(&process.endpoints().lambda);
        (process, endpoint)
    }

    async fn open(&self, failure: Failure, row: Option<usize>, bar: bool) -> Outcome {
        let (process, endpoint) = self.process(failure, bar);
        let attempt = endpoint.prepare(Begin::Sign, row);
        let outcome = tokio::select! {
            biased;
            () = process.died() => Outcome::Nothing,
            (outcome, passed) = endpoint.send(0, attempt) => Outcome::of(&outcome, passed),
        };
        process.settled().await;
        outcome
    }

    fn answered(&mut self, passed: Passed) {
        assert!(!self.barred, "a run was answered after the bar");
        self.open.push(passed);
        assert!(self.unclosed() <= MAX_UNCLOSED, "{} runs are unclosed", self.unclosed());
    }

    async fn step(&mut self, step: Step) {
        // Rates are counted by the minute.
        self.scene.app.clock.advance_ms(1);
        match step {
            Step::Open(failure) => self.open_one(failure).await,
            Step::OpenMany(count) => {
                let room = MAX_UNCLOSED.saturating_sub(self.unclosed() + self.maybe_unclosed);
                let opens = (0..count).map(|_| self.open(Failure::Nothing, None, true));
                let outcome = futures_util::future::join_all(opens).await;
                let before = self.open.len();
                for outcome in outcome {
                    match outcome {
                        Outcome::Answered(passed) => self.answered(passed),
                        Outcome::Refused(_) => {}
                        Outcome::Nothing => self.maybe_unclosed += 1,
                    }
                }
                let answered = self.open.len() - before;
                assert!(
                    self.cheated || room == 0 || answered > 0,
                    "{room} free slots, but no run was opened"
                );
            }
            Step::OpenTampered(bar) => {
                let bits = self.scene.cosigner_correlation(self.version).await;
                let row = bits.iter().position(|bit| *bit).unwrap();
                match self.open(Failure::Nothing, Some(row), bar).await {
                    Outcome::Answered(_) => panic!("a tampered message passed"),
                    outcome => self.failed(&outcome, bar),
                }
            }
            Step::Close(run, failure) if run < self.open.len() => self.close(run, failure).await,
            Step::Cheat(run, bar) if run < self.open.len() => {
                let (_, endpoint) = self.process(Failure::Nothing, bar);
                let passed = self.open.remove(run);
                // The run cannot be closed again, whatever the response is.
                self.dead += 1;
                let outcome = endpoint.cheat(0, passed).await;
                assert_ne!(outcome, "signed");
                self.cheated = true;
                self.barred |= bar && outcome.contains("aborted");
            }
            Step::Close(..) | Step::Cheat(..) => {}
            Step::Wait => self.scene.app.clock.advance_ms(61_000),
            Step::Refresh => self.refresh().await,
        }
    }

    async fn open_one(&mut self, failure: Failure) {
        let room = MAX_UNCLOSED.saturating_sub(self.unclosed() + self.maybe_unclosed);
        match self.open(failure, None, true).await {
            Outcome::Answered(passed) => self.answered(passed),
            Outcome::Refused(outcome) if matches!(failure, Failure::Nothing) => {
                assert!(self.cheated || room == 0, "{room} free slots, but: {outcome}");
            }
            _ => self.maybe_unclosed += 1,
        }
    }

    /// Updates the state after a check that should fail.
    fn failed(&mut self, outcome: &Outcome, bar: bool) {
        match outcome {
            Outcome::Refused(outcome) if outcome.contains("aborted") => {
                self.dead += 1;
                self.cheated = true;
                self.barred |= bar;
            }
            Outcome::Refused(_) => {}
            _ => {
                self.maybe_unclosed += 1;
                self.cheated = true;
            }
        }
        assert!(self.unclosed() <= MAX_UNCLOSED, "{} runs are unclosed", self.unclosed());
    }

    async fn close(&mut self, run: usize, failure: Failure) {
        let (process, endpoint) = self.process(failure, true);
        let passed = self.open.remove(run);
        let outcome = tokio::select! {
            biased;
            () = process.died() => Outcome::Nothing,
            outcome = endpoint.close(0, passed) => Outcome::of(&outcome, None),
        };
        process.settled().await;
        match outcome {
            Outcome::Refused(outcome) if outcome == "signed" => {
                assert!(!self.barred, "a signature was released after the bar");
            }
            Outcome::Refused(_) => self.dead += 1,
            _ => self.maybe_unclosed += 1,
        }
    }

    async fn refresh(&mut self) {
        let (key, custody) = (self.scene.key(self.version), &self.scene.app.stack.custody);
        match custody.refresh(&key.tenant, key.wallet_id, None).await {
            Ok(Refreshed::New(version)) => {
                assert!(!self.barred, "a barred wallet was refreshed");
                self.version = version;
                self.open.clear();
                (self.dead, self.maybe_unclosed, self.cheated) = (0, 0, false);
                let share = self.scene.own_share().await;
                self.endpoint = Endpoint::new(self.scene.key(version), share, &[]);
            }
            other => assert!(self.cheated, "{other:?}"),
        }
    }
}

/// The outcome of a call.
#[expect(clippy::large_enum_variant, reason = "short-lived")]
enum Outcome {
    Answered(Passed),
    /// The refusal's text.
    Refused(String),
    /// No response or a failed invocation: the outcome is unknown.
    Nothing,
}

impl Outcome {
    fn of(outcome: &str, passed: Option<Passed>) -> Self {
        match (passed, outcome) {
            (Some(passed), _) => Self::Answered(passed),
            (None, "failed") => Self::Nothing,
            (None, outcome) => Self::Refused(outcome.to_owned()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 6,
        max_shrink_iters: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn gate_limits_runs_in_any_order_of_steps(steps in prop::collection::vec(step(), 6..16)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            for step in steps {
                model.step(step).await;
            }
        });
    }
}
